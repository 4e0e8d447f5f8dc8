/* The lists are what strace showed each process to need, with what glibc and OpenSSL do seldom
 * (growing an arena, aborting) added by hand. Everything else is refused with EPERM, so that a
 * library's fallback works. */
#include "sandbox.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* The sanitizers' runtimes want more: their signal stack, their maps, their waiting, and a thread
 * of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Memory, time, threads that exist, and the end: what every process does. */
static const int basic_calls[] = {
        SCMP_SYS(read),
        SCMP_SYS(write),
        SCMP_SYS(readv),
        SCMP_SYS(writev),
        SCMP_SYS(close),
        SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(brk),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        SCMP_SYS(futex),
        SCMP_SYS(poll),
        SCMP_SYS(ppoll),
        SCMP_SYS(recvmsg),
        SCMP_SYS(sendmsg),
        SCMP_SYS(recvfrom),
        SCMP_SYS(sendto),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(clock_getres),
        SCMP_SYS(clock_nanosleep),
        SCMP_SYS(nanosleep),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(getrandom),
        SCMP_SYS(getpid),
        SCMP_SYS(getppid),
        SCMP_SYS(gettid),
        SCMP_SYS(getuid),
        SCMP_SYS(geteuid),
        SCMP_SYS(getgid),
        SCMP_SYS(getegid),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
#if SANITIZED
        SCMP_SYS(sigaltstack),
        SCMP_SYS(sched_yield),
        SCMP_SYS(readlink),
#endif
};

/* A pool of threads, and locked memory that grows. */
static const int thread_calls[] = {
        SCMP_SYS(set_robust_list),
        SCMP_SYS(rseq),
        SCMP_SYS(sched_getaffinity),
        SCMP_SYS(sched_yield),
        SCMP_SYS(mlock),
        SCMP_SYS(mlock2),
        SCMP_SYS(munlock),
        SCMP_SYS(membarrier),
        SCMP_SYS(eventfd2),
        SCMP_SYS(sysinfo),
};

static const int keeper_calls[] = {
        SCMP_SYS(memfd_secret),
        SCMP_SYS(ftruncate),
        SCMP_SYS(dup),
        SCMP_SYS(getsockopt),
};

/* Name resolution, TLS and transfers; which files can be opened is Landlock's. Not shutdown(2): the
 * socket pair outlives a courier, and would be dead for all that follow. */
static const int courier_calls[] = {
        SCMP_SYS(mmap),
        SCMP_SYS(openat),
        SCMP_SYS(open),
        SCMP_SYS(access),
        SCMP_SYS(faccessat),
        SCMP_SYS(faccessat2),
        SCMP_SYS(stat),
        SCMP_SYS(lstat),
        SCMP_SYS(statx),
        SCMP_SYS(readlink),
        SCMP_SYS(readlinkat),
        SCMP_SYS(getdents64),
        SCMP_SYS(lseek),
        SCMP_SYS(pread64),
        SCMP_SYS(fstatfs),
        SCMP_SYS(statfs),
        SCMP_SYS(getcwd),
        SCMP_SYS(uname),
        SCMP_SYS(dup),
        SCMP_SYS(pipe2),
        SCMP_SYS(select),
        SCMP_SYS(pselect6),
        SCMP_SYS(connect),
        SCMP_SYS(bind),
        SCMP_SYS(getsockname),
        SCMP_SYS(getpeername),
        SCMP_SYS(getsockopt),
        SCMP_SYS(setsockopt),
        SCMP_SYS(sendmmsg),
        SCMP_SYS(recvmmsg),
};

static const int witness_calls[] = {
        SCMP_SYS(readlink),
        SCMP_SYS(readlinkat),
        SCMP_SYS(statx),
        SCMP_SYS(pidfd_open),
};

static int allow_all(scmp_filter_ctx filter, const int *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (result < 0)
            return result;
    }
    return 0;
}

static int allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition) {
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, condition);
}

#define NOT_EXECUTABLE SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)

/* Signals to itself alone (abort), names for its threads and mappings, limits to look at, not to
 * set. */
static int allow_self(scmp_filter_ctx filter) {
    int result = allow_if(filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));

    result = result < 0 ? result
                        : allow_if(filter, SCMP_SYS(prctl), SCMP_A0_32(SCMP_CMP_EQ, PR_SET_NAME));
    result = result < 0 ? result
                        : allow_if(filter, SCMP_SYS(prctl), SCMP_A0_32(SCMP_CMP_EQ, PR_SET_VMA));
    return result < 0 ? result : allow_if(filter, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
}

/* Threads, not processes. The flags of clone3 are in memory, where a filter cannot look: glibc
 * takes clone when the kernel seems not to have it. */
static int allow_threads(scmp_filter_ctx filter) {
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    result = result < 0 ? result
                        : allow_if(filter, SCMP_SYS(clone),
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    result = result < 0 ? result : allow_if(filter, SCMP_SYS(mprotect), NOT_EXECUTABLE);
    return result < 0 ? result : allow_all(filter, thread_calls, SKRFS_ARRAY_LEN(thread_calls));
}

/* One filter for all threads there are (TSYNC), by a tree, since every reply to a reader passes it.
 */
static scmp_filter_ctx filter_new(int *ret_result) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

    *ret_result = -ENOMEM;
    if (!filter)
        return NULL;
    *ret_result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (*ret_result == 0)
        *ret_result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (*ret_result == 0)
        *ret_result = allow_all(filter, basic_calls, SKRFS_ARRAY_LEN(basic_calls));
    if (*ret_result == 0)
        *ret_result = allow_self(filter);
    return filter;
}

static int filter_load(scmp_filter_ctx filter, int result, struct skrfs_error *err) {
    if (result == 0)
        result = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return result == 0 ? 0 : skrfs_fail_errno(err, -result, "close the seccomp sandbox");
}

/* Not F_SETOWN and F_SETSIG: with them a socket sends a signal of choice to a process of choice. */
static int allow_commands(scmp_filter_ctx filter, const int *commands, size_t count) {
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++)
        result = allow_if(
                filter, SCMP_SYS(fcntl), SCMP_A1_32(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
    return result;
}

/* Which files these calls reach is Landlock's. */
static int allow_tee(scmp_filter_ctx filter, const struct skrfs_sandbox_tee *tee) {
    static const int tree_calls[] = {SCMP_SYS(openat), SCMP_SYS(mkdirat), SCMP_SYS(unlinkat)};
    int result = 0;

    if (tee->dir)
        result = allow_all(filter, tree_calls, SKRFS_ARRAY_LEN(tree_calls));
    for (size_t i = 0; result == 0 && i < tee->ioctl_count; i++)
        result = allow_if(
                filter, SCMP_SYS(ioctl), SCMP_A1_32(SCMP_CMP_EQ, (scmp_datum_t)tee->ioctls[i]));
    return result;
}

int skrfs_sandbox_keeper(const struct skrfs_sandbox_tee *tee, struct skrfs_error *err) {
    static const int descriptor_commands[] = {F_GETFL, F_GETFD, F_DUPFD_CLOEXEC};
    const struct skrfs_landlock leave = {.tree = tee->dir};
    int result;

    if (skrfs_landlock_close(&leave, err) < 0)
        return -1;
    scmp_filter_ctx filter = filter_new(&result);
    if (result == 0)
        result = allow_threads(filter);
    if (result == 0)
        result = allow_all(filter, keeper_calls, SKRFS_ARRAY_LEN(keeper_calls));
    if (result == 0)
        result = allow_if(filter, SCMP_SYS(mmap), NOT_EXECUTABLE);
    if (result == 0)
        result = allow_commands(filter, descriptor_commands, SKRFS_ARRAY_LEN(descriptor_commands));
    if (result == 0)
        result = allow_tee(filter, tee);
    return filter_load(filter, result, err);
}

/* Sockets to the network, one kind to ask the kernel for addresses (getaddrinfo), and pairs within:
 * of streams, since a datagram socket of a pair can be connected to any other by its path. */
static int allow_network(scmp_filter_ctx filter) {
    static const int commands[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD, F_DUPFD_CLOEXEC};
    static const int families[] = {AF_INET, AF_INET6};
    static const int controls[] = {FIONREAD, FIONBIO};
    const scmp_datum_t type = ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2,
            SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX), SCMP_A1_32(SCMP_CMP_MASKED_EQ, type, SOCK_STREAM));

    for (size_t i = 0; result == 0 && i < SKRFS_ARRAY_LEN(families); i++)
        result = allow_if(
                filter, SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                SCMP_A0_32(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2_32(SCMP_CMP_EQ, NETLINK_ROUTE));
    for (size_t i = 0; result == 0 && i < SKRFS_ARRAY_LEN(controls); i++)
        result = allow_if(
                filter, SCMP_SYS(ioctl), SCMP_A1_32(SCMP_CMP_EQ, (scmp_datum_t)controls[i]));
    return result < 0 ? result : allow_commands(filter, commands, SKRFS_ARRAY_LEN(commands));
}

int skrfs_sandbox_courier(
        const struct skrfs_sandbox_path *paths, size_t count, struct skrfs_error *err) {
    const struct skrfs_landlock leave = {.network = true, .readable = paths, .count = count};
    int result;

    if (skrfs_landlock_close(&leave, err) < 0)
        return -1;
    scmp_filter_ctx filter = filter_new(&result);
    if (result == 0)
        result = allow_threads(filter);
    if (result == 0)
        result = allow_all(filter, courier_calls, SKRFS_ARRAY_LEN(courier_calls));
    if (result == 0)
        result = allow_network(filter);
    return filter_load(filter, result, err);
}

/* With no lseek, no pread and no mapping of files, /proc/<pid>/mem cannot be read even where its
 * open is allowed: its first page is never mapped. */
int skrfs_sandbox_witness(struct skrfs_error *err) {
    const scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    int result;
    scmp_filter_ctx filter = filter_new(&result);

    if (result == 0 && SANITIZED)
        result = allow_threads(filter);
    if (result == 0)
        result = allow_all(filter, witness_calls, SKRFS_ARRAY_LEN(witness_calls));
    if (result == 0)
        result = allow_if(filter, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
    if (result == 0)
        result = allow_if(
                filter, SCMP_SYS(mmap), SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
    return filter_load(filter, result, err);
}
