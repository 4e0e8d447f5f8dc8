#include "support.h"

#include <skrfs/policy/policy.h>

#define ISSUER "https://a.weu.attest.azure.net"

static struct skrfs_json *parsed(const char *text, size_t len) {
    struct skrfs_error err = {0};
    struct skrfs_json *json = NULL;
    assert_ok(skrfs_json_parse(text, len, SKRFS_POLICY_MAX, &json, &err), err);
    return json;
}

/* Holds claims against a policy: `why` NULL when they must meet it, otherwise text of the
 * explanation. */
static void check(const char *policy_text, const struct skrfs_json *claims, const char *why) {
    struct skrfs_error err = {0};
    char said[512] = "untouched";
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    assert_ok(skrfs_policy_parse(policy_text, strlen(policy_text), &policy, &err), err);
    assert_int_equal(skrfs_policy_meets(policy, claims), !why);
    assert_int_equal(skrfs_policy_explain(policy, claims, said, sizeof(said)), why != NULL);
    if (!strstr(said, why ? why : "untouched")) {
        print_error("%s\n", said);
        fail();
    }
}

static void check_text(const char *conditions, const char *claims_text, const char *why) {
    skrfs_autobuf policy = SKRFS_BUF(4096);
    struct skrfs_error err = {0};
    skrfs_autojson *claims = parsed(claims_text, strlen(claims_text));
    assert_ok(skrfs_buf_printf(&policy, &err,
                      "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"" ISSUER "/\",%s}]}",
                      conditions),
            err);
    check(skrfs_buf_text(&policy), claims, why);
}

static void compares_as_text(void **state) {
    (void)state;
#define ONE(value) "\"allOf\":[{\"claim\":\"c\",\"equals\":" value "}]"
#define CLAIMS(value) "{\"iss\":\"" ISSUER "\",\"c\":" value "}"
    check_text(ONE("\"true\""), CLAIMS("true"), NULL);
    check_text(ONE("true"), CLAIMS("\"true\""), NULL);
    check_text(ONE("false"), CLAIMS("false"), NULL);
    check_text(ONE("\"0\""), CLAIMS("0"), NULL);
    check_text(ONE("3"), CLAIMS("3"), NULL);
    check_text(ONE("1.5"), CLAIMS("1.5"), NULL);
    check_text(ONE("\"x\""), CLAIMS("\"X\""), "claim c is 'X', wants 'x'");
    check_text(ONE("\"x\""), CLAIMS("\"x \""), "claim c is 'x ', wants 'x'");
    check_text(ONE("\"false\""), CLAIMS("true"), "claim c is 'true', wants 'false'");
    check_text(ONE("\"null\""), CLAIMS("null"), "no single value");
    check_text(ONE("\"x\""), CLAIMS("[\"x\"]"), "no single value");
    check_text(ONE("\"x\""), CLAIMS("{\"x\":1}"), "no single value");
}

static void compares_in_other_ways(void **state) {
    (void)state;
#define BY(operator, value) "\"allOf\":[{\"claim\":\"c\",\"" operator"\":" value "}]"
    check_text(BY("notEquals", "\"x\""), CLAIMS("\"y\""), NULL);
    check_text(BY("notEquals", "\"x\""), CLAIMS("\"x\""), "claim c is 'x', wants anything but 'x'");
    check_text(BY("notEquals", "\"x\""), "{\"iss\":\"" ISSUER "\"}", "claim c is absent");
    check_text(BY("notEquals", "\"x\""), CLAIMS("[]"), "no single value");
    check_text(BY("less", "3"), CLAIMS("2"), NULL);
    check_text(BY("less", "3"), CLAIMS("\"2\""), NULL);
    check_text(BY("less", "\"3\""), CLAIMS("3"), "claim c is '3', wants less than '3'");
    check_text(BY("lessOrEquals", "3"), CLAIMS("3"), NULL);
    check_text(BY("lessOrEquals", "3"), CLAIMS("3.5"), "wants at most '3'");
    check_text(BY("greater", "1"), CLAIMS("8888"), NULL);
    check_text(BY("greater", "1"), CLAIMS("1"), "claim c is '1', wants more than '1'");
    check_text(BY("greater", "9"), CLAIMS("\"10\""), NULL); /* as numbers, not as text */
    check_text(BY("greaterOrEquals", "-2"), CLAIMS("-2"), NULL);
    check_text(BY("greaterOrEquals", "\"1e1\""), CLAIMS("9.5"), "wants at least '1e1'");
    check_text(BY("greater", "9223372036854775806"), CLAIMS("9223372036854775807"), NULL);
    check_text(BY("greater", "0"), CLAIMS("\"many\""), "claim c is 'many'");
    check_text(BY("less", "\"x\""), CLAIMS("1"), "wants less than 'x'");
    check_text(BY("less", "1"), CLAIMS("false"), "claim c is 'false'");
    check_text(BY("less", "1"), "{\"iss\":\"" ISSUER "\"}", "claim c is absent");
    check_text(BY("exists", "true"), CLAIMS("null"), NULL);
    check_text(BY("exists", "true"), CLAIMS("{}"), NULL);
    check_text(BY("exists", "\"true\""), "{\"iss\":\"" ISSUER "\"}", "absent, wants any value");
    check_text(BY("exists", "false"), "{\"iss\":\"" ISSUER "\"}", NULL);
    check_text(BY("exists", "false"), CLAIMS("0"), "claim c is '0', wants a token without it");
    check_text("\"allOf\":[{\"claim\":\"c\",\"condition\":\"equals\",\"value\":\"true\"}]",
            CLAIMS("true"), NULL);
}

/* The commonest slip: a confidential VM's token has its TEE's claims one level down. */
static void tells_where_else_a_claim_is(void **state) {
    (void)state;
    check_text("\"allOf\":[{\"claim\":\"x-ms-isolation-tee.c\",\"equals\":\"1\"}]", CLAIMS("1"),
            "claim x-ms-isolation-tee.c is absent, wants '1' (the token has it as c)");
    check_text(ONE("1"), "{\"iss\":\"" ISSUER "\",\"x-ms-isolation-tee\":{\"c\":1}}",
            "claim c is absent, wants '1' (the token has it as x-ms-isolation-tee.c)");
}

static void combines_conditions(void **state) {
    (void)state;
#define C(name, value) "{\"claim\":\"" name "\",\"equals\":\"" value "\"}"
    const char *claims = "{\"iss\":\"" ISSUER "\",\"a\":\"1\",\"b\":\"2\"}";
    check_text("\"allOf\":[" C("a", "1") "," C("b", "2") "]", claims, NULL);
    check_text("\"allOf\":[" C("a", "1") "," C("b", "3") "]", claims, "claim b is '2', wants '3'");
    check_text("\"anyOf\":[" C("a", "9") "," C("b", "2") "]", claims, NULL);
    check_text("\"anyOf\":[" C("a", "8") "," C("b", "9") "]", claims,
            "claim a is '1', wants '8' (nor does any of its 1 alternatives hold)");
    check_text("\"allOf\":[{\"anyOf\":[" C("a", "9") ",{\"allOf\":[" C("a", "1") "," C(
                       "b", "2") "]}]}]",
            claims, NULL);
    check_text("\"allOf\":[" C("z", "1") "]", claims, "claim z is absent, wants '1'");
}

static void asks_for_the_issuer(void **state) {
    (void)state;
    check_text(ONE("\"x\""), "{\"iss\":\"" ISSUER "/\",\"c\":\"x\"}", NULL);
    check_text(ONE("\"x\""), "{\"iss\":\"" ISSUER "//\",\"c\":\"x\"}",
            "none of the policy's authorities");
    check_text(ONE("\"x\""), "{\"iss\":\"https://evil.example\",\"c\":\"x\"}",
            "issuer 'https://evil.example' is none of the policy's authorities");
    check_text(ONE("\"x\""), "{\"iss\":\"" ISSUER ".evil.example\",\"c\":\"x\"}", "none of");
    check_text(ONE("\"x\""), "{\"c\":\"x\"}", "names no issuer");
    check_text(ONE("\"x\""), "{\"iss\":7,\"c\":\"x\"}", "names no issuer");
}

static void finds_claims_by_path(void **state) {
    (void)state;
    const char *text = "{\"a\":{\"b\":{\"c\":\"deep\"},\"b.c\":\"two\"},\"a.b\":{\"c\":\"one\"},"
                       "\"p.q\":\"own\","
                       "\"p\":{\"q\":\"path\"},\"l\":[{\"x\":1}],\"s\":\"t\"}";
    skrfs_autojson *claims = parsed(text, strlen(text));
    assert_string_equal(skrfs_json_string(skrfs_claim(claims, "p.q")), "own");
    assert_string_equal(skrfs_json_string(skrfs_claim(claims, "a.b.c")), "one");
    assert_int_equal(skrfs_json_kind(skrfs_claim(claims, "a")), SKRFS_JSON_OBJECT);
    assert_null(skrfs_claim(claims, "a.x"));
    assert_null(skrfs_claim(claims, "l.x"));
    assert_null(skrfs_claim(claims, "l.0.x"));
    assert_null(skrfs_claim(claims, "s.t"));
    assert_null(skrfs_claim(claims, ""));
    assert_null(skrfs_claim(claims, "."));
    assert_null(skrfs_claim(claims, ".a"));
    char long_path[400];
    memset(long_path, 'a', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_null(skrfs_claim(claims, long_path));
}

static void shows_values_cleaned_and_cut(void **state) {
    (void)state;
    char claims[512], wanted[256], run[201];
    memset(run, 'y', sizeof(run) - 1);
    run[sizeof(run) - 1] = '\0';
    snprintf(claims, sizeof(claims), "{\"iss\":\"" ISSUER "\",\"c\":\"\\u001b[31m%s\"}", run);
    snprintf(wanted, sizeof(wanted), "claim c is '?[31m%.95s', wants 'x'", run);
    check_text(ONE("\"x\""), claims, wanted);
}

static struct skrfs_json *captured(const char *name) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
    vector_read(name, &text);
    return parsed(skrfs_buf_text(&text), text.len);
}

#define REAL(issuer, type, status)                                                                 \
    "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"" issuer "\",\"allOf\":[" type "," status  \
    "]}]}"

static void judges_captured_claims(void **state) {
    (void)state;
    skrfs_autojson *guest = captured("azure-rest/maa-azureguest-snp.claims.json");
    skrfs_autojson *snp = captured("azure-rest/maa-sevsnpvm.claims.json");
#define INNER_TYPE C("x-ms-isolation-tee.x-ms-attestation-type", "sevsnpvm")
#define INNER_STATUS C("x-ms-isolation-tee.x-ms-compliance-status", "azure-compliant-cvm")
    const char *inner =
            REAL("https://sharedeus.eus.test.attest.azure.net/", INNER_TYPE, INNER_STATUS);
    check(inner, guest, NULL);
    check(inner, snp, "issuer 'https://maasandbox0001.wus.attest.azure.net'");
    check(REAL("https://maasandbox0001.wus.attest.azure.net", INNER_TYPE, INNER_STATUS), snp,
            "claim x-ms-isolation-tee.x-ms-attestation-type is absent, wants 'sevsnpvm'");
    check(REAL("https://sharedeus.eus.test.attest.azure.net",
                  C("x-ms-attestation-type", "sevsnpvm"), INNER_STATUS),
            guest, "claim x-ms-attestation-type is 'azurevm', wants 'sevsnpvm'");
    check(REAL("https://sharedeus.eus.test.attest.azure.net", C("secureboot", "true"),
                  C("x-ms-isolation-tee.x-ms-sevsnpvm-vmpl", "0")),
            guest, NULL);

    skrfs_autojson *tdx = captured("containers-sgx-tdx/tokens/tdx-claims.json");
#define TDX(claim)                                                                                 \
    REAL("https://maasand001.eus.attest.azure.net", C("x-ms-attestation-type", "tdxvm"), claim)
    check(TDX(C("tdx_td_attributes_debug", "false")), tdx, NULL);
    check(TDX(C("tdx_td_attributes_debug", "true")), tdx,
            "claim tdx_td_attributes_debug is 'false', wants 'true'");
    check(TDX("{\"claim\":\"tdx_seamsvn\",\"greaterOrEquals\":3}"), tdx, NULL);
    check(TDX(C("tdx_rtmr0", "00")), tdx, "claim tdx_rtmr0 is '0000");

    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
    vector_read("azure-rest/policy-multi-authority-nested.json", &text);
    check(skrfs_buf_text(&text), guest,
            "issuer 'https://sharedeus.eus.test.attest.azure.net' is none");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(compares_as_text),
            cmocka_unit_test(compares_in_other_ways),
            cmocka_unit_test(tells_where_else_a_claim_is),
            cmocka_unit_test(combines_conditions),
            cmocka_unit_test(asks_for_the_issuer),
            cmocka_unit_test(finds_claims_by_path),
            cmocka_unit_test(shows_values_cleaned_and_cut),
            cmocka_unit_test(judges_captured_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
