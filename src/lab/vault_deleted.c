/* Soft deletion (learn.microsoft.com, "Azure Key Vault soft-delete overview"): a deleted key keeps
 * its name until it is recovered or purged. The lab deletes at once, where the service takes its
 * time. */
#include "vault_ops.h"

#include <stdio.h>
#include <string.h>

#define RECOVERABLE_S (INT64_C(7) * 86400)

static int set_integer(
        struct skrfs_json *json, const char *name, int64_t number, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    if (skrfs_json_pack(&value, err, "I", number) < 0)
        return -1;
    return skrfs_json_set(json, name, value, err);
}

/* As lists have it: without the key. */
static int item_json(const struct skrfs_lab_vault *vault, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    char kid[512];
    struct skrfs_json *attributes = NULL;
    (void)snprintf(kid, sizeof(kid), "%s/keys/%s", vault->url, key->name);
    if (skrfs_lab_attributes_json(key, version, &attributes, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:s,s:o}", "kid", kid, "attributes", attributes);
}

int skrfs_lab_deleted_json(const struct skrfs_lab_vault *vault, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, bool whole, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    char id[512];
    skrfs_autojson *json = NULL;
    struct skrfs_json *text = NULL;
    (void)snprintf(id, sizeof(id), "%s/deletedkeys/%s", vault->url, key->name);
    if ((whole ? skrfs_lab_bundle_json : item_json)(vault, key, version, &json, err) < 0 ||
            skrfs_json_pack(&text, err, "s", id) < 0 ||
            skrfs_json_set(json, "recoveryId", text, err) < 0 ||
            set_integer(json, "deletedDate", key->deleted_s, err) < 0 ||
            set_integer(json, "scheduledPurgeDate", key->purge_s, err) < 0)
        return -1;
    *ret_json = skrfs_take(json);
    return 0;
}

static void reply(const struct skrfs_lab_call *call, const struct skrfs_lab_key *key,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (skrfs_lab_deleted_json(
                call->vault, key, skrfs_lab_version_find(key, NULL), true, &json, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

static struct skrfs_lab_key *find_deleted(
        const struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    struct skrfs_lab_key *key = skrfs_lab_key_find_deleted(call->vault, call->path.name);
    if (!key)
        (void)skrfs_lab_refuse(
                answer, 404, "KeyNotFound", "Deleted Key not found: %s", call->path.name);
    return key;
}

void skrfs_lab_delete(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    struct skrfs_lab_key *key = NULL;
    struct skrfs_lab_version *version = NULL;
    if (*call->path.version) {
        (void)skrfs_lab_refuse(
                answer, 405, "MethodNotAllowed", "A version cannot be deleted by itself");
        return;
    }
    if (skrfs_lab_path_find(call->vault, &call->path, &key, &version, answer) < 0)
        return;
    key->deleted_s = call->now_s;
    key->purge_s = call->now_s + RECOVERABLE_S;
    reply(call, key, answer);
}

void skrfs_lab_deleted_get(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    const struct skrfs_lab_key *key = find_deleted(call, answer);
    if (key)
        reply(call, key, answer);
}

void skrfs_lab_recover(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    struct skrfs_lab_key *key = find_deleted(call, answer);
    if (!key)
        return;
    key->deleted_s = key->purge_s = 0;
    skrfs_lab_reply_bundle(call->vault, key, skrfs_lab_version_find(key, NULL), answer);
}

void skrfs_lab_purge(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    if (!find_deleted(call, answer))
        return;
    skrfs_lab_key_purge(call->vault, call->path.name);
    answer->status = 204;
}
