/* Which formats a key can have, and the way into each. */
#include "internal.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

bool skrfs_format_fits(enum skrfs_format format, enum skrfs_key_type type, enum skrfs_curve curve) {
    if (type == SKRFS_KEY_OCT)
        return format == SKRFS_FORMAT_RAW || format == SKRFS_FORMAT_JWK;
    if (format == SKRFS_FORMAT_OPENSSH)
        return type == SKRFS_KEY_RSA || curve != SKRFS_P256K;
    return format != SKRFS_FORMAT_RAW && (unsigned)format < SKRFS_FORMAT_COUNT;
}

static int fail_format(enum skrfs_format format, enum skrfs_key_type type, enum skrfs_curve curve,
        struct skrfs_error *err) {
    static const char *const types[] = {[SKRFS_KEY_RSA] = "an RSA key",
            [SKRFS_KEY_EC] = "an EC key",
            [SKRFS_KEY_OCT] = "an oct key"};
    char can[128] = "";
    size_t at = 0;
    for (int i = 0; i < SKRFS_FORMAT_COUNT; i++)
        if (skrfs_format_fits((enum skrfs_format)i, type, curve))
            at += (size_t)snprintf(can + at, sizeof(can) - at, "%s%s", at ? ", " : "",
                    skrfs_format_name((enum skrfs_format)i));
    const char *name = (unsigned)format < SKRFS_FORMAT_COUNT ? skrfs_format_name(format) : "?";
    if (type == SKRFS_KEY_EC)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s on %s cannot be served as %s; it can as %s",
                types[type], skrfs_curve_name(curve), name, can);
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s cannot be served as %s; it can as %s",
            types[type], name, can);
}

static void put_pkcs8_pem(struct skrfs_sink *sink, const void *context) {
    const struct skrfs_secret *plain = context;
    struct skrfs_bytes der = {skrfs_secret_data(plain), skrfs_secret_len(plain)};
    skrfs_sink_pem(sink, "PRIVATE KEY", der, 64);
}

static void put_public_pem(struct skrfs_sink *sink, const void *context) {
    skrfs_sink_pem(sink, "PUBLIC KEY", *(const struct skrfs_bytes *)context, 64);
}

/* SubjectPublicKeyInfo, as DER or as PEM. */
static int encode_spki(
        const EVP_PKEY *evp, bool pem, struct skrfs_buf *out, struct skrfs_error *err) {
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(evp, &der);
    if (len <= 0)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a public key cannot be written");
    struct skrfs_bytes bytes = {der, (size_t)len};
    int result = pem ? skrfs_sink_to_buf(put_public_pem, &bytes, out, err)
                     : skrfs_buf_append(out, der, (size_t)len, err);
    OPENSSL_free(der);
    return result;
}

int skrfs_pkey_public_pem(
        const struct skrfs_pkey *key, struct skrfs_buf *out, struct skrfs_error *err) {
    return encode_spki(key->evp, true, out, err);
}

int skrfs_public_encode(const struct skrfs_public *public, enum skrfs_format format,
        const char *kid, struct skrfs_buf *out, struct skrfs_error *err) {
    if (!skrfs_format_is_public(format))
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a private format of a public key was asked for");
    if (!skrfs_format_fits(format, public->type, public->curve))
        return fail_format(format, public->type, public->curve, err);
    if (format == SKRFS_FORMAT_PUB_JWK) {
        struct skrfs_jwk jwk;
        skrfs_jwk_of_public(public, kid, &jwk);
        return skrfs_sink_to_buf(skrfs_jwk_encoder, &jwk, out, err);
    }
    skrfs_autopkey *key = NULL;
    if (skrfs_pkey_from_public(public, &key, err) < 0)
        return -1;
    return encode_spki(key->evp, format == SKRFS_FORMAT_PUB_PEM, out, err);
}

static int encode_public(const struct skrfs_pkey *key, enum skrfs_format format, const char *kid,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    struct skrfs_public public;
    skrfs_autobuf out = SKRFS_BUF(16 * 1024);
    if (skrfs_pkey_public(key, &public, err) < 0 ||
            skrfs_public_encode(&public, format, kid, &out, err) < 0)
        return -1;
    return skrfs_secret_copy(out.data, out.len, ret_encoded, err);
}

/* A further reference: nothing is written through it. */
static int share(const struct skrfs_secret *plain, struct skrfs_secret **ret_encoded) {
    *ret_encoded = skrfs_secret_ref((struct skrfs_secret *)plain);
    return 0;
}

static int encode_oct(const struct skrfs_secret *plain, enum skrfs_format format, const char *kid,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    if (!skrfs_format_fits(format, SKRFS_KEY_OCT, SKRFS_P256))
        return fail_format(format, SKRFS_KEY_OCT, SKRFS_P256, err);
    if (format == SKRFS_FORMAT_RAW)
        return share(plain, ret_encoded);
    struct skrfs_jwk jwk = {.kty = "oct", .kid = kid, .count = 1};
    jwk.members[0].name = "k";
    jwk.members[0].value = (struct skrfs_bytes){skrfs_secret_data(plain), skrfs_secret_len(plain)};
    return skrfs_sink_to_secret(skrfs_jwk_encoder, &jwk, ret_encoded, err);
}

/* The plaintext as a key of the type that the vault said it is. */
static int parse_plain(const struct skrfs_secret *plain, enum skrfs_key_type type,
        struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    skrfs_autopkey *key = NULL;
    if (skrfs_pkey_from_pkcs8(skrfs_secret_data(plain), skrfs_secret_len(plain), &key, err) < 0)
        return -1;
    if (!EVP_PKEY_is_a(key->evp, type == SKRFS_KEY_RSA ? "RSA" : "EC"))
        return skrfs_crypto_refuse(err, SKRFS_CLASS_BAD_ANSWER,
                "the key released is not of the type that the vault says");
    *ret_key = skrfs_take(key);
    return 0;
}

int skrfs_key_encode(const struct skrfs_secret *plain, enum skrfs_key_type type,
        enum skrfs_format format, const char *kid, struct skrfs_secret **ret_encoded,
        struct skrfs_error *err) {
    PRIVATE_WORK;
    if (type == SKRFS_KEY_OCT)
        return encode_oct(plain, format, kid, ret_encoded, err);
    if (format == SKRFS_FORMAT_DER)
        return share(plain, ret_encoded);
    if (format == SKRFS_FORMAT_PEM)
        return skrfs_sink_to_secret(put_pkcs8_pem, plain, ret_encoded, err);
    skrfs_autopkey *key = NULL;
    enum skrfs_curve curve = SKRFS_P256;
    if (parse_plain(plain, type, &key, err) < 0)
        return -1;
    if (type == SKRFS_KEY_EC && skrfs_crypto_curve_of(key->evp, &curve, err) < 0)
        return -1;
    if (!skrfs_format_fits(format, type, curve))
        return fail_format(format, type, curve, err);
    if (skrfs_format_is_public(format))
        return encode_public(key, format, kid, ret_encoded, err);
    auto_numbers numbers = {0};
    if (skrfs_crypto_numbers(key, &numbers, err) < 0)
        return -1;
    if (format == SKRFS_FORMAT_OPENSSH)
        return skrfs_openssh_encode(&numbers, kid, ret_encoded, err);
    struct skrfs_jwk jwk;
    skrfs_jwk_of_numbers(&numbers, kid, &jwk);
    return skrfs_sink_to_secret(skrfs_jwk_encoder, &jwk, ret_encoded, err);
}

int skrfs_key_check_public(const struct skrfs_secret *plain, const struct skrfs_public *expected,
        struct skrfs_error *err) {
    if (expected->type == SKRFS_KEY_OCT)
        return 0;
    PRIVATE_WORK;
    skrfs_autopkey *key = NULL;
    struct skrfs_public public;
    if (parse_plain(plain, expected->type, &key, err) < 0 ||
            skrfs_pkey_public(key, &public, err) < 0)
        return -1;
    if (!skrfs_public_equal(&public, expected))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the key released does not belong to the public key that the vault told");
    return 0;
}
