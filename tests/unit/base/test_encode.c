#include "support.h"

#include <skrfs/base/encode.h>

/* RFC 4648 section 10. */
static const struct {
    const char *plain;
    const char *padded;
    const char *url;
} rfc[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
};

static void expect(enum skrfs_base64 kind, const char *text, const char *plain, size_t len) {
    struct skrfs_error err = {0};
    skrfs_autobuf out = SKRFS_BUF(4096);
    assert_ok(skrfs_base64_decode(kind, text, strlen(text), &out, &err), err);
    assert_int_equal(out.len, len);
    if (len)
        assert_memory_equal(out.data, plain, len);
}

static void the_rfc_s_examples_go_both_ways(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rfc); i++) {
        struct skrfs_error err = {0};
        size_t len = strlen(rfc[i].plain);
        skrfs_autobuf padded = SKRFS_BUF(64);
        skrfs_autobuf url = SKRFS_BUF(64);
        assert_ok(skrfs_base64_encode(SKRFS_BASE64, rfc[i].plain, len, &padded, &err), err);
        assert_string_equal(skrfs_buf_text(&padded), rfc[i].padded);
        assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, rfc[i].plain, len, &url, &err), err);
        assert_string_equal(skrfs_buf_text(&url), rfc[i].url);
        expect(SKRFS_BASE64, rfc[i].padded, rfc[i].plain, len);
        expect(SKRFS_BASE64URL, rfc[i].url, rfc[i].plain, len);
        expect(SKRFS_BASE64URL, rfc[i].padded, rfc[i].plain, len);
        expect(SKRFS_BASE64_ANY, rfc[i].padded, rfc[i].plain, len);
        expect(SKRFS_BASE64_ANY, rfc[i].url, rfc[i].plain, len);
    }
}

static void every_octet_survives_and_nothing_is_trimmed(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    uint8_t all[259];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)(i * 7);
    all[sizeof(all) - 1] = all[sizeof(all) - 2] = 0;
    for (size_t len = 0; len <= sizeof(all); len++) {
        for (int kind = SKRFS_BASE64; kind <= SKRFS_BASE64URL; kind++) {
            skrfs_autobuf text = SKRFS_BUF(1024);
            skrfs_autobuf back = SKRFS_BUF(1024);
            assert_ok(skrfs_base64_encode((enum skrfs_base64)kind, all, len, &text, &err), err);
            assert_int_equal(text.len, skrfs_base64_len((enum skrfs_base64)kind, len));
            assert_ok(skrfs_base64_decode(
                              SKRFS_BASE64_ANY, skrfs_buf_text(&text), text.len, &back, &err),
                    err);
            assert_int_equal(back.len, len);
            if (len)
                assert_memory_equal(back.data, all, len);
        }
    }
}

static void the_alphabets_differ_in_two_digits(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf standard = SKRFS_BUF(16);
    skrfs_autobuf url = SKRFS_BUF(16);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64, "\xfb\xff\xbf", 3, &standard, &err), err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, "\xfb\xff\xbf", 3, &url, &err), err);
    assert_string_equal(skrfs_buf_text(&standard), "+/+/");
    assert_string_equal(skrfs_buf_text(&url), "-_-_");
    expect(SKRFS_BASE64_ANY, "+/+/", "\xfb\xff\xbf", 3);
    expect(SKRFS_BASE64_ANY, "-_-_", "\xfb\xff\xbf", 3);
}

static void what_is_not_base64_is_refused(void **state) {
    (void)state;
    static const struct {
        enum skrfs_base64 kind;
        const char *text;
        const char *reason;
    } cases[] = {
            {SKRFS_BASE64, "Zg", "cut off or wrongly padded"},
            {SKRFS_BASE64, "Zg=", "cut off or wrongly padded"},
            {SKRFS_BASE64, "Z", "cut off or wrongly padded"},
            {SKRFS_BASE64, "Zm9v====", "wrong character at offset 4"},
            {SKRFS_BASE64, "Zm9v==", "wrongly padded"},
            {SKRFS_BASE64, "=", "wrongly padded"},
            {SKRFS_BASE64, "====", "wrong character at offset 0"},
            {SKRFS_BASE64URL, "Zg=", "wrongly padded"},
            {SKRFS_BASE64URL, "Zm9vY", "cut off"},
            {SKRFS_BASE64, "Zm 9", "wrong character at offset 2"},
            {SKRFS_BASE64, "Zm9\n", "wrong character at offset 3"},
            {SKRFS_BASE64, "Z=9v", "wrong character at offset 1"},
            {SKRFS_BASE64, "-_-_", "wrong character at offset 0"},
            {SKRFS_BASE64URL, "+/+/", "wrong character at offset 0"},
            {SKRFS_BASE64_ANY, "+_+_", "wrong character at offset 0"},
            {SKRFS_BASE64, "Zh==", "bits set past its end"},
            {SKRFS_BASE64URL, "Zm9", "bits set past its end"},
            {SKRFS_BASE64, "Zm9\xc3", "wrong character at offset 3"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf out = SKRFS_BUF(64);
        assert_ok(skrfs_buf_append_text(&out, "kept", &err), err);
        assert_fails(skrfs_base64_decode(
                             cases[i].kind, cases[i].text, strlen(cases[i].text), &out, &err),
                err, SKRFS_CLASS_BAD_ANSWER, cases[i].reason);
        assert_string_equal(skrfs_buf_text(&out), "kept");
    }
}

static void each_octet_is_a_digit_or_not(void **state) {
    (void)state;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int c = 0; c < 256; c++) {
        struct skrfs_error err = {0};
        skrfs_autobuf out = SKRFS_BUF(64);
        char text[4] = {'A', 'A', 'A', (char)c};
        int failed = skrfs_base64_decode(SKRFS_BASE64, text, 4, &out, &err);
        bool digit = c && strchr(digits, c);
        /* '=' is padding, and then the bits before it are none. */
        assert_int_equal(failed, digit || c == '=' ? 0 : -1);
        if (digit)
            assert_int_equal(out.data[2], strchr(digits, c) - digits);
    }
}

static void hexadecimal_is_exact(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    char text[9];
    uint8_t octets[4] = {1, 2, 3, 4};
    skrfs_hex_encode("\x00\x9a\xbc\xff", 4, text);
    assert_string_equal(text, "009abcff");
    assert_ok(skrfs_hex_decode("DEadBEef", octets, 4, &err), err);
    assert_memory_equal(octets, "\xde\xad\xbe\xef", 4);
    static const char *const wrong[] = {"", "dead", "deadbeef0", "deadbee", "deadbeeg", "dead beef",
            "0xdeadbe", "deadbe\xc3\xa9"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++)
        assert_fails(skrfs_hex_decode(wrong[i], octets, 4, &err), err, SKRFS_CLASS_BAD_ANSWER,
                "hexadecimal");
    assert_memory_equal(octets, "\xde\xad\xbe\xef", 4);
}

static void text_for_people_is_cleaned_and_cut(void **state) {
    (void)state;
    char out[8];
    skrfs_text_clean("a\x1b\xc3\xa9z", 5, out, sizeof(out));
    assert_string_equal(out, "a???z");
    skrfs_text_clean("0123456789", 10, out, sizeof(out));
    assert_string_equal(out, "0123456");
    skrfs_text_clean("x", 1, out, 1);
    assert_string_equal(out, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_rfc_s_examples_go_both_ways),
            cmocka_unit_test(every_octet_survives_and_nothing_is_trimmed),
            cmocka_unit_test(the_alphabets_differ_in_two_digits),
            cmocka_unit_test(what_is_not_base64_is_refused),
            cmocka_unit_test(each_octet_is_a_digit_or_not),
            cmocka_unit_test(hexadecimal_is_exact),
            cmocka_unit_test(text_for_people_is_cleaned_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
