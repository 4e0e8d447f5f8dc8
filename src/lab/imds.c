/* The instance metadata service: tokens for managed identities, VCEK certificates, TD quotes. */
#include "hardware.h"
#include "jwt.h"
#include "state.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SYSTEM_OBJECT "1ab00000-0000-4000-8000-0000000000a1"
#define SYSTEM_CLIENT "1ab00000-0000-4000-8000-0000000000a2"

/* User-assigned identities: the first may release keys, the second may not. */
static const struct identity {
    const char *client_id, *object_id, *resource_id;
    bool release;
} identities[] = {
        {"1ab00000-0000-4000-8000-0000000000b2", "1ab00000-0000-4000-8000-0000000000b1",
                "/subscriptions/1ab00000-0000-4000-8000-00000000000c/resourceGroups/lab/providers/"
                "Microsoft.ManagedIdentity/userAssignedIdentities/releaser",
                true},
        {"1ab00000-0000-4000-8000-0000000000d2", "1ab00000-0000-4000-8000-0000000000d1",
                "/subscriptions/1ab00000-0000-4000-8000-00000000000c/resourceGroups/lab/providers/"
                "Microsoft.ManagedIdentity/userAssignedIdentities/reader",
                false},
};

static bool known_resource(const char *resource) {
    static const char *const known[] = {"https://vault.azure.net", "https://managedhsm.azure.net",
            "https://management.azure.com"};
    size_t len = strlen(resource);
    if (len > 0 && resource[len - 1] == '/')
        len--;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(known); i++)
        if (strlen(known[i]) == len && strncmp(known[i], resource, len) == 0)
            return true;
    return false;
}

static const struct identity *find_identity(const char *by, const char *value) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(identities); i++) {
        const char *own = strcmp(by, "client_id") == 0   ? identities[i].client_id
                          : strcmp(by, "object_id") == 0 ? identities[i].object_id
                                                         : identities[i].resource_id;
        if (strcasecmp(own, value) == 0)
            return &identities[i];
    }
    return NULL;
}

/* Which identity is asked for: NULL in *ret_identity is the machine's own. */
static int pick_identity(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer, const struct identity **ret_identity) {
    static const char *const selectors[] = {"client_id", "object_id", "msi_res_id"};
    const struct identity *identity = NULL;
    unsigned given = 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(selectors); i++) {
        const char *value = skrfs_lab_query(request, selectors[i]);
        if (!value)
            continue;
        given++;
        identity = find_identity(selectors[i], value);
    }
    if (given > 1)
        return skrfs_lab_refuse(answer, 400, "invalid_request",
                "Only one of client_id, object_id and msi_res_id can be specified");
    if (given == 0 ? !skrfs_lab_settings_get(lab).identity : !identity)
        return skrfs_lab_refuse(answer, 400, "invalid_request", "Identity not found");
    *ret_identity = identity;
    return 0;
}

int skrfs_lab_access_token(struct skrfs_lab *lab, const char *resource, const char *identity,
        struct skrfs_buf *out, struct skrfs_error *err) {
    const struct identity *own = identity ? find_identity("client_id", identity) : NULL;
    struct skrfs_lab_settings settings = skrfs_lab_settings_get(lab);
    skrfs_autojson *header = NULL;
    skrfs_autojson *claims = NULL;
    int64_t now = skrfs_wall_s();
    const char *aud = resource;
    if (skrfs_json_pack(&header, err, "{s:s,s:s,s:s}", "typ", "JWT", "alg", "RS256", "kid",
                "skrfs-lab-entra") < 0 ||
            skrfs_json_pack(&claims, err, "{s:s,s:s,s:I,s:I,s:I,s:s,s:s,s:s}", "aud", aud, "iss",
                    lab->login_url, "iat", now, "nbf", now, "exp", now + settings.access_life_s,
                    "appid", own ? own->client_id : SYSTEM_CLIENT, "oid",
                    own ? own->object_id : SYSTEM_OBJECT, "roles",
                    !own || own->release ? "release" : "read") < 0)
        return -1;
    return skrfs_lab_jwt_sign(lab->pki->entra.key, header, claims, out, err);
}

static int check_token_request(const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer, const char **ret_resource) {
    const char *version = skrfs_lab_query(request, "api-version");
    const char *resource = skrfs_lab_query(request, "resource");
    if (!version)
        return skrfs_lab_refuse(
                answer, 400, "invalid_request", "Required query variable 'api-version' is missing");
    if (strlen(version) < 10 || strncmp(version, "2018-02-01", 10) < 0)
        return skrfs_lab_refuse(
                answer, 400, "invalid_request", "Unsupported api-version '%s'", version);
    if (!resource || !*resource)
        return skrfs_lab_refuse(
                answer, 400, "invalid_request", "Required query variable 'resource' is missing");
    if (!known_resource(resource))
        return skrfs_lab_refuse(answer, 400, "invalid_resource",
                "AADSTS500011: The resource principal named %s was not found in the tenant",
                resource);
    *ret_resource = resource;
    return 0;
}

static int token_json(const char *token, const char *resource, const char *client, int64_t life_s,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    char life[24];
    char until[24];
    char since[24];
    int64_t now = skrfs_wall_s();
    (void)snprintf(life, sizeof(life), "%lld", (long long)life_s);
    (void)snprintf(until, sizeof(until), "%lld", (long long)(now + life_s));
    (void)snprintf(since, sizeof(since), "%lld", (long long)now);
    return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "access_token",
            token, "client_id", client, "expires_in", life, "expires_on", until, "ext_expires_in",
            life, "not_before", since, "resource", resource, "token_type", "Bearer");
}

static void token(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    const char *resource = NULL;
    const struct identity *identity = NULL;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    struct skrfs_json *json = NULL;
    if (check_token_request(request, answer, &resource) < 0 ||
            pick_identity(lab, request, answer, &identity) < 0)
        return;
    if (skrfs_lab_access_token(lab, resource, identity ? identity->client_id : NULL, &text, &err) <
                    0 ||
            token_json(skrfs_buf_text(&text), resource,
                    identity ? identity->client_id : SYSTEM_CLIENT,
                    skrfs_lab_settings_get(lab).access_life_s, &json, &err) < 0) {
        (void)skrfs_lab_broken(answer, &err);
        return;
    }
    (void)skrfs_lab_reply(answer, json);
}

int skrfs_lab_thim_json(const struct skrfs_lab_pki *pki, bool stale, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    const struct skrfs_lab_tcb *tcb = stale ? &pki->stale : &pki->reported;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    char tcbm[17];
    if (skrfs_chain_pem(stale ? pki->stale_vcek : pki->vcek.chain, &pem, err) < 0)
        return -1;
    const char *end = strstr(skrfs_buf_text(&pem), "-----END CERTIFICATE-----\n");
    if (!end)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the VCEK chain has no PEM");
    end += strlen("-----END CERTIFICATE-----\n");
    (void)snprintf(tcbm, sizeof(tcbm), "%02x%02x00000000%02x%02x", tcb->microcode, tcb->snp,
            tcb->tee, tcb->bootloader);
    return skrfs_json_pack(ret_json, err, "{s:s%,s:s,s:s,s:s}", "vcekCert", skrfs_buf_text(&pem),
            (size_t)(end - skrfs_buf_text(&pem)), "tcbm", tcbm, "certificateChain", end,
            "cacheControl", "86400");
}

static void thim(struct skrfs_lab *lab, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (lab->tdx) {
        (void)skrfs_lab_refuse(answer, 404, "not_found", "This is no AMD machine");
        return;
    }
    if (skrfs_lab_thim_json(lab->pki, answer->deed == SKRFS_LAB_STALE_VCEK, &json, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

static int quote(struct skrfs_lab *lab, struct skrfs_bytes body, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    skrfs_autobuf report = SKRFS_BUF((size_t)4096);
    skrfs_autobuf made = SKRFS_BUF((size_t)64 * 1024);
    struct skrfs_json *text = NULL;
    if (skrfs_json_parse((const char *)body.data, body.len, (size_t)16 * 1024, &json, err) < 0 ||
            skrfs_json_need_base64(json, "report", SKRFS_BASE64_ANY, &report, err) < 0 ||
            skrfs_lab_quote_td(lab->pki, skrfs_buf_bytes(&report), &made, err) < 0 ||
            skrfs_lab_base64_json(SKRFS_BASE64URL, skrfs_buf_bytes(&made), &text, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:o}", "quote", text);
}

static void td_quote(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (!lab->tdx)
        (void)skrfs_lab_refuse(answer, 404, "not_found", "This is no Intel TDX machine");
    else if (quote(lab, request->body, &json, &err) < 0)
        (void)skrfs_lab_refuse(answer, 400, "invalid_request", "%s", err.message);
    else
        (void)skrfs_lab_reply(answer, json);
}

static int check_headers(const struct skrfs_lab_request *request, struct skrfs_lab_answer *answer) {
    const char *metadata = skrfs_lab_header(request, "Metadata");
    if (!metadata || strcasecmp(metadata, "true") != 0)
        return skrfs_lab_refuse(
                answer, 400, "invalid_request", "Required metadata header not specified");
    if (skrfs_lab_header(request, "X-Forwarded-For"))
        return skrfs_lab_refuse(
                answer, 403, "forbidden", "Requests that went through a proxy are refused");
    return 0;
}

void skrfs_lab_imds(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    static const struct {
        const char *method, *path;
        enum skrfs_lab_place at;
    } routes[] = {
            {"GET", "/metadata/identity/oauth2/token", SKRFS_LAB_AT_IMDS_TOKEN},
            {"GET", "/metadata/THIM/amd/certification", SKRFS_LAB_AT_THIM},
            {"POST", "/acc/tdquote", SKRFS_LAB_AT_TDQUOTE},
    };
    size_t i = 0;
    while (i < SKRFS_ARRAY_LEN(routes) && strcmp(routes[i].path, request->path) != 0)
        i++;
    if (i == SKRFS_ARRAY_LEN(routes)) {
        (void)skrfs_lab_refuse(answer, 404, "not_found", "Resource not found");
        return;
    }
    if (strcmp(routes[i].method, request->method) != 0) {
        (void)skrfs_lab_refuse(answer, 405, "method_not_allowed", "Method not allowed");
        return;
    }
    /* The quote service is not under /metadata and asks for no header. */
    if (!skrfs_lab_enter(lab, routes[i].at, answer) ||
            (routes[i].at != SKRFS_LAB_AT_TDQUOTE && check_headers(request, answer) < 0))
        return;
    if (routes[i].at == SKRFS_LAB_AT_IMDS_TOKEN)
        token(lab, request, answer);
    else if (routes[i].at == SKRFS_LAB_AT_THIM)
        thim(lab, answer);
    else
        td_quote(lab, request, answer);
}
