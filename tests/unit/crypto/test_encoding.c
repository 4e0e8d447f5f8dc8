/* Each format of each type of key is read back by another reader and is the same key. */
#include "support.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/encoding.h>
#include <sys/stat.h>

static struct skrfs_error err;

struct sample {
    struct skrfs_secret *plain;
    struct skrfs_public public;
    EVP_PKEY *evp;
};

static void sample_new(struct sample *sample, enum skrfs_key_type type, enum skrfs_curve curve) {
    skrfs_autopkey *key = NULL;
    if (type == SKRFS_KEY_RSA)
        assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    else
        assert_ok(skrfs_pkey_new_ec(curve, &key, &err), err);
    *sample = (struct sample){0};
    assert_ok(skrfs_pkey_pkcs8(key, &sample->plain, &err), err);
    assert_ok(skrfs_pkey_public(key, &sample->public, &err), err);
    const unsigned char *at = skrfs_secret_data(sample->plain);
    sample->evp = d2i_AutoPrivateKey(NULL, &at, (long)skrfs_secret_len(sample->plain));
    assert_non_null(sample->evp);
}

static void sample_done(struct sample *sample) {
    skrfs_secret_unref(sample->plain);
    EVP_PKEY_free(sample->evp);
}

static void encode(const struct sample *sample, enum skrfs_format format, const char *kid,
        struct skrfs_secret **out) {
    assert_ok(skrfs_key_encode(sample->plain, sample->public.type, format, kid, out, &err), err);
}

static void test_der_and_pem(void **state) {
    (void)state;
    for (int i = SKRFS_P256; i <= SKRFS_P256K + 1; i++) {
        struct sample sample;
        sample_new(&sample, i > SKRFS_P256K ? SKRFS_KEY_RSA : SKRFS_KEY_EC, (enum skrfs_curve)i);
        skrfs_autosecret *der = NULL;
        skrfs_autosecret *pem = NULL;
        encode(&sample, SKRFS_FORMAT_DER, NULL, &der);
        assert_true(skrfs_secret_equal(
                der, skrfs_secret_data(sample.plain), skrfs_secret_len(sample.plain)));
        encode(&sample, SKRFS_FORMAT_PEM, NULL, &pem);
        BIO *wanted = BIO_new(BIO_s_mem());
        char *text = NULL;
        PEM_write_bio_PKCS8PrivateKey(wanted, sample.evp, NULL, NULL, 0, NULL, NULL);
        long len = BIO_get_mem_data(wanted, &text);
        assert_true(skrfs_secret_equal(pem, text, (size_t)len));
        BIO_free(wanted);
        sample_done(&sample);
    }
}

/* The value of a member, base64url decoded. */
static size_t member(const struct skrfs_secret *jwk, const char *name, uint8_t *out) {
    char text[8192];
    char needle[16];
    assert_true(skrfs_secret_len(jwk) < sizeof(text));
    memcpy(text, skrfs_secret_data(jwk), skrfs_secret_len(jwk));
    text[skrfs_secret_len(jwk)] = '\0';
    snprintf(needle, sizeof(needle), "\"%s\":\"", name);
    const char *at = strstr(text, needle);
    assert_non_null(at);
    at += strlen(needle);
    skrfs_autobuf value = SKRFS_BUF(1024);
    assert_ok(skrfs_base64_decode(SKRFS_BASE64URL, at, strcspn(at, "\""), &value, &err), err);
    memcpy(out, value.data, value.len);
    return value.len;
}

static void check_member(const struct sample *sample, const struct skrfs_secret *jwk,
        const char *name, const char *param, size_t padded) {
    uint8_t got[1024];
    uint8_t wanted[1024];
    BIGNUM *number = NULL;
    size_t len = member(jwk, name, got);
    assert_int_equal(EVP_PKEY_get_bn_param(sample->evp, param, &number), 1);
    size_t wanted_len = padded ? padded : (size_t)BN_num_bytes(number);
    assert_int_equal(BN_bn2binpad(number, wanted, (int)wanted_len), wanted_len);
    assert_int_equal(len, wanted_len);
    assert_memory_equal(got, wanted, len);
    BN_free(number);
}

static void test_jwk_rsa(void **state) {
    (void)state;
    static const char *const members[][2] = {{"n", OSSL_PKEY_PARAM_RSA_N},
            {"e", OSSL_PKEY_PARAM_RSA_E}, {"d", OSSL_PKEY_PARAM_RSA_D},
            {"p", OSSL_PKEY_PARAM_RSA_FACTOR1}, {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
            {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1}, {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
            {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
    struct sample sample;
    sample_new(&sample, SKRFS_KEY_RSA, SKRFS_P256);
    skrfs_autosecret *jwk = NULL;
    encode(&sample, SKRFS_FORMAT_JWK, "a\"b\\c\n", &jwk);
    const char *head = "{\"kty\":\"RSA\",\"kid\":\"a\\\"b\\\\c\\u000a\",\"n\":\"";
    assert_memory_equal(skrfs_secret_data(jwk), head, strlen(head));
    assert_int_equal(skrfs_secret_data(jwk)[skrfs_secret_len(jwk) - 2], '}');
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(members); i++)
        check_member(&sample, jwk, members[i][0], members[i][1], 0);
    sample_done(&sample);
}

/* Many keys, so that some have coordinates that begin with zero octets. */
static void test_jwk_ec(void **state) {
    (void)state;
    static const size_t sizes[] = {32, 48, 66, 32};
    for (int i = 0; i < 40; i++) {
        struct sample sample;
        enum skrfs_curve curve = (enum skrfs_curve)(i % 4);
        sample_new(&sample, SKRFS_KEY_EC, curve);
        skrfs_autosecret *jwk = NULL;
        encode(&sample, SKRFS_FORMAT_JWK, NULL, &jwk);
        check_member(&sample, jwk, "x", OSSL_PKEY_PARAM_EC_PUB_X, sizes[curve]);
        check_member(&sample, jwk, "y", OSSL_PKEY_PARAM_EC_PUB_Y, sizes[curve]);
        check_member(&sample, jwk, "d", OSSL_PKEY_PARAM_PRIV_KEY, sizes[curve]);
        char head[64];
        snprintf(head, sizeof(head), "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"",
                skrfs_curve_name(curve));
        assert_memory_equal(skrfs_secret_data(jwk), head, strlen(head));
        sample_done(&sample);
    }
}

/* PKCS#8 need not carry the public half of an EC key (RFC 5915 section 3): it is computed. Of d = 1
 * it is the curve's generator (SEC 2 section 2.4.2). */
static void test_ec_without_public(void **state) {
    (void)state;
    uint8_t der[67];
    skrfs_autosecret *plain = NULL;
    skrfs_autosecret *jwk = NULL;
    assert_ok(skrfs_hex_decode(
                      "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420"
                      "0000000000000000000000000000000000000000000000000000000000000001",
                      der, sizeof(der), &err),
            err);
    assert_ok(skrfs_secret_copy(der, sizeof(der), &plain, &err), err);
    assert_ok(skrfs_key_encode(plain, SKRFS_KEY_EC, SKRFS_FORMAT_JWK, NULL, &jwk, &err), err);
    uint8_t x[1024];
    uint8_t wanted[32];
    assert_ok(skrfs_hex_decode("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
                      wanted, sizeof(wanted), &err),
            err);
    assert_int_equal(member(jwk, "x", x), 32);
    assert_memory_equal(x, wanted, 32);
    assert_int_equal(member(jwk, "d", x), 32);
    assert_int_equal(x[31], 1);
}

static void test_oct(void **state) {
    (void)state;
    skrfs_autosecret *plain = NULL;
    skrfs_autosecret *raw = NULL;
    skrfs_autosecret *jwk = NULL;
    skrfs_autosecret *none = NULL;
    assert_ok(skrfs_secret_copy("\x00\x01\xfe\xff", 4, &plain, &err), err);
    assert_ok(skrfs_key_encode(plain, SKRFS_KEY_OCT, SKRFS_FORMAT_RAW, NULL, &raw, &err), err);
    assert_true(skrfs_secret_equal(raw, "\x00\x01\xfe\xff", 4));
    assert_ok(skrfs_key_encode(plain, SKRFS_KEY_OCT, SKRFS_FORMAT_JWK, "k1", &jwk, &err), err);
    const char *wanted = "{\"kty\":\"oct\",\"kid\":\"k1\",\"k\":\"AAH-_w\"}\n";
    assert_true(skrfs_secret_equal(jwk, wanted, strlen(wanted)));
    for (int i = 0; i < SKRFS_FORMAT_COUNT; i++)
        if (i != SKRFS_FORMAT_RAW && i != SKRFS_FORMAT_JWK)
            assert_fails(
                    skrfs_key_encode(plain, SKRFS_KEY_OCT, (enum skrfs_format)i, NULL, &none, &err),
                    err, SKRFS_CLASS_CONFIG, "as jwk, raw");
    const struct skrfs_public expected = {.type = SKRFS_KEY_OCT};
    assert_ok(skrfs_key_check_public(plain, &expected, &err), err);
}

static void test_public_formats(void **state) {
    (void)state;
    for (int i = SKRFS_P256; i <= SKRFS_P256K + 1; i++) {
        struct sample sample;
        sample_new(&sample, i > SKRFS_P256K ? SKRFS_KEY_RSA : SKRFS_KEY_EC, (enum skrfs_curve)i);
        skrfs_autosecret *der = NULL;
        skrfs_autosecret *pem = NULL;
        skrfs_autosecret *jwk = NULL;
        unsigned char *wanted = NULL;
        char *text = NULL;
        int len = i2d_PUBKEY(sample.evp, &wanted);
        encode(&sample, SKRFS_FORMAT_PUB_DER, NULL, &der);
        assert_true(skrfs_secret_equal(der, wanted, (size_t)len));
        BIO *bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PUBKEY(bio, sample.evp);
        long pem_len = BIO_get_mem_data(bio, &text);
        encode(&sample, SKRFS_FORMAT_PUB_PEM, NULL, &pem);
        assert_true(skrfs_secret_equal(pem, text, (size_t)pem_len));
        encode(&sample, SKRFS_FORMAT_PUB_JWK, "k", &jwk);
        assert_null(memmem(skrfs_secret_data(jwk), skrfs_secret_len(jwk), "\"d\"", 3));
        skrfs_autobuf alone = SKRFS_BUF(8192);
        assert_ok(
                skrfs_public_encode(&sample.public, SKRFS_FORMAT_PUB_JWK, "k", &alone, &err), err);
        assert_true(skrfs_secret_equal(jwk, alone.data, alone.len));
        BIO_free(bio);
        OPENSSL_free(wanted);
        sample_done(&sample);
    }
}

/* ssh-keygen reads the private key and gives the same public one as from the public half. */
static void ssh_keygen_agrees(const struct skrfs_secret *encoded) {
    char dir[] = "/tmp/skrfs-test-XXXXXX";
    char path[64], command[512], said[8192] = "", told[8192] = "";
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/key", dir);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(skrfs_secret_data(encoded), 1, skrfs_secret_len(encoded), file);
    fclose(file);
    chmod(path, 0600);
    /* -y trusts the public part of the file; going through PKCS#8 recomputes it from the private
     * one. */
    snprintf(command, sizeof(command), "ssh-keygen -y -f %s 2>&1", path);
    FILE *pipe = popen(command, "r");
    (void)!fread(said, 1, sizeof(said) - 1, pipe);
    assert_int_equal(pclose(pipe), 0);
    snprintf(command, sizeof(command),
            "ssh-keygen -q -p -N '' -m PKCS8 -f %s >/dev/null && openssl pkey -check -noout -in %s "
            ">/dev/null && "
            "openssl pkey -pubout -in %s | ssh-keygen -i -m PKCS8 -f /dev/stdin",
            path, path, path);
    pipe = popen(command, "r");
    (void)!fread(told, 1, sizeof(told) - 1, pipe);
    assert_int_equal(pclose(pipe), 0);
    /* The comment stands behind the key in `said` only. */
    assert_non_null(strstr(said, "a-comment"));
    assert_memory_equal(said, told, strcspn(told, "\n"));
    unlink(path);
    rmdir(dir);
}

static void test_openssh(void **state) {
    (void)state;
    if (system("command -v ssh-keygen >/dev/null && command -v openssl >/dev/null") !=
            0) { // NOLINT
        print_message("ssh-keygen or openssl is not installed: skipped\n");
        skip();
    }
    for (int i = SKRFS_P256; i <= SKRFS_P521 + 1; i++) {
        struct sample sample;
        sample_new(&sample, i > SKRFS_P521 ? SKRFS_KEY_RSA : SKRFS_KEY_EC, (enum skrfs_curve)i);
        skrfs_autosecret *encoded = NULL;
        skrfs_autosecret *again = NULL;
        encode(&sample, SKRFS_FORMAT_OPENSSH, "a-comment", &encoded);
        encode(&sample, SKRFS_FORMAT_OPENSSH, "a-comment", &again);
        assert_true(skrfs_secret_equal(encoded, skrfs_secret_data(again), skrfs_secret_len(again)));
        ssh_keygen_agrees(encoded);
        sample_done(&sample);
    }
}

static uint32_t take_u32(const uint8_t **at) {
    uint32_t value = (uint32_t)(*at)[0] << 24 | (uint32_t)(*at)[1] << 16 | (uint32_t)(*at)[2] << 8 |
                     (*at)[3];
    *at += 4;
    return value;
}

/* By hand, where there is no ssh-keygen too: the fields of PROTOCOL.key in their order. */
static void test_openssh_fields(void **state) {
    (void)state;
    struct sample sample;
    sample_new(&sample, SKRFS_KEY_EC, SKRFS_P256);
    skrfs_autosecret *encoded = NULL;
    encode(&sample, SKRFS_FORMAT_OPENSSH, "c", &encoded);
    char text[4096] = "";
    size_t len = 0;
    const char *data = (const char *)skrfs_secret_data(encoded);
    const char *from = memchr(data, '\n', skrfs_secret_len(encoded));
    for (const char *at = from; *at != '-'; at++)
        if (*at != '\n')
            text[len++] = *at;
    skrfs_autobuf binary = SKRFS_BUF(4096);
    assert_ok(skrfs_base64_decode(SKRFS_BASE64, text, len, &binary, &err), err);
    const uint8_t *at = binary.data;
    assert_memory_equal(at, "openssh-key-v1", 15);
    at += 15;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take_u32(&at), 4);
        assert_memory_equal(at, "none", 4);
        at += 4;
    }
    assert_int_equal(take_u32(&at), 0);
    assert_int_equal(take_u32(&at), 1);
    uint32_t public_len = take_u32(&at);
    assert_memory_equal(at + public_len - 64, sample.public.x, 32);
    at += public_len;
    uint32_t private_len = take_u32(&at);
    assert_int_equal(private_len % 8, 0);
    assert_ptr_equal(at + private_len, binary.data + binary.len);
    uint32_t check = take_u32(&at);
    assert_int_equal(check, take_u32(&at));
    assert_int_equal(take_u32(&at), 19);
    assert_memory_equal(at, "ecdsa-sha2-nistp256", 19);
    sample_done(&sample);
}

static void test_refusals(void **state) {
    (void)state;
    struct sample rsa, ec, other;
    sample_new(&rsa, SKRFS_KEY_RSA, SKRFS_P256);
    sample_new(&ec, SKRFS_KEY_EC, SKRFS_P256K);
    sample_new(&other, SKRFS_KEY_EC, SKRFS_P256K);
    skrfs_autosecret *none = NULL;
    assert_fails(skrfs_key_encode(rsa.plain, SKRFS_KEY_RSA, SKRFS_FORMAT_RAW, NULL, &none, &err),
            err, SKRFS_CLASS_CONFIG, "der, pem, jwk, openssh");
    assert_fails(skrfs_key_encode(ec.plain, SKRFS_KEY_EC, SKRFS_FORMAT_OPENSSH, NULL, &none, &err),
            err, SKRFS_CLASS_CONFIG, "P-256K cannot be served as openssh");
    assert_fails(skrfs_key_encode(ec.plain, SKRFS_KEY_RSA, SKRFS_FORMAT_JWK, NULL, &none, &err),
            err, SKRFS_CLASS_BAD_ANSWER, "not of the type");
    assert_ok(skrfs_key_check_public(ec.plain, &ec.public, &err), err);
    assert_ok(skrfs_key_check_public(rsa.plain, &rsa.public, &err), err);
    assert_fails(skrfs_key_check_public(ec.plain, &other.public, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "does not belong");
    assert_fails(skrfs_key_check_public(ec.plain, &rsa.public, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "not of the type");
    assert_false(skrfs_format_fits(SKRFS_FORMAT_OPENSSH, SKRFS_KEY_EC, SKRFS_P256K));
    assert_true(skrfs_format_fits(SKRFS_FORMAT_OPENSSH, SKRFS_KEY_EC, SKRFS_P521));
    assert_false(skrfs_format_fits(SKRFS_FORMAT_PUB_PEM, SKRFS_KEY_OCT, SKRFS_P256));
    sample_done(&rsa);
    sample_done(&ec);
    sample_done(&other);
}

int main(void) {
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_der_and_pem),
            cmocka_unit_test(test_jwk_rsa),
            cmocka_unit_test(test_jwk_ec),
            cmocka_unit_test(test_ec_without_public),
            cmocka_unit_test(test_oct),
            cmocka_unit_test(test_public_formats),
            cmocka_unit_test(test_openssh),
            cmocka_unit_test(test_openssh_fields),
            cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
