/* What is common to all processes of a mount: capabilities, users, descriptors; and the sandboxes
 * of relay and parent. */
#include "sandboxed.h"

static int connect_to(uint16_t port) {
    struct sockaddr_in there = {.sin_family = AF_INET,
            .sin_port = htons(port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = connect(fd, (const struct sockaddr *)&there, sizeof(there));

    close(fd);
    return result;
}

static uint16_t listening[2];

static int ports_child(void) {
    const struct skrfs_sandbox_path paths[] = {{"/etc/hosts"}};
    struct skrfs_error err;
    bool told = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 4;

    EXPECT(skrfs_sandbox_relay(paths, 1, listening, 1, &err) == 0);
    EXPECT(connect_to(listening[0]) == 0);
    EXPECT(told ? refused(connect_to(listening[1])) : connect_to(listening[1]) == 0);
    EXPECT(open("/etc/hosts", O_RDONLY) >= 0 || errno == ENOENT);
    EXPECT(cannot_open("/etc/passwd", O_RDONLY));
    EXPECT(refused(socket(AF_INET, SOCK_DGRAM, 0)));
    EXPECT(refused(
            (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    return expect_no_prying();
}

/* As root; the children that a parent has must still do what they do. */
static int parent_child(void) {
    struct skrfs_error err;
    int status;

    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(skrfs_sandbox_parent(&err) == 0);
    EXPECT(refused(ptrace(PTRACE_ATTACH, parent, NULL, NULL)));
    EXPECT(refused(syscall(SYS_pidfd_getfd, 0, 0, 0)));
    EXPECT(refused(execl("/bin/true", "true", (char *)NULL)));
    EXPECT(refused(mount("none", "/tmp", "tmpfs", 0, NULL)));
    EXPECT(refused(unshare(CLONE_NEWNS)));
    EXPECT(open("/etc/passwd", O_RDONLY) >= 0);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0)
        _exit(skrfs_sandbox_witness(&err) == 0 && refused(fork()) ? 0 : 1);
    EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
    return 0;
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
    bool root = has_capability(CAP_SETPCAP);

    EXPECT(skrfs_process_harden("skrfs-test", UINT64_C(1) << CAP_IPC_LOCK, &err) == 0);
    EXPECT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    EXPECT(prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0) == 0 && death == SIGKILL);
    EXPECT(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    EXPECT(umask(0) == 077);
    EXPECT(has_capability(CAP_IPC_LOCK) == could_lock);
    for (unsigned long cap = 0; cap < CAP_LAST_CAP; cap++)
        EXPECT(cap == CAP_IPC_LOCK || !has_capability(cap));
    for (unsigned long cap = 0; root && cap <= CAP_LAST_CAP; cap++)
        EXPECT(prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1);
    return 0;
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

static int listen_anywhere(uint16_t *ret_port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(here);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    *ret_port = ntohs(here.sin_port);
    return fd;
}

static void test_ports(void **state) {
    (void)state;
    int first = listen_anywhere(&listening[0]), second = listen_anywhere(&listening[1]);
    assert_child(ports_child);
    close(first);
    close(second);
}

static void test_parent(void **state) {
    (void)state;
    assert_child(parent_child);
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
            cmocka_unit_test(test_ports),
            cmocka_unit_test(test_parent),
            cmocka_unit_test(test_harden),
            cmocka_unit_test(test_nobody),
            cmocka_unit_test(test_belongings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
