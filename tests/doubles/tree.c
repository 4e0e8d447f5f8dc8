#include "tree.h"

#include <skrfs/crypto/hash.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int tree_describe(struct stat *about, bool folder, unsigned mode) {
    memset(about, 0, sizeof(*about));
    about->st_mode = (folder ? S_IFDIR : S_IFREG) | mode;
    about->st_nlink = 1;
    about->st_size = folder ? 0 : 4096;
    return 0;
}

int tree_copy(const char *text, size_t text_len, char *out, size_t len, off_t offset) {
    size_t at = (size_t)offset < text_len ? (size_t)offset : text_len;
    if (len > text_len - at)
        len = text_len - at;
    memcpy(out, text + at, len);
    return (int)len;
}

int tree_parse(const char *text, size_t len, char word[32], long *ret_number) {
    char copy[64];
    if (len >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return sscanf(copy, "%31s %ld", word, ret_number) == 2 ? 0 : -EINVAL;
}

void *tree_init(struct fuse_conn_info *connection, struct fuse_config *config) {
    (void)connection;
    config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
    return NULL;
}

int tree_serve(const char *mountpoint, const struct fuse_operations *operations) {
    char *arguments[] = {(char *)(uintptr_t) "skrfs-double", (char *)(uintptr_t) "-f",
            (char *)(uintptr_t)mountpoint, NULL};
    return fuse_main(3, arguments, operations, NULL);
}

struct skrfs_lab_hardware *tree_hardware(const char *lab_dir) {
    struct skrfs_error err;
    struct skrfs_lab_hardware *hardware;
    if (skrfs_crypto_setup(&err) == 0 && skrfs_lab_hardware_load(lab_dir, &hardware, &err) == 0)
        return hardware;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}
