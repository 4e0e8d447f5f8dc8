#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <stdio.h>
#include <string.h>

/* Inode numbers are computed from names, so that a keeper that takes a mount over, perhaps with
 * another configuration, means the same file by the same number: 52 bits of the name's hash, 4 of
 * the kind, 4 of the format. The first few are the fixed folders and files. */
#define HASH_BITS 52
#define HASH_MASK ((UINT64_C(1) << HASH_BITS) - 1)
_Static_assert(NODE_KIND_END - NODE_FIXED_COUNT <= 16, "a kind of file is told by 4 bits");

struct fixed_name {
    const char *name;
    enum node_kind parent, kind;
};
static const struct fixed_name fixed_names[] = {
        {"keys", NODE_ROOT, NODE_KEYS},
        {"versions", NODE_ROOT, NODE_VERSIONS},
        {"formats", NODE_ROOT, NODE_FORMATS},
        {"status", NODE_ROOT, NODE_STATUS},
        {"why", NODE_STATUS, NODE_WHYS},
        {"health", NODE_STATUS, NODE_HEALTH},
        {"status.json", NODE_STATUS, NODE_STATUS_JSON},
        {"metrics", NODE_STATUS, NODE_METRICS},
        {"learned", NODE_STATUS, NODE_LEARNED},
        {"receipts", NODE_STATUS, NODE_RECEIPTS},
};

/* FNV-1a with a last mix; names come from the administrator, no adversary chooses them. */
static uint64_t name_hash(const char *name) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    hash = (hash ^ (hash >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 32)) & HASH_MASK;
    return hash ? hash : 1;
}

static int compare_index(const void *one, const void *other) {
    const struct name_index *a = one, *b = other;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

static int check_name(const char *file, struct skrfs_error *err) {
    size_t len = strlen(file);
    if (!len || len > 255 || strchr(file, '/') || !strcmp(file, ".") || !strcmp(file, ".."))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'%.64s' cannot be the name of a file", file);
    return 0;
}

int names_init(struct skrfs_fs *fs, struct skrfs_error *err) {
    size_t count = fs->options.key_count;
    skrfs_autofree struct name_index *index = calloc(count ? count : 1, sizeof *index);
    if (!index)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (check_name(fs->options.keys[i].file, err))
            return -1;
        index[i] = (struct name_index){.hash = name_hash(fs->options.keys[i].file), .key = i};
    }
    qsort(index, count, sizeof *index, compare_index);
    for (size_t i = 1; i < count; i++)
        if (index[i].hash == index[i - 1].hash)
            return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                    "the names '%s' and '%s' cannot both be used; rename one",
                    fs->options.keys[index[i - 1].key].file, fs->options.keys[index[i].key].file);
    fs->index = skrfs_take(index);
    return 0;
}

static bool find_hash(const struct skrfs_fs *fs, uint64_t hash, size_t *ret_key) {
    struct name_index wanted = {.hash = hash};
    const struct name_index *found =
            bsearch(&wanted, fs->index, fs->options.key_count, sizeof *fs->index, compare_index);
    if (found)
        *ret_key = found->key;
    return found;
}

uint64_t names_cookie(const struct skrfs_fs *fs, size_t place) {
    return fs->index[place].hash + 2;
}

size_t names_after(const struct skrfs_fs *fs, uint64_t cookie) {
    size_t low = 0, high = fs->options.key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (names_cookie(fs, middle) > cookie)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool names_find(const struct skrfs_fs *fs, const char *file, size_t *ret_key) {
    size_t key;
    if (!find_hash(fs, name_hash(file), &key) || strcmp(fs->options.keys[key].file, file) != 0)
        return false;
    *ret_key = key;
    return true;
}

fuse_ino_t node_ino(
        const struct skrfs_fs *fs, enum node_kind kind, size_t key, enum skrfs_format format) {
    if (kind < NODE_FIXED_COUNT)
        return (fuse_ino_t)kind + FUSE_ROOT_ID;
    return name_hash(fs->options.keys[key].file) << 8 | NODE_INO_KIND(kind) | (uint64_t)format;
}

bool node_resolve(struct skrfs_fs *fs, fuse_ino_t ino, struct node *ret_node) {
    struct node node = {.ino = ino};
    if (ino < FUSE_ROOT_ID + NODE_FIXED_COUNT) {
        node.kind = (enum node_kind)(ino - FUSE_ROOT_ID);
        *ret_node = node;
        return ino >= FUSE_ROOT_ID;
    }
    node.kind = (enum node_kind)((ino >> 4 & 15) + NODE_FIXED_COUNT);
    node.format = (enum skrfs_format)(ino & 15);
    if (node.kind >= NODE_KIND_END || node.format >= SKRFS_FORMAT_COUNT ||
            (node.kind != NODE_FORMAT && node.format))
        return false;
    if (node.kind == NODE_VERSION ? !versions_find(fs, ino >> 8, &node)
                                  : !find_hash(fs, ino >> 8, &node.key))
        return false;
    if (node.kind == NODE_KEY || node.kind == NODE_VERSION)
        node.format = fs->options.keys[node.key].format;
    *ret_node = node;
    return true;
}

static int lookup_fixed(const struct node *parent, const char *name, struct node *node) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(fixed_names); i++) {
        if (fixed_names[i].parent != parent->kind || strcmp(fixed_names[i].name, name) != 0)
            continue;
        node->kind = fixed_names[i].kind;
        node->ino = (fuse_ino_t)node->kind + FUSE_ROOT_ID;
        return 0;
    }
    return ENOENT;
}

static int lookup_file(
        struct skrfs_fs *fs, const char *name, enum node_kind kind, struct node *node) {
    if (!names_find(fs, name, &node->key))
        return ENOENT;
    node->kind = kind;
    node->format = kind == NODE_KEY ? fs->options.keys[node->key].format : 0;
    node->ino = node_ino(fs, kind, node->key, 0);
    return 0;
}

static int lookup_version(struct skrfs_fs *fs, size_t key, const char *name, struct node *node) {
    if (!version_is_well_formed(name))
        return ENOENT;
    node->kind = NODE_VERSION;
    node->key = key;
    node->format = fs->options.keys[key].format;
    memcpy(node->version, name, strlen(name) + 1);
    node->ino = versions_get(fs, key, name) << 8 | NODE_INO_KIND(NODE_VERSION);
    return 0;
}

static int lookup_format(struct skrfs_fs *fs, size_t key, const char *name, struct node *node) {
    if (!skrfs_format_parse(name, &node->format))
        return ENOENT;
    node->kind = NODE_FORMAT;
    node->key = key;
    node->ino = node_ino(fs, NODE_FORMAT, key, node->format);
    return 0;
}

int node_lookup(
        struct skrfs_fs *fs, const struct node *parent, const char *name, struct node *ret_node) {
    memset(ret_node, 0, sizeof *ret_node);
    switch (parent->kind) {
    case NODE_ROOT:
    case NODE_STATUS:
        return lookup_fixed(parent, name, ret_node);
    case NODE_KEYS:
        return lookup_file(fs, name, NODE_KEY, ret_node);
    case NODE_VERSIONS:
        return lookup_file(fs, name, NODE_VERSIONS_OF, ret_node);
    case NODE_FORMATS:
        return lookup_file(fs, name, NODE_FORMATS_OF, ret_node);
    case NODE_WHYS:
        return lookup_file(fs, name, NODE_WHY, ret_node);
    case NODE_RECEIPTS:
        return lookup_file(fs, name, NODE_RECEIPT, ret_node);
    case NODE_VERSIONS_OF:
        return lookup_version(fs, parent->key, name, ret_node);
    case NODE_FORMATS_OF:
        return lookup_format(fs, parent->key, name, ret_node);
    default:
        return ENOTDIR;
    }
}

bool node_is_dir(const struct node *node) {
    return node->kind <= NODE_WHYS || node->kind == NODE_RECEIPTS ||
           node->kind == NODE_VERSIONS_OF || node->kind == NODE_FORMATS_OF;
}

bool node_is_key(const struct node *node) {
    return node->kind == NODE_KEY || node->kind == NODE_FORMAT || node->kind == NODE_VERSION;
}

void node_label(const struct skrfs_fs *fs, const struct node *node, char *out, size_t size) {
    const char *file = node->kind >= NODE_FIXED_COUNT ? fs->options.keys[node->key].file : "";
    if (node->kind == NODE_KEY)
        (void)snprintf(out, size, "%s", file);
    else if (node->kind == NODE_FORMAT)
        (void)snprintf(out, size, "formats/%s/%s", file, skrfs_format_name(node->format));
    else if (node->kind == NODE_VERSION)
        (void)snprintf(out, size, "versions/%s/%s", file, node->version);
    else if (node->kind == NODE_WHY)
        (void)snprintf(out, size, "status/why/%s", file);
    else if (node->kind == NODE_RECEIPT)
        (void)snprintf(out, size, "status/receipts/%s", file);
    else if (node->kind >= NODE_HEALTH && node->kind <= NODE_LEARNED)
        (void)snprintf(out, size, "status/%s", fixed_names[node->kind - 1].name);
    else
        (void)snprintf(out, size, "folder");
}

struct skrfs_store_want node_want(const struct node *node) {
    return (struct skrfs_store_want){.key = node->key,
            .version = node->version[0] ? node->version : NULL,
            .format = node->format};
}
