/* The metadata and the attestation service, and the lab's own interface, request by request,
 * without the network. */
#include "calls.h"
#include "evidence.h"
#include "support.h"

#include <skrfs/base/encode.h>

static struct skrfs_error err;

#define VAULT SKRFS_LAB_VAULT
#define V "api-version=7.4"

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

#define IMDS SKRFS_LAB_IMDS
#define TOKEN "/metadata/identity/oauth2/token"
#define THIM "/metadata/THIM/amd/certification"
#define RESOURCE "resource=https://vault.azure.net"
#define M "Metadata=true"

static void metadata_service_is_strict(void **state) {
    static const struct row rows[] = {
            {IMDS, "GET", TOKEN, "api-version=2018-02-01&" RESOURCE, NULL, NULL, 400,
                    "metadata header"},
            {IMDS, "GET", TOKEN, "api-version=2018-02-01&" RESOURCE, "Metadata=false", NULL, 400,
                    "metadata header"},
            {IMDS, "GET", TOKEN, "api-version=2018-02-01&" RESOURCE, M "\nX-Forwarded-For=10.0.0.1",
                    NULL, 403, "proxy"},
            {IMDS, "GET", TOKEN, RESOURCE, M, NULL, 400, "'api-version' is missing"},
            {IMDS, "GET", TOKEN, "api-version=2017-01-01&" RESOURCE, M, NULL, 400, "api-version"},
            {IMDS, "GET", TOKEN, "api-version=2018-02-01", M, NULL, 400, "'resource' is missing"},
            {IMDS, "GET", TOKEN, "api-version=2018-02-01&resource=https://elsewhere", M, NULL, 400,
                    "AADSTS500011"},
            {IMDS, "GET", TOKEN, "api-version=2018-02-01&" RESOURCE "&client_id=x", M, NULL, 400,
                    "Identity not found"},
            {IMDS, "GET", TOKEN, "api-version=2018-02-01&" RESOURCE "&client_id=x&object_id=y", M,
                    NULL, 400, "Only one"},
            {IMDS, "POST", TOKEN, "api-version=2018-02-01&" RESOURCE, M, "", 405, "not allowed"},
            {IMDS, "GET", "/metadata/elsewhere", NULL, M, NULL, 404, "not found"},
            {IMDS, "GET", TOKEN, "api-version=2018-02-01&" RESOURCE, M, NULL, 200, "access_token"},
            {IMDS, "GET", TOKEN, "api-version=2018-02-01&" RESOURCE, "metadata=TRUE", NULL, 200,
                    "\"expires_in\":\"86400\""},
            {IMDS, "GET", TOKEN,
                    "api-version=2018-02-01&" RESOURCE
                    "&client_id=1ab00000-0000-4000-8000-0000000000b2",
                    M, NULL, 200, "\"client_id\":\"1ab00000-0000-4000-8000-0000000000b2\""},
            {IMDS, "GET", TOKEN,
                    "api-version=2018-02-01&" RESOURCE
                    "&object_id=1ab00000-0000-4000-8000-0000000000d1",
                    M, NULL, 200, "00d2"},
            {IMDS, "GET", THIM, NULL, NULL, NULL, 400, "metadata header"},
            {IMDS, "GET", THIM, NULL, M, NULL, 200, "\"tcbm\":\"7308000000000003\""},
            {IMDS, "POST", "/acc/tdquote", NULL, NULL, "{}", 404, "no Intel TDX"},
            {SKRFS_LAB_NOWHERE, "GET", "/", NULL, NULL, NULL, 404, "no service"},
    };
    run_rows(*state, rows, SKRFS_ARRAY_LEN(rows));
}

static void thim_chain_is_whole(void **state) {
    skrfs_autojson *json = NULL;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    skrfs_autochain *chain = NULL;
    struct skrfs_lab *lab = *state;
    struct call call = {IMDS, "GET", THIM, NULL, M, NULL};
    assert_int_equal(call_json(lab, &call, &json), 200);
    assert_ok(skrfs_buf_append_text(&pem, text_at(json, NULL, "vcekCert"), &err), err);
    assert_ok(skrfs_buf_append_text(&pem, text_at(json, NULL, "certificateChain"), &err), err);
    assert_ok(skrfs_chain_from_pem(skrfs_buf_text(&pem), pem.len, &chain, &err), err);
    assert_int_equal(skrfs_chain_len(chain), 3);
    assert_ok(skrfs_chain_verify_links(chain, &err), err);
    assert_string_equal(text_at(json, NULL, "cacheControl"), "86400");
}

#define MAA SKRFS_LAB_MAA
#define GUEST "/attest/AzureGuest"
#define J "Content-Type=application/json"

static void attestation_service_is_strict(void **state) {
    static const struct row rows[] = {
            {MAA, "POST", GUEST, NULL, J, "{}", 400, "api-version is missing"},
            {MAA, "POST", GUEST, "api-version=2001-01-01", J, "{}", 400, "not supported"},
            {MAA, "POST", GUEST, "api-version=2020-10-01", NULL, "{}", 415, "application/json"},
            {MAA, "POST", GUEST, "api-version=2020-10-01", J, "{}", 400, "InvalidParameter"},
            {MAA, "POST", GUEST, "api-version=2020-10-01", J, "x", 400, "InvalidParameter"},
            {MAA, "GET", GUEST, "api-version=2020-10-01", J, NULL, 405, "not allowed"},
            {MAA, "POST", "/attest/SgxEnclave", "api-version=2020-10-01", J, "{}", 400, "'quote'"},
            {MAA, "POST", "/attest/sgxenclave", "api-version=2020-10-01", J, "{}", 400, "'quote'"},
            {MAA, "POST", "/attest/SgxEnclave", "api-version=2018-09-01-preview", J, "{}", 401,
                    "access token"},
            {MAA, "POST", "/attest/SevSnpVM", "api-version=2022-08-01", J, "{}", 400, "'report'"},
            {MAA, "POST", "/attest/TdxVm", "api-version=2020-10-01", J, "{}", 400, "not supported"},
            {MAA, "POST", "/attest/TdxVm", "api-version=2025-06-01", J, "{}", 400, "'quote'"},
            {MAA, "POST", "/attest/OpenEnclave", "api-version=2022-08-01", J, "{\"report\":\"AA\"}",
                    400, "Open Enclave"},
            {MAA, "POST", "/attest/Vbs", "api-version=2022-08-01", J, "{}", 404, "not found"},
            {MAA, "GET", "/certs", NULL, NULL, NULL, 200, "\"x5c\""},
            {MAA, "GET", "/.well-known/openid-configuration", NULL, NULL, NULL, 200,
                    "https://maa.skrfs.localhost:2/certs"},
    };
    run_rows(*state, rows, SKRFS_ARRAY_LEN(rows));
}

/* The whole service: evidence in, a sealed token out; altered evidence is refused with the
 * service's code. */
static void attestation_answers(void **state) {
    struct skrfs_lab *lab = *state;
    struct bench bench = {.pki = lab->pki};
    struct recipe recipe = recipe_right();
    assert_ok(skrfs_pkey_new_rsa(2048, &bench.ak, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &bench.key, &err), err);
    for (int bad = 0; bad < 2; bad++) {
        skrfs_autoguest guest;
        skrfs_autobuf body = SKRFS_BUF((size_t)1024 * 1024);
        skrfs_autojson *answer = NULL;
        evidence_make(&bench, &recipe, &guest);
        guest.pcrs[0][0] ^= (uint8_t)bad;
        skrfs_autojson *info = evidence_info(&guest);
        evidence_body(info, &body);
        struct call call = {MAA, "POST", GUEST, "api-version=2020-10-01", J, skrfs_buf_text(&body)};
        assert_int_equal(call_json(lab, &call, &answer), bad ? 400 : 200);
        if (bad) {
            assert_string_equal(text_at(answer, "error", "code"), "PolicyEvaluationError");
            continue;
        }
        skrfs_autobuf text = SKRFS_BUF((size_t)64 * 1024);
        skrfs_autojson *sealed = NULL;
        assert_ok(skrfs_json_need_base64(answer, "token", SKRFS_BASE64URL, &text, &err), err);
        assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.max, &sealed, &err), err);
        assert_string_equal(text_at(sealed, "EncryptionParams", "BlockMode"), "ChainingModeGCM");
        skrfs_autobuf inner = SKRFS_BUF(512);
        assert_ok(skrfs_json_need_base64(sealed, "EncryptedInnerKey", SKRFS_BASE64, &inner, &err),
                err);
        assert_int_equal(inner.len, 256);
    }
    skrfs_pkey_free(bench.ak);
    skrfs_pkey_free(bench.key);
}

#define CONTROL(path, text, status, said)                                                          \
    { IMDS, "POST", path, NULL, NULL, text, status, said }

static void control_is_checked(void **state) {
    static const struct row rows[] = {
            CONTROL("/lab/faults", "", 400, "invalid_request"),
            CONTROL("/lab/faults", "{\"at\":\"nowhere\"}", 400, "no place"),
            CONTROL("/lab/faults", "{\"at\":\"get\",\"do\":\"dance\"}", 400, "cannot do"),
            CONTROL("/lab/faults", "{\"at\":\"get\",\"status\":7}", 400, "status"),
            CONTROL("/lab/faults", "{\"at\":\"get\",\"delay_ms\":-1}", 400, "delay_ms"),
            CONTROL("/lab/settings", "{\"throttle\":1}", 400, "throttle"),
            CONTROL("/lab/settings", "{\"token_life_s\":\"x\"}", 400, "token_life_s"),
            CONTROL("/lab/settings", "{\"trottle\":true}", 400, "no 'trottle'"),
            CONTROL("/lab/settings", "[]", 400, "not an object"),
            CONTROL("/lab/faults", "{\"at\":\"get\",\"doo\":\"reset\"}", 400, "no 'doo'"),
            CONTROL("/lab/faults", "{\"at\":\"get\",\"do\":\"deny-token\"}", 400, "of a release"),
            CONTROL("/lab/faults", "{\"at\":\"attest\",\"do\":\"claims-challenge\"}", 400,
                    "only vaults"),
            CONTROL("/lab/faults", "{\"at\":\"release\",\"do\":\"deny-claim\"}", 400,
                    "belong together"),
            CONTROL("/lab/faults", "{\"at\":\"release\",\"claim\":\"x\"}", 400, "belong together"),
            CONTROL("/lab/faults", "{\"at\":\"get\",\"stall_at\":-1}", 400, "stall_at"),
            CONTROL("/lab/faults", "{\"at\":\"get\",\"stall_at\":1,\"cut_at\":1}", 400, "either"),
            CONTROL("/lab/faults", "{\"at\":\"get\",\"retry_after_date\":1}", 400,
                    "neither true nor false"),
            CONTROL("/lab/settings", "{\"clock_skew_s\":9999999999}", 400, "out of range"),
            CONTROL("/lab/elsewhere", "{}", 404, "no such interface"),
            CONTROL("/lab/settings", "{\"throttle\":false,\"compliance\":\"none\"}", 200, "true"),
            CONTROL("/lab/settings", "{\"compliance\":\"azure-compliant-cvm\"}", 200, "true"),
            {IMDS, "GET", "/lab/counters", NULL, NULL, NULL, 200, "\"imds-token\":"},
    };
    run_rows(*state, rows, SKRFS_ARRAY_LEN(rows));
}

static void faults_come_in_order_and_end(void **state) {
    struct skrfs_lab *lab = *state;
    struct skrfs_lab_answer answer;
    static const struct row faults[] = {
            CONTROL("/lab/faults",
                    "{\"at\":\"get\",\"status\":503,\"code\":\"Busy\",\"retry_after\":2,\"times\":"
                    "2}",
                    200, "true"),
            CONTROL("/lab/faults", "{\"at\":\"get\",\"do\":\"garbage\",\"delay_ms\":5}", 200,
                    "true"),
            CONTROL("/lab/faults", "{\"at\":\"imds-token\",\"status\":410}", 200, "true"),
    };
    run_rows(lab, faults, SKRFS_ARRAY_LEN(faults));
    for (int i = 0; i < 4; i++) {
        struct call call = {VAULT, "GET", "/keys/none", V, bearer(lab, VAULT), NULL};
        call_lab(lab, &call, &answer);
        assert_int_equal(answer.status, i < 2 ? 503 : 404);
        assert_int_equal(answer.retry_after_s, i < 2 ? 2 : 0);
        assert_int_equal(answer.deed, i == 2 ? SKRFS_LAB_GARBAGE : SKRFS_LAB_TRUTH);
        assert_int_equal(answer.delay_ms, i == 2 ? 5 : 0);
        skrfs_lab_answer_done(&answer);
    }
    struct call clear = {IMDS, "DELETE", "/lab/faults", NULL, NULL, NULL};
    assert_int_equal(call_json(lab, &clear, NULL), 200);
    struct call token = {IMDS, "GET", TOKEN, "api-version=2018-02-01&" RESOURCE, M, NULL};
    assert_int_equal(call_json(lab, &token, NULL), 200);
}

static void counters_count(void **state) {
    struct skrfs_lab *lab = *state;
    skrfs_autojson *before = NULL;
    skrfs_autojson *after = NULL;
    struct call counters = {IMDS, "GET", "/lab/counters", NULL, NULL, NULL};
    struct call thim = {IMDS, "GET", THIM, NULL, M, NULL};
    assert_int_equal(call_json(lab, &counters, &before), 200);
    assert_int_equal(call_json(lab, &thim, NULL), 200);
    assert_int_equal(call_json(lab, &counters, &after), 200);
    assert_int_equal(skrfs_json_integer(skrfs_json_get(after, "thim")),
            skrfs_json_integer(skrfs_json_get(before, "thim")) + 1);
    assert_int_equal(skrfs_json_integer(skrfs_json_get(after, "attest")),
            skrfs_json_integer(skrfs_json_get(before, "attest")));
}

static void settings_go_back(void **state) {
    struct skrfs_lab *lab = *state;
    static const struct row rows[] = {
            CONTROL("/lab/settings", "{\"token_life_s\":5,\"release_role\":false}", 200, "true"),
            CONTROL("/lab/settings", "{\"reset\":true,\"compliance\":\"none\"}", 200, "true"),
    };
    run_rows(lab, rows, 1);
    assert_int_equal(lab->settings.token_life_s, 5);
    run_rows(lab, rows + 1, 1);
    assert_int_equal(lab->settings.token_life_s, 28800);
    assert_true(lab->settings.release_role);
    assert_string_equal(lab->settings.compliance, "none");
}

static void identity_can_be_taken_away(void **state) {
    struct skrfs_lab *lab = *state;
    lab->settings.identity = false;
    static const struct row rows[] = {{IMDS, "GET", TOKEN, "api-version=2018-02-01&" RESOURCE, M,
            NULL, 400, "Identity not found"}};
    run_rows(lab, rows, 1);
    lab->settings.identity = true;
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(metadata_service_is_strict),
            cmocka_unit_test(thim_chain_is_whole),
            cmocka_unit_test(attestation_service_is_strict),
            cmocka_unit_test(attestation_answers),
            cmocka_unit_test(control_is_checked),
            cmocka_unit_test(faults_come_in_order_and_end),
            cmocka_unit_test(counters_count),
            cmocka_unit_test(identity_can_be_taken_away),
            cmocka_unit_test(settings_go_back),
    };
    return cmocka_run_group_tests_name("lab services", tests, set_up, take_down);
}
