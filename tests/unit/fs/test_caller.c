#include "support.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <skrfs/fs/fs.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const unsigned all = SKRFS_FACT_GROUPS | SKRFS_FACT_EXE;

static void own_exe(char *out, size_t size) {
    ssize_t len = readlink("/proc/self/exe", out, size - 1);
    assert_true(len > 0);
    out[len] = 0;
}

static void test_self(void **state) {
    static struct skrfs_caller caller;
    char exe[4096];
    gid_t groups[SKRFS_GROUPS_MAX];
    int count = getgroups(SKRFS_GROUPS_MAX, groups);
    (void)state;
    caller.pid = getpid();
    skrfs_caller_describe(all, &caller);
    own_exe(exe, sizeof exe);
    assert_true(caller.known & SKRFS_FACT_EXE);
    assert_string_equal(caller.exe, exe);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    assert_int_equal(caller.group_count, count);
}

static void test_only_what_is_needed(void **state) {
    static struct skrfs_caller caller;
    (void)state;
    caller.pid = getpid();
    skrfs_caller_describe(SKRFS_FACT_GROUPS, &caller);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    assert_false(caller.known & SKRFS_FACT_EXE);
    skrfs_caller_describe(SKRFS_FACT_EXE, &caller);
    assert_false(caller.known & SKRFS_FACT_GROUPS);
    assert_true(caller.known & SKRFS_FACT_EXE);
}

static void *describe_thread(void *arg) {
    struct skrfs_caller *caller = arg;
    caller->pid = (pid_t)syscall(SYS_gettid);
    skrfs_caller_describe(all, caller);
    return NULL;
}

/* The kernel names threads, not processes. */
static void test_thread(void **state) {
    static struct skrfs_caller caller;
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, describe_thread, &caller), 0);
    pthread_join(thread, NULL);
    assert_int_not_equal(caller.pid, getpid());
    assert_true(caller.known & SKRFS_FACT_EXE);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
}

static void test_nobody(void **state) {
    static struct skrfs_caller caller;
    (void)state;
    pid_t gone = fork();
    assert_true(gone >= 0);
    if (gone == 0)
        _exit(0);
    waitpid(gone, NULL, 0);
    pid_t pids[] = {0, -1, gone};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(pids); i++) {
        caller.pid = pids[i];
        caller.known = all;
        skrfs_caller_describe(all, &caller);
        assert_false(caller.known & SKRFS_FACT_EXE);
        assert_false(caller.known & SKRFS_FACT_GROUPS);
    }
}

/* A child that says it is ready and waits to be killed. */
static pid_t fork_waiting(int (*prepare)(void)) {
    int ends[2];
    char ready;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        ready = prepare ? (char)prepare() : 0;
        if (write(ends[1], &ready, 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(ready, 0);
    return pid;
}

static void end(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int set_three(void) {
    gid_t groups[3] = {7, 8, 9};
    return setgroups(3, groups) != 0;
}

static int set_many(void) {
    static gid_t groups[SKRFS_GROUPS_MAX + 1];
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(groups); i++)
        groups[i] = (gid_t)(1000 + i);
    return setgroups(SKRFS_ARRAY_LEN(groups), groups) != 0;
}

static void test_groups(void **state) {
    static struct skrfs_caller caller;
    (void)state;
    if (geteuid() != 0) {
        print_message("setting groups needs root\n");
        skip();
    }
    caller.pid = fork_waiting(set_three);
    skrfs_caller_describe(all, &caller);
    end(caller.pid);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    assert_int_equal(caller.group_count, 3);
    assert_int_equal(caller.groups[0], 7);
    assert_int_equal(caller.groups[2], 9);
    /* One that is not looked at could be one that is denied. */
    caller.pid = fork_waiting(set_many);
    skrfs_caller_describe(all, &caller);
    end(caller.pid);
    assert_false(caller.known & SKRFS_FACT_GROUPS);
    assert_true(caller.known & SKRFS_FACT_EXE);
}

static void copy_file(const char *from, const char *to) {
    char data[65536];
    ssize_t len;
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0700);
    assert_true(in >= 0 && out >= 0);
    while ((len = read(in, data, sizeof data)) > 0)
        assert_int_equal(write(out, data, (size_t)len), len);
    close(in);
    close(out);
}

static void wait_for_exe(pid_t pid, const char *path) {
    char link[64], exe[4096] = "";
    snprintf(link, sizeof link, "/proc/%d/exe", pid);
    for (unsigned i = 0; i < 1000 && strcmp(exe, path) != 0; i++) {
        ssize_t len = readlink(link, exe, sizeof exe - 1);
        exe[len > 0 ? len : 0] = 0;
        usleep(5000);
    }
    assert_string_equal(exe, path);
}

/* The path of a deleted program may be another's by now. */
static void test_deleted_program(void **state) {
    static struct skrfs_caller caller;
    char dir[] = "/tmp/skrfs-test-XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/sleep", dir);
    copy_file("/bin/sleep", path);
    caller.pid = fork();
    assert_true(caller.pid >= 0);
    if (caller.pid == 0) {
        execl(path, "sleep", "60", NULL);
        _exit(1);
    }
    wait_for_exe(caller.pid, path);
    skrfs_caller_describe(all, &caller);
    assert_true(caller.known & SKRFS_FACT_EXE);
    assert_string_equal(caller.exe, path);
    assert_int_equal(unlink(path), 0);
    skrfs_caller_describe(all, &caller);
    assert_false(caller.known & SKRFS_FACT_EXE);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    end(caller.pid);
    assert_int_equal(rmdir(dir), 0);
}

/* A program in a mount namespace of its own, where `program` is bound over `path` first, if given.
 */
static pid_t run_apart(const char *program, const char *path) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) != 0)
        _exit(1);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            (program && mount(program, path, NULL, MS_BIND, NULL) != 0))
        _exit(2);
    execl(path, "sleep", "60", NULL);
    _exit(3);
}

static bool can_live_apart(void) {
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) != 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

/* Whoever may make namespaces can have any program show the path of any other. */
static void test_program_in_disguise(void **state) {
    static struct skrfs_caller caller;
    skrfs_autofree char *sleeper = realpath("/bin/sleep", NULL);
    skrfs_autofree char *other = realpath("/bin/true", NULL);
    (void)state;
    assert_non_null(sleeper);
    assert_non_null(other);
    if (!can_live_apart()) {
        print_message("no namespace can be made here\n");
        skip();
    }
    caller.pid = run_apart(sleeper, other);
    wait_for_exe(caller.pid, other);
    skrfs_caller_describe(all, &caller);
    end(caller.pid);
    assert_false(caller.known & SKRFS_FACT_EXE);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    /* A service with a namespace of its own runs the file that is seen here too. */
    caller.pid = run_apart(NULL, sleeper);
    wait_for_exe(caller.pid, sleeper);
    skrfs_caller_describe(all, &caller);
    end(caller.pid);
    assert_true(caller.known & SKRFS_FACT_EXE);
    assert_string_equal(caller.exe, sleeper);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_self),
            cmocka_unit_test(test_only_what_is_needed),
            cmocka_unit_test(test_thread),
            cmocka_unit_test(test_nobody),
            cmocka_unit_test(test_groups),
            cmocka_unit_test(test_deleted_program),
            cmocka_unit_test(test_program_in_disguise),
    };
    return cmocka_run_group_tests_name("describing a caller", tests, NULL, NULL);
}
