/* Keys: made, parsed, written as PKCS#8. */
#include "internal.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

struct skrfs_pkey *skrfs_pkey_ref(struct skrfs_pkey *key) {
    atomic_fetch_add(&key->further_owners, 1);
    return key;
}

void skrfs_pkey_free(struct skrfs_pkey *key) {
    if (!key || atomic_fetch_sub(&key->further_owners, 1) > 0)
        return;
    EVP_PKEY_free(key->evp);
    free(key);
}

int skrfs_crypto_wrap_evp(EVP_PKEY **evp, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    struct skrfs_pkey *key = calloc(1, sizeof(*key));
    if (!key)
        return skrfs_fail_memory(err);
    key->evp = skrfs_take(*evp);
    *ret_key = key;
    return 0;
}

/* RSA of two primes up to RSA-4096, or EC on one of the four curves. */
static int check_kind(const EVP_PKEY *evp, struct skrfs_error *err) {
    if (EVP_PKEY_is_a(evp, "EC")) {
        enum skrfs_curve curve = SKRFS_P256;
        return skrfs_crypto_curve_of(evp, &curve, err);
    }
    if (!EVP_PKEY_is_a(evp, "RSA"))
        return skrfs_crypto_refuse(err, SKRFS_CLASS_BAD_ANSWER, "the key is neither RSA nor EC");
    if (EVP_PKEY_get_bits(evp) > 8 * SKRFS_RSA_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "an RSA key of %d bits is longer than the %d that are taken",
                EVP_PKEY_get_bits(evp), 8 * SKRFS_RSA_MAX);
    uint8_t third[SKRFS_RSA_MAX] = {0};
    OSSL_PARAM params[] = {
            OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_FACTOR3, third, sizeof(third)),
            OSSL_PARAM_construct_end()};
    (void)memory_starved();
    bool multi = EVP_PKEY_get_params(evp, params) == 1 && OSSL_PARAM_modified(params);
    skrfs_wipe(third, sizeof(third));
    ERR_clear_error();
    if (memory_starved())
        return skrfs_fail_memory(err); /* it may have one all the same */
    if (multi)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "an RSA key of more than two primes");
    return 0;
}

/* `structure` NULL: any that OpenSSL knows. `what` is in the message when it is none. */
static int from_der(const void *der, size_t len, const char *structure, const char *what,
        struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    if (skrfs_crypto_ready_private(err) < 0)
        return -1;
    PRIVATE_WORK;
    auto_evp *evp = NULL;
    OSSL_DECODER_CTX *decoder = OSSL_DECODER_CTX_new_for_pkey(
            &evp, "DER", structure, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
    if (!decoder)
        return skrfs_fail_memory(err);
    const unsigned char *at = der;
    size_t rest = len;
    bool decoded = OSSL_DECODER_from_data(decoder, &at, &rest) == 1 && evp;
    OSSL_DECODER_CTX_free(decoder);
    if (!decoded) {
        /* OpenSSL's reason speaks of decoders, which helps nobody. */
        return skrfs_crypto_refuse(err, SKRFS_CLASS_BAD_ANSWER, "%s", what);
    }
    if (rest != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "there are octets behind the private key");
    if (check_kind(evp, err) < 0)
        return -1;
    return skrfs_crypto_wrap_evp(&evp, ret_key, err);
}

int skrfs_pkey_from_pkcs8(
        const void *der, size_t len, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    return from_der(der, len, "PrivateKeyInfo", "the plaintext is not a private key in PKCS#8",
            ret_key, err);
}

int skrfs_pkey_from_der(
        const void *der, size_t len, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    return from_der(
            der, len, NULL, "this is no private RSA or EC key without a password", ret_key, err);
}

int skrfs_pkey_pkcs8(
        const struct skrfs_pkey *key, struct skrfs_secret **ret_der, struct skrfs_error *err) {
    if (skrfs_crypto_ready_private(err) < 0)
        return -1;
    PRIVATE_WORK;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->evp);
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : -1;
    skrfs_autosecret *der = NULL;
    int result = -1;
    if (len <= 0)
        skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a private key cannot be written as PKCS#8");
    else if (skrfs_secret_new((size_t)len, &der, err) == 0) {
        unsigned char *at = skrfs_secret_space(der);
        (void)i2d_PKCS8_PRIV_KEY_INFO(info, &at);
        *ret_der = skrfs_take(der);
        result = 0;
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    return result;
}

int skrfs_pkey_new_rsa(unsigned bits, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    if (bits != 2048 && bits != 3072 && bits != 4096)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "an RSA key has 2048, 3072 or 4096 bits, not %u", bits);
    if (skrfs_crypto_ready_private(err) < 0)
        return -1;
    PRIVATE_WORK;
    auto_evp *evp = EVP_RSA_gen(bits);
    if (!evp)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "an RSA key cannot be made");
    return skrfs_crypto_wrap_evp(&evp, ret_key, err);
}

int skrfs_pkey_new_ec(
        enum skrfs_curve curve, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    if (skrfs_crypto_ready_private(err) < 0)
        return -1;
    PRIVATE_WORK;
    auto_evp *evp = EVP_EC_gen(skrfs_crypto_curve_group(curve));
    if (!evp)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "an EC key cannot be made");
    return skrfs_crypto_wrap_evp(&evp, ret_key, err);
}
