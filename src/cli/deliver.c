#include <fcntl.h>
#include <signal.h>
#include <skrfs/base/file.h>
#include <skrfs/cli/place.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Owner first: a mode set before would let the wrong one in, and chown(2) clears set-id bits
 * anyway. */
static int fill(int fd, const struct skrfs_guard *guard, const struct skrfs_secret *secret,
        struct skrfs_error *err) {
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return skrfs_fail_errno(err, errno, "look at the new file");
    }
    if ((status.st_uid != guard->owner || status.st_gid != guard->group) &&
            fchown(fd, guard->owner, guard->group) != 0) {
        return skrfs_fail_errno(
                err, errno, "give it to uid %u, gid %u", guard->owner, guard->group);
    }
    if (fchmod(fd, guard->mode & 0777) != 0) {
        return skrfs_fail_errno(err, errno, "set its mode");
    }
    return skrfs_fd_write(fd, skrfs_secret_data(secret), skrfs_secret_len(secret), err);
}

/* Where a key waits to be put in its place. */
static void beside(size_t index, char out[64]) {
    (void)snprintf(out, 64, ".skrfs.%ld.%zu", (long)getpid(), index);
}

static int check_place(const struct skrfs_delivery *delivery, struct skrfs_error *err) {
    struct stat status;
    const char *name = delivery->name;
    if (strchr(name, '/') || !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'%s' is no file name for a key", name);
    }
    if (fstatat(delivery->dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
        return skrfs_fail(
                err, SKRFS_CLASS_SYSTEM, "put '%s' in its place: what is there is no file", name);
    }
    return 0;
}

static int stage(const struct skrfs_delivery *delivery, size_t index, struct skrfs_error *err) {
    char name[64];
    beside(index, name);
    skrfs_autoclose int fd =
            openat(delivery->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) {
        return skrfs_fail_errno(err, errno, "make a file for '%s'", delivery->name);
    }
    if (fill(fd, delivery->guard, delivery->secret, err) < 0) {
        (void)unlinkat(delivery->dir_fd, name, 0);
        return skrfs_wrap(err, "write '%s'", delivery->name);
    }
    return 0;
}

static void unstage(const struct skrfs_delivery *deliveries, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        char name[64];
        beside(i, name);
        (void)unlinkat(deliveries[i].dir_fd, name, 0);
    }
}

static int stage_all(
        const struct skrfs_delivery *deliveries, size_t count, struct skrfs_error *err) {
    for (size_t i = 0; i < count; i++) {
        if (check_place(&deliveries[i], err) < 0 || stage(&deliveries[i], i, err) < 0) {
            unstage(deliveries, 0, i);
            return -1;
        }
    }
    return 0;
}

static int place_all(
        const struct skrfs_delivery *deliveries, size_t count, struct skrfs_error *err) {
    for (size_t i = 0; i < count; i++) {
        char name[64];
        beside(i, name);
        if (renameat(deliveries[i].dir_fd, name, deliveries[i].dir_fd, deliveries[i].name) != 0) {
            int saved = errno;
            unstage(deliveries, i, count);
            for (size_t j = 0; j < i; j++) {
                (void)unlinkat(deliveries[j].dir_fd, deliveries[j].name, 0);
            }
            return skrfs_fail_errno(err, saved, "put '%s' in its place", deliveries[i].name);
        }
    }
    return 0;
}

/* No signal ends the process between the making of a hidden file and its renaming. */
int skrfs_deliver_all(
        const struct skrfs_delivery *deliveries, size_t count, struct skrfs_error *err) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    int result = stage_all(deliveries, count, err);
    if (result == 0) {
        result = place_all(deliveries, count, err);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}
