#include "processes.h"
#include "support.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <skrfs/base/file.h>
#include <skrfs/caller/caller.h>
#include <skrfs/crypto/hash.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
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
    describe(all, &caller);
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
    describe(SKRFS_FACT_GROUPS, &caller);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    assert_false(caller.known & SKRFS_FACT_EXE);
    describe(SKRFS_FACT_EXE, &caller);
    assert_false(caller.known & SKRFS_FACT_GROUPS);
    assert_true(caller.known & SKRFS_FACT_EXE);
}

static void *describe_thread(void *arg) {
    struct skrfs_caller *caller = arg;
    caller->pid = (pid_t)syscall(SYS_gettid);
    describe(all, caller);
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
        describe(all, &caller);
        assert_false(caller.known & SKRFS_FACT_EXE);
        assert_false(caller.known & SKRFS_FACT_GROUPS);
    }
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
    describe(all, &caller);
    end(caller.pid);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    assert_int_equal(caller.group_count, 3);
    assert_int_equal(caller.groups[0], 7);
    assert_int_equal(caller.groups[2], 9);
    /* One that is not looked at could be one that is denied. */
    caller.pid = fork_waiting(set_many);
    describe(all, &caller);
    end(caller.pid);
    assert_false(caller.known & SKRFS_FACT_GROUPS);
    assert_true(caller.known & SKRFS_FACT_EXE);
}

static int become_other(void) {
    return syscall(SYS_setresgid, 7, 7, 7) || syscall(SYS_setresuid, 5, 5, 5);
}

/* What the kernel says of the request and what the thread is must be the same. */
static void test_ids_that_differ(void **state) {
    static struct skrfs_caller caller;
    (void)state;
    if (geteuid() != 0) {
        print_message("other ids need root\n");
        skip();
    }
    caller.pid = fork_waiting(become_other);
    describe(all, &caller);
    assert_false(caller.known & SKRFS_FACT_GROUPS);
    assert_non_null(strstr(caller.lack, "not those it reads with"));
    caller.uid = 5;
    caller.gid = 7;
    describe(all, &caller);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    caller.uid = (uid_t)-1;
    caller.gid = 0;
    describe(all, &caller);
    end(caller.pid);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    assert_int_equal(caller.uid, 5);
    assert_int_equal(caller.gid, 7);
    caller = (struct skrfs_caller){0};
}

static void *other_thread(void *arg) {
    struct skrfs_caller *caller = arg;
    gid_t groups[2] = {70, 71};
    if (syscall(SYS_setgroups, 2, groups) || become_other())
        return NULL;
    caller->uid = 5;
    caller->gid = 7;
    caller->pid = (pid_t)syscall(SYS_gettid);
    describe(SKRFS_FACTS_ALL, caller);
    return caller;
}

/* Credentials are a thread's; its leader may have others. */
static void test_thread_with_credentials_of_its_own(void **state) {
    static struct skrfs_caller caller;
    pthread_t thread;
    void *result;
    (void)state;
    if (geteuid() != 0) {
        print_message("other ids need root\n");
        skip();
    }
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &caller), 0);
    pthread_join(thread, &result);
    assert_non_null(result);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    assert_int_equal(caller.group_count, 2);
    assert_int_equal(caller.groups[1], 71);
}

static void test_everything(void **state) {
    static struct skrfs_caller caller;
    const unsigned here = SKRFS_FACTS_ALL & ~(unsigned)(SKRFS_FACT_VERITY | SKRFS_FACT_LABEL);
    skrfs_autobuf contents = SKRFS_BUF(64 * 1024 * 1024);
    struct skrfs_error err;
    struct stat status;
    uint8_t digest[32];
    (void)state;
    caller.uid = geteuid();
    caller.gid = getegid();
    caller.pid = getpid();
    describe(SKRFS_FACTS_ALL, &caller);
    if ((caller.known & here) != here)
        fail_msg("known %#x: %s", caller.known, caller.lack);
    assert_ok(skrfs_file_read("/proc/self/exe", &contents, &err), err);
    assert_ok(skrfs_hash(SKRFS_SHA256, contents.data, contents.len, digest, &err), err);
    assert_memory_equal(caller.sha256, digest, sizeof digest);
    assert_int_equal(caller.cgroup[0], '/');
    for (size_t i = 0; i < SKRFS_NS_COUNT; i++)
        assert_true(caller.spaces[i].host);
    assert_int_equal(stat("/proc/self/ns/mnt", &status), 0);
    assert_int_equal(caller.spaces[SKRFS_NS_MNT].inode, status.st_ino);
    assert_true(caller.known & SKRFS_FACT_LABEL || strstr(caller.lack, "security module") ||
                strstr(caller.lack, "fs-verity"));
}

static int unshare_mnt(void) {
    return unshare(CLONE_NEWNS);
}

static int unshare_user(void) {
    return unshare(CLONE_NEWUSER);
}

static int stay(void) {
    return 0;
}

static void test_namespaces(void **state) {
    static const struct {
        int (*prepare)(void);
        bool host[SKRFS_NS_COUNT];
    } rows[] = {
            {stay, {true, true, true}},
            {unshare_mnt, {false, true, true}},
            {unshare_user, {true, true, false}},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        static struct skrfs_caller caller;
        if (!can(rows[i].prepare)) {
            print_message("a namespace of row %zu cannot be made here\n", i);
            continue;
        }
        caller.pid = fork_waiting(rows[i].prepare);
        describe(SKRFS_FACT_NAMESPACES | SKRFS_FACT_SHA256, &caller);
        end(caller.pid);
        assert_true(caller.known & SKRFS_FACT_NAMESPACES);
        for (size_t k = 0; k < SKRFS_NS_COUNT; k++)
            assert_int_equal(caller.spaces[k].host, rows[i].host[k]);
        /* Digests of executables are made for the own user namespace alone. */
        assert_int_equal(!!(caller.known & SKRFS_FACT_SHA256), rows[i].host[SKRFS_NS_USER]);
    }
}

/* "Host" are the namespaces of the process that is named. */
static void test_host_of_another_process(void **state) {
    struct skrfs_caller caller = {0};
    struct skrfs_describer *describer;
    struct skrfs_error err;
    (void)state;
    if (!can(unshare_mnt)) {
        print_message("no namespace can be made here\n");
        skip();
    }
    pid_t host = fork_waiting(unshare_mnt);
    assert_ok(skrfs_describer_new(NULL, 0, host, &describer, &err), err);
    caller.pid = host;
    skrfs_describe(describer, SKRFS_FACT_NAMESPACES, &caller);
    assert_true(caller.spaces[SKRFS_NS_MNT].host);
    caller.pid = getpid();
    skrfs_describe(describer, SKRFS_FACT_NAMESPACES, &caller);
    assert_true(caller.known & SKRFS_FACT_NAMESPACES);
    assert_false(caller.spaces[SKRFS_NS_MNT].host);
    skrfs_describer_free(describer);
    end(host);
    assert_fails(skrfs_describer_new(NULL, 0, host, &describer, &err), err, SKRFS_CLASS_SYSTEM,
            "namespaces");
}

static int be_traced(void) {
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0;
}

/* What a traced program does is its tracer's doing. */
static void test_traced(void **state) {
    static struct skrfs_caller caller;
    (void)state;
    caller.uid = geteuid();
    caller.gid = getegid();
    caller.pid = fork_waiting(be_traced);
    describe(SKRFS_FACTS_ALL, &caller);
    end(caller.pid);
    assert_false(caller.known & (SKRFS_FACT_EXE | SKRFS_FACT_SHA256));
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    assert_true(caller.known & SKRFS_FACT_CGROUP);
    assert_non_null(strstr(caller.lack, "it is traced by process"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_self),
            cmocka_unit_test(test_only_what_is_needed),
            cmocka_unit_test(test_thread),
            cmocka_unit_test(test_nobody),
            cmocka_unit_test(test_groups),
            cmocka_unit_test(test_ids_that_differ),
            cmocka_unit_test(test_thread_with_credentials_of_its_own),
            cmocka_unit_test(test_everything),
            cmocka_unit_test(test_namespaces),
            cmocka_unit_test(test_host_of_another_process),
            cmocka_unit_test(test_traced),
    };
    return cmocka_run_group_tests_name("describing a caller", tests, NULL, NULL);
}
