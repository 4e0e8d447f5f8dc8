/* One look at a thread, through the descriptor of its folder below /proc. Only what the kernel
 * answers without waiting for the caller is read. Its cmdline, environ and maps are not: they take
 * the lock of its memory, which it holds while it waits for a page of a key. */
#include "internal.h"

#include <fcntl.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX ((size_t)256 * 1024)

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U /* Linux 5.8 */
#endif

static const char *const space_names[SKRFS_NS_COUNT] = {"mnt", "pid", "user"};

/* The numbers of living namespaces differ. */
bool caller_look_spaces(int folder, uint64_t out[SKRFS_NS_COUNT]) {
    for (size_t i = 0; i < SKRFS_NS_COUNT; i++) {
        char path[16];
        struct statx stat;
        (void)snprintf(path, sizeof path, "ns/%s", space_names[i]);
        if (statx(folder, path, 0, STATX_INO, &stat))
            return false;
        out[i] = stat.stx_ino;
    }
    return true;
}

static int read_text(int folder, const char *name, struct skrfs_buf *text) {
    struct skrfs_error err;
    skrfs_autoclose int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : skrfs_fd_read_all(fd, text, &err);
}

static bool look_start(int folder, struct caller_glimpse *glimpse) {
    skrfs_autobuf text = SKRFS_BUF(TEXT_MAX);
    return read_text(folder, "stat", &text) == 0 &&
           caller_parse_stat(skrfs_buf_text(&text), glimpse);
}

static void look_ids(int folder, struct caller_glimpse *glimpse) {
    skrfs_autobuf text = SKRFS_BUF(TEXT_MAX);
    if (read_text(folder, "status", &text) == 0 &&
            caller_parse_status(skrfs_buf_text(&text), glimpse))
        glimpse->known |= CALLER_IDS;
}

static void look_cgroup(int folder, struct caller_glimpse *glimpse) {
    skrfs_autobuf text = SKRFS_BUF(TEXT_MAX);
    if (read_text(folder, "cgroup", &text) == 0 &&
            caller_parse_cgroup(skrfs_buf_text(&text), glimpse->cgroup))
        glimpse->known |= CALLER_CGROUP;
}

/* A line's end or a NUL behind the label is the kernel's. */
static void look_label(int folder, struct caller_glimpse *glimpse) {
    skrfs_autobuf text = SKRFS_BUF(TEXT_MAX);
    if (read_text(folder, "attr/current", &text))
        return;
    size_t len = strcspn(skrfs_buf_text(&text), "\n");
    if (len == 0 || len >= sizeof glimpse->label)
        return;
    memcpy(glimpse->label, skrfs_buf_text(&text), len);
    glimpse->known |= CALLER_LABEL;
}

/* Nobody is waited for: the file may be on a file system that a caller serves. */
static void look_exe(int folder, struct caller_glimpse *glimpse) {
    struct statx stat;
    ssize_t len = readlinkat(folder, "exe", glimpse->exe, sizeof glimpse->exe - 1);
    if (len <= 0 || (size_t)len >= sizeof glimpse->exe - 1)
        return;
    if (statx(folder, "exe", AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &stat) ||
            !(stat.stx_mask & STATX_MNT_ID))
        return;
    glimpse->exe_dev = (uint64_t)stat.stx_dev_major << 32 | stat.stx_dev_minor;
    glimpse->exe_ino = stat.stx_ino;
    glimpse->exe_mount = stat.stx_mnt_id;
    glimpse->known |= CALLER_EXE;
}

bool caller_look(int folder, unsigned facts, struct caller_glimpse *glimpse) {
    memset(glimpse, 0, sizeof *glimpse);
    if (!look_start(folder, glimpse))
        return false;
    if (facts & (CALLER_EXE_FACTS | SKRFS_FACT_GROUPS))
        look_ids(folder, glimpse);
    if (facts & CALLER_EXE_FACTS)
        look_exe(folder, glimpse);
    if (facts & SKRFS_FACT_CGROUP)
        look_cgroup(folder, glimpse);
    if (facts & (CALLER_DIGEST_FACTS | SKRFS_FACT_NAMESPACES) &&
            caller_look_spaces(folder, glimpse->spaces))
        glimpse->known |= CALLER_SPACES;
    if (facts & SKRFS_FACT_LABEL)
        look_label(folder, glimpse);
    return true;
}

bool caller_same(const struct caller_glimpse *a, const struct caller_glimpse *b) {
    return a->known == b->known && a->start == b->start && a->uid == b->uid && a->gid == b->gid &&
           a->tracer == b->tracer && a->group_count == b->group_count &&
           !memcmp(a->groups, b->groups, sizeof a->groups) && a->exe_dev == b->exe_dev &&
           a->exe_ino == b->exe_ino && a->exe_mount == b->exe_mount && !strcmp(a->exe, b->exe) &&
           !strcmp(a->cgroup, b->cgroup) && !memcmp(a->spaces, b->spaces, sizeof a->spaces) &&
           !strcmp(a->label, b->label);
}
