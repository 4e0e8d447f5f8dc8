#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <skrfs/base/file.h>
#include <skrfs/base/log.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[] = "/tmp/skrfs-test-file-XXXXXX";
static char path[PATH_MAX];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/file", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    uint8_t data[40000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31);
    assert_ok(skrfs_file_write(path, "first", 5, 0600, &err), err);
    assert_ok(skrfs_file_write(path, data, sizeof(data), 0640, &err), err);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    skrfs_autobuf out = SKRFS_BUF(sizeof(data));
    assert_ok(skrfs_file_read(path, &out, &err), err);
    assert_int_equal(out.len, sizeof(data));
    assert_memory_equal(out.data, data, sizeof(data));
}

static void a_file_over_the_limit_is_refused(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    assert_ok(skrfs_file_write(path, "0123456789", 10, 0600, &err), err);
    skrfs_autobuf out = SKRFS_BUF(9);
    assert_fails(skrfs_file_read(path, &out, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "is longer than 9 octets");
    assert_int_equal(out.len, 0);
    out.max = 10;
    assert_ok(skrfs_file_read(path, &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out), "0123456789");
    assert_fails(skrfs_file_read(path, &out, &err), err, SKRFS_CLASS_BUG, "not empty");
}

static void a_missing_file_is_named(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf out = SKRFS_BUF(9);
    assert_fails(skrfs_file_read("/nowhere/at-all", &out, &err), err, SKRFS_CLASS_SYSTEM,
            "/nowhere/at-all cannot be opened: No such file");
    assert_int_equal(err.errnum, ENOENT);
    assert_fails(skrfs_file_write("/nowhere/at-all", "x", 1, 0600, &err), err, SKRFS_CLASS_SYSTEM,
            "/nowhere/at-all");
}

static void a_failed_write_leaves_nothing_behind(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    char inside[PATH_MAX + 8];
    assert_ok(skrfs_file_write(path, "old", 3, 0600, &err), err);
    snprintf(inside, sizeof(inside), "%s/sub", folder);
    assert_int_equal(mkdir(inside, 0700), 0);
    /* A folder cannot be replaced by a file. */
    assert_fails(skrfs_file_write(inside, "x", 1, 0600, &err), err, SKRFS_CLASS_SYSTEM,
            "cannot be replaced");
    assert_int_equal(rmdir(inside), 0);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void a_short_transfer_is_an_error(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    int ends[2];
    char data[8];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_ok(skrfs_fd_write(ends[1], "12345", 5, &err), err);
    assert_ok(skrfs_fd_read(ends[0], data, 2, &err), err);
    close(ends[1]);
    assert_fails(skrfs_fd_read(ends[0], data, 8, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "after 3 of 8 octets");
    close(ends[0]);
    assert_fails(skrfs_fd_read(ends[0], data, 8, &err), err, SKRFS_CLASS_SYSTEM, "Bad file");
    assert_fails(skrfs_fd_write(ends[0], data, 8, &err), err, SKRFS_CLASS_SYSTEM, "Bad file");
}

/* Runs in a child, since where the log goes is decided once a process. */
static void log_in_child(int fd, bool journal) {
    struct stat st;
    char stream[64];
    if (dup2(fd, STDERR_FILENO) < 0 || fstat(STDERR_FILENO, &st))
        _exit(1);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
            (unsigned long long)st.st_ino + (journal ? 0 : 1));
    setenv("JOURNAL_STREAM", stream, 1);
    skrfs_log_set_name("keeper");
    skrfs_log_debug("not wanted");
    skrfs_log_warning("a\nb %d", 7);
    skrfs_log_set_level(SKRFS_LOG_ERROR);
    skrfs_log_info("not wanted");
    skrfs_log_error("%2000s", "x");
    _exit(0);
}

static void read_log(bool journal, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    int ends[2];
    int status = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0)
        log_in_child(ends[1], journal);
    close(ends[1]);
    assert_ok(skrfs_fd_read_all(ends[0], out, &err), err);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void the_log_is_one_line_an_event(void **state) {
    (void)state;
    skrfs_autobuf plain = SKRFS_BUF(8192);
    skrfs_autobuf journal = SKRFS_BUF(8192);
    read_log(false, &plain);
    const char *text = skrfs_buf_text(&plain);
    assert_memory_equal(text, "keeper: warning: a?b 7\nkeeper: error: ", 38);
    assert_int_equal(plain.data[plain.len - 1], '\n');
    assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n'), text + plain.len - 1);
    assert_true(plain.len < 1600);
    read_log(true, &journal);
    assert_memory_equal(skrfs_buf_text(&journal), "<4>keeper: a?b 7\n<3>keeper: ", 28);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_is_written_is_read),
            cmocka_unit_test(a_file_over_the_limit_is_refused),
            cmocka_unit_test(a_missing_file_is_named),
            cmocka_unit_test(a_failed_write_leaves_nothing_behind),
            cmocka_unit_test(a_short_transfer_is_an_error),
            cmocka_unit_test(the_log_is_one_line_an_event),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
