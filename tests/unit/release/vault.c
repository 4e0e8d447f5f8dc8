#include "vault.h"

#include <skrfs/base/encode.h>
#include <skrfs/json/json.h>

static struct skrfs_error err;

void test_vault_init(struct test_vault *vault) {
    assert_ok(skrfs_pkey_new_rsa(2048, &vault->root_key, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &vault->leaf_key, &err), err);
    struct skrfs_cert_spec spec = {.common_name = "test root",
            .subject_key = vault->root_key,
            .issuer_key = vault->root_key,
            .authority = true,
            .days = 30};
    assert_ok(skrfs_cert_issue(&spec, &vault->root, &err), err);
    const char *const names[] = {"vault.azure.net", "*.vault.azure.net", NULL};
    spec = (struct skrfs_cert_spec){.common_name = "vault.azure.net",
            .subject_key = vault->leaf_key,
            .issuer_key = vault->root_key,
            .issuer = vault->root,
            .dns_names = names,
            .days = 10};
    assert_ok(skrfs_cert_issue(&spec, &vault->leaf, &err), err);
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    assert_ok(skrfs_chain_pem(vault->root, &pem, &err), err);
    assert_ok(skrfs_trust_from_pem(skrfs_buf_text(&pem), pem.len, &vault->trust, &err), err);
}

void test_vault_done(struct test_vault *vault) {
    skrfs_pkey_free(vault->root_key);
    skrfs_pkey_free(vault->leaf_key);
    skrfs_chain_free(vault->root);
    skrfs_chain_free(vault->leaf);
    skrfs_trust_free(vault->trust);
}

void test_answer_init(
        struct test_answer *answer, const struct skrfs_public *public, struct skrfs_bytes wrapped) {
    *answer = (struct test_answer){.alg = "RS256",
            .chain_to = 2,
            .request_kid = "https://" TEST_HOST "/keys/disk-data",
            .nonce = "the-nonce",
            .enc = "RSA_AES_KEY_WRAP_256",
            .kid = "https://" TEST_HOST "/keys/disk-data/" TEST_VERSION,
            .kty = "RSA-HSM",
            .schema = "1.0",
            .kek_kid = TEST_KEK,
            .wrap_alg = "dir",
            .wrap_enc = "RSA_AES_KEY_WRAP_256",
            .public = public,
            .wrapped = wrapped};
}

static void encode_json(struct skrfs_json *json, struct skrfs_buf *out) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_JWS_MAX);
    assert_ok(skrfs_json_print(json, false, &text, &err), err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, text.data, text.len, out, &err), err);
    skrfs_json_free(json);
}

static void encode_header(
        const struct test_vault *vault, const struct test_answer *answer, struct skrfs_buf *out) {
    struct skrfs_json *x5c = NULL;
    struct skrfs_json *header = NULL;
    assert_ok(skrfs_json_new_array(&x5c, &err), err);
    for (size_t i = answer->chain_from; i < answer->chain_to; i++) {
        struct skrfs_json *item = NULL;
        skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
        skrfs_autobuf text = SKRFS_BUF(2 * SKRFS_CERT_MAX);
        assert_ok(skrfs_chain_der(vault->leaf, i, &der, &err), err);
        assert_ok(skrfs_base64_encode(SKRFS_BASE64, der.data, der.len, &text, &err), err);
        assert_ok(skrfs_json_pack(&item, &err, "s", skrfs_buf_text(&text)), err);
        assert_ok(skrfs_json_append(x5c, item, &err), err);
    }
    assert_ok(skrfs_json_pack(&header, &err, "{s:s, s:s, s:o, s:s*}", "alg", answer->alg, "kid",
                      "x", "x5c", x5c, "crit", answer->critical ? "exp" : NULL),
            err);
    encode_json(header, out);
}

static void encode_bytes(const void *data, size_t len, struct skrfs_buf *out) {
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, data, len, out, &err), err);
}

static void encode_payload(const struct test_answer *answer, struct skrfs_buf *out) {
    skrfs_autobuf wrapped = SKRFS_BUF(SKRFS_JWS_MAX);
    skrfs_autobuf key_hsm = SKRFS_BUF(SKRFS_JWS_MAX);
    skrfs_autobuf n = SKRFS_BUF(1024);
    skrfs_autobuf e = SKRFS_BUF(64);
    struct skrfs_json *json = NULL;
    encode_bytes(answer->wrapped.data, answer->wrapped.len, &wrapped);
    encode_bytes(answer->public->n, answer->public->n_len, &n);
    encode_bytes(answer->public->e, answer->public->e_len, &e);
    assert_ok(skrfs_json_pack(&json, &err, "{s:s, s:{s:s, s:s, s:s}, s:s}", "schema_version",
                      answer->schema, "header", "kid", answer->kek_kid, "alg", answer->wrap_alg,
                      "enc", answer->wrap_enc, "ciphertext", skrfs_buf_text(&wrapped)),
            err);
    encode_json(json, &key_hsm);
    assert_ok(
            skrfs_json_pack(&json, &err,
                    "{s:{s:s, s:s, s:s, s:s*}, s:{s:{s:{s:s, s:s, s:s, s:s, s:s}, s:{s:I}}}}",
                    "request", "api-version", "7.4", "enc", answer->enc, "kid", answer->request_kid,
                    "nonce", answer->nonce, "response", "key", "key", "kid", answer->kid, "kty",
                    answer->kty, "n", skrfs_buf_text(&n), "e", skrfs_buf_text(&e), "key_hsm",
                    skrfs_buf_text(&key_hsm), "attributes", "exp", (long long)answer->expires_s),
            err);
    encode_json(json, out);
}

void test_answer_jws(
        const struct test_vault *vault, const struct test_answer *answer, struct skrfs_buf *out) {
    skrfs_autobuf signature = SKRFS_BUF(1024);
    encode_header(vault, answer, out);
    assert_ok(skrfs_buf_append_text(out, ".", &err), err);
    encode_payload(answer, out);
    assert_ok(skrfs_rsa_sign(vault->leaf_key, SKRFS_SHA256, skrfs_buf_bytes(out), &signature, &err),
            err);
    assert_ok(skrfs_buf_append_text(out, ".", &err), err);
    if (!answer->no_signature)
        encode_bytes(signature.data, signature.len, out);
}

void test_wrap(const struct skrfs_pkey *kek, enum skrfs_hash hash, const struct skrfs_secret *plain,
        struct skrfs_buf *out) {
    uint8_t aes[32];
    skrfs_autosecret *aes_key = NULL;
    assert_ok(skrfs_random(aes, sizeof(aes), &err), err);
    assert_ok(skrfs_secret_copy(aes, sizeof(aes), &aes_key, &err), err);
    assert_ok(
            skrfs_oaep_encrypt(kek, hash, (struct skrfs_bytes){aes, sizeof(aes)}, out, &err), err);
    assert_ok(skrfs_kwp_wrap(aes_key, plain, out, &err), err);
}
