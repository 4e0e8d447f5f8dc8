#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <skrfs/base/log.h>

int status_may(struct skrfs_fs *fs, const struct node *node, uid_t uid, struct skrfs_error *err) {
    if (node->kind == NODE_HEALTH || uid == 0 || uid == fs->options.owner)
        return 0;
    return skrfs_fail(err, SKRFS_CLASS_DENIED, "only root and uid %u, who mounted, may read it",
            fs->options.owner);
}

static enum skrfs_fs_report report_of(const struct node *node) {
    switch (node->kind) {
    case NODE_STATUS_JSON:
        return SKRFS_REPORT_STATUS;
    case NODE_METRICS:
        return SKRFS_REPORT_METRICS;
    case NODE_WHY:
        return SKRFS_REPORT_WHY;
    case NODE_RECEIPT:
        return SKRFS_REPORT_RECEIPT;
    default:
        return SKRFS_REPORT_HEALTH;
    }
}

static int write_report(struct skrfs_fs *fs, const struct node *node, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (node->kind == NODE_LEARNED)
        return learn_print(fs, out, err);
    if (!fs->options.report)
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "this mount writes no reports");
    if (fs->options.report(fs->options.report_context, report_of(node), node->key, out, err))
        return -1;
    return node->kind == NODE_WHY ? audit_print(fs, node->key, out, err) : 0;
}

static int may_open(
        struct skrfs_fs *fs, fuse_req_t req, const struct node *node, struct skrfs_error *err) {
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    if (status_may(fs, node, ctx->uid, err) == 0)
        return 0;
    struct skrfs_caller caller = {.uid = ctx->uid, .gid = ctx->gid, .pid = ctx->pid};
    audit_denied(fs, node, &caller, "open", err);
    record_event(fs, SKRFS_EVENT_OPEN, node, &caller, "status", err);
    return -1;
}

/* Writes the report, and has the kernel learn its size before it is read. */
static void open_report(struct skrfs_fs *fs, fuse_req_t req, struct handle *handle,
        const struct fuse_file_info *fi) {
    struct skrfs_error err;
    char label[512];
    int rc = write_report(fs, &handle->node, &handle->text, &err);
    if (rc) {
        node_label(fs, &handle->node, label, sizeof label);
        skrfs_log_warning("open '%s': %s", label, err.message);
        rc = skrfs_class_errno(err.kind);
    } else {
        attr_set_report_size(fs, &handle->node, handle->text.len);
        if (again_ask(fs, fuse_req_ctx(req)->pid, handle->node.ino, &handle->text))
            rc = ESTALE;
    }
    if (!rc) {
        (void)open_reply(fs, req, handle, fi);
        return;
    }
    handle_unref(handle);
    (void)fuse_reply_err(req, rc);
}

void status_open(
        struct skrfs_fs *fs, fuse_req_t req, const struct node *node, struct fuse_file_info *fi) {
    struct skrfs_error err;
    struct handle *handle = handle_new(node);
    if (!handle) {
        (void)fuse_reply_err(req, ENOMEM);
        return;
    }
    pid_t tid = fuse_req_ctx(req)->pid;
    handle->text = SKRFS_BUF(SKRFS_FS_REPORT_MAX);
    if (may_open(fs, req, node, &err)) {
        handle_unref(handle);
        (void)fuse_reply_err(req, hide_is_on(fs, node) ? ENOENT : EACCES);
    } else if (again_take_text(fs, tid, node->ino, &handle->text)) {
        (void)open_reply(fs, req, handle, fi);
    } else {
        open_report(fs, req, handle, fi);
    }
}

/* The key that a file of status/ commands: every one (SIZE_MAX) for status.json. False: none. */
static bool commanded(const struct node *node, size_t *ret_key) {
    *ret_key = node->kind == NODE_WHY ? node->key : SIZE_MAX;
    return node->kind == NODE_WHY || node->kind == NODE_STATUS_JSON;
}

/* Not who opened it is asked for: the descriptor may have been handed on. */
static int may_command(struct skrfs_fs *fs, const struct node *node,
        const struct skrfs_caller *caller, const char *verb, enum skrfs_fs_event_kind kind) {
    struct skrfs_error err;
    if (status_may(fs, node, caller->uid, &err) == 0)
        return 0;
    audit_denied(fs, node, caller, verb, &err);
    record_event(fs, kind, node, caller, "status", &err);
    return EACCES;
}

static void log_command(
        struct skrfs_fs *fs, const char *done, size_t key, const struct skrfs_caller *caller) {
    char who[512];
    skrfs_caller_print(caller, who, sizeof who);
    if (key == SIZE_MAX)
        skrfs_log_info("%s every key by %s", done, who);
    else
        skrfs_log_info("%s '%s' by %s", done, fs->options.keys[key].file, who);
}

static int wipe(struct skrfs_fs *fs, const struct node *node, const struct skrfs_caller *caller) {
    size_t key;
    if (!commanded(node, &key))
        return ENOTTY;
    int rc = may_command(fs, node, caller, "wipe", SKRFS_EVENT_WIPE);
    if (rc)
        return rc;
    skrfs_store_wipe(fs->options.store, key);
    /* A mapping of a file would show it further on. */
    janitor_drop_key(fs, key);
    log_command(fs, "wiped", key, caller);
    record_event(fs, SKRFS_EVENT_WIPE, node, caller, NULL, NULL);
    return 0;
}

static int renew(struct skrfs_fs *fs, const struct node *node, const struct skrfs_caller *caller) {
    size_t key;
    if (!commanded(node, &key))
        return ENOTTY;
    int rc = may_command(fs, node, caller, "renew", SKRFS_EVENT_RENEW);
    if (rc)
        return rc;
    rc = limits_renew(fs, key);
    if (rc == 0 || key == SIZE_MAX) {
        log_command(fs, "renewed", key, caller);
        record_event(fs, SKRFS_EVENT_RENEW, node, caller, NULL, NULL);
    }
    return rc;
}

void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi,
        unsigned flags, const void *in, size_t in_size, size_t out_size) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    const struct skrfs_caller caller = {.uid = ctx->uid, .gid = ctx->gid, .pid = ctx->pid};
    struct node node;
    int rc = ENOTTY;
    (void)arg, (void)fi, (void)out_size;
    if (!node_resolve(fs, ino, &node) || flags & FUSE_IOCTL_COMPAT)
        rc = ENOTTY;
    else if (cmd == SKRFS_IOC_WIPE)
        rc = wipe(fs, &node, &caller);
    else if (cmd == SKRFS_IOC_RENEW)
        rc = renew(fs, &node, &caller);
    else if (cmd == SKRFS_IOC_LEARN)
        rc = learn_ioctl(fs, req, &node, in, in_size);
    if (rc)
        (void)fuse_reply_err(req, rc);
    else
        (void)fuse_reply_ioctl(req, 0, NULL, 0);
}
