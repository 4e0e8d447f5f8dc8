/* The vault and the Managed HSM, request by request, without the network. */
#include "calls.h"
#include "support.h"

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
            {VAULT, "DELETE", "/keys/a", V, B, NULL, 404, "KeyNotFound"},
            {VAULT, "PUT", "/keys", V, B, "{}", 405, "MethodNotAllowed"},
            {VAULT, "GET", "/keys/a_b", V, B, NULL, 400, "invalid name: a_b"},
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
            /* a key that is too short */
            {VAULT, "PUT", "/keys/i", V, B,
                    "{\"key\":{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"vTTsJXDNpVGqYetUY7zKB"
                    "EFUlrA8-_oAfaTWPvAJ7tWOQ4n5SNwZTLLbizk_aPzwTkPemUeJ2aBDIeKcOgG-x3E_s8W"
                    "qY7HgbuAvVjwlBmBaoxQvWz8LaoiTD14ZWIWHjxPpBtjcbtSPtRKoP5sW4VL_uOIylGB4L"
                    "-Vc4LXXYHs\",\"d\":\"YWBYXNiWbgv-tZCJCR_DlLcO0tL3P_OlxwRL425knk-4fRgIf"
                    "TARsUCn7xpSgTUUdCNH7_k6gA-UHV9kahI13cj0SeQgb-lvf1LNjih_lh65Hu_JPWx8Y5k"
                    "JRXAml1Mo42BB6aaeo254kokTkxQIg7TO1YAl0Na7xiDT3AbZ_jE\",\"p\":\"-vIyN5R"
                    "DV31IhNYHPieooQEy9BwRmxhGspv-Rt2NtKXW6SHJeRXU7A4LTAZkBUKBabJZg8djZntnr"
                    "yMBLfW92Q\",\"q\":\"wQRqm4p04_OG4gxBkLB7u5sQGyfesXA-aZUMDjGaXSYxBSU0GG"
                    "AVfHylbfdTl5-3xQiXJ5_w93aCk9Ms2-TYcw\",\"dp\":\"GyjdYICObUik8aOMcyCtso"
                    "dDsYHcMfIFrM0PTzIpZRTR1reOa6l-OvImLNtANgWFph_kakvJKU1P4neiaAwBuQ\",\"d"
                    "q\":\"mXa0eITGWXOHu_S4sJzRVCF-1ciGdBflV7csxaBEtmkmMowY9oR2sOq98UfjS7uu"
                    "tlcVL2kogujT-0q88Pzr5w\",\"qi\":\"IymJq9S7Y8e250SBVw9olFz5okmImoeuZ06-"
                    "bH-fnE-osZ-Qfs_7RAcZtsyOhWjjTn51jCYJbjkOv4pghFtRNA\"}}",
                    400, "2048, 3072 or 4096"},
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

/* A deleted key keeps its name, can be had back, and is gone when it is purged. */
static void deletion_is_soft(void **state) {
    struct skrfs_lab *lab = *state;
    static const struct row rows[] = {
            {HSM, "POST", "/keys/gone/create", V, B, "{\"kty\":\"oct-HSM\"}", 200, "oct-HSM"},
            {HSM, "DELETE", "/keys/gone/0123", V, B, NULL, 405, "MethodNotAllowed"},
            {HSM, "DELETE", "/keys/gone", V, B, NULL, 200, "/deletedkeys/gone\""},
            {HSM, "DELETE", "/keys/gone", V, B, NULL, 404, "KeyNotFound"},
            {HSM, "GET", "/keys/gone", V, B, NULL, 404, "recently deleted"},
            {HSM, "POST", "/keys/gone/release", V, B, "{\"target\":\"x\"}", 404, "KeyNotFound"},
            {HSM, "POST", "/keys/gone/create", V, B, "{\"kty\":\"oct-HSM\"}", 409,
                    "ObjectIsDeletedButRecoverable"},
            {HSM, "PUT", "/keys/gone", V, B, "{\"key\":{\"kty\":\"oct\",\"k\":\"AAEC\"}}", 409,
                    "Conflict"},
            {HSM, "GET", "/deletedkeys", V, B, NULL, 200, "scheduledPurgeDate"},
            {HSM, "GET", "/deletedkeys/gone", V, B, NULL, 200, "recoveryId"},
            {HSM, "GET", "/deletedkeys/none", V, B, NULL, 404, "KeyNotFound"},
            {HSM, "POST", "/deletedkeys/gone/recover", V, B, NULL, 200, "oct-HSM"},
            {HSM, "POST", "/deletedkeys/gone/recover", V, B, NULL, 404, "KeyNotFound"},
            {HSM, "GET", "/keys/gone", V, B, NULL, 200, "oct-HSM"},
            {HSM, "DELETE", "/keys/gone", V, B, NULL, 200, "deletedDate"},
            {HSM, "DELETE", "/deletedkeys/gone", V, B, NULL, 204, ""},
            {HSM, "DELETE", "/deletedkeys/gone", V, B, NULL, 404, "KeyNotFound"},
            {HSM, "POST", "/keys/gone/create", V, B, "{\"kty\":\"oct-HSM\"}", 200, "oct-HSM"},
    };
    run_rows(lab, rows, SKRFS_ARRAY_LEN(rows));
}

/* The identity that may read gets what reading is, and a refusal that names the action. */
static void readers_only_read(void **state) {
    struct skrfs_lab *lab = *state;
    char header[4096];
    skrfs_autobuf token = SKRFS_BUF(4000);
    assert_ok(skrfs_lab_access_token(lab, "https://vault.azure.net",
                      "1ab00000-0000-4000-8000-0000000000d2", &token, &err),
            err);
    snprintf(header, sizeof(header), "Authorization=Bearer %s", skrfs_buf_text(&token));
    const struct row rows[] = {
            {VAULT, "GET", "/keys", V, header, NULL, 200, "value"},
            {VAULT, "GET", "/keys/k", V, header, NULL, 200, "EC-HSM"},
            {VAULT, "POST", "/keys/k/create", V, header, "{}", 403, "vaults/keys/create/action"},
            {VAULT, "PUT", "/keys/k", V, header, "{}", 403, "vaults/keys/import/action"},
            {VAULT, "PATCH", "/keys/k", V, header, "{}", 403, "vaults/keys/update/action"},
            {VAULT, "POST", "/keys/k/rotate", V, header, "", 403, "vaults/keys/rotate/action"},
            {VAULT, "POST", "/keys/k/release", V, header, "{}", 403, "vaults/keys/release/action"},
            {VAULT, "DELETE", "/keys/k", V, header, NULL, 403, "vaults/keys/delete'"},
            {VAULT, "DELETE", "/deletedkeys/k", V, header, NULL, 403, "vaults/keys/purge/action"},
    };
    run_rows(lab, rows, SKRFS_ARRAY_LEN(rows));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(vault_wants_a_token),
            cmocka_unit_test(vault_refuses_as_the_service),
            cmocka_unit_test(immutable_policy_stays),
            cmocka_unit_test(policies_are_kept_each_in_its_way),
            cmocka_unit_test(lists_come_in_pages),
            cmocka_unit_test(rotation_adds_a_version),
            cmocka_unit_test(imports_keep_the_key),
            cmocka_unit_test(deletion_is_soft),
            cmocka_unit_test(readers_only_read),
            cmocka_unit_test(vault_throttles_and_hsm_does_not),
    };
    return cmocka_run_group_tests_name("lab vault", tests, set_up, take_down);
}
