#include "processes.h"

#include "support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const no_paths[] = {"/no/such/program", "/no/such/folder/*"};

void describe_named(
        const char *const *paths, size_t count, unsigned facts, struct skrfs_caller *caller) {
    struct skrfs_describer *describer;
    struct skrfs_error err;
    assert_ok(skrfs_describer_new(paths, count, 0, &describer, &err), err);
    skrfs_describe(describer, facts, caller);
    skrfs_describer_free(describer);
}

void describe(unsigned facts, struct skrfs_caller *caller) {
    describe_named(no_paths, SKRFS_ARRAY_LEN(no_paths), facts, caller);
}

/* A child that says it is ready and waits to be killed. */
pid_t fork_waiting(int (*prepare)(void)) {
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

void end(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

bool can(int (*prepare)(void)) {
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(prepare() != 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}
