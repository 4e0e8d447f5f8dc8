#include "internal.h"

#include <fcntl.h>
#include <poll.h>
#include <skrfs/base/cleanup.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.9; an alias of O_EXCL. */
#define PIDFD_OF_THREAD O_EXCL
#define STATUS_MAX ((size_t)64 * 1024)

/* The caller's number in the kernel's request is its thread's. Before 6.9 only a leader's can be
 * pinned; there the folder below /proc stays bound to the thread all the same, and says ESRCH when
 * it is gone. */
static int pin(pid_t tid) {
    return (int)syscall(SYS_pidfd_open, tid, PIDFD_OF_THREAD);
}

static bool lives(int pidfd) {
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
    return pidfd < 0 || poll(&poll_fd, 1, 0) == 0;
}

static bool parse_groups(const char *line, struct skrfs_caller *caller) {
    size_t count = 0;
    for (;;) {
        line += strspn(line, " \t");
        if (*line == '\n' || !*line)
            break;
        char *end;
        errno = 0;
        unsigned long value = strtoul(line, &end, 10);
        /* A group that is not looked at could be one that a rule denies. */
        if (errno || end == line || value >= UINT32_MAX || count == SKRFS_GROUPS_MAX)
            return false;
        caller->groups[count++] = (gid_t)value;
        line = end;
    }
    caller->group_count = count;
    return true;
}

static void read_groups(int folder, struct skrfs_caller *caller) {
    skrfs_autobuf status = SKRFS_BUF(STATUS_MAX);
    struct skrfs_error err;
    skrfs_autoclose int fd = openat(folder, "status", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || skrfs_fd_read_all(fd, &status, &err))
        return;
    const char *line = strstr(skrfs_buf_text(&status), "\nGroups:");
    if (line)
        caller->known |= parse_groups(line + strlen("\nGroups:"), caller) ? SKRFS_FACT_GROUPS : 0;
}

static bool is_in_our_namespace(int folder) {
    char ours[64], theirs[64];
    ssize_t len = readlink("/proc/self/ns/mnt", ours, sizeof ours);
    return len > 0 && (size_t)len < sizeof ours &&
           readlinkat(folder, "ns/mnt", theirs, sizeof theirs) == len &&
           !memcmp(ours, theirs, (size_t)len);
}

/* In a mount namespace of its own, which any user can make, a caller can bind any program over the
 * path of another. There the path counts only where the same file is found at it here. Nobody is
 * waited for: the file may be on a file system that a caller serves. */
static bool is_that_file(int folder, const char *path) {
    struct statx theirs, here;
    return statx(folder, "exe", AT_STATX_DONT_SYNC, STATX_INO, &theirs) == 0 &&
           statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &here) == 0 &&
           theirs.stx_dev_major == here.stx_dev_major &&
           theirs.stx_dev_minor == here.stx_dev_minor && theirs.stx_ino == here.stx_ino;
}

static void read_exe(int folder, struct skrfs_caller *caller) {
    static const char gone[] = " (deleted)";
    ssize_t len = readlinkat(folder, "exe", caller->exe, sizeof caller->exe);
    if (len <= 0 || (size_t)len >= sizeof caller->exe)
        return;
    size_t end = (size_t)len;
    caller->exe[end] = 0;
    /* The path of a deleted file may be somebody else's by now. */
    if (caller->exe[0] != '/' ||
            (end >= sizeof gone - 1 && !strcmp(caller->exe + end - (sizeof gone - 1), gone)))
        return;
    if (is_in_our_namespace(folder) || is_that_file(folder, caller->exe))
        caller->known |= SKRFS_FACT_EXE;
}

void skrfs_caller_describe(unsigned facts, struct skrfs_caller *caller) {
    char path[32];
    caller->known = 0;
    caller->group_count = 0;
    if (caller->pid <= 0)
        return;
    skrfs_autoclose int pidfd = pin(caller->pid);
    if (pidfd < 0 && errno == ESRCH)
        return;
    (void)snprintf(path, sizeof path, "/proc/%d", (int)caller->pid);
    skrfs_autoclose int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    if (facts & SKRFS_FACT_GROUPS)
        read_groups(folder, caller);
    if (facts & SKRFS_FACT_EXE)
        read_exe(folder, caller);
    if (!lives(pidfd))
        caller->known = 0;
}
