#include "get.h"

#include <skrfs/client/wiring.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin" /* where execvp(3) looks without $PATH */

static bool is_program(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

static char *find_in(const char *folders, const char *program) {
    for (const char *at = folders;; at++) {
        size_t len = strcspn(at, ":");
        char *path = NULL;
        if (asprintf(&path, "%.*s%s%s", (int)len, at, len ? "/" : "./", program) < 0) {
            return NULL;
        }
        if (is_program(path)) {
            return path;
        }
        free(path);
        at += len;
        if (!*at) {
            return NULL;
        }
    }
}

int get_program_find(const char *program, char **ret_path, struct skrfs_error *err) {
    const char *folders = getenv("PATH");
    char *path = NULL;
    if (!strchr(program, '/')) {
        path = *program ? find_in(folders ? folders : DEFAULT_PATH, program) : NULL;
    } else if (is_program(program)) {
        path = strdup(program);
    }
    if (!path) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "there is no program '%s' that could be run: nothing was released", program);
    }
    *ret_path = path;
    return 0;
}

int get_process_close(struct get *get, struct skrfs_error *err) {
    if (getrlimit(RLIMIT_CORE, &get->core) != 0 || getrlimit(RLIMIT_MEMLOCK, &get->locked) != 0) {
        return skrfs_fail_errno(err, errno, "read this process's limits");
    }
    /* The hard limit stays, so that the program can have its own back. */
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = get->core.rlim_max};
    /* Gramine has no prctl(2) (libos/src/arch/x86_64/libos_table.c), and an enclave's memory is
     * closed to debuggers by the processor. */
    bool sealed = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 || errno == ENOSYS;
    if (!sealed || setrlimit(RLIMIT_CORE, &none) != 0) {
        return skrfs_fail_errno(err, errno, "close the process against dumps");
    }
    return 0;
}

int get_environment_keep(struct get *get, struct skrfs_error *err) {
    size_t count = 0;
    while (environ && environ[count]) {
        count++;
    }
    get->environment = calloc(count + 1, sizeof(*get->environment));
    if (!get->environment) {
        return skrfs_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        get->environment[i] = environ[i];
    }
    return 0;
}

/* Mystikos's secret was given for the login that is over. */
static void secret_drop(char **environment) {
    static const char name[] = "CLIENT_SECRET=";
    size_t to = 0;
    for (size_t from = 0; environment[from]; from++) {
        if (strncmp(environment[from], name, strlen(name)) == 0) {
            skrfs_wipe(environment[from], strlen(environment[from]));
        } else {
            environment[to++] = environment[from];
        }
    }
    environment[to] = NULL;
}

static char **arguments(const char *program, const struct skrfs_call *call) {
    char **argv = calloc((size_t)call->rest_count + 2, sizeof(*argv));
    char *first = strdup(program);
    if (!argv || !first) {
        free(argv);
        free(first);
        return NULL;
    }
    argv[0] = first;
    for (int i = 0; i < call->rest_count; i++) {
        argv[i + 1] = call->rest[i];
    }
    return argv;
}

/* Keys, tokens and connections go before, not with the memory: exec may fail. Every descriptor of
 * ours is closed or marked to be; those that were inherited are the program's. */
int get_exec(struct get *get, const struct skrfs_call *call, struct skrfs_error *err) {
    const struct get was = *get;
    char **argv = arguments(was.options->program, call);
    if (!argv) {
        return skrfs_fail_memory(err);
    }
    get->program = NULL;
    get->environment = NULL;
    get_done(get);
    *get = (struct get){.options = was.options};
    if (was.options->mystikos) {
        secret_drop(was.environment);
    }
    (void)fflush(stdout);
    (void)setrlimit(RLIMIT_CORE, &was.core);
    (void)setrlimit(RLIMIT_MEMLOCK, &was.locked);
    execve(was.program, argv, was.environment);
    skrfs_fail_errno(err, errno, "run '%s' (the keys are written)", was.program);
    free(argv[0]);
    free(argv);
    free(was.program);
    free(was.environment);
    return -1;
}
