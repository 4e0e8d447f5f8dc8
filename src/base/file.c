#include <skrfs/base/file.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE ((size_t)16 * 1024)

static ssize_t read_some(int fd, void *data, size_t len) {
    ssize_t got;
    do
        got = read(fd, data, len);
    while (got < 0 && errno == EINTR);
    return got;
}

/* The limit is reached: the file ends here, or it is too long. */
static int expect_end(int fd, const struct skrfs_buf *out, struct skrfs_error *err) {
    char more = 0;
    ssize_t got = read_some(fd, &more, 1);
    skrfs_wipe(&more, sizeof(more));
    if (got < 0)
        return skrfs_fail_errno(err, errno, "cannot be read");
    if (got > 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "is longer than %zu octets", out->max);
    return 0;
}

static int read_to_end(int fd, struct skrfs_buf *out, struct skrfs_error *err) {
    while (out->len < out->max) {
        size_t len = out->max - out->len < PIECE ? out->max - out->len : PIECE;
        size_t before = out->len;
        uint8_t *space;
        if (skrfs_buf_extend(out, len, &space, err))
            return -1;
        ssize_t got = read_some(fd, space, len);
        int errnum = errno;
        skrfs_buf_truncate(out, before + (got > 0 ? (size_t)got : 0));
        if (got < 0)
            return skrfs_fail_errno(err, errnum, "cannot be read");
        if (got == 0)
            return 0;
    }
    return expect_end(fd, out, err);
}

int skrfs_fd_read_all(int fd, struct skrfs_buf *out, struct skrfs_error *err) {
    if (out->len)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a file is read into a buffer that is not empty");
    if (read_to_end(fd, out, err)) {
        skrfs_buf_truncate(out, 0);
        return -1;
    }
    return 0;
}

int skrfs_file_read(const char *path, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return skrfs_fail_errno(err, errno, "%s cannot be opened", path);
    if (skrfs_fd_read_all(fd, out, err))
        return skrfs_wrap(err, "%s", path);
    return 0;
}

int skrfs_fd_read(int fd, void *data, size_t len, struct skrfs_error *err) {
    size_t done = 0;
    while (done < len) {
        ssize_t got = read_some(fd, (uint8_t *)data + done, len - done);
        if (got < 0)
            return skrfs_fail_errno(err, errno, "reading failed");
        if (got == 0)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                    "the other side ended after %zu of %zu octets", done, len);
        done += (size_t)got;
    }
    return 0;
}

int skrfs_fd_write(int fd, const void *data, size_t len, struct skrfs_error *err) {
    size_t done = 0;
    while (done < len) {
        ssize_t put = write(fd, (const uint8_t *)data + done, len - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return skrfs_fail_errno(err, errno, "writing failed");
        done += (size_t)put;
    }
    return 0;
}

/* A renamed file is only there after a crash once its folder was written too. */
static int sync_folder(const char *path, struct skrfs_error *err) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (!slash)
        snprintf(folder, sizeof(folder), ".");
    else
        snprintf(folder, sizeof(folder), "%.*s/", (int)len, path);
    skrfs_autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* EINVAL: a file system without folders that can be synced. */
    if (fd < 0 || (fsync(fd) && errno != EINVAL))
        return skrfs_fail_errno(err, errno, "the folder of %s cannot be synced", path);
    return 0;
}

static int write_beside(int fd, const char *beside, const char *path,
        const struct skrfs_bytes *bytes, unsigned mode, struct skrfs_error *err) {
    if (skrfs_fd_write(fd, bytes->data, bytes->len, err))
        return skrfs_wrap(err, "%s", path);
    if (fchmod(fd, mode) || fsync(fd))
        return skrfs_fail_errno(err, errno, "%s cannot be written", path);
    if (rename(beside, path))
        return skrfs_fail_errno(err, errno, "%s cannot be replaced", path);
    return 0;
}

int skrfs_file_write(
        const char *path, const void *data, size_t len, unsigned mode, struct skrfs_error *err) {
    char beside[PATH_MAX];
    int needed = snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
    if (needed < 0 || (size_t)needed >= sizeof(beside))
        return skrfs_fail_errno(err, ENAMETOOLONG, "%s", path);
    skrfs_autoclose int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return skrfs_fail_errno(err, errno, "%s cannot be created", beside);
    struct skrfs_bytes bytes = {.data = data, .len = len};
    if (write_beside(fd, beside, path, &bytes, mode, err)) {
        unlink(beside);
        return -1;
    }
    return sync_folder(path, err);
}
