/* The public members of keys: names of curves, comparison, and the way from and to OpenSSL's keys.
 */
#include "internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <string.h>

static const struct {
    const char *name;
    const char *group;
    size_t len;
} curves[] = {
        [SKRFS_P256] = {"P-256", "prime256v1", 32},
        [SKRFS_P384] = {"P-384", "secp384r1", 48},
        [SKRFS_P521] = {"P-521", "secp521r1", 66},
        [SKRFS_P256K] = {"P-256K", "secp256k1", 32},
};

const char *skrfs_curve_name(enum skrfs_curve curve) {
    return (size_t)curve < SKRFS_ARRAY_LEN(curves) ? curves[curve].name : NULL;
}

size_t skrfs_crypto_curve_len(enum skrfs_curve curve) {
    return (size_t)curve < SKRFS_ARRAY_LEN(curves) ? curves[curve].len : 0;
}

const char *skrfs_crypto_curve_group(enum skrfs_curve curve) {
    return (size_t)curve < SKRFS_ARRAY_LEN(curves) ? curves[curve].group : NULL;
}

bool skrfs_curve_parse(const char *name, enum skrfs_curve *ret_curve) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(curves); i++)
        if (strcmp(name, curves[i].name) == 0) {
            *ret_curve = (enum skrfs_curve)i;
            return true;
        }
    if (strcmp(name, "SECP256K1") != 0)
        return false;
    *ret_curve = SKRFS_P256K;
    return true;
}

int skrfs_crypto_curve_of(
        const EVP_PKEY *evp, enum skrfs_curve *ret_curve, struct skrfs_error *err) {
    char group[64] = "";
    size_t len = 0;
    if (EVP_PKEY_get_group_name(evp, group, sizeof(group), &len) == 1)
        for (size_t i = 0; i < SKRFS_ARRAY_LEN(curves); i++)
            if (strcmp(group, curves[i].group) == 0) {
                *ret_curve = (enum skrfs_curve)i;
                return 0;
            }
    return skrfs_crypto_fail(err, SKRFS_CLASS_BAD_ANSWER,
            "the key's curve is none of P-256, P-384, P-521 and P-256K");
}

struct skrfs_bytes skrfs_crypto_trim(const uint8_t *data, size_t len) {
    while (len > 1 && *data == 0) {
        data++;
        len--;
    }
    return (struct skrfs_bytes){data, len};
}

static bool numbers_equal(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
    struct skrfs_bytes left = skrfs_crypto_trim(a, a_len);
    struct skrfs_bytes right = skrfs_crypto_trim(b, b_len);
    return left.len == right.len && memcmp(left.data, right.data, left.len) == 0;
}

bool skrfs_public_equal(const struct skrfs_public *a, const struct skrfs_public *b) {
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SKRFS_KEY_RSA:
        return numbers_equal(a->n, a->n_len, b->n, b->n_len) &&
               numbers_equal(a->e, a->e_len, b->e, b->e_len);
    case SKRFS_KEY_EC:
        return a->curve == b->curve && numbers_equal(a->x, a->xy_len, b->x, b->xy_len) &&
               numbers_equal(a->y, a->xy_len, b->y, b->xy_len);
    case SKRFS_KEY_OCT:
        return true;
    }
    return false;
}

int skrfs_crypto_from_builder(const char *type, OSSL_PARAM_BLD *builder, int selection,
        EVP_PKEY **ret_evp, struct skrfs_error *err) {
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    auto_pkey_ctx *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *evp = NULL;
    bool made = params && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
                EVP_PKEY_fromdata(ctx, &evp, selection, params) == 1;
    OSSL_PARAM_free(params);
    if (!made)
        return skrfs_crypto_fail(err, SKRFS_CLASS_BAD_ANSWER,
                selection == EVP_PKEY_PUBLIC_KEY ? "not a public key" : "not a private key");
    *ret_evp = evp;
    return 0;
}

static int rsa_from_public(
        const struct skrfs_public *public, EVP_PKEY **ret_evp, struct skrfs_error *err) {
    if (public->n_len == 0 || public->n_len > SKRFS_RSA_MAX || public->e_len == 0 ||
            public->e_len > sizeof(public->e))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "an RSA public key of a wrong length");
    auto_bn *n = BN_bin2bn(public->n, (int)public->n_len, NULL);
    auto_bn *e = BN_bin2bn(public->e, (int)public->e_len, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    int result = -1;
    if (n && e && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
            OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        result = skrfs_crypto_from_builder("RSA", builder, EVP_PKEY_PUBLIC_KEY, ret_evp, err);
    else
        skrfs_fail_memory(err);
    OSSL_PARAM_BLD_free(builder);
    return result;
}

static int ec_from_public(
        const struct skrfs_public *public, EVP_PKEY **ret_evp, struct skrfs_error *err) {
    size_t len = skrfs_crypto_curve_len(public->curve);
    if (len == 0 || public->xy_len != len)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "an EC public key of a wrong length");
    uint8_t point[1 + 2 * SKRFS_EC_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    memcpy(point + 1, public->x, len);
    memcpy(point + 1 + len, public->y, len);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    int result = -1;
    const char *group = skrfs_crypto_curve_group(public->curve);
    if (builder &&
            OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(
                    builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * len) == 1)
        result = skrfs_crypto_from_builder("EC", builder, EVP_PKEY_PUBLIC_KEY, ret_evp, err);
    else
        skrfs_fail_memory(err);
    OSSL_PARAM_BLD_free(builder);
    return result;
}

int skrfs_pkey_from_public(
        const struct skrfs_public *public, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    skrfs_crypto_ready();
    auto_evp *evp = NULL;
    int made = -1;
    switch (public->type) {
    case SKRFS_KEY_RSA:
        made = rsa_from_public(public, &evp, err);
        break;
    case SKRFS_KEY_EC:
        made = ec_from_public(public, &evp, err);
        break;
    case SKRFS_KEY_OCT:
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "an oct key has no public half");
    }
    if (made < 0)
        return -1;
    return skrfs_crypto_wrap_evp(&evp, ret_key, err);
}

static int rsa_public(const EVP_PKEY *evp, struct skrfs_public *out, struct skrfs_error *err) {
    out->type = SKRFS_KEY_RSA;
    uint8_t n[SKRFS_RSA_MAX];
    uint8_t e[sizeof(out->e)];
    if (skrfs_crypto_number(evp, OSSL_PKEY_PARAM_RSA_N, n, sizeof(n), err) < 0 ||
            skrfs_crypto_number(evp, OSSL_PKEY_PARAM_RSA_E, e, sizeof(e), err) < 0)
        return -1;
    struct skrfs_bytes trimmed = skrfs_crypto_trim(n, sizeof(n));
    memcpy(out->n, trimmed.data, trimmed.len);
    out->n_len = trimmed.len;
    trimmed = skrfs_crypto_trim(e, sizeof(e));
    memcpy(out->e, trimmed.data, trimmed.len);
    out->e_len = trimmed.len;
    return 0;
}

static int ec_public(const EVP_PKEY *evp, struct skrfs_public *out, struct skrfs_error *err) {
    out->type = SKRFS_KEY_EC;
    if (skrfs_crypto_curve_of(evp, &out->curve, err) < 0)
        return -1;
    out->xy_len = skrfs_crypto_curve_len(out->curve);
    if (skrfs_crypto_number(evp, OSSL_PKEY_PARAM_EC_PUB_X, out->x, out->xy_len, err) < 0)
        return -1;
    return skrfs_crypto_number(evp, OSSL_PKEY_PARAM_EC_PUB_Y, out->y, out->xy_len, err);
}

int skrfs_pkey_public(
        const struct skrfs_pkey *key, struct skrfs_public *ret_public, struct skrfs_error *err) {
    struct skrfs_public public = {0};
    int done = -1;
    if (EVP_PKEY_is_a(key->evp, "RSA"))
        done = rsa_public(key->evp, &public, err);
    else if (EVP_PKEY_is_a(key->evp, "EC"))
        done = ec_public(key->evp, &public, err);
    else
        return skrfs_crypto_refuse(err, SKRFS_CLASS_BAD_ANSWER, "the key is neither RSA nor EC");
    if (done < 0)
        return -1;
    *ret_public = public;
    return 0;
}
