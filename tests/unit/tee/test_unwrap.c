/* What was sealed and wrapped to the wrapping key opens, and nothing else. */
#include "machine.h"

#include <skrfs/crypto/wrap.h>
#include <skrfs/tpm/provision.h>

/* As the attestation service seals: an AES key to the wrapping key, the token under it. */
static void seal(const struct skrfs_tee_key *key, size_t key_len, const char *aad, const char *text,
        struct skrfs_sealed_token *sealed) {
    struct skrfs_error err = {0};
    skrfs_autopkey *public = machine_rsa_key(key->tpm.modulus);
    skrfs_autosecret *inner = NULL;
    uint8_t tag[16], iv[12] = {9};
    assert_ok(skrfs_secret_new(key_len, &inner, &err), err);
    memset(skrfs_secret_space(inner), 7, key_len);
    skrfs_secret_space(inner)[key_len - 1] = 0;
    struct skrfs_bytes plain = {skrfs_secret_data(inner), key_len};
    struct skrfs_bytes iv_bytes = {iv, sizeof(iv)};
    struct skrfs_bytes aad_bytes = {(const uint8_t *)aad, strlen(aad)};
    struct skrfs_bytes text_bytes = {(const uint8_t *)text, strlen(text)};
    skrfs_sealed_token_init(sealed);
    assert_ok(skrfs_pkcs1_encrypt(public, plain, &sealed->inner_key, &err), err);
    assert_ok(skrfs_buf_append(&sealed->iv, iv, sizeof(iv), &err), err);
    if (key_len == 16 || key_len == 24 || key_len == 32)
        assert_ok(
                skrfs_gcm_seal(inner, iv_bytes, aad_bytes, text_bytes, &sealed->cipher, tag, &err),
                err);
    assert_ok(skrfs_buf_append(&sealed->tag, tag, sizeof(tag), &err), err);
}

static void a_sealed_token_opens(void **state) {
    static const size_t lengths[] = {16, 24, 32};
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = machine_open();
    struct skrfs_tee_key key;
    (void)state;
    machine_collect_key(tee, &key);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lengths); i++) {
        skrfs_autosealed sealed;
        skrfs_autobuf text = SKRFS_BUF(100);
        seal(&key, lengths[i], "Transport Key", "header.claims.signature", &sealed);
        assert_ok(tee->ops->open_token(tee, &key, &sealed, &text, &err), err);
        assert_string_equal(skrfs_buf_text(&text), "header.claims.signature");
    }
}

static void open_fails(struct skrfs_tee *tee, const struct skrfs_tee_key *key,
        const struct skrfs_sealed_token *sealed) {
    struct skrfs_error err = {0};
    skrfs_autobuf text = SKRFS_BUF(100);
    assert_fails(tee->ops->open_token(tee, key, sealed, &text, &err), err, SKRFS_CLASS_CRYPTO,
            "open the attestation token: the TPM cannot decrypt it: it is not wrapped to this key, "
            "or "
            "damaged");
    assert_int_equal(err.upstream, 0);
    assert_int_equal(text.len, 0);
}

static void a_wrongly_sealed_token_does_not_open(void **state) {
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = machine_open();
    struct skrfs_tee_key key;
    (void)state;
    machine_collect_key(tee, &key);
    skrfs_autosealed sealed;
    seal(&key, 32, "Transport Key", "text", &sealed);
    sealed.tag.data[3] ^= 1;
    open_fails(tee, &key, &sealed);
    sealed.tag.data[3] ^= 1;
    sealed.inner_key.data[9] ^= 1;
    open_fails(tee, &key, &sealed);
    skrfs_sealed_token_done(&sealed);
    seal(&key, 32, "Transport key", "text", &sealed);
    open_fails(tee, &key, &sealed);
    skrfs_sealed_token_done(&sealed);
    seal(&key, 20, "Transport Key", "text", &sealed);
    open_fails(tee, &key, &sealed);
}

/* As the vault wraps: an AES key by RSA-OAEP, the key under it by AES-KWP. */
static void wrap(const struct skrfs_tee_key *key, enum skrfs_enc enc, const void *plain, size_t len,
        struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    skrfs_autopkey *public = machine_rsa_key(key->tpm.modulus);
    skrfs_autosecret *kek = NULL, *text = NULL;
    assert_ok(skrfs_secret_new(32, &kek, &err), err);
    assert_ok(skrfs_random(skrfs_secret_space(kek), 32, &err), err);
    assert_ok(skrfs_secret_copy(plain, len, &text, &err), err);
    assert_ok(skrfs_oaep_encrypt(public, skrfs_enc_hash(enc),
                      (struct skrfs_bytes){skrfs_secret_data(kek), 32}, out, &err),
            err);
    assert_ok(skrfs_kwp_wrap(kek, text, out, &err), err);
}

static void a_released_key_is_unwrapped(void **state) {
    static const enum skrfs_enc encs[] = {SKRFS_ENC_SHA256, SKRFS_ENC_SHA384, SKRFS_ENC_SHA1};
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = machine_open();
    struct skrfs_tee_key key;
    uint8_t plain[1200] = {1, 2, 3};
    (void)state;
    machine_collect_key(tee, &key);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(encs); i++) {
        static const size_t lengths[] = {5, 32, 1200};
        skrfs_autobuf wrapped = SKRFS_BUF(4096);
        skrfs_autosecret *got = NULL;
        wrap(&key, encs[i], plain, lengths[i], &wrapped);
        assert_ok(tee->ops->unwrap(tee, &key, encs[i], skrfs_buf_bytes(&wrapped), &got, &err), err);
        assert_int_equal(skrfs_secret_len(got), lengths[i]);
        assert_true(skrfs_secret_equal(got, plain, lengths[i]));
    }
}

static void a_damaged_release_is_refused(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = machine_open();
    struct skrfs_tee_key key;
    skrfs_autobuf wrapped = SKRFS_BUF(4096);
    skrfs_autosecret *got = NULL;
    (void)state;
    machine_collect_key(tee, &key);
    wrap(&key, SKRFS_ENC_SHA256, "0123456789", 10, &wrapped);
    struct skrfs_bytes bytes = skrfs_buf_bytes(&wrapped);
    struct skrfs_bytes part = {bytes.data, 256};
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256, part, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "truncated");
    part.len = 0;
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256, part, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "truncated");
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA1, bytes, &got, &err), err,
            SKRFS_CLASS_CRYPTO, "not wrapped to this key");
    wrapped.data[270] ^= 1;
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256, bytes, &got, &err), err,
            SKRFS_CLASS_CRYPTO, "unwrap the released key");
    wrapped.data[270] ^= 1;
    wrapped.data[0] ^= 1;
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256, bytes, &got, &err), err,
            SKRFS_CLASS_CRYPTO, "unwrap the released key");
    assert_null(got);
}

static void changed_measurements_make_another_key(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = machine_open();
    static struct skrfs_tee_key before, after;
    skrfs_autobuf wrapped = SKRFS_BUF(4096);
    skrfs_autosecret *got = NULL;
    (void)state;
    machine_collect_key(tee, &before);
    wrap(&before, SKRFS_ENC_SHA256, "0123456789", 10, &wrapped);
    assert_ok(skrfs_tpm_pcr_extend(machine.tpm, 4, (const uint8_t[32]){1}, &err), err);
    assert_fails(
            tee->ops->unwrap(tee, &before, SKRFS_ENC_SHA256, skrfs_buf_bytes(&wrapped), &got, &err),
            err, SKRFS_CLASS_CRYPTO, "PCR 0 to 7");
    machine_collect_key(tee, &after);
    assert_memory_not_equal(before.tpm.modulus, after.tpm.modulus, 256);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            MACHINE_TEST(a_sealed_token_opens),
            MACHINE_TEST(a_wrongly_sealed_token_does_not_open),
            MACHINE_TEST(a_released_key_is_unwrapped),
            MACHINE_TEST(a_damaged_release_is_refused),
            MACHINE_TEST(changed_measurements_make_another_key),
    };
    return cmocka_run_group_tests_name("unwrap", tests, machine_start, machine_stop);
}
