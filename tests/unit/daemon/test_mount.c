/* A mount of its own on this machine without a TPM: who is started, who is started again, and what
 * is left. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/file.h>
#include <skrfs/daemon/daemon.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS (15 * SKRFS_SECOND_NS)

static char vault_name[] = "prod", vault_url[] = "https://contoso.vault.azure.net",
            vault_host[] = "contoso.vault.azure.net",
            maa[] = "https://sharedweu.weu.attest.azure.net", key_name[] = "disk-data",
            identity[] = "system", no_device[] = "device:/does/not/exist";

static struct skrfs_conf_vault vault = {
        .name = vault_name, .url = vault_url, .host = vault_host, .identity = identity};
static struct skrfs_conf_key key = {
        .file = key_name, .name = key_name, .format = SKRFS_FORMAT_PEM, .guard = {.mode = 0400}};
static struct skrfs_conf conf = {.attestation_url = maa,
        .vaults = &vault,
        .vault_count = 1,
        .keys = &key,
        .key_count = 1,
        .connect_timeout_ns = SKRFS_SECOND_NS,
        .deadline_ns = 2 * SKRFS_SECOND_NS,
        .tcti = no_device};

struct mounted {
    char path[64];
    dev_t below;
    pid_t pid; /* the parent process of the mount */
};

static void pause_a_little(void) {
    uint64_t now = skrfs_now_ns();

    (void)skrfs_sleep_until(now + 20 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
}

/* statfs, since the kernel may know the root's attributes of a mount whose server is dead. */
static bool is_mounted(const struct mounted *mounted) {
    struct statfs alive;
    struct stat status;

    return statfs(mounted->path, &alive) == 0 && stat(mounted->path, &status) == 0 &&
           status.st_dev != mounted->below;
}

static void make_folder(struct mounted *mounted) {
    struct stat status;

    (void)snprintf(mounted->path, sizeof(mounted->path), "/tmp/skrfs-test-mount-XXXXXX");
    assert_non_null(mkdtemp(mounted->path));
    assert_int_equal(stat(mounted->path, &status), 0);
    mounted->below = status.st_dev;
    key.guard.owner = getuid();
    key.guard.group = getgid();
}

static void begin(struct mounted *mounted) {
    const struct skrfs_mount_options options = {.path = mounted->path, .foreground = true};
    uint64_t deadline = skrfs_now_ns() + PATIENCE_NS;
    struct skrfs_error err;

    if (access("/dev/fuse", R_OK | W_OK) != 0) {
        print_message("no /dev/fuse for this user: %s\n", strerror(errno));
        skip();
    }
    mounted->pid = fork();
    assert_true(mounted->pid >= 0);
    if (mounted->pid == 0) {
        int result = skrfs_mount_run(&conf, &options, &err);
        if (result < 0)
            (void)dprintf(2, "%s\n", err.message);
        _exit(result < 0);
    }
    while (!is_mounted(mounted) && skrfs_now_ns() < deadline)
        pause_a_little();
    assert_true(is_mounted(mounted));
}

static int wait_for_end(const struct mounted *mounted) {
    uint64_t deadline = skrfs_now_ns() + PATIENCE_NS;
    int status;

    while (waitpid(mounted->pid, &status, WNOHANG) == 0) {
        if (skrfs_now_ns() > deadline) {
            kill(mounted->pid, SIGKILL);
            fail_msg("the mount's parent did not end");
        }
        pause_a_little();
    }
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_nothing_left(const struct mounted *mounted) {
    assert_false(is_mounted(mounted));
    assert_int_equal(rmdir(mounted->path), 0);
}

static bool read_text(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, out, size - 1);

    if (fd >= 0)
        close(fd);
    out[len > 0 ? len : 0] = 0;
    return len >= 0;
}

/* The child of the mount's parent with this name; 0 when there is none. */
static pid_t find_process(const struct mounted *mounted, const char *name) {
    char path[64], children[256], comm[32];

    (void)snprintf(
            path, sizeof(path), "/proc/%d/task/%d/children", (int)mounted->pid, (int)mounted->pid);
    assert_true(read_text(path, children, sizeof(children)));
    for (char *rest = children, *word; (word = strsep(&rest, " "));) {
        pid_t pid = (pid_t)strtol(word, NULL, 10);
        (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        if (pid > 0 && read_text(path, comm, sizeof(comm)) &&
                strncmp(comm, name, strlen(name)) == 0)
            return pid;
    }
    return 0;
}

static pid_t wait_for_process(const struct mounted *mounted, const char *name, pid_t but) {
    uint64_t deadline = skrfs_now_ns() + PATIENCE_NS;
    pid_t pid = 0;

    while (skrfs_now_ns() < deadline) {
        pid = find_process(mounted, name);
        if (pid > 0 && pid != but)
            return pid;
        pause_a_little();
    }
    fail_msg("no process %s", name);
    return 0;
}

static void assert_serves(const struct mounted *mounted) {
    char path[128], text[64];

    (void)snprintf(path, sizeof(path), "%s/status/health", mounted->path);
    assert_true(read_text(path, text, sizeof(text)));
    assert_true(!strcmp(text, "ok\n") || !strcmp(text, "failing\n"));
    (void)snprintf(path, sizeof(path), "%s/keys/%s", mounted->path, key_name);
    assert_int_equal(open(path, O_RDONLY | O_CLOEXEC), -1);
    assert_int_equal(errno, ENODEV);
}

static void assert_status(pid_t pid, const char *line) {
    char path[64], text[4096];

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    assert_true(read_text(path, text, sizeof(text)));
    if (!strstr(text, line))
        fail_msg("process %d: no \"%s\" in its status", (int)pid, line);
}

static void test_serves_and_ends_at_sigterm(void **state) {
    struct mounted mounted;

    (void)state;
    make_folder(&mounted);
    begin(&mounted);
    assert_serves(&mounted);
    pid_t keeper = wait_for_process(&mounted, "skrfs-keeper", 0);
    pid_t courier = wait_for_process(&mounted, "skrfs-courier", 0);
    pid_t witness = wait_for_process(&mounted, "skrfs-witness", 0);
    assert_status(keeper, "\nSeccomp:\t2\n");
    assert_status(courier, "\nSeccomp:\t2\n");
    assert_status(witness, "\nSeccomp:\t2\n");
    assert_status(courier, "\nCapEff:\t0000000000000000\n");
    assert_int_equal(find_process(&mounted, "skrfs-relay"), 0);
    kill(mounted.pid, SIGTERM);
    assert_int_equal(wait_for_end(&mounted), 0);
    assert_int_equal(kill(keeper, 0), -1);
    assert_int_equal(kill(courier, 0), -1);
    assert_int_equal(kill(witness, 0), -1);
    assert_nothing_left(&mounted);
}

/* The mount stays and answers whoever of its processes is killed. */
static void test_is_started_again(void **state) {
    static const char *const names[] = {"skrfs-courier", "skrfs-keeper", "skrfs-witness"};
    struct mounted mounted;

    (void)state;
    make_folder(&mounted);
    begin(&mounted);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        pid_t pid = wait_for_process(&mounted, names[i], 0);
        kill(pid, SIGKILL);
        (void)wait_for_process(&mounted, names[i], pid);
        assert_serves(&mounted);
    }
    kill(mounted.pid, SIGINT);
    assert_int_equal(wait_for_end(&mounted), 0);
    assert_nothing_left(&mounted);
}

/* A directory that is open in the mount must not keep it from ending. */
static void test_ends_while_busy(void **state) {
    struct mounted mounted;
    char path[128];

    (void)state;
    make_folder(&mounted);
    begin(&mounted);
    (void)snprintf(path, sizeof(path), "%s/keys", mounted.path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    kill(mounted.pid, SIGHUP);
    assert_int_equal(wait_for_end(&mounted), 0);
    close(fd);
    assert_nothing_left(&mounted);
}

static bool run_fusermount(const char *path) {
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        execlp("fusermount3", "fusermount3", "-u", path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

/* Busy while the parent's own look at the new mount lasts. */
static void unmount_by_program(const char *path) {
    uint64_t deadline = skrfs_now_ns() + PATIENCE_NS;

    while (!run_fusermount(path)) {
        assert_true(skrfs_now_ns() < deadline);
        pause_a_little();
    }
}

static void test_ends_when_unmounted(void **state) {
    struct mounted mounted;

    (void)state;
    make_folder(&mounted);
    begin(&mounted);
    unmount_by_program(mounted.path);
    assert_int_equal(wait_for_end(&mounted), 0);
    assert_nothing_left(&mounted);
}

/* What a killed parent leaves is a dead mount; the next one clears it away. */
static void test_takes_the_place_of_a_dead_mount(void **state) {
    struct mounted mounted;
    struct statfs status;
    int ended;

    (void)state;
    make_folder(&mounted);
    begin(&mounted);
    pid_t keeper = wait_for_process(&mounted, "skrfs-keeper", 0);
    kill(mounted.pid, SIGKILL);
    assert_int_equal(waitpid(mounted.pid, &ended, 0), mounted.pid);
    while (kill(keeper, 0) == 0)
        pause_a_little();
    assert_int_equal(statfs(mounted.path, &status), -1);
    assert_int_equal(errno, ENOTCONN);
    begin(&mounted);
    assert_serves(&mounted);
    kill(mounted.pid, SIGTERM);
    assert_int_equal(wait_for_end(&mounted), 0);
    assert_nothing_left(&mounted);
}

static void test_background_returns_when_it_answers(void **state) {
    struct mounted mounted;
    struct skrfs_error err;
    int ended;

    (void)state;
    make_folder(&mounted);
    if (access("/dev/fuse", R_OK | W_OK) != 0)
        skip();
    pid_t caller = fork();
    assert_true(caller >= 0);
    if (caller == 0) {
        const struct skrfs_mount_options options = {.path = mounted.path};
        _exit(skrfs_mount_run(&conf, &options, &err) < 0 || !is_mounted(&mounted));
    }
    assert_int_equal(waitpid(caller, &ended, 0), caller);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
    assert_serves(&mounted);
    unmount_by_program(mounted.path);
    assert_nothing_left(&mounted);
}

static void test_refusals_come_before_any_process(void **state) {
    struct skrfs_mount_options options = {.path = "keys", .foreground = true};
    struct skrfs_conf wrong = conf;
    struct skrfs_error err;
    char nowhere[] = "/does/not/exist.pem";

    (void)state;
    assert_fails(skrfs_mount_run(&conf, &options, &err), err, SKRFS_CLASS_CONFIG,
            "not an absolute path");
    options.path = "/does/not/exist";
    assert_fails(skrfs_mount_run(&conf, &options, &err), err, SKRFS_CLASS_CONFIG, "No such file");
    options.path = "/etc/passwd";
    assert_fails(
            skrfs_mount_run(&conf, &options, &err), err, SKRFS_CLASS_CONFIG, "not a directory");
    options.path = "/tmp";
    wrong.ca_file = nowhere;
    assert_fails(skrfs_mount_run(&wrong, &options, &err), err, SKRFS_CLASS_SYSTEM, "ca-file");
}

/* What a process fails with at its start is what the caller is told, and nothing stays mounted. */
static void test_a_start_that_fails_says_why(void **state) {
    struct mounted mounted;
    struct skrfs_error err;
    struct skrfs_conf wrong = conf;
    char file[80];
    int ended;

    (void)state;
    make_folder(&mounted);
    if (access("/dev/fuse", R_OK | W_OK) != 0)
        skip();
    (void)snprintf(file, sizeof(file), "%s.pem", mounted.path);
    assert_ok(skrfs_file_write(file, "no certificate\n", 15, 0600, &err), err);
    wrong.ca_file = file;
    pid_t caller = fork();
    assert_true(caller >= 0);
    if (caller == 0) {
        const struct skrfs_mount_options options = {.path = mounted.path};
        _exit(skrfs_mount_run(&wrong, &options, &err) == 0 || !strstr(err.message, file));
    }
    assert_int_equal(waitpid(caller, &ended, 0), caller);
    assert_int_equal(ended, 0);
    assert_int_equal(unlink(file), 0);
    for (unsigned i = 0; i < 200 && is_mounted(&mounted); i++)
        pause_a_little();
    assert_nothing_left(&mounted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_refusals_come_before_any_process),
            cmocka_unit_test(test_serves_and_ends_at_sigterm),
            cmocka_unit_test(test_is_started_again),
            cmocka_unit_test(test_ends_while_busy),
            cmocka_unit_test(test_ends_when_unmounted),
            cmocka_unit_test(test_takes_the_place_of_a_dead_mount),
            cmocka_unit_test(test_background_returns_when_it_answers),
            cmocka_unit_test(test_a_start_that_fails_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
