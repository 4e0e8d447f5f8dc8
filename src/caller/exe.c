/* Whether a path leads to a caller's executable in the host's mount namespace. */
#include "internal.h"

#include <fcntl.h>
#include <string.h>

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U /* Linux 5.8 */
#endif

static uint64_t device(const struct statx *stat) {
    return (uint64_t)stat->stx_dev_major << 32 | stat->stx_dev_minor;
}

/* Only a mount of this namespace whose file system nobody serves is asked anything. */
static bool may_enter(struct caller_mounts *mounts, int fd, struct statx *ret_stat) {
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
                STATX_TYPE | STATX_INO | STATX_MNT_ID, ret_stat) ||
            !(ret_stat->stx_mask & STATX_MNT_ID))
        return false;
    const struct caller_mount *mount = caller_mounts_find(mounts, ret_stat->stx_mnt_id);
    return mount && mount->local;
}

/* Opening with O_PATH steps into a mount without asking its file system; what is below it is looked
 * up only when that may be entered. The kernel prints paths without symbolic links: one is not
 * followed. */
static int step(int fd, const char *name, size_t len) {
    char part[256];
    if (len >= sizeof part)
        return -1;
    memcpy(part, name, len);
    part[len] = 0;
    return openat(fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

bool caller_is_file_at(
        struct caller_mounts *mounts, const char *path, const struct caller_glimpse *glimpse) {
    skrfs_autoclose int fd = caller_mounts_root(mounts);
    struct statx stat;
    for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
        size_t len = strcspn(path, "/");
        if (fd < 0 || !may_enter(mounts, fd, &stat))
            return false;
        int next = step(fd, path, len);
        skrfs_close_p(&fd);
        fd = next;
        path += len;
    }
    return fd >= 0 && may_enter(mounts, fd, &stat) && device(&stat) == glimpse->exe_dev &&
           stat.stx_ino == glimpse->exe_ino;
}
