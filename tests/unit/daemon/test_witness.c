#include "support.h"
#include "witness.h"

#include <pthread.h>

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
                skrfs_witness_serve(fds[1], describer, NULL, &err) < 0);
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

/* Answers one question with this, to its number. */
struct liar {
    int fd;
    struct witness_testimony testimony;
    struct witness_question question;
};

static void *lie(void *arg) {
    struct liar *liar = arg;

    if (recv(liar->fd, &liar->question, sizeof(liar->question), 0) !=
            (ssize_t)sizeof(liar->question))
        return NULL;
    liar->testimony.number = liar->question.number;
    (void)!send(liar->fd, &liar->testimony, sizeof(liar->testimony), MSG_NOSIGNAL);
    return NULL;
}

static void hear_a_lie(struct liar *liar, unsigned facts, struct skrfs_caller *caller) {
    struct skrfs_witness *witness;
    struct skrfs_error err;
    pthread_t thread;
    int fds[2];

    *caller = (struct skrfs_caller){.uid = 1, .gid = 2, .pid = 3, .known = SKRFS_FACTS_ALL};
    snprintf(caller->exe, sizeof(caller->exe), "/left/over");
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    liar->fd = fds[1];
    assert_ok(skrfs_witness_new(fds[0], &witness, &err), err);
    assert_int_equal(pthread_create(&thread, NULL, lie, liar), 0);
    skrfs_witness_describe(witness, facts, caller);
    pthread_join(thread, NULL);
    close(fds[1]);
    skrfs_witness_free(witness);
}

static void well_formed(struct witness_testimony *testimony) {
    *testimony = (struct witness_testimony){.known = SKRFS_FACTS_ALL,
            .group_count = 2,
            .groups = {7, 8},
            .exe = "/bin/cat",
            .sha256 = {1, 2},
            .verity = "sha256:00",
            .cgroup = "/system.slice/a.service",
            .spaces = {11, 12, 13},
            .hosts = 5,
            .label = "label",
            .lack = "nothing"};
}

static void test_all_that_is_asked_is_heard(void **state) {
    static struct liar liar;
    static struct skrfs_caller caller;

    (void)state;
    well_formed(&liar.testimony);
    hear_a_lie(&liar, SKRFS_FACTS_ALL, &caller);
    assert_int_equal(liar.question.kind, WITNESS_CALLER);
    assert_int_equal(liar.question.uid, 1);
    assert_int_equal(liar.question.gid, 2);
    assert_int_equal(liar.question.pid, 3);
    assert_int_equal(caller.known, SKRFS_FACTS_ALL);
    assert_int_equal(caller.group_count, 2);
    assert_string_equal(caller.exe, "/bin/cat");
    assert_int_equal(caller.sha256[1], 2);
    assert_string_equal(caller.verity, "sha256:00");
    assert_string_equal(caller.unit, "a.service");
    assert_string_equal(caller.container, "");
    assert_int_equal(caller.spaces[SKRFS_NS_USER].inode, 13);
    assert_true(caller.spaces[SKRFS_NS_MNT].host);
    assert_false(caller.spaces[SKRFS_NS_PID].host);
    assert_string_equal(caller.label, "label");
    assert_string_equal(caller.lack, "nothing");
    /* Of the ids the kernel's word counts, and of what is not asked for there is no answer. */
    hear_a_lie(&liar, SKRFS_FACT_LABEL, &caller);
    assert_int_equal(caller.known, SKRFS_FACT_LABEL);
    assert_string_equal(caller.exe, "");
    assert_int_equal(caller.uid, 1);
}

static void too_many_groups(struct witness_testimony *testimony) {
    testimony->group_count = SKRFS_GROUPS_MAX + 1;
}

static void exe_without_end(struct witness_testimony *testimony) {
    memset(testimony->exe, '/', sizeof(testimony->exe));
}

static void exe_without_root(struct witness_testimony *testimony) {
    testimony->exe[0] = 'b';
}

static void verity_without_end(struct witness_testimony *testimony) {
    memset(testimony->verity, 'a', sizeof(testimony->verity));
}

static void cgroup_without_end(struct witness_testimony *testimony) {
    memset(testimony->cgroup, '/', sizeof(testimony->cgroup));
}

static void cgroup_without_root(struct witness_testimony *testimony) {
    testimony->cgroup[0] = 0;
}

static void label_without_end(struct witness_testimony *testimony) {
    memset(testimony->label, 'a', sizeof(testimony->label));
}

static void lack_without_end(struct witness_testimony *testimony) {
    memset(testimony->lack, 'a', sizeof(testimony->lack));
}

static void test_what_is_out_of_form_is_unknown(void **state) {
    static const struct {
        void (*spoil)(struct witness_testimony *testimony);
        unsigned lost;
    } rows[] = {
            {too_many_groups, SKRFS_FACT_GROUPS},
            {exe_without_end, SKRFS_FACT_EXE},
            {exe_without_root, SKRFS_FACT_EXE},
            {verity_without_end, SKRFS_FACT_VERITY},
            {cgroup_without_end, SKRFS_FACT_CGROUP},
            {cgroup_without_root, SKRFS_FACT_CGROUP},
            {label_without_end, SKRFS_FACT_LABEL},
            {lack_without_end, 0},
    };
    static struct liar liar;
    static struct skrfs_caller caller;

    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        well_formed(&liar.testimony);
        rows[i].spoil(&liar.testimony);
        hear_a_lie(&liar, SKRFS_FACTS_ALL, &caller);
        assert_int_equal(caller.known, SKRFS_FACTS_ALL & ~rows[i].lost);
    }
    assert_string_equal(caller.lack, "");
}

/* An answer that comes too late is no answer to the next question; and while one is owed nobody
 * waits long. */
static void test_late_answers(void **state) {
    static struct witness_testimony testimony;
    static struct skrfs_caller caller;
    struct witness_question question;
    struct skrfs_witness *witness;
    struct skrfs_error err;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    assert_ok(skrfs_witness_new(fds[0], &witness, &err), err);
    caller.pid = 3;
    skrfs_witness_describe(witness, SKRFS_FACT_EXE, &caller);
    assert_string_equal(caller.lack, "the witness process is silent");
    uint64_t before = skrfs_now_ns();
    for (unsigned i = 0; i < 5; i++)
        skrfs_witness_describe(witness, SKRFS_FACT_EXE, &caller);
    assert_true(skrfs_now_ns() - before < 4 * SKRFS_SECOND_NS);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(recv(fds[1], &question, sizeof(question), 0), sizeof(question));
        well_formed(&testimony);
        testimony.number = question.number;
        assert_int_equal(send(fds[1], &testimony, sizeof(testimony), 0), sizeof(testimony));
    }
    skrfs_witness_describe(witness, SKRFS_FACT_EXE, &caller);
    assert_int_equal(caller.known, 0);
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
            cmocka_unit_test(test_all_that_is_asked_is_heard),
            cmocka_unit_test(test_what_is_out_of_form_is_unknown),
            cmocka_unit_test(test_late_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
