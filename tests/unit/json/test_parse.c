#include "support.h"

#include <skrfs/base/encode.h>
#include <skrfs/json/json.h>

static int parse(const char *text, struct skrfs_json **ret_json, struct skrfs_error *err) {
    return skrfs_json_parse(text, strlen(text), 1 << 20, ret_json, err);
}

static void members_are_found_by_name_and_kind(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autojson *json = NULL;
    const char *text = NULL;
    int64_t number = 0;
    const struct skrfs_json *value = NULL;
    assert_ok(parse("{\"s\":\"t\\u00e9xt\",\"n\":-7,\"o\":{\"a\":[1,2.5,true,false,null]},\"z\":"
                    "null}",
                      &json, &err),
            err);
    assert_ok(skrfs_json_need_string(json, "s", &text, &err), err);
    assert_string_equal(text, "t\xc3\xa9xt");
    assert_ok(skrfs_json_need_integer(json, "n", &number, &err), err);
    assert_int_equal(number, -7);
    assert_ok(skrfs_json_need_object(json, "o", &value, &err), err);
    assert_ok(skrfs_json_need_array(value, "a", &value, &err), err);
    static const enum skrfs_json_kind kinds[] = {SKRFS_JSON_INTEGER, SKRFS_JSON_REAL,
            SKRFS_JSON_TRUE, SKRFS_JSON_FALSE, SKRFS_JSON_NULL};
    assert_int_equal(skrfs_json_size(value), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(skrfs_json_kind(skrfs_json_at(value, i)), kinds[i]);
    assert_null(skrfs_json_at(value, 5));
    assert_int_equal(skrfs_json_size(json), 4);
}

static void what_is_missing_or_of_another_kind_is_named(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autojson *json = NULL;
    const char *text = "untouched";
    int64_t number = 5;
    const struct skrfs_json *value = NULL;
    assert_ok(parse("{\"s\":\"t\",\"n\":1.0,\"z\":null}", &json, &err), err);
    assert_fails(skrfs_json_need_string(json, "kid", &text, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "'kid' is missing");
    assert_fails(skrfs_json_need_string(json, "n", &text, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "'n' is not a string");
    assert_fails(skrfs_json_need_string(json, "z", &text, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "'z' is not a string");
    assert_fails(skrfs_json_need_integer(json, "n", &number, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "'n' is not an integer");
    assert_fails(skrfs_json_need_object(json, "s", &value, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "'s' is not an object");
    assert_fails(skrfs_json_need_array(NULL, "s", &value, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "'s' is missing");
    assert_string_equal(text, "untouched");
    assert_int_equal(number, 5);
    assert_ok(skrfs_json_want_string(json, "s", &text, &err), err);
    assert_string_equal(text, "t");
    assert_ok(skrfs_json_want_string(json, "z", &text, &err), err);
    assert_null(text);
    assert_fails(skrfs_json_want_string(json, "n", &text, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "'n' is not a string");
}

static void what_is_not_there_has_no_value(void **state) {
    (void)state;
    assert_null(skrfs_json_get(NULL, "a"));
    assert_null(skrfs_json_at(NULL, 0));
    assert_null(skrfs_json_string(NULL));
    assert_int_equal(skrfs_json_size(NULL), 0);
    assert_int_equal(skrfs_json_integer(NULL), 0);
    assert_int_equal(skrfs_json_kind(NULL), SKRFS_JSON_NULL);
    skrfs_json_free(NULL);
}

static void loose_json_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
            {"", "line 1"},
            {"{\"a\":1,\"a\":2}", "twice"},
            {"{\"a\":1} x", "something follows"},
            {"{\"a\":1}{}", "something follows"},
            {"{\"a\":\"\\u0000\"}", "NUL"},
            {"{\"\\u0000\":1}", "NUL"},
            {"{\"a\":\"\xff\"}", "UTF-8"},
            {"{\"a\":\"\xc0\x80\"}", "UTF-8"},
            {"{\"a\":\"\\ud800\"}", "line 1"},
            {"{\"a\":1", "ends too early"},
            {"{'a':1}", "line 1"},
            {"{\"a\":01}", "line 1"},
            {"{\"a\":1,}", "line 1"},
            {"{\"a\":NaN}", "line 1"},
            {"{\"a\":13202930541250959283}", "64 bits"},
            {"{\"a\":1e999}", "64 bits"},
            {"\"text\"", "line 1"},
            {"7", "line 1"},
            {"/* c */{}", "line 1"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        struct skrfs_json *json = NULL;
        assert_fails(
                parse(cases[i].text, &json, &err), err, SKRFS_CLASS_BAD_ANSWER, cases[i].reason);
        assert_null(json);
    }
    struct skrfs_error err = {0};
    struct skrfs_json *json = NULL;
    assert_fails(skrfs_json_parse("{\"a\":\"b\0\"}", 10, 100, &json, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "JSON, line 1");
}

static void a_refusal_does_not_quote_the_text(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_json *json = NULL;
    assert_fails(parse("{\n \"access_token\": eyJsecret}", &json, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "line 2");
    assert_null(strstr(err.message, "eyJ"));
}

static void nest(char *text, size_t levels) {
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    text[2 * levels] = '\0';
}

static void depth_and_size_have_limits(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    static char text[20001];
    skrfs_autojson *json = NULL;
    struct skrfs_json *none = NULL;
    nest(text, SKRFS_JSON_DEPTH_MAX);
    assert_ok(parse(text, &json, &err), err);
    nest(text, SKRFS_JSON_DEPTH_MAX + 1);
    assert_fails(parse(text, &none, &err), err, SKRFS_CLASS_BAD_ANSWER, "deeper than 32");
    nest(text, 10000);
    assert_fails(parse(text, &none, &err), err, SKRFS_CLASS_BAD_ANSWER, "nested too deeply");
    assert_fails(skrfs_json_parse("{}   ", 5, 4, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "5 octets, more than the 4");
    assert_null(none);
}

static void members_come_in_their_order(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autojson *json = NULL;
    void *iterator = NULL;
    const char *name;
    const struct skrfs_json *value;
    char seen[8] = "";
    assert_ok(parse("{\"z\":1,\"a\":2,\"m\":3}", &json, &err), err);
    while (skrfs_json_next(json, &iterator, &name, &value))
        strncat(seen, name, sizeof(seen) - strlen(seen) - 1);
    assert_string_equal(seen, "zam");
    iterator = NULL;
    assert_false(skrfs_json_next(skrfs_json_get(json, "z"), &iterator, &name, &value));
}

static void base64_members_are_decoded(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autojson *json = NULL;
    skrfs_autobuf out = SKRFS_BUF(16);
    assert_ok(parse("{\"e\":\"AQAB\",\"bad\":\"AQ=B\",\"n\":1}", &json, &err), err);
    assert_ok(skrfs_json_need_base64(json, "e", SKRFS_BASE64URL, &out, &err), err);
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.data, "\x01\x00\x01", 3);
    assert_fails(skrfs_json_need_base64(json, "bad", SKRFS_BASE64URL, &out, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "member 'bad': base64 text has a wrong character");
    assert_fails(skrfs_json_need_base64(json, "n", SKRFS_BASE64URL, &out, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "'n' is not a string");
}

static void captured_claims_are_read(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf text = SKRFS_BUF(0);
    skrfs_autojson *json = NULL;
    const struct skrfs_json *tee = NULL;
    const char *status = NULL;
    vector_read("azure-rest/maa-azureguest-snp.claims.json", &text);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.len, &json, &err), err);
    assert_ok(skrfs_json_need_object(json, "x-ms-isolation-tee", &tee, &err), err);
    assert_ok(skrfs_json_need_string(tee, "x-ms-compliance-status", &status, &err), err);
    assert_string_equal(status, "azure-compliant-cvm");
}

/* A nonce that does not fit into 64 bits with a sign: refused, not rounded. */
static void a_captured_number_that_does_not_fit_is_refused(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf text = SKRFS_BUF(0);
    struct skrfs_json *json = NULL;
    vector_read("containers-sgx-tdx/snp-aci-cleanroom/maa-request.json", &text);
    assert_fails(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.len, &json, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "64 bits");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(members_are_found_by_name_and_kind),
            cmocka_unit_test(what_is_missing_or_of_another_kind_is_named),
            cmocka_unit_test(what_is_not_there_has_no_value),
            cmocka_unit_test(loose_json_is_refused),
            cmocka_unit_test(a_refusal_does_not_quote_the_text),
            cmocka_unit_test(depth_and_size_have_limits),
            cmocka_unit_test(members_come_in_their_order),
            cmocka_unit_test(base64_members_are_decoded),
            cmocka_unit_test(captured_claims_are_read),
            cmocka_unit_test(a_captured_number_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
