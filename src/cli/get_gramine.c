/* Gramine keeps the keys of its encrypted files below /dev/attestation/keys: 16 octets each,
 * written whole; "default" is the one that mounts without a key_name are waiting for
 * (gramine.readthedocs.io, "Attestation and Secret Provisioning"). */
#include "get.h"

#include <fcntl.h>
#include <limits.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>

static int key_path(
        const char *folder, const char *name, char out[PATH_MAX], struct skrfs_error *err) {
    if (snprintf(out, PATH_MAX, "%s/keys/%s", folder, name) >= PATH_MAX) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "[tee] attestation is too long a path");
    }
    return 0;
}

int get_gramine_check(const struct get *get, struct skrfs_error *err) {
    const char *folder = get_attestation_folder(get->conf);
    for (size_t i = 0; i < get->count; i++) {
        char path[PATH_MAX];
        const struct get_item *item = &get->items[i];
        int format = get->format == -1 ? (int)get->conf->keys[item->key].format : get->format;
        if (format != SKRFS_FORMAT_RAW) {
            return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                    "Gramine takes symmetric keys of %d octets alone: '%s' needs format = raw",
                    GET_GRAMINE_KEY_LEN, item->told);
        }
        if (key_path(folder, item->name, path, err) < 0) {
            return -1;
        }
        if (access(path, W_OK) != 0) {
            return skrfs_fail_errno(err, errno,
                    "%s cannot be written: this is to be inside Gramine, and its manifest to name "
                    "the key in fs.mounts (key_name = \"%s\")",
                    path, item->name);
        }
    }
    return 0;
}

static int put(const char *path, const struct skrfs_secret *secret, struct skrfs_error *err) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return skrfs_fail_errno(err, errno, "open %s", path);
    }
    int result = skrfs_fd_write(fd, skrfs_secret_data(secret), skrfs_secret_len(secret), err);
    if (close(fd) != 0 && result == 0) { /* where Gramine takes the key */
        return skrfs_fail_errno(err, errno, "write %s", path);
    }
    return result < 0 ? skrfs_wrap(err, "write %s", path) : 0;
}

int get_gramine_put(const struct get *get, const char *folder, struct skrfs_error *err) {
    char path[PATH_MAX];
    for (size_t i = 0; i < get->count; i++) {
        const struct get_item *item = &get->items[i];
        if (item->secret && skrfs_secret_len(item->secret) != GET_GRAMINE_KEY_LEN) {
            return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                    "Gramine takes keys of %d octets, but '%s' has %zu: nothing was written",
                    GET_GRAMINE_KEY_LEN, item->told, skrfs_secret_len(item->secret));
        }
    }
    for (size_t i = 0; i < get->count; i++) {
        const struct get_item *item = &get->items[i];
        if (item->secret &&
                (key_path(folder, item->name, path, err) < 0 || put(path, item->secret, err) < 0)) {
            return -1;
        }
    }
    return 0;
}
