#include "internal.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/log.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 512

unsigned audit_facts(const struct skrfs_fs *fs) {
    return fs->options.audit && fs->options.audit_who ? SKRFS_FACTS_WHO : 0;
}

void audit_describe(struct skrfs_fs *fs, fuse_req_t req, const struct skrfs_guard *guard,
        unsigned facts, struct skrfs_caller *ret_caller) {
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    ret_caller->uid = ctx->uid;
    ret_caller->gid = ctx->gid;
    ret_caller->pid = ctx->pid;
    ret_caller->known = 0;
    ret_caller->group_count = 0;
    ret_caller->unit[0] = ret_caller->container[0] = ret_caller->lack[0] = 0;
    unsigned needs = learn_is_on(fs) ? SKRFS_FACTS_ALL
                                     : facts | skrfs_guard_needs(guard, ctx->uid, ctx->gid);
    if (needs && ctx->pid > 0)
        fs->options.describe(fs->options.describe_context, needs, ret_caller);
}

static struct audit_slot *slot_of(struct skrfs_fs *fs, size_t key, uid_t uid) {
    uint64_t mix = ((uint64_t)key * 0x9E3779B97F4A7C15U) ^ ((uint64_t)uid * 0xC2B2AE3D27D4EB4FU);
    struct audit_slot *slot = &fs->audit[(mix >> 32) % FS_AUDIT_SLOTS];
    if (slot->key != key || slot->uid != uid)
        *slot = (struct audit_slot){.key = key, .uid = uid};
    return slot;
}

/* True when a line may be written now; *ret_suppressed is how many were not since the last one. */
static bool may_log(struct skrfs_fs *fs, size_t key, uid_t uid, uint64_t *ret_suppressed) {
    uint64_t now = skrfs_now_ns();
    pthread_mutex_lock(&fs->lock);
    struct audit_slot *slot = slot_of(fs, key, uid);
    bool may = !slot->last_ns || now - slot->last_ns >= SKRFS_SECOND_NS;
    if (may) {
        *ret_suppressed = slot->suppressed;
        slot->suppressed = 0;
        slot->last_ns = now;
    } else {
        slot->suppressed++;
    }
    pthread_mutex_unlock(&fs->lock);
    return may;
}

static void remember(struct skrfs_fs *fs, const struct node *node, const char *text) {
    struct denial *denial = &fs->denials[node->key % FS_DENIALS];
    pthread_mutex_lock(&fs->lock);
    denial->key = node->key;
    denial->wall_s = skrfs_wall_s();
    skrfs_text_clean(text, strlen(text), denial->text, sizeof denial->text);
    pthread_mutex_unlock(&fs->lock);
}

int audit_print(struct skrfs_fs *fs, size_t key, struct skrfs_buf *out, struct skrfs_error *err) {
    char when[24];
    pthread_mutex_lock(&fs->lock);
    const struct denial denial = fs->denials[key % FS_DENIALS];
    pthread_mutex_unlock(&fs->lock);
    if (!denial.wall_s || denial.key != key)
        return 0;
    skrfs_format_time(denial.wall_s, when, sizeof when);
    return skrfs_buf_printf(out, err, "\nlast denied, %s:\n  %s\n", when, denial.text);
}

void audit_denied(struct skrfs_fs *fs, const struct node *node, const struct skrfs_caller *caller,
        const char *verb, const struct skrfs_error *err) {
    char who[512], label[LABEL_MAX], more[64] = "", text[SKRFS_ERROR_MESSAGE_MAX + 1152];
    uint64_t suppressed = 0;
    atomic_fetch_add(&fs->denied, 1);
    skrfs_caller_print(caller, who, sizeof who);
    node_label(fs, node, label, sizeof label);
    (void)snprintf(text, sizeof text, "%s '%s' by %s: %s", verb, label, who, err->message);
    if (node_is_key(node))
        remember(fs, node, text);
    if (!may_log(fs, node->key, caller->uid, &suppressed))
        return;
    if (suppressed)
        (void)snprintf(
                more, sizeof more, " (and %llu more like it)", (unsigned long long)suppressed);
    skrfs_log_warning("denied: %s%s", text, more);
}

int audit_decide(struct skrfs_fs *fs, const struct node *node, const struct skrfs_caller *caller,
        const char *verb, char rule[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) {
    int rc = skrfs_access_decide(
            &fs->options.keys[node->key].guard, caller, skrfs_wall_s(), rule, err);
    learn_note(fs, node, caller, strcmp(verb, "read") == 0, rc ? err : NULL);
    if (rc == 0)
        return 0;
    audit_denied(fs, node, caller, verb, err);
    return -1;
}

void audit_opened(
        struct skrfs_fs *fs, const struct node *node, const char *version, const char *who) {
    char label[LABEL_MAX];
    atomic_fetch_add(&fs->opens, 1);
    node_label(fs, node, label, sizeof label);
    skrfs_log_info("opened '%s' version %s by %s", label, *version ? version : "(current)", who);
}

void audit_failed(struct skrfs_fs *fs, const struct node *node, const struct skrfs_error *err) {
    struct skrfs_key_status status;
    char label[LABEL_MAX];
    atomic_fetch_add(&fs->failed, 1);
    skrfs_store_status(fs->options.store, node->key, &status);
    pthread_mutex_lock(&fs->lock);
    struct audit_slot *slot = slot_of(fs, node->key, (uid_t)-1);
    bool fresh = slot->failures != status.failures;
    bool known = status.failures && !fresh;
    slot->failures = status.failures;
    pthread_mutex_unlock(&fs->lock);
    node_label(fs, node, label, sizeof label);
    uint64_t ignored;
    if (known || (!fresh && !may_log(fs, node->key, (uid_t)-1, &ignored)))
        skrfs_log_debug("open '%s': %s", label, err->message);
    else
        skrfs_log_warning("open '%s': %s", label, err->message);
}
