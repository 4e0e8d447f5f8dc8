/* The services' refusals and answers, request by request, without the network. */
#include "calls.h"
#include "evidence.h"
#include "support.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>

static struct skrfs_error err;

/* {"version":"1.0.0","anyOf":[{"authority":"https://maa.skrfs.localhost:2","allOf":[{"claim":"a","equals":true}]}]}
 */
#define POLICY                                                                                     \
    "eyJ2ZXJzaW9uIjoiMS4wLjAiLCJhbnlPZiI6W3siYXV0aG9yaXR5IjoiaHR0cHM6Ly9tYWEuc2tyZnMubG9jYWxob3N0" \
    "OjIiLCJhbGxPZiI6W3siY2xhaW0iOiJhIiwiZXF1YWxzIjp0cnVlfV19XX0"
/* The same with "http://nobody" for its authority. */
#define POLICY_NOBODY                                                                              \
    "eyJ2ZXJzaW9uIjoiMS4wLjAiLCJhbnlPZiI6W3siYXV0aG9yaXR5IjoiaHR0cDovL25vYm9keSIsImFsbE9mIjpbeyJj" \
    "bGFpbSI6ImEiLCJlcXVhbHMiOnRydWV9XX1dfQ"
#define EXPORTABLE                                                                                 \
    "\"attributes\":{\"exportable\":true},\"release_policy\":{\"data\":\"" POLICY "\"}"
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

static const char *text_at(const struct skrfs_json *json, const char *outer, const char *name) {
    const char *text =
            skrfs_json_string(skrfs_json_get(outer ? skrfs_json_get(json, outer) : json, name));
    return text ? text : "";
}

/* One request and what must come of it. */
struct row {
    enum skrfs_lab_service service;
    const char *method, *path, *query, *headers, *body; /* headers "bearer": a good token */
    unsigned status;
    const char *said; /* somewhere in the body */
};

static void run_rows(struct skrfs_lab *lab, const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct skrfs_lab_answer answer;
        struct call call = {rows[i].service, rows[i].method, rows[i].path, rows[i].query,
                rows[i].headers, rows[i].body};
        if (call.headers && strcmp(call.headers, "bearer") == 0)
            call.headers = bearer(lab, call.service);
        call_lab(lab, &call, &answer);
        if (answer.status != rows[i].status ||
                !strstr(skrfs_buf_text(&answer.body), rows[i].said)) {
            print_error("row %zu, %s %s: %u %s\n", i, call.method, call.path, answer.status,
                    skrfs_buf_text(&answer.body));
            fail();
        }
        skrfs_lab_answer_done(&answer);
    }
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
            {MAA, "POST", "/attest/SgxEnclave", "api-version=2020-10-01", J, "{}", 404,
                    "not found"},
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

#define VAULT SKRFS_LAB_VAULT
#define HSM SKRFS_LAB_HSM

static void vault_wants_a_token(void **state) {
    struct skrfs_lab *lab = *state;
    struct skrfs_lab_answer answer;
    static const char *const headers[] = {
            NULL, "Authorization=Basic x", "Authorization=Bearer x.y.z", "Authorization=Bearer "};
    for (int hsm = 0; hsm < 2; hsm++)
        for (size_t i = 0; i < SKRFS_ARRAY_LEN(headers); i++) {
            struct call call = {hsm ? HSM : VAULT, "GET", "/keys", V, headers[i], NULL};
            call_lab(lab, &call, &answer);
            assert_int_equal(answer.status, 401);
            assert_non_null(
                    strstr(answer.challenge, "authorization=\"https://login.skrfs.localhost"));
            assert_non_null(strstr(answer.challenge,
                    hsm ? "https://managedhsm.azure.net" : "https://vault.azure.net"));
            assert_int_equal(answer.body.len > 0, !hsm); /* the Managed HSM says nothing */
            skrfs_lab_answer_done(&answer);
        }
    /* A token for the other service. */
    struct call call = {VAULT, "GET", "/keys", V, bearer(lab, HSM), NULL};
    call_lab(lab, &call, &answer);
    assert_int_equal(answer.status, 401);
    assert_non_null(strstr(skrfs_buf_text(&answer.body), "AKV10022"));
    skrfs_lab_answer_done(&answer);
    /* One that has expired. */
    lab->settings.access_life_s = 0;
    call.headers = bearer(lab, VAULT);
    lab->settings.access_life_s = 3600;
    call_lab(lab, &call, &answer);
    assert_int_equal(answer.status, 401);
    assert_non_null(strstr(skrfs_buf_text(&answer.body), "expired"));
    skrfs_lab_answer_done(&answer);
}

#define B "bearer"

static void vault_refuses_as_the_service(void **state) {
    struct skrfs_lab *lab = *state;
    static const struct row rows[] = {
            {VAULT, "GET", "/keys", NULL, B, NULL, 400, "api-version must be specified"},
            {VAULT, "GET", "/keys", "api-version=1.0", B, NULL, 400, "not recognized"},
            {VAULT, "GET", "/secrets", V, B, NULL, 404, "NotFound"},
            {VAULT, "DELETE", "/keys/a", V, B, NULL, 405, "MethodNotAllowed"},
            {VAULT, "GET", "/keys/a_b", V, B, NULL, 404, "NotFound"},
            {VAULT, "GET", "/keys/none", V, B, NULL, 404, "KeyNotFound"},
            {VAULT, "GET", "/keys/none/versions", V, B, NULL, 404, "KeyNotFound"},
            {VAULT, "POST", "/keys/none/release", V, B, "{\"target\":\"x\"}", 404, "KeyNotFound"},
            {VAULT, "POST", "/keys/none/rotate", V, B, "", 404, "KeyNotFound"},
            {VAULT, "PATCH", "/keys/none", V, B, "{}", 404, "KeyNotFound"},
            {VAULT, "POST", "/keys/k/create", V, B, "", 400, "BadParameter"},
            {VAULT, "POST", "/keys/k/create", V, B, "{}", 400, "kty"},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"DSA\"}", 400, "kty"},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"oct-HSM\"}", 400, "symmetric"},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"RSA-HSM\",\"key_size\":1024}", 400,
                    "key_size"},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"RSA-HSM\",\"public_exponent\":3}",
                    400, "public_exponent"},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"EC-HSM\",\"crv\":\"P-1\"}", 400,
                    "crv"},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"EC-HSM\",\"key_size\":256}", 400,
                    "key_size"},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"EC-HSM\",\"key_ops\":[\"fly\"]}",
                    400, "key_ops"},
            {VAULT, "POST", "/keys/k/create", V, B,
                    "{\"kty\":\"EC-HSM\",\"attributes\":{\"enabled\":1}}", 400, "enabled"},
            {VAULT, "POST", "/keys/k/create", V, B,
                    "{\"kty\":\"EC-HSM\",\"attributes\":{\"nbf\":9,\"exp\":8}}", 400, "nbf"},
            {VAULT, "POST", "/keys/k/create", V, B,
                    "{\"kty\":\"EC-HSM\",\"attributes\":{\"exportable\":true}}", 400,
                    "AKV.SKR.1004"},
            {VAULT, "POST", "/keys/k/create", V, B,
                    "{\"kty\":\"EC-HSM\",\"release_policy\":{\"data\":\"" POLICY "\"}}", 400,
                    "AKV.SKR.1005"},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"RSA\"," EXPORTABLE "}", 400,
                    "AKV.SKR.1006"},
            {VAULT, "POST", "/keys/k/create", "api-version=7.2", B,
                    "{\"kty\":\"EC-HSM\"," EXPORTABLE "}", 400, "AKV.SKR.1001"},
            {VAULT, "POST", "/keys/k/create", V, B,
                    "{\"kty\":\"EC-HSM\",\"attributes\":{\"exportable\":true},\"release_policy\":{"
                    "\"data\":\"e30\"}}",
                    400, "release policy"},
            {VAULT, "POST", "/keys/k/create", V, B,
                    "{\"kty\":\"EC-HSM\",\"attributes\":{\"exportable\":true},\"release_policy\":{"
                    "\"data\":\"" POLICY_NOBODY "\"}}",
                    400, "AKV.SKR.1012"},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"EC-HSM\"," EXPORTABLE "}", 200,
                    "\"kty\":\"EC-HSM\""},
            {VAULT, "POST", "/keys/k/create", V, B, "{\"kty\":\"EC-HSM\"}", 400, "AKV.SKR.1003"},
            {VAULT, "GET", "/keys/k", V, B, NULL, 200, "\"exportable\":true"},
            {VAULT, "GET", "/keys/K/", V, B, NULL, 200, "release_policy"},
            {VAULT, "GET", "/keys/k/0123", V, B, NULL, 404, "KeyNotFound"},
            {VAULT, "GET", "/keys", "api-version=7.4&maxresults=0", B, NULL, 400, "maxresults"},
            {VAULT, "GET", "/keys", "api-version=7.4&maxresults=26", B, NULL, 400, "maxresults"},
            {VAULT, "GET", "/keys", "api-version=7.4&$skiptoken=x", B, NULL, 400, "skip token"},
            {VAULT, "GET", "/keys", V, B, NULL, 200, "/keys/k\""},
            {VAULT, "POST", "/keys/k/release", "api-version=7.2", B, "{\"target\":\"x\"}", 400,
                    "7.3"},
            {VAULT, "POST", "/keys/k/release", V, B, "", 400, "BadParameter"},
            {VAULT, "POST", "/keys/k/release", V, B, "{\"target\":\"\"}", 400, "target"},
            {VAULT, "POST", "/keys/k/release", V, B, "{\"target\":\"x\",\"enc\":\"ROT13\"}", 400,
                    "enc"},
            {VAULT, "POST", "/keys/k//release", V, B, "{\"target\":\"x\"}", 403,
                    "cannot be verified"},
            {VAULT, "PATCH", "/keys/k", V, B, "{\"attributes\":{\"exportable\":false}}", 400,
                    "AKV.SKR.1003"},
            {VAULT, "PATCH", "/keys/k", V, B, "x", 400, "BadParameter"},
            {HSM, "POST", "/keys/o/create", V, B, "{\"kty\":\"oct-HSM\",\"key_size\":100}", 400,
                    "key_size"},
            {HSM, "POST", "/keys/o/create", V, B, "{\"kty\":\"oct-HSM\"," EXPORTABLE "}", 200,
                    "\"kty\":\"oct-HSM\""},
            {HSM, "POST", "/keys/r/create", V, B, "{\"kty\":\"EC\"}", 200, "\"kty\":\"EC-HSM\""},
            {HSM, "POST", "/keys/r/release", V, B, "{\"target\":\"x\"}", 403, "not exportable"},
    };
    lab->settings.throttle = false;
    run_rows(lab, rows, SKRFS_ARRAY_LEN(rows));
}

/* A policy that was set for good cannot be set again, and none is set on a version. */
static void immutable_policy_stays(void **state) {
    struct skrfs_lab *lab = *state;
    char path[80];
    skrfs_autojson *made = NULL;
    lab->settings.throttle = false;
    struct call call = {VAULT, "POST", "/keys/fixed/create", V, bearer(lab, VAULT),
            "{\"kty\":\"EC-HSM\",\"attributes\":{\"exportable\":true},\"release_policy\":{\"data\":"
            "\"" POLICY "\",\"immutable\":true}}"};
    assert_int_equal(call_json(lab, &call, &made), 200);
    snprintf(path, sizeof(path), "/keys/fixed/%s", strrchr(text_at(made, "key", "kid"), '/') + 1);
    const struct row rows[] = {
            {VAULT, "PATCH", path, V, B, "{\"release_policy\":{\"data\":\"" POLICY "\"}}", 400,
                    "AKV.SKR.1016"},
            {VAULT, "PATCH", "/keys/fixed", V, B, "{\"release_policy\":{\"data\":\"" POLICY "\"}}",
                    400, "AKV.SKR.1020"},
            {VAULT, "PATCH", path, V, B, "{\"attributes\":{\"enabled\":false}}", 200,
                    "\"enabled\":false"},
            {VAULT, "POST", "/keys/fixed/release", V, B, "{\"target\":\"x\"}", 403, "disabled"},
            {VAULT, "PATCH", path, V, B, "{\"attributes\":{\"enabled\":true,\"exp\":1}}", 200,
                    "\"exp\":1"},
            {VAULT, "POST", "/keys/fixed/release", V, B, "{\"target\":\"x\"}", 403, "expired"},
    };
    run_rows(lab, rows, SKRFS_ARRAY_LEN(rows));
}

/* The vault rewrites a policy, the Managed HSM does not. */
static void policies_are_kept_each_in_its_way(void **state) {
    struct skrfs_lab *lab = *state;
    lab->settings.throttle = false;
    for (int hsm = 0; hsm < 2; hsm++) {
        skrfs_autojson *json = NULL;
        skrfs_autobuf text = SKRFS_BUF(4096);
        struct call call = {hsm ? HSM : VAULT, "POST", "/keys/p/create", V,
                bearer(lab, hsm ? HSM : VAULT), "{\"kty\":\"EC-HSM\"," EXPORTABLE "}"};
        assert_int_equal(call_json(lab, &call, &json), 200);
        assert_ok(skrfs_json_need_base64(skrfs_json_get(json, "release_policy"), "data",
                          SKRFS_BASE64URL, &text, &err),
                err);
        assert_int_equal(strstr(skrfs_buf_text(&text), "\"equals\":true") != NULL, hsm);
        assert_int_equal(strstr(skrfs_buf_text(&text), "\"equals\":\"true\"") != NULL, !hsm);
    }
}

static void lists_come_in_pages(void **state) {
    struct skrfs_lab *lab = *state;
    char path[40];
    unsigned seen = 0;
    char query[160] = V "&maxresults=7";
    lab->settings.throttle = false;
    skrfs_lab_vault_done(&lab->vaults[1]);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof(path), "/keys/page-%d/create", i);
        struct call call = {HSM, "POST", path, V, bearer(lab, HSM), "{\"kty\":\"oct-HSM\"}"};
        assert_int_equal(call_json(lab, &call, NULL), 200);
    }
    for (int page = 0; page < 3; page++) {
        skrfs_autojson *json = NULL;
        struct call call = {HSM, "GET", "/keys", query, bearer(lab, HSM), NULL};
        assert_int_equal(call_json(lab, &call, &json), 200);
        seen += (unsigned)skrfs_json_size(skrfs_json_get(json, "value"));
        const char *next = skrfs_json_string(skrfs_json_get(json, "nextLink"));
        assert_int_equal(next != NULL, page < 2);
        if (next)
            snprintf(query, sizeof(query), "%s", strchr(next, '?') + 1);
    }
    assert_int_equal(seen, 20);
}

static void rotation_adds_a_version(void **state) {
    struct skrfs_lab *lab = *state;
    skrfs_autojson *first = NULL;
    skrfs_autojson *second = NULL;
    skrfs_autojson *versions = NULL;
    lab->settings.throttle = false;
    struct call create = {VAULT, "POST", "/keys/turn/create", V, bearer(lab, VAULT),
            "{\"kty\":\"EC-HSM\",\"crv\":\"P-384\"," EXPORTABLE "}"};
    assert_int_equal(call_json(lab, &create, &first), 200);
    struct call rotate = {VAULT, "POST", "/keys/turn/rotate", V, bearer(lab, VAULT), NULL};
    assert_int_equal(call_json(lab, &rotate, &second), 200);
    assert_string_not_equal(text_at(first, "key", "kid"), text_at(second, "key", "kid"));
    assert_string_not_equal(text_at(first, "key", "x"), text_at(second, "key", "x"));
    assert_string_equal(text_at(second, "key", "crv"), "P-384");
    struct call list = {VAULT, "GET", "/keys/turn/versions", V, bearer(lab, VAULT), NULL};
    assert_int_equal(call_json(lab, &list, &versions), 200);
    assert_int_equal(skrfs_json_size(skrfs_json_get(versions, "value")), 2);
}

/* RFC 7515, appendix A.3: a P-256 key; its public half must be what was sent. */
static void imports_keep_the_key(void **state) {
    struct skrfs_lab *lab = *state;
    static const char good[] = "{\"hsm\":true,\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
                               "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                               "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"d\":"
                               "\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}," EXPORTABLE "}";
    skrfs_autojson *json = NULL;
    lab->settings.throttle = false;
    struct call call = {VAULT, "PUT", "/keys/imported", V, bearer(lab, VAULT), good};
    assert_int_equal(call_json(lab, &call, &json), 200);
    assert_string_equal(text_at(json, "key", "x"), "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    assert_string_equal(text_at(json, "key", "kty"), "EC-HSM");
    static const struct row rows[] = {
            {VAULT, "PUT", "/keys/i", V, B, "{}", 400, "key"},
            {VAULT, "PUT", "/keys/i", V, B, "{\"key\":{\"kty\":\"EC\"}}", 400, "crv"},
            {VAULT, "PUT", "/keys/i", V, B,
                    "{\"key\":{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}}", 400,
                    "BadParameter"},
            /* x and y of another key than d */
            {VAULT, "PUT", "/keys/i", V, B,
                    "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
                    "\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":"
                    "\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"d\":\"jpsQnnGQmL-"
                    "YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}}",
                    400, "BadParameter"},
            {HSM, "PUT", "/keys/i", V, B, "{\"key\":{\"kty\":\"oct\",\"k\":\"\"}}", 400,
                    "k is empty"},
            {HSM, "PUT", "/keys/i", V, B,
                    "{\"key\":{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODw\"}}", 200, "oct-HSM"},
    };
    run_rows(lab, rows, SKRFS_ARRAY_LEN(rows));
}

static void vault_throttles_and_hsm_does_not(void **state) {
    struct skrfs_lab *lab = *state;
    lab->settings.throttle = true;
    memset(lab->vaults[0].recent_ns, 0, sizeof(lab->vaults[0].recent_ns));
    for (int i = 0; i < 12; i++) {
        struct skrfs_lab_answer answer;
        struct call call = {
                VAULT, "POST", "/keys/busy/create", V, bearer(lab, VAULT), "{\"kty\":\"EC-HSM\"}"};
        call_lab(lab, &call, &answer);
        assert_int_equal(answer.status, i < 10 ? 200 : 429);
        assert_int_equal(answer.retry_after_s > 0, i >= 10);
        skrfs_lab_answer_done(&answer);
        call.service = HSM;
        call.headers = bearer(lab, HSM);
        assert_int_equal(call_json(lab, &call, NULL), 200);
    }
    /* Software keys have a bucket of their own. */
    struct call call = {
            VAULT, "POST", "/keys/soft/create", V, bearer(lab, VAULT), "{\"kty\":\"EC\"}"};
    for (int i = 0; i < 21; i++)
        assert_int_equal(call_json(lab, &call, NULL), i < 20 ? 200 : 429);
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
            cmocka_unit_test(vault_wants_a_token),
            cmocka_unit_test(vault_refuses_as_the_service),
            cmocka_unit_test(immutable_policy_stays),
            cmocka_unit_test(policies_are_kept_each_in_its_way),
            cmocka_unit_test(lists_come_in_pages),
            cmocka_unit_test(rotation_adds_a_version),
            cmocka_unit_test(imports_keep_the_key),
            cmocka_unit_test(vault_throttles_and_hsm_does_not),
            cmocka_unit_test(control_is_checked),
            cmocka_unit_test(faults_come_in_order_and_end),
            cmocka_unit_test(counters_count),
            cmocka_unit_test(identity_can_be_taken_away),
    };
    return cmocka_run_group_tests_name("lab services", tests, set_up, take_down);
}
