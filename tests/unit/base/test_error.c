#include "support.h"

#include <errno.h>
#include <skrfs/base/error.h>

static void failing_sets_every_field(void **state) {
    (void)state;
    struct skrfs_error err = {.errnum = 5, .upstream = 403, .retryable = true, .not_before_ns = 9};
    assert_int_equal(skrfs_fail(&err, SKRFS_CLASS_DENIED, "uid %d may not", 33), -1);
    assert_int_equal(err.kind, SKRFS_CLASS_DENIED);
    assert_int_equal(err.errnum, 0);
    assert_int_equal(err.upstream, 0);
    assert_false(err.retryable);
    assert_int_equal(err.not_before_ns, 0);
    assert_string_equal(err.message, "uid 33 may not");
}

static void wrapping_puts_words_in_front_and_keeps_the_rest(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_fail(&err, SKRFS_CLASS_REJECTED, "refused by policy");
    err.upstream = 403;
    skrfs_fail_retryable(&err, 77);
    assert_int_equal(skrfs_wrap(&err, "release from '%s'", "prod"), -1);
    assert_int_equal(skrfs_wrap(&err, "open 'disk'"), -1);
    assert_string_equal(err.message, "open 'disk': release from 'prod': refused by policy");
    assert_int_equal(err.upstream, 403);
    assert_int_equal(err.not_before_ns, 77);
    assert_true(err.retryable);
}

static void a_full_message_loses_its_outermost_words(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    char words[600];
    memset(words, 'w', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    skrfs_fail(&err, SKRFS_CLASS_BUG, "the fact");
    skrfs_wrap(&err, "near");
    skrfs_wrap(&err, "%s", words);
    skrfs_wrap(&err, "far %s", words);
    assert_int_equal(strlen(err.message), SKRFS_ERROR_MESSAGE_MAX - 1);
    assert_null(strstr(err.message, "far"));
    assert_string_equal(err.message + SKRFS_ERROR_MESSAGE_MAX - 1 - 16, ": near: the fact");
    skrfs_wrap(&err, "more");
    assert_string_equal(err.message + SKRFS_ERROR_MESSAGE_MAX - 1 - 16, ": near: the fact");
}

static void a_message_may_be_made_of_the_old_one(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_fail(&err, SKRFS_CLASS_BUG, "inner");
    skrfs_fail(&err, SKRFS_CLASS_CONFIG, "outer (%s)", err.message);
    assert_string_equal(err.message, "outer (inner)");
    skrfs_wrap(&err, "%s again", err.message);
    assert_string_equal(err.message, "outer (inner) again: outer (inner)");
}

static void control_characters_do_not_reach_a_terminal(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_fail(&err, SKRFS_CLASS_BUG, "a\x1b[31m\r\nb\x7f");
    skrfs_wrap(&err, "x\ny");
    assert_string_equal(err.message, "x?y: a?[31m??b?");
}

static void a_system_call_s_failure_says_why(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_fail_errno(&err, EACCES, "%s cannot be opened", "/x");
    assert_string_equal(err.message, "/x cannot be opened: Permission denied");
    assert_int_equal(err.kind, SKRFS_CLASS_SYSTEM);
    assert_int_equal(err.errnum, EACCES);
    skrfs_fail_errno(&err, ENOMEM, "x");
    assert_int_equal(err.kind, SKRFS_CLASS_NO_MEMORY);
    char words[2000];
    memset(words, 'w', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    skrfs_fail_errno(&err, ENOENT, "%s", words);
    assert_int_equal(strlen(err.message), SKRFS_ERROR_MESSAGE_MAX - 1);
    assert_non_null(strstr(err.message, "w: No such file or directory"));
}

static void each_class_has_its_errno_name_and_exit_code(void **state) {
    (void)state;
    static const struct {
        enum skrfs_class kind;
        int errnum;
        const char *name;
    } table[] = {
            {SKRFS_CLASS_BUG, EIO, "bug"},
            {SKRFS_CLASS_DENIED, EACCES, "denied"},
            {SKRFS_CLASS_NOT_FOUND, ENOENT, "not-found"},
            {SKRFS_CLASS_REJECTED, EKEYREJECTED, "rejected"},
            {SKRFS_CLASS_REVOKED, EKEYREVOKED, "revoked"},
            {SKRFS_CLASS_EXPIRED, EKEYEXPIRED, "expired"},
            {SKRFS_CLASS_UNAVAILABLE, EAGAIN, "unavailable"},
            {SKRFS_CLASS_TIMEOUT, ETIMEDOUT, "timeout"},
            {SKRFS_CLASS_NO_TEE, ENODEV, "no-tee"},
            {SKRFS_CLASS_BAD_ANSWER, EIO, "bad-answer"},
            {SKRFS_CLASS_CRYPTO, EIO, "crypto"},
            {SKRFS_CLASS_NO_MEMORY, ENOMEM, "no-memory"},
            {SKRFS_CLASS_CONFIG, EINVAL, "config"},
            {SKRFS_CLASS_INTERRUPTED, EINTR, "interrupted"},
            {SKRFS_CLASS_SYSTEM, EIO, "system"},
    };
    assert_int_equal(SKRFS_ARRAY_LEN(table), SKRFS_CLASS_COUNT);
    unsigned long codes = 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(table); i++) {
        int code = skrfs_class_exit_code(table[i].kind);
        assert_int_equal(skrfs_class_errno(table[i].kind), table[i].errnum);
        assert_string_equal(skrfs_class_name(table[i].kind), table[i].name);
        assert_in_range(code, 1, 63);
        assert_false(codes & 1UL << code);
        codes |= 1UL << code;
    }
    assert_int_equal(skrfs_class_errno((enum skrfs_class)99), EIO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(failing_sets_every_field),
            cmocka_unit_test(wrapping_puts_words_in_front_and_keeps_the_rest),
            cmocka_unit_test(a_full_message_loses_its_outermost_words),
            cmocka_unit_test(a_message_may_be_made_of_the_old_one),
            cmocka_unit_test(control_characters_do_not_reach_a_terminal),
            cmocka_unit_test(a_system_call_s_failure_says_why),
            cmocka_unit_test(each_class_has_its_errno_name_and_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
