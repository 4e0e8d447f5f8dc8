#include "jws.h"

#include "calls.h"
#include "jwt.h"
#include "support.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/wrap.h>

#define HSM SKRFS_LAB_HSM

static struct skrfs_error err;

struct skrfs_json *jws_part(const char *jws, unsigned index) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    struct skrfs_json *json = NULL;
    while (index-- > 0)
        jws = strchr(jws, '.') + 1;
    assert_ok(skrfs_base64_decode(SKRFS_BASE64URL, jws, strcspn(jws, "."), &text, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.max, &json, &err), err);
    return json;
}

static struct skrfs_chain *chain_of(const struct skrfs_json *header) {
    const struct skrfs_json *x5c = skrfs_json_get(header, "x5c");
    struct skrfs_buf ders[SKRFS_CHAIN_MAX];
    struct skrfs_bytes views[SKRFS_CHAIN_MAX];
    size_t count = skrfs_json_size(x5c);
    struct skrfs_chain *chain = NULL;
    assert_int_equal(count <= 3 && count >= 2, 1);
    for (size_t i = 0; i < count; i++) {
        const char *text = skrfs_json_string(skrfs_json_at(x5c, i));
        ders[i] = SKRFS_BUF(SKRFS_CERT_MAX);
        assert_ok(skrfs_base64_decode(SKRFS_BASE64, text, strlen(text), &ders[i], &err), err);
        views[i] = skrfs_buf_bytes(&ders[i]);
    }
    assert_ok(skrfs_chain_from_der(views, count, &chain, &err), err);
    for (size_t i = 0; i < count; i++)
        skrfs_buf_done(&ders[i]);
    return chain;
}

/* Chain, host and signature of a JWS; 0 when all are right. */
int jws_verify(const struct skrfs_lab *lab, enum skrfs_lab_service service, const char *jws,
        struct skrfs_error *ret_err) {
    skrfs_autojson *header = jws_part(jws, 0);
    skrfs_autochain *chain = chain_of(header);
    skrfs_autopkey *key = NULL;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    skrfs_autobuf signature = SKRFS_BUF(SKRFS_RSA_MAX);
    SKRFS_CLEANUP(skrfs_trust_free_p) struct skrfs_trust *trust = NULL;
    const char *last = strrchr(jws, '.');
    assert_ok(skrfs_chain_pem(lab->pki->root.chain, &pem, &err), err);
    assert_ok(skrfs_trust_from_pem(skrfs_buf_text(&pem), pem.len, &trust, &err), err);
    assert_ok(skrfs_base64_decode(SKRFS_BASE64URL, last + 1, strlen(last + 1), &signature, &err),
            err);
    if (skrfs_chain_verify_server(chain, trust,
                service == HSM ? SKRFS_LAB_HSM_HOST : SKRFS_LAB_VAULT_HOST, skrfs_wall_s() + 2,
                ret_err) < 0)
        return -1;
    assert_ok(skrfs_chain_leaf_key(chain, &key, &err), err);
    return skrfs_rsa_verify(key, SKRFS_SHA256,
            (struct skrfs_bytes){(const uint8_t *)jws, (size_t)(last - jws)},
            skrfs_buf_bytes(&signature), ret_err);
}

/* Unwraps what a JWS carries. */
int jws_unwrap(const struct skrfs_json *key, const struct skrfs_pkey *with,
        struct skrfs_secret **ret_plain, char enc_name[32]) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_autobuf cipher = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_autojson *inner = NULL;
    skrfs_autosecret *aes = NULL;
    enum skrfs_enc enc = SKRFS_ENC_SHA1;
    assert_ok(skrfs_json_need_base64(key, "key_hsm", SKRFS_BASE64URL, &text, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.max, &inner, &err), err);
    assert_ok(skrfs_json_need_base64(inner, "ciphertext", SKRFS_BASE64URL, &cipher, &err), err);
    const struct skrfs_json *header = skrfs_json_get(inner, "header");
    assert_string_equal(skrfs_json_string(skrfs_json_get(inner, "schema_version")), "1.0");
    assert_string_equal(skrfs_json_string(skrfs_json_get(header, "alg")), "dir");
    snprintf(enc_name, 32, "%s", skrfs_json_string(skrfs_json_get(header, "enc")));
    assert_true(skrfs_enc_parse(enc_name, &enc));
    if (cipher.len <= 256 || skrfs_oaep_decrypt(with, skrfs_enc_hash(enc),
                                     (struct skrfs_bytes){cipher.data, 256}, &aes, &err) < 0)
        return -1;
    return skrfs_kwp_unwrap(
            aes, (struct skrfs_bytes){cipher.data + 256, cipher.len - 256}, ret_plain, &err);
}

const struct skrfs_json *jws_key(const struct skrfs_json *payload) {
    return skrfs_json_get(skrfs_json_get(skrfs_json_get(payload, "response"), "key"), "key");
}

void jws_public(const struct skrfs_json *key, struct skrfs_public *public) {
    skrfs_autobuf a = SKRFS_BUF(600);
    skrfs_autobuf b = SKRFS_BUF(600);
    *public = (struct skrfs_public){0};
    public->type = strncmp(text_at(key, NULL, "kty"), "RSA", 3) == 0 ? SKRFS_KEY_RSA : SKRFS_KEY_EC;
    bool rsa = public->type == SKRFS_KEY_RSA;
    assert_ok(skrfs_json_need_base64(key, rsa ? "n" : "x", SKRFS_BASE64URL, &a, &err), err);
    assert_ok(skrfs_json_need_base64(key, rsa ? "e" : "y", SKRFS_BASE64URL, &b, &err), err);
    memcpy(rsa ? public->n : public->x, a.data, a.len);
    memcpy(rsa ? public->e : public->y, b.data, b.len);
    public->n_len = public->xy_len = a.len;
    public->e_len = b.len;
    if (!rsa)
        assert_true(skrfs_curve_parse(text_at(key, NULL, "crv"), &public->curve));
}
