/* What is written and what is told: new policies, plain words, node by node. */
#include "linted.h"

#define WEU "https://sharedweu.weu.attest.azure.net"
#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX64 HEX32 HEX32
#define HEX96 HEX64 HEX32

static const char *const weu[] = {WEU};

/* Writes a policy; it passes its own lint without a word, and has these texts in it. */
static void writes(enum skrfs_policy_tee tee, const struct skrfs_claim_wish *claims, size_t count,
        const char *const *wanted) {
    struct skrfs_error err = {0};
    struct found found;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_POLICY_MAX);
    assert_ok(skrfs_policy_new(tee, weu, 1, claims, count, &out, &err), err);
    const char *text = skrfs_buf_text(&out);
    assert_non_null(strstr(text, "\n  "));
    for (; *wanted; wanted++) {
        if (!strstr(text, *wanted)) {
            print_error("no %s in %s\n", *wanted, text);
            fail();
        }
    }
    assert_int_equal(lint(text, out.len, &found), 0);
    assert_string_equal(found.text, "");
}

static void refuses(enum skrfs_policy_tee tee, const struct skrfs_claim_wish *claims, size_t count,
        const char *why) {
    struct skrfs_error err = {0};
    skrfs_autobuf out = SKRFS_BUF(SKRFS_POLICY_MAX);
    assert_fails(
            skrfs_policy_new(tee, weu, 1, claims, count, &out, &err), err, SKRFS_CLASS_CONFIG, why);
    assert_int_equal(out.len, 0);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CLAIMS(...)                                                                                \
    (const struct skrfs_claim_wish[]) {                                                            \
        __VA_ARGS__                                                                                \
    }

static void writes_a_policy_for_each_tee(void **state) {
    (void)state;
    writes(SKRFS_POLICY_CVM_SNP, NULL, 0,
            TEXTS("\"x-ms-isolation-tee.x-ms-sevsnpvm-is-debuggable\",\n          \"equals\": "
                  "\"false\"",
                    "azure-compliant-cvm"));
    writes(SKRFS_POLICY_CVM_TDX, NULL, 0,
            TEXTS("\"x-ms-isolation-tee.tdx_td_attributes_debug\"", "\"tdxvm\""));
    writes(SKRFS_POLICY_SNP, CLAIMS({"x-ms-sevsnpvm-hostdata", HEX64}), 1,
            TEXTS("azure-compliant-uvm", "\"x-ms-sevsnpvm-is-debuggable\"", HEX64));
    writes(SKRFS_POLICY_SNP, CLAIMS({"x-ms-sevsnpvm-launchmeasurement", HEX96}), 1, TEXTS(HEX96));
    writes(SKRFS_POLICY_TDX, CLAIMS({"tdx_mrtd", HEX96}), 1,
            TEXTS("\"tdx_td_attributes_debug\"", HEX96));
    writes(SKRFS_POLICY_SGX, CLAIMS({"x-ms-sgx-mrenclave", HEX64}), 1,
            TEXTS("\"x-ms-sgx-is-debuggable\"", HEX64));
    writes(SKRFS_POLICY_SGX, CLAIMS({"x-ms-sgx-mrsigner", HEX64}, {"x-ms-sgx-product-id", "1"}), 2,
            TEXTS("\"x-ms-sgx-product-id\""));
}

static void refuses_what_any_guest_meets(void **state) {
    (void)state;
    refuses(SKRFS_POLICY_SNP, NULL, 0, "any container group would do");
    refuses(SKRFS_POLICY_SNP, CLAIMS({"x-ms-sevsnpvm-vmpl", "0"}), 1, "any container group");
    refuses(SKRFS_POLICY_TDX, NULL, 0, "any trust domain would do");
    refuses(SKRFS_POLICY_TDX, CLAIMS({"tdx_mrconfigid", HEX96}), 1, "any trust domain would do");
    refuses(SKRFS_POLICY_SGX, NULL, 0, "any enclave would do");
    refuses(SKRFS_POLICY_SGX, CLAIMS({"x-ms-sgx-mrsigner", HEX64}), 1,
            "any enclave of that signer");
    refuses(SKRFS_POLICY_SGX, CLAIMS({"x-ms-sgx-product-id", "1"}), 1, "whoever wrote it");
}

static void writes_several_authorities(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    static const char *const two[] = {WEU, "https://sharedeus.eus.attest.azure.net"};
    static const char *const wrong[] = {WEU, "http://sharedeus.eus.attest.azure.net"};
    skrfs_autobuf out = SKRFS_BUF(SKRFS_POLICY_MAX), said = SKRFS_BUF(SKRFS_POLICY_MAX);
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    assert_fails(skrfs_policy_new(SKRFS_POLICY_CVM_SNP, two, 0, NULL, 0, &out, &err), err,
            SKRFS_CLASS_CONFIG, "wants an attestation service");
    assert_fails(skrfs_policy_new(SKRFS_POLICY_CVM_SNP, wrong, 2, NULL, 0, &out, &err), err,
            SKRFS_CLASS_CONFIG, "https://");
    assert_ok(skrfs_policy_new(SKRFS_POLICY_CVM_SNP, two, 2, NULL, 0, &out, &err), err);
    assert_ok(skrfs_policy_parse(skrfs_buf_text(&out), out.len, &policy, &err), err);
    assert_ok(skrfs_policy_tell(policy, &said, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&said), "any of these attestation services"));
}

static void lets_a_claim_replace_its_own(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf out = SKRFS_BUF(SKRFS_POLICY_MAX);
    const struct skrfs_claim_wish status = {"x-ms-compliance-status", "azure-compliant-cvm"};
    const struct skrfs_claim_wish both[] = {{"x-ms-sevsnpvm-hostdata", HEX64}, status};
    assert_ok(skrfs_policy_new(SKRFS_POLICY_SNP, weu, 1, both, 2, &out, &err), err);
    assert_null(strstr(skrfs_buf_text(&out), "azure-compliant-uvm"));
    skrfs_buf_truncate(&out, 0);
    assert_fails(skrfs_policy_new_cvm(WEU, "sgx", NULL, 0, &out, &err), err, SKRFS_CLASS_CONFIG,
            "sevsnpvm or tdxvm");
    assert_fails(skrfs_policy_new_cvm("http://a", "tdxvm", NULL, 0, &out, &err), err,
            SKRFS_CLASS_CONFIG, "https://");
}

static void names_tees_and_their_claims(void **state) {
    (void)state;
    enum skrfs_policy_tee tee = SKRFS_POLICY_TDX;
    char name[SKRFS_CLAIM_MAX] = "untouched";
    for (int i = 0; i < SKRFS_POLICY_TEE_COUNT; i++) {
        assert_true(skrfs_policy_tee_parse(skrfs_policy_tee_name((enum skrfs_policy_tee)i), &tee));
        assert_int_equal(tee, i);
    }
    assert_true(skrfs_policy_tee_parse("gramine", &tee));
    assert_int_equal(tee, SKRFS_POLICY_SGX);
    assert_false(skrfs_policy_tee_parse("arm", &tee));
    assert_false(skrfs_policy_word(SKRFS_POLICY_SGX, "hostdata", name));
    assert_string_equal(name, "untouched");
    assert_true(skrfs_policy_word(SKRFS_POLICY_SNP, "hostdata", name));
    assert_string_equal(name, "x-ms-sevsnpvm-hostdata");
    assert_true(skrfs_policy_word(SKRFS_POLICY_CVM_SNP, "measurement", name));
    assert_string_equal(name, "x-ms-isolation-tee.x-ms-sevsnpvm-launchmeasurement");
    assert_true(skrfs_policy_word(SKRFS_POLICY_CVM_TDX, "vmid", name));
    assert_string_equal(name, "x-ms-azurevm-vmid");
    struct skrfs_error err = {0};
    skrfs_autobuf words = SKRFS_BUF(1024);
    assert_ok(skrfs_policy_words(SKRFS_POLICY_SGX, &words, &err), err);
    assert_string_equal(skrfs_buf_text(&words),
            "policy-hash, mrenclave, mrsigner, product-id, svn, config-id, config-svn");
}

static struct skrfs_json *claims_of(const char *text) {
    struct skrfs_error err = {0};
    struct skrfs_json *claims = NULL;
    assert_ok(skrfs_json_parse(text, strlen(text), SKRFS_POLICY_MAX, &claims, &err), err);
    return claims;
}

static void tells_tees_by_their_tokens(void **state) {
    (void)state;
    static const struct {
        const char *claims;
        int tee; /* -1: none */
    } cases[] = {
            {"{\"x-ms-attestation-type\":\"sevsnpvm\"}", SKRFS_POLICY_SNP},
            {"{\"x-ms-attestation-type\":\"tdxvm\"}", SKRFS_POLICY_TDX},
            {"{\"x-ms-attestation-type\":\"sgx\"}", SKRFS_POLICY_SGX},
            {"{\"x-ms-attestation-type\":\"azurevm\",\"x-ms-isolation-tee\":"
             "{\"x-ms-attestation-type\":\"sevsnpvm\"}}",
                    SKRFS_POLICY_CVM_SNP},
            {"{\"x-ms-attestation-type\":\"azurevm\",\"x-ms-isolation-tee\":"
             "{\"x-ms-attestation-type\":\"tdxvm\"}}",
                    SKRFS_POLICY_CVM_TDX},
            {"{\"x-ms-attestation-type\":\"azurevm\"}", -1},
            {"{}", -1},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        enum skrfs_policy_tee tee = SKRFS_POLICY_TEE_COUNT;
        skrfs_autojson *claims = claims_of(cases[i].claims);
        assert_int_equal(skrfs_policy_tee_of(claims, &tee), cases[i].tee >= 0);
        assert_int_equal(tee, cases[i].tee >= 0 ? cases[i].tee : SKRFS_POLICY_TEE_COUNT);
    }
}

static void speaks_plainly(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autobuf said = SKRFS_BUF(SKRFS_POLICY_MAX);
    const char *text =
            "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"" WEU
            "/\",\"allOf\":[" C("x-ms-attestation-type", "sevsnpvm") ",{\"anyOf\":[" C(
                    "x-ms-sevsnpvm-hostdata", "ab") ",{\"allOf\":[" C("x-ms-sevsnpvm-is-debuggable",
                    "false") ",{\"claim\":\"x-ms-sevsnpvm-guestsvn\",\"greater\":3}]}]},{\"claim\":"
                             "\"x\",\"exists\":false}]},"
                             "{\"authority\":\"https://own.example\",\"anyOf\":[" C(
                                     "x", "\\u001by") "]}]}";
    assert_ok(skrfs_policy_parse(text, strlen(text), &policy, &err), err);
    assert_ok(skrfs_policy_tell(policy, &said, &err), err);
    assert_string_equal(skrfs_buf_text(&said),
            "A key under this policy is released when this attestation service says of the machine "
            "what stands below:\n"
            "   " WEU "/ (Azure Attestation in West Europe, the shared one)\n"
            "All of these statements:\n"
            "   - it runs inside AMD SEV-SNP\n"
            "     [x-ms-attestation-type]\n"
            "   - at least one of these is so:\n"
            "      - its host data (of containers: the hash of the policy of what may run) is ab\n"
            "        [x-ms-sevsnpvm-hostdata]\n"
            "      - all of these are so:\n"
            "         - the host cannot debug it\n"
            "           [x-ms-sevsnpvm-is-debuggable]\n"
            "         - its own security version is more than '3'\n"
            "           [x-ms-sevsnpvm-guestsvn]\n"
            "   - its token says nothing in x\n"
            "     [x]\n"
            "\n"
            "Or when this attestation service says of the machine what stands below:\n"
            "   https://own.example\n"
            "The statement:\n"
            "   - its claim x is ?y\n"
            "     [x]\n");
}

struct steps {
    char text[2048];
};

static void note_step(void *context, const struct skrfs_policy_step *step) {
    struct steps *steps = context;
    size_t used = strlen(steps->text);
    const char *kind = &"A\0?\0&\0c"[2 * step->kind];
    snprintf(steps->text + used, sizeof(steps->text) - used, "%u%s%s%s %s %s %s %s %s\n",
            step->depth, kind, step->issuer ? "!" : "", step->holds ? "+" : "-",
            step->name ? step->name : ".", step->condition ? step->condition : ".",
            step->wanted ? step->wanted : ".", step->actual ? step->actual : ".",
            step->elsewhere ? step->elsewhere : ".");
}

static void tests_node_by_node(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct steps steps = {.text = ""};
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    const char *text =
            "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"" WEU
            "/\",\"allOf\":[" C("a.b", "1") ",{\"anyOf\":[" C("o", "x") "," C("l", "x") "," C(
                    "n", "null") "," C("m", "x") "]}]},"
                                                 "{\"authority\":"
                                                 "\"https://other\","
                                                 "\"anyOf\":[" C("t", "true") "]}]}";
    skrfs_autojson *claims = claims_of(
            "{\"iss\":\"" WEU "\",\"a\":{\"b\":1},\"o\":{},\"l\":[],\"n\":null,\"t\":true,"
            "\"x-ms-isolation-tee\":{\"m\":2}}");
    assert_ok(skrfs_policy_parse(text, strlen(text), &policy, &err), err);
    assert_false(skrfs_policy_test(policy, claims, note_step, &steps));
    assert_string_equal(steps.text, "0A!- " WEU "/ . . . .\n"
                                    "1&- . . . . .\n"
                                    "2c+ a.b equals 1 1 .\n"
                                    "2?- . . . . .\n"
                                    "3c- o equals x {...} .\n"
                                    "3c- l equals x [...] .\n"
                                    "3c- n equals null null .\n"
                                    "3c- m equals x . x-ms-isolation-tee.m\n"
                                    "0A- https://other . . . .\n"
                                    "1?+ . . . . .\n"
                                    "2c+ t equals true true .\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(writes_a_policy_for_each_tee),
            cmocka_unit_test(refuses_what_any_guest_meets),
            cmocka_unit_test(writes_several_authorities),
            cmocka_unit_test(lets_a_claim_replace_its_own),
            cmocka_unit_test(names_tees_and_their_claims),
            cmocka_unit_test(tells_tees_by_their_tokens),
            cmocka_unit_test(speaks_plainly),
            cmocka_unit_test(tests_node_by_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
