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
    refused("{\"version\":\"1.0\",\"anyOf\":[]}", "at least one authority");
    refused("{\"version\":\"2.0.0\",\"anyOf\":[]}", "only \"1.0.0\"");
    refused("{\"version\":\"1.0.0\"}", "at least one authority");
    refused("{\"version\":\"1.0.0\",\"anyOf\":[]}", "at least one authority");
    refused("{\"version\":\"1.0.0\",\"anyof\":[]}", "at least one authority");
    refused("{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"a\",\"allOf\":[" CLAIM
            "]}],\"allof\":1}",
            "one token has one issuer");
    refused("{\"version\":\"1.0.0\",\"anyOff\":[]}", "did you mean 'anyOf'");
    refused("{\"version\":\"1.0.0\",\"anyof\":[],\"anyOf\":[]}", "stands beside 'anyOf'");
    refused("{\"version\":\"1.0.0\",\"anyOf\":[7]}", "anyOf[0]: is no authority");
    refused("{\"version\":\"1.0.0\",\"anyOf\":[{\"allOf\":[" CLAIM "]}]}", "address is missing");
    refused(POLICY("\"allOf\":[]"), "at least one condition");
    refused(POLICY("\"allOf\":[" CLAIM "],\"anyOf\":[" CLAIM "]"), "both");
    refused(POLICY("\"allOf\":[" CLAIM "],\"allof\":[" CLAIM "]"), "both");
    refused(POLICY("\"allOff\":[" CLAIM "]"), "did you mean 'allOf'");
    refused(POLICY("\"allOf\":[" CLAIM "],\"x\":1"), "unknown member 'x'");
    refused(POLICY("\"allOf\":[7]"), "anyOf[0].allOf[0]: is no condition");
    refused(POLICY("\"allOf\":[{}]"), "neither");
}

static void refuses_wrong_claims(void **state) {
    (void)state;
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"exists\":7}]"), "takes true or false");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"condition\":\"like\",\"value\":\"v\"}]"),
            "'like' is no comparison");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"condition\":\"equals\"}]"), "has no 'value'");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"equals\":1,\"value\":1}]"), "compares once");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\"}]"), "has no 'equals'");
    refused(POLICY("\"allOf\":[{\"equals\":\"v\"}]"), "claim's name");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"equals\":null}]"), "takes a string");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"equals\":[\"v\"]}]"), "takes a string");
    refused(POLICY("\"allOf\":[{\"claim\":\"\",\"equals\":\"v\"}]"), "has 1 to 255 characters");
    refused(POLICY("\"allOf\":[{\"claim\":\"c\",\"equals\":\"v\",\"anyOf\":[]}]"),
            "a claim and a list at once");
    refused(POLICY("\"allOf\":[{\"Claim\":\"c\",\"equals\":\"v\"}]"), "did you mean 'claim'");
}

/* Parses, and says whether the service of today takes it. */
static void served(const char *text, const char *why) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    assert_ok(skrfs_policy_parse(text, strlen(text), &policy, &err), err);
    if (why)
        assert_fails(skrfs_policy_served(policy, &err), err, SKRFS_CLASS_BAD_ANSWER, why);
    else
        assert_ok(skrfs_policy_served(policy, &err), err);
}

static void takes_the_whole_grammar(void **state) {
    (void)state;
    static const char *const operators[] = {
            "notEquals", "less", "lessOrEquals", "greater", "greaterOrEquals"};
    char text[512], wanted[512];
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(operators); i++) {
        snprintf(
                text, sizeof(text), POLICY("\"anyOf\":[{\"claim\":\"c\",\"%s\":1}]"), operators[i]);
        snprintf(wanted, sizeof(wanted), POLICY("\"anyOf\":[{\"claim\":\"c\",\"%s\":\"1\"}]"),
                operators[i]);
        printed(text, strlen(text), wanted);
        snprintf(wanted, sizeof(wanted), "claim c: operator '%s' is not served", operators[i]);
        served(text, wanted);
    }
    const char *exists = POLICY("\"allOf\":[" CLAIM ",{\"claim\":\"c\",\"exists\":false}]");
    printed(exists, strlen(exists),
            POLICY("\"allOf\":[" CLAIM ",{\"claim\":\"c\",\"exists\":\"false\"}]"));
    served(exists, "operator 'exists'");
    served(POLICY("\"allOf\":[{\"anyOf\":[{\"allOf\":[" CLAIM "]}," CLAIM "]}]"), NULL);
    served("{\"version\":\"1.0.0\",\"anyof\":[{\"authority\":\"" AUTHORITY "\",\"allof\":[" CLAIM
           "]}]}",
            NULL);
}

static void takes_the_old_form(void **state) {
    (void)state;
    const char *old =
            "{\"version\":\"1.0\",\"anyOf\":[{\"authority\":\"" AUTHORITY
            "\",\"allOf\":[{\"claim\":\"c\",\"condition\":\"equals\",\"value\":\"v\"}]}]}";
    printed(old, strlen(old), POLICY("\"allOf\":[" CLAIM "]"));
    served(old, "only \"1.0.0\" is served");
    served("{\"version\":\"0.2\",\"anyOf\":[{\"authority\":\"a\",\"allOf\":[" CLAIM "]}]}",
            "only \"1.0.0\"");
    served(POLICY("\"allOf\":[{\"claim\":\"c\",\"condition\":\"equals\",\"value\":\"v\"}]"),
            "belong to the old preview form");
}

static void imports_the_tools_configuration(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_POLICY_MAX);
    const char *text = "{\"key\":{\"authority\":{\"endpoint\":\"a.weu.attest.azure.net\"}},"
                       "\"claims\":[[" CLAIM "],[" CLAIM "," CLAIM "]]}";
    assert_ok(skrfs_policy_parse_import(text, strlen(text), &policy, &err), err);
    assert_ok(skrfs_policy_print(policy, &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out),
            POLICY("\"anyOf\":[{\"allOf\":[" CLAIM "]},{\"allOf\":[" CLAIM "," CLAIM "]}]"));
    refused(text, "is no release policy but a key import configuration");
    struct skrfs_policy *none = NULL;
    assert_fails(skrfs_policy_parse_import("{}", 2, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "names no attestation service");
    text = "{\"key\":{\"authority\":{\"endpoint\":\"a\"}},\"claims\":{}}";
    assert_fails(skrfs_policy_parse_import(text, strlen(text), &none, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "claims: wants \"claims\": a list of lists");
    text = "{\"key\":{\"authority\":{\"endpoint\":\"a\"}},\"claims\":[7]}";
    assert_fails(skrfs_policy_parse_import(text, strlen(text), &none, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "claims[0]: is not a list");
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

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(prints_in_the_services_order),
            cmocka_unit_test(takes_the_captured_policies),
            cmocka_unit_test(refuses_what_is_outside_the_grammar),
            cmocka_unit_test(refuses_wrong_claims),
            cmocka_unit_test(blanks_comments_in_place),
            cmocka_unit_test(takes_the_whole_grammar),
            cmocka_unit_test(takes_the_old_form),
            cmocka_unit_test(imports_the_tools_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
