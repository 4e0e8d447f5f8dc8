/* Key Vault's and Managed HSM's keys: routing, who may come in, and the plain operations. */
#include "state.h"

#include "jwt.h"
#include "vault_ops.h"

#include <ctype.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PAGE_MAX 25

static const char *const api_versions[] = {"7.0", "7.1", "7.2", "7.3", "7.4", "7.5",
        "7.6-preview.2", "7.6", "2025-06-01-preview", "2025-07-01", "2026-01-01-preview",
        "2026-03-01-preview", "2026-04-01", "2026-05-01-preview", "2026-07-01-preview"};

bool skrfs_lab_api_exports(const char *version) {
    return strcmp(version, "7.0") != 0 && strcmp(version, "7.1") != 0 &&
           strcmp(version, "7.2") != 0;
}

static int check_api_version(
        const struct skrfs_lab_request *request, struct skrfs_lab_answer *answer) {
    const char *version = skrfs_lab_query(request, "api-version");
    if (!version)
        return skrfs_lab_refuse(answer, 400, "BadParameter", "api-version must be specified");
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(api_versions); i++)
        if (strcmp(api_versions[i], version) == 0)
            return 0;
    return skrfs_lab_refuse_inner(answer, 400, "BadParameter", "UnsupportedApiVersion",
            "The specified version (%s) is not recognized", version);
}

/* 401 with the challenge that tells a client where tokens come from; the Managed HSM says no more.
 */
static int challenge(const struct skrfs_lab *lab, const struct skrfs_lab_vault *vault,
        struct skrfs_lab_answer *answer, const char *error, const char *message) {
    (void)skrfs_lab_refuse(answer, 401, "Unauthorized", "%s", message);
    if (vault->hsm)
        skrfs_buf_truncate(&answer->body, 0);
    (void)snprintf(answer->challenge, sizeof(answer->challenge),
            "Bearer authorization=\"%s\", resource=\"%s\"%s%s%s", lab->login_url, vault->resource,
            error ? ", error=\"" : "", error ? error : "", error ? "\"" : "");
    return -1;
}

static bool same_audience(const char *audience, const char *resource) {
    size_t len = strlen(audience);
    if (len > 0 && audience[len - 1] == '/')
        len--;
    return strlen(resource) == len && strncmp(audience, resource, len) == 0;
}

static int authorize(const struct skrfs_lab *lab, const struct skrfs_lab_vault *vault,
        const struct skrfs_lab_request *request, struct skrfs_lab_answer *answer,
        bool *ret_release) {
    const char *header = skrfs_lab_header(request, "Authorization");
    struct skrfs_error err;
    skrfs_autojson *claims = NULL;
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return challenge(
                lab, vault, answer, NULL, "AKV10000: Request is missing a Bearer or PoP token.");
    struct skrfs_bytes token = {(const uint8_t *)header + 7, strlen(header + 7)};
    if (skrfs_lab_jwt_verify(
                lab->pki->entra.key, lab->login_url, token, skrfs_wall_s(), &claims, &err) < 0) {
        char message[SKRFS_ERROR_MESSAGE_MAX + 32];
        (void)snprintf(message, sizeof(message), "Error validating token: %s", err.message);
        return challenge(lab, vault, answer, "invalid_token", message);
    }
    const char *audience = skrfs_json_string(skrfs_json_get(claims, "aud"));
    const char *roles = skrfs_json_string(skrfs_json_get(claims, "roles"));
    if (!audience || !same_audience(audience, vault->resource))
        return challenge(lab, vault, answer, "invalid_token",
                "AKV10022: Invalid audience. The token is for another resource.");
    *ret_release = roles && strcmp(roles, "release") == 0;
    return 0;
}

int skrfs_lab_key_missing(
        struct skrfs_lab_answer *answer, const struct skrfs_lab_vault *vault, const char *name) {
    return skrfs_lab_refuse(answer, 404, "KeyNotFound",
            "A key with (name/id) %s was not found in this key vault. %s", name, vault->url);
}

/* The key and version that a path names; 404 when there is none. */
int skrfs_lab_path_find(const struct skrfs_lab_vault *vault, const struct skrfs_lab_path *path,
        struct skrfs_lab_key **ret_key, struct skrfs_lab_version **ret_version,
        struct skrfs_lab_answer *answer) {
    char id[256];
    struct skrfs_lab_key *key = skrfs_lab_key_find(vault, path->name);
    struct skrfs_lab_version *version = key ? skrfs_lab_version_find(key, path->version) : NULL;
    (void)snprintf(id, sizeof(id), "%s%s%s", path->name, *path->version ? "/" : "", path->version);
    if (!version)
        return skrfs_lab_key_missing(answer, vault, id);
    *ret_key = key;
    *ret_version = version;
    return 0;
}

void skrfs_lab_reply_bundle(const struct skrfs_lab_vault *vault, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (skrfs_lab_bundle_json(vault, key, version, &json, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

static void get(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    struct skrfs_lab_key *key = NULL;
    struct skrfs_lab_version *version = NULL;
    if (skrfs_lab_path_find(call->vault, &call->path, &key, &version, answer) == 0)
        skrfs_lab_reply_bundle(call->vault, key, version, answer);
}

static int item_json(const struct skrfs_lab_vault *vault, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, bool with_version, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    char kid[512];
    struct skrfs_json *attributes = NULL;
    (void)snprintf(kid, sizeof(kid), "%s/keys/%s%s%s", vault->url, key->name,
            with_version ? "/" : "", with_version ? version->id : "");
    if (skrfs_lab_attributes_json(key, version, &attributes, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:s,s:o}", "kid", kid, "attributes", attributes);
}

/* Which page of a list is asked for. */
struct page {
    size_t start, count;
};

static int decode_page(
        const struct skrfs_lab_call *call, struct page *ret_page, struct skrfs_lab_answer *answer) {
    const char *most = skrfs_lab_query(call->request, "maxresults");
    const char *skip = skrfs_lab_query(call->request, "$skiptoken");
    char *end = NULL;
    unsigned long count = most ? strtoul(most, &end, 10) : PAGE_MAX;
    if (most && (*end || count < 1 || count > PAGE_MAX))
        return skrfs_lab_refuse(
                answer, 400, "BadParameter", "maxresults is not from 1 to %d", PAGE_MAX);
    unsigned long start = skip ? strtoul(skip, &end, 10) : 0;
    if (skip && (!isdigit((unsigned char)*skip) || *end))
        return skrfs_lab_refuse(answer, 400, "BadParameter", "the skip token is not the vault's");
    *ret_page = (struct page){start, count};
    return 0;
}

/* A page of keys, or of one key's versions. */
static int page_json(const struct skrfs_lab_call *call, const struct skrfs_lab_key *key,
        const struct page *page, struct skrfs_json **ret_json, struct skrfs_error *err) {
    size_t total = key ? key->version_count : call->vault->key_count;
    skrfs_autojson *items = NULL;
    char next[640] = "";
    if (skrfs_json_new_array(&items, err) < 0)
        return -1;
    size_t i = page->start;
    for (; i < total && i - page->start < page->count; i++) {
        const struct skrfs_lab_key *one = key ? key : call->vault->keys[i];
        const struct skrfs_lab_version *version =
                key ? key->versions[i] : skrfs_lab_version_find(one, NULL);
        struct skrfs_json *item = NULL;
        if (version && (item_json(call->vault, one, version, key != NULL, &item, err) < 0 ||
                               skrfs_json_append(items, item, err) < 0))
            return -1;
    }
    if (i < total)
        (void)snprintf(next, sizeof(next),
                "%s/keys%s%s%s?api-version=%s&$skiptoken=%zu&maxresults=%zu", call->vault->url,
                key ? "/" : "", key ? key->name : "", key ? "/versions" : "",
                skrfs_lab_query(call->request, "api-version"), i, page->count);
    return skrfs_json_pack(ret_json, err, "{s:o,s:s?}", "value", skrfs_take(items), "nextLink",
            *next ? next : NULL);
}

static void list(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct page page = {0, PAGE_MAX};
    struct skrfs_lab_key *key = NULL;
    struct skrfs_lab_version *version = NULL;
    struct skrfs_json *json = NULL;
    if (decode_page(call, &page, answer) < 0 ||
            (*call->path.name &&
                    skrfs_lab_path_find(call->vault, &call->path, &key, &version, answer) < 0))
        return;
    if (page_json(call, key, &page, &json, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

/* Copies one segment; false when it does not fit. */
static bool segment(const char **text, char *out, size_t size) {
    size_t len = strcspn(*text, "/");
    if (len >= size)
        return false;
    memcpy(out, *text, len);
    out[len] = '\0';
    *text += len;
    if (**text == '/')
        (*text)++;
    return true;
}

static bool name_fits(const char *name) {
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            return false;
    return true;
}

/* /keys[/name[/version][/operation]]; clients also send an empty version, and a slash at the end.
 */
bool skrfs_lab_path_parse(const char *text, struct skrfs_lab_path *ret_path) {
    static const char *const operations[] = {"create", "rotate", "release", "versions"};
    struct skrfs_lab_path path = {{0}, {0}, {0}};
    if (strncmp(text, "/keys", 5) != 0 || (text[5] != '/' && text[5] != '\0'))
        return false;
    text += text[5] ? 6 : 5;
    if (!segment(&text, path.name, sizeof(path.name)) ||
            !segment(&text, path.version, sizeof(path.version)) ||
            !segment(&text, path.operation, sizeof(path.operation)) || *text)
        return false;
    for (size_t i = 0; !*path.operation && i < SKRFS_ARRAY_LEN(operations); i++)
        if (strcmp(path.version, operations[i]) == 0) {
            memcpy(path.operation, path.version, sizeof(path.operation));
            path.version[0] = '\0';
        }
    if (!name_fits(path.name) || !name_fits(path.version))
        return false;
    *ret_path = path;
    return true;
}

struct route {
    const char *method, *operation;
    bool name;
    enum skrfs_lab_place at;
    void (*act)(struct skrfs_lab_call *, struct skrfs_lab_answer *);
};
static const struct route routes[] = {
        {"GET", "", false, SKRFS_LAB_AT_LIST, list},
        {"GET", "", true, SKRFS_LAB_AT_GET, get},
        {"GET", "versions", true, SKRFS_LAB_AT_VERSIONS, list},
        {"POST", "create", true, SKRFS_LAB_AT_CREATE, skrfs_lab_create},
        {"PUT", "", true, SKRFS_LAB_AT_IMPORT, skrfs_lab_import},
        {"PATCH", "", true, SKRFS_LAB_AT_UPDATE, skrfs_lab_update},
        {"POST", "rotate", true, SKRFS_LAB_AT_ROTATE, skrfs_lab_rotate},
        {"POST", "release", true, SKRFS_LAB_AT_RELEASE, skrfs_lab_release},
};

static const struct route *find_route(const char *method, const struct skrfs_lab_path *path) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(routes); i++)
        if (strcmp(routes[i].method, method) == 0 &&
                strcmp(routes[i].operation, path->operation) == 0 &&
                routes[i].name == (*path->name != '\0'))
            return &routes[i];
    return NULL;
}

void skrfs_lab_vault(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    struct skrfs_lab_call call = {.lab = lab,
            .request = request,
            .vault = &lab->vaults[request->service == SKRFS_LAB_HSM]};
    bool parsed = skrfs_lab_path_parse(request->path, &call.path);
    const struct route *route = parsed ? find_route(request->method, &call.path) : NULL;
    if (!route) {
        (void)skrfs_lab_refuse(answer, parsed ? 405 : 404, parsed ? "MethodNotAllowed" : "NotFound",
                "The vault has no such operation");
        return;
    }
    if (!skrfs_lab_enter(lab, route->at, answer) ||
            authorize(lab, call.vault, request, answer, &call.may_release) < 0 ||
            check_api_version(request, answer) < 0)
        return;
    call.settings = skrfs_lab_settings_get(lab);
    call.may_release = call.may_release && call.settings.release_role;
    /* Making a key takes long: the creating operations take the lock themselves. */
    bool makes = route->at == SKRFS_LAB_AT_CREATE || route->at == SKRFS_LAB_AT_IMPORT ||
                 route->at == SKRFS_LAB_AT_ROTATE;
    if (!makes)
        pthread_mutex_lock(&lab->lock);
    route->act(&call, answer);
    if (!makes)
        pthread_mutex_unlock(&lab->lock);
}
