/* Digests of executables: of the file that runs, kept while nothing of it changed, never longer. */
#include "internal.h"
#include "support.h"

#include <fcntl.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/file.h>
#include <skrfs/crypto/hash.h>
#include <sys/time.h>
#include <unistd.h>

static char dir[] = "/tmp/skrfs-test-XXXXXX";
static char path[64];

static int make_dir(void **state) {
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/file", dir);
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static void write_file(const char *text) {
    struct skrfs_error err;
    assert_ok(skrfs_file_write(path, text, strlen(text), 0700, &err), err);
}

static void assert_digest_of(const struct skrfs_caller *caller, const char *text) {
    uint8_t wanted[32];
    struct skrfs_error err;
    assert_ok(skrfs_hash(SKRFS_SHA256, text, strlen(text), wanted, &err), err);
    assert_true(caller->known & SKRFS_FACT_SHA256);
    assert_memory_equal(caller->sha256, wanted, sizeof wanted);
}

static void fill(struct caller_digests *digests, struct skrfs_caller *caller) {
    *caller = (struct skrfs_caller){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    caller_digests_fill(digests, fd, SKRFS_FACT_SHA256, 1, caller);
}

static size_t kept(const struct caller_digests *digests) {
    size_t count = 0;
    for (size_t i = 0; i < CALLER_DIGESTS; i++)
        count += digests->done[i].used != 0;
    return count;
}

static void wait_until_settled(void) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    while (skrfs_wall_s() <= status.st_ctim.tv_sec + 4)
        (void)skrfs_sleep_until(skrfs_now_ns() + 50 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
}

/* A file that was just written may be written again with the same times on it: nothing is kept of
 * it. Later it is, and not for another content. */
static void test_kept_once_it_is_settled(void **state) {
    struct caller_digests digests;
    struct skrfs_caller caller;
    struct skrfs_error err;
    (void)state;
    assert_ok(caller_digests_init(&digests, &err), err);
    write_file("one");
    fill(&digests, &caller);
    assert_digest_of(&caller, "one");
    assert_int_equal(kept(&digests), 0);
    wait_until_settled();
    for (unsigned i = 0; i < 2; i++) {
        fill(&digests, &caller);
        assert_digest_of(&caller, "one");
        assert_int_equal(kept(&digests), 1);
    }
    /* As long, and with the same modification time. */
    struct stat before;
    assert_int_equal(stat(path, &before), 0);
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, "two", 3), 3);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    fill(&digests, &caller);
    assert_digest_of(&caller, "two");
    caller_digests_done(&digests);
}

/* Where a mount's number may be another's by now, a change of mounts forgets all. */
static void test_forgotten_with_the_mounts(void **state) {
    struct caller_digests digests;
    struct skrfs_caller caller = {0};
    struct skrfs_error err;
    struct statx stat;
    (void)state;
    if (statx(AT_FDCWD, "/", 0, 0x4000U, &stat) == 0 && stat.stx_mask & 0x4000U) {
        print_message("this kernel never gives a mount's number again\n");
        skip();
    }
    assert_ok(caller_digests_init(&digests, &err), err);
    fill(&digests, &caller);
    assert_int_equal(kept(&digests), 1);
    caller_digests_fill(&digests, open(path, O_RDONLY), SKRFS_FACT_VERITY, 2, &caller);
    assert_int_equal(kept(&digests), 0);
    caller_digests_done(&digests);
}

static void test_least_used_makes_room(void **state) {
    struct caller_digests digests;
    struct skrfs_caller caller;
    struct skrfs_error err;
    (void)state;
    wait_until_settled();
    assert_ok(caller_digests_init(&digests, &err), err);
    for (size_t i = 0; i < CALLER_DIGESTS; i++)
        digests.done[i].used = i + 2;
    digests.clock = CALLER_DIGESTS + 2;
    digests.done[5].used = 1;
    fill(&digests, &caller);
    assert_int_equal(digests.done[5].used, CALLER_DIGESTS + 3);
    assert_digest_of(&caller, "two");
    caller_digests_done(&digests);
}

#define LONG_MIB 1000

/* One that is too long for one question is told as unknown, and becomes known between questions. */
static void test_long_one_is_made_in_pieces(void **state) {
    struct caller_digests digests;
    struct skrfs_caller caller;
    struct skrfs_error err;
    unsigned pieces = 0;
    (void)state;
    assert_ok(caller_digests_init(&digests, &err), err);
    assert_int_equal(truncate(path, (off_t)LONG_MIB << 20), 0);
    wait_until_settled();
    uint64_t before = skrfs_now_ns();
    fill(&digests, &caller);
    assert_true(skrfs_now_ns() - before < 20 * SKRFS_SECOND_NS);
    if (caller.known & SKRFS_FACT_SHA256) {
        print_message("this machine reads %d MiB within half a second\n", LONG_MIB);
    } else {
        assert_non_null(strstr(caller.lack, "still being made"));
        while (caller_digests_work(&digests))
            pieces++;
        assert_true(pieces > 0);
        assert_int_equal(kept(&digests), 1);
    }
    fill(&digests, &caller);
    assert_true(caller.known & SKRFS_FACT_SHA256);
    assert_false(caller_digests_work(&digests));
    caller_digests_done(&digests);
}

/* What changes while it is read has no digest. */
static void test_changed_while_it_is_read(void **state) {
    struct caller_digests digests;
    struct skrfs_caller caller;
    struct skrfs_error err;
    (void)state;
    assert_ok(caller_digests_init(&digests, &err), err);
    fill(&digests, &caller);
    if (caller.known & SKRFS_FACT_SHA256) {
        print_message("this machine reads %d MiB within half a second\n", LONG_MIB);
        skip();
    }
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    while (caller_digests_work(&digests))
        ;
    assert_int_equal(kept(&digests), 0);
    caller_digests_done(&digests);
}

static void test_only_so_many_at_a_time(void **state) {
    struct caller_digests digests;
    struct skrfs_caller caller;
    struct skrfs_error err;
    (void)state;
    assert_ok(caller_digests_init(&digests, &err), err);
    for (size_t i = 0; i < CALLER_PARTIALS; i++)
        digests.partials[i].fd = open("/dev/null", O_RDONLY);
    fill(&digests, &caller);
    assert_false(caller.known & SKRFS_FACT_SHA256);
    assert_non_null(strstr(caller.lack, "too many"));
    for (size_t i = 0; i < CALLER_PARTIALS; i++) {
        close(digests.partials[i].fd);
        digests.partials[i].fd = -1;
    }
    caller_digests_done(&digests);
}

static void test_too_long_and_no_file(void **state) {
    struct caller_digests digests;
    struct skrfs_caller caller;
    struct skrfs_error err;
    (void)state;
    assert_ok(caller_digests_init(&digests, &err), err);
    assert_int_equal(truncate(path, (off_t)SKRFS_EXE_MAX + 1), 0);
    fill(&digests, &caller);
    assert_false(caller.known & SKRFS_FACT_SHA256);
    assert_non_null(strstr(caller.lack, "is longer than"));
    caller = (struct skrfs_caller){0};
    caller_digests_fill(&digests, open("/dev/null", O_RDONLY), SKRFS_FACT_SHA256, 1, &caller);
    assert_int_equal(caller.known, 0);
    assert_non_null(strstr(caller.lack, "no file"));
    caller_digests_done(&digests);
}

static void test_of_a_file_that_does_not_run(void **state) {
    struct skrfs_caller caller = {.known = SKRFS_FACT_GROUPS | SKRFS_FACT_VERITY};
    (void)state;
    assert_int_equal(truncate(path, 3), 0);
    write_file("three");
    skrfs_describe_file(path, &caller);
    assert_digest_of(&caller, "three");
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    /* Of this file nobody asked for fs-verity. */
    assert_false(caller.known & SKRFS_FACT_VERITY);
    caller = (struct skrfs_caller){0};
    skrfs_describe_file("/no/such/file", &caller);
    assert_int_equal(caller.known, 0);
    assert_non_null(strstr(caller.lack, "cannot be opened"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_kept_once_it_is_settled),
            cmocka_unit_test(test_forgotten_with_the_mounts),
            cmocka_unit_test(test_least_used_makes_room),
            cmocka_unit_test(test_long_one_is_made_in_pieces),
            cmocka_unit_test(test_changed_while_it_is_read),
            cmocka_unit_test(test_only_so_many_at_a_time),
            cmocka_unit_test(test_too_long_and_no_file),
            cmocka_unit_test(test_of_a_file_that_does_not_run),
    };
    return cmocka_run_group_tests_name("digests of executables", tests, make_dir, remove_dir);
}
