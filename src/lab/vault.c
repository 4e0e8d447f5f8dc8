/* Finding keys, reading and listing them. */
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

int skrfs_lab_key_missing(
        struct skrfs_lab_answer *answer, const struct skrfs_lab_vault *vault, const char *name) {
    return skrfs_lab_refuse(answer, 404, "KeyNotFound",
            "A key with (name/id) %s was not found in this %s. If you recently deleted this key "
            "you "
            "may be able to recover it using the correct recovery command.",
            name, vault->hsm ? "managed HSM" : "key vault");
}

/* The key and version that a path names; 404 when there is none. */
int skrfs_lab_path_find(const struct skrfs_lab_vault *vault, const struct skrfs_lab_path *path,
        struct skrfs_lab_key **ret_key, struct skrfs_lab_version **ret_version,
        struct skrfs_lab_answer *answer) {
    char id[512];
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

void skrfs_lab_get(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
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
    for (; i < total && skrfs_json_size(items) < page->count; i++) {
        const struct skrfs_lab_key *one = key ? key : call->vault->keys[i];
        const struct skrfs_lab_version *version =
                key ? key->versions[i] : skrfs_lab_version_find(one, NULL);
        struct skrfs_json *item = NULL;
        if (!version || (one->deleted_s != 0) != call->path.deleted)
            continue;
        if ((call->path.deleted
                            ? skrfs_lab_deleted_json(call->vault, one, version, false, &item, err)
                            : item_json(call->vault, one, version, key != NULL, &item, err)) < 0 ||
                skrfs_json_append(items, item, err) < 0)
            return -1;
    }
    if (i < total)
        (void)snprintf(next, sizeof(next),
                "%s/%s%s%s%s?api-version=%s&$skiptoken=%zu&maxresults=%zu", call->vault->url,
                call->path.deleted ? "deletedkeys" : "keys", key ? "/" : "", key ? key->name : "",
                key ? "/versions" : "", skrfs_lab_query(call->request, "api-version"), i,
                page->count);
    return skrfs_json_pack(ret_json, err, "{s:o,s:s?}", "value", skrfs_take(items), "nextLink",
            *next ? next : NULL);
}

void skrfs_lab_list(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
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
