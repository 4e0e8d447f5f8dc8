#include "internal.h"

#include <skrfs/base/log.h>

static _Thread_local struct skrfs_stage *thread_stage;

void read_set_stage(struct skrfs_stage *stage) {
    thread_stage = stage;
}

static void count_reply(struct skrfs_fs *fs, int rc) {
    if (rc)
        atomic_fetch_add(&fs->reply_failures, 1);
}

/* The descriptor may have been passed on, the key revoked: asked anew for each read. */
static int may_read(struct skrfs_fs *fs, struct handle *handle, const struct fuse_ctx *ctx,
        const struct skrfs_caller *caller, bool stranger, char rule[SKRFS_RULE_TEXT_MAX],
        struct skrfs_error *err) {
    if (audit_decide(fs, &handle->node, caller, "read", rule, err) ||
            limits_check(fs, &handle->node, err) || skrfs_generation_check(handle->generation, err))
        return -1;
    if (!stranger)
        return 0;
    if (record_read(fs, handle, caller, rule, err))
        return -1;
    reader_note(fs, handle, ctx, false);
    return 0;
}

static void note_refusal(struct skrfs_fs *fs, struct handle *handle, const struct fuse_ctx *ctx,
        const struct skrfs_caller *caller, const char *rule, const struct skrfs_error *err) {
    skrfs_log_debug("read of '%s': %s", fs->options.keys[handle->node.key].file, err->message);
    if (!fs->options.audit || reader_is_known(fs, handle, ctx, true))
        return;
    reader_note(fs, handle, ctx, true);
    record_event(fs, SKRFS_EVENT_READ, &handle->node, caller, rule, err);
}

/* The bytes come last: what was wiped while the record was written is not given. */
static int take_bytes(struct skrfs_fs *fs, fuse_req_t req, struct handle *handle,
        struct skrfs_secret **ret_bytes) {
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    struct skrfs_caller caller;
    struct skrfs_error err;
    char rule[SKRFS_RULE_TEXT_MAX] = "";
    bool stranger = fs->options.audit && !reader_opened(handle, ctx) &&
                    !reader_is_known(fs, handle, ctx, false);
    audit_describe(fs, req, &fs->options.keys[handle->node.key].guard,
            stranger ? audit_facts(fs) : 0, &caller);
    if (may_read(fs, handle, ctx, &caller, stranger, rule, &err) == 0 &&
            skrfs_generation_bytes(handle->generation, handle->node.format, ret_bytes, &err) == 0)
        return 0;
    note_refusal(fs, handle, ctx, &caller, rule, &err);
    return skrfs_class_errno(err.kind);
}

/* Secret pages cannot be written to the device; the stage's can, and are wiped when the kernel has
 * copied them. A failed answer has used the request up all the same. */
static void reply_secret(struct skrfs_fs *fs, fuse_req_t req, const struct skrfs_secret *bytes,
        size_t size, uint64_t offset) {
    size_t len;
    const uint8_t *data = skrfs_stage_fill(thread_stage, bytes, offset, size, &len);
    int rc = fuse_reply_buf(req, (const char *)data, len);
    skrfs_stage_wipe(thread_stage);
    atomic_fetch_add(&fs->reads, 1);
    count_reply(fs, rc);
}

static void reply_text(struct skrfs_fs *fs, fuse_req_t req, const struct handle *handle,
        size_t size, uint64_t offset) {
    size_t left = offset < handle->text.len ? handle->text.len - (size_t)offset : 0;
    const char *data = left ? (const char *)handle->text.data + offset : "";
    count_reply(fs, fuse_reply_buf(req, data, left < size ? left : size));
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    struct handle *handle = handle_get(&fs->handles, fi->fh);
    skrfs_autosecret *bytes = NULL;
    int rc = 0;
    if (!handle || handle->node.ino != ino)
        rc = ESTALE;
    else if (offset < 0)
        rc = EINVAL;
    else if (handle->generation)
        rc = take_bytes(fs, req, handle, &bytes);
    if (rc)
        count_reply(fs, fuse_reply_err(req, rc));
    else if (bytes)
        reply_secret(fs, req, bytes, size, (uint64_t)offset);
    else
        reply_text(fs, req, handle, size, (uint64_t)offset);
    handle_unref(handle);
}

/* Direct I/O alone leaves plaintext in the page cache after splice, sendfile and a private mmap:
 * the pages go here, once nobody maps them any more. An earlier keeper's handle may have left pages
 * just the same. */
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    struct handle *handle = handle_take(&fs->handles, fi->fh);
    bool pages = !handle || handle->generation;
    bool counted = handle && handle->counted;
    const struct node node = handle ? handle->node : (struct node){0};
    count_reply(fs, fuse_reply_err(req, 0));
    handle_unref(handle);
    if (pages)
        janitor_drop_pages(fs, ino);
    if (counted)
        limits_closed(fs, &node);
}
