#include "fixture.h"

#include "../../../src/fs/internal.h"

#include <skrfs/base/clock.h>
#include <skrfs/json/json.h>
#include <sys/ioctl.h>

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

static int learn(uint32_t seconds) {
    int fd = open_ok(&fixture, "status/status.json");
    int rc = ioctl(fd, SKRFS_IOC_LEARN, &seconds) ? errno : 0;
    close(fd);
    return rc;
}

static struct skrfs_json *learned(void) {
    static char text[65536];
    struct skrfs_json *json = NULL;
    struct skrfs_error err;
    int fd = open_ok(&fixture, "status/learned");
    size_t len = 0;
    for (ssize_t got; (got = read(fd, text + len, sizeof text - len)) > 0;)
        len += (size_t)got;
    close(fd);
    assert_ok(skrfs_json_parse(text, len, sizeof text, &json, &err), err);
    return json;
}

static const struct skrfs_json *seen(const struct skrfs_json *json, size_t index) {
    return skrfs_json_at(skrfs_json_get(json, "seen"), index);
}

static int64_t number(const struct skrfs_json *object, const char *name) {
    return skrfs_json_integer(skrfs_json_get(object, name));
}

static bool is_true(const struct skrfs_json *object, const char *name) {
    return skrfs_json_kind(skrfs_json_get(object, name)) == SKRFS_JSON_TRUE;
}

static int open_beta_and_alpha(const struct fixture *from, int argument) {
    (void)argument;
    return open_errno(from, "keys/beta", O_RDONLY) == 0 &&
                           open_errno(from, "keys/alpha", O_RDONLY) == EACCES
                   ? 0
                   : 1;
}

static void test_notes_who_opens_what(void **state) {
    char self[512] = "";
    (void)state;
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    close(open_ok(&fixture, "keys/beta"));
    assert_int_equal(learn(600), 0);
    assert_content(&fixture, "keys/alpha", "pem alpha v1");
    assert_content(&fixture, "formats/alpha/der", "der alpha v1");
    assert_int_equal(as_user(NOBODY, open_beta_and_alpha, &fixture, 0), 0);
    skrfs_autojson *json = learned();
    assert_true(is_true(json, "learning"));
    assert_true(number(json, "left_s") > 500);
    /* What was before is not in it, and callers alike are one. */
    assert_int_equal(skrfs_json_size(skrfs_json_get(json, "seen")), 3);
    assert_string_equal(skrfs_json_string(skrfs_json_get(seen(json, 0), "key")), "alpha");
    assert_int_equal(number(seen(json, 0), "uid"), 0);
    assert_true(is_true(seen(json, 0), "opened"));
    assert_string_equal(skrfs_json_string(skrfs_json_get(seen(json, 0), "exe")), self);
    assert_false(is_true(seen(json, 0), "refused"));
    assert_string_equal(skrfs_json_string(skrfs_json_get(seen(json, 1), "key")), "beta");
    assert_int_equal(number(seen(json, 1), "uid"), NOBODY);
    assert_true(is_true(seen(json, 2), "refused"));
    assert_non_null(strstr(skrfs_json_string(skrfs_json_get(seen(json, 2), "why")), "mode 0400"));
}

/* What was noted stays until it is asked for after the end, and no longer. */
static void test_forgets(void **state) {
    (void)state;
    assert_int_equal(learn(600), 0);
    close(open_ok(&fixture, "keys/beta"));
    assert_int_equal(learn(0), 0);
    close(open_ok(&fixture, "keys/alpha"));
    skrfs_autojson *first = learned();
    assert_false(is_true(first, "learning"));
    assert_int_equal(skrfs_json_size(skrfs_json_get(first, "seen")), 1);
    skrfs_autojson *second = learned();
    assert_int_equal(skrfs_json_size(skrfs_json_get(second, "seen")), 0);
    assert_string_equal(skrfs_json_string(skrfs_json_get(second, "began")), "");
    assert_int_equal(learn(600), 0);
    close(open_ok(&fixture, "keys/beta"));
    assert_int_equal(learn(600), 0);
    skrfs_autojson *third = learned();
    assert_int_equal(skrfs_json_size(skrfs_json_get(third, "seen")), 0);
}

static int try_to_learn(const struct fixture *from, int fd) {
    uint32_t seconds = 60;
    (void)from;
    return ioctl(fd, SKRFS_IOC_LEARN, &seconds) == -1 && errno == EACCES ? 0 : 1;
}

static void test_refuses(void **state) {
    uint32_t seconds = 60;
    (void)state;
    int fd = open_ok(&fixture, "status/status.json");
    /* A descriptor that root opened is no leave to use it so. */
    assert_int_equal(as_user(NOBODY, try_to_learn, &fixture, fd), 0);
    close(fd);
    assert_int_equal(learn(UINT32_MAX), EINVAL);
    fd = open_ok(&fixture, "status/why/alpha");
    assert_int_equal(ioctl(fd, SKRFS_IOC_LEARN, &seconds), -1);
    assert_int_equal(errno, ENOTTY);
    close(fd);
    skrfs_autojson *json = learned();
    assert_false(is_true(json, "learning"));
}

/* Who comes in ever new kinds fills the table, not the memory. */
static void test_is_bounded(void **state) {
    static const struct skrfs_fs_key keys[] = {{.file = "alpha"}};
    static const struct node alpha = {.kind = NODE_KEY};
    static struct skrfs_caller caller = {.pid = 1, .known = SKRFS_FACT_SHA256};
    struct skrfs_fs *fs = calloc(1, sizeof *fs);
    (void)state;
    assert_non_null(fs);
    fs->options.keys = keys;
    fs->options.key_count = 1;
    atomic_store(&fs->learning.until_ns, skrfs_now_ns() + 600 * SKRFS_SECOND_NS);
    for (uid_t uid = 0; uid < FS_LEARN_MAX + 5; uid++) {
        caller.uid = uid;
        learn_note(fs, &alpha, &caller, false, NULL);
        learn_note(fs, &alpha, &caller, true, NULL);
    }
    /* The same program, its digest not known at that moment; and another one. */
    caller.uid = 0;
    caller.known = 0;
    learn_note(fs, &alpha, &caller, false, NULL);
    caller.known = SKRFS_FACT_SHA256;
    caller.sha256[0] = 1;
    learn_note(fs, &alpha, &caller, false, NULL);
    skrfs_autobuf text = SKRFS_BUF(SKRFS_FS_REPORT_MAX);
    skrfs_autojson *json = NULL;
    struct skrfs_error err;
    assert_ok(learn_print(fs, &text, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.len, &json, &err), err);
    assert_int_equal(skrfs_json_size(skrfs_json_get(json, "seen")), FS_LEARN_MAX);
    assert_int_equal(number(json, "lost"), 2 * 5 + 1);
    learn_end(fs);
    free(fs);
}

/* A path may be any octets but NUL; JSON holds text alone. */
static void test_odd_paths(void **state) {
    static const struct skrfs_fs_key keys[] = {{.file = "alpha"}};
    static const struct node alpha = {.kind = NODE_KEY};
    static struct skrfs_caller caller = {.pid = 1, .known = SKRFS_FACT_EXE, .exe = "/tmp/\xff"};
    struct skrfs_fs *fs = calloc(1, sizeof *fs);
    (void)state;
    assert_non_null(fs);
    fs->options.keys = keys;
    fs->options.key_count = 1;
    atomic_store(&fs->learning.until_ns, skrfs_now_ns() + 600 * SKRFS_SECOND_NS);
    learn_note(fs, &alpha, &caller, false, NULL);
    skrfs_autobuf text = SKRFS_BUF(SKRFS_FS_REPORT_MAX);
    skrfs_autojson *json = NULL;
    struct skrfs_error err;
    assert_ok(learn_print(fs, &text, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.len, &json, &err), err);
    assert_int_equal(skrfs_json_kind(skrfs_json_get(seen(json, 0), "exe")), SKRFS_JSON_NULL);
    learn_end(fs);
    free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_is_bounded),
            cmocka_unit_test(test_odd_paths),
            cmocka_unit_test_setup_teardown(test_notes_who_opens_what, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_forgets, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_refuses, set_up, tear_down),
    };
    fixture_require();
    return cmocka_run_group_tests_name("learning who reads what", tests, NULL, NULL);
}
