/* Tokens for managed identities, in the three manners in which machines ask for them: a virtual
 * machine's metadata service, App Service and container hosts, Azure Arc's agent. */
#include "managed.h"

#include <limits.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum manner { IMDS, APP_SERVICE, ARC };

static const struct {
    const char *oldest; /* api-version */
    const char *resource_id;
} manners[] = {[IMDS] = {"2018-02-01", "msi_res_id"},
        [APP_SERVICE] = {"2019-08-01", "mi_res_id"},
        [ARC] = {"2019-11-01", NULL}};

static int bad(struct skrfs_lab_answer *answer, const char *message) {
    return skrfs_lab_refuse(answer, 400, "invalid_request", "%s", message);
}

/* Which identity is asked for; the machine's own when none is named. */
static int pick_identity(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        enum manner manner, struct skrfs_lab_answer *answer,
        const struct skrfs_lab_identity **ret_identity) {
    const char *const selectors[] = {"client_id", "object_id", manners[manner].resource_id};
    const struct skrfs_lab_identity *identity = &skrfs_lab_system_identity;
    unsigned given = 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(selectors); i++) {
        const char *value = selectors[i] ? skrfs_lab_query(request, selectors[i]) : NULL;
        if (!value)
            continue;
        given++;
        identity = skrfs_lab_identity_find(i == 2 ? "resource_id" : selectors[i], value);
    }
    if (given > 1)
        return skrfs_lab_refuse(answer, 400, "invalid_request",
                "Only one of client_id, object_id and %s can be specified",
                manners[manner].resource_id);
    if (manner == ARC && given > 0)
        return bad(answer, "User assigned identities are not supported");
    if (!identity || (given == 0 && !skrfs_lab_settings_get(lab).identity))
        return bad(answer, "Identity not found");
    *ret_identity = identity;
    return 0;
}

static int check_query(const struct skrfs_lab_request *request, enum manner manner,
        struct skrfs_lab_answer *answer, const char **ret_resource) {
    const char *version = skrfs_lab_query(request, "api-version");
    const char *resource = skrfs_lab_query(request, "resource");
    if (!version)
        return bad(answer, "Required query variable 'api-version' is missing");
    if (strlen(version) < 10 || strncmp(version, manners[manner].oldest, 10) < 0)
        return skrfs_lab_refuse(
                answer, 400, "invalid_request", "Unsupported api-version '%s'", version);
    if (!resource || !*resource)
        return bad(answer, "Required query variable 'resource' is missing");
    if (!skrfs_lab_resource_known(resource))
        return skrfs_lab_refuse(answer, 400, "invalid_resource",
                "AADSTS500011: The resource principal named %s was not found in the tenant",
                resource);
    *ret_resource = resource;
    return 0;
}

/* All numbers are strings; App Service tells the end alone. */
static int token_json(struct skrfs_lab *lab, enum manner manner, const char *token,
        const char *resource, const struct skrfs_lab_identity *identity,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    int64_t now = skrfs_lab_wall_s(lab);
    int64_t life_s = skrfs_lab_settings_get(lab).access_life_s;
    char life[24];
    char until[24];
    char since[24];
    (void)snprintf(life, sizeof(life), "%lld", (long long)life_s);
    (void)snprintf(until, sizeof(until), "%lld", (long long)(now + life_s));
    (void)snprintf(since, sizeof(since), "%lld", (long long)now);
    if (manner == APP_SERVICE)
        return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:s,s:s,s:s}", "access_token", token,
                "client_id", identity->client_id, "expires_on", until, "resource", resource,
                "token_type", "Bearer");
    return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "access_token",
            token, "client_id", identity->client_id, "expires_in", life, "expires_on", until,
            "ext_expires_in", life, "not_before", since, "resource", resource, "token_type",
            "Bearer");
}

static void give(struct skrfs_lab *lab, const struct skrfs_lab_request *request, enum manner manner,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_lab_access_wish wish = {
            .identity = &skrfs_lab_system_identity, .claims_s = skrfs_lab_claims_wanted(lab)};
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_TOKEN_MAX);
    struct skrfs_json *json = NULL;
    if (check_query(request, manner, answer, &wish.resource) < 0 ||
            pick_identity(lab, request, manner, answer, &wish.identity) < 0)
        return;
    if (skrfs_lab_access_sign(lab, &wish, &text, &err) < 0 ||
            token_json(lab, manner, skrfs_buf_text(&text), wish.resource, wish.identity, &json,
                    &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

int skrfs_lab_metadata_check(
        const struct skrfs_lab_request *request, struct skrfs_lab_answer *answer) {
    const char *metadata = skrfs_lab_header(request, "Metadata");
    if (!metadata || strcasecmp(metadata, "true") != 0)
        return bad(answer, "Required metadata header not specified");
    if (skrfs_lab_header(request, "X-Forwarded-For"))
        return skrfs_lab_refuse(
                answer, 403, "forbidden", "Requests that went through a proxy are refused");
    return 0;
}

void skrfs_lab_imds_token(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    if (skrfs_lab_metadata_check(request, answer) == 0)
        give(lab, request, IMDS, answer);
}

void skrfs_lab_app_service_token(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    const char *header = skrfs_lab_header(request, "X-IDENTITY-HEADER");
    if (!header || strcmp(header, lab->directory->identity_header) != 0) {
        (void)skrfs_lab_refuse(answer, 401, "unauthorized",
                "The X-IDENTITY-HEADER is missing or is not this host's");
        return;
    }
    give(lab, request, APP_SERVICE, answer);
}

/* The key of the last challenge goes with it: each serves once. */
static int arc_challenge(struct skrfs_lab *lab, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    uint8_t random[40];
    char key[2 * sizeof(random) + 1];
    char path[PATH_MAX + 32];
    if (skrfs_random(random, sizeof(random), &err) < 0)
        return skrfs_lab_broken(answer, &err);
    skrfs_hex_encode(random, sizeof(random), key);
    (void)snprintf(path, sizeof(path), "%s/arc/%s.key", lab->dir, key + 64);
    key[64] = '\0';
    if (skrfs_file_write(path, key, strlen(key), 0600, &err) < 0)
        return skrfs_lab_broken(answer, &err);
    pthread_mutex_lock(&lab->lock);
    if (*lab->arc_path)
        (void)unlink(lab->arc_path);
    (void)snprintf(lab->arc_path, sizeof(lab->arc_path), "%s", path);
    (void)snprintf(lab->arc_key, sizeof(lab->arc_key), "%s", key);
    pthread_mutex_unlock(&lab->lock);
    (void)skrfs_lab_refuse(answer, 401, "unauthorized", "Read the key file and ask again");
    (void)snprintf(answer->challenge, sizeof(answer->challenge), "Basic realm=%s", path);
    return -1;
}

/* True for the key of the last challenge, which is used up by that. */
static bool arc_key_serves(struct skrfs_lab *lab, const char *key) {
    pthread_mutex_lock(&lab->lock);
    bool right = *lab->arc_key && strcmp(lab->arc_key, key) == 0;
    if (right) {
        (void)unlink(lab->arc_path);
        lab->arc_path[0] = lab->arc_key[0] = '\0';
    }
    pthread_mutex_unlock(&lab->lock);
    return right;
}

void skrfs_lab_arc_token(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    const char *header = skrfs_lab_header(request, "Authorization");
    bool basic = header && strncasecmp(header, "Basic ", 6) == 0;
    if (skrfs_lab_metadata_check(request, answer) < 0)
        return;
    if (!basic || !arc_key_serves(lab, header + 6))
        (void)arc_challenge(lab, answer);
    else
        give(lab, request, ARC, answer);
}
