/* Releases: whom they are given to, in which shape, and each of the lies that a test can ask for.
 */
#include "calls.h"
#include "jws.h"
#include "jwt.h"
#include "support.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/encoding.h>
#include <skrfs/crypto/wrap.h>

#define VAULT SKRFS_LAB_VAULT
#define HSM SKRFS_LAB_HSM
#define V "api-version=7.4"

static struct skrfs_error err;
static struct skrfs_pkey *kek, *not_kek;

static void create(struct skrfs_lab *lab, enum skrfs_lab_service service, const char *name,
        const char *shape) {
    static const char policy[] =
            "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"https://maa.skrfs.localhost:2/"
            "\",\"allOf\":[{\"claim\":"
            "\"x-ms-isolation-tee.x-ms-compliance-status\",\"equals\":\"azure-compliant-cvm\"}]}]}";
    skrfs_autobuf data = SKRFS_BUF(4096);
    skrfs_autobuf body = SKRFS_BUF(8192);
    char path[80];
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, policy, strlen(policy), &data, &err), err);
    assert_ok(skrfs_buf_printf(&body, &err,
                      "{%s,\"attributes\":{\"exportable\":true},\"release_policy\":{\"data\":\"%"
                      "s\"}}",
                      shape, skrfs_buf_text(&data)),
            err);
    snprintf(path, sizeof(path), "/keys/%s/create", name);
    struct call call = {service, "POST", path, V, bearer(lab, service), skrfs_buf_text(&body)};
    assert_int_equal(call_json(lab, &call, NULL), 200);
}

static int set_up(void **state) {
    struct skrfs_lab_ports ports = {1, 2};
    struct skrfs_lab *lab = NULL;
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_ok(skrfs_lab_new(&ports, false, false, &lab, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &kek, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &not_kek, &err), err);
    create(lab, VAULT, "rsa", "\"kty\":\"RSA-HSM\"");
    create(lab, VAULT, "ec", "\"kty\":\"EC-HSM\",\"crv\":\"P-256K\"");
    create(lab, HSM, "rsa", "\"kty\":\"RSA-HSM\",\"key_size\":3072");
    create(lab, HSM, "ec", "\"kty\":\"EC-HSM\",\"crv\":\"P-521\"");
    create(lab, HSM, "oct", "\"kty\":\"oct-HSM\"");
    *state = lab;
    return 0;
}

static int take_down(void **state) {
    skrfs_lab_free(*state);
    skrfs_pkey_free(kek);
    skrfs_pkey_free(not_kek);
    return 0;
}

/* What an attestation token is made of; a test changes one member. */
struct token {
    const char *issuer, *compliance, *use, *kty;
    int64_t life_s, since_s;
    bool stranger, nested_only;
};
static const struct token good_token = {"https://maa.skrfs.localhost:2", "azure-compliant-cvm",
        "encrypt", "RSA", 3600, 0, false, false};

static struct skrfs_json *jwk_of(
        const struct skrfs_pkey *key, const char *kid, const char *use, const char *kty) {
    struct skrfs_public public;
    struct skrfs_json *jwk = NULL;
    struct skrfs_json *part = NULL;
    assert_ok(skrfs_pkey_public(key, &public, &err), err);
    assert_ok(skrfs_lab_jwk(&public, kty, false, &jwk, &err), err);
    assert_ok(skrfs_json_pack(&part, &err, "s", kid), err);
    assert_ok(skrfs_json_set(jwk, "kid", part, &err), err);
    assert_ok(skrfs_json_pack(&part, &err, "[s]", use), err);
    assert_ok(skrfs_json_set(jwk, "key_ops", part, &err), err);
    return jwk;
}

static void make_token(struct skrfs_lab *lab, const struct token *wish, struct skrfs_buf *out) {
    skrfs_autojson *header = NULL;
    skrfs_autojson *claims = NULL;
    int64_t now = skrfs_wall_s();
    struct skrfs_json *signing = jwk_of(not_kek, "HCLAkPub", "sign", "RSA");
    struct skrfs_json *own = jwk_of(kek, "Kek", wish->use, wish->kty);
    struct skrfs_json *nested = jwk_of(not_kek, "HCLAkPub", "encrypt", "RSA");
    assert_ok(skrfs_json_pack(&header, &err, "{s:s}", "alg", "RS256"), err);
    assert_ok(skrfs_json_pack(&claims, &err, "{s:s,s:I,s:I,s:{s:s,s:{s:[o]}},s:{s:[o,o]}}", "iss",
                      wish->issuer, "nbf", now + wish->since_s, "exp", now + wish->life_s,
                      "x-ms-isolation-tee", "x-ms-compliance-status", wish->compliance,
                      "x-ms-runtime", "keys", nested,
                      wish->nested_only ? "x-ms-elsewhere" : "x-ms-runtime", "keys", signing, own),
            err);
    assert_ok(skrfs_lab_jwt_sign(wish->stranger ? lab->pki->maa_stranger : lab->pki->maa.key,
                      header, claims, out, &err),
            err);
}

/* Asks for a release; the JWS (or the error's text) is appended to `out`. */
static unsigned ask(struct skrfs_lab *lab, enum skrfs_lab_service service, const char *path,
        const struct token *token, const char *more, struct skrfs_buf *out) {
    skrfs_autobuf jwt = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_autobuf body = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    struct skrfs_lab_answer answer;
    skrfs_autojson *json = NULL;
    make_token(lab, token, &jwt);
    assert_ok(skrfs_buf_printf(&body, &err, "{\"target\":\"%s\"%s}", skrfs_buf_text(&jwt), more),
            err);
    struct call call = {service, "POST", path, V, bearer(lab, service), skrfs_buf_text(&body)};
    call_lab(lab, &call, &answer);
    unsigned status = answer.status;
    assert_ok(skrfs_json_parse(
                      skrfs_buf_text(&answer.body), answer.body.len, answer.body.max, &json, &err),
            err);
    const char *value = skrfs_json_string(skrfs_json_get(json, "value"));
    const char *message =
            skrfs_json_string(skrfs_json_get(skrfs_json_get(json, "error"), "message"));
    assert_ok(skrfs_buf_append_text(out, value ? value : message ? message : "", &err), err);
    skrfs_lab_answer_done(&answer);
    return status;
}

static void every_kind_is_released(void **state) {
    static const struct {
        enum skrfs_lab_service service;
        const char *path, *kty;
    } rows[] = {{VAULT, "/keys/rsa/release", "RSA-HSM"}, {VAULT, "/keys/ec//release", "EC-HSM"},
            {HSM, "/keys/rsa/release", "RSA"}, {HSM, "/keys/ec/release", "EC"},
            {HSM, "/keys/oct/release", "oct"}};
    static const char *const encs[] = {
            "CKM_RSA_AES_KEY_WRAP", "RSA_AES_KEY_WRAP_256", "RSA_AES_KEY_WRAP_384"};
    struct skrfs_lab *lab = *state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows) * 3; i++) {
        skrfs_autobuf jws = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
        char more[80];
        char nonce[24];
        char enc[32];
        skrfs_autosecret *plain = NULL;
        struct skrfs_public public;
        snprintf(more, sizeof(more), ",\"enc\":\"%s\",\"nonce\":\"n%zu\"", encs[i % 3], i);
        unsigned status = ask(lab, rows[i / 3].service, rows[i / 3].path, &good_token, more, &jws);
        assert_int_equal(status, 200);
        assert_ok(jws_verify(lab, rows[i / 3].service, skrfs_buf_text(&jws), &err), err);
        skrfs_autojson *payload = jws_part(skrfs_buf_text(&jws), 1);
        snprintf(nonce, sizeof(nonce), "n%zu", i);
        assert_string_equal(text_at(payload, "request", "nonce"), nonce);
        assert_string_equal(text_at(payload, "request", "enc"), encs[i % 3]);
        assert_string_equal(text_at(jws_key(payload), NULL, "kty"), rows[i / 3].kty);
        assert_ok(jws_unwrap(jws_key(payload), kek, &plain, enc), err);
        assert_string_equal(enc, encs[i % 3]);
        if (strcmp(rows[i / 3].kty, "oct") == 0) {
            assert_int_equal(skrfs_secret_len(plain), 32);
            continue;
        }
        jws_public(jws_key(payload), &public);
        assert_ok(skrfs_key_check_public(plain, &public, &err), err);
    }
}

/* Names of an object's members in the document's order. */
static void assert_members(const struct skrfs_json *json, const char *expected) {
    char names[256] = "";
    void *iterator = NULL;
    const char *name = NULL;
    const struct skrfs_json *value = NULL;
    while (skrfs_json_next(json, &iterator, &name, &value))
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ", name);
    assert_string_equal(names, expected);
}

/* The order and presence of members, as the services were recorded. */
static void shapes_are_the_services(void **state) {
    struct skrfs_lab *lab = *state;
    skrfs_autobuf vault = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_autobuf hsm = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    assert_int_equal(ask(lab, VAULT, "/keys/rsa/release", &good_token, "", &vault), 200);
    assert_int_equal(ask(lab, HSM, "/keys/ec/release", &good_token, "", &hsm), 200);
    skrfs_autojson *header = jws_part(skrfs_buf_text(&vault), 0);
    skrfs_autojson *hsm_header = jws_part(skrfs_buf_text(&hsm), 0);
    skrfs_autojson *payload = jws_part(skrfs_buf_text(&vault), 1);
    skrfs_autojson *hsm_payload = jws_part(skrfs_buf_text(&hsm), 1);
    const struct skrfs_json *key = skrfs_json_get(skrfs_json_get(payload, "response"), "key");
    const struct skrfs_json *hsm_key =
            skrfs_json_get(skrfs_json_get(hsm_payload, "response"), "key");
    assert_members(header, "alg kid x5t typ x5t#S256 x5c ");
    assert_members(hsm_header, "alg kid x5c x5t#S256 ");
    assert_int_equal(skrfs_json_size(skrfs_json_get(hsm_header, "x5c")), 3);
    assert_int_equal(strlen(text_at(header, NULL, "kid")), 40);
    assert_members(skrfs_json_get(payload, "request"), "api-version enc kid ");
    assert_members(key, "key attributes release_policy ");
    assert_members(skrfs_json_get(key, "key"), "kid kty key_ops n e key_hsm ");
    assert_members(skrfs_json_get(key, "release_policy"), "data immutable ");
    assert_members(hsm_key, "attributes key release_policy ");
    assert_members(skrfs_json_get(hsm_key, "key"), "crv key_hsm key_ops kid kty x y ");
    assert_members(skrfs_json_get(hsm_key, "release_policy"), "contentType data immutable ");
    assert_string_equal(text_at(key, "key", "e"), "AAEAAQ");
    assert_string_equal(text_at(payload, "request", "enc"), "CKM_RSA_AES_KEY_WRAP");
    assert_string_equal(
            text_at(payload, "request", "kid"), "https://lab.vault.skrfs.localhost:2/keys/rsa");
}

#define TOKEN(name, change)                                                                        \
    static void name(struct token *token) {                                                        \
        change;                                                                                    \
    }
TOKEN(other_issuer, token->issuer = "https://maa.example")
TOKEN(by_stranger, token->stranger = true)
TOKEN(expired, token->life_s = -1)
TOKEN(too_early, token->since_s = 4000)
TOKEN(not_compliant, token->compliance = "none")
TOKEN(key_only_signs, token->use = "sign")
TOKEN(key_no_rsa, token->kty = "EC")
TOKEN(key_nested, token->nested_only = true)

static void wrong_tokens_get_nothing(void **state) {
    static const struct {
        void (*change)(struct token *);
        const char *why;
    } rows[] = {
            {other_issuer, "cannot be verified"},
            {by_stranger, "cannot be verified"},
            {expired, "cannot be verified"},
            {too_early, "cannot be verified"},
            {not_compliant, "does not meet the key release policy"},
            {key_only_signs, "cannot be verified"},
            {key_no_rsa, "cannot be verified"},
            {key_nested, "cannot be verified"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct token token = good_token;
        skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
        rows[i].change(&token);
        unsigned status = ask(*state, VAULT, "/keys/rsa/release", &token, "", &text);
        if (status != 403 || !strstr(skrfs_buf_text(&text), rows[i].why))
            print_error("row %zu: %u %s\n", i, status, skrfs_buf_text(&text));
        assert_int_equal(status, 403);
        assert_non_null(strstr(skrfs_buf_text(&text), rows[i].why));
    }
}

static void role_is_needed(void **state) {
    struct skrfs_lab *lab = *state;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    lab->settings.release_role = false;
    assert_int_equal(ask(lab, VAULT, "/keys/rsa/release", &good_token, "", &text), 403);
    assert_non_null(strstr(skrfs_buf_text(&text), "not authorized"));
    lab->settings.release_role = true;
}

static void fault(struct skrfs_lab *lab, const char *what) {
    char text[80];
    snprintf(text, sizeof(text), "{\"at\":\"release\",\"do\":\"%s\"}", what);
    struct call call = {SKRFS_LAB_IMDS, "POST", "/lab/faults", NULL, NULL, text};
    assert_int_equal(call_json(lab, &call, NULL), 200);
}

/* A release with a lie in it: the JWS and its payload. */
static struct skrfs_json *lying(struct skrfs_lab *lab, enum skrfs_lab_service service,
        const char *what, struct skrfs_buf *jws) {
    fault(lab, what);
    assert_int_equal(ask(lab, service, "/keys/ec/release", &good_token,
                             ",\"nonce\":\"mine\",\"enc\":\"RSA_AES_KEY_WRAP_256\"", jws),
            200);
    return jws_part(skrfs_buf_text(jws), 1);
}

static void signers_lie(void **state) {
    static const struct {
        const char *what, *why;
    } rows[] = {{"other-signer", "trust"}, {"expired-leaf", "expired"}, {"other-host", "host"},
            {"bad-signature", "signature"}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows) * 2; i++) {
        enum skrfs_lab_service service = i % 2 ? HSM : VAULT;
        skrfs_autobuf jws = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
        skrfs_autojson *payload = lying(*state, service, rows[i / 2].what, &jws);
        assert_non_null(payload);
        assert_fails(jws_verify(*state, service, skrfs_buf_text(&jws), &err), err,
                SKRFS_CLASS_BAD_ANSWER, rows[i / 2].why);
    }
}

/* Every other lie is rightly signed, and wrong in one thing alone. */
static void payloads_lie(void **state) {
    static const char *const lies[] = {"other-key", "other-version", "other-nonce", "other-enc",
            "other-kek", "other-public", "wrong-inner-key", "short-cipher"};
    struct skrfs_lab *lab = *state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lies); i++) {
        skrfs_autobuf jws = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
        skrfs_autosecret *plain = NULL;
        struct skrfs_public public;
        char enc[32];
        skrfs_autojson *payload = lying(lab, VAULT, lies[i], &jws);
        assert_ok(jws_verify(lab, VAULT, skrfs_buf_text(&jws), &err), err);
        const char *kid = text_at(jws_key(payload), NULL, "kid");
        const struct skrfs_lab_version *version =
                skrfs_lab_version_find(skrfs_lab_key_find(&lab->vaults[0], "ec"), NULL);
        assert_int_equal(strstr(kid, "/keys/ec/") != NULL, i != 0);
        assert_int_equal(strstr(kid, version->id) != NULL, i != 1);
        assert_int_equal(strcmp(text_at(payload, "request", "nonce"), "mine") == 0, i != 2);
        int opened = jws_unwrap(jws_key(payload), kek, &plain, enc);
        assert_int_equal(strcmp(enc, "RSA_AES_KEY_WRAP_256") == 0, i != 3);
        assert_int_equal(opened == 0, i != 4 && i != 7);
        if (opened < 0)
            continue;
        jws_public(jws_key(payload), &public);
        assert_int_equal(skrfs_key_check_public(plain, &public, &err) == 0, i != 5 && i != 6);
        assert_int_equal(skrfs_public_equal(&public, &version->public), i != 0 && i != 5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_kind_is_released),
            cmocka_unit_test(shapes_are_the_services),
            cmocka_unit_test(wrong_tokens_get_nothing),
            cmocka_unit_test(role_is_needed),
            cmocka_unit_test(signers_lie),
            cmocka_unit_test(payloads_lie),
    };
    return cmocka_run_group_tests_name("lab release", tests, set_up, take_down);
}
