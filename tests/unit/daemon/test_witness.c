#include "support.h"

#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t serve_in_child(int fds[2]) {
    struct skrfs_error err;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct skrfs_describer *describer;
        close(fds[0]);
        _exit(skrfs_describer_new(NULL, 0, 0, &describer, &err) < 0 ||
                skrfs_sandbox_witness(&err) < 0 ||
                skrfs_witness_serve(fds[1], describer, &err) < 0);
    }
    close(fds[1]);
    return pid;
}

static void assert_ended_well(pid_t pid) {
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_describes_and_ends_with_the_other_end(void **state) {
    const unsigned needs = SKRFS_FACT_GROUPS | SKRFS_FACT_EXE;
    struct skrfs_caller caller = {.uid = getuid(), .gid = getgid(), .pid = getpid()};
    struct skrfs_witness *witness;
    struct skrfs_error err;
    char exe[SKRFS_PATH_MAX] = {0};
    int fds[2];

    (void)state;
    pid_t pid = serve_in_child(fds);
    assert_ok(skrfs_witness_new(fds[0], &witness, &err), err);
    assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
    for (unsigned i = 0; i < 3; i++) {
        memset(caller.exe, 0, sizeof(caller.exe));
        skrfs_witness_describe(witness, needs, &caller);
        assert_true(caller.known & SKRFS_FACT_EXE);
        assert_string_equal(caller.exe, exe);
        assert_true(caller.known & SKRFS_FACT_GROUPS);
        assert_int_equal(caller.group_count, getgroups(0, NULL));
    }
    skrfs_witness_free(witness);
    assert_ended_well(pid);
}

static void test_says_no_more_than_was_asked(void **state) {
    struct skrfs_caller caller = {
            .uid = getuid(), .gid = getgid(), .pid = getpid(), .known = SKRFS_FACT_EXE};
    struct skrfs_witness *witness;
    struct skrfs_error err;
    int fds[2];

    (void)state;
    pid_t pid = serve_in_child(fds);
    assert_ok(skrfs_witness_new(fds[0], &witness, &err), err);
    skrfs_witness_describe(witness, SKRFS_FACT_GROUPS, &caller);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    assert_false(caller.known & SKRFS_FACT_EXE);
    skrfs_witness_free(witness);
    assert_ended_well(pid);
}

static void test_of_a_process_that_is_gone_nothing_is_known(void **state) {
    const unsigned needs = SKRFS_FACT_GROUPS | SKRFS_FACT_EXE;
    struct skrfs_witness *witness;
    struct skrfs_error err;
    int fds[2];

    (void)state;
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    assert_ended_well(gone);
    struct skrfs_caller caller = {.uid = getuid(), .gid = getgid(), .pid = gone};
    pid_t pid = serve_in_child(fds);
    assert_ok(skrfs_witness_new(fds[0], &witness, &err), err);
    skrfs_witness_describe(witness, needs, &caller);
    assert_false(caller.known & SKRFS_FACT_GROUPS);
    assert_false(caller.known & SKRFS_FACT_EXE);
    skrfs_witness_free(witness);
    assert_ended_well(pid);
}

/* Nothing waits for a witness for ever, and what nobody said is not believed. */
static void test_silence_is_unknown(void **state) {
    const unsigned needs = SKRFS_FACT_GROUPS | SKRFS_FACT_EXE;
    struct skrfs_caller caller = {
            .uid = getuid(), .gid = getgid(), .pid = getpid(), .known = SKRFS_FACT_EXE};
    struct skrfs_witness *witness;
    struct skrfs_error err;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    assert_ok(skrfs_witness_new(fds[0], &witness, &err), err);
    uint64_t before = skrfs_now_ns();
    skrfs_witness_describe(witness, needs, &caller);
    assert_true(skrfs_now_ns() - before < 3 * SKRFS_SECOND_NS);
    assert_false(caller.known & SKRFS_FACT_GROUPS);
    assert_false(caller.known & SKRFS_FACT_EXE);
    close(fds[1]);
    caller.known = SKRFS_FACT_EXE;
    skrfs_witness_describe(witness, needs, &caller);
    assert_false(caller.known & SKRFS_FACT_EXE);
    skrfs_witness_free(witness);
}

static void test_a_torn_testimony_is_unknown(void **state) {
    const unsigned needs = SKRFS_FACT_GROUPS | SKRFS_FACT_EXE;
    struct skrfs_caller caller = {.uid = getuid(), .gid = getgid(), .pid = getpid()};
    struct skrfs_witness *witness;
    struct skrfs_error err;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(send(fds[1], "\1\0\0\0\1\1", 6, 0), 6);
    assert_ok(skrfs_witness_new(fds[0], &witness, &err), err);
    skrfs_witness_describe(witness, needs, &caller);
    assert_false(caller.known & SKRFS_FACT_GROUPS);
    assert_false(caller.known & SKRFS_FACT_EXE);
    close(fds[1]);
    skrfs_witness_free(witness);
}

/* The other way round: a question of the wrong length ends the process instead of being guessed at.
 */
static void test_a_torn_question_ends_the_process(void **state) {
    int fds[2], status;

    (void)state;
    pid_t pid = serve_in_child(fds);
    assert_int_equal(send(fds[0], "?", 1, 0), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    close(fds[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_describes_and_ends_with_the_other_end),
            cmocka_unit_test(test_says_no_more_than_was_asked),
            cmocka_unit_test(test_of_a_process_that_is_gone_nothing_is_known),
            cmocka_unit_test(test_silence_is_unknown),
            cmocka_unit_test(test_a_torn_testimony_is_unknown),
            cmocka_unit_test(test_a_torn_question_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
