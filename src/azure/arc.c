/* Azure Arc's proof of being privileged on this machine: a file that only such users can read. The
 * challenge comes over plain HTTP from whoever listens on that port, so that it may name nothing
 * but a file of that kind (learn.microsoft.com, "Authenticate against Azure resources with Azure
 * Arc-enabled servers"). */
#include "login.h"

#include <fcntl.h>
#include <limits.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Directly in the folder, ending in .key. */
static bool is_key_path(const char *path, const char *folder) {
    size_t len = strlen(folder), path_len = strlen(path);
    const char *name = path + len + 1;
    if (path_len <= len + 1 || strncmp(path, folder, len) != 0 || path[len] != '/')
        return false;
    size_t name_len = strlen(name);
    return name[0] != '.' && !strchr(name, '/') && name_len > 4 &&
           strcmp(name + name_len - 4, ".key") == 0;
}

static int open_key(const char *path, struct skrfs_error *err) {
    struct stat status;
    skrfs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return skrfs_fail_errno(err, errno,
                "%s, which the Azure Arc agent wants read, cannot be opened (its readers are root "
                "and the group himds)",
                path);
    if (fstat(fd, &status) < 0)
        return skrfs_fail_errno(err, errno, "%s", path);
    if (!S_ISREG(status.st_mode) || status.st_size > (off_t)CLIENT_SECRET_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_REJECTED, "%s is no key file of the Azure Arc agent", path);
    return skrfs_take_fd(&fd);
}

static int take_key(struct skrfs_buf *key, const char *path, struct skrfs_error *err) {
    while (key->len && strchr("\r\n", key->data[key->len - 1]))
        skrfs_buf_truncate(key, key->len - 1);
    for (size_t i = 0; i < key->len; i++)
        if (key->data[i] <= ' ' || key->data[i] > '~')
            return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                    "%s has characters that no key of the Azure Arc agent has", path);
    if (key->len == 0)
        return skrfs_fail(err, SKRFS_CLASS_REJECTED, "%s is empty", path);
    return 0;
}

int skrfs_arc_key(const char *challenge, const char *folder, struct skrfs_buf *ret_key,
        struct skrfs_error *err) {
    char path[PATH_MAX];
    skrfs_autobuf key = SKRFS_BUF(CLIENT_SECRET_MAX);
    if (!folder)
        folder = SKRFS_ARC_DIR;
    if (!skrfs_challenge_member(challenge, "Basic", "realm", path, sizeof(path)))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the Azure Arc agent names no key file in its challenge");
    if (!is_key_path(path, folder))
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "whoever answers as the Azure Arc agent names '%.200s' to be read, which is no "
                ".key "
                "file in %s: refused",
                path, folder);
    skrfs_autoclose int fd = open_key(path, err);
    if (fd < 0)
        return -1;
    if (skrfs_fd_read_all(fd, &key, err) < 0)
        return skrfs_wrap(err, "%s", path);
    if (take_key(&key, path, err) < 0)
        return -1;
    skrfs_buf_move(ret_key, &key);
    return 0;
}
