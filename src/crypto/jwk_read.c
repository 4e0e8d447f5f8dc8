/* Private JSON Web Keys (RFC 7517, RFC 7518 section 6), read where they stand: a JSON library would
 * leave private numbers in its strings. */
#include "internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <string.h>

#define DEPTH_MAX 8

enum member { KTY, CRV, N, E, D, P, Q, DP, DQ, QI, X, Y, K, MEMBERS };
static const char *const names[MEMBERS] = {
        "kty", "crv", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y", "k"};

struct members {
    struct skrfs_bytes of[MEMBERS]; /* views of the strings, data NULL when absent */
};

struct reader {
    const uint8_t *at, *end;
};

static int fail_text(struct skrfs_error *err, const char *why) {
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the JWK %s", why);
}

static void skip_blank(struct reader *reader) {
    while (reader->at < reader->end && *reader->at && strchr(" \t\r\n", *reader->at))
        reader->at++;
}

static bool take(struct reader *reader, char c) {
    skip_blank(reader);
    if (reader->at == reader->end || *reader->at != (uint8_t)c)
        return false;
    reader->at++;
    return true;
}

/* A string; *ret_plain is whether it is without escapes, as all are that are looked into. */
static bool take_string(struct reader *reader, struct skrfs_bytes *ret_text, bool *ret_plain) {
    if (!take(reader, '"'))
        return false;
    const uint8_t *begin = reader->at;
    *ret_plain = true;
    for (; reader->at < reader->end && *reader->at >= 0x20; reader->at++) {
        if (*reader->at == '"') {
            *ret_text = (struct skrfs_bytes){begin, (size_t)(reader->at++ - begin)};
            return true;
        }
        if (*reader->at == '\\') {
            *ret_plain = false;
            reader->at++;
        }
    }
    return false;
}

/* A value of no interest (key_ops, x5c, ext): passed over, not judged. */
static bool skip_value(struct reader *reader) {
    struct skrfs_bytes text;
    bool plain;
    int depth = 0;
    do {
        skip_blank(reader);
        if (reader->at == reader->end || depth > DEPTH_MAX)
            return false;
        uint8_t c = *reader->at;
        if (c == '"') {
            if (!take_string(reader, &text, &plain))
                return false;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return false;
        depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        reader->at++;
        /* A bare word or number goes on to what ends it. */
        while (depth == 0 && c != ']' && c != '}' && reader->at < reader->end && *reader->at &&
                !strchr(",}] \t\r\n", *reader->at))
            reader->at++;
    } while (depth > 0);
    return true;
}

static int find_member(struct skrfs_bytes name) {
    for (int i = 0; i < MEMBERS; i++)
        if (strlen(names[i]) == name.len && memcmp(names[i], name.data, name.len) == 0)
            return i;
    return -1;
}

static int take_member(struct reader *reader, struct members *members, struct skrfs_error *err) {
    struct skrfs_bytes name, text;
    bool plain;
    if (!take_string(reader, &name, &plain) || !plain || !take(reader, ':'))
        return fail_text(err, "is malformed");
    int member = find_member(name);
    if (member < 0)
        return skip_value(reader) ? 0 : fail_text(err, "is malformed");
    if (!take_string(reader, &text, &plain) || !plain)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "member '%s' of the JWK is no plain text", names[member]);
    if (members->of[member].data)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "member '%s' is in the JWK twice", names[member]);
    members->of[member] = text;
    return 0;
}

static int take_object(struct reader *reader, struct members *members, struct skrfs_error *err) {
    if (!take(reader, '{'))
        return fail_text(err, "is no JSON object");
    do
        if (take_member(reader, members, err) < 0)
            return -1;
    while (take(reader, ','));
    if (!take(reader, '}'))
        return fail_text(err, "is malformed");
    skip_blank(reader);
    return reader->at == reader->end ? 0 : fail_text(err, "has something behind its end");
}

static int value_of(uint8_t c) {
    static const char alphabet[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *found = c ? strchr(alphabet, c) : NULL;
    return found ? (int)(found - alphabet) : -1;
}

/* base64url of a member into a new secret. */
static int decode(const struct members *members, enum member member,
        struct skrfs_secret **ret_octets, struct skrfs_error *err) {
    struct skrfs_bytes text = members->of[member];
    skrfs_autosecret *octets = NULL;
    if (!text.data)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the JWK has no member '%s': a private key needs all of them", names[member]);
    if (text.len < 2 || text.len % 4 == 1 || text.len > 4 * (size_t)SKRFS_RSA_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "member '%s' of the JWK has a wrong length",
                names[member]);
    if (skrfs_secret_new(text.len * 3 / 4, &octets, err) < 0)
        return -1;
    uint8_t *out = skrfs_secret_space(octets);
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.data[i]);
        if (value < 0)
            return skrfs_fail(err, SKRFS_CLASS_CONFIG, "member '%s' of the JWK is no base64url",
                    names[member]);
        bits = bits << 6 | (uint32_t)value;
        if (i % 4)
            *out++ = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_octets = skrfs_take(octets);
    return 0;
}

static bool is_text(struct skrfs_bytes text, const char *wanted) {
    return text.data && text.len == strlen(wanted) && memcmp(text.data, wanted, text.len) == 0;
}

static int push_number(OSSL_PARAM_BLD *builder, const struct members *members, enum member member,
        const char *param, BIGNUM **number, struct skrfs_error *err) {
    skrfs_autosecret *octets = NULL;
    if (decode(members, member, &octets, err) < 0)
        return -1;
    *number = BN_secure_new();
    if (!*number || !BN_bin2bn(skrfs_secret_data(octets), (int)skrfs_secret_len(octets), *number) ||
            OSSL_PARAM_BLD_push_BN(builder, param, *number) != 1)
        return skrfs_fail_memory(err);
    return 0;
}

static int read_rsa(const struct members *members, EVP_PKEY **ret_evp, struct skrfs_error *err) {
    static const struct {
        enum member member;
        const char *param;
    } wanted[] = {
            {N, OSSL_PKEY_PARAM_RSA_N},
            {E, OSSL_PKEY_PARAM_RSA_E},
            {D, OSSL_PKEY_PARAM_RSA_D},
            {P, OSSL_PKEY_PARAM_RSA_FACTOR1},
            {Q, OSSL_PKEY_PARAM_RSA_FACTOR2},
            {DP, OSSL_PKEY_PARAM_RSA_EXPONENT1},
            {DQ, OSSL_PKEY_PARAM_RSA_EXPONENT2},
            {QI, OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
    };
    BIGNUM *numbers[SKRFS_ARRAY_LEN(wanted)] = {NULL};
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    int result = builder ? 0 : skrfs_fail_memory(err);
    for (size_t i = 0; result == 0 && i < SKRFS_ARRAY_LEN(wanted); i++)
        result = push_number(builder, members, wanted[i].member, wanted[i].param, &numbers[i], err);
    if (result == 0)
        result = skrfs_crypto_from_builder("RSA", builder, EVP_PKEY_KEYPAIR, ret_evp, err);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wanted); i++)
        BN_clear_free(numbers[i]);
    OSSL_PARAM_BLD_free(builder);
    return result;
}

static int read_curve(
        const struct members *members, enum skrfs_curve *ret_curve, struct skrfs_error *err) {
    struct skrfs_bytes text = members->of[CRV];
    char name[16] = "";
    if (text.data && text.len < sizeof(name))
        memcpy(name, text.data, text.len);
    /* RFC 8812 spells it in lower case. */
    if (strcmp(name, "secp256k1") == 0)
        *ret_curve = SKRFS_P256K;
    else if (!skrfs_curve_parse(name, ret_curve))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "member 'crv' of the JWK is none of P-256, P-384, P-521 and P-256K");
    return 0;
}

/* The public point, uncompressed. */
static int read_point(
        const struct members *members, size_t len, uint8_t *point, struct skrfs_error *err) {
    static const enum member coordinates[] = {X, Y};
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(coordinates); i++) {
        skrfs_autosecret *octets = NULL;
        if (decode(members, coordinates[i], &octets, err) < 0)
            return -1;
        if (skrfs_secret_len(octets) != len)
            return fail_text(err, "has coordinates of another length than its curve's");
        memcpy(point + 1 + i * len, skrfs_secret_data(octets), len);
    }
    return 0;
}

static int read_ec(const struct members *members, EVP_PKEY **ret_evp, struct skrfs_error *err) {
    enum skrfs_curve curve = SKRFS_P256;
    uint8_t point[1 + 2 * SKRFS_EC_MAX];
    if (read_curve(members, &curve, err) < 0)
        return -1;
    size_t len = skrfs_crypto_curve_len(curve);
    if (read_point(members, len, point, err) < 0)
        return -1;
    BIGNUM *number = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    int result = builder ? 0 : skrfs_fail_memory(err);
    if (result == 0)
        result = push_number(builder, members, D, OSSL_PKEY_PARAM_PRIV_KEY, &number, err);
    if (result == 0 && (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
                                skrfs_crypto_curve_group(curve), 0) != 1 ||
                               OSSL_PARAM_BLD_push_octet_string(
                                       builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * len) != 1))
        result = skrfs_fail_memory(err);
    if (result == 0)
        result = skrfs_crypto_from_builder("EC", builder, EVP_PKEY_KEYPAIR, ret_evp, err);
    BN_clear_free(number);
    OSSL_PARAM_BLD_free(builder);
    return result;
}

static int read_asymmetric(const struct members *members, bool rsa, struct skrfs_secret **ret_plain,
        struct skrfs_error *err) {
    auto_evp *evp = NULL;
    skrfs_autopkey *key = NULL;
    if (rsa ? read_rsa(members, &evp, err) < 0 : read_ec(members, &evp, err) < 0) {
        if (err->kind == SKRFS_CLASS_BAD_ANSWER)
            err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(err, "the JWK");
    }
    if (skrfs_crypto_wrap_evp(&evp, &key, err) < 0 || skrfs_crypto_check_private(key, err) < 0)
        return -1;
    return skrfs_pkey_pkcs8(key, ret_plain, err);
}

int skrfs_jwk_read(const struct skrfs_secret *text, struct skrfs_secret **ret_plain,
        enum skrfs_key_type *ret_type, struct skrfs_error *err) {
    struct members members = {0};
    const uint8_t *data = skrfs_secret_data(text);
    struct reader reader = {data, data + skrfs_secret_len(text)};
    if (skrfs_crypto_ready_private(err) < 0 || take_object(&reader, &members, err) < 0)
        return -1;
    PRIVATE_WORK;
    struct skrfs_bytes kty = members.of[KTY];
    bool rsa = is_text(kty, "RSA") || is_text(kty, "RSA-HSM");
    bool ec = is_text(kty, "EC") || is_text(kty, "EC-HSM");
    if (!rsa && !ec && !is_text(kty, "oct") && !is_text(kty, "oct-HSM"))
        return fail_text(err, "is of no type that a vault takes: RSA, EC or oct");
    if (rsa || ec ? read_asymmetric(&members, rsa, ret_plain, err) < 0
                  : decode(&members, K, ret_plain, err) < 0)
        return -1;
    *ret_type = rsa ? SKRFS_KEY_RSA : ec ? SKRFS_KEY_EC : SKRFS_KEY_OCT;
    return 0;
}
