/* Key wrapping against the RFC's vectors, and every altered form refused. */
#include "support.h"

#include <skrfs/base/encode.h>
#include <skrfs/crypto/wrap.h>

static struct skrfs_error err;

static size_t unhex(const char *text, uint8_t *out) {
    size_t len = strlen(text) / 2;
    assert_ok(skrfs_hex_decode(text, out, len, &err), err);
    return len;
}

static struct skrfs_secret *secret_hex(const char *text) {
    uint8_t data[256];
    struct skrfs_secret *secret = NULL;
    size_t len = unhex(text, data);
    assert_ok(skrfs_secret_copy(data, len, &secret, &err), err);
    return secret;
}

static void check_kwp(const char *kek_hex, const char *plain_hex, const char *wrapped_hex) {
    skrfs_autosecret *kek = secret_hex(kek_hex);
    skrfs_autosecret *plain = secret_hex(plain_hex);
    uint8_t wrapped[256];
    size_t len = unhex(wrapped_hex, wrapped);
    skrfs_autobuf out = SKRFS_BUF(1024);
    assert_ok(skrfs_kwp_wrap(kek, plain, &out, &err), err);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, wrapped, len);
    skrfs_autosecret *back = NULL;
    assert_ok(skrfs_kwp_unwrap(kek, skrfs_buf_bytes(&out), &back, &err), err);
    assert_int_equal(skrfs_secret_len(back), skrfs_secret_len(plain));
    assert_memory_equal(skrfs_secret_data(back), skrfs_secret_data(plain), skrfs_secret_len(plain));
}

/* RFC 5649 section 6. */
static void test_kwp_rfc5649(void **state) {
    (void)state;
    const char *kek = "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8";
    check_kwp(kek, "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a");
    check_kwp(kek, "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f");
}

/* All lengths around the block borders survive the way there and back, 8 and fewer octets too. */
static void test_kwp_lengths(void **state) {
    (void)state;
    skrfs_autosecret *kek =
            secret_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    for (size_t len = 1; len <= 40; len++) {
        skrfs_autosecret *plain = NULL;
        skrfs_autosecret *back = NULL;
        skrfs_autobuf out = SKRFS_BUF(1024);
        assert_ok(skrfs_secret_new(len, &plain, &err), err);
        memset(skrfs_secret_space(plain), (int)len, len);
        assert_ok(skrfs_kwp_wrap(kek, plain, &out, &err), err);
        assert_ok(skrfs_kwp_unwrap(kek, skrfs_buf_bytes(&out), &back, &err), err);
        assert_int_equal(skrfs_secret_len(back), len);
        assert_memory_equal(skrfs_secret_data(back), skrfs_secret_data(plain), len);
    }
}

static void test_kwp_refusals(void **state) {
    (void)state;
    skrfs_autosecret *kek = secret_hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8");
    uint8_t wrapped[64];
    size_t len = unhex("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a", wrapped);
    skrfs_autosecret *out = NULL;
    for (size_t i = 0; i < len; i++) {
        wrapped[i] ^= 1;
        assert_fails(skrfs_kwp_unwrap(kek, (struct skrfs_bytes){wrapped, len}, &out, &err), err,
                SKRFS_CLASS_CRYPTO, "integrity");
        wrapped[i] ^= 1;
    }
    assert_fails(skrfs_kwp_unwrap(kek, (struct skrfs_bytes){wrapped, len - 8}, &out, &err), err,
            SKRFS_CLASS_CRYPTO, "integrity");
    assert_fails(skrfs_kwp_unwrap(kek, (struct skrfs_bytes){wrapped, len - 1}, &out, &err), err,
            SKRFS_CLASS_CRYPTO, "31 octets");
    assert_fails(skrfs_kwp_unwrap(kek, (struct skrfs_bytes){wrapped, 8}, &out, &err), err,
            SKRFS_CLASS_CRYPTO, "8 octets");
    skrfs_autosecret *short_kek = secret_hex("5840df6e");
    assert_fails(skrfs_kwp_unwrap(short_kek, (struct skrfs_bytes){wrapped, len}, &out, &err), err,
            SKRFS_CLASS_CRYPTO, "no AES key");
    assert_null(out);
}

static void test_oaep(void **state) {
    (void)state;
    skrfs_autopkey *key = NULL;
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    const struct skrfs_bytes plain = {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32};
    const enum skrfs_hash hashes[] = {SKRFS_SHA1, SKRFS_SHA256, SKRFS_SHA384};
    for (size_t i = 0; i < 3; i++) {
        skrfs_autobuf cipher = SKRFS_BUF(1024);
        skrfs_autosecret *back = NULL;
        skrfs_autosecret *none = NULL;
        assert_ok(skrfs_oaep_encrypt(key, hashes[i], plain, &cipher, &err), err);
        assert_int_equal(cipher.len, 256);
        assert_ok(skrfs_oaep_decrypt(key, hashes[i], skrfs_buf_bytes(&cipher), &back, &err), err);
        assert_true(skrfs_secret_equal(back, plain.data, plain.len));
        assert_fails(
                skrfs_oaep_decrypt(key, hashes[(i + 1) % 3], skrfs_buf_bytes(&cipher), &none, &err),
                err, SKRFS_CLASS_CRYPTO, "does not open");
        cipher.data[100] ^= 1;
        assert_fails(skrfs_oaep_decrypt(key, hashes[i], skrfs_buf_bytes(&cipher), &none, &err), err,
                SKRFS_CLASS_CRYPTO, "does not open");
        assert_fails(skrfs_oaep_decrypt(
                             key, hashes[i], (struct skrfs_bytes){cipher.data, 255}, &none, &err),
                err, SKRFS_CLASS_CRYPTO, "does not open");
    }
    skrfs_autopkey *ec = NULL;
    skrfs_autobuf out = SKRFS_BUF(1024);
    assert_ok(skrfs_pkey_new_ec(SKRFS_P256, &ec, &err), err);
    assert_fails(skrfs_oaep_encrypt(ec, SKRFS_SHA256, plain, &out, &err), err, SKRFS_CLASS_CRYPTO,
            "not an RSA");
    assert_ok(skrfs_pkcs1_encrypt(key, plain, &out, &err), err);
    assert_int_equal(out.len, 256);
}

/* Test case 16 of the GCM specification (McGrew, Viega). */
static void test_gcm_vector(void **state) {
    (void)state;
    skrfs_autosecret *key =
            secret_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    uint8_t iv[16], aad[32], plain[64], cipher[64], tag[16], made[16];
    struct skrfs_bytes iv_b = {iv, unhex("cafebabefacedbaddecaf888", iv)};
    struct skrfs_bytes aad_b = {aad, unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad)};
    struct skrfs_bytes plain_b = {plain, unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4"
                                               "c303d8a318a721c3c0c95956809532fcf0e2449a6"
                                               "b525b16aedf5aa0de657ba637b39",
                                                 plain)};
    struct skrfs_bytes cipher_b = {cipher, unhex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97"
                                                 "598a2bd2555d1aa8cb08e48590dbb3da7b08b105682"
                                                 "8838c5f61e6393ba7a0abcc9f662",
                                                   cipher)};
    unhex("76fc6ece0f4e1768cddf8853bb2d551b", tag);
    skrfs_autobuf out = SKRFS_BUF(256);
    assert_ok(skrfs_gcm_seal(key, iv_b, aad_b, plain_b, &out, made, &err), err);
    assert_memory_equal(out.data, cipher, cipher_b.len);
    assert_memory_equal(made, tag, sizeof(tag));
    skrfs_buf_truncate(&out, 0);
    assert_ok(skrfs_gcm_open(key, iv_b, aad_b, cipher_b, (struct skrfs_bytes){tag, 16}, &out, &err),
            err);
    assert_int_equal(out.len, plain_b.len);
    assert_memory_equal(out.data, plain, plain_b.len);

    skrfs_autobuf none = SKRFS_BUF(256);
    tag[15] ^= 1;
    assert_fails(
            skrfs_gcm_open(key, iv_b, aad_b, cipher_b, (struct skrfs_bytes){tag, 16}, &none, &err),
            err, SKRFS_CLASS_CRYPTO, "altered");
    tag[15] ^= 1;
    aad[0] ^= 1;
    assert_fails(
            skrfs_gcm_open(key, iv_b, aad_b, cipher_b, (struct skrfs_bytes){tag, 16}, &none, &err),
            err, SKRFS_CLASS_CRYPTO, "altered");
    assert_fails(
            skrfs_gcm_open(key, iv_b, aad_b, cipher_b, (struct skrfs_bytes){tag, 12}, &none, &err),
            err, SKRFS_CLASS_CRYPTO, "tag of 12");
    iv_b.len = 8;
    assert_fails(
            skrfs_gcm_open(key, iv_b, aad_b, cipher_b, (struct skrfs_bytes){tag, 16}, &none, &err),
            err, SKRFS_CLASS_CRYPTO, "vector of 8");
    assert_int_equal(none.len, 0);
}

static void test_names(void **state) {
    (void)state;
    enum skrfs_enc enc;
    assert_true(skrfs_enc_parse("CKM_RSA_AES_KEY_WRAP", &enc));
    assert_int_equal(enc, SKRFS_ENC_SHA1);
    assert_int_equal(skrfs_enc_hash(enc), SKRFS_SHA1);
    assert_true(skrfs_enc_parse("RSA_AES_KEY_WRAP_384", &enc));
    assert_int_equal(skrfs_enc_hash(enc), SKRFS_SHA384);
    assert_string_equal(skrfs_enc_name(SKRFS_ENC_SHA256), "RSA_AES_KEY_WRAP_256");
    assert_false(skrfs_enc_parse("RSA_AES_KEY_WRAP", &enc));
}

int main(void) {
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_kwp_rfc5649),
            cmocka_unit_test(test_kwp_lengths),
            cmocka_unit_test(test_kwp_refusals),
            cmocka_unit_test(test_oaep),
            cmocka_unit_test(test_gcm_vector),
            cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
