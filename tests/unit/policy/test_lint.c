#include "linted.h"

#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX64 HEX32 HEX32
#define ZERO64 "0000000000000000000000000000000000000000000000000000000000000000"
#define HEX96 HEX64 HEX32

static void is_quiet_on_a_good_policy(void **state) {
    (void)state;
    says(WITH(IN("x-ms-sevsnpvm-is-debuggable", "false")), 0, NULL);
    says(WITH(C("x-ms-runtime.client-payload.nonce", "x")), 0, NULL);
    says(ALL(C("x-ms-sevsnpvm-hostdata", HEX64) "," C("x-ms-compliance-status",
                 "azure-compliant-uvm") "," C("x-ms-sevsnpvm-is-debuggable", "false")),
            0, NULL);
    says(ALL(C("x-ms-attestation-type", "tdxvm") "," C("tdx_mrtd", HEX96) "," C(
                 "tdx_td_attributes_debug", "false")),
            0, NULL);
    says(ALL(C("x-ms-sgx-mrsigner", HEX64) "," C("x-ms-sgx-product-id", "7") "," C(
                 "x-ms-sgx-is-debuggable", "false")),
            0, NULL);
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
            "error 2:2 is the old preview's: write \"1.0.0\"");
    says("{}\n /* ", -1, "error 2:2 the comment");
    says("", -1, "error 1:1 the text ends too early");
    says("\n {}", -1, "error 2:2 has no \"version\"");
    says("{\"version\": \"1.0.0\",\n\"version\": \"1.0.0\"}", -1, "error 2:9 a member's name");
}

static void goes_on_after_an_error(void **state) {
    (void)state;
    const char *text = WITH(
            "{\"claim\": \"x-ms-sgx-svn\", \"less\": 1},\n {\"claim\": \"hostdata\", \"equals\": "
            "\"x\"}, 9");
    says(text, -1, "operator 'less'");
    says(text, -1, "warning 6:3 no token has this claim: did you mean 'x-ms-sevsnpvm-hostdata'?");
    says(text, -1, "error 6:40 is no condition");
}

static void doubts_values(void **state) {
    (void)state;
    says(WITH("{\"claim\": \"x-ms-sgx-mrenclave\", \"equals\": \"9fa4g\"}"), 0,
            "warning 5:37 cannot match: x-ms-sgx-mrenclave is hexadecimal");
    says(WITH(C("x-ms-sevsnpvm-hostdata", "ab")), 0, "64 hexadecimal digits, not 2");
    says(WITH(C("x-ms-sevsnpvm-imageId", "0200000000000000000000000000000A")), 0, "lower case");
    says(WITH(C("x-ms-sevsnpvm-imageid", "02")), 0, "did you mean 'x-ms-sevsnpvm-imageId'?");
    says(WITH(IN("x-ms-sevsnpvm-hostdat", "02")), 0,
            "did you mean 'x-ms-isolation-tee.x-ms-sevsnpvm-hostdata'?");
    says(WITH(C("hostdata", "02")), 0, "did you mean 'x-ms-sevsnpvm-hostdata'?");
    says(WITH(IN("x-ms-sgx-svn", "2")), 0, "warning 5:6 no token has this claim below");
    says(WITH(C("secureboot", "yes")), 0, "is true or false");
    says(WITH(C("x-ms-sevsnpvm-vmpl", "zero")), 0, "is a number");
    says(WITH(C("x-ms-sgx-svn", "01")), 0, "is a number");
    says(WITH(C("department", "7")), 0, "warning 5:6 no token of a known TEE has this claim");
    says(WITH(C("x-ms-attestation-type", "snp")), 0, "unknown attestation type");
    says(WITH(IN("x-ms-attestation-type", "azurevm")), 0, "sevsnpvm and tdxvm are known");
    says(WITH(IN("x-ms-compliance-status", "compliant")), 0, "unknown compliance status");
    says(WITH(C("dbgstat", "off")), 0, "is 'disabled' or 'enabled'");
    says(WITH(C("tdx_mrtd", "<mrtd>")), 0, "placeholder");
    says(WITH(C("tdx_mrtd", "${MRTD}")), 0, "placeholder");
    says(WITH(C("secureboot", "true ")), 0, "blanks around");
    says(WITH(IN("x-ms-sevsnpvm-is-debuggable", "true")), 0, "whoever runs the machine can read");
    says(WITH(C("tdx_mrtd", "00000000000000000000000000000000" ZERO64)), 0, "all zeros");
}

static void doubts_other_operators(void **state) {
    (void)state;
    says(WITH("{\"claim\": \"x-ms-sevsnpvm-guestsvn\", \"greater\": \"x\"}"), -1,
            "never holds: 'greater' compares numbers");
    says(WITH("{\"claim\": \"secureboot\", \"less\": 3}"), -1,
            "never holds: secureboot is no number");
    says(WITH("{\"claim\": \"secureboot\", \"exists\": \"yes\"}"), -1, "takes true or false");
    says(WITH("{\"claim\": \"secureboot\", \"exists\": true}"), -1,
            "operator 'exists' is not served");
    says(WITH("{\"claim\": \"secureboot\", \"equals\": true, \"less\": 3}"), -1, "compares once");
}

static void knows_the_old_form(void **state) {
    (void)state;
    says(WITH("{\"claim\": \"secureboot\",\n \"condition\": \"equals\", \"value\": \"true\"}"), -1,
            "error 6:2 'condition' and 'value' belong to the old preview form");
    says(WITH("{\"claim\": \"secureboot\",\n \"condition\": \"is\", \"value\": \"true\"}"), -1,
            "error 6:2 'is' is no comparison");
    says(WITH("{\"claim\": \"secureboot\", \"value\": \"true\"}"), -1, "has no 'condition'");
}

static void warns_of_the_grammars_spelling(void **state) {
    (void)state;
    says("{\"version\":\"1.0.0\",\n\"anyof\":[{\"authority\":\"https://a.weu.attest.azure.net\",\n"
         "\"allof\":[" STATUS "]}]}",
            0, "warning 2:1 'anyof' is the grammar's spelling");
    says(HEAD "\"allof\":[" STATUS "]}]}", 0, "warning 4:1 'allof'");
}

static void names_wrong_nesting(void **state) {
    (void)state;
    says("{\"version\":\"1.0.0\",\"allOf\":[]}", -1, "authorities stand in \"anyOf\"");
    says("{\"version\":\"1.0.0\",\"anyOf\":[" STATUS "]}", -1, "where an authority is wanted");
    says(WITH("{\"authority\":\"https://b\",\"allOf\":[" STATUS "]}"), -1,
            "error 5:5 an authority stands in the policy's outermost anyOf alone");
    says(WITH("{\"claim\":\"secureboot\",\"anyOf\":[" STATUS "]}"), -1, "a list at once");
    says(HEAD "\"allOf\":[" STATUS "],\"anyOf\":[" STATUS "]}]}", -1, "error 3:3 has both");
}

/* What people hand in for a policy. */
static void names_other_files(void **state) {
    (void)state;
    says("{\"contentType\":\"application/json\",\"data\":\"e30\"}", -1,
            "error 1:1 is a release policy in its REST wrapping");
    says("{\"key\":{},\"release_policy\":{}}", -1, "a vault's answer about a key");
    says("{\"iss\":\"https://a\",\"exp\":1}", -1, "what an attestation token claims");
    says("{\"azure_filesystems\":[]}", -1, "encrypted file system's side-car");
    says("{\"key\":{\"authority\":{\"endpoint\":\"a.weu.attest.azure.net\"}},\"claims\":[[\n" C(
                 "hostdata", "x") "]]}",
            -1, "warning 2:2 no token has this claim");
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

    skrfs_autobuf files = SKRFS_BUF(SKRFS_POLICY_MAX);
    vector_read("containers-sgx-tdx/policies/encfs-sidecar-args.json", &files);
    assert_int_equal(lint(skrfs_buf_text(&files), files.len, &found), -1);
    assert_non_null(strstr(found.text, "error 1:1 is no release policy but the arguments of an"));

    skrfs_autobuf import = SKRFS_BUF(SKRFS_POLICY_MAX);
    vector_read("containers-sgx-tdx/policies/skr-aci.importkeyconfig.json", &import);
    assert_int_equal(lint(skrfs_buf_text(&import), import.len, &found), -1);
    assert_non_null(strstr(found.text, "error 1:1 is no release policy but a key import"));
    assert_non_null(strstr(found.text, "warning 22:17 looks like a placeholder"));

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
            cmocka_unit_test(doubts_other_operators),
            cmocka_unit_test(knows_the_old_form),
            cmocka_unit_test(warns_of_the_grammars_spelling),
            cmocka_unit_test(names_wrong_nesting),
            cmocka_unit_test(names_other_files),
            cmocka_unit_test(judges_captured_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
