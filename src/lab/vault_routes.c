/* Key Vault's and Managed HSM's keys: which request is which operation. */
#include "vault_ops.h"

#include <ctype.h>
#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>

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

/* [0-9a-zA-Z-]{1,127} */
static bool name_fits(const char *name) {
    size_t len = 0;
    for (; name[len]; len++)
        if (!isalnum((unsigned char)name[len]) && name[len] != '-')
            return false;
    return len <= 127;
}

static bool is_operation(const char *word) {
    static const char *const operations[] = {"create", "rotate", "release", "versions", "recover"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(operations); i++)
        if (strcmp(operations[i], word) == 0)
            return true;
    return false;
}

/* /keys[/name[/version][/operation]] and /deletedkeys[/name[/recover]]; clients also send an empty
 * version, and a slash at the end. */
bool skrfs_lab_path_parse(const char *text, struct skrfs_lab_path *ret_path) {
    struct skrfs_lab_path path = {0};
    path.deleted = strncmp(text, "/deletedkeys", 12) == 0;
    size_t root = path.deleted ? 12 : 5;
    if ((!path.deleted && strncmp(text, "/keys", 5) != 0) || (text[root] != '/' && text[root]))
        return false;
    text += text[root] ? root + 1 : root;
    if (!segment(&text, path.name, sizeof(path.name)) ||
            !segment(&text, path.version, sizeof(path.version)) ||
            !segment(&text, path.operation, sizeof(path.operation)) || *text)
        return false;
    if (!*path.operation && is_operation(path.version)) {
        memcpy(path.operation, path.version, sizeof(path.operation));
        path.version[0] = '\0';
    }
    path.bad_name = !name_fits(path.name) || !name_fits(path.version);
    *ret_path = path;
    return true;
}

struct route {
    const char *method, *operation;
    bool name, deleted;
    enum skrfs_lab_place at;
    void (*act)(struct skrfs_lab_call *, struct skrfs_lab_answer *);
};
static const struct route routes[] = {
        {"GET", "", false, false, SKRFS_LAB_AT_LIST, skrfs_lab_list},
        {"GET", "", true, false, SKRFS_LAB_AT_GET, skrfs_lab_get},
        {"GET", "versions", true, false, SKRFS_LAB_AT_VERSIONS, skrfs_lab_list},
        {"POST", "create", true, false, SKRFS_LAB_AT_CREATE, skrfs_lab_create},
        {"PUT", "", true, false, SKRFS_LAB_AT_IMPORT, skrfs_lab_import},
        {"PATCH", "", true, false, SKRFS_LAB_AT_UPDATE, skrfs_lab_update},
        {"POST", "rotate", true, false, SKRFS_LAB_AT_ROTATE, skrfs_lab_rotate},
        {"POST", "release", true, false, SKRFS_LAB_AT_RELEASE, skrfs_lab_release},
        {"DELETE", "", true, false, SKRFS_LAB_AT_DELETE, skrfs_lab_delete},
        {"GET", "", false, true, SKRFS_LAB_AT_DELETED, skrfs_lab_list},
        {"GET", "", true, true, SKRFS_LAB_AT_DELETED, skrfs_lab_deleted_get},
        {"POST", "recover", true, true, SKRFS_LAB_AT_RECOVER, skrfs_lab_recover},
        {"DELETE", "", true, true, SKRFS_LAB_AT_PURGE, skrfs_lab_purge},
};

static const struct route *find_route(const char *method, const struct skrfs_lab_path *path) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(routes); i++)
        if (strcmp(routes[i].method, method) == 0 &&
                strcmp(routes[i].operation, path->operation) == 0 &&
                routes[i].deleted == path->deleted && routes[i].name == (*path->name != '\0'))
            return &routes[i];
    return NULL;
}

static void act(
        struct skrfs_lab_call *call, const struct route *route, struct skrfs_lab_answer *answer) {
    /* Making a key takes long: the creating operations take the lock themselves. */
    bool makes = route->at == SKRFS_LAB_AT_CREATE || route->at == SKRFS_LAB_AT_IMPORT ||
                 route->at == SKRFS_LAB_AT_ROTATE;
    if (!makes)
        pthread_mutex_lock(&call->lab->lock);
    route->act(call, answer);
    if (!makes)
        pthread_mutex_unlock(&call->lab->lock);
}

void skrfs_lab_vault(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    struct skrfs_lab_call call = {.lab = lab,
            .request = request,
            .vault = &lab->vaults[request->service == SKRFS_LAB_HSM],
            .settings = skrfs_lab_settings_get(lab)};
    bool parsed = skrfs_lab_path_parse(request->path, &call.path);
    const struct route *route = parsed ? find_route(request->method, &call.path) : NULL;
    if (!route) {
        (void)skrfs_lab_refuse(answer, parsed ? 405 : 404, parsed ? "MethodNotAllowed" : "NotFound",
                "The vault has no such operation");
        return;
    }
    call.now_s = skrfs_wall_s() + call.settings.clock_skew_s;
    if (!skrfs_lab_enter(lab, route->at, answer) || skrfs_lab_authorize(&call, answer) < 0 ||
            check_api_version(request, answer) < 0 ||
            skrfs_lab_check_role(&call, route->at, answer) < 0)
        return;
    if (call.path.bad_name)
        (void)skrfs_lab_refuse(answer, 400, "BadParameter",
                "The request URI contains an invalid name: %s", call.path.name);
    else
        act(&call, route, answer);
}
