/* Keys as a vault tells of them: show, list. */
#include "internal.h"

#include <skrfs/policy/policy.h>
#include <string.h>

#define LIST_PAGES_MAX 1000

void skrfs_vault_key_done(struct skrfs_vault_key *key) {
    skrfs_buf_done(&key->policy);
}

static int64_t time_member(const struct skrfs_json *attributes, const char *name) {
    const struct skrfs_json *value = skrfs_json_get(attributes, name);
    return value && skrfs_json_kind(value) == SKRFS_JSON_INTEGER ? skrfs_json_integer(value) : 0;
}

static bool flag_member(const struct skrfs_json *object, const char *name, bool otherwise) {
    const struct skrfs_json *value = skrfs_json_get(object, name);
    return value ? skrfs_json_kind(value) == SKRFS_JSON_TRUE : otherwise;
}

static void read_attributes(const struct skrfs_json *json, struct skrfs_vault_key *key) {
    const struct skrfs_json *attributes = skrfs_json_get(json, "attributes");
    key->enabled = flag_member(attributes, "enabled", true);
    key->exportable = flag_member(attributes, "exportable", false);
    key->not_before_s = time_member(attributes, "nbf");
    key->expires_s = time_member(attributes, "exp");
    key->created_s = time_member(attributes, "created");
    key->updated_s = time_member(attributes, "updated");
}

static void read_ops(const struct skrfs_json *jwk, struct skrfs_vault_key *key) {
    const struct skrfs_json *ops = skrfs_json_get(jwk, "key_ops");
    size_t used = 0;
    for (size_t i = 0; ops && i < skrfs_json_size(ops) && used + 2 < sizeof(key->ops); i++) {
        const char *op = skrfs_json_string(skrfs_json_at(ops, i));
        if (!op)
            continue;
        if (used)
            key->ops[used++] = ' ';
        skrfs_text_clean(op, strlen(op), key->ops + used, sizeof(key->ops) - used);
        used += strlen(key->ops + used);
    }
}

static int read_policy(
        const struct skrfs_json *json, struct skrfs_vault_key *key, struct skrfs_error *err) {
    const struct skrfs_json *policy = skrfs_json_get(json, "release_policy");
    key->policy = SKRFS_BUF(SKRFS_POLICY_MAX);
    if (!policy || skrfs_json_kind(policy) == SKRFS_JSON_NULL)
        return 0;
    key->policy_immutable = flag_member(policy, "immutable", false);
    return skrfs_json_need_base64(policy, "data", SKRFS_BASE64URL, &key->policy, err);
}

/* https://host/keys/name/version, in printable ASCII. */
static int read_kid(
        const struct skrfs_json *jwk, struct skrfs_vault_key *key, struct skrfs_error *err) {
    const char *kid = NULL;
    if (skrfs_json_need_string(jwk, "kid", &kid, err) < 0)
        return -1;
    size_t len = strlen(kid);
    const char *name = strstr(kid, "/keys/");
    const char *version = name ? strchr(name + strlen("/keys/"), '/') : NULL;
    if (len >= sizeof(key->kid) || strncmp(kid, "https://", 8) != 0 || !version || !version[1] ||
            strchr(version + 1, '/'))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "member 'kid' is no key identifier with a version");
    skrfs_text_clean(kid, len, key->kid, sizeof(key->kid));
    if (strcmp(key->kid, kid) != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "member 'kid' has odd characters");
    return 0;
}

static int read_bundle(
        const struct skrfs_json *json, struct skrfs_vault_key *key, struct skrfs_error *err) {
    const struct skrfs_json *jwk = NULL;
    const char *kty = NULL;
    if (skrfs_json_need_object(json, "key", &jwk, err) < 0 || read_kid(jwk, key, err) < 0 ||
            skrfs_jwk_public(jwk, &key->public, err) < 0 ||
            skrfs_json_need_string(jwk, "kty", &kty, err) < 0)
        return -1;
    skrfs_text_clean(kty, strlen(kty), key->kty, sizeof(key->kty));
    read_ops(jwk, key);
    read_attributes(json, key);
    return read_policy(json, key, err);
}

int skrfs_vault_key_parse(
        struct skrfs_bytes body, struct skrfs_vault_key *ret_key, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    skrfs_autovaultkey key = {0};
    if (skrfs_json_parse((const char *)body.data, body.len, SMALL_ANSWER_MAX * 2, &json, err) < 0 ||
            read_bundle(json, &key, err) < 0)
        return -1;
    *ret_key = key;
    key.policy = SKRFS_BUF(0);
    return 0;
}

int skrfs_key_call(struct skrfs_cloud *cloud, size_t index, const struct vault_call *call,
        uint64_t deadline_ns, struct skrfs_vault_key *ret_key, struct skrfs_error *err) {
    struct vault *vault = NULL;
    skrfs_autoanswer answer = {0};
    if (skrfs_cloud_vault_at(cloud, index, &vault, err) < 0 ||
            skrfs_vault_call(cloud, vault, call, deadline_ns, NULL, &answer, err) < 0)
        return -1;
    if (answer.status != 200)
        return skrfs_key_refuse(vault, &answer, call, err);
    if (skrfs_vault_key_parse(skrfs_buf_bytes(&answer.body), ret_key, err) < 0)
        return skrfs_wrap(err, "vault '%s', key '%s'", vault->config.name, call->name);
    return 0;
}

int skrfs_cloud_key_show(struct skrfs_cloud *cloud, size_t vault, const char *name,
        const char *version, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(URL_MAX);
    if (skrfs_vault_path(name, version, NULL, &path, err) < 0)
        return -1;
    const struct vault_call call = {.method = "GET",
            .path = skrfs_buf_text(&path),
            .answer_max = SMALL_ANSWER_MAX * 2,
            .what = "show the key",
            .name = name};
    return skrfs_key_call(cloud, vault, &call, deadline_ns, ret_key, err);
}

/* The link's path and query, when it leads to the same host; vaults write ":443" into it. */
static int next_path(
        const char *link, const char *vault_url, struct skrfs_buf *next, struct skrfs_error *err) {
    char ours[256], theirs[256];
    if (skrfs_url_host(vault_url, ours, sizeof(ours), err) < 0 ||
            skrfs_url_host(link, theirs, sizeof(theirs), err) < 0)
        return -1;
    const char *path = strchr(link + strlen("https://"), '/');
    if (strcmp(ours, theirs) != 0 || !path || strncmp(path, "/keys?", 6) != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the next page is not of this vault's keys");
    return skrfs_buf_append_text(next, path, err);
}

static int tell_key(const struct skrfs_json *entry, skrfs_key_each_fn *each, void *context,
        struct skrfs_error *err) {
    const char *kid = NULL;
    char clean[SKRFS_KID_MAX];
    if (skrfs_json_need_string(entry, "kid", &kid, err) < 0)
        return -1;
    skrfs_text_clean(kid, strlen(kid), clean, sizeof(clean));
    return each(
            context, clean, flag_member(skrfs_json_get(entry, "attributes"), "enabled", true), err);
}

int skrfs_key_page(struct skrfs_bytes body, const char *vault_url, skrfs_key_each_fn *each,
        void *context, struct skrfs_buf *next, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const struct skrfs_json *keys = NULL;
    const char *link = NULL;
    if (skrfs_json_parse((const char *)body.data, body.len, SMALL_ANSWER_MAX * 2, &json, err) < 0 ||
            skrfs_json_need_array(json, "value", &keys, err) < 0 ||
            skrfs_json_want_string(json, "nextLink", &link, err) < 0)
        return -1;
    for (size_t i = 0; i < skrfs_json_size(keys); i++)
        if (tell_key(skrfs_json_at(keys, i), each, context, err) < 0)
            return -1;
    return link && *link ? next_path(link, vault_url, next, err) : 0;
}

int skrfs_cloud_key_list(struct skrfs_cloud *cloud, size_t index, uint64_t deadline_ns,
        skrfs_key_each_fn *each, void *context, struct skrfs_error *err) {
    struct vault *vault = NULL;
    skrfs_autobuf path = SKRFS_BUF(URL_MAX * 2);
    if (skrfs_cloud_vault_at(cloud, index, &vault, err) < 0 ||
            skrfs_buf_append_text(
                    &path, "/keys?api-version=" SKRFS_VAULT_API_VERSION "&maxresults=25", err) < 0)
        return -1;
    for (unsigned page = 0; page < LIST_PAGES_MAX; page++) {
        skrfs_autoanswer answer = {0};
        skrfs_autobuf next = SKRFS_BUF(URL_MAX);
        const struct vault_call call = {.method = "GET",
                .path = skrfs_buf_text(&path),
                .answer_max = SMALL_ANSWER_MAX * 2,
                .what = "list its keys",
                .name = ""};
        if (skrfs_vault_call(cloud, vault, &call, deadline_ns, NULL, &answer, err) < 0)
            return -1;
        if (answer.status != 200)
            return skrfs_key_refuse(vault, &answer, &call, err);
        if (skrfs_key_page(skrfs_buf_bytes(&answer.body), vault->config.url, each, context, &next,
                    err) < 0)
            return skrfs_wrap(err, "vault '%s'", vault->config.name);
        if (next.len == 0)
            return 0;
        skrfs_buf_done(&path);
        skrfs_buf_move(&path, &next);
    }
    return skrfs_fail(
            err, SKRFS_CLASS_BAD_ANSWER, "vault '%s' has no end of keys", vault->config.name);
}
