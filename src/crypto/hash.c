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

int skrfs_random(void *out, size_t len, struct skrfs_error *err) {
    skrfs_crypto_ready();
    if (len > INT_MAX || RAND_bytes(out, (int)len) != 1)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "no random octets");
    return 0;
}

bool skrfs_equal(const void *a, const void *b, size_t len) {
    return CRYPTO_memcmp(a, b, len) == 0;
}
