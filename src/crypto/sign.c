/* RSASSA-PKCS1-v1_5, RSASSA-PSS and ECDSA. */
#include "internal.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

static int need_kind(const struct skrfs_pkey *key, const char *kind, struct skrfs_error *err) {
    if (EVP_PKEY_is_a(key->evp, kind))
        return 0;
    return skrfs_crypto_refuse(
            err, SKRFS_CLASS_BAD_ANSWER, "the signing key is not an %s key", kind);
}

/* `padding` as RSA_PKCS1_PSS_PADDING, 0: the key's own way. */
static bool set_padding(EVP_PKEY_CTX *ctx, int padding) {
    if (padding == 0)
        return true;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static int verify(const struct skrfs_pkey *key, enum skrfs_hash hash, int padding,
        struct skrfs_bytes data, struct skrfs_bytes signature, struct skrfs_error *err) {
    auto_md_ctx *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx = NULL; /* belongs to ctx */
    if (!ctx)
        return skrfs_fail_memory(err);
    if (EVP_DigestVerifyInit(ctx, &key_ctx, skrfs_crypto_md(hash), NULL, key->evp) != 1 ||
            !set_padding(key_ctx, padding))
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a signature cannot be checked");
    (void)memory_starved();
    int valid = EVP_DigestVerify(ctx, signature.data, signature.len, data.data, data.len);
    if (valid != 1)
        return skrfs_crypto_refuse(err, SKRFS_CLASS_BAD_ANSWER, "the signature is wrong");
    return 0;
}

/* Appends the signature as OpenSSL makes it. */
static int sign(const struct skrfs_pkey *key, enum skrfs_hash hash, int padding,
        struct skrfs_bytes data, struct skrfs_buf *out, struct skrfs_error *err) {
    PRIVATE_WORK;
    auto_md_ctx *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx = NULL; /* belongs to ctx */
    size_t len = 0;
    if (!ctx)
        return skrfs_fail_memory(err);
    if (EVP_DigestSignInit(ctx, &key_ctx, skrfs_crypto_md(hash), NULL, key->evp) != 1 ||
            !set_padding(key_ctx, padding) ||
            EVP_DigestSign(ctx, NULL, &len, data.data, data.len) != 1)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a signature cannot be made");
    size_t before = out->len;
    uint8_t *space = NULL;
    if (skrfs_buf_extend(out, len, &space, err) < 0)
        return -1;
    if (EVP_DigestSign(ctx, space, &len, data.data, data.len) != 1) {
        skrfs_buf_truncate(out, before);
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a signature cannot be made");
    }
    skrfs_buf_truncate(out, before + len);
    return 0;
}

int skrfs_rsa_verify(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_bytes signature, struct skrfs_error *err) {
    if (need_kind(key, "RSA", err) < 0)
        return -1;
    return verify(key, hash, 0, data, signature, err);
}

int skrfs_rsa_sign(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_buf *out, struct skrfs_error *err) {
    if (need_kind(key, "RSA", err) < 0)
        return -1;
    return sign(key, hash, 0, data, out, err);
}

int skrfs_pss_verify(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_bytes signature, struct skrfs_error *err) {
    if (need_kind(key, "RSA", err) < 0)
        return -1;
    return verify(key, hash, RSA_PKCS1_PSS_PADDING, data, signature, err);
}

int skrfs_pss_sign(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_buf *out, struct skrfs_error *err) {
    if (need_kind(key, "RSA", err) < 0)
        return -1;
    return sign(key, hash, RSA_PKCS1_PSS_PADDING, data, out, err);
}

int skrfs_ecdsa_verify(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_bytes signature, struct skrfs_error *err) {
    if (need_kind(key, "EC", err) < 0)
        return -1;
    size_t half = signature.len / 2;
    if (half == 0 || signature.len % 2 != 0 || half > SKRFS_EC_MAX + 6)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "an ECDSA signature of a wrong length");
    auto_ecdsa_sig *pair = ECDSA_SIG_new();
    auto_bn *r = BN_bin2bn(signature.data, (int)half, NULL);
    auto_bn *s = BN_bin2bn(signature.data + half, (int)half, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1)
        return skrfs_fail_memory(err);
    r = NULL;
    s = NULL;
    unsigned char *der = NULL;
    int len = i2d_ECDSA_SIG(pair, &der);
    if (len <= 0)
        return skrfs_fail_memory(err);
    int result = verify(key, hash, 0, data, (struct skrfs_bytes){der, (size_t)len}, err);
    OPENSSL_free(der);
    return result;
}

int skrfs_ecdsa_sign(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_buf *out, struct skrfs_error *err) {
    enum skrfs_curve curve = SKRFS_P256;
    if (need_kind(key, "EC", err) < 0 || skrfs_crypto_curve_of(key->evp, &curve, err) < 0)
        return -1;
    skrfs_autobuf der = SKRFS_BUF(256);
    if (sign(key, hash, 0, data, &der, err) < 0)
        return -1;
    const unsigned char *at = der.data;
    auto_ecdsa_sig *pair = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
    if (!pair)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a signature cannot be made");
    size_t half = skrfs_crypto_curve_len(curve);
    uint8_t *space = NULL;
    if (skrfs_buf_extend(out, 2 * half, &space, err) < 0)
        return -1;
    if (BN_bn2binpad(ECDSA_SIG_get0_r(pair), space, (int)half) < 0 ||
            BN_bn2binpad(ECDSA_SIG_get0_s(pair), space + half, (int)half) < 0)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a signature cannot be made");
    return 0;
}
