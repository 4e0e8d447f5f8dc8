/* Texts of /proc, and what programs could do to them. */
#include "internal.h"
#include "support.h"

#include <fcntl.h>

static void test_stat(void **state) {
    static const struct {
        const char *text;
        bool good;
        uint64_t start;
    } rows[] = {
            {"7 (cat) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n", true, 4711},
            {"7 (a) S 1) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 42 20\n", true, 42},
            {"7 (cat) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 42\n", true, 42},
            {"7 (cat) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x\n", false, 0},
            {"7 (cat) S 1 2 3\n", false, 0},
            {"7 cat S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 42 20\n", false, 0},
            {"7 (cat)", false, 0},
            {"", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct caller_glimpse glimpse = {0};
        assert_int_equal(caller_parse_stat(rows[i].text, &glimpse), rows[i].good);
        if (rows[i].good)
            assert_int_equal(glimpse.start, rows[i].start);
    }
}

#define HEAD "Name:\tcat\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nTracerPid:\t9\n"

static void test_status(void **state) {
    struct caller_glimpse glimpse = {0};
    (void)state;
    assert_true(caller_parse_status(HEAD
            "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nFDSize:\t64\nGroups:\t10 20 30 \nNSpid:\t7\n",
            &glimpse));
    /* The ids for files are those that the kernel's request carries. */
    assert_int_equal(glimpse.uid, 4);
    assert_int_equal(glimpse.gid, 8);
    assert_int_equal(glimpse.tracer, 9);
    assert_int_equal(glimpse.group_count, 3);
    assert_int_equal(glimpse.groups[2], 30);
    assert_true(caller_parse_status(
            HEAD "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t \nNSpid:\t7\n", &glimpse));
    assert_int_equal(glimpse.group_count, 0);
}

static void test_status_refused(void **state) {
    static const char *const texts[] = {
            "",
            HEAD,
            HEAD "Uid:\t1\t2\t3\nGid:\t5\t6\t7\t8\nGroups:\t\n",
            HEAD "Uid:\t1\t2\t3\t4294967296\nGid:\t5\t6\t7\t8\nGroups:\t\n",
            HEAD "Uid:\t1\t2\t3\t-4\nGid:\t5\t6\t7\t8\nGroups:\t\n",
            HEAD "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n",
            HEAD "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t7x \n",
            HEAD "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t7 4294967296 \n",
            "Name:\tcat\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t7 \n",
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(texts); i++) {
        struct caller_glimpse glimpse = {0};
        if (caller_parse_status(texts[i], &glimpse))
            fail_msg("taken: %s", texts[i]);
    }
}

static void test_many_groups(void **state) {
    static char text[65536];
    (void)state;
    for (uint32_t count = SKRFS_GROUPS_MAX - 1; count < SKRFS_GROUPS_MAX + 4; count++) {
        struct caller_glimpse glimpse = {0};
        size_t len = (size_t)snprintf(
                text, sizeof text, HEAD "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t");
        for (uint32_t i = 0; i < count; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%u ", i);
        (void)snprintf(text + len, sizeof text - len, "\nNSpid:\t7\n");
        assert_true(caller_parse_status(text, &glimpse));
        if (count <= SKRFS_GROUPS_MAX)
            assert_int_equal(glimpse.group_count, count);
        else
            assert_true(glimpse.group_count > SKRFS_GROUPS_MAX);
    }
}

static void test_cgroup(void **state) {
    static const struct {
        const char *text, *path; /* NULL: none */
    } rows[] = {
            {"0::/system.slice/a.service\n", "/system.slice/a.service"},
            {"0::/\n", "/"},
            {"9:name=systemd:/a\n8:pids:/b\n0::/c\n", "/a"},
            {"0::/c\n8:pids:/b\n", "/c"},
            {"8:pids:/b\n4:memory:/d\n", NULL},
            {"9:name=systemd:/a:b c\n", "/a:b c"},
            {"3:cpu:/x:name=systemd:/evil\n0::/c\n", "/c"},
            {"9:name=systemd:/..\n", NULL},
            {"0::/../x.service\n", NULL},
            {"0::/..x\n", "/..x"},
            {"0::x\n", NULL},
            {"0::", NULL},
            {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        char path[SKRFS_CGROUP_MAX] = "untouched";
        bool found = caller_parse_cgroup(rows[i].text, path);
        if (found != !!rows[i].path || strcmp(path, found ? rows[i].path : "untouched") != 0)
            fail_msg("%s: '%s'", rows[i].text, path);
    }
}

static void test_long_cgroup(void **state) {
    char text[SKRFS_CGROUP_MAX + 64], path[SKRFS_CGROUP_MAX];
    (void)state;
    for (int len = SKRFS_CGROUP_MAX - 2; len < SKRFS_CGROUP_MAX + 2; len++) {
        snprintf(text, sizeof text, "0::/%0*d\n", len - 1, 0);
        assert_int_equal(caller_parse_cgroup(text, path), len < SKRFS_CGROUP_MAX);
    }
}

static void test_mount(void **state) {
    static const struct {
        const char *text;
        bool good, local;
        uint64_t id;
    } rows[] = {
            {"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext4 /dev/root rw\n", true, true, 36},
            {"36 35 98:0 / / rw - overlay overlay rw,lowerdir=/a - b\n", true, true, 36},
            {"36 35 0:9 / /keys ro - fuse skrfs ro\n", true, false, 36},
            {"36 35 0:9 / /x rw - fuse.sshfs a:b rw\n", true, false, 36},
            {"36 35 0:9 / /x rw - nfs4 a:/b rw\n", true, false, 36},
            {"36 35 0:9 / /x rw - ext44 a rw\n", true, false, 36},
            {"36 35 0:9 / /x rw - ext4", true, true, 36},
            {"36 35 0:9 / /x rw\n37 1 0:1 / / rw - ext4 a rw\n", false, false, 0},
            {"x 35 0:9 / /x rw - ext4 a rw\n", false, false, 0},
            {"4294967296 35 0:9 / /x rw - ext4 a rw\n", false, false, 0},
            {"36\n", false, false, 0},
            {"36 - \n", false, false, 0},
            {"", false, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct caller_mount mount = {0};
        const char *next = NULL;
        bool good = caller_parse_mount(rows[i].text, &mount, &next);
        if (good != rows[i].good || mount.id != rows[i].id || mount.local != rows[i].local)
            fail_msg("%s: %d id %d local %d", rows[i].text, good, (int)mount.id, mount.local);
        if (good)
            assert_string_equal(next, "");
    }
}

/* What this kernel writes is taken. */
static void check_this_machine(pid_t host) {
    struct caller_mounts mounts;
    struct caller_glimpse glimpse = {0};
    struct statx stat;
    caller_mounts_init(&mounts, host);
    assert_int_equal(statx(AT_FDCWD, "/", 0, STATX_INO | 0x1000U, &stat), 0);
    assert_non_null(caller_mounts_find(&mounts, stat.stx_mnt_id));
    assert_null(caller_mounts_find(&mounts, UINT32_MAX));
    glimpse.exe_dev = (uint64_t)stat.stx_dev_major << 32 | stat.stx_dev_minor;
    glimpse.exe_ino = stat.stx_ino;
    assert_true(caller_is_file_at(&mounts, "/", &glimpse));
    assert_false(caller_is_file_at(&mounts, "/proc/self/exe", &glimpse));
    assert_false(caller_is_file_at(&mounts, "/etc/passwd", &glimpse));
    assert_false(caller_is_file_at(&mounts, "/no/such/file", &glimpse));
    caller_mounts_done(&mounts);
}

static void test_of_this_machine(void **state) {
    (void)state;
    check_this_machine(0);
    check_this_machine(getpid());
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_stat),
            cmocka_unit_test(test_status),
            cmocka_unit_test(test_status_refused),
            cmocka_unit_test(test_many_groups),
            cmocka_unit_test(test_cgroup),
            cmocka_unit_test(test_long_cgroup),
            cmocka_unit_test(test_mount),
            cmocka_unit_test(test_of_this_machine),
    };
    return cmocka_run_group_tests_name("texts of /proc", tests, NULL, NULL);
}
