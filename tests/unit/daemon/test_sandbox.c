/* Each sandbox is closed in a child for real, and what it must refuse is tried. The child's exit
 * status is the number of the first expectation that did not hold. */
#include "sandboxed.h"

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

/* What would outlive a courier on its socket, and what would reach past Landlock. */
static int expect_no_options(int fd) {
    const struct sockaddr_in any = {.sin_family = AF_INET};
    int on = 1, peer = 0;
    socklen_t len = sizeof(peer);

    EXPECT(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    EXPECT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &peer, &len) == 0);
    EXPECT(refused(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &on, sizeof(on))));
    EXPECT(refused(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on))));
    EXPECT(refused(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on))));
    EXPECT(refused(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)));
    EXPECT(refused(fcntl(fd, F_SETFL, O_ASYNC)));
    EXPECT(refused(fcntl(fd, F_DUPFD, 0)));
    EXPECT(refused(sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&any, sizeof(any))));
    EXPECT(refused(sendto(fd, "x", 1, 0, (const struct sockaddr *)&any, sizeof(any))));
    EXPECT(refused(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP)));
    EXPECT(refused(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)));
    EXPECT(refused(socket(AF_INET, SOCK_RAW, IPPROTO_TCP)));
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
    if (expect_no_options(fd))
        return 1;
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

/* The same numbers by another door: i386's, and x32's. */
static int i386_child(void) {
    struct skrfs_error err;
    long result = 20; /* getpid */

    EXPECT(skrfs_sandbox_witness(&err) == 0);
#if defined(__x86_64__)
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
#endif
    return result ? 0 : 1;
}

static int x32_child(void) {
    struct skrfs_error err;

    EXPECT(skrfs_sandbox_witness(&err) == 0);
    (void)syscall(0x40000000 + SYS_getpid);
    return 0;
}

/* Without a sandbox the kernel answers, or says that it has no such door. */
static void assert_killed(int (*child)(void)) {
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_true(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV);
}

static void test_other_architectures(void **state) {
    (void)state;
#if defined(__x86_64__)
    assert_killed(i386_child);
    assert_killed(x32_child);
#else
    (void)i386_child;
    (void)x32_child;
    skip();
#endif
}

static void test_witness(void **state) {
    (void)state;
    assert_child(witness_child);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_keeper),
            cmocka_unit_test(test_keeper_of_a_tee),
            cmocka_unit_test(test_courier),
            cmocka_unit_test(test_witness),
            cmocka_unit_test(test_other_architectures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
