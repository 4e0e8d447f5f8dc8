#include "fixture.h"

#include <signal.h>
#include <skrfs/base/clock.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SYS_CACHESTAT 451

static struct fixture fixture;

static int set_up(void **state) {
    (void)state;
    fixture_start(&fixture, 1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_stop(&fixture);
    return 0;
}

static void test_reads_like_a_file(void **state) {
    char data[64] = {0};
    struct stat attr;
    int fd = open_ok(&fixture, "keys/alpha");
    (void)state;
    assert_int_equal(fstat(fd, &attr), 0);
    assert_int_equal(attr.st_size, 12);
    assert_int_equal(read(fd, data, 4), 4);
    assert_memory_equal(data, "pem ", 4);
    assert_int_equal(read(fd, data, sizeof data), 8);
    assert_memory_equal(data, "alpha v1", 8);
    assert_int_equal(read(fd, data, sizeof data), 0);
    assert_int_equal(pread(fd, data, 5, 4), 5);
    assert_memory_equal(data, "alpha", 5);
    assert_int_equal(pread(fd, data, 5, 4000), 0);
    assert_int_equal(lseek(fd, -2, SEEK_END), 10);
    assert_int_equal(read(fd, data, sizeof data), 2);
    assert_memory_equal(data, "v1", 2);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(read(fd, data, sizeof data), 12);
    close(fd);
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    assert_int_equal(atomic_load(&fixture.control->fetches), 1);
    assert_int_equal(size_of(&fixture, "keys/alpha"), 12);
}

static void test_versions_and_formats(void **state) {
    (void)state;
    assert_content(&fixture, "versions/alpha/abc123", "pem alpha abc123");
    assert_int_equal(size_of(&fixture, "versions/alpha/abc123"), 16);
    assert_content(&fixture, "formats/alpha/pub.pem", "public pub.pem alpha");
    assert_int_equal(atomic_load(&fixture.control->fetches), 1);
    assert_int_equal(atomic_load(&fixture.control->publics), 1);
    assert_content(&fixture, "formats/alpha/der", "der alpha v1");
    assert_content(&fixture, "formats/alpha/jwk", "jwk alpha v1");
    assert_content(&fixture, "formats/alpha/pub.pem", "pub.pem alpha v1");
    assert_int_equal(atomic_load(&fixture.control->fetches), 2);
    assert_int_equal(open_errno(&fixture, "formats/alpha/raw", O_RDONLY), EINVAL);
    assert_int_equal(size_of(&fixture, "formats/alpha/der"), 12);
}

static int open_all_refused(const struct fixture *from, int argument) {
    static const char *const names[] = {
            "keys/alpha", "versions/alpha/abc", "formats/alpha/der", "formats/alpha/pub.pem"};
    (void)argument;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++)
        if (open_errno(from, names[i], O_RDONLY) != EACCES || access(at(from, names[i]), R_OK) == 0)
            return 1;
    return open_errno(from, "keys/beta", O_RDONLY);
}

static void test_denied_asks_nobody(void **state) {
    (void)state;
    /* Root too, where the rules say so. */
    assert_int_equal(open_errno(&fixture, "keys/gamma", O_RDONLY), EACCES);
    assert_int_equal(access(at(&fixture, "keys/gamma"), R_OK), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(atomic_load(&fixture.control->fetches), 0);
    assert_int_equal(as_user(NOBODY, open_all_refused, &fixture, 0), 0);
    assert_int_equal(atomic_load(&fixture.control->fetches), 1);
}

static int read_inherited(const struct fixture *from, int fd) {
    char data[64];
    (void)from;
    return read(fd, data, sizeof data) < 0 ? errno : 0;
}

/* What root opened, another user's process may hold, but not read. */
static void test_descriptor_passed_on(void **state) {
    (void)state;
    int fd = open_ok(&fixture, "keys/alpha");
    assert_int_equal(as_user(NOBODY, read_inherited, &fixture, fd), EACCES);
    assert_int_equal(as_user(0, read_inherited, &fixture, fd), 0);
    close(fd);
}

static void test_rotation(void **state) {
    char data[64];
    (void)state;
    int fd = open_ok(&fixture, "keys/delta");
    atomic_store(&fixture.control->generation, 22);
    struct stat attr;
    int new = open_ok(&fixture, "keys/delta");
    assert_int_equal(fstat(new, &attr), 0);
    assert_int_equal(attr.st_size, strlen("pem delta v22"));
    assert_int_equal(read(fd, data, sizeof data), strlen("pem delta v1"));
    assert_int_equal(read(new, data, sizeof data), strlen("pem delta v22"));
    close(fd);
    close(new);
}

/* Returns when the keeper has done it. */
static void wipe(void) {
    atomic_store(&fixture.control->wipe, true);
    while (atomic_load(&fixture.control->wipe))
        (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
}

static void test_wiped_while_open(void **state) {
    char data[64];
    (void)state;
    int fd = open_ok(&fixture, "keys/alpha");
    assert_int_equal(read(fd, data, 3), 3);
    wipe();
    assert_int_equal(read(fd, data, 3), -1);
    assert_int_equal(errno, EKEYREVOKED);
    close(fd);
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    assert_int_equal(atomic_load(&fixture.control->fetches), 2);
}

static void test_errno_of_each_class(void **state) {
    (void)state;
    for (int kind = 0; kind < SKRFS_CLASS_COUNT; kind++) {
        char name[64];
        snprintf(name, sizeof name, "versions/alpha/c%d", kind);
        atomic_store(&fixture.control->failure, kind);
        int wanted = skrfs_class_errno((enum skrfs_class)kind);
        int found = open_errno(&fixture, name, O_RDONLY);
        if (found != wanted)
            fail_msg("class %s: %s", skrfs_class_name((enum skrfs_class)kind), strerror(found));
    }
}

static void on_alarm(int number) {
    (void)number;
}

/* In a child: opens, and says with its status what came of it. */
static int open_in_child(const struct fixture *from, int argument) {
    struct sigaction action = {.sa_handler = on_alarm};
    (void)argument;
    sigaction(SIGUSR1, &action, NULL);
    return open_errno(from, "keys/beta", O_RDONLY);
}

static pid_t fork_reader(void) {
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(open_in_child(&fixture, 0));
    return pid;
}

static int signal_and_wait(pid_t pid, int number, uint64_t *ret_ms) {
    int status;
    uint64_t begun = milliseconds();
    assert_int_equal(kill(pid, number), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    *ret_ms = milliseconds() - begun;
    return status;
}

static void nap(void) {
    (void)skrfs_sleep_until(skrfs_now_ns() + 100 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
}

/* The one worker is busy with another key; Ctrl-C and SIGKILL still end the waiting reader at once.
 */
static void test_interrupts(void **state) {
    uint64_t ms;
    (void)state;
    atomic_store(&fixture.control->held, true);
    pid_t busy = fork();
    assert_true(busy >= 0);
    if (busy == 0)
        _exit(open_errno(&fixture, "keys/alpha", O_RDONLY));
    wait_until_running(&fixture, 1);
    pid_t reader = fork_reader();
    nap();
    int status = signal_and_wait(reader, SIGUSR1, &ms);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EINTR);
    assert_true(ms < 100);
    reader = fork_reader();
    nap();
    status = signal_and_wait(reader, SIGKILL, &ms);
    assert_true(WIFSIGNALED(status));
    assert_true(ms < 100);
    /* The mount goes on: the first reader gets its key, and so does a new one. */
    atomic_store(&fixture.control->held, false);
    assert_int_equal(waitpid(busy, &status, 0), busy);
    assert_int_equal(status, 0);
    assert_content(&fixture, "keys/beta", "pem beta v1");
}

/* `ls` and warm reads go on while a release hangs, and any number of readers wait in it. */
static void test_waiting_costs_no_thread(void **state) {
    enum { READERS = 20 };
    pid_t readers[READERS];
    (void)state;
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    atomic_store(&fixture.control->held, true);
    for (size_t i = 0; i < READERS; i++)
        readers[i] = fork_reader();
    wait_until_running(&fixture, 1);
    nap();
    uint64_t begun = milliseconds();
    assert_int_equal(size_of(&fixture, "keys/delta"), 0);
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    assert_true(milliseconds() - begun < 100);
    atomic_store(&fixture.control->held, false);
    for (size_t i = 0; i < READERS; i++) {
        int status;
        assert_int_equal(waitpid(readers[i], &status, 0), readers[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(atomic_load(&fixture.control->fetches), 2);
}

static void test_interrupt_storm(void **state) {
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        uint64_t ms;
        pid_t reader = fork_reader();
        atomic_store(&fixture.control->held, i % 2);
        if (i % 3)
            (void)skrfs_sleep_until(skrfs_now_ns() + i * 100000, SKRFS_NEVER_NS);
        (void)signal_and_wait(reader, SIGKILL, &ms);
        assert_true(ms < 1000);
        atomic_store(&fixture.control->wipe, true);
    }
    atomic_store(&fixture.control->held, false);
    wipe();
    assert_content(&fixture, "keys/beta", "pem beta v1");
}

static long requests(void) {
    char data[64] = {0};
    int fd = open_ok(&fixture, "status/metrics");
    assert_true(read(fd, data, sizeof data - 1) > 9);
    close(fd);
    return strtol(data + strlen("requests "), NULL, 10);
}

/* OPEN and READ, with RELEASE behind them: no LOOKUP, no GETATTR, no FLUSH. */
static void test_round_trips(void **state) {
    enum { OPENS = 100 };
    char data[4096];
    (void)state;
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    assert_int_equal(size_of(&fixture, "keys/alpha"), 12);
    (void)requests();
    long before = requests(), own = requests() - before;
    before = requests();
    for (unsigned i = 0; i < OPENS; i++) {
        int fd = open_ok(&fixture, "keys/alpha");
        assert_int_equal(read(fd, data, sizeof data), 12);
        close(fd);
    }
    long trips = requests() - before - own;
    /* A RELEASE is not waited for: the last ones may not be counted yet. */
    if (trips < 3 * OPENS - 4 || trips > 3 * OPENS + 4)
        fail_msg("%ld requests for %d times open, read and close", trips, OPENS);
}

struct cache_range {
    uint64_t off, len;
};
struct cache_counts {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

static long cached_pages(int fd) {
    struct cache_range range = {0};
    struct cache_counts counts;
    return syscall(SYS_CACHESTAT, fd, &range, &counts, 0) ? -1 : (long)counts.cached;
}

/* sendfile and mmap put the key in the page cache, direct I/O or not; closing takes it out again.
 */
static void test_page_cache(void **state) {
    int ends[2];
    off_t offset = 0;
    struct stat attr;
    int watch = open_ok(&fixture, "keys/alpha");
    (void)state;
    if (cached_pages(watch) < 0) {
        print_message("this kernel has no cachestat(2)\n");
        skip();
    }
    assert_int_equal(pipe(ends), 0);
    int fd = open_ok(&fixture, "keys/alpha");
    assert_int_equal(fstat(fd, &attr), 0);
    assert_int_equal(sendfile(ends[1], fd, &offset, 100), 12);
    const char *map = mmap(NULL, 12, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_memory_equal(map, "pem alpha v1", 12);
    assert_true(cached_pages(watch) > 0);
    munmap((void *)(uintptr_t)map, 12);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    uint64_t until = milliseconds() + 2000;
    while (cached_pages(watch) != 0 && milliseconds() < until)
        (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    assert_int_equal(cached_pages(watch), 0);
    close(watch);
}

static bool can_see(const volatile char *map) {
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGBUS, SIG_DFL);
        _exit(map[0] == 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What is mapped is no longer there, whichever of the key's files it was. */
static void test_wiped_while_mapped(void **state) {
    static const char *const names[] = {"keys/alpha", "formats/alpha/der", "versions/alpha/abc123"};
    const char *maps[SKRFS_ARRAY_LEN(names)];
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        int fd = open_ok(&fixture, names[i]);
        maps[i] = mmap(NULL, 12, PROT_READ, MAP_PRIVATE, fd, 0);
        assert_ptr_not_equal(maps[i], MAP_FAILED);
        assert_true(can_see(maps[i]));
        close(fd);
    }
    int status = open_ok(&fixture, "status/status.json");
    assert_int_equal(ioctl(status, SKRFS_IOC_WIPE), 0);
    close(status);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        uint64_t until = milliseconds() + 2000;
        while (can_see(maps[i]) && milliseconds() < until)
            (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
        assert_false(can_see(maps[i]));
        munmap((void *)(uintptr_t)maps[i], 12);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_reads_like_a_file, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_versions_and_formats, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_denied_asks_nobody, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_descriptor_passed_on, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_rotation, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_wiped_while_open, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_wiped_while_mapped, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_errno_of_each_class, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_interrupts, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_waiting_costs_no_thread, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_interrupt_storm, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_round_trips, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_page_cache, set_up, tear_down),
    };
    fixture_require();
    return cmocka_run_group_tests_name("opening and reading", tests, NULL, NULL);
}
