#include "fixture.h"

#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

static struct fixture fixture;

static int set_up(void **state) {
    (void)state;
    fixture_start(&fixture, 2);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_stop(&fixture);
    return 0;
}

/* The names of a folder in the order they come, with a blank behind each; '.' and '..' must be
 * there. */
static void list(const char *folder, char *out, size_t size) {
    DIR *dir = opendir(at(&fixture, folder));
    size_t len = 0, dots = 0;
    assert_non_null(dir);
    out[0] = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            dots++;
        else
            len += (size_t)snprintf(out + len, size - len, "%s ", entry->d_name);
        assert_true(len < size);
    }
    closedir(dir);
    assert_int_equal(dots, 2);
}

static void assert_list(const char *folder, const char *wanted) {
    char names[512];
    list(folder, names, sizeof names);
    assert_string_equal(names, wanted);
}

static int compare(const void *one, const void *other) {
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Keys come in an order of their own, which is the same each time. */
static void assert_keys(const char *folder) {
    char names[512], *rest = names, *sorted[KEY_COUNT + 1];
    size_t count = 0;
    list(folder, names, sizeof names);
    while ((sorted[count] = strsep(&rest, " ")) && *sorted[count])
        assert_true(++count <= KEY_COUNT);
    assert_int_equal(count, KEY_COUNT);
    qsort(sorted, count, sizeof *sorted, compare);
    assert_string_equal(sorted[0], "alpha");
    assert_string_equal(sorted[1], "beta");
    assert_string_equal(sorted[2], "delta");
    assert_string_equal(sorted[3], "gamma");
}

static void test_listings(void **state) {
    (void)state;
    assert_list("", "keys versions formats status ");
    assert_keys("keys");
    assert_keys("versions");
    assert_list("versions/alpha", "");
    assert_keys("formats");
    assert_list("formats/alpha", "der pem jwk raw openssh pub.pem pub.der pub.jwk ");
    assert_list("status", "health status.json metrics why learned receipts ");
    assert_keys("status/why");
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    assert_list("versions/alpha", "v1 ");
}

static void walk(const char *folder, unsigned *count) {
    char names[512], path[1024], *rest = names, *name;
    list(folder, names, sizeof names);
    while ((name = strsep(&rest, " ")) && *name) {
        struct stat attr;
        snprintf(path, sizeof path, "%s%s%s", folder, *folder ? "/" : "", name);
        assert_int_equal(stat(at(&fixture, path), &attr), 0);
        assert_int_equal(access(at(&fixture, path), F_OK), 0);
        (void)access(at(&fixture, path), R_OK);
        (void)getxattr(at(&fixture, path), "user.x", path, 0);
        ++*count;
        if (S_ISDIR(attr.st_mode))
            walk(path, count);
        else
            assert_int_equal(attr.st_size, 0);
    }
}

/* ls, find, stat, du, a backup's look: none of them may cause a release. */
static void test_looking_releases_nothing(void **state) {
    unsigned count = 0;
    (void)state;
    walk("", &count);
    assert_int_equal(count, 4 + 4 * 4 + 4 * 8 + 6 + 4);
    assert_int_equal(
            access(at(&fixture, "versions/alpha/0123456789abcdef0123456789abcdef"), F_OK), 0);
    assert_int_equal(atomic_load(&fixture.control->fetches), 0);
    assert_int_equal(atomic_load(&fixture.control->publics), 0);
}

static void test_attributes(void **state) {
    struct stat attr, again;
    (void)state;
    assert_int_equal(stat(at(&fixture, "keys/alpha"), &attr), 0);
    assert_int_equal(attr.st_mode, S_IFREG | 0400);
    assert_int_equal(attr.st_uid, 0);
    assert_int_equal(attr.st_nlink, 1);
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    assert_int_equal(stat(at(&fixture, "keys/alpha"), &again), 0);
    assert_int_equal(again.st_size, strlen("pem alpha v1"));
    assert_int_equal(again.st_ino, attr.st_ino);
    assert_int_equal(again.st_mtime, attr.st_mtime);
    assert_int_equal(again.st_atime, attr.st_atime);
    assert_int_equal(stat(at(&fixture, "keys/beta"), &attr), 0);
    assert_int_equal(attr.st_mode, S_IFREG | 0444);
    assert_int_equal(stat(at(&fixture, "keys"), &attr), 0);
    assert_int_equal(attr.st_mode, S_IFDIR | 0555);
}

static void test_names_that_are_not(void **state) {
    static const char *const names[] = {"none", "keys/none", "keys/alph", "keys/alphaa",
            "versions/none", "versions/alpha/not-a-version",
            "versions/alpha/0123456789abcdef0123456789abcdef0", "formats/alpha/pdf",
            "formats/none/pem", "status/none", "status/why/none"};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        errno = 0;
        if (open_errno(&fixture, names[i], O_RDONLY) != ENOENT)
            fail_msg("%s: %s", names[i], strerror(errno));
    }
    assert_int_equal(open_errno(&fixture, "keys/alpha/x", O_RDONLY), ENOTDIR);
}

static void test_read_only(void **state) {
    (void)state;
    assert_int_equal(open_errno(&fixture, "keys/alpha", O_WRONLY), EROFS);
    assert_int_equal(open_errno(&fixture, "keys/alpha", O_RDWR), EROFS);
    assert_int_equal(open_errno(&fixture, "keys/new", O_WRONLY | O_CREAT), EROFS);
    assert_int_equal(unlink(at(&fixture, "keys/alpha")), -1);
    assert_int_equal(errno, EROFS);
    assert_int_equal(chmod(at(&fixture, "keys/alpha"), 0777), -1);
    assert_int_equal(errno, EROFS);
    assert_int_equal(atomic_load(&fixture.control->fetches), 0);
}

static void test_small_things(void **state) {
    struct statvfs stat;
    char value[8];
    int fd = open_ok(&fixture, "keys/beta"), number;
    (void)state;
    assert_int_equal(ioctl(fd, FIONREAD + 77, &number), -1);
    assert_int_equal(errno, ENOTTY);
    close(fd);
    assert_int_equal(getxattr(at(&fixture, "keys/beta"), "user.x", value, sizeof value), -1);
    assert_int_equal(errno, EOPNOTSUPP);
    assert_int_equal(statvfs(at(&fixture, ""), &stat), 0);
    assert_int_equal(stat.f_namemax, 255);
    assert_true(stat.f_flag & ST_RDONLY);
}

static int read_status(const struct fixture *from, int argument) {
    (void)argument;
    return open_errno(from, "status/status.json", O_RDONLY) == EACCES &&
                           open_errno(from, "status/why/alpha", O_RDONLY) == EACCES &&
                           access(at(from, "status/metrics"), R_OK) && errno == EACCES &&
                           open_errno(from, "status/health", O_RDONLY) == 0
                   ? 0
                   : 1;
}

static void test_status_files(void **state) {
    struct stat attr;
    (void)state;
    int fd = open_ok(&fixture, "status/why/beta");
    assert_int_equal(fstat(fd, &attr), 0);
    assert_int_equal(attr.st_size, strlen("why beta\n"));
    close(fd);
    assert_content(&fixture, "status/health", "ok\n");
    assert_content(&fixture, "status/status.json", "{}\n");
    assert_true(size_of(&fixture, "status/metrics") == 0);
    close(open_ok(&fixture, "status/metrics"));
    assert_true(size_of(&fixture, "status/metrics") > 0);
    assert_content(&fixture, "status/why/alpha", "why alpha\n");
    assert_int_equal(as_user(NOBODY, read_status, &fixture, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_listings, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_looking_releases_nothing, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_attributes, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_names_that_are_not, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_read_only, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_small_things, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_status_files, set_up, tear_down),
    };
    fixture_require();
    return cmocka_run_group_tests_name("the tree", tests, NULL, NULL);
}
