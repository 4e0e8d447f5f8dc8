/* Which system calls each process may make. The lists are what strace showed each to need in all
 * end-to-end tests, with what glibc does seldom (growing an arena, a clock that the vDSO cannot
 * tell, name resolution, aborting) added by hand. Everything else fails with EPERM, so that a
 * library's fallback works. man/skrfs-security.7 has them as a table, which a test compares. */
#include "sandbox.h"

#include <fcntl.h>
#include <linux/fsverity.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef MADV_GUARD_INSTALL /* Linux 6.13; glibc 2.42 makes guards of threads' stacks with them */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

/* An int of the kernel's: the upper half of the register does not count. */
#define IS(number, value)                                                                          \
    { number, SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)(value) }
#define HAS(number, mask, value)                                                                   \
    { number, SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value) }
#define NONE_BUT(number, bits)                                                                     \
    { number, SCMP_CMP_MASKED_EQ, UINT32_MAX & ~(scmp_datum_t)(bits), 0 }
#define NO_POINTER(number)                                                                         \
    { number, SCMP_CMP_EQ, 0, 0 }

#define CALL(call_)                                                                                \
    { .call = SCMP_SYS(call_), .name = #call_ }
#define WHEN(call_, words, ...)                                                                    \
    {                                                                                              \
        .call = SCMP_SYS(call_), .name = #call_, .when = words, .args = {__VA_ARGS__},             \
        .count = SKRFS_ARRAY_LEN(((struct scmp_arg_cmp[]){__VA_ARGS__}))                           \
    }
#define LIST(rules)                                                                                \
    { rules, SKRFS_ARRAY_LEN(rules) }
#define END                                                                                        \
    { NULL, 0 }

/* A reading open: with O_TMPFILE's own bit, which is not O_DIRECTORY's. */
#define READING HAS(2, O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), O_RDONLY)
#define TYPE(type)                                                                                 \
    { 1, SCMP_CMP_MASKED_EQ, UINT32_MAX & ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), type }
/* Not MSG_FASTOPEN, which connects past Landlock, and not MSG_OOB. */
#define PLAIN_SENDING(number) NONE_BUT(number, MSG_NOSIGNAL | MSG_DONTWAIT)
/* The flags that glibc gives a thread; of clone(2) nothing else is left, above all no process and
 * no namespace. */
#define THREAD                                                                                     \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD |            \
            CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* Memory, time, descriptors that are open, and the end. Advice is what makes memory less visible
 * (MADV_DODUMP, MADV_DOFORK and MADV_MERGEABLE would undo that), signals are to itself alone, names
 * are of threads and mappings. */
static const struct sandbox_rule every_rules[] = {
        CALL(read),
        CALL(write),
        CALL(close),
        CALL(brk),
        CALL(munmap),
        WHEN(mremap, "MREMAP_MAYMOVE alone", IS(3, MREMAP_MAYMOVE)),
        WHEN(madvise, "MADV_DONTNEED", IS(2, MADV_DONTNEED)),
        CALL(futex),
        CALL(poll),
        CALL(rt_sigprocmask),
        CALL(restart_syscall),
        CALL(clock_gettime),
        CALL(gettimeofday),
        CALL(clock_nanosleep),
        CALL(getrandom),
        CALL(getpid),
        CALL(gettid),
        CALL(exit),
        CALL(exit_group),
        {.call = SCMP_SYS(tgkill),
                .name = "tgkill",
                .when = "to a thread of its own",
                .own_process = true},
        WHEN(prctl, "PR_SET_NAME", IS(0, PR_SET_NAME)),
        WHEN(prctl, "PR_SET_VMA", IS(0, PR_SET_VMA)),
        WHEN(prlimit64, "to look at its own limits", IS(0, 0), NO_POINTER(2)),
};

/* A pool of threads. The flags of clone3 are in memory, where a filter cannot look: it is said not
 * to be there (ENOSYS), and glibc takes clone. */
static const struct sandbox_rule thread_rules[] = {
        WHEN(clone, "a thread", IS(0, THREAD)),
        WHEN(mmap, "not PROT_EXEC", HAS(2, PROT_EXEC, 0)),
        WHEN(mprotect, "not PROT_EXEC", HAS(2, PROT_EXEC, 0)),
        CALL(set_robust_list),
        CALL(rseq),
        CALL(sched_getaffinity),
        CALL(sysinfo),
        CALL(eventfd2),
        WHEN(madvise, "MADV_GUARD_INSTALL", IS(2, MADV_GUARD_INSTALL)),
        WHEN(madvise, "MADV_GUARD_REMOVE", IS(2, MADV_GUARD_REMOVE)),
};

/* Secret memory: it grows while keys come, locked, and in no dump and no child. */
static const struct sandbox_rule secret_rules[] = {
        WHEN(memfd_secret, "O_CLOEXEC", IS(0, O_CLOEXEC)),
        CALL(ftruncate),
        CALL(mlock),
        CALL(munlock),
        WHEN(madvise, "MADV_DONTDUMP", IS(2, MADV_DONTDUMP)),
        WHEN(madvise, "MADV_DONTFORK", IS(2, MADV_DONTFORK)),
};

/* Messages on sockets that are connected: no address, and no descriptor goes with them, since that
 * takes sendmsg and recvmsg. */
static const struct sandbox_rule message_rules[] = {
        WHEN(sendto, "to no address", NO_POINTER(4), PLAIN_SENDING(3)),
        WHEN(recvfrom, "asking for no address", NO_POINTER(4)),
};

static const struct sandbox_rule keeper_rules[] = {
        CALL(writev),
        CALL(getuid), /* libfuse's idea of who mounted */
        WHEN(fcntl, "F_DUPFD_CLOEXEC", IS(1, F_DUPFD_CLOEXEC)),
};

/* Which files these calls reach is Landlock's. */
static const struct sandbox_rule tee_folder_rules[] = {
        WHEN(openat, "where its TEE works by a folder, below that"),
        WHEN(mkdirat, "where its TEE works by a folder, below that"),
        WHEN(unlinkat, "where its TEE works by a folder, below that"),
};
static const struct sandbox_rule tee_device_rules[] = {
        WHEN(ioctl, "where its TEE works by a device, the numbers of that"),
};

/* Connections by TCP, and the files that say where to. Which files can be opened, and which ports
 * connected to, is Landlock's. */
static const struct sandbox_rule stream_rules[] = {
        WHEN(openat, "for reading", READING),
        CALL(fstat),
        CALL(newfstatat),
        CALL(lseek),
        WHEN(socket, "TCP", IS(0, AF_INET), TYPE(SOCK_STREAM), NONE_BUT(2, IPPROTO_TCP)),
        WHEN(socket, "TCP over IPv6", IS(0, AF_INET6), TYPE(SOCK_STREAM), NONE_BUT(2, IPPROTO_TCP)),
        CALL(connect),
        WHEN(fcntl, "F_GETFL", IS(1, F_GETFL)),
        WHEN(fcntl, "F_SETFL without O_ASYNC", IS(1, F_SETFL), HAS(2, O_ASYNC, 0)),
};

/* Name resolution, TLS and transfers; which files can be opened, and which TCP ports connected to,
 * is Landlock's. Of what outlives this process nothing may be changed, since the socket pair is its
 * successor's: not shutdown, no option of the socket, no owner and no signal of a descriptor. */
static const struct sandbox_rule courier_rules[] = {
        CALL(access),
        CALL(readlink),
        CALL(uname),
        CALL(writev),
        WHEN(socket, "UDP", IS(0, AF_INET), TYPE(SOCK_DGRAM), IS(2, 0)),
        WHEN(socket, "UDP over IPv6", IS(0, AF_INET6), TYPE(SOCK_DGRAM), IS(2, 0)),
        WHEN(socket, "NETLINK_ROUTE", IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE)),
        WHEN(socketpair, "AF_UNIX streams", IS(0, AF_UNIX), TYPE(SOCK_STREAM)),
        WHEN(bind, "to a netlink address", IS(2, sizeof(struct sockaddr_nl))),
        CALL(getsockname),
        CALL(getpeername),
        WHEN(sendto, "to no address", NO_POINTER(4), PLAIN_SENDING(3)),
        WHEN(sendto, "to a netlink address", IS(5, sizeof(struct sockaddr_nl)), PLAIN_SENDING(3)),
        WHEN(sendmmsg, "without MSG_FASTOPEN", PLAIN_SENDING(3)),
        CALL(recvfrom),
        CALL(recvmsg),
        WHEN(getsockopt, "SO_ERROR", IS(1, SOL_SOCKET), IS(2, SO_ERROR)),
        WHEN(setsockopt, "TCP_NODELAY", IS(1, SOL_TCP), IS(2, TCP_NODELAY)),
        WHEN(setsockopt, "IP_RECVERR", IS(1, SOL_IP), IS(2, IP_RECVERR)),
        WHEN(setsockopt, "IPV6_RECVERR", IS(1, SOL_IPV6), IS(2, IPV6_RECVERR)),
        WHEN(ioctl, "FIONREAD", IS(1, FIONREAD)),
};

/* With no lseek, no pread and no mapping of files, /proc/<pid>/mem cannot be read even where its
 * open is allowed: its first page is never mapped. */
static const struct sandbox_rule witness_rules[] = {
        WHEN(openat, "for reading", READING),
        CALL(fstat),
        CALL(newfstatat),
        CALL(readlink),
        CALL(readlinkat),
        CALL(statx),
        CALL(pidfd_open),
        WHEN(ioctl, "FS_IOC_MEASURE_VERITY", IS(1, FS_IOC_MEASURE_VERITY)),
        WHEN(mmap, "anonymous, not PROT_EXEC", HAS(2, PROT_EXEC, 0),
                HAS(3, MAP_ANONYMOUS, MAP_ANONYMOUS)),
};

/* Of libsystemd's bus, on a connection that is made already. */
static const struct sandbox_rule witness_bus_rules[] = {
        WHEN(sendmsg, "where a key has until = unit:"),
        WHEN(recvmsg, "where a key has until = unit:"),
        WHEN(ppoll, "where a key has until = unit:"),
};

/* A software TPM behind swtpm's or mssim's protocol: a connection for each command. */
static const struct sandbox_rule relay_rules[] = {
        WHEN(mmap, "not PROT_EXEC", HAS(2, PROT_EXEC, 0)),
        WHEN(socket, "AF_UNIX stream", IS(0, AF_UNIX), TYPE(SOCK_STREAM)),
};

/* A file that is open, and journald's socket: the library asks for one when the first entry goes.
 */
static const struct sandbox_rule scribe_rules[] = {
        CALL(pread64),
        CALL(fstat),
        CALL(newfstatat),
        CALL(ftruncate),
        CALL(fdatasync),
        CALL(access),
        WHEN(mmap, "not PROT_EXEC", HAS(2, PROT_EXEC, 0)),
        WHEN(socket, "AF_UNIX datagrams", IS(0, AF_UNIX), TYPE(SOCK_DGRAM), IS(2, 0)),
        WHEN(sendmsg, "without MSG_OOB", PLAIN_SENDING(2)),
};
/* Which files these calls reach is Landlock's. */
static const struct sandbox_rule scribe_folder_rules[] = {
        CALL(openat),
        CALL(rename),
        CALL(fchmod),
        CALL(flock),
};

/* The parent has to start processes that do other things, and a filter is inherited: nothing of
 * this is any of theirs. */
static const struct sandbox_rule parent_denied_rules[] = {
        CALL(ptrace),
        CALL(process_vm_readv),
        CALL(process_vm_writev),
        CALL(process_madvise),
        CALL(pidfd_getfd),
        CALL(kcmp),
        CALL(execve),
        CALL(execveat),
        CALL(memfd_create),
        CALL(bpf),
        CALL(perf_event_open),
        CALL(userfaultfd),
        CALL(io_uring_setup),
        CALL(io_uring_enter),
        CALL(io_uring_register),
        CALL(io_setup),
        CALL(keyctl),
        CALL(add_key),
        CALL(request_key),
        CALL(init_module),
        CALL(finit_module),
        CALL(delete_module),
        CALL(kexec_load),
        CALL(kexec_file_load),
        CALL(reboot),
        CALL(swapon),
        CALL(swapoff),
        CALL(ioperm),
        CALL(iopl),
        CALL(unshare),
        CALL(setns),
        CALL(mount),
        CALL(pivot_root),
        CALL(chroot),
        CALL(open_tree),
        CALL(move_mount),
        CALL(mount_setattr),
        CALL(fsopen),
        CALL(fsmount),
        CALL(fspick),
        CALL(fsconfig),
        CALL(personality),
        CALL(acct),
        CALL(quotactl),
        CALL(settimeofday),
        CALL(clock_settime),
        CALL(adjtimex),
        CALL(clock_adjtime),
        CALL(sethostname),
        CALL(setdomainname),
        CALL(syslog),
        CALL(vhangup),
        CALL(open_by_handle_at),
        CALL(fanotify_init),
        CALL(mknod),
        CALL(mknodat),
};

static const struct sandbox_rule sanitizer_rules[] = {
        CALL(sigaltstack),
        CALL(sched_yield),
        CALL(readlink),
        CALL(rt_sigaction),
        CALL(rt_sigreturn),
        CALL(set_robust_list),
        CALL(rseq),
        WHEN(clone, "a thread", IS(0, THREAD)),
        WHEN(madvise, "MADV_DONTDUMP", IS(2, MADV_DONTDUMP)),
        WHEN(madvise, "MADV_NOHUGEPAGE", IS(2, MADV_NOHUGEPAGE)),
        WHEN(mmap, "not PROT_EXEC", HAS(2, PROT_EXEC, 0)),
        WHEN(mprotect, "not PROT_EXEC", HAS(2, PROT_EXEC, 0)),
};

const struct sandbox_list sandbox_tee_folder = LIST(tee_folder_rules);
const struct sandbox_list sandbox_tee_device = LIST(tee_device_rules);
const struct sandbox_list sandbox_witness_bus = LIST(witness_bus_rules);
const struct sandbox_list sandbox_scribe_folder = LIST(scribe_folder_rules);
const struct sandbox_list sandbox_parent_denied = LIST(parent_denied_rules);
const struct sandbox_list sandbox_sanitizers = LIST(sanitizer_rules);

const struct sandbox_list *sandbox_lists(enum skrfs_role role) {
    static const struct sandbox_list keeper[] = {LIST(every_rules), LIST(thread_rules),
            LIST(secret_rules), LIST(message_rules), LIST(keeper_rules), END},
                                     courier[] = {LIST(every_rules), LIST(thread_rules),
                                             LIST(stream_rules), LIST(courier_rules), END},
                                     witness[] = {LIST(every_rules), LIST(message_rules),
                                             LIST(witness_rules), END},
                                     relay[] = {LIST(every_rules), LIST(message_rules),
                                             LIST(stream_rules), LIST(relay_rules), END},
                                     scribe[] = {LIST(every_rules), LIST(message_rules),
                                             LIST(scribe_rules), END};
    static const struct sandbox_list *const all[SKRFS_ROLE_COUNT] = {[SKRFS_ROLE_KEEPER] = keeper,
            [SKRFS_ROLE_COURIER] = courier,
            [SKRFS_ROLE_WITNESS] = witness,
            [SKRFS_ROLE_RELAY] = relay,
            [SKRFS_ROLE_SCRIBE] = scribe};

    return role < SKRFS_ROLE_COUNT ? all[role] : NULL;
}
