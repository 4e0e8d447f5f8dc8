/* Creating, importing, rotating and changing keys. */
#include "vault_ops.h"

#include <stdio.h>
#include <string.h>

int skrfs_lab_throttle(struct skrfs_lab_call *call, bool hsm_key, struct skrfs_lab_answer *answer) {
    unsigned wait_s = 0;
    if (call->vault->hsm || !call->settings.throttle ||
            skrfs_lab_vault_admit(call->vault, hsm_key, &wait_s))
        return 0;
    (void)skrfs_lab_refuse_inner(answer, 429, "Throttled", "VaultRequestTypeLimitReached",
            "Request was not processed because too many requests were received. Reason: "
            "VaultRequestTypeLimitReached");
    answer->retry_after_s = wait_s;
    return -1;
}

/* What an existing key does not let a new version change. */
static int check_existing(const struct skrfs_lab_key *key, const struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    if (key->version_count == 0)
        return 0;
    if (key->exportable != wish->exportable)
        return skrfs_lab_refuse(answer, 400, "BadParameter",
                "AKV.SKR.1003: The exportable attribute of an existing key cannot be changed");
    bool same = key->policy.len == wish->policy.len &&
                (key->policy.len == 0 ||
                        memcmp(key->policy.data, wish->policy.data, key->policy.len) == 0);
    if (key->immutable && wish->policy_given && !same)
        return skrfs_lab_refuse(answer, 400, "BadParameter",
                "AKV.SKR.1020: An immutable release policy cannot be modified");
    return 0;
}

static void take_policy(struct skrfs_lab_key *key, struct skrfs_lab_key_wish *wish) {
    if (!wish->policy_given)
        return;
    skrfs_buf_done(&key->policy);
    skrfs_buf_move(&key->policy, &wish->policy);
    memcpy(key->content_type, wish->content_type, sizeof(key->content_type));
    key->immutable = key->immutable || wish->immutable;
}

/* A deleted key keeps its name until it is purged. */
static int check_deleted(const struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    if (!skrfs_lab_key_find_deleted(call->vault, call->path.name))
        return 0;
    return skrfs_lab_refuse_inner(answer, 409, "Conflict", "ObjectIsDeletedButRecoverable",
            "Key %s is currently in a deleted but recoverable state, and its name cannot be "
            "reused; in this state, the key can only be recovered or purged.",
            call->path.name);
}

/* Puts a made version under its name; the lock is held. */
static void store(struct skrfs_lab_call *call, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_version *made, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_lab_key *key = NULL;
    SKRFS_CLEANUP(skrfs_lab_version_free_p) struct skrfs_lab_version *version = made;
    if (check_deleted(call, answer) < 0)
        return;
    if (skrfs_lab_key_need(call->vault, call->path.name, &key, &err) < 0) {
        (void)skrfs_lab_broken(answer, &err);
        return;
    }
    if (check_existing(key, wish, answer) < 0)
        return;
    key->exportable = wish->exportable;
    take_policy(key, wish);
    struct skrfs_lab_version *stored = version;
    if (skrfs_lab_key_add(key, skrfs_take(version), &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        skrfs_lab_reply_bundle(call->vault, key, stored, answer);
}

static int check_wish(struct skrfs_lab_call *call, const struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    const char *version = skrfs_lab_query(call->request, "api-version");
    if (*call->path.version)
        return skrfs_lab_refuse(
                answer, 405, "MethodNotAllowed", "A version cannot be chosen by its maker");
    if (wish->exportable && !skrfs_lab_api_exports(version))
        return skrfs_lab_refuse(answer, 400, "BadParameter",
                "AKV.SKR.1001: Exportable keys need api-version 7.3 or newer");
    return 0;
}

static void make(struct skrfs_lab_call *call, struct skrfs_lab_key_wish *wish, bool throttled,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_lab_version *version = NULL;
    if (check_wish(call, wish, answer) < 0)
        return;
    wish->created_s = call->now_s;
    pthread_mutex_lock(&call->lab->lock);
    int rc = check_deleted(call, answer);
    if (rc == 0)
        rc = throttled ? skrfs_lab_throttle(call, wish->hsm, answer) : 0;
    pthread_mutex_unlock(&call->lab->lock);
    if (rc < 0)
        return;
    if (skrfs_lab_version_new(wish, &version, &err) < 0) {
        (void)skrfs_lab_broken(answer, &err);
        return;
    }
    pthread_mutex_lock(&call->lab->lock);
    store(call, wish, version, answer);
    pthread_mutex_unlock(&call->lab->lock);
}

void skrfs_lab_create(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    skrfs_autowish wish;
    skrfs_lab_key_wish_init(&wish);
    if (skrfs_lab_create_decode(call->vault->hsm, call->request->body, &wish, answer) == 0)
        make(call, &wish, true, answer);
}

void skrfs_lab_import(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    skrfs_autowish wish;
    skrfs_lab_key_wish_init(&wish);
    if (skrfs_lab_import_decode(call->vault->hsm, call->request->body, &wish, answer) == 0)
        make(call, &wish, false, answer);
}

/* A wish for another version like the newest; the lock is held. */
static int wish_again(struct skrfs_lab_call *call, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_lab_key *key = NULL;
    struct skrfs_lab_version *newest = NULL;
    if (skrfs_lab_path_find(call->vault, &call->path, &key, &newest, answer) < 0)
        return -1;
    wish->type = newest->public.type;
    wish->curve = newest->public.curve;
    wish->hsm = newest->hsm;
    wish->exportable = key->exportable;
    bool oct = wish->type == SKRFS_KEY_OCT;
    wish->size = (unsigned)(oct ? skrfs_secret_len(newest->plain) : newest->public.n_len) * 8;
    if (skrfs_json_copy(newest->ops, &wish->ops, &err) < 0)
        return skrfs_lab_broken(answer, &err);
    return 0;
}

void skrfs_lab_rotate(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    skrfs_autowish wish;
    skrfs_lab_key_wish_init(&wish);
    pthread_mutex_lock(&call->lab->lock);
    int rc = wish_again(call, &wish, answer);
    pthread_mutex_unlock(&call->lab->lock);
    if (rc == 0)
        make(call, &wish, true, answer);
}

static int check_update(struct skrfs_lab_call *call, const struct skrfs_lab_key *key,
        const struct skrfs_lab_key_wish *wish, struct skrfs_lab_answer *answer) {
    if (wish->exportable_given && wish->exportable != key->exportable)
        return skrfs_lab_refuse(answer, 400, "BadParameter",
                "AKV.SKR.1003: The exportable attribute of an existing key cannot be changed");
    if (!wish->policy_given)
        return 0;
    if (*call->path.version)
        return skrfs_lab_refuse(answer, 400, "BadParameter",
                "AKV.SKR.1016: A release policy can be set on the key only, not on a version");
    if (key->immutable)
        return skrfs_lab_refuse(answer, 400, "BadParameter",
                "AKV.SKR.1020: An immutable release policy cannot be modified");
    if (!key->exportable)
        return skrfs_lab_refuse(answer, 400, "BadParameter",
                "AKV.SKR.1005: A key that is not exportable must not have a release policy");
    return 0;
}

static void apply(struct skrfs_lab_key *key, struct skrfs_lab_version *version,
        struct skrfs_lab_key_wish *wish, int64_t now_s) {
    version->enabled = wish->enabled;
    version->not_before_s = wish->not_before_s;
    version->expires_s = wish->expires_s;
    version->updated_s = now_s;
    if (wish->ops) {
        skrfs_json_free(version->ops);
        version->ops = skrfs_take(wish->ops);
    }
    if (wish->tags) {
        skrfs_json_free(version->tags);
        version->tags = skrfs_take(wish->tags);
    }
    take_policy(key, wish);
}

void skrfs_lab_update(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_lab_key *key = NULL;
    struct skrfs_lab_version *version = NULL;
    skrfs_autojson *body = NULL;
    skrfs_autowish wish;
    skrfs_lab_key_wish_init(&wish);
    if (skrfs_lab_path_find(call->vault, &call->path, &key, &version, answer) < 0)
        return;
    wish.enabled = version->enabled;
    wish.not_before_s = version->not_before_s;
    wish.expires_s = version->expires_s;
    if (skrfs_json_parse((const char *)call->request->body.data, call->request->body.len,
                (size_t)512 * 1024, &body, &err) < 0) {
        (void)skrfs_lab_refuse(answer, 400, "BadParameter", "%s", err.message);
        return;
    }
    if (skrfs_lab_common_decode(call->vault->hsm, body, &wish, answer) < 0 ||
            check_update(call, key, &wish, answer) < 0)
        return;
    apply(key, version, &wish, call->now_s);
    skrfs_lab_reply_bundle(call->vault, key, version, answer);
}
