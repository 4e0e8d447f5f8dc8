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
    default:
        return SKRFS_REPORT_HEALTH;
    }
}

static int write_report(struct skrfs_fs *fs, const struct node *node, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (!fs->options.report)
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "this mount writes no reports");
    return fs->options.report(fs->options.report_context, report_of(node), node->key, out, err);
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

static int fill(struct skrfs_fs *fs, fuse_req_t req, const struct node *node, struct handle *handle,
        struct skrfs_error *err) {
    if (may_open(fs, req, node, err))
        return -1;
    handle->text = SKRFS_BUF(SKRFS_FS_REPORT_MAX);
    if (write_report(fs, node, &handle->text, err) == 0)
        return 0;
    char label[512];
    node_label(fs, node, label, sizeof label);
    skrfs_log_warning("open '%s': %s", label, err->message);
    return -1;
}

void status_open(
        struct skrfs_fs *fs, fuse_req_t req, const struct node *node, struct fuse_file_info *fi) {
    struct skrfs_error err;
    struct handle *handle = handle_new(node);
    if (!handle) {
        (void)fuse_reply_err(req, ENOMEM);
        return;
    }
    if (fill(fs, req, node, handle, &err)) {
        handle_unref(handle);
        (void)fuse_reply_err(req, skrfs_class_errno(err.kind));
        return;
    }
    attr_set_report_size(fs, node, handle->text.len);
    (void)open_reply(fs, req, handle, fi);
}
