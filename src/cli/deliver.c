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

static int deliver(int dir_fd, const char *name, const struct skrfs_guard *guard,
        const struct skrfs_secret *secret, struct skrfs_error *err) {
    char beside[300];
    int len = snprintf(beside, sizeof(beside), ".%s.%ld", name, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof(beside) || strchr(name, '/') || name[0] == '.') {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'%s' is no file name for a key", name);
    }
    skrfs_autoclose int fd =
            openat(dir_fd, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) {
        return skrfs_fail_errno(err, errno, "make a file for '%s'", name);
    }
    if (fill(fd, guard, secret, err) < 0) {
        (void)unlinkat(dir_fd, beside, 0);
        return skrfs_wrap(err, "write '%s'", name);
    }
    if (renameat(dir_fd, beside, dir_fd, name) != 0) {
        int saved = errno;
        (void)unlinkat(dir_fd, beside, 0);
        return skrfs_fail_errno(err, saved, "put '%s' in its place", name);
    }
    return 0;
}

/* No signal ends the process between the making of the hidden file and its renaming. */
int skrfs_deliver(int dir_fd, const char *name, const struct skrfs_guard *guard,
        const struct skrfs_secret *secret, struct skrfs_error *err) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    int result = deliver(dir_fd, name, guard, secret, err);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}
