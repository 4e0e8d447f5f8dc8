/* Digests, keys and signatures. */
#include "support.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/pkey.h>
#include <sys/wait.h>

static struct skrfs_error err;

static const struct skrfs_bytes message = {(const uint8_t *)"the raw bytes", 13};

static void test_hash(void **state) {
    (void)state;
    static const char *const abc[] = {
            [SKRFS_SHA1] = "a9993e364706816aba3e25717850c26c9cd0d89d",
            [SKRFS_SHA256] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            [SKRFS_SHA384] = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed80860"
                             "72ba1e7cc2358"
                             "baeca134c825a7",
    };
    for (int i = SKRFS_SHA1; i <= SKRFS_SHA384; i++) {
        uint8_t digest[SKRFS_HASH_MAX];
        char text[2 * SKRFS_HASH_MAX + 1];
        assert_ok(skrfs_hash((enum skrfs_hash)i, "abc", 3, digest, &err), err);
        skrfs_hex_encode(digest, skrfs_hash_len((enum skrfs_hash)i), text);
        assert_string_equal(text, abc[i]);
    }
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    assert_ok(skrfs_random(a, sizeof(a), &err), err);
    assert_ok(skrfs_random(b, sizeof(b), &err), err);
    assert_false(skrfs_equal(a, b, sizeof(a)));
    assert_true(skrfs_equal(a, a, sizeof(a)));
}

/* In pieces of every length: the same digest. */
static void test_hash_in_pieces(void **state) {
    uint8_t data[1000], whole[SKRFS_HASH_MAX], pieces[SKRFS_HASH_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    for (int hash = SKRFS_SHA1; hash <= SKRFS_SHA512; hash++) {
        assert_ok(skrfs_hash((enum skrfs_hash)hash, data, sizeof data, whole, &err), err);
        for (size_t piece = 1; piece < 200; piece += 13) {
            struct skrfs_hasher *hasher;
            assert_ok(skrfs_hasher_new((enum skrfs_hash)hash, &hasher, &err), err);
            for (size_t at = 0; at < sizeof data; at += piece) {
                size_t len = sizeof data - at < piece ? sizeof data - at : piece;
                assert_ok(skrfs_hasher_add(hasher, data + at, len, &err), err);
            }
            assert_ok(skrfs_hasher_end(hasher, pieces, &err), err);
            assert_memory_equal(whole, pieces, skrfs_hash_len((enum skrfs_hash)hash));
            skrfs_hasher_free(hasher);
        }
    }
}

/* Setting up twice is no error, and the private numbers are in the secure heap. */
static void test_secure_heap(void **state) {
    (void)state;
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_true(CRYPTO_secure_malloc_initialized());
    /* The first keys bring OpenSSL's random generators and tables there too, which stay. */
    for (int i = 0; i < 2; i++) {
        skrfs_autopkey *key = NULL;
        skrfs_autopkey *again = NULL;
        skrfs_autosecret *der = NULL;
        size_t before = CRYPTO_secure_used();
        assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
        assert_true(CRYPTO_secure_used() > before);
        assert_ok(skrfs_pkey_pkcs8(key, &der, &err), err);
        skrfs_pkey_free(skrfs_take(key));
        size_t without = CRYPTO_secure_used();
        assert_true(i == 0 || without == before);
        assert_ok(
                skrfs_pkey_from_pkcs8(skrfs_secret_data(der), skrfs_secret_len(der), &again, &err),
                err);
        assert_true(CRYPTO_secure_used() > without);
    }
}

static void round_trip(const struct skrfs_pkey *key) {
    struct skrfs_public public;
    struct skrfs_public again;
    skrfs_autosecret *der = NULL;
    skrfs_autopkey *parsed = NULL;
    skrfs_autopkey *from_public = NULL;
    assert_ok(skrfs_pkey_public(key, &public, &err), err);
    assert_ok(skrfs_pkey_pkcs8(key, &der, &err), err);
    assert_ok(skrfs_pkey_from_pkcs8(skrfs_secret_data(der), skrfs_secret_len(der), &parsed, &err),
            err);
    assert_ok(skrfs_pkey_public(parsed, &again, &err), err);
    assert_true(skrfs_public_equal(&public, &again));
    assert_ok(skrfs_pkey_from_public(&public, &from_public, &err), err);
    assert_ok(skrfs_pkey_public(from_public, &again, &err), err);
    assert_true(skrfs_public_equal(&public, &again));
}

/* "VmLck:  1024 kB" of this process. */
static long locked_kib(void) {
    char line[256];
    long found = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmLck:", 6) == 0)
            found = strtol(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return found;
}

/* Locks are not inherited, and keys are used in children. */
static void test_secure_heap_of_a_child(void **state) {
    (void)state;
    int status = 0;
    assert_ok(skrfs_crypto_setup(&err), err);
    pid_t child = fork();
    if (child == 0)
        _exit(locked_kib() >= 1024 && skrfs_crypto_setup(&err) == 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_round_trips(void **state) {
    (void)state;
    const unsigned bits[] = {2048, 3072};
    for (size_t i = 0; i < 2; i++) {
        skrfs_autopkey *key = NULL;
        assert_ok(skrfs_pkey_new_rsa(bits[i], &key, &err), err);
        round_trip(key);
    }
    for (int i = SKRFS_P256; i <= SKRFS_P256K; i++) {
        skrfs_autopkey *key = NULL;
        struct skrfs_public public;
        assert_ok(skrfs_pkey_new_ec((enum skrfs_curve)i, &key, &err), err);
        round_trip(key);
        assert_ok(skrfs_pkey_public(key, &public, &err), err);
        assert_int_equal(public.type, SKRFS_KEY_EC);
        assert_int_equal(public.curve, i);
    }
    skrfs_autopkey *none = NULL;
    assert_fails(skrfs_pkey_new_rsa(1024, &none, &err), err, SKRFS_CLASS_CONFIG, "1024");
}

static void test_pkcs8_refusals(void **state) {
    (void)state;
    skrfs_autopkey *key = NULL;
    skrfs_autopkey *none = NULL;
    skrfs_autosecret *der = NULL;
    uint8_t copy[4096];
    assert_ok(skrfs_pkey_new_ec(SKRFS_P384, &key, &err), err);
    assert_ok(skrfs_pkey_pkcs8(key, &der, &err), err);
    size_t len = skrfs_secret_len(der);
    memcpy(copy, skrfs_secret_data(der), len);
    copy[len] = 0;
    assert_fails(skrfs_pkey_from_pkcs8(copy, len + 1, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "behind");
    assert_fails(skrfs_pkey_from_pkcs8(copy, len - 1, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "PKCS#8");
    copy[0] ^= 1;
    assert_fails(
            skrfs_pkey_from_pkcs8(copy, len, &none, &err), err, SKRFS_CLASS_BAD_ANSWER, "PKCS#8");
    assert_fails(
            skrfs_pkey_from_pkcs8(copy, 0, &none, &err), err, SKRFS_CLASS_BAD_ANSWER, "PKCS#8");
}

/* PKCS#8 of a key that OpenSSL makes and skrfs does not take. */
static void refuse_evp(EVP_PKEY *evp, const char *text) {
    skrfs_autopkey *none = NULL;
    assert_non_null(evp);
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(evp);
    unsigned char *der = NULL;
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    assert_true(len > 0);
    assert_fails(skrfs_pkey_from_pkcs8(der, (size_t)len, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            text);
    PKCS8_PRIV_KEY_INFO_free(info);
    OPENSSL_free(der);
    EVP_PKEY_free(evp);
}

static void test_kinds_refused(void **state) {
    (void)state;
    refuse_evp(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "neither RSA nor EC");
    refuse_evp(EVP_EC_gen("brainpoolP256r1"), "none of P-256");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *evp = NULL;
    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048);
    EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, 3);
    assert_int_equal(EVP_PKEY_generate(ctx, &evp), 1);
    EVP_PKEY_CTX_free(ctx);
    refuse_evp(evp, "more than two primes");
}

static void test_public(void **state) {
    (void)state;
    struct skrfs_public a = {
            .type = SKRFS_KEY_RSA, .n = {1, 2, 3}, .n_len = 3, .e = {1, 0, 1}, .e_len = 3};
    struct skrfs_public b = {
            .type = SKRFS_KEY_RSA, .n = {0, 1, 2, 3}, .n_len = 4, .e = {0, 1, 0, 1}, .e_len = 4};
    assert_true(skrfs_public_equal(&a, &b));
    b.n[3] = 4;
    assert_false(skrfs_public_equal(&a, &b));
    b.type = SKRFS_KEY_OCT;
    assert_false(skrfs_public_equal(&a, &b));
    /* A point that is not on the curve. */
    struct skrfs_public point = {
            .type = SKRFS_KEY_EC, .curve = SKRFS_P256, .x = {1}, .y = {1}, .xy_len = 32};
    skrfs_autopkey *none = NULL;
    assert_fails(skrfs_pkey_from_public(&point, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "not a public key");
    point.xy_len = 31;
    assert_fails(skrfs_pkey_from_public(&point, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "wrong length");
    enum skrfs_curve curve;
    assert_true(skrfs_curve_parse("SECP256K1", &curve));
    assert_string_equal(skrfs_curve_name(curve), "P-256K");
    assert_false(skrfs_curve_parse("P-257", &curve));
}

static void test_rsa_signature(void **state) {
    (void)state;
    skrfs_autopkey *key = NULL;
    skrfs_autopkey *other = NULL;
    skrfs_autobuf signature = SKRFS_BUF(1024);
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &other, &err), err);
    assert_ok(skrfs_rsa_sign(key, SKRFS_SHA256, message, &signature, &err), err);
    assert_int_equal(signature.len, 256);
    struct skrfs_bytes bytes = skrfs_buf_bytes(&signature);
    assert_ok(skrfs_rsa_verify(key, SKRFS_SHA256, message, bytes, &err), err);
    assert_fails(skrfs_rsa_verify(other, SKRFS_SHA256, message, bytes, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "wrong");
    assert_fails(skrfs_rsa_verify(key, SKRFS_SHA384, message, bytes, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "wrong");
    struct skrfs_bytes shorter = {bytes.data, bytes.len - 1};
    assert_fails(skrfs_rsa_verify(key, SKRFS_SHA256, message, shorter, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "wrong");
    signature.data[10] ^= 1;
    assert_fails(skrfs_rsa_verify(key, SKRFS_SHA256, message, bytes, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "wrong");
    assert_fails(skrfs_ecdsa_verify(key, SKRFS_SHA256, message, bytes, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not an EC");
}

static void test_ecdsa_signature(void **state) {
    (void)state;
    for (int i = SKRFS_P256; i <= SKRFS_P256K; i++) {
        skrfs_autopkey *key = NULL;
        skrfs_autobuf signature = SKRFS_BUF(1024);
        assert_ok(skrfs_pkey_new_ec((enum skrfs_curve)i, &key, &err), err);
        assert_ok(skrfs_ecdsa_sign(key, SKRFS_SHA384, message, &signature, &err), err);
        struct skrfs_bytes bytes = skrfs_buf_bytes(&signature);
        assert_ok(skrfs_ecdsa_verify(key, SKRFS_SHA384, message, bytes, &err), err);
        /* Longer numbers of the same value, as an SNP report has them. */
        uint8_t padded[144] = {0};
        size_t half = bytes.len / 2;
        memcpy(padded + 72 - half, bytes.data, half);
        memcpy(padded + 144 - half, bytes.data + half, half);
        assert_ok(skrfs_ecdsa_verify(
                          key, SKRFS_SHA384, message, (struct skrfs_bytes){padded, 144}, &err),
                err);
        signature.data[5] ^= 1;
        assert_fails(skrfs_ecdsa_verify(key, SKRFS_SHA384, message, bytes, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "wrong");
        bytes.len--;
        assert_fails(skrfs_ecdsa_verify(key, SKRFS_SHA384, message, bytes, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "length");
    }
}

static void test_pss_signature(void **state) {
    (void)state;
    skrfs_autopkey *key = NULL;
    skrfs_autobuf signature = SKRFS_BUF(1024), older = SKRFS_BUF(1024);
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    assert_ok(skrfs_pss_sign(key, SKRFS_SHA256, message, &signature, &err), err);
    assert_ok(skrfs_pss_verify(key, SKRFS_SHA256, message, skrfs_buf_bytes(&signature), &err), err);
    assert_fails(skrfs_pss_verify(key, SKRFS_SHA384, message, skrfs_buf_bytes(&signature), &err),
            err, SKRFS_CLASS_BAD_ANSWER, "wrong");
    assert_fails(skrfs_rsa_verify(key, SKRFS_SHA256, message, skrfs_buf_bytes(&signature), &err),
            err, SKRFS_CLASS_BAD_ANSWER, "wrong");
    assert_ok(skrfs_rsa_sign(key, SKRFS_SHA256, message, &older, &err), err);
    assert_fails(skrfs_pss_verify(key, SKRFS_SHA256, message, skrfs_buf_bytes(&older), &err), err,
            SKRFS_CLASS_BAD_ANSWER, "wrong");
    signature.data[7] ^= 1;
    assert_fails(skrfs_pss_verify(key, SKRFS_SHA256, message, skrfs_buf_bytes(&signature), &err),
            err, SKRFS_CLASS_BAD_ANSWER, "wrong");
}

int main(void) {
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_hash),
            cmocka_unit_test(test_hash_in_pieces),
            cmocka_unit_test(test_secure_heap),
            cmocka_unit_test(test_secure_heap_of_a_child),
            cmocka_unit_test(test_round_trips),
            cmocka_unit_test(test_pkcs8_refusals),
            cmocka_unit_test(test_kinds_refused),
            cmocka_unit_test(test_public),
            cmocka_unit_test(test_rsa_signature),
            cmocka_unit_test(test_pss_signature),
            cmocka_unit_test(test_ecdsa_signature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
