/* Keys that somebody brings, into the plaintext that a release would have. */
#include "internal.h"

#include <openssl/err.h>

int skrfs_crypto_check_private(const struct skrfs_pkey *key, struct skrfs_error *err) {
    auto_pkey_ctx *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->evp, NULL);
    if (!ctx)
        return skrfs_fail_memory(err);
    bool well = EVP_PKEY_check(ctx) == 1;
    if (!well)
        return skrfs_crypto_refuse(
                err, SKRFS_CLASS_CONFIG, "the private key's numbers do not belong together");
    return 0;
}

static int decode_asymmetric(const struct skrfs_secret *encoded, bool pem,
        struct skrfs_secret **ret_plain, enum skrfs_key_type *ret_type, struct skrfs_error *err) {
    const uint8_t *data = skrfs_secret_data(encoded);
    size_t len = skrfs_secret_len(encoded);
    skrfs_autopkey *key = NULL;
    if (pem ? skrfs_pkey_from_pem((const char *)data, len, &key, err) < 0
            : skrfs_pkey_from_der(data, len, &key, err) < 0) {
        if (err->kind == SKRFS_CLASS_BAD_ANSWER)
            err->kind = SKRFS_CLASS_CONFIG;
        return -1;
    }
    if (skrfs_crypto_check_private(key, err) < 0 || skrfs_pkey_pkcs8(key, ret_plain, err) < 0)
        return -1;
    *ret_type = EVP_PKEY_is_a(key->evp, "RSA") ? SKRFS_KEY_RSA : SKRFS_KEY_EC;
    return 0;
}

int skrfs_key_decode(const struct skrfs_secret *encoded, enum skrfs_format format,
        struct skrfs_secret **ret_plain, enum skrfs_key_type *ret_type, struct skrfs_error *err) {
    switch (format) {
    case SKRFS_FORMAT_PEM:
    case SKRFS_FORMAT_DER:
        return decode_asymmetric(encoded, format == SKRFS_FORMAT_PEM, ret_plain, ret_type, err);
    case SKRFS_FORMAT_JWK:
        return skrfs_jwk_read(encoded, ret_plain, ret_type, err);
    case SKRFS_FORMAT_RAW:
        *ret_plain = skrfs_secret_ref((struct skrfs_secret *)encoded);
        *ret_type = SKRFS_KEY_OCT;
        return 0;
    default:
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "a private key is read as pem, der, jwk or raw, not as %s",
                skrfs_format_name(format));
    }
}
