/* What the audit is told, and that nobody reads what it does not record where that is required. */
#include "fixture.h"

#include <skrfs/base/clock.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static struct fixture fixture;

static int set_up(void **state) {
    (void)state;
    fixture.audited = true;
    fixture_start(&fixture, 1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_stop(&fixture);
    return 0;
}

static void answer(int mode) {
    atomic_store(&fixture.control->audit, mode);
}

/* Waits for the event with this number, which must be this one. */
static void assert_event(unsigned number, const char *wanted) {
    for (int i = 0; i < 5000 && atomic_load(&fixture.control->events) <= number; i++)
        (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    assert_true(atomic_load(&fixture.control->events) > number);
    (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    assert_string_equal(fixture.control->event[number], wanted);
}

static int open_refused(const struct fixture *at_fixture, int wanted) {
    return open_errno(at_fixture, "keys/alpha", O_RDONLY) == wanted ? 0 : 1;
}

static int read_again(const struct fixture *at_fixture, int fd) {
    char octet;
    (void)at_fixture;
    for (int i = 0; i < 3; i++)
        if (pread(fd, &octet, 1, 0) != 1)
            return errno;
    return 0;
}

static void test_opens(void **state) {
    (void)state;
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    assert_event(0, "open keys/alpha granted 0 v1 1 mode 0400");
    assert_content(&fixture, "formats/beta/der", "der beta v1");
    assert_event(1, "open formats/beta/der granted 0 v1 2 mode 0444");
    assert_int_equal(as_user(NOBODY, open_refused, &fixture, EACCES), 0);
    assert_event(2, "open keys/alpha denied 65534  0 mode 0400");
    assert_int_equal(open_errno(&fixture, "keys/gamma", O_RDONLY), EACCES);
    assert_event(3, "open keys/gamma denied 0  0 no allow rule");
    atomic_store(&fixture.control->failure, SKRFS_CLASS_REJECTED);
    assert_int_equal(open_errno(&fixture, "keys/delta", O_RDONLY), EKEYREJECTED);
    assert_event(4, "open keys/delta rejected 0  0 mode 0444");
    atomic_store(&fixture.control->failure, -1);
    assert_int_equal(atomic_load(&fixture.control->events), 5);
}

/* Once for each reader, and for each whose reading is refused. */
static void test_reads_by_others(void **state) {
    (void)state;
    int fd = open_ok(&fixture, "keys/alpha");
    assert_int_equal(read_again(&fixture, fd), 0);
    assert_event(0, "open keys/alpha granted 0 v1 1 mode 0400");
    assert_int_equal(as_user(0, read_again, &fixture, fd), 0);
    assert_event(1, "read keys/alpha granted 0 v1 1 mode 0400");
    assert_int_equal(as_user(NOBODY, read_again, &fixture, fd), EACCES);
    assert_event(2, "read keys/alpha denied 65534  0 mode 0400");
    assert_int_equal(read_again(&fixture, fd), 0);
    int status = open_ok(&fixture, "status/why/alpha");
    assert_int_equal(ioctl(status, SKRFS_IOC_WIPE), 0);
    close(status);
    assert_event(3, "wipe  granted 0  0 -");
    assert_int_equal(read_again(&fixture, fd), EKEYREVOKED);
    assert_int_equal(read_again(&fixture, fd), EKEYREVOKED);
    assert_event(4, "read keys/alpha revoked 0  0 mode 0400");
    close(fd);
    assert_int_equal(atomic_load(&fixture.control->events), 5);
}

static void test_records_that_are_waited_for(void **state) {
    (void)state;
    for (int mode = AUDIT_CALLS_BACK; mode <= AUDIT_CALLS_BACK_LATE; mode++) {
        answer(mode);
        assert_content(&fixture, "keys/alpha", "pem alpha v1");
        int fd = open_ok(&fixture, "keys/beta");
        assert_int_equal(as_user(NOBODY, read_again, &fixture, fd), 0);
        close(fd);
    }
    assert_int_equal(atomic_load(&fixture.control->events), 6);
}

/* Many wait at the same time, more than threads read the device. */
static void test_many_wait_at_once(void **state) {
    pid_t readers[32];
    (void)state;
    assert_content(&fixture, "keys/beta", "pem beta v1");
    answer(AUDIT_CALLS_BACK_LATE);
    uint64_t begun = milliseconds();
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(readers); i++) {
        readers[i] = fork();
        if (readers[i] == 0)
            _exit(open(at(&fixture, "keys/beta"), O_RDONLY) < 0);
    }
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(readers); i++) {
        int status;
        assert_int_equal(waitpid(readers[i], &status, 0), readers[i]);
        assert_int_equal(status, 0);
    }
    /* One by one, on two threads, they would wait for 32 * 50 / 2 ms. */
    assert_true(milliseconds() - begun < 700);
}

static void test_no_record_no_key(void **state) {
    (void)state;
    int fd = open_ok(&fixture, "keys/beta");
    for (int mode = AUDIT_FAILS_LATE; mode <= AUDIT_REFUSES; mode++) {
        answer(mode);
        assert_int_equal(open_errno(&fixture, "keys/beta", O_RDONLY), EAGAIN);
        assert_int_equal(as_user(NOBODY, read_again, &fixture, fd), EAGAIN);
        /* Who opened it has its record. */
        assert_int_equal(read_again(&fixture, fd), 0);
    }
    answer(AUDIT_TAKES);
    assert_content(&fixture, "keys/beta", "pem beta v1");
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_opens, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_reads_by_others, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_records_that_are_waited_for, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_many_wait_at_once, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_no_record_no_key, set_up, tear_down),
    };
    fixture_require();
    return cmocka_run_group_tests_name("what the audit is told", tests, NULL, NULL);
}
