/* Names and inode numbers as they come from readers: a path is walked name by name, and each number
 * found, and any number in the input, must mean the same file again or none. */
#include "../../../src/fs/internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct skrfs_fs *new_fs(void) {
    static const struct skrfs_fs_key keys[] = {
            {.file = "a"}, {.file = "tls-server"}, {.file = "x.y"}};
    struct skrfs_fs *fs = calloc(1, sizeof *fs);
    struct skrfs_error err;
    if (!fs)
        abort();
    fs->options.keys = keys;
    fs->options.key_count = sizeof keys / sizeof keys[0];
    (void)pthread_mutex_init(&fs->lock, NULL);
    if (names_init(fs, &err) || versions_init(fs, &err))
        abort();
    return fs;
}

static void check_again(struct skrfs_fs *fs, const struct node *node) {
    struct node again;
    char label[512];
    if (!node_resolve(fs, node->ino, &again) || again.kind != node->kind ||
            again.key != node->key || again.format != node->format ||
            strcmp(again.version, node->version) != 0)
        abort();
    node_label(fs, node, label, sizeof label);
    if (node->kind >= NODE_FIXED_COUNT && node->key >= fs->options.key_count)
        abort();
}

static void walk(struct skrfs_fs *fs, char *path) {
    struct node node, next;
    char *name;
    if (!node_resolve(fs, FUSE_ROOT_ID, &node))
        abort();
    while ((name = strsep(&path, "/"))) {
        if (node_lookup(fs, &node, name, &next))
            return;
        check_again(fs, &next);
        node = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct skrfs_fs *fs;
    struct node node;
    fuse_ino_t ino = 0;
    if (!fs)
        fs = new_fs();
    if (size)
        memcpy(&ino, data, size < sizeof ino ? size : sizeof ino);
    if (node_resolve(fs, ino, &node))
        check_again(fs, &node);
    char *path = strndup((const char *)data, size);
    if (path)
        walk(fs, path);
    free(path);
    return 0;
}
