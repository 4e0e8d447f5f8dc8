#include "internal.h"

#include <string.h>

/* Between the moment a size is asked for and the one it is told, an open may change it: this value
 * says "something is being told", so that the open makes the kernel forget it. */
#define TELLING UINT32_MAX

static mode_t file_mode(const struct node *node, const struct skrfs_fs_options *options) {
    if (node_is_key(node))
        return options->keys[node->key].guard.mode & 0777U;
    return node->kind == NODE_HEALTH ? 0444 : 0440;
}

static void fill_owner(struct skrfs_fs *fs, const struct node *node, struct stat *attr) {
    attr->st_uid = fs->options.owner;
    if (!node_is_key(node))
        return;
    attr->st_uid = fs->options.keys[node->key].guard.owner;
    attr->st_gid = fs->options.keys[node->key].guard.group;
}

/* Never a guess: too large breaks tail, tar and mmap, and 0 is right for what streams. */
static size_t key_size(struct skrfs_fs *fs, const struct node *node) {
    struct skrfs_store_want want = node_want(node);
    size_t len = 0;
    return skrfs_store_size(fs->options.store, &want, &len) ? len : 0;
}

static double tell_key_size(struct skrfs_fs *fs, const struct node *node, struct stat *attr) {
    if (node->kind != NODE_KEY) {
        attr->st_size = (off_t)key_size(fs, node);
        return 0;
    }
    _Atomic uint32_t *told = &fs->told_sizes[node->key];
    uint32_t telling = TELLING;
    atomic_store(told, TELLING);
    size_t size = key_size(fs, node);
    attr->st_size = (off_t)size;
    if (!size)
        return 0;
    atomic_compare_exchange_strong(told, &telling, (uint32_t)size);
    return FS_LONG_TIMEOUT;
}

static double fill_size(struct skrfs_fs *fs, const struct node *node, struct stat *attr) {
    if (node_is_key(node))
        return tell_key_size(fs, node, attr);
    if (node->kind == NODE_WHY)
        attr->st_size = atomic_load(&fs->why_sizes[node->key]);
    else if (node->kind == NODE_RECEIPT)
        attr->st_size = atomic_load(&fs->receipt_sizes[node->key]);
    else
        attr->st_size = atomic_load(&fs->report_sizes[node->kind]);
    return 0;
}

void attr_fill(
        struct skrfs_fs *fs, const struct node *node, struct stat *ret_attr, double *ret_timeout) {
    struct stat attr = {.st_ino = node->ino, .st_blksize = 4096};
    attr.st_atim = attr.st_mtim = attr.st_ctim = fs->started;
    fill_owner(fs, node, &attr);
    *ret_timeout = FS_LONG_TIMEOUT;
    if (node_is_dir(node)) {
        attr.st_mode = S_IFDIR | 0555;
        attr.st_nlink = 2;
    } else {
        attr.st_mode = S_IFREG | file_mode(node, &fs->options);
        attr.st_nlink = 1;
        *ret_timeout = fill_size(fs, node, &attr);
        attr.st_blocks = (attr.st_size + 511) / 512;
    }
    /* The kernel would answer others from what it was told for one. */
    if (hide_is_on(fs, node))
        *ret_timeout = 0;
    *ret_attr = attr;
}

void attr_settle(struct skrfs_fs *fs, const struct node *node, size_t len) {
    if (node->kind != NODE_KEY)
        return;
    uint32_t told = atomic_load(&fs->told_sizes[node->key]);
    if (told == 0 || told == (uint32_t)len)
        return;
    atomic_store(&fs->told_sizes[node->key], 0);
    (void)fuse_lowlevel_notify_inval_inode(fs->session, node->ino, -1, 0);
}

bool attr_is_told(struct skrfs_fs *fs, const struct node *node, size_t len) {
    return node->kind == NODE_KEY && atomic_load(&fs->told_sizes[node->key]) == (uint32_t)len;
}

void attr_set_report_size(struct skrfs_fs *fs, const struct node *node, size_t len) {
    if (node->kind == NODE_WHY)
        atomic_store(&fs->why_sizes[node->key], (uint32_t)len);
    else if (node->kind == NODE_RECEIPT)
        atomic_store(&fs->receipt_sizes[node->key], (uint32_t)len);
    else
        atomic_store(&fs->report_sizes[node->kind], (uint32_t)len);
}

void attr_distrust(struct skrfs_fs *fs) {
    for (size_t i = 0; i < fs->options.key_count; i++)
        atomic_store(&fs->told_sizes[i], TELLING);
}
