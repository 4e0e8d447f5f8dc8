#include "support.h"

#include <skrfs/base/heap.h>

static void it_grows_and_stays_a_text(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf buf = SKRFS_BUF(100000);
    assert_string_equal(skrfs_buf_text(&buf), "");
    for (int i = 0; i < 1000; i++)
        assert_ok(skrfs_buf_printf(&buf, &err, "%03d,", i), err);
    assert_int_equal(buf.len, 4000);
    assert_int_equal(strlen(skrfs_buf_text(&buf)), 4000);
    assert_memory_equal(buf.data + 4 * 777, "777,", 4);
}

static void its_limit_holds_to_the_octet(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf buf = SKRFS_BUF(5);
    assert_ok(skrfs_buf_append(&buf, "12345", 5, &err), err);
    assert_fails(skrfs_buf_append(&buf, "6", 1, &err), err, SKRFS_CLASS_BAD_ANSWER, "5 octets");
    assert_fails(skrfs_buf_printf(&buf, &err, "%d", 7), err, SKRFS_CLASS_BAD_ANSWER, "5 octets");
    uint8_t *space;
    assert_fails(skrfs_buf_extend(&buf, SIZE_MAX - 2, &space, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "5 octets");
    assert_string_equal(skrfs_buf_text(&buf), "12345");
}

static void shortening_wipes(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf buf = SKRFS_BUF(64);
    assert_ok(skrfs_buf_append_text(&buf, "head secret", &err), err);
    skrfs_buf_truncate(&buf, 4);
    for (size_t i = 4; i < 12; i++)
        assert_int_equal(buf.data[i], 0);
    skrfs_buf_truncate(&buf, 10);
    assert_string_equal(skrfs_buf_text(&buf), "head");
    skrfs_buf_done(&buf);
    assert_null(buf.data);
    assert_ok(skrfs_buf_append_text(&buf, "again", &err), err);
}

static void moving_leaves_nothing(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf from = SKRFS_BUF(64);
    skrfs_autobuf to = SKRFS_BUF(1);
    assert_ok(skrfs_buf_append_text(&from, "token", &err), err);
    skrfs_buf_move(&to, &from);
    assert_null(from.data);
    assert_int_equal(from.len, 0);
    assert_string_equal(skrfs_buf_text(&to), "token");
    assert_int_equal(skrfs_buf_bytes(&to).len, 5);
}

static void the_heap_moves_and_refuses_overflow(void **state) {
    (void)state;
    char *block = skrfs_heap_strdup("secret");
    block = skrfs_heap_realloc(block, 4096);
    assert_string_equal(block, "secret");
    skrfs_heap_free(block);
    skrfs_heap_free(NULL);
    uint8_t *zeros = skrfs_heap_calloc(3, 5);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(zeros[i], 0);
    skrfs_heap_free(zeros);
    assert_null(skrfs_heap_calloc(SIZE_MAX / 2, 3));
    assert_null(skrfs_heap_malloc(SIZE_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(it_grows_and_stays_a_text),
            cmocka_unit_test(its_limit_holds_to_the_octet),
            cmocka_unit_test(shortening_wipes),
            cmocka_unit_test(moving_leaves_nothing),
            cmocka_unit_test(the_heap_moves_and_refuses_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
