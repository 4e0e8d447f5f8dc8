/* Landlock by itself, without the filter of system calls that mostly refuses first: each thing that
 * it is asked for holds. What this kernel's Landlock does not know is said, and expected not to. */
#include "sandboxed.h"

#include "../../../src/daemon/sandbox.h"

#include <stddef.h>
#include <sys/un.h>

static char folder[] = "/tmp/skrfs-test-landlock-XXXXXX";
static uint16_t allowed_port, other_port;
static struct sockaddr_un stranger = {.sun_family = AF_UNIX};
static socklen_t stranger_len;

static long abi(void) {
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

/* What a version has must be refused, and what it has not cannot be. */
static bool as_of(long version, long result) {
    return abi() >= version ? refused(result) : result >= 0;
}

static int tcp(bool connecting, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
            .sin_port = htons(port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = connecting ? connect(fd, (const struct sockaddr *)&address, sizeof(address))
                            : bind(fd, (const struct sockaddr *)&address, sizeof(address));
    int saved = errno;

    close(fd);
    errno = saved;
    return result;
}

static int speak_to_stranger(void) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return connect(fd, (const struct sockaddr *)&stranger, stranger_len);
}

static int closed_child(void) {
    const struct skrfs_landlock leave = {.ports = &allowed_port, .port_count = 1};
    struct skrfs_error err;
    char path[64];

    EXPECT(skrfs_landlock_close(&leave, &err) == 0);
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    EXPECT(cannot_open("/etc/passwd", O_RDONLY));
    EXPECT(cannot_open("/", O_RDONLY | O_DIRECTORY));
    EXPECT(cannot_open(path, O_RDWR));
    EXPECT(cannot_open("/tmp/skrfs-test-new", O_WRONLY | O_CREAT));
    EXPECT(refused(mkdir("/tmp/skrfs-test-new", 0700)));
    EXPECT(refused(unlink(path)));
    EXPECT(refused(execl("/bin/true", "true", (char *)NULL)));
    EXPECT(as_of(3, truncate(path, 0)));
    EXPECT(tcp(true, allowed_port) == 0);
    EXPECT(as_of(4, tcp(true, other_port)));
    EXPECT(as_of(4, tcp(false, 0)));
    EXPECT(as_of(6, kill(parent, 0)));
    EXPECT(as_of(6, speak_to_stranger()));
    /* Its own are its own to signal. */
    EXPECT(kill(getpid(), 0) == 0);
    EXPECT(refused(ptrace(PTRACE_ATTACH, parent, NULL, NULL)));
    return 0;
}

static int readable_child(void) {
    const struct skrfs_sandbox_path paths[] = {{folder}, {"/does/not/exist"}, {"/etc/passwd"}};
    const struct skrfs_landlock leave = {.readable = paths, .count = 3};
    struct skrfs_error err;
    char path[64];

    EXPECT(skrfs_landlock_close(&leave, &err) == 0);
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    EXPECT(open(path, O_RDONLY) >= 0);
    EXPECT(open(folder, O_RDONLY | O_DIRECTORY) >= 0);
    EXPECT(open("/etc/passwd", O_RDONLY) >= 0);
    EXPECT(cannot_open(path, O_WRONLY));
    EXPECT(cannot_open("/etc/group", O_RDONLY));
    EXPECT(refused(execl(path, "file", (char *)NULL)));
    EXPECT(as_of(4, tcp(true, allowed_port)));
    return 0;
}

static int no_privileges_child(void) {
    const struct skrfs_landlock leave = {.count = 0};
    struct skrfs_error err;

    EXPECT(skrfs_landlock_close(&leave, &err) == 0);
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    return 0;
}

static int listen_on(uint16_t *ret_port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(here);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    *ret_port = ntohs(here.sin_port);
    return fd;
}

static int set_up(void **state) {
    static int fds[4];
    char path[64];

    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    fds[0] = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    fds[1] = listen_on(&allowed_port);
    fds[2] = listen_on(&other_port);
    fds[3] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int len = snprintf(
            stranger.sun_path + 1, sizeof(stranger.sun_path) - 1, "skrfs-test-%d", (int)getpid());
    stranger_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    assert_int_equal(bind(fds[3], (const struct sockaddr *)&stranger, stranger_len), 0);
    print_message("Landlock's version here is %ld\n", abi());
    *state = fds;
    return 0;
}

static int tear_down(void **state) {
    const int *fds = *state;
    char path[64];

    for (unsigned i = 0; i < 4; i++)
        close(fds[i]);
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    return unlink(path) || rmdir(folder);
}

static void test_closed(void **state) {
    (void)state;
    if (abi() < 1)
        skip();
    assert_child(closed_child);
}

static void test_readable(void **state) {
    (void)state;
    if (abi() < 1)
        skip();
    assert_child(readable_child);
}

static void test_no_privileges(void **state) {
    (void)state;
    if (abi() < 1)
        skip();
    assert_child(no_privileges_child);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_closed),
            cmocka_unit_test(test_readable),
            cmocka_unit_test(test_no_privileges),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
