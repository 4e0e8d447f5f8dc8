#include "support.h"

#include <skrfs/json/json.h>

static void expect_text(const struct skrfs_json *json, const char *text) {
    struct skrfs_error err = {0};
    skrfs_autobuf out = SKRFS_BUF(4096);
    assert_ok(skrfs_json_print(json, false, &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out), text);
}

static void values_are_packed(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_json *child = NULL;
    skrfs_autojson *json = NULL;
    const char *absent = NULL;
    assert_ok(skrfs_json_pack(&child, &err, "[i, b, n]", 7, 1), err);
    assert_ok(skrfs_json_pack(&json, &err, "{s:s, s:s*, s:s%, s:I, s:o}", "text",
                      "a\"\\\n/\xc3\xa9", "absent", absent, "part", "token!", (size_t)5, "big",
                      INT64_C(9007199254740993), "child", child),
            err);
    expect_text(json,
            "{\"text\":\"a\\\"\\\\\\n/\xc3\xa9\",\"part\":\"token\",\"big\":9007199254740993,"
            "\"child\":[7,true,null]}");
}

static void what_cannot_be_packed_is_an_error(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_json *json = NULL;
    struct skrfs_json *child = NULL;
    assert_ok(skrfs_json_new_array(&child, &err), err);
    /* The child is taken over all the same: a leak checker sees it if not. */
    assert_fails(skrfs_json_pack(&json, &err, "{s:s, s:o}", "bad", "\xff", "child", child), err,
            SKRFS_CLASS_BAD_ANSWER, "UTF-8");
    assert_fails(skrfs_json_pack(&json, &err, "{s:", "a"), err, SKRFS_CLASS_BUG, "format column");
    assert_null(json);
}

static void arrays_and_objects_grow(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autojson *array = NULL;
    skrfs_autojson *object = NULL;
    struct skrfs_json *value = NULL;
    assert_ok(skrfs_json_new_array(&array, &err), err);
    for (int i = 0; i < 3; i++) {
        assert_ok(skrfs_json_pack(&value, &err, "i", i), err);
        assert_ok(skrfs_json_append(array, value, &err), err);
    }
    assert_ok(skrfs_json_pack(&object, &err, "{}"), err);
    assert_ok(skrfs_json_copy(array, &value, &err), err);
    assert_ok(skrfs_json_set(object, "list", value, &err), err);
    expect_text(object, "{\"list\":[0,1,2]}");
    assert_ok(skrfs_json_pack(&value, &err, "i", 9), err);
    assert_fails(skrfs_json_append(object, value, &err), err, SKRFS_CLASS_BUG, "array");
    assert_ok(skrfs_json_pack(&value, &err, "i", 9), err);
    assert_fails(skrfs_json_set(array, "x", value, &err), err, SKRFS_CLASS_BUG, "member");
}

static void a_copy_is_deep(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autojson *json = NULL;
    skrfs_autojson *copy = NULL;
    struct skrfs_json *value = NULL;
    assert_ok(skrfs_json_pack(&json, &err, "{s:{s:i}}", "o", "a", 1), err);
    assert_ok(skrfs_json_copy(json, &copy, &err), err);
    assert_ok(skrfs_json_pack(&value, &err, "i", 2), err);
    assert_ok(skrfs_json_set(json, "o", value, &err), err);
    expect_text(copy, "{\"o\":{\"a\":1}}");
}

static void printing_respects_the_buffer(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autojson *json = NULL;
    skrfs_autobuf small = SKRFS_BUF(10);
    skrfs_autobuf pretty = SKRFS_BUF(100);
    assert_ok(skrfs_json_pack(&json, &err, "{s:[i,i]}", "list", 1, 2), err);
    assert_ok(skrfs_buf_append_text(&small, "ab", &err), err);
    assert_fails(
            skrfs_json_print(json, false, &small, &err), err, SKRFS_CLASS_BAD_ANSWER, "10 octets");
    assert_string_equal(skrfs_buf_text(&small), "ab");
    assert_ok(skrfs_json_print(json, true, &pretty, &err), err);
    assert_string_equal(skrfs_buf_text(&pretty), "{\n  \"list\": [\n    1,\n    2\n  ]\n}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(values_are_packed),
            cmocka_unit_test(what_cannot_be_packed_is_an_error),
            cmocka_unit_test(arrays_and_objects_grow),
            cmocka_unit_test(a_copy_is_deep),
            cmocka_unit_test(printing_respects_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
