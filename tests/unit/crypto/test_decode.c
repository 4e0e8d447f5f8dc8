/* Keys that somebody brings, in each private format, and text that is none. */
#include "support.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/encoding.h>

static struct skrfs_error err;

static struct skrfs_secret *secret_of(const void *data, size_t len) {
    struct skrfs_secret *secret = NULL;
    assert_ok(skrfs_secret_copy(data, len, &secret, &err), err);
    return secret;
}

static int decode(const char *text, enum skrfs_format format) {
    skrfs_autosecret *encoded = secret_of(text, strlen(text));
    skrfs_autosecret *plain = NULL;
    enum skrfs_key_type type = SKRFS_KEY_OCT;
    return skrfs_key_decode(encoded, format, &plain, &type, &err);
}

static void make(enum skrfs_key_type type, enum skrfs_curve curve, struct skrfs_secret **ret_plain,
        struct skrfs_public *ret_public) {
    skrfs_autopkey *key = NULL;
    if (type == SKRFS_KEY_RSA)
        assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    else
        assert_ok(skrfs_pkey_new_ec(curve, &key, &err), err);
    assert_ok(skrfs_pkey_pkcs8(key, ret_plain, &err), err);
    assert_ok(skrfs_pkey_public(key, ret_public, &err), err);
}

static void test_what_is_written_is_read(void **state) {
    (void)state;
    static const enum skrfs_format formats[] = {
            SKRFS_FORMAT_DER, SKRFS_FORMAT_PEM, SKRFS_FORMAT_JWK};
    for (int i = SKRFS_P256; i <= SKRFS_P256K + 1; i++) {
        skrfs_autosecret *plain = NULL;
        struct skrfs_public public;
        make(i > SKRFS_P256K ? SKRFS_KEY_RSA : SKRFS_KEY_EC, (enum skrfs_curve)i, &plain, &public);
        for (size_t j = 0; j < SKRFS_ARRAY_LEN(formats); j++) {
            skrfs_autosecret *encoded = NULL;
            skrfs_autosecret *read = NULL;
            enum skrfs_key_type type = SKRFS_KEY_OCT;
            assert_ok(
                    skrfs_key_encode(plain, public.type, formats[j], "a kid", &encoded, &err), err);
            assert_ok(skrfs_key_decode(encoded, formats[j], &read, &type, &err), err);
            assert_int_equal(type, public.type);
            assert_true(
                    skrfs_secret_equal(read, skrfs_secret_data(plain), skrfs_secret_len(plain)));
        }
    }
}

/* "RSA PRIVATE KEY" and "EC PRIVATE KEY", behind a certificate's block. */
static void test_older_blocks(void **state) {
    (void)state;
    for (int rsa = 0; rsa <= 1; rsa++) {
        EVP_PKEY *evp = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-384");
        BIO *bio = BIO_new(BIO_s_mem());
        BIO_puts(bio, "text in front\n-----BEGIN CERTIFICATE-----\nAAAA\n"
                      "-----END CERTIFICATE-----\n");
        assert_int_equal(
                PEM_write_bio_PrivateKey_traditional(bio, evp, NULL, NULL, 0, NULL, NULL), 1);
        char *text = NULL;
        long len = BIO_get_mem_data(bio, &text);
        skrfs_autosecret *encoded = secret_of(text, (size_t)len);
        skrfs_autosecret *plain = NULL;
        enum skrfs_key_type type = SKRFS_KEY_OCT;
        assert_ok(skrfs_key_decode(encoded, SKRFS_FORMAT_PEM, &plain, &type, &err), err);
        assert_int_equal(type, rsa ? SKRFS_KEY_RSA : SKRFS_KEY_EC);
        BIO_free(bio);
        EVP_PKEY_free(evp);
    }
}

static void test_a_password_is_refused(void **state) {
    (void)state;
    for (int older = 0; older <= 1; older++) {
        EVP_PKEY *evp = EVP_EC_gen("P-256");
        BIO *bio = BIO_new(BIO_s_mem());
        assert_int_equal(older ? PEM_write_bio_PrivateKey_traditional(bio, evp, EVP_aes_128_cbc(),
                                         (const unsigned char *)"word", 4, NULL, NULL)
                               : PEM_write_bio_PKCS8PrivateKey(
                                         bio, evp, EVP_aes_128_cbc(), "word", 4, NULL, NULL),
                1);
        char *text = NULL;
        long len = BIO_get_mem_data(bio, &text);
        skrfs_autosecret *encoded = secret_of(text, (size_t)len);
        skrfs_autosecret *plain = NULL;
        enum skrfs_key_type type = SKRFS_KEY_OCT;
        assert_fails(skrfs_key_decode(encoded, SKRFS_FORMAT_PEM, &plain, &type, &err), err,
                SKRFS_CLASS_CONFIG, "under a password");
        BIO_free(bio);
        EVP_PKEY_free(evp);
    }
}

static void test_oct(void **state) {
    (void)state;
    assert_fails(decode("{\"kty\":\"oct\"}", SKRFS_FORMAT_JWK), err, SKRFS_CLASS_CONFIG,
            "no member 'k'");
    static const char good[] = "{\"k\":\"AAECAwQFBgc\", \"key_ops\":[\"wrapKey\",{\"a\":[1,true]}],"
                               "\n\"ext\":true,\"more\":-1.5e3,\"kty\":\"oct-HSM\"}\n";
    skrfs_autosecret *encoded = secret_of(good, strlen(good));
    skrfs_autosecret *plain = NULL;
    enum skrfs_key_type type = SKRFS_KEY_RSA;
    assert_ok(skrfs_key_decode(encoded, SKRFS_FORMAT_JWK, &plain, &type, &err), err);
    assert_int_equal(type, SKRFS_KEY_OCT);
    static const uint8_t octets[] = {0, 1, 2, 3, 4, 5, 6, 7};
    assert_true(skrfs_secret_equal(plain, octets, sizeof(octets)));
}

static void test_text_that_is_no_key(void **state) {
    (void)state;
    static const struct {
        const char *text, *why;
        enum skrfs_format format;
    } cases[] = {
            {"hello", "no private key in the text", SKRFS_FORMAT_PEM},
            {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no private key",
                    SKRFS_FORMAT_PEM},
            {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private",
                    SKRFS_FORMAT_PEM},
            {"0123", "no private RSA or EC key", SKRFS_FORMAT_DER},
            {"x", "not as openssh", SKRFS_FORMAT_OPENSSH},
            {"x", "not as pub.pem", SKRFS_FORMAT_PUB_PEM},
            {"[]", "no JSON object", SKRFS_FORMAT_JWK},
            {"{\"kty\"", "malformed", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"oct\",}", "malformed", SKRFS_FORMAT_JWK},
            {"{\"x5c\":[[", "malformed", SKRFS_FORMAT_JWK},
            {"{\"x5c\":[[[[[[[[[[[[]]]]]]]]]]]],\"kty\":\"oct\"}", "malformed", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"OKP\"}", "RSA, EC or oct", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"oct\",\"k\":\"AA\"} x", "behind its end", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"oct\",\"k\":\"AA\",\"k\":\"AA\"}", "twice", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"oct\",\"k\":\"A*\"}", "no base64url", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"oct\",\"k\":\"AAAAA\"}", "wrong length", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"oct\",\"k\":\"\"}", "wrong length", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"oct\",\"k\":7}", "no plain text", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"oct\",\"k\":\"\\u0041A\"}", "no plain text", SKRFS_FORMAT_JWK},
            {"{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\",\"d\":\"AQ\"}", "no member 'p'",
                    SKRFS_FORMAT_JWK},
            {"{\"kty\":\"EC\",\"crv\":\"P-1\",\"x\":\"AQ\",\"y\":\"AQ\",\"d\":\"AQ\"}", "none of P",
                    SKRFS_FORMAT_JWK},
            {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"AQ\",\"d\":\"AQ\"}",
                    "another length", SKRFS_FORMAT_JWK},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++)
        assert_fails(decode(cases[i].text, cases[i].format), err, SKRFS_CLASS_CONFIG, cases[i].why);
}

/* One character of each member, altered. */
static void test_numbers_that_do_not_belong_together(void **state) {
    (void)state;
    for (int rsa = 0; rsa <= 1; rsa++) {
        static const char *const members[2][9] = {
                {"x", "y", "d"}, {"n", "e", "d", "p", "q", "dp", "dq", "qi"}};
        skrfs_autosecret *plain = NULL;
        skrfs_autosecret *encoded = NULL;
        struct skrfs_public public;
        make(rsa ? SKRFS_KEY_RSA : SKRFS_KEY_EC, SKRFS_P256, &plain, &public);
        assert_ok(
                skrfs_key_encode(plain, public.type, SKRFS_FORMAT_JWK, NULL, &encoded, &err), err);
        for (size_t i = 0; members[rsa][i]; i++) {
            char text[8192] = "", needle[16];
            memcpy(text, skrfs_secret_data(encoded), skrfs_secret_len(encoded));
            snprintf(needle, sizeof(needle), "\"%s\":\"", members[rsa][i]);
            char *at = strstr(text, needle) + strlen(needle);
            *at = *at == 'B' ? 'C' : 'B';
            assert_int_equal(decode(text, SKRFS_FORMAT_JWK), -1);
            assert_int_equal(err.kind, SKRFS_CLASS_CONFIG);
        }
    }
}

int main(void) {
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_what_is_written_is_read),
            cmocka_unit_test(test_older_blocks),
            cmocka_unit_test(test_a_password_is_refused),
            cmocka_unit_test(test_oct),
            cmocka_unit_test(test_text_that_is_no_key),
            cmocka_unit_test(test_numbers_that_do_not_belong_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
