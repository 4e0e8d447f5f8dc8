/* Each sandbox is closed in a child for real, and what it must refuse is tried. The child's exit
 * status is the number of the first expectation that did not hold. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
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

static bool refused(long result) {
    return result == -1 && (errno == EPERM || errno == EACCES);
}

static bool cannot_open(const char *path, int flags) {
    return refused(open(path, flags, 0600));
}

/* What no process of a mount may do to any other. */
static int expect_no_prying(void) {
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

static void *in_thread(void *result) {
    *(int *)result = open("/etc/passwd", O_RDONLY) == -1 ? errno : 0;
    return NULL;
}

static int expect_thread(int wanted_errno) {
    pthread_t thread;
    int result = -1;

    EXPECT(pthread_create(&thread, NULL, in_thread, &result) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(result == wanted_errno);
    return 0;
}

static int expect_secrets(void) {
    struct skrfs_secret *secret;
    struct skrfs_error err;

    EXPECT(skrfs_secret_copy("0123456789abcdef", 16, &secret, &err) == 0);
    EXPECT(skrfs_secret_equal(secret, "0123456789abcdef", 16));
    skrfs_secret_unref(secret);
    return 0;
}

static int keeper_child(void) {
    struct skrfs_error err;
    char memory[32];
    int available;

    EXPECT(skrfs_sandbox_keeper(&(struct skrfs_sandbox_tee){.dir = NULL}, &err) == 0);
    EXPECT(refused(ioctl(0, FIONREAD, &available)));
    EXPECT(refused(mkdirat(AT_FDCWD, "/tmp/skrfs-test-sandbox", 0700)));
    EXPECT(refused(unlinkat(AT_FDCWD, "/tmp/skrfs-test-sandbox", 0)));
    EXPECT(refused(socket(AF_INET, SOCK_STREAM, 0)));
    EXPECT(refused(socket(AF_INET6, SOCK_DGRAM, 0)));
    EXPECT(refused(socket(AF_UNIX, SOCK_STREAM, 0)));
    EXPECT(refused(connect(0, NULL, 0)));
    EXPECT(cannot_open("/etc/passwd", O_RDONLY));
    EXPECT(cannot_open("/dev/fuse", O_RDWR));
    EXPECT(cannot_open("/dev/tpmrm0", O_RDWR));
    EXPECT(cannot_open("/proc/self/mem", O_RDONLY));
    EXPECT(cannot_open("/tmp/skrfs-test-sandbox", O_WRONLY | O_CREAT));
    (void)snprintf(memory, sizeof(memory), "/proc/%d/mem", (int)parent);
    EXPECT(cannot_open(memory, O_RDONLY));
    EXPECT(refused(
            (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    if (expect_no_prying() || expect_thread(EPERM) || expect_secrets())
        return 1;
    EXPECT(refused(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)));
    return 0;
}

/* What could be turned against the keeper, or reach another program of this machine. */
static int expect_no_local_reach(int shared) {
    int pair[2];

    EXPECT(refused(shutdown(shared, SHUT_RDWR)));
    EXPECT(refused(fcntl(shared, F_SETOWN, parent)));
    EXPECT(refused(fcntl(shared, F_SETSIG, SIGKILL)));
    EXPECT(refused(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)));
    EXPECT(refused(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)));
    EXPECT(refused(socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)));
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    EXPECT(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >= 0);
    return 0;
}

static int courier_child(void) {
    const struct skrfs_sandbox_path paths[] = {{"/etc"}, {"/does/not/exist"}};
    const uint16_t ports[] = {443, 53};
    struct skrfs_error err;
    char memory[32];
    int shared[2];

    EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, shared) == 0);
    EXPECT(skrfs_sandbox_courier(paths, 2, ports, 2, &err) == 0);
    if (expect_no_local_reach(shared[0]))
        return 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(fd >= 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    EXPECT(refused(bind(fd, (struct sockaddr *)&here, sizeof(here))));
    EXPECT(refused(listen(fd, 1)));
    EXPECT(refused(accept(fd, NULL, NULL)));
    EXPECT(refused(socket(AF_UNIX, SOCK_STREAM, 0)));
    EXPECT(refused(socket(AF_PACKET, SOCK_RAW, 0)));
    EXPECT(open("/etc/passwd", O_RDONLY) >= 0);
    EXPECT(cannot_open("/etc/passwd", O_RDWR));
    EXPECT(cannot_open("/dev/fuse", O_RDWR));
    EXPECT(cannot_open("/dev/null", O_RDONLY));
    EXPECT(cannot_open("/proc/self/mem", O_RDONLY));
    EXPECT(cannot_open("/tmp/skrfs-test-sandbox", O_WRONLY | O_CREAT));
    (void)snprintf(memory, sizeof(memory), "/proc/%d/mem", (int)parent);
    EXPECT(cannot_open(memory, O_RDONLY));
    return expect_no_prying() || expect_thread(0);
}

static int witness_child(void) {
    struct skrfs_caller caller = {.uid = getuid(), .gid = getgid(), .pid = parent};
    struct skrfs_error err;
    char byte, memory[32];

    struct skrfs_describer *describer;
    EXPECT(skrfs_describer_new(NULL, 0, 0, &describer, &err) == 0);
    EXPECT(skrfs_sandbox_witness(&err) == 0);
    EXPECT(refused(socket(AF_INET, SOCK_STREAM, 0)));
    EXPECT(refused(socket(AF_UNIX, SOCK_STREAM, 0)));
    EXPECT(cannot_open("/tmp/skrfs-test-sandbox", O_WRONLY | O_CREAT));
    EXPECT(cannot_open("/dev/null", O_RDWR));
    EXPECT(cannot_open("/tmp", O_TMPFILE | O_WRONLY));
    const unsigned facts = SKRFS_FACTS_ALL & ~(unsigned)(SKRFS_FACT_VERITY | SKRFS_FACT_LABEL);
    skrfs_describe(describer, SKRFS_FACTS_ALL, &caller);
    EXPECT((caller.known & facts) == facts);
    (void)snprintf(memory, sizeof(memory), "/proc/%d/mem", (int)parent);
    int fd = open(memory, O_RDONLY);
    EXPECT(refused(lseek(fd, (off_t)target, SEEK_SET)));
    EXPECT(refused(pread(fd, &byte, 1, (off_t)target)));
    EXPECT(read(fd, &byte, 1) < 0);
    return expect_no_prying();
}

static bool has_capability(unsigned long cap) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    return syscall(SYS_capget, &header, data) == 0 && (data[cap / 32].effective >> (cap % 32) & 1);
}

static int harden_child(void) {
    struct skrfs_error err;
    struct rlimit core;
    int death = 0;
    bool could_lock = has_capability(CAP_IPC_LOCK);

    EXPECT(skrfs_process_harden("skrfs-test", UINT64_C(1) << CAP_IPC_LOCK, &err) == 0);
    EXPECT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    EXPECT(prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0) == 0 && death == SIGKILL);
    EXPECT(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    EXPECT(umask(0) == 077);
    EXPECT(has_capability(CAP_IPC_LOCK) == could_lock);
    for (unsigned long cap = 0; cap < CAP_LAST_CAP; cap++)
        EXPECT(cap == CAP_IPC_LOCK || !has_capability(cap));
    return 0;
}

static char tree[] = "/tmp/skrfs-test-tee-XXXXXX", tree_tsm[sizeof(tree) + 4];

/* What a TEE that works by a folder and an ioctl is left, and that it is that alone. */
static int expect_tee_tree(int dir) {
    char octet = 0;

    EXPECT(mkdirat(dir, "report", 0700) == 0);
    EXPECT(cannot_open("/tmp/skrfs-test-sandbox", O_WRONLY | O_CREAT));
    int fd = openat(dir, "inblob", O_WRONLY);
    EXPECT(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
    fd = openat(dir, "inblob", O_RDONLY);
    EXPECT(fd >= 0 && read(fd, &octet, 1) == 1 && octet == 'x' && close(fd) == 0);
    EXPECT(unlinkat(dir, "report", AT_REMOVEDIR) == 0);
    EXPECT(refused(openat(dir, "new", O_WRONLY | O_CREAT, 0600)));
    EXPECT(refused(unlinkat(dir, "inblob", 0)));
    EXPECT(refused(openat(dir, "../beside", O_RDONLY)));
    EXPECT(refused(openat(dir, "../beside", O_WRONLY)));
    EXPECT(refused(mkdirat(dir, "../other", 0700)));
    EXPECT(refused(unlinkat(dir, "../beside", 0)));
    return 0;
}

static int keeper_of_a_tee_child(void) {
    static const unsigned long numbers[] = {FIONREAD};
    struct skrfs_error err;
    int available, on = 1, ends[2];

    int root = open(tree, O_RDONLY | O_DIRECTORY);
    EXPECT(root >= 0 && pipe(ends) == 0);
    int dir = openat(root, "tsm", O_RDONLY | O_DIRECTORY);
    EXPECT(dir >= 0 && openat(dir, "inblob", O_WRONLY | O_CREAT, 0600) >= 0);
    EXPECT(openat(root, "beside", O_WRONLY | O_CREAT, 0600) >= 0);
    const struct skrfs_sandbox_tee tee = {.dir = tree_tsm, .ioctls = numbers, .ioctl_count = 1};
    EXPECT(skrfs_sandbox_keeper(&tee, &err) == 0);
    if (expect_tee_tree(dir))
        return 1;
    EXPECT(ioctl(ends[0], FIONREAD, &available) == 0);
    EXPECT(refused(ioctl(ends[0], FIONBIO, &on)));
    EXPECT(cannot_open("/etc/passwd", O_RDONLY));
    EXPECT(cannot_open("/proc/self/mem", O_RDONLY));
    EXPECT(cannot_open("/dev/fuse", O_RDWR));
    EXPECT(refused(socket(AF_INET, SOCK_STREAM, 0)));
    return expect_no_prying();
}

static int nobody_child(void) {
    struct skrfs_error err;
    bool root = geteuid() == 0;

    EXPECT(skrfs_process_become_nobody(NULL, 0, &err) == 0);
    EXPECT(!root || (getuid() == 65534 && getegid() == 65534 && getgroups(0, NULL) == 0));
    EXPECT(skrfs_process_harden("skrfs-test", 0, &err) == 0);
    EXPECT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    EXPECT(setuid(0) == -1 || !root);
    return 0;
}

static int belongings_child(void) {
    int kept[2], lost[2];
    struct skrfs_child child = {
            .parent = parent, .fuse = -1, .courier = -1, .witness = -1, .relay = -1, .notices = -1};

    EXPECT(pipe(lost) == 0 && pipe(kept) == 0);
    child.courier = kept[0];
    signal(SIGTERM, SIG_IGN);
    skrfs_child_begin(&child);
    EXPECT(fcntl(kept[0], F_GETFD) >= 0);
    EXPECT(fcntl(lost[0], F_GETFD) == -1 && fcntl(lost[1], F_GETFD) == -1);
    EXPECT(fcntl(kept[1], F_GETFD) == -1);
    EXPECT(signal(SIGTERM, SIG_DFL) == SIG_DFL);
    EXPECT(signal(SIGINT, SIG_IGN) == SIG_IGN);
    return 0;
}

static void assert_child(int (*child)(void)) {
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

static void test_keeper(void **state) {
    (void)state;
    assert_child(keeper_child);
}

static void test_keeper_of_a_tee(void **state) {
    static const char *const made[] = {"tsm/inblob", "beside"};
    (void)state;
    assert_non_null(mkdtemp(tree));
    (void)snprintf(tree_tsm, sizeof(tree_tsm), "%s/tsm", tree);
    assert_int_equal(mkdir(tree_tsm, 0700), 0);
    assert_child(keeper_of_a_tee_child);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(made); i++) {
        char path[sizeof(tree) + 16];
        (void)snprintf(path, sizeof(path), "%s/%s", tree, made[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(tree_tsm), 0);
    assert_int_equal(rmdir(tree), 0);
}

static void test_courier(void **state) {
    (void)state;
    assert_child(courier_child);
}

static void test_witness(void **state) {
    (void)state;
    assert_child(witness_child);
}

static void test_harden(void **state) {
    (void)state;
    assert_child(harden_child);
}

static void test_nobody(void **state) {
    (void)state;
    assert_child(nobody_child);
}

static void test_belongings(void **state) {
    (void)state;
    assert_child(belongings_child);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_keeper),
            cmocka_unit_test(test_keeper_of_a_tee),
            cmocka_unit_test(test_courier),
            cmocka_unit_test(test_witness),
            cmocka_unit_test(test_harden),
            cmocka_unit_test(test_nobody),
            cmocka_unit_test(test_belongings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
