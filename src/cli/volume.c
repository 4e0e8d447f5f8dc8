#include <linux/magic.h>
#include <skrfs/base/file.h>
#include <skrfs/cli/place.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define PROC_TEXT_MAX ((size_t)16 * 1024 * 1024)

/* /proc/swaps has a header line and one line for each swap area. */
static int system_swaps(bool *ret_swaps, struct skrfs_error *err) {
    skrfs_autobuf swaps = SKRFS_BUF(PROC_TEXT_MAX);
    if (access("/proc/swaps", F_OK) != 0) {
        *ret_swaps = false; /* a kernel without swap */
        return 0;
    }
    if (skrfs_file_read("/proc/swaps", &swaps, err) < 0) {
        return -1;
    }
    const char *line = strchr(skrfs_buf_text(&swaps), '\n');
    *ret_swaps = line && line[1] != '\0';
    return 0;
}

/* tmpfs mounted with `noswap` (Linux 6.4) says so among its options, behind " - tmpfs SOURCE ". */
static int mounted_noswap(dev_t device, bool *ret_noswap, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(PROC_TEXT_MAX);
    if (skrfs_file_read("/proc/self/mountinfo", &text, err) < 0) {
        return -1;
    }
    char mark[32];
    (void)snprintf(mark, sizeof(mark), " %u:%u ", major(device), minor(device));
    *ret_noswap = false;
    for (const char *line = skrfs_buf_text(&text); *line;) {
        size_t len = strcspn(line, "\n");
        const char *dash = memmem(line, len, " - tmpfs ", 9);
        if (dash && memmem(line, len, mark, strlen(mark)) &&
                memmem(dash, len - (size_t)(dash - line), "noswap", 6)) {
            *ret_noswap = true;
        }
        line += len + (line[len] == '\n');
    }
    return 0;
}

int skrfs_volume_look(int fd, struct skrfs_volume *ret_volume, struct skrfs_error *err) {
    struct statfs volume;
    struct stat status;
    if (fstatfs(fd, &volume) != 0 || fstat(fd, &status) != 0) {
        return skrfs_fail_errno(err, errno, "look at the file system");
    }
    struct skrfs_volume found = {.type = (unsigned long)volume.f_type};
    if (found.type == TMPFS_MAGIC) {
        bool swaps = false, noswap = false;
        if (system_swaps(&swaps, err) < 0 ||
                (swaps && mounted_noswap(status.st_dev, &noswap, err) < 0)) {
            return -1;
        }
        found.may_swap = swaps && !noswap;
    }
    *ret_volume = found;
    return 0;
}

int skrfs_volume_check(
        const struct skrfs_volume *volume, const char *where, bool force, struct skrfs_error *err) {
    if (volume->type != TMPFS_MAGIC && volume->type != RAMFS_MAGIC) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s' is not on tmpfs or ramfs: a key written there would reach a disk; name a "
                "folder "
                "such as /run/keys, or pipe the key into the program that wants it",
                where);
    }
    if (volume->may_swap && !force) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s' is on tmpfs and this system swaps: a key written there could reach the swap "
                "area; mount tmpfs with 'noswap' or ramfs, or say --force",
                where);
    }
    return 0;
}
