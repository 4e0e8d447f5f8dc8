#include "state.h"

#include "identities.h"

#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void set_vault(struct skrfs_lab_vault *vault, bool hsm, unsigned port) {
    vault->hsm = hsm;
    (void)snprintf(vault->url, sizeof(vault->url), "https://%s:%u",
            hsm ? SKRFS_LAB_HSM_HOST : SKRFS_LAB_VAULT_HOST, port);
    (void)snprintf(vault->resource, sizeof(vault->resource), "%s",
            hsm ? "https://managedhsm.azure.net" : "https://vault.azure.net");
}

int skrfs_lab_new(const struct skrfs_lab_ports *ports, bool tdx, bool throttle,
        struct skrfs_lab **ret_lab, struct skrfs_error *err) {
    struct skrfs_lab *lab = calloc(1, sizeof(*lab));
    if (!lab)
        return skrfs_fail_memory(err);
    lab->tdx = tdx;
    lab->settings = (struct skrfs_lab_settings){.token_life_s = 8 * 3600,
            .access_life_s = 24 * 3600,
            .throttle = throttle,
            .release_role = true,
            .identity = true,
            .compliance = "azure-compliant-cvm"};
    lab->first = lab->settings;
    (void)snprintf(lab->imds_url, sizeof(lab->imds_url), "http://127.0.0.1:%u", ports->imds);
    (void)snprintf(
            lab->maa_url, sizeof(lab->maa_url), "https://" SKRFS_LAB_MAA_HOST ":%u", ports->https);
    (void)snprintf(lab->authority, sizeof(lab->authority), "https://" SKRFS_LAB_LOGIN_HOST ":%u",
            ports->https);
    (void)snprintf(lab->login_url, sizeof(lab->login_url),
            "https://" SKRFS_LAB_LOGIN_HOST ":%u/" SKRFS_LAB_TENANT, ports->https);
    set_vault(&lab->vaults[0], false, ports->https);
    set_vault(&lab->vaults[1], true, ports->https);
    pthread_mutex_init(&lab->lock, NULL);
    if (skrfs_lab_pki_new(lab->maa_url, &lab->pki, err) < 0 ||
            skrfs_lab_directory_new(lab->authority, &lab->directory, err) < 0) {
        skrfs_lab_free(lab);
        return -1;
    }
    *ret_lab = lab;
    return 0;
}

void skrfs_lab_free(struct skrfs_lab *lab) {
    if (!lab)
        return;
    skrfs_lab_vault_done(&lab->vaults[0]);
    skrfs_lab_vault_done(&lab->vaults[1]);
    skrfs_lab_pki_free(lab->pki);
    skrfs_lab_directory_free(lab->directory);
    pthread_mutex_destroy(&lab->lock);
    free(lab);
}

enum skrfs_lab_service skrfs_lab_service_of(const char *host) {
    static const struct {
        const char *host;
        enum skrfs_lab_service service;
    } hosts[] = {{SKRFS_LAB_MAA_HOST, SKRFS_LAB_MAA}, {SKRFS_LAB_VAULT_HOST, SKRFS_LAB_VAULT},
            {SKRFS_LAB_HSM_HOST, SKRFS_LAB_HSM}, {SKRFS_LAB_LOGIN_HOST, SKRFS_LAB_LOGIN}};
    size_t len = host ? strcspn(host, ":") : 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(hosts); i++)
        if (strlen(hosts[i].host) == len && strncasecmp(hosts[i].host, host, len) == 0)
            return hosts[i].service;
    return SKRFS_LAB_NOWHERE;
}

void skrfs_lab_serve(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    switch (request->service) {
    case SKRFS_LAB_IMDS:
        if (strncmp(request->path, "/lab/", 5) == 0)
            skrfs_lab_control(lab, request, answer);
        else
            skrfs_lab_imds(lab, request, answer);
        return;
    case SKRFS_LAB_MAA:
        skrfs_lab_maa(lab, request, answer);
        return;
    case SKRFS_LAB_VAULT:
    case SKRFS_LAB_HSM:
        skrfs_lab_vault(lab, request, answer);
        return;
    case SKRFS_LAB_LOGIN:
        skrfs_lab_login(lab, request, answer);
        return;
    case SKRFS_LAB_NOWHERE:
        break;
    }
    (void)skrfs_lab_refuse(answer, 404, "NotFound", "the lab has no service of this host name");
}

int64_t skrfs_lab_wall_s(struct skrfs_lab *lab) {
    return skrfs_wall_s() + skrfs_lab_settings_get(lab).clock_skew_s;
}

int64_t skrfs_lab_claims_wanted(struct skrfs_lab *lab) {
    pthread_mutex_lock(&lab->lock);
    int64_t wanted = lab->claims_wanted_s;
    pthread_mutex_unlock(&lab->lock);
    return wanted;
}

int skrfs_lab_access_token(struct skrfs_lab *lab, const char *resource, const char *identity,
        struct skrfs_buf *out, struct skrfs_error *err) {
    const struct skrfs_lab_identity *own =
            identity ? skrfs_lab_identity_find("client_id", identity) : NULL;
    const struct skrfs_lab_access_wish wish = {.identity = own ? own : &skrfs_lab_system_identity,
            .resource = resource,
            .claims_s = skrfs_lab_claims_wanted(lab)};
    return skrfs_lab_access_sign(lab, &wish, out, err);
}
