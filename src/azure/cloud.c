#include "internal.h"

#include <stdio.h>
#include <string.h>

/* Where an https URL's path begins. */
static size_t origin_len(const char *url) {
    size_t scheme = strlen("https://");
    return scheme + strcspn(url + scheme, "/?#");
}

int skrfs_cloud_vault_at(struct skrfs_cloud *cloud, size_t index, struct vault **ret_vault,
        struct skrfs_error *err) {
    if (index >= cloud->vault_count)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "there is no vault %zu", index);
    *ret_vault = &cloud->vaults[index];
    return 0;
}

static int add_vault(struct skrfs_cloud *cloud, const struct skrfs_cloud_vault *config,
        struct skrfs_error *err) {
    char host[256];
    if (skrfs_url_host(config->url, host, sizeof(host), err) < 0)
        return -1;
    if (config->url[origin_len(config->url)])
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "'%s' is more than https:// and a host", config->url);
    struct vault *vault = &cloud->vaults[cloud->vault_count];
    vault->config = *config;
    if (skrfs_vault_login_prepare(cloud, vault, host, err) < 0)
        return -1;
    cloud->vault_count++;
    return 0;
}

static int add_vaults(struct skrfs_cloud *cloud, const struct skrfs_cloud_options *options,
        struct skrfs_error *err) {
    size_t room = options->vault_count ? options->vault_count : 1;
    cloud->vaults = calloc(room, sizeof(*cloud->vaults));
    if (!cloud->vaults)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < options->vault_count; i++)
        if (add_vault(cloud, &options->vaults[i], err) < 0)
            return skrfs_wrap(err, "vault '%s'", options->vaults[i].name);
    return 0;
}

static int set_attestation(struct skrfs_cloud *cloud, const char *url, struct skrfs_error *err) {
    char host[256];
    if (skrfs_url_host(url, host, sizeof(host), err) < 0)
        return skrfs_wrap(err, "the attestation service's address");
    cloud->attestation = strndup(url, origin_len(url));
    return cloud->attestation ? 0 : skrfs_fail_memory(err);
}

static int check_url(const char *url, const char *option, struct skrfs_error *err) {
    char host[256];
    if (skrfs_url_host(url, host, sizeof(host), err) == 0)
        return 0;
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s = %.200s is no https address", option, url);
}

static int set_certs(struct skrfs_cloud *cloud, const struct skrfs_cloud_options *options,
        struct skrfs_error *err) {
    static const enum skrfs_cert_source usual[] = {SKRFS_CERTS_CONTEXT, SKRFS_CERTS_REPORT,
            SKRFS_CERTS_FILE, SKRFS_CERTS_THIM, SKRFS_CERTS_CACHE, SKRFS_CERTS_KDS};
    bool chosen = options->certificate_count > 0;
    cloud->certs_count = chosen ? options->certificate_count : SKRFS_ARRAY_LEN(usual);
    if (cloud->certs_count > SKRFS_ARRAY_LEN(cloud->certs))
        return skrfs_fail(err, SKRFS_CLASS_BUG, "more sources of certificates than there are");
    memcpy(cloud->certs, chosen ? options->certificates : usual,
            cloud->certs_count * sizeof(*cloud->certs));
    cloud->cache = options->cache_url ? options->cache_url : CACHE_URL;
    cloud->kds = options->kds_url ? options->kds_url : KDS_URL;
    return check_url(cloud->cache, "cache-url", err) < 0 ? -1
                                                         : check_url(cloud->kds, "kds-url", err);
}

static void init_chains(struct skrfs_cloud *cloud) {
    pthread_mutex_init(&cloud->chains_lock, NULL);
    for (size_t i = 0; i < KEPT_CHAINS; i++)
        cloud->chains[i].pem = SKRFS_BUF(SKRFS_PEM_MAX);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cloud->issuers); i++)
        cloud->issuers[i][0] = cloud->issuers[i][1] = SKRFS_BUF(SKRFS_PEM_MAX);
}

static void done_chains(struct skrfs_cloud *cloud) {
    for (size_t i = 0; i < KEPT_CHAINS; i++)
        skrfs_buf_done(&cloud->chains[i].pem);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cloud->issuers); i++) {
        skrfs_buf_done(&cloud->issuers[i][0]);
        skrfs_buf_done(&cloud->issuers[i][1]);
    }
    pthread_mutex_destroy(&cloud->chains_lock);
}

int skrfs_cloud_new(const struct skrfs_cloud_options *options, struct skrfs_cloud **ret_cloud,
        struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_cloud_free_p) struct skrfs_cloud *cloud = calloc(1, sizeof(*cloud));
    if (!cloud)
        return skrfs_fail_memory(err);
    pthread_mutex_init(&cloud->slots_lock, NULL);
    cloud->login = options->login;
    init_chains(cloud);
    cloud->imds = options->imds_url ? options->imds_url : SKRFS_IMDS_URL;
    if (set_certs(cloud, options, err) < 0)
        return -1;
    if (options->attestation_url && set_attestation(cloud, options->attestation_url, err) < 0)
        return -1;
    if (add_vaults(cloud, options, err) < 0 ||
            skrfs_http_new(&options->http, &cloud->http, err) < 0)
        return -1;
    /* Now, since the process's sandbox may hide the file later. */
    skrfs_os_read(&cloud->os);
    *ret_cloud = skrfs_take(cloud);
    return 0;
}

void skrfs_cloud_free(struct skrfs_cloud *cloud) {
    if (!cloud)
        return;
    for (size_t i = 0; i < cloud->vault_count; i++)
        skrfs_slot_release(cloud, cloud->vaults[i].slot);
    pthread_mutex_destroy(&cloud->slots_lock);
    done_chains(cloud);
    skrfs_http_free(cloud->http);
    free(cloud->attestation);
    free(cloud->vaults);
    free(cloud);
}
