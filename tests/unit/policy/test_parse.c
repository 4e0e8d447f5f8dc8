#include "support.h"

#include <skrfs/policy/policy.h>

#define AUTHORITY "https://a.weu.attest.azure.net"
#define CLAIM "{\"claim\":\"c\",\"equals\":\"v\"}"
#define POLICY(members)                                                                            \
    "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"" AUTHORITY "\"," members "}]}"

static void refused(const char *text, const char *why) {
    struct skrfs_error err = {0};
    struct skrfs_policy *policy = NULL;
    assert_fails(skrfs_policy_parse(text, strlen(text), &policy, &err), err, SKRFS_CLASS_BAD_ANSWER,
            why);
    assert_null(policy);
}

static void printed(const char *text, size_t len, const char *wanted) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_POLICY_MAX);
    assert_ok(skrfs_policy_parse(text, len, &policy, &err), err);
    assert_ok(skrfs_policy_print(policy, &out, &err), err);
    if (wanted)
        assert_string_equal(skrfs_buf_text(&out), wanted);
    /* What was printed is a policy that prints the same. */
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *again = NULL;
    skrfs_autobuf second = SKRFS_BUF(SKRFS_POLICY_MAX);
    assert_ok(skrfs_policy_parse(skrfs_buf_text(&out), out.len, &again, &err), err);
    assert_ok(skrfs_policy_print(again, &second, &err), err);
    assert_string_equal(skrfs_buf_text(&second), skrfs_buf_text(&out));
}

static void prints_in_the_services_order(void **state) {
    (void)state;
    const char *text =
            "{ \"anyOf\": [ { \"allOf\": [ {\"equals\": true, \"claim\": \"a.b\"}, {\"anyOf\": "
            "[ {\"claim\":\"n\",\"equals\":7} ] } ], \"authority\": \"" AUTHORITY
            "\" } ], \"version\": \"1.0.0\" }";
    printed(text, strlen(text),
            "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"" AUTHORITY
            "\",\"allOf\":[{\"claim\":\"a.b\",\"equals\":\"true\"},{\"anyOf\":[{\"claim\":\"n\","
            "\"equals\":\"7\"}]}]}]}");
}

static void takes_the_captured_policies(void **state) {
    (void)state;
    static const char *const names[] = {"azure-rest/policy-aci-nested-anyof.json",
            "azure-rest/policy-multi-authority-nested.json"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
        vector_read(names[i], &text);
        printed(skrfs_buf_text(&text), text.len, NULL);
    }
}

static void refuses_what_is_outside_the_grammar(void **state) {
    (void)state;
    refused("[]", "no JSON object");
    refused("{\"version\":\"1.0.0\"", "line 1");
    refused("{\"anyOf\":[]}", "\"version\": \"1.0.0\"");
    refused("{\"version\":\"1.0\",\"anyOf\":[]}", "old preview form");
    refused("{\"version\":\"2.0.0\",\"anyOf\":[]}", "only \"1.0.0\"");
    refused("{\"version\":\"1.0.0\"}", "at least one authority");
    refused("{\"version\":\"1.0.0\",\"anyOf\":[]}", "at least one authority");
    refused("{\"version\":\"1.0.0\",\"anyof\":[]}", "did you mean 'anyOf'");
    refused("{\"version\":\"1.0.0\",\"anyOf\":[7]}", "anyOf[0]: is no authority");
    refused("{\"version\":\"1.0.0\",\"anyOf\":[{\"allOf\":[" CLAIM "]}]}", "address is missing");
    refused(POLICY("\"allOf\":[]"), "at least one condition");
    refused(POLICY("\"allOf\":[" CLAIM "],\"anyOf\":[" CLAIM "]"), "both");
    refused(POLICY("\"allof\":[" CLAIM "]"), "did you mean 'allOf'");
    refused(POLICY("\"allOf\":[" CLAIM "],\"x\":1"), "unknown member 'x'");
    refused(POLICY("\"allOf\":[7]"), "anyOf[0].allOf[0]: is no condition");
    refused(POLICY("\"allOf\":[{}]"), "neither");
}

static void refuses_wrong_claims(void **state) {
    (void)state;
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"greater\":1}]"),
            "anyOf[0].allOf[0].greater: operator 'greater' is not served");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"exists\":true}]"),
            "operator 'exists' is not served");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"condition\":\"equals\",\"value\":\"v\"}]"),
            "old preview form");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\"}]"), "has no 'equals'");
    refused(POLICY("\"allOf\":[{\"equals\":\"v\"}]"), "claim's name");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"equals\":null}]"), "takes a string");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"equals\":[\"v\"]}]"), "takes a string");
    refused(POLICY("\"allOf\":[{\"claim\":\"\",\"equals\":\"v\"}]"), "has 1 to 255 characters");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"equals\":\"v\",\"anyOf\":[]}]"),
            "unknown member 'anyOf'");
    refused(POLICY("\"allOf\":[{\"Claim\":\"c\",\"equals\":\"v\"}]"), "did you mean 'claim'");
}

static void strip(const char *text, const char *wanted, size_t wanted_count) {
    struct skrfs_error err = {0};
    skrfs_autobuf out = SKRFS_BUF(1024);
    size_t count = 99;
    assert_ok(skrfs_policy_strip_comments(text, strlen(text), &out, &count, &err), err);
    assert_string_equal(skrfs_buf_text(&out), wanted);
    assert_int_equal(count, wanted_count);
}

static void blanks_comments_in_place(void **state) {
    (void)state;
    strip("", "", 0);
    strip("{\"a\": 1} // end", "{\"a\": 1}       ", 1);
    strip("{/*a\nb*/\"c\":2}", "{   \n   \"c\":2}", 1);
    strip("{\"u\":\"https://x/*y*/\"}", "{\"u\":\"https://x/*y*/\"}", 0);
    strip("{\"q\":\"\\\"//\"}//x\r\n/**/", "{\"q\":\"\\\"//\"}   \r\n    ", 2);
    strip("a / b", "a / b", 0);

    struct skrfs_error err = {0};
    skrfs_autobuf out = SKRFS_BUF(1024);
    size_t count = 99;
    assert_fails(skrfs_policy_strip_comments("{}\n  /* x", 9, &out, &count, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "line 2, column 3");
    assert_int_equal(count, 99);
    assert_int_equal(out.len, 0);
}

static void writes_a_policy_for_a_confidential_vm(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    const struct skrfs_claim_wish more = {
            "x-ms-isolation-tee.x-ms-sevsnpvm-is-debuggable", "false"};
    skrfs_autobuf out = SKRFS_BUF(SKRFS_POLICY_MAX);
    assert_ok(skrfs_policy_new_cvm(AUTHORITY, "sevsnpvm", &more, 1, &out, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&out), "\n  "));
    printed(skrfs_buf_text(&out), out.len,
            "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"" AUTHORITY "\",\"allOf\":["
            "{\"claim\":\"x-ms-isolation-tee.x-ms-attestation-type\",\"equals\":\"sevsnpvm\"},"
            "{\"claim\":\"x-ms-isolation-tee.x-ms-compliance-status\",\"equals\":\"azure-compliant-"
            "cvm\"},"
            "{\"claim\":\"x-ms-isolation-tee.x-ms-sevsnpvm-is-debuggable\",\"equals\":\"false\"}]}]"
            "}");
    assert_fails(skrfs_policy_new_cvm("http://a", "tdxvm", NULL, 0, &out, &err), err,
            SKRFS_CLASS_CONFIG, "https://");
    assert_fails(skrfs_policy_new_cvm(AUTHORITY, "sgx", NULL, 0, &out, &err), err,
            SKRFS_CLASS_CONFIG, "sevsnpvm or tdxvm");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(prints_in_the_services_order),
            cmocka_unit_test(takes_the_captured_policies),
            cmocka_unit_test(refuses_what_is_outside_the_grammar),
            cmocka_unit_test(refuses_wrong_claims),
            cmocka_unit_test(blanks_comments_in_place),
            cmocka_unit_test(writes_a_policy_for_a_confidential_vm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
