/* Programs that are not what their path says. */
#include "processes.h"
#include "support.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const unsigned all = SKRFS_FACT_GROUPS | SKRFS_FACT_EXE;

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
    describe(all, &caller);
    assert_true(caller.known & SKRFS_FACT_EXE);
    assert_string_equal(caller.exe, path);
    assert_int_equal(unlink(path), 0);
    describe(all, &caller);
    assert_false(caller.known & SKRFS_FACT_EXE);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    end(caller.pid);
    assert_int_equal(rmdir(dir), 0);
}

static int live_apart(void) {
    return unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0));
}

/* A program in a mount namespace of its own, where `program` is bound over `path` first, if given.
 */
static pid_t run_apart(const char *program, const char *path) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    if (live_apart() != 0)
        _exit(1);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            (program && mount(program, path, NULL, MS_BIND, NULL) != 0))
        _exit(2);
    execl(path, "sleep", "60", NULL);
    _exit(3);
}

/* Whoever may make namespaces can have any program show the path of any other. */
static void test_program_in_disguise(void **state) {
    static struct skrfs_caller caller;
    skrfs_autofree char *sleeper = realpath("/bin/sleep", NULL);
    skrfs_autofree char *other = realpath("/bin/true", NULL);
    (void)state;
    assert_non_null(sleeper);
    assert_non_null(other);
    if (!can(live_apart)) {
        print_message("no namespace can be made here\n");
        skip();
    }
    caller.pid = run_apart(sleeper, other);
    wait_for_exe(caller.pid, other);
    describe(all, &caller);
    end(caller.pid);
    assert_false(caller.known & SKRFS_FACT_EXE);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    /* A service with a namespace of its own runs the file that is seen here too. */
    caller.pid = run_apart(NULL, sleeper);
    wait_for_exe(caller.pid, sleeper);
    describe(all, &caller);
    assert_false(caller.known & SKRFS_FACT_EXE);
    assert_non_null(strstr(caller.lack, "another mount namespace"));
    /* ...which is looked at when a rule names it. */
    describe_named((const char *const[]){sleeper}, 1, all, &caller);
    end(caller.pid);
    assert_true(caller.known & SKRFS_FACT_EXE);
    assert_string_equal(caller.exe, sleeper);
}

/* One need not live in that namespace to run a program from it: what counts is where the program
 * is.
 */
static void test_program_of_another_namespace(void **state) {
    static struct skrfs_caller caller;
    skrfs_autofree char *sleeper = realpath("/bin/sleep", NULL);
    skrfs_autofree char *other = realpath("/bin/true", NULL);
    char path[4200];
    (void)state;
    if (!can(live_apart)) {
        print_message("no namespace can be made here\n");
        skip();
    }
    pid_t apart = run_apart(sleeper, other);
    wait_for_exe(apart, other);
    snprintf(path, sizeof path, "/proc/%d/root%s", apart, other);
    caller.pid = fork();
    assert_true(caller.pid >= 0);
    if (caller.pid == 0) {
        execl(path, "sleep", "60", NULL);
        _exit(1);
    }
    /* The kernel prints the path within the other namespace. */
    wait_for_exe(caller.pid, other);
    describe_named((const char *const[]){other}, 1, all, &caller);
    assert_false(caller.known & SKRFS_FACT_EXE);
    assert_true(caller.known & SKRFS_FACT_GROUPS);
    end(caller.pid);
    end(apart);
}

/* A program in memory is at no path, and on no mount. */
static void test_program_in_memory(void **state) {
    static struct skrfs_caller caller;
    char data[65536];
    ssize_t len;
    (void)state;
    int in = open("/bin/sleep", O_RDONLY), memory = (int)syscall(SYS_memfd_create, "sleep", 0);
    assert_true(in >= 0 && memory >= 0);
    while ((len = read(in, data, sizeof data)) > 0)
        assert_int_equal(write(memory, data, (size_t)len), len);
    close(in);
    caller.pid = fork();
    assert_true(caller.pid >= 0);
    if (caller.pid == 0) {
        char *argv[] = {data, data + 1, NULL};
        memcpy(data, "\00060", 4);
        fexecve(memory, argv, environ);
        _exit(1);
    }
    wait_for_exe(caller.pid, "/memfd:sleep (deleted)");
    close(memory);
    describe(SKRFS_FACT_EXE | SKRFS_FACT_SHA256, &caller);
    end(caller.pid);
    assert_int_equal(caller.known, 0);
    assert_non_null(strstr(caller.lack, "at no path"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_deleted_program),
            cmocka_unit_test(test_program_in_disguise),
            cmocka_unit_test(test_program_of_another_namespace),
            cmocka_unit_test(test_program_in_memory),
    };
    return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
