/* Keys that are hidden from whoever may not open them. The kernel's cache of names is shared by all
 * callers, so nothing of such a key may stay in it: its entries and attributes are told with no
 * time at all, and each lookup decides anew. */
#include "internal.h"

#include <skrfs/base/clock.h>

/* Rules that are looked at beforehand, so that a name that is hidden and one that is not there
 * cost a caller the same questions. */
#define ALIKE_MAX 64

bool hide_is_on(const struct skrfs_fs *fs, const struct node *node) {
    return node->kind >= NODE_FIXED_COUNT && fs->options.keys[node->key].hide;
}

size_t hide_count(const struct skrfs_fs *fs) {
    size_t count = 0;
    for (size_t i = 0; i < fs->options.key_count; i++)
        count += fs->options.keys[i].hide;
    return count;
}

void viewer_init(struct viewer *viewer, struct skrfs_fs *fs, fuse_req_t req) {
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    viewer->fs = fs;
    viewer->asked = 0;
    viewer->ready = false;
    viewer->caller = (struct skrfs_caller){.uid = ctx->uid, .gid = ctx->gid, .pid = ctx->pid};
}

static void describe(struct viewer *viewer, unsigned needs) {
    if (!(needs & ~viewer->asked) || viewer->caller.pid <= 0)
        return;
    viewer->asked |= needs;
    viewer->fs->options.describe(
            viewer->fs->options.describe_context, viewer->asked, &viewer->caller);
}

void viewer_describe(struct viewer *viewer) {
    const struct skrfs_fs *fs = viewer->fs;
    unsigned needs = 0;
    size_t seen = 0;
    if (viewer->ready)
        return;
    viewer->ready = true;
    for (size_t i = 0; i < fs->options.key_count && seen < ALIKE_MAX; i++) {
        if (!fs->options.keys[i].hide)
            continue;
        needs |= skrfs_guard_needs(
                &fs->options.keys[i].guard, viewer->caller.uid, viewer->caller.gid);
        seen++;
    }
    describe(viewer, needs);
}

bool viewer_finds(struct viewer *viewer, const struct node *node) {
    struct skrfs_fs *fs = viewer->fs;
    const struct skrfs_guard *guard = &fs->options.keys[node->key].guard;
    struct skrfs_error err;
    if (!hide_is_on(fs, node))
        return true;
    /* Who may read status/ sees there what is not in the tree for him. */
    if (node->kind == NODE_WHY || node->kind == NODE_RECEIPT)
        return status_may(fs, node, viewer->caller.uid, &err) == 0;
    viewer_describe(viewer);
    describe(viewer, skrfs_guard_needs(guard, viewer->caller.uid, viewer->caller.gid));
    return skrfs_access_decide(guard, &viewer->caller, skrfs_wall_s(), NULL, &err) == 0;
}

bool hide_finds(struct skrfs_fs *fs, fuse_req_t req, const struct node *node) {
    struct viewer viewer;
    if (!hide_is_on(fs, node))
        return true;
    viewer_init(&viewer, fs, req);
    return viewer_finds(&viewer, node);
}
