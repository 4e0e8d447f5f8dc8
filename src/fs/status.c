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
        (void)fuse_reply_err(req, EACCES);
    } else if (again_take_text(fs, tid, node->ino, &handle->text)) {
        (void)open_reply(fs, req, handle, fi);
    } else {
        open_report(fs, req, handle, fi);
    }
}

static int wipe(struct skrfs_fs *fs, fuse_req_t req, fuse_ino_t ino) {
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    struct skrfs_caller caller = {.uid = ctx->uid, .gid = ctx->gid, .pid = ctx->pid};
    struct skrfs_error err;
    struct node node;
    char label[512];
    if (!node_resolve(fs, ino, &node) || (node.kind != NODE_WHY && node.kind != NODE_STATUS_JSON))
        return ENOTTY;
    /* Not who opened it: the descriptor may have been handed on. */
    if (status_may(fs, &node, ctx->uid, &err)) {
        audit_denied(fs, &node, &caller, "wipe", &err);
        return EACCES;
    }
    skrfs_caller_print(&caller, label, sizeof label);
    size_t key = node.kind == NODE_WHY ? node.key : SIZE_MAX;
    skrfs_store_wipe(fs->options.store, key);
    /* A mapping of a file would show it further on. */
    janitor_drop_key(fs, key);
    skrfs_log_info("wiped %s%s%s by %s", node.kind == NODE_WHY ? "'" : "every key",
            node.kind == NODE_WHY ? fs->options.keys[node.key].file : "",
            node.kind == NODE_WHY ? "'" : "", label);
    return 0;
}

void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi,
        unsigned flags, const void *in, size_t in_size, size_t out_size) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    struct node node;
    int rc = ENOTTY;
    (void)arg, (void)fi, (void)out_size;
    if (!node_resolve(fs, ino, &node) || flags & FUSE_IOCTL_COMPAT)
        rc = ENOTTY;
    else if (cmd == SKRFS_IOC_WIPE)
        rc = wipe(fs, req, ino);
    else if (cmd == SKRFS_IOC_LEARN)
        rc = learn_ioctl(fs, req, &node, in, in_size);
    if (rc)
        (void)fuse_reply_err(req, rc);
    else
        (void)fuse_reply_ioctl(req, 0, NULL, 0);
}
