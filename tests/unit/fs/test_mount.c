#include "fixture.h"

#include <sys/wait.h>

static char folder[64];

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/skrfs-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return rmdir(folder);
}

/* The line of /proc/mounts, "" when there is none. */
static void mount_line(char *out, size_t size) {
    FILE *file = fopen("/proc/mounts", "r");
    assert_non_null(file);
    out[0] = 0;
    while (fgets(out, (int)size, file) && !strstr(out, folder))
        out[0] = 0;
    fclose(file);
}

static void assert_line(const char *options, const char *source, const char *wanted) {
    struct skrfs_error err;
    char line[512], expected[512];
    int fd = -1;
    assert_ok(skrfs_fs_mount(folder, options, false, &fd, &err), err);
    mount_line(line, sizeof line);
    snprintf(expected, sizeof expected, "%s %s %s 0 0\n", source, folder, wanted);
    assert_string_equal(line, expected);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_ok(skrfs_fs_unmount(folder, &err), err);
    close(fd);
    mount_line(line, sizeof line);
    assert_string_equal(line, "");
}

static void test_options(void **state) {
    static const char usual[] = "fuse.skrfs ro,nosuid,nodev,noexec,relatime,user_id=0,group_id=0";
    (void)state;
    assert_line(NULL, "skrfs", usual);
    assert_line("", "skrfs", usual);
    assert_line("defaults,noauto,_netdev,nofail,x-systemd.automount,ro,noatime,allow_other,fsname="
                "mine,subtype=keys",
            "mine", "fuse.keys ro,nosuid,nodev,noexec,noatime,user_id=0,group_id=0,allow_other");
}

static void test_refused(void **state) {
    static const struct {
        const char *options, *reason;
    } cases[] = {
            {"bogus", "'bogus' is not known"},
            {"ro,dev", "'dev' is not known"},
            {"rw", "can only be read"},
            {"fsname=", "wants a plain name"},
            {"fsname=a b", "wants a plain name"},
            {"fd=7", "is not known"},
    };
    struct skrfs_error err;
    char line[512];
    int fd = -1;
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        assert_fails(skrfs_fs_mount(folder, cases[i].options, false, &fd, &err), err,
                SKRFS_CLASS_CONFIG, cases[i].reason);
        assert_int_equal(fd, -1);
    }
    mount_line(line, sizeof line);
    assert_string_equal(line, "");
    assert_fails(skrfs_fs_mount("/proc/self/nothing", NULL, false, &fd, &err), err,
            SKRFS_CLASS_SYSTEM, "No such file");
    assert_fails(skrfs_fs_mount("/proc/self/status", NULL, false, &fd, &err), err,
            SKRFS_CLASS_CONFIG, "not a folder");
    assert_fails(skrfs_fs_unmount(folder, &err), err, SKRFS_CLASS_SYSTEM, "unmount");
}

static int mount_as_user(void) {
    struct skrfs_error err;
    char line[512];
    int fd = -1;
    if (skrfs_fs_mount(folder, "noatime", false, &fd, &err)) {
        printf("%s\n", err.message);
        return 1;
    }
    mount_line(line, sizeof line);
    if (!strstr(line, "fuse.skrfs ro,nosuid,nodev,noexec,noatime,user_id=65534,group_id=65534") ||
            fd < 0) {
        printf("%s", line);
        return 2;
    }
    if (skrfs_fs_unmount(folder, &err)) {
        printf("%s\n", err.message);
        return 3;
    }
    mount_line(line, sizeof line);
    return line[0] ? 4 : 0;
}

/* Another user mounts through fusermount3. */
static void test_without_root(void **state) {
    int status;
    (void)state;
    if (access("/usr/bin/fusermount3", X_OK)) {
        print_message("fusermount3 is not installed\n");
        skip();
    }
    assert_int_equal(chown(folder, NOBODY, NOBODY), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(setgid(NOBODY) || setuid(NOBODY) ? 255 : mount_as_user());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_options, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_without_root, set_up, tear_down),
    };
    fixture_require();
    return cmocka_run_group_tests_name("mounting", tests, NULL, NULL);
}
