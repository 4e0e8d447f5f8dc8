#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>

static void reply_entry(
        struct skrfs_fs *fs, const struct node *node, struct fuse_entry_param *ret_entry) {
    struct fuse_entry_param entry = {.ino = node->ino,
            .generation = 1,
            .entry_timeout = hide_is_on(fs, node) ? 0 : FS_LONG_TIMEOUT};
    attr_fill(fs, node, &entry.attr, &entry.attr_timeout);
    *ret_entry = entry;
}

static bool is_folder_of_keys(const struct node *dir) {
    return dir->kind == NODE_KEYS || dir->kind == NODE_VERSIONS || dir->kind == NODE_FORMATS ||
           dir->kind == NODE_WHYS || dir->kind == NODE_RECEIPTS;
}

static int find(
        struct viewer *viewer, const struct node *parent, const char *name, struct node *ret_node) {
    /* What is inside of what is hidden is not even made. */
    if (!viewer_finds(viewer, parent))
        return ENOENT;
    int rc = node_lookup(viewer->fs, parent, name, ret_node);
    /* A name that is not there takes as long as one that is hidden. */
    if (rc && is_folder_of_keys(parent) && viewer->fs->hides)
        viewer_describe(viewer);
    if (rc || viewer_finds(viewer, ret_node))
        return rc;
    return ENOENT;
}

void op_lookup(fuse_req_t req, fuse_ino_t parent_ino, const char *name) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    struct fuse_entry_param entry;
    struct viewer viewer;
    struct node parent, node;
    int rc = ESTALE;
    viewer_init(&viewer, fs, req);
    if (node_resolve(fs, parent_ino, &parent))
        rc = find(&viewer, &parent, name, &node);
    if (rc) {
        (void)fuse_reply_err(req, rc);
        return;
    }
    reply_entry(fs, &node, &entry);
    (void)fuse_reply_entry(req, &entry);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    struct stat attr;
    struct node node;
    double timeout;
    (void)fi;
    if (!node_resolve(fs, ino, &node)) {
        (void)fuse_reply_err(req, ESTALE);
        return;
    }
    if (!hide_finds(fs, req, &node)) {
        (void)fuse_reply_err(req, ENOENT);
        return;
    }
    attr_fill(fs, &node, &attr, &timeout);
    (void)fuse_reply_attr(req, &attr, timeout);
}

static size_t child_count(const struct node *dir) {
    switch (dir->kind) {
    case NODE_ROOT:
        return 4;
    case NODE_STATUS:
        return 6;
    case NODE_VERSIONS_OF:
        return 1;
    case NODE_FORMATS_OF:
        return SKRFS_FORMAT_COUNT;
    default:
        return 0;
    }
}

/* The name of a folder's i-th child; false when it is not there at present. `version` is room for
 * one. */
static bool child_name(struct skrfs_fs *fs, const struct node *dir, size_t i,
        char version[SKRFS_STORE_VERSION_MAX], const char **ret_name) {
    static const char *const of_root[] = {"keys", "versions", "formats", "status"};
    static const char *const of_status[] = {
            "health", "status.json", "metrics", "why", "learned", "receipts"};
    switch (dir->kind) {
    case NODE_ROOT:
        *ret_name = of_root[i];
        return true;
    case NODE_STATUS:
        *ret_name = of_status[i];
        return true;
    case NODE_FORMATS_OF:
        *ret_name = skrfs_format_name((enum skrfs_format)i);
        return true;
    case NODE_VERSIONS_OF:
        skrfs_store_version(fs->options.store, dir->key, version);
        *ret_name = version;
        return version_is_well_formed(version);
    default:
        return false;
    }
}

struct listing {
    fuse_req_t req;
    struct skrfs_fs *fs;
    char *data;
    size_t size, used;
    bool plus;
    struct viewer viewer;
};

/* False when the buffer is full. */
static bool add(struct listing *list, const char *name, const struct node *node, off_t next) {
    struct fuse_entry_param entry = {0};
    char *at = list->data + list->used;
    size_t left = list->size - list->used, len;
    if (list->plus && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
        reply_entry(list->fs, node, &entry);
        len = fuse_add_direntry_plus(list->req, at, left, name, &entry, next);
    } else {
        /* In a "plus" listing number 0 says that no reference was taken. */
        entry.attr = (struct stat){
                .st_ino = node->ino, .st_mode = node_is_dir(node) ? S_IFDIR : S_IFREG};
        len = list->plus ? fuse_add_direntry_plus(list->req, at, left, name, &entry, next)
                         : fuse_add_direntry(list->req, at, left, name, &entry.attr, next);
    }
    if (len > left)
        return false;
    list->used += len;
    return true;
}

static bool add_dots(struct listing *list, const struct node *dir, size_t from) {
    static const char *const dots[] = {".", ".."};
    for (size_t i = from; i < 2; i++)
        if (!add(list, dots[i], dir, (off_t)i + 1))
            return false;
    return true;
}

static void add_keys(struct listing *list, const struct node *dir, uint64_t from) {
    const struct skrfs_fs *fs = list->fs;
    struct node child;
    for (size_t i = names_after(fs, from); i < fs->options.key_count; i++) {
        const char *name = fs->options.keys[fs->index[i].key].file;
        if (node_lookup(list->fs, dir, name, &child) || !viewer_finds(&list->viewer, &child))
            continue;
        if (!add(list, name, &child, (off_t)names_cookie(fs, i)))
            return;
    }
}

static void add_children(struct listing *list, const struct node *dir, size_t from) {
    size_t count = child_count(dir) + 2;
    char version[SKRFS_STORE_VERSION_MAX];
    struct node child;
    const char *name;
    for (size_t i = from < 2 ? 2 : from; i < count; i++) {
        if (!child_name(list->fs, dir, i - 2, version, &name) ||
                node_lookup(list->fs, dir, name, &child))
            continue;
        if (!add(list, name, &child, (off_t)i + 1))
            return;
    }
}

static void fill_listing(struct listing *list, const struct node *dir, size_t from) {
    if (!add_dots(list, dir, from))
        return;
    if (is_folder_of_keys(dir))
        add_keys(list, dir, from);
    else
        add_children(list, dir, from);
}

static void reply_listing(struct skrfs_fs *fs, fuse_req_t req, const struct node *dir, size_t room,
        size_t from, bool plus) {
    skrfs_autofree char *data = malloc(room ? room : 1);
    if (!data) {
        (void)fuse_reply_err(req, ENOMEM);
        return;
    }
    struct listing list = {.req = req, .fs = fs, .data = data, .size = room, .plus = plus};
    viewer_init(&list.viewer, fs, req);
    fill_listing(&list, dir, from);
    (void)fuse_reply_buf(req, data, list.used);
}

static void list_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    struct node dir;
    int rc = 0;
    if (!node_resolve(fs, ino, &dir))
        rc = ESTALE;
    else if (!hide_finds(fs, req, &dir))
        rc = ENOENT;
    else if (!node_is_dir(&dir))
        rc = ENOTDIR;
    else if (offset < 0)
        rc = EINVAL;
    if (rc)
        (void)fuse_reply_err(req, rc);
    else
        reply_listing(
                fs, req, &dir, size < FS_MAX_WRITE ? size : FS_MAX_WRITE, (size_t)offset, plus);
}

void op_readdir(
        fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
    (void)fi;
    list_dir(req, ino, size, offset, false);
}

void op_readdirplus(
        fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
    (void)fi;
    list_dir(req, ino, size, offset, true);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    struct node node;
    if (!node_resolve(fs, ino, &node))
        (void)fuse_reply_err(req, ESTALE);
    else if (!hide_finds(fs, req, &node))
        (void)fuse_reply_err(req, ENOENT);
    else if (!node_is_dir(&node))
        (void)fuse_reply_err(req, ENOTDIR);
    else
        (void)fuse_reply_open(req, fi);
}

/* The same decision as open's, and no release. */
static int may_access(struct skrfs_fs *fs, fuse_req_t req, const struct node *node, int mask) {
    struct skrfs_caller caller;
    struct skrfs_error err;
    if (mask & W_OK)
        return EROFS;
    if (node_is_dir(node))
        return 0;
    if (mask & X_OK)
        return EACCES;
    if (!(mask & R_OK))
        return 0;
    if (!node_is_key(node))
        return status_may(fs, node, fuse_req_ctx(req)->uid, &err) ? EACCES : 0;
    audit_describe(fs, req, &fs->options.keys[node->key].guard, 0, &caller);
    return skrfs_access_decide(
                   &fs->options.keys[node->key].guard, &caller, skrfs_wall_s(), NULL, &err)
                   ? EACCES
                   : 0;
}

void op_access(fuse_req_t req, fuse_ino_t ino, int mask) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    struct node node;
    int rc = ESTALE;
    if (node_resolve(fs, ino, &node))
        rc = hide_finds(fs, req, &node) ? may_access(fs, req, &node, mask) : ENOENT;
    (void)fuse_reply_err(req, rc);
}
