/* Sandboxes that are closed in a child for real. Its exit status is the number of the first
 * expectation that did not hold. */
#ifndef SKRFS_TESTS_DAEMON_SANDBOXED_H
#define SKRFS_TESTS_DAEMON_SANDBOXED_H

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <skrfs/base/secret.h>
#include <skrfs/daemon/process.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char target[] = "the parent's memory";
static pid_t parent; /* asked before the sandbox closes */

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)dprintf(2, "line %d: %s, errno %d\n", __LINE__, #condition, errno);              \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static inline bool refused(long result) {
    return result == -1 && (errno == EPERM || errno == EACCES);
}

static inline bool cannot_open(const char *path, int flags) {
    return refused(open(path, flags, 0600));
}

/* What no process of a mount may do to any other. */
static inline int expect_no_prying(void) {
    char stolen[sizeof(target)];
    struct iovec mine = {stolen, sizeof(stolen)}, theirs = {target, sizeof(target)};

    EXPECT(refused(process_vm_readv(parent, &mine, 1, &theirs, 1, 0)));
    EXPECT(refused(ptrace(PTRACE_ATTACH, parent, NULL, NULL)));
    EXPECT(refused(kill(parent, 0)));
    EXPECT(refused(syscall(SYS_pidfd_getfd, 0, 0, 0)));
    EXPECT(refused(syscall(SYS_bpf, 0, NULL, 0)));
    EXPECT(refused(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0)));
    EXPECT(refused(syscall(SYS_keyctl, 0, 0, 0, 0, 0)));
    EXPECT(refused(syscall(SYS_io_uring_setup, 1, NULL)));
    EXPECT(refused(syscall(SYS_userfaultfd, 0)));
    EXPECT(refused(mount("none", "/tmp", "tmpfs", 0, NULL)));
    EXPECT(refused(execl("/bin/true", "true", (char *)NULL)));
    EXPECT(refused(fork()));
    return 0;
}

static inline void assert_child(int (*child)(void)) {
    int status;

    parent = getpid();
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#endif
