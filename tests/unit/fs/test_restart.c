#include "fixture.h"

#include <signal.h>
#include <skrfs/base/clock.h>
#include <sys/wait.h>

static struct fixture fixture;

static int set_up(void **state) {
    (void)state;
    fixture_start(&fixture, 2);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_stop(&fixture);
    return 0;
}

static void nap(void) {
    (void)skrfs_sleep_until(skrfs_now_ns() + 100 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
}

/* A child that opens and reads; its status is the errno. */
static pid_t fork_reader(const char *name) {
    char data[64];
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    int fd = open(at(&fixture, name), O_RDONLY);
    _exit(fd < 0 || read(fd, data, sizeof data) < 0 ? errno : 0);
}

static void assert_reader_well(pid_t reader) {
    int status;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    if (status)
        fail_msg("the reader ended with %#x", status);
}

static void test_open_between_keepers(void **state) {
    (void)state;
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    keeper_kill(&fixture);
    pid_t reader = fork_reader("keys/alpha");
    pid_t first_time = fork_reader("formats/beta/der");
    nap();
    keeper_start(&fixture);
    assert_reader_well(reader);
    assert_reader_well(first_time);
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
}

static void test_keeper_dies_before_it_was_asked(void **state) {
    (void)state;
    keeper_kill(&fixture);
    keeper_start(&fixture);
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
}

/* The dead keeper had read this open and parked it. Linux 6.9 and later send it again. */
static void test_open_in_flight(void **state) {
    (void)state;
    atomic_store(&fixture.control->held, true);
    pid_t reader = fork_reader("keys/beta");
    wait_until_running(&fixture, 1);
    keeper_kill(&fixture);
    atomic_store(&fixture.control->running, 0);
    atomic_store(&fixture.control->held, false);
    keeper_start(&fixture);
    int status;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0)
        assert_int_equal(WEXITSTATUS(status), EAGAIN);
    assert_content(&fixture, "keys/beta", "pem beta v1");
}

static void test_old_handles_are_stale(void **state) {
    char data[64];
    (void)state;
    int fd = open_ok(&fixture, "keys/alpha");
    assert_int_equal(read(fd, data, 3), 3);
    keeper_kill(&fixture);
    keeper_start(&fixture);
    assert_int_equal(read(fd, data, 3), -1);
    assert_int_equal(errno, ESTALE);
    close(fd);
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
}

/* A size that the dead keeper told must not outlive the key's change. */
static void test_old_sizes_are_forgotten(void **state) {
    struct stat attr;
    (void)state;
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    assert_int_equal(size_of(&fixture, "keys/alpha"), strlen("pem alpha v1"));
    keeper_kill(&fixture);
    atomic_store(&fixture.control->generation, 333);
    keeper_start(&fixture);
    int fd = open_ok(&fixture, "keys/alpha");
    assert_int_equal(fstat(fd, &attr), 0);
    assert_int_equal(attr.st_size, strlen("pem alpha v333"));
    close(fd);
}

/* Numbers of versions that nobody can compute anew: looked up again, as the kernel does for a stale
 * one. */
static void test_versions_after_a_restart(void **state) {
    (void)state;
    assert_content(&fixture, "versions/alpha/abc", "pem alpha abc");
    keeper_kill(&fixture);
    keeper_start(&fixture);
    assert_content(&fixture, "versions/alpha/abc", "pem alpha abc");
    assert_content(&fixture, "versions/beta/xyz", "pem beta xyz");
    assert_content(&fixture, "versions/alpha/abc", "pem alpha abc");
}

static void test_many_restarts(void **state) {
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        pid_t reader = fork_reader("keys/alpha");
        keeper_kill(&fixture);
        keeper_start(&fixture);
        int status;
        assert_int_equal(waitpid(reader, &status, 0), reader);
        assert_true(WIFEXITED(status));
        /* Opened before and read after the death: stale. And the kernel itself fails a request with
         * EIO that it is handing over in the moment of the death (fs/fuse/dev.c, fuse_dev_do_read).
         * Anything else than these and success is wrong. */
        if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EIO)
            assert_int_equal(WEXITSTATUS(status), ESTALE);
    }
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_open_between_keepers, set_up, tear_down),
            cmocka_unit_test_setup_teardown(
                    test_keeper_dies_before_it_was_asked, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_open_in_flight, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_old_handles_are_stale, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_old_sizes_are_forgotten, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_versions_after_a_restart, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_many_restarts, set_up, tear_down),
    };
    fixture_require();
    return cmocka_run_group_tests_name("one keeper after another", tests, NULL, NULL);
}
