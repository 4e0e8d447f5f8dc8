#include "support.h"

#include <fcntl.h>
#include <pty.h>
#include <skrfs/base/cleanup.h>
#include <skrfs/base/file.h>
#include <skrfs/cli/cli.h>
#include <sys/mman.h>
#include <unistd.h>

/* Runs the program in this process with its outputs caught. */
struct run {
    int status;
    char out[16384], err[4096];
};

static void caught(int fd, char *text, size_t size) {
    ssize_t len = pread(fd, text, size - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
}

/* `terminal` >= 0: becomes standard output, and run->out stays empty. */
static void run_words(struct run *run, int terminal, char **words) {
    int argc = 0;
    while (words[argc]) {
        argc++;
    }
    skrfs_autoclose int out = memfd_create("out", MFD_CLOEXEC);
    skrfs_autoclose int err = memfd_create("err", MFD_CLOEXEC);
    skrfs_autoclose int old_out = dup(STDOUT_FILENO), old_err = dup(STDERR_FILENO);
    assert_true(out >= 0 && err >= 0 && old_out >= 0 && old_err >= 0);
    (void)fflush(stdout);
    assert_true(dup2(terminal >= 0 ? terminal : out, STDOUT_FILENO) >= 0);
    assert_true(dup2(err, STDERR_FILENO) >= 0);
    run->status = skrfs_cli_main(argc, words);
    (void)fflush(stdout);
    (void)dup2(old_out, STDOUT_FILENO);
    (void)dup2(old_err, STDERR_FILENO);
    caught(out, run->out, sizeof(run->out));
    caught(err, run->err, sizeof(run->err));
}

#define RUN(...) run_words(&run, -1, (char *[]){(char *)"skrfs", __VA_ARGS__, NULL})
#define RUN_ON(terminal, ...)                                                                      \
    run_words(&run, (terminal), (char *[]){(char *)"skrfs", __VA_ARGS__, NULL})
#define W(text) ((char *)(text))

#define assert_run(wanted_status, wanted_err)                                                      \
    do {                                                                                           \
        if (run.status != (wanted_status) || !strstr(run.err, (wanted_err))) {                     \
            print_error("%d: %s\n", run.status, run.err);                                          \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/* A file that goes when the test ends. */
static char scratch[64];

static const char *file_with(const char *text) {
    struct skrfs_error err;
    (void)snprintf(scratch, sizeof(scratch), "/tmp/skrfs-cli-XXXXXX");
    int fd = mkstemp(scratch);
    assert_true(fd >= 0);
    assert_ok(skrfs_fd_write(fd, text, strlen(text), &err), err);
    close(fd);
    return scratch;
}

static int remove_scratch(void **state) {
    (void)state;
    (void)unlink(scratch);
    return 0;
}

static const char configuration[] = "[attestation]\n"
                                    "url = https://shared.eus.attest.azure.net\n"
                                    "[vault prod]\n"
                                    "url = https://contoso.vault.azure.net\n"
                                    "[key tls-server]\n"
                                    "[key public]\n"
                                    "format = pub.pem\n";

static void tells_what_it_can(void **state) {
    (void)state;
    struct run run;
    RUN(W("--version"));
    assert_run(0, "");
    assert_int_equal(strncmp(run.out, "skrfs ", 6), 0);
    RUN(W("--help"));
    assert_run(0, "");
    assert_non_null(strstr(run.out, "policy lint"));
    RUN(W("help"), W("key"), W("create"));
    assert_run(0, "");
    assert_non_null(strstr(run.out, "--immutable"));
    RUN(W("key"), W("--help"));
    assert_run(0, "");
    assert_null(strstr(run.out, "policy new"));
}

static void wrong_words_are_usage_errors(void **state) {
    (void)state;
    struct run run;
    RUN(NULL);
    assert_run(2, "which verb?");
    RUN(W("gte"));
    assert_run(2, "did you mean 'skrfs get'?");
    RUN(W("key"));
    assert_run(2, "skrfs key: which verb?");
    RUN(W("get"));
    assert_run(2, "skrfs get: something is missing");
    RUN(W("get"), W("a"), W("b"));
    assert_run(2, "--to DIR");
    RUN(W("get"), W("a"), W("--format"), W("pme"));
    assert_run(2, "did you mean 'pem'?");
    RUN(W("key"), W("create"), W("a"));
    assert_run(2, "--policy FILE");
    RUN(W("lab"), W("up"), W("--tee"), W("sgx"));
    assert_run(2, "snp or tdx");
    assert_string_equal(run.out, "");
}

static void no_configuration_no_work(void **state) {
    (void)state;
    struct run run;
    RUN(W("get"), W("a"), W("--config"), W("/nonexistent/skrfs.conf"));
    assert_run(2, "/nonexistent/skrfs.conf");
    RUN(W("mount"), W("-o"), W("config=/nonexistent/skrfs.conf"), W("/tmp"));
    assert_run(2, "/nonexistent/skrfs.conf");
    RUN(W("/nonexistent/skrfs.conf"), W("/tmp"), W("-o"), W("rw"));
    assert_run(2, "/nonexistent/skrfs.conf");
    RUN(W("key"), W("list"), W("--config"), W(file_with("[vualt prod]\n")));
    assert_run(2, ":1:1: ");
}

static void mount_helper_only_looks_with_f(void **state) {
    (void)state;
    struct run run;
    const char *conf = file_with(configuration);
    RUN(W(conf), W("/tmp"), W("-f"), W("-o"), W("rw,nofail"));
    assert_run(0, "");
    RUN(W(conf), W("/nonexistent/mount"), W("-f"));
    assert_run(2, "make the folder first: mount point '/nonexistent/mount'");
    RUN(W(conf), W("/tmp"), W("-f"), W("-o"), W("log=shout"));
    assert_run(2, "log=shout");
    RUN(W(conf), W("/tmp"), W("-f"), W("-o"), W("config=/x"));
    assert_run(2, "named twice");
}

static void no_key_to_a_terminal_or_a_disk(void **state) {
    (void)state;
    struct run run;
    int master = -1, terminal = -1;
    const char *conf = file_with(configuration);
    assert_int_equal(openpty(&master, &terminal, NULL, NULL, NULL), 0);
    RUN_ON(terminal, W("get"), W("tls-server"), W("-c"), W(conf));
    assert_run(2, "standard output is a terminal");
    close(master);
    close(terminal);
    RUN(W("get"), W("tls-server"), W("-c"), W(conf), W("--to"), W("/proc"));
    assert_run(2, "'/proc' is not on tmpfs or ramfs");
    RUN(W("get"), W("tls-servre"), W("-c"), W(conf), W("--to"), W("/proc"));
    assert_run(4, "did you mean 'tls-server'?");
}

static void policies_are_written_and_checked(void **state) {
    (void)state;
    struct run run;
    RUN(W("policy"), W("new"), W("--authority"), W("https://a.attest.azure.net"), W("--claim"),
            W("x-ms-ver=1.0"));
    assert_run(0, "");
    assert_non_null(strstr(run.out, "https://a.attest.azure.net"));
    assert_non_null(strstr(run.out, "azure-compliant-cvm"));
    assert_non_null(strstr(run.out, "x-ms-ver"));
    RUN(W("policy"), W("lint"), W(file_with(run.out)));
    assert_run(0, "");
    remove_scratch(NULL);
    const char *broken = file_with("{\"version\": \"1.0.0\",\n  oops}\n");
    RUN(W("policy"), W("lint"), W(broken));
    assert_run(2, broken);
    assert_int_equal(strncmp(run.out, broken, strlen(broken)), 0);
    assert_non_null(strstr(run.out, ":2:"));
    assert_non_null(strstr(run.out, ": error: "));
    RUN(W("policy"), W("new"), W("--authority"), W("https://a.attest.azure.net"), W("--claim"),
            W("x"));
    assert_run(2, "NAME=VALUE");
    RUN(W("policy"), W("new"), W("--authority"), W("https://a"), W("--tee"), W("arm"));
    assert_run(2, "sevsnpvm, tdxvm, snp, tdx or sgx");
    remove_scratch(NULL);
    RUN(W("policy"), W("new"), W("--config"), W(file_with("; empty\n")));
    assert_run(2, "which authority?");
}

static void a_mount_that_is_none_is_told(void **state) {
    (void)state;
    struct run run;
    RUN(W("why"), W("tls"), W("/nonexistent"));
    assert_run(4, "no skrfs is mounted at '/nonexistent'");
    RUN(W("why"), W("../../etc/passwd"), W("/nonexistent"));
    assert_run(4, "no skrfs is mounted at '/nonexistent'");
    RUN(W("wipe"), W("--all"), W("/nonexistent"));
    assert_run(4, "no skrfs is mounted at '/nonexistent'");
    RUN(W("status"), W("/nonexistent"));
    assert_run(4, "no skrfs is mounted at '/nonexistent'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_teardown(tells_what_it_can, remove_scratch),
            cmocka_unit_test_teardown(wrong_words_are_usage_errors, remove_scratch),
            cmocka_unit_test_teardown(no_configuration_no_work, remove_scratch),
            cmocka_unit_test_teardown(mount_helper_only_looks_with_f, remove_scratch),
            cmocka_unit_test_teardown(no_key_to_a_terminal_or_a_disk, remove_scratch),
            cmocka_unit_test_teardown(policies_are_written_and_checked, remove_scratch),
            cmocka_unit_test_teardown(a_mount_that_is_none_is_told, remove_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
