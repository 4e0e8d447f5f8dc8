/* SNP, TDX and SGX evidence of the lab's own processors, through the whole attestation service. */
#include "calls.h"
#include "jwt.h"
#include "release.h"
#include "request.h"
#include "support.h"

#include <skrfs/base/encode.h>

#define MAA SKRFS_LAB_MAA
#define NEW "api-version=2025-06-01"
#define OLD "api-version=2018-09-01-preview"
#define JSON_TYPE "Content-Type=application/json"
#define DRAFT "version= 1.0;authorizationrules{ => permit(); };issuancerules{};"

static struct skrfs_error err;

static const char *const paths[] = {
        [SKRFS_LAB_SEVSNPVM] = "/attest/SevSnpVm",
        [SKRFS_LAB_TDXVM] = "/attest/TdxVm",
        [SKRFS_LAB_SGXENCLAVE] = "/attest/SgxEnclave",
        [SKRFS_LAB_OPENENCLAVE] = "/attest/OpenEnclave",
};

static int set_up(void **state) {
    struct skrfs_lab_ports ports = {1, 2};
    struct skrfs_lab *lab = NULL;
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_ok(skrfs_lab_new(&ports, false, true, &lab, &err), err);
    *state = lab;
    return 0;
}

static int take_down(void **state) {
    skrfs_lab_free(*state);
    return 0;
}

static unsigned send(
        struct skrfs_lab *lab, const struct request *request, struct skrfs_json **ret_answer) {
    skrfs_autobuf body = SKRFS_BUF(REQUEST_MAX);
    request_body(lab->pki, request, &body);
    const struct call call = {
            MAA, "POST", paths[request->kind], NEW, JSON_TYPE, skrfs_buf_text(&body)};
    return call_json(lab, &call, ret_answer);
}

/* The claims of the token that a request gets, whose signature is the service's. */
static struct skrfs_json *claims_for(struct skrfs_lab *lab, const struct request *request) {
    skrfs_autojson *answer = NULL;
    struct skrfs_json *claims = NULL;
    assert_int_equal(send(lab, request, &answer), 200);
    const char *token = text_at(answer, NULL, "token");
    assert_ok(skrfs_lab_jwt_verify(lab->pki->maa.key, lab->maa_url,
                      (struct skrfs_bytes){(const uint8_t *)token, strlen(token)},
                      skrfs_lab_wall_s(lab), &claims, &err),
            err);
    return claims;
}

static void refused(
        struct skrfs_lab *lab, const struct request *request, const char *code, const char *why) {
    skrfs_autojson *answer = NULL;
    unsigned status = send(lab, request, &answer);
    const char *message = text_at(answer, "error", "message");
    if (status != 400 || strcmp(text_at(answer, "error", "code"), code) != 0 ||
            !strstr(message, why)) {
        print_error("%s: %u %s: %s\n", paths[request->kind], status,
                text_at(answer, "error", "code"), message);
        fail();
    }
}

static int64_t number_of(const struct skrfs_json *claims, const char *name) {
    return skrfs_json_integer(skrfs_json_get(claims, name));
}

static bool is_true(const struct skrfs_json *claims, const char *name) {
    const struct skrfs_json *value = skrfs_json_get(claims, name);
    assert_non_null(value);
    return skrfs_json_kind(value) == SKRFS_JSON_TRUE;
}

/* Each kind gets a token of eight hours that holds the key which the vault would wrap to. */
static void each_kind_is_attested(void **state) {
    static const char *const types[] = {"sevsnpvm", "tdxvm", "sgx", "sgx"};
    for (size_t i = 0; i < SKRFS_LAB_PROOF_KINDS; i++) {
        struct request request = request_right((enum skrfs_lab_proof_kind)i);
        skrfs_autojson *claims = claims_for(*state, &request);
        skrfs_autopkey *kek = NULL;
        char kid[64];
        assert_string_equal(text_at(claims, NULL, "x-ms-attestation-type"), types[i]);
        assert_string_equal(text_at(claims, NULL, "nonce"), "a nonce");
        assert_string_equal(text_at(claims, NULL, "x-ms-ver"), "1.0");
        assert_int_equal(number_of(claims, "exp") - number_of(claims, "iat"), 28800);
        assert_int_equal(number_of(claims, "nbf"), number_of(claims, "iat"));
        assert_ok(skrfs_lab_release_kek(claims, &kek, kid, sizeof(kid), &err), err);
        assert_string_equal(kid, "guests-own");
    }
}

static void a_number_is_a_nonce_too(void **state) {
    struct request request = request_right(SKRFS_LAB_SEVSNPVM);
    request.nonce = "18446744073709551615";
    skrfs_autojson *claims = claims_for(*state, &request);
    assert_string_equal(text_at(claims, NULL, "nonce"), "18446744073709551615");
    request.nonce = NULL;
    skrfs_autojson *without = claims_for(*state, &request);
    assert_null(skrfs_json_get(without, "nonce"));
    request.nonce = "-1";
    refused(*state, &request, "InvalidParameter", "nonce");
    request.nonce = "1.5";
    refused(*state, &request, "InvalidParameter", "");
}

/* Binary data is bound as JSON is, and is no claim of the runtime: no vault finds a key there. */
static void runtime_data_is_bound(void **state) {
    for (size_t i = 0; i < SKRFS_LAB_PROOF_KINDS; i++) {
        struct request request = request_right((enum skrfs_lab_proof_kind)i);
        request.other_runtime = true;
        refused(*state, &request, "PolicyEvaluationError", "runtimeData");
        request.runtime_type = "Binary";
        refused(*state, &request, "PolicyEvaluationError", "runtimeData");
        request.other_runtime = false;
        skrfs_autojson *claims = claims_for(*state, &request);
        skrfs_autopkey *kek = NULL;
        char kid[64];
        assert_null(skrfs_json_get(claims, "x-ms-runtime"));
        assert_fails(skrfs_lab_release_kek(claims, &kek, kid, sizeof(kid), &err), err,
                SKRFS_CLASS_REJECTED, "no key");
        request.runtime_type = "Text";
        refused(*state, &request, "InvalidParameter", "dataType");
        request.runtime = "no JSON";
        request.runtime_type = "JSON";
        refused(*state, &request, "InvalidParameter", "runtimeData");
        request.runtime = "";
        skrfs_autojson *empty = claims_for(*state, &request);
        assert_null(skrfs_json_get(empty, "x-ms-runtime"));
    }
}

static void init_data_is_bound(void **state) {
    for (size_t i = 0; i < SKRFS_LAB_PROOF_KINDS; i++) {
        struct request request = request_right((enum skrfs_lab_proof_kind)i);
        request.init = "{\"volume\":7}";
        if (i != SKRFS_LAB_TDXVM) { /* the lab's trust domains have no MRCONFIGID */
            skrfs_autojson *claims = claims_for(*state, &request);
            assert_int_equal(number_of(skrfs_json_get(claims, "x-ms-inittime"), "volume"), 7);
        }
        request.init_type = "Binary";
        if (i == SKRFS_LAB_SEVSNPVM)
            refused(*state, &request, "PolicyEvaluationError", "must be JSON");
        request.init_type = "JSON";
        request.other_init = true;
        refused(*state, &request, "PolicyEvaluationError", "initTimeData");
    }
}

/* A draft's token is nobody's word: it is not signed. */
static void drafts_are_not_signed(void **state) {
    for (size_t i = 0; i < SKRFS_LAB_PROOF_KINDS; i++) {
        struct request request = request_right((enum skrfs_lab_proof_kind)i);
        request.draft = DRAFT;
        if (i == SKRFS_LAB_TDXVM) {
            refused(*state, &request, "InvalidParameter", "draftPolicyForAttestation");
            continue;
        }
        skrfs_autojson *answer = NULL;
        assert_int_equal(send(*state, &request, &answer), 200);
        const char *token = text_at(answer, NULL, "token");
        assert_true(strncmp(token, "eyJhbGciOiJub25l", 16) == 0); /* {"alg":"none */
        assert_int_equal(token[strlen(token) - 1], '.');
        request.draft = "nothing of a policy";
        refused(*state, &request, "InvalidParameter", "no attestation policy");
    }
}

/* Those who may be debugged are told of, and never called compliant. */
static void debug_is_told(void **state) {
    static const char *const names[] = {"x-ms-sevsnpvm-is-debuggable", "tdx_td_attributes_debug",
            "x-ms-sgx-is-debuggable", "is-debuggable"};
    struct skrfs_lab *lab = *state;
    skrfs_autobuf cose = SKRFS_BUF(REQUEST_MAX);
    request_endorsement(lab->pki, &cose);
    for (size_t i = 0; i < SKRFS_LAB_PROOF_KINDS; i++)
        for (int debug = 0; debug < 2; debug++) {
            struct request request = request_right((enum skrfs_lab_proof_kind)i);
            request.debug = debug;
            request.endorsement = skrfs_buf_bytes(&cose);
            skrfs_autojson *claims = claims_for(lab, &request);
            assert_true(is_true(claims, names[i]) == (debug != 0));
            const char *compliant = debug                     ? ""
                                    : i == SKRFS_LAB_SEVSNPVM ? "azure-compliant-uvm"
                                    : i == SKRFS_LAB_TDXVM    ? "azure-compliant-cvm"
                                                              : "";
            assert_string_equal(text_at(claims, NULL, "x-ms-compliance-status"), compliant);
        }
}

static void faults_lie(void **state) {
    struct skrfs_lab *lab = *state;
    static const char *const deeds[] = {
            "other-nonce", "other-kek", "other-signer", "bad-signature"};
    for (size_t kind = 0; kind < SKRFS_LAB_PROOF_KINDS; kind++)
        for (size_t i = 0; i < SKRFS_ARRAY_LEN(deeds); i++) {
            struct request request = request_right((enum skrfs_lab_proof_kind)kind);
            skrfs_autojson *answer = NULL, *claims = NULL, *right = NULL;
            char fault[80];
            right = claims_for(lab, &request);
            snprintf(fault, sizeof(fault), "{\"at\":\"attest\",\"do\":\"%s\"}", deeds[i]);
            const struct call call = {SKRFS_LAB_IMDS, "POST", "/lab/faults", NULL, NULL, fault};
            assert_int_equal(call_json(lab, &call, NULL), 200);
            assert_int_equal(send(lab, &request, &answer), 200);
            const char *token = text_at(answer, NULL, "token");
            int verified = skrfs_lab_jwt_verify(lab->pki->maa.key, lab->maa_url,
                    (struct skrfs_bytes){(const uint8_t *)token, strlen(token)},
                    skrfs_lab_wall_s(lab), &claims, &err);
            if (i >= 2) {
                assert_int_equal(verified, -1);
                continue;
            }
            assert_int_equal(verified, 0);
            assert_true((strcmp(text_at(claims, NULL, "nonce"), "a nonce") != 0) == (i == 0));
            skrfs_autopkey *kek = NULL, *own = NULL;
            struct skrfs_public one, other;
            char kid[64];
            assert_ok(skrfs_lab_release_kek(claims, &kek, kid, sizeof(kid), &err), err);
            assert_ok(skrfs_lab_release_kek(right, &own, kid, sizeof(kid), &err), err);
            assert_ok(skrfs_pkey_public(kek, &one, &err), err);
            assert_ok(skrfs_pkey_public(own, &other, &err), err);
            assert_true(skrfs_public_equal(&one, &other) == (i != 1));
        }
}

static const char *bearer_for(struct skrfs_lab *lab, const char *resource) {
    static char text[4096];
    skrfs_autobuf token = SKRFS_BUF(4000);
    assert_ok(skrfs_lab_access_token(lab, resource, NULL, &token, &err), err);
    snprintf(text, sizeof(text), JSON_TYPE "\nAuthorization=Bearer %s", skrfs_buf_text(&token));
    return text;
}

/* The interface of 2018: a caller with a token, other members, and the claims of then alone. */
static void the_old_interface(void **state) {
    struct skrfs_lab *lab = *state;
    struct request request = request_right(SKRFS_LAB_OPENENCLAVE);
    skrfs_autobuf body = SKRFS_BUF(REQUEST_MAX);
    request.preview = true;
    request_body(lab->pki, &request, &body);
    const char *text = skrfs_buf_text(&body);
    struct row rows[] = {
            {MAA, "POST", "/attest/OpenEnclave", OLD, JSON_TYPE, text, 401, "no access token"},
            {MAA, "POST", "/attest/OpenEnclave", OLD, JSON_TYPE "\nAuthorization=Bearer x", text,
                    401, "three parts"},
            {MAA, "POST", "/attest/OpenEnclave", OLD, NULL, text, 401, "another resource"},
            {MAA, "POST", "/attest/Tee/OpenEnclave", OLD, NULL, text, 200, "token"},
            {MAA, "POST", "/attest/Tee/OpenEnclave", NEW, NULL, text, 400, "'report'"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        if (!rows[i].headers)
            rows[i].headers = bearer_for(
                    lab, i == 2 ? "https://vault.azure.net" : "https://attest.azure.net");
        run_rows(lab, &rows[i], 1);
    }
}

static void policies_are_told(void **state) {
    struct skrfs_lab *lab = *state;
    const char *headers = bearer_for(lab, "https://attest.azure.net");
    const struct row rows[] = {
            {MAA, "GET", "/policies/SgxEnclave", NEW, NULL, NULL, 401, "no access token"},
            {MAA, "GET", "/policies/SgxEnclave", NULL, headers, NULL, 400, "api-version"},
            {MAA, "GET", "/policies/Elsewhere", NEW, headers, NULL, 400, "attestation type"},
            {MAA, "PUT", "/policies/SgxEnclave", NEW, headers, "x", 405, "not allowed"},
            {MAA, "GET", "/certificates", NEW, NULL, NULL, 401, "no access token"},
            {MAA, "GET", "/certificates", NEW, headers, NULL, 200, "token"},
    };
    run_rows(lab, rows, SKRFS_ARRAY_LEN(rows));
    skrfs_autojson *answer = NULL, *policy = NULL;
    const struct call call = {MAA, "GET", "/policies/sevsnpvm", NEW, headers, NULL};
    assert_int_equal(call_json(lab, &call, &answer), 200);
    const char *token = text_at(answer, NULL, "token");
    assert_ok(skrfs_lab_jwt_verify(lab->pki->maa.key, lab->maa_url,
                      (struct skrfs_bytes){(const uint8_t *)token, strlen(token)},
                      skrfs_lab_wall_s(lab), &policy, &err),
            err);
    struct request request = request_right(SKRFS_LAB_SEVSNPVM);
    skrfs_autojson *claims = claims_for(lab, &request);
    assert_string_equal(
            text_at(claims, NULL, "x-ms-policy-hash"), text_at(policy, NULL, "x-ms-policy-hash"));
    /* The digest is of the policy as it stands inside: {"AttestationPolicy": "..."} . */
    const char *inner = strchr(text_at(policy, NULL, "x-ms-policy"), '.') + 1;
    skrfs_autobuf text = SKRFS_BUF(4096), digest = SKRFS_BUF(64);
    skrfs_autojson *stored = NULL;
    uint8_t octets[32];
    assert_ok(skrfs_base64_decode(SKRFS_BASE64URL, inner, strcspn(inner, "."), &text, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.max, &stored, &err), err);
    const char *encoded = text_at(stored, NULL, "AttestationPolicy");
    assert_ok(skrfs_hash(SKRFS_SHA256, encoded, strlen(encoded), octets, &err), err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, octets, sizeof(octets), &digest, &err), err);
    assert_string_equal(text_at(claims, NULL, "x-ms-policy-hash"), skrfs_buf_text(&digest));
}

static void a_bare_quote_is_no_report(void **state) {
    struct request request = request_right(SKRFS_LAB_OPENENCLAVE);
    request.bare = true;
    refused(*state, &request, "InvalidParameter", "Open Enclave's header");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(each_kind_is_attested),
            cmocka_unit_test(a_number_is_a_nonce_too),
            cmocka_unit_test(runtime_data_is_bound),
            cmocka_unit_test(init_data_is_bound),
            cmocka_unit_test(drafts_are_not_signed),
            cmocka_unit_test(debug_is_told),
            cmocka_unit_test(faults_lie),
            cmocka_unit_test(the_old_interface),
            cmocka_unit_test(policies_are_told),
            cmocka_unit_test(a_bare_quote_is_no_report),
    };
    return cmocka_run_group_tests_name("lab attestation", tests, set_up, take_down);
}
