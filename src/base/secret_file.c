/* Files whose contents are secret, without a copy outside of secret memory. */
#include <skrfs/base/secret.h>

#include <fcntl.h>

static int read_on(int fd, struct skrfs_secret *secret, size_t *ret_len, struct skrfs_error *err) {
    size_t len = 0, room = skrfs_secret_len(secret);
    while (len < room) {
        ssize_t got = read(fd, skrfs_secret_space(secret) + len, room - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return skrfs_fail_errno(err, errno, "cannot be read");
        if (got == 0)
            break;
        len += (size_t)got;
    }
    *ret_len = len;
    return 0;
}

int skrfs_secret_read_fd(
        int fd, size_t max, struct skrfs_secret **ret_secret, struct skrfs_error *err) {
    skrfs_autosecret *secret = NULL;
    size_t len = 0;
    /* One octet more tells a file that ends from one that goes on. */
    if (skrfs_secret_new(max + 1, &secret, err) < 0 || read_on(fd, secret, &len, err) < 0)
        return -1;
    if (len > max)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "is longer than %zu octets", max);
    if (len == 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "is empty");
    skrfs_secret_shorten(secret, len);
    *ret_secret = skrfs_take(secret);
    return 0;
}

int skrfs_secret_read(
        const char *path, size_t max, struct skrfs_secret **ret_secret, struct skrfs_error *err) {
    skrfs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return skrfs_fail_errno(err, errno, "%s cannot be opened", path);
    if (skrfs_secret_read_fd(fd, max, ret_secret, err) < 0)
        return skrfs_wrap(err, "%s", path);
    return 0;
}
