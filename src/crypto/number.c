/* The numbers of a key, out of OpenSSL into memory of our choice without passing through the heap.
 */
#include "internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <string.h>

/* OSSL_PARAM holds integers in the machine's order (OSSL_PARAM(3)). */
_Static_assert(
        __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are turned around from little endian");

static void reverse(uint8_t *data, size_t len) {
    for (size_t i = 0; i < len / 2; i++) {
        uint8_t octet = data[i];
        data[i] = data[len - 1 - i];
        data[len - 1 - i] = octet;
    }
}

int skrfs_crypto_number(const EVP_PKEY *evp, const char *param, uint8_t *space, size_t len,
        struct skrfs_error *err) {
    memset(space, 0, len);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_BN(param, space, len), OSSL_PARAM_construct_end()};
    if (EVP_PKEY_get_params(evp, params) != 1 || !OSSL_PARAM_modified(params)) {
        return skrfs_crypto_refuse(err, SKRFS_CLASS_BAD_ANSWER,
                "the key has no number '%s', or one that is too long", param);
    }
    reverse(space, len);
    return 0;
}

void skrfs_crypto_numbers_done(struct skrfs_numbers *numbers) {
    skrfs_secret_unref(numbers->space);
    numbers->space = NULL;
}

static int rsa_numbers(
        const EVP_PKEY *evp, struct skrfs_numbers *numbers, struct skrfs_error *err) {
    const struct {
        const char *param;
        struct skrfs_bytes *out;
    } wanted[] = {
            {OSSL_PKEY_PARAM_RSA_N, &numbers->n},
            {OSSL_PKEY_PARAM_RSA_E, &numbers->e},
            {OSSL_PKEY_PARAM_RSA_D, &numbers->d},
            {OSSL_PKEY_PARAM_RSA_FACTOR1, &numbers->p},
            {OSSL_PKEY_PARAM_RSA_FACTOR2, &numbers->q},
            {OSSL_PKEY_PARAM_RSA_EXPONENT1, &numbers->dp},
            {OSSL_PKEY_PARAM_RSA_EXPONENT2, &numbers->dq},
            {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &numbers->qi},
    };
    numbers->type = SKRFS_KEY_RSA;
    if (skrfs_secret_new(SKRFS_ARRAY_LEN(wanted) * SKRFS_RSA_MAX, &numbers->space, err) < 0)
        return -1;
    uint8_t *space = skrfs_secret_space(numbers->space);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wanted); i++) {
        uint8_t *slot = space + i * SKRFS_RSA_MAX;
        if (skrfs_crypto_number(evp, wanted[i].param, slot, SKRFS_RSA_MAX, err) < 0)
            return -1;
        *wanted[i].out = skrfs_crypto_trim(slot, SKRFS_RSA_MAX);
    }
    return 0;
}

static int ec_numbers(const EVP_PKEY *evp, struct skrfs_numbers *numbers, struct skrfs_error *err) {
    numbers->type = SKRFS_KEY_EC;
    if (skrfs_crypto_curve_of(evp, &numbers->curve, err) < 0)
        return -1;
    size_t len = skrfs_crypto_curve_len(numbers->curve);
    if (skrfs_secret_new(3 * len, &numbers->space, err) < 0)
        return -1;
    uint8_t *space = skrfs_secret_space(numbers->space);
    if (skrfs_crypto_number(evp, OSSL_PKEY_PARAM_EC_PUB_X, space, len, err) < 0 ||
            skrfs_crypto_number(evp, OSSL_PKEY_PARAM_EC_PUB_Y, space + len, len, err) < 0 ||
            skrfs_crypto_number(evp, OSSL_PKEY_PARAM_PRIV_KEY, space + 2 * len, len, err) < 0)
        return -1;
    numbers->x = (struct skrfs_bytes){space, len};
    numbers->y = (struct skrfs_bytes){space + len, len};
    numbers->d = (struct skrfs_bytes){space + 2 * len, len};
    return 0;
}

int skrfs_crypto_numbers(
        const struct skrfs_pkey *key, struct skrfs_numbers *ret_numbers, struct skrfs_error *err) {
    auto_numbers numbers = {0};
    int done = EVP_PKEY_is_a(key->evp, "RSA") ? rsa_numbers(key->evp, &numbers, err)
                                              : ec_numbers(key->evp, &numbers, err);
    if (done < 0)
        return -1;
    *ret_numbers = numbers;
    numbers.space = NULL;
    return 0;
}
