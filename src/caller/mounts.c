/* Which mounts are the host's own, and which are of a kind that no user serves. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX ((size_t)32 * 1024 * 1024)

/* File systems whose contents are on this machine, in the kernel's hands. Not here: fuse and the
 * like, that a process serves, and those of a network. */
static bool is_local(const char *type, size_t len) {
    static const char *const types[] = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs",
            "zfs", "jfs", "nilfs2", "tmpfs", "ramfs", "rootfs", "overlay", "squashfs", "erofs",
            "iso9660", "vfat", "exfat"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(types); i++)
        if (strlen(types[i]) == len && !strncmp(types[i], type, len))
            return true;
    return false;
}

bool caller_parse_mount(const char *line, struct caller_mount *ret_mount, const char **ret_next) {
    const char *end = line + strcspn(line, "\n");
    uint64_t id = 0;
    const char *at = line;
    for (; *at >= '0' && *at <= '9' && id <= UINT32_MAX; at++)
        id = id * 10 + (uint64_t)(*at - '0');
    if (at == line || *at != ' ' || id > UINT32_MAX)
        return false;
    /* Blanks within fields are escaped. */
    const char *type = strstr(at, " - ");
    if (!type || type >= end)
        return false;
    type += strlen(" - ");
    size_t len = strcspn(type, " \n");
    if (!len)
        return false;
    *ret_mount = (struct caller_mount){.id = id, .local = is_local(type, len)};
    *ret_next = *end ? end + 1 : end;
    return true;
}

static int by_id(const void *a, const void *b) {
    const struct caller_mount *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

void caller_mounts_init(struct caller_mounts *mounts, pid_t host) {
    *mounts = (struct caller_mounts){.host = host, .fd = -1};
}

static int open_of(const struct caller_mounts *mounts, const char *name, int flags) {
    char path[64];
    (void)snprintf(
            path, sizeof path, "/proc/%d/%s", (int)(mounts->host ? mounts->host : getpid()), name);
    return open(path, flags | O_CLOEXEC);
}

int caller_mounts_root(const struct caller_mounts *mounts) {
    return open_of(mounts, "root", O_PATH | O_DIRECTORY);
}

void caller_mounts_done(struct caller_mounts *mounts) {
    free(mounts->list);
    skrfs_close_p(&mounts->fd);
    caller_mounts_init(mounts, mounts->host);
}

static size_t count_lines(const char *text) {
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count + 1;
}

static int parse_table(const char *text, struct caller_mounts *mounts) {
    struct caller_mount *list = calloc(count_lines(text), sizeof *list);
    size_t count = 0;
    if (!list)
        return -1;
    while (*text && caller_parse_mount(text, &list[count], &text))
        count++;
    if (*text) {
        free(list);
        return -1;
    }
    qsort(list, count, sizeof *list, by_id);
    free(mounts->list);
    mounts->list = list;
    mounts->count = count;
    return 0;
}

/* Since the file was opened, or asked the last time (proc_pid_mountinfo(5)). */
static bool has_changed(const struct caller_mounts *mounts) {
    struct pollfd changes = {.fd = mounts->fd, .events = POLLPRI};
    return mounts->fd < 0 || poll(&changes, 1, 0) != 0;
}

/* A new descriptor each time, whose changes count from its opening: nothing is missed. */
static int read_table(struct caller_mounts *mounts) {
    skrfs_autobuf text = SKRFS_BUF(TABLE_MAX);
    struct skrfs_error err;
    skrfs_close_p(&mounts->fd);
    mounts->fd = -1;
    mounts->count = 0;
    mounts->readings++;
    skrfs_autoclose int fd = open_of(mounts, "mountinfo", O_RDONLY);
    if (fd < 0 || skrfs_fd_read_all(fd, &text, &err) || parse_table(skrfs_buf_text(&text), mounts))
        return -1;
    mounts->fd = skrfs_take_fd(&fd);
    return 0;
}

const struct caller_mount *caller_mounts_find(struct caller_mounts *mounts, uint64_t id) {
    const struct caller_mount wanted = {.id = id};
    if (has_changed(mounts) && read_table(mounts))
        return NULL;
    if (!mounts->count)
        return NULL;
    return bsearch(&wanted, mounts->list, mounts->count, sizeof wanted, by_id);
}

bool caller_mount_is_local(int folder, uint64_t id) {
    skrfs_autobuf text = SKRFS_BUF(TABLE_MAX);
    struct skrfs_error err;
    struct caller_mount mount;
    skrfs_autoclose int fd = openat(folder, "mountinfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || skrfs_fd_read_all(fd, &text, &err))
        return false;
    const char *at = skrfs_buf_text(&text);
    while (*at && caller_parse_mount(at, &mount, &at))
        if (mount.id == id)
            return mount.local;
    return false;
}
