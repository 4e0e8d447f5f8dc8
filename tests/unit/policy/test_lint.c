#include "support.h"

#include <skrfs/policy/policy.h>

struct found {
    char text[4096]; /* one finding a line: "error 3:7 text" */
};

static void keep(void *context, enum skrfs_finding_level level, unsigned line, unsigned column,
        const char *text) {
    static const char *const levels[] = {"note", "warning", "error"};
    struct found *found = context;
    size_t used = strlen(found->text);
    snprintf(found->text + used, sizeof(found->text) - used, "%s %u:%u %s\n", levels[level], line,
            column, text);
}

static int lint(const char *text, size_t len, struct found *ret_found) {
    struct skrfs_error err = {0};
    memset(ret_found, 0, sizeof(*ret_found));
    return skrfs_policy_lint(text, len, keep, ret_found, &err);
}

static void says(const char *text, int wanted, const char *finding) {
    struct found found;
    int result = lint(text, strlen(text), &found);
    if (result != wanted || (finding ? !strstr(found.text, finding) : found.text[0] != '\0')) {
        print_error("%d\n%s\n", result, found.text);
        fail();
    }
}

#define HEAD                                                                                       \
    "{\"version\": \"1.0.0\",\n \"anyOf\": [\n  {\"authority\": \"https://a.attest.azure.net\",\n"
#define STATUS "{\"claim\": \"x-ms-compliance-status\", \"equals\": \"azure-compliant-uvm\"}"
#define WITH(claim) HEAD "   \"allOf\": [" STATUS ",\n    " claim "]}]}"

static void is_quiet_on_a_good_policy(void **state) {
    (void)state;
    says(WITH("{\"claim\": \"x-ms-sevsnpvm-is-debuggable\", \"equals\": \"false\"}"), 0, NULL);
    says(WITH("{\"claim\": \"x-ms-runtime.client-payload.nonce\", \"equals\": \"x\"}"), 0, NULL);
}

static void names_places(void **state) {
    (void)state;
    says("{\"version\": \"1.0.0\",\n  oops}", -1, "error 2:");
    says(WITH("{\"claim\": \"x-ms-sgx-svn\",\n  \"greater\": 1}"), -1,
            "error 6:3 operator 'greater' is not served");
    says(WITH("{\"claim\": \"secureboot\",\n  \"Equals\": 1}"), -1,
            "error 6:3 unknown member 'Equals': did you mean 'equals'?");
    says(WITH("7"), -1, "error 5:5 is no condition");
    says(WITH("{}"), -1, "error 5:5 has neither");
    says("{ // why\n \"version\": \"1.0\", \"anyOf\": []}", -1, "note 1:3 a comment");
    says("{ // why\n \"version\": \"1.0\", \"anyOf\": []}", -1,
            "error 2:2 \"1.0\" is the old preview form");
    says("{}\n /* ", -1, "error 2:2 the comment");
    says("", -1, "error 1:1 the text ends too early");
    says("\n {}", -1, "error 2:2 has no \"version\"");
}

static void goes_on_after_an_error(void **state) {
    (void)state;
    const char *text = WITH(
            "{\"claim\": \"x-ms-sgx-svn\", \"less\": 1},\n {\"claim\": \"hostdata\", \"equals\": "
            "\"x\"}, 9");
    says(text, -1, "operator 'less'");
    says(text, -1, "warning 6:3 no token of a known TEE");
    says(text, -1, "error 6:40 is no condition");
}

static void doubts_values(void **state) {
    (void)state;
    says(WITH("{\"claim\": \"x-ms-sgx-mrenclave\", \"equals\": \"9fa4g\"}"), 0,
            "warning 5:37 cannot match: x-ms-sgx-mrenclave is hexadecimal");
    says(WITH("{\"claim\": \"x-ms-sevsnpvm-hostdata\", \"equals\": \"ab\"}"), 0,
            "64 hexadecimal digits, not 2");
    says(WITH("{\"claim\": \"x-ms-sevsnpvm-imageId\", \"equals\": "
              "\"0200000000000000000000000000000A\"}"),
            0, "lower case");
    says(WITH("{\"claim\": \"x-ms-sevsnpvm-imageid\", \"equals\": \"02\"}"), 0,
            "did you mean 'x-ms-sevsnpvm-imageId'?");
    says(WITH("{\"claim\": \"secureboot\", \"equals\": \"yes\"}"), 0, "is true or false");
    says(WITH("{\"claim\": \"x-ms-sevsnpvm-vmpl\", \"equals\": \"zero\"}"), 0, "is a number");
    says(WITH("{\"claim\": \"x-ms-attestation-type\", \"equals\": \"snp\"}"), 0,
            "unknown attestation type");
    says(WITH("{\"claim\": \"x-ms-isolation-tee.x-ms-compliance-status\", \"equals\": "
              "\"compliant\"}"),
            0, "unknown compliance status");
    says(WITH("{\"claim\": \"tdx_mrtd\", \"equals\": \"<mrtd>\"}"), 0, "placeholder");
}

static void doubts_authorities(void **state) {
    (void)state;
    says("{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"http://a\",\"allOf\":[" STATUS "]}]}",
            -1, "error 1:30 is no https:// address");
    says(HEAD "\"allOf\": [{\"claim\": \"secureboot\", \"equals\": \"true\"}]}]}", 0,
            "warning 3:4 any guest that this authority attests");
    says(HEAD "\"allOf\": [{\"claim\": \"x-ms-attestation-type\", \"equals\": \"azurevm\"}]}]}", 0,
            "any guest");
    says(HEAD "\"anyOf\": [" STATUS ",{\"claim\": \"secureboot\", \"equals\": \"true\"}]}]}", 0,
            "any guest");
    says(HEAD "\"anyOf\": [" STATUS
              ",{\"claim\": \"x-ms-attestation-type\", \"equals\": \"tdxvm\"}]}]}",
            0, NULL);
}

static void judges_captured_policies(void **state) {
    (void)state;
    struct found found;
    skrfs_autobuf sgx = SKRFS_BUF(SKRFS_POLICY_MAX);
    vector_read("containers-sgx-tdx/policies/sgx-skr-policy-mrsigner-svn.json", &sgx);
    assert_int_equal(lint(skrfs_buf_text(&sgx), sgx.len, &found), -1);
    assert_non_null(strstr(found.text, "error 17:6 operator 'greater'"));
    assert_non_null(
            strstr(found.text, "warning 13:6 cannot match: x-ms-sgx-mrenclave is hexadecimal"));

    skrfs_autobuf aci = SKRFS_BUF(SKRFS_POLICY_MAX);
    vector_read("azure-rest/policy-aci-nested-anyof.json", &aci);
    assert_int_equal(lint(skrfs_buf_text(&aci), aci.len, &found), 0);
    assert_non_null(strstr(found.text, "placeholder"));

    skrfs_autobuf many = SKRFS_BUF(SKRFS_POLICY_MAX);
    vector_read("azure-rest/policy-multi-authority-nested.json", &many);
    assert_int_equal(lint(skrfs_buf_text(&many), many.len, &found), 0);
    assert_string_equal(found.text, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(is_quiet_on_a_good_policy),
            cmocka_unit_test(names_places),
            cmocka_unit_test(goes_on_after_an_error),
            cmocka_unit_test(doubts_values),
            cmocka_unit_test(doubts_authorities),
            cmocka_unit_test(judges_captured_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
