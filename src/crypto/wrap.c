/* AES-KWP (RFC 5649), RSA-OAEP and RSAES-PKCS1-v1_5. */
#include "internal.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

static const struct {
    const char *name;
    enum skrfs_hash hash;
} encs[] = {
        [SKRFS_ENC_SHA256] = {"RSA_AES_KEY_WRAP_256", SKRFS_SHA256},
        [SKRFS_ENC_SHA384] = {"RSA_AES_KEY_WRAP_384", SKRFS_SHA384},
        [SKRFS_ENC_SHA1] = {"CKM_RSA_AES_KEY_WRAP", SKRFS_SHA1},
};

const char *skrfs_enc_name(enum skrfs_enc enc) {
    return (size_t)enc < SKRFS_ARRAY_LEN(encs) ? encs[enc].name : NULL;
}

bool skrfs_enc_parse(const char *name, enum skrfs_enc *ret_enc) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(encs); i++)
        if (strcmp(name, encs[i].name) == 0) {
            *ret_enc = (enum skrfs_enc)i;
            return true;
        }
    return false;
}

enum skrfs_hash skrfs_enc_hash(enum skrfs_enc enc) {
    return (size_t)enc < SKRFS_ARRAY_LEN(encs) ? encs[enc].hash : SKRFS_SHA256;
}

static const EVP_CIPHER *kwp_cipher(size_t key_len) {
    switch (key_len) {
    case 16:
        return EVP_aes_128_wrap_pad();
    case 24:
        return EVP_aes_192_wrap_pad();
    case 32:
        return EVP_aes_256_wrap_pad();
    default:
        return NULL;
    }
}

static int kwp_context(const struct skrfs_secret *kek, bool encrypt, EVP_CIPHER_CTX **ret_ctx,
        struct skrfs_error *err) {
    if (skrfs_crypto_ready_private(err) < 0)
        return -1;
    const EVP_CIPHER *cipher = kwp_cipher(skrfs_secret_len(kek));
    if (!cipher)
        return skrfs_fail(err, SKRFS_CLASS_CRYPTO, "a wrapping key of %zu octets is no AES key",
                skrfs_secret_len(kek));
    auto_cipher_ctx *ctx = EVP_CIPHER_CTX_new();
    if (!ctx)
        return skrfs_fail_memory(err);
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex(ctx, cipher, NULL, skrfs_secret_data(kek), NULL, encrypt) != 1)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "AES key wrapping cannot be set up");
    *ret_ctx = skrfs_take(ctx);
    return 0;
}

int skrfs_kwp_unwrap(const struct skrfs_secret *kek, struct skrfs_bytes wrapped,
        struct skrfs_secret **ret_plain, struct skrfs_error *err) {
    if (wrapped.len < 16 || wrapped.len % 8 != 0 || wrapped.len > SKRFS_SECRET_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_CRYPTO, "a wrapped key cannot have %zu octets", wrapped.len);
    PRIVATE_WORK;
    auto_cipher_ctx *ctx = NULL;
    skrfs_autosecret *plain = NULL;
    if (kwp_context(kek, false, &ctx, err) < 0 || skrfs_secret_new(wrapped.len, &plain, err) < 0)
        return -1;
    int len = 0;
    if (EVP_DecryptUpdate(ctx, skrfs_secret_space(plain), &len, wrapped.data, (int)wrapped.len) !=
                    1 ||
            len <= 0) {
        return skrfs_crypto_refuse(
                err, SKRFS_CLASS_CRYPTO, "the wrapped key fails its integrity check (AES-KWP)");
    }
    skrfs_secret_shorten(plain, (size_t)len);
    *ret_plain = skrfs_take(plain);
    return 0;
}

int skrfs_kwp_wrap(const struct skrfs_secret *kek, const struct skrfs_secret *plain,
        struct skrfs_buf *out, struct skrfs_error *err) {
    PRIVATE_WORK;
    auto_cipher_ctx *ctx = NULL;
    if (kwp_context(kek, true, &ctx, err) < 0)
        return -1;
    size_t before = out->len;
    size_t size = (skrfs_secret_len(plain) + 7) / 8 * 8 + 8;
    uint8_t *space = NULL;
    if (skrfs_buf_extend(out, size, &space, err) < 0)
        return -1;
    int len = 0;
    if (EVP_EncryptUpdate(
                ctx, space, &len, skrfs_secret_data(plain), (int)skrfs_secret_len(plain)) != 1 ||
            (size_t)len != size) {
        skrfs_buf_truncate(out, before);
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a key cannot be wrapped (AES-KWP)");
    }
    return 0;
}

/* A context for RSA encryption or decryption with this padding; `hash` counts for OAEP only. */
static int rsa_context(EVP_PKEY *evp, bool encrypt, int padding, enum skrfs_hash hash,
        EVP_PKEY_CTX **ret_ctx, struct skrfs_error *err) {
    if (!EVP_PKEY_is_a(evp, "RSA"))
        return skrfs_crypto_refuse(err, SKRFS_CLASS_CRYPTO, "the wrapping key is not an RSA key");
    auto_pkey_ctx *ctx = EVP_PKEY_CTX_new(evp, NULL);
    if (!ctx)
        return skrfs_fail_memory(err);
    bool ready = (encrypt ? EVP_PKEY_encrypt_init(ctx) : EVP_PKEY_decrypt_init(ctx)) == 1 &&
                 EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1;
    if (ready && padding == RSA_PKCS1_OAEP_PADDING)
        ready = EVP_PKEY_CTX_set_rsa_oaep_md(ctx, skrfs_crypto_md(hash)) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, skrfs_crypto_md(hash)) == 1;
    if (!ready)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "RSA key wrapping cannot be set up");
    *ret_ctx = skrfs_take(ctx);
    return 0;
}

static int rsa_encrypt(const struct skrfs_pkey *key, int padding, enum skrfs_hash hash,
        struct skrfs_bytes plain, struct skrfs_buf *out, struct skrfs_error *err) {
    auto_pkey_ctx *ctx = NULL;
    if (rsa_context(key->evp, true, padding, hash, &ctx, err) < 0)
        return -1;
    size_t before = out->len;
    size_t len = (size_t)EVP_PKEY_get_size(key->evp);
    uint8_t *space = NULL;
    if (skrfs_buf_extend(out, len, &space, err) < 0)
        return -1;
    if (EVP_PKEY_encrypt(ctx, space, &len, plain.data, plain.len) != 1) {
        skrfs_buf_truncate(out, before);
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a key cannot be wrapped (RSA)");
    }
    return 0;
}

int skrfs_oaep_encrypt(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes plain,
        struct skrfs_buf *out, struct skrfs_error *err) {
    return rsa_encrypt(key, RSA_PKCS1_OAEP_PADDING, hash, plain, out, err);
}

int skrfs_pkcs1_encrypt(const struct skrfs_pkey *key, struct skrfs_bytes plain,
        struct skrfs_buf *out, struct skrfs_error *err) {
    return rsa_encrypt(key, RSA_PKCS1_PADDING, SKRFS_SHA256, plain, out, err);
}

int skrfs_oaep_decrypt(const struct skrfs_pkey *key, enum skrfs_hash hash,
        struct skrfs_bytes cipher, struct skrfs_secret **ret_plain, struct skrfs_error *err) {
    if (skrfs_crypto_ready_private(err) < 0)
        return -1;
    PRIVATE_WORK;
    /* A key of its own: OpenSSL leaves an RSA key's blinding half renewed where it gets no memory
     * for the other half, and the key would open nothing from then on. */
    auto_evp *own = EVP_PKEY_dup(key->evp);
    auto_pkey_ctx *ctx = NULL;
    skrfs_autosecret *plain = NULL;
    if (!own)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "the wrapping key cannot be used");
    if (rsa_context(own, false, RSA_PKCS1_OAEP_PADDING, hash, &ctx, err) < 0)
        return -1;
    size_t len = (size_t)EVP_PKEY_get_size(key->evp);
    if (skrfs_secret_new(len, &plain, err) < 0)
        return -1;
    if (EVP_PKEY_decrypt(ctx, skrfs_secret_space(plain), &len, cipher.data, cipher.len) != 1 ||
            len == 0) {
        /* One text for all reasons: which of them it was is nobody's business (OAEP as an oracle).
         */
        return skrfs_crypto_refuse(err, SKRFS_CLASS_CRYPTO,
                "the wrapping key does not open the wrapped key (RSA-OAEP)");
    }
    skrfs_secret_shorten(plain, len);
    *ret_plain = skrfs_take(plain);
    return 0;
}
