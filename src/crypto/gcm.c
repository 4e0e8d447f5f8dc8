/* AES-GCM of the sealed attestation token. */
#include "internal.h"

#include <openssl/err.h>

#define TAG_LEN 16
#define IV_MIN 12
#define IV_MAX 128                          /* what OpenSSL holds */
#define TEXT_MAX ((size_t)16 * 1024 * 1024) /* far above any token; keeps lengths inside an int */

static const EVP_CIPHER *gcm_cipher(size_t key_len) {
    switch (key_len) {
    case 16:
        return EVP_aes_128_gcm();
    case 24:
        return EVP_aes_192_gcm();
    case 32:
        return EVP_aes_256_gcm();
    default:
        return NULL;
    }
}

/* A context with key, IV and additional data in it. */
static int gcm_context(const struct skrfs_secret *key, bool encrypt, struct skrfs_bytes iv,
        struct skrfs_bytes aad, EVP_CIPHER_CTX **ret_ctx, struct skrfs_error *err) {
    skrfs_crypto_ready();
    const EVP_CIPHER *cipher = gcm_cipher(skrfs_secret_len(key));
    if (!cipher)
        return skrfs_fail(err, SKRFS_CLASS_CRYPTO, "a key of %zu octets is no AES key",
                skrfs_secret_len(key));
    if (iv.len < IV_MIN || iv.len > IV_MAX || aad.len > TEXT_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CRYPTO,
                "an initialization vector of %zu octets is refused", iv.len);
    auto_cipher_ctx *ctx = EVP_CIPHER_CTX_new();
    if (!ctx)
        return skrfs_fail_memory(err);
    int written = 0;
    if (EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, encrypt) != 1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv.len, NULL) != 1 ||
            EVP_CipherInit_ex(ctx, NULL, NULL, skrfs_secret_data(key), iv.data, encrypt) != 1 ||
            (aad.len && EVP_CipherUpdate(ctx, NULL, &written, aad.data, (int)aad.len) != 1))
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "AES-GCM cannot be set up");
    *ret_ctx = skrfs_take(ctx);
    return 0;
}

/* Runs the whole text through; the tag must be set before (decryption) or read after. */
static bool gcm_run(EVP_CIPHER_CTX *ctx, struct skrfs_bytes in, uint8_t *out) {
    int len = 0;
    int last = 0;
    uint8_t none[TAG_LEN];
    if (in.len && EVP_CipherUpdate(ctx, out, &len, in.data, (int)in.len) != 1)
        return false;
    return EVP_CipherFinal_ex(ctx, none, &last) == 1;
}

int skrfs_gcm_open(const struct skrfs_secret *key, struct skrfs_bytes iv, struct skrfs_bytes aad,
        struct skrfs_bytes cipher, struct skrfs_bytes tag, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (tag.len != TAG_LEN || cipher.len > TEXT_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_CRYPTO, "an AES-GCM tag of %zu octets is refused", tag.len);
    auto_cipher_ctx *ctx = NULL;
    if (gcm_context(key, false, iv, aad, &ctx, err) < 0)
        return -1;
    uint8_t expected[TAG_LEN];
    for (size_t i = 0; i < TAG_LEN; i++)
        expected[i] = tag.data[i];
    size_t before = out->len;
    uint8_t *space = NULL;
    if (skrfs_buf_extend(out, cipher.len, &space, err) < 0)
        return -1;
    if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, expected) != 1 ||
            !gcm_run(ctx, cipher, space)) {
        skrfs_buf_truncate(out, before);
        return skrfs_crypto_refuse(err, SKRFS_CLASS_CRYPTO,
                "the text was altered or sealed with another key (AES-GCM)");
    }
    return 0;
}

int skrfs_gcm_seal(const struct skrfs_secret *key, struct skrfs_bytes iv, struct skrfs_bytes aad,
        struct skrfs_bytes plain, struct skrfs_buf *out, uint8_t ret_tag[16],
        struct skrfs_error *err) {
    if (plain.len > TEXT_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_CRYPTO, "a text of %zu octets is too long to seal", plain.len);
    auto_cipher_ctx *ctx = NULL;
    if (gcm_context(key, true, iv, aad, &ctx, err) < 0)
        return -1;
    size_t before = out->len;
    uint8_t *space = NULL;
    if (skrfs_buf_extend(out, plain.len, &space, err) < 0)
        return -1;
    if (!gcm_run(ctx, plain, space) ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, ret_tag) != 1) {
        skrfs_buf_truncate(out, before);
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a text cannot be sealed (AES-GCM)");
    }
    return 0;
}
