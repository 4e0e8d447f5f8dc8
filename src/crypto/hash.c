/* Digests, random octets, constant-time comparison. */
#include "internal.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

size_t skrfs_hash_len(enum skrfs_hash hash) {
    switch (hash) {
    case SKRFS_SHA1:
        return 20;
    case SKRFS_SHA256:
        return 32;
    case SKRFS_SHA384:
        return 48;
    case SKRFS_SHA512:
        return 64;
    }
    return 0;
}

const EVP_MD *skrfs_crypto_md(enum skrfs_hash hash) {
    switch (hash) {
    case SKRFS_SHA1:
        return EVP_sha1();
    case SKRFS_SHA256:
        return EVP_sha256();
    case SKRFS_SHA384:
        return EVP_sha384();
    case SKRFS_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

int skrfs_hash(
        enum skrfs_hash hash, const void *data, size_t len, uint8_t *out, struct skrfs_error *err) {
    skrfs_crypto_ready();
    if (EVP_Digest(data, len, out, NULL, skrfs_crypto_md(hash), NULL) != 1)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a digest cannot be made");
    return 0;
}

struct skrfs_hasher {
    EVP_MD_CTX *ctx;
};

int skrfs_hasher_new(
        enum skrfs_hash hash, struct skrfs_hasher **ret_hasher, struct skrfs_error *err) {
    skrfs_crypto_ready();
    auto_md_ctx *ctx = EVP_MD_CTX_new();
    if (!ctx)
        return skrfs_fail_memory(err);
    if (EVP_DigestInit_ex(ctx, skrfs_crypto_md(hash), NULL) != 1)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a digest cannot be begun");
    struct skrfs_hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher)
        return skrfs_fail_memory(err);
    hasher->ctx = skrfs_take(ctx);
    *ret_hasher = hasher;
    return 0;
}

int skrfs_hasher_add(
        struct skrfs_hasher *hasher, const void *data, size_t len, struct skrfs_error *err) {
    if (EVP_DigestUpdate(hasher->ctx, data, len) != 1)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a digest cannot be made");
    return 0;
}

int skrfs_hasher_end(struct skrfs_hasher *hasher, uint8_t *out, struct skrfs_error *err) {
    if (EVP_DigestFinal_ex(hasher->ctx, out, NULL) != 1)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a digest cannot be ended");
    return 0;
}

void skrfs_hasher_free(struct skrfs_hasher *hasher) {
    if (!hasher)
        return;
    EVP_MD_CTX_free(hasher->ctx);
    free(hasher);
}

int skrfs_random(void *out, size_t len, struct skrfs_error *err) {
    skrfs_crypto_ready();
    if (len > INT_MAX || RAND_bytes(out, (int)len) != 1)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "no random octets");
    return 0;
}

bool skrfs_equal(const void *a, const void *b, size_t len) {
    return CRYPTO_memcmp(a, b, len) == 0;
}
