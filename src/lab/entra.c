/* What is on the login host: a tenant's description and keys, and its token endpoint. */
#include "entra.h"

#include "jwt.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int configuration_json(
        struct skrfs_lab *lab, struct skrfs_json **ret_json, struct skrfs_error *err) {
    char token[SKRFS_LAB_URL_MAX + 64];
    char authorize[SKRFS_LAB_URL_MAX + 64];
    char keys[SKRFS_LAB_URL_MAX + 64];
    char issuer[SKRFS_LAB_URL_MAX + 64];
    (void)snprintf(token, sizeof(token), "%s/oauth2/v2.0/token", lab->login_url);
    (void)snprintf(authorize, sizeof(authorize), "%s/oauth2/v2.0/authorize", lab->login_url);
    (void)snprintf(keys, sizeof(keys), "%s/discovery/v2.0/keys", lab->login_url);
    (void)snprintf(issuer, sizeof(issuer), "%s/v2.0", lab->login_url);
    return skrfs_json_pack(ret_json, err,
            "{s:s,s:[s,s],s:s,s:[s],s:[s],s:[s],s:[s],s:s,s:s,s:n,s:s,s:s}", "token_endpoint",
            token, "token_endpoint_auth_methods_supported", "client_secret_post", "private_key_jwt",
            "jwks_uri", keys, "response_modes_supported", "query", "subject_types_supported",
            "pairwise", "id_token_signing_alg_values_supported", "RS256",
            "response_types_supported", "code", "issuer", issuer, "authorization_endpoint",
            authorize, "tenant_region_scope", "cloud_instance_name", "skrfs.localhost",
            "msgraph_host", "graph.skrfs.localhost");
}

static int keys_json(struct skrfs_lab *lab, struct skrfs_json **ret_json, struct skrfs_error *err) {
    struct skrfs_public public;
    skrfs_autojson *jwk = NULL;
    struct skrfs_json *part = NULL;
    if (skrfs_pkey_public(lab->pki->entra.key, &public, err) < 0 ||
            skrfs_lab_jwk(&public, "RSA", false, &jwk, err) < 0 ||
            skrfs_json_pack(&part, err, "s", "sig") < 0 ||
            skrfs_json_set(jwk, "use", part, err) < 0 ||
            skrfs_json_pack(&part, err, "s", SKRFS_LAB_ENTRA_KID) < 0 ||
            skrfs_json_set(jwk, "kid", part, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:[o]}", "keys", skrfs_take(jwk));
}

/* What a client asks that knows no better than the authority's host. */
static int instance_json(
        struct skrfs_lab *lab, struct skrfs_json **ret_json, struct skrfs_error *err) {
    char endpoint[SKRFS_LAB_URL_MAX + 64];
    const char *host = lab->authority + strlen("https://");
    (void)snprintf(
            endpoint, sizeof(endpoint), "%s/v2.0/.well-known/openid-configuration", lab->login_url);
    return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:[{s:s,s:s,s:[s]}]}",
            "tenant_discovery_endpoint", endpoint, "api-version", "1.1", "metadata",
            "preferred_network", host, "preferred_cache", host, "aliases", host);
}

static void describe(struct skrfs_lab *lab, struct skrfs_lab_answer *answer,
        int (*make)(struct skrfs_lab *, struct skrfs_json **, struct skrfs_error *)) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (make(lab, &json, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

/* A uuid or a domain. */
static bool names_a_tenant(const char *tenant) {
    for (const char *c = tenant; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.')
            return false;
    return strlen(tenant) == strlen(SKRFS_LAB_TENANT) || strchr(tenant, '.');
}

static int check_tenant(
        struct skrfs_lab *lab, const char *tenant, struct skrfs_lab_answer *answer) {
    if (strcasecmp(tenant, SKRFS_LAB_TENANT) == 0)
        return 0;
    if (!names_a_tenant(tenant))
        return skrfs_lab_aadsts(lab, answer, 900023,
                "Specified tenant identifier '%s' is neither a valid DNS name, nor a valid "
                "external domain.",
                tenant);
    return skrfs_lab_aadsts(lab, answer, 90002,
            "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are "
            "signing into the correct cloud. Check with your subscription administrator, this may "
            "happen if there are no active subscriptions for the tenant.",
            tenant);
}

static bool is_get(const struct skrfs_lab_request *request, const char *path, const char *wanted) {
    return strcmp(request->method, "GET") == 0 && strcmp(path, wanted) == 0;
}

/* A fault with a number for a code is Entra ID's own refusal of that number. */
static void shape_fault(struct skrfs_lab *lab, struct skrfs_lab_answer *answer) {
    char message[256];
    unsigned status = answer->status;
    unsigned number = answer->fault_number;
    (void)snprintf(message, sizeof(message), "%s", answer->note);
    if (number == 0)
        return;
    (void)skrfs_lab_aadsts(lab, answer, number, "%s.", message);
    answer->status = status;
}

void skrfs_lab_login(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    char tenant[128];
    const char *path = request->path + (*request->path == '/');
    size_t len = strcspn(path, "/");
    if (is_get(request, request->path, "/common/discovery/instance")) {
        describe(lab, answer, instance_json);
        return;
    }
    (void)snprintf(tenant, sizeof(tenant), "%.*s", (int)(len < 100 ? len : 100), path);
    path += len;
    bool grant = strcmp(path, "/oauth2/v2.0/token") == 0;
    if (grant && strcmp(request->method, "POST") == 0) {
        if (!skrfs_lab_enter(lab, SKRFS_LAB_AT_LOGIN, answer))
            shape_fault(lab, answer);
        else if (check_tenant(lab, tenant, answer) == 0)
            skrfs_lab_token_grant(lab, request, answer);
        return;
    }
    if (is_get(request, path, "/v2.0/.well-known/openid-configuration")) {
        if (check_tenant(lab, tenant, answer) == 0)
            describe(lab, answer, configuration_json);
    } else if (is_get(request, path, "/discovery/v2.0/keys")) {
        if (check_tenant(lab, tenant, answer) == 0)
            describe(lab, answer, keys_json);
    } else {
        (void)skrfs_lab_refuse(answer, grant ? 405 : 404, grant ? "MethodNotAllowed" : "NotFound",
                "The login host has nothing there");
    }
}
