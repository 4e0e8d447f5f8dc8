/* A private JWK (RFC 7518 section 6), as an import carries it, made into PKCS#8 (RFC 5208, RFC
 * 5915, RFC 8017). The octets are in buffers that wipe; they came in over the network as they are.
 */
#include "vault.h"

#include <skrfs/base/encode.h>
#include <string.h>

#define DER_MAX ((size_t)8192)
#define OCT_MAX 64 /* the service's own limit for an imported oct key */

static int put_header(struct skrfs_buf *out, uint8_t tag, size_t len, struct skrfs_error *err) {
    uint8_t head[4] = {tag, 0x82, (uint8_t)(len >> 8), (uint8_t)len};
    if (len < 0x80) {
        head[1] = (uint8_t)len;
        return skrfs_buf_append(out, head, 2, err);
    }
    if (len < 0x100) {
        head[1] = 0x81;
        head[2] = (uint8_t)len;
        return skrfs_buf_append(out, head, 3, err);
    }
    return skrfs_buf_append(out, head, 4, err);
}

static int put_tagged(
        struct skrfs_buf *out, uint8_t tag, const struct skrfs_buf *data, struct skrfs_error *err) {
    if (put_header(out, tag, data->len, err) < 0)
        return -1;
    return skrfs_buf_append(out, data->data, data->len, err);
}

/* INTEGER: no leading zeros but the one that keeps it positive. */
static int put_integer(
        struct skrfs_buf *out, const uint8_t *data, size_t len, struct skrfs_error *err) {
    while (len > 1 && data[0] == 0) {
        data++;
        len--;
    }
    size_t pad = len == 0 || data[0] & 0x80 ? 1 : 0;
    if (put_header(out, 0x02, len + pad, err) < 0 || (pad && skrfs_buf_append(out, "", 1, err) < 0))
        return -1;
    return len ? skrfs_buf_append(out, data, len, err) : 0;
}

static int put_small(struct skrfs_buf *out, uint8_t value, struct skrfs_error *err) {
    return put_integer(out, &value, 1, err);
}

/* SEQUENCE { 0, algorithm, OCTET STRING { inner } } */
static int put_pkcs8(struct skrfs_buf *out, struct skrfs_bytes algorithm,
        const struct skrfs_buf *inner, struct skrfs_error *err) {
    skrfs_autobuf body = SKRFS_BUF(DER_MAX);
    if (put_small(&body, 0, err) < 0 ||
            skrfs_buf_append(&body, algorithm.data, algorithm.len, err) < 0 ||
            put_tagged(&body, 0x04, inner, err) < 0)
        return -1;
    return put_tagged(out, 0x30, &body, err);
}

static int rsa_pkcs8(const struct skrfs_json *jwk, struct skrfs_buf *out, struct skrfs_error *err) {
    static const uint8_t algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
            0x01, 0x01, 0x01, 0x05, 0x00};
    static const char *const members[] = {"n", "e", "d", "p", "q", "dp", "dq", "qi"};
    skrfs_autobuf numbers = SKRFS_BUF(DER_MAX);
    skrfs_autobuf sequence = SKRFS_BUF(DER_MAX);
    if (put_small(&numbers, 0, err) < 0)
        return -1;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(members); i++) {
        skrfs_autobuf number = SKRFS_BUF(SKRFS_RSA_MAX + 1);
        if (skrfs_json_need_base64(jwk, members[i], SKRFS_BASE64URL, &number, err) < 0 ||
                put_integer(&numbers, number.data, number.len, err) < 0)
            return -1;
    }
    if (put_tagged(&sequence, 0x30, &numbers, err) < 0)
        return -1;
    return put_pkcs8(out, (struct skrfs_bytes){algorithm, sizeof(algorithm)}, &sequence, err);
}

/* AlgorithmIdentifier of each curve: ecPublicKey and the curve's OID. */
static struct skrfs_bytes curve_algorithm(enum skrfs_curve curve) {
#define EC_PUBLIC_KEY "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
    static const char p256[] = "\x30\x13" EC_PUBLIC_KEY "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    static const char p384[] = "\x30\x10" EC_PUBLIC_KEY "\x06\x05\x2b\x81\x04\x00\x22";
    static const char p521[] = "\x30\x10" EC_PUBLIC_KEY "\x06\x05\x2b\x81\x04\x00\x23";
    static const char p256k[] = "\x30\x10" EC_PUBLIC_KEY "\x06\x05\x2b\x81\x04\x00\x0a";
    const struct {
        const char *text;
        size_t len;
    } list[] = {[SKRFS_P256] = {p256, sizeof(p256) - 1},
            [SKRFS_P384] = {p384, sizeof(p384) - 1},
            [SKRFS_P521] = {p521, sizeof(p521) - 1},
            [SKRFS_P256K] = {p256k, sizeof(p256k) - 1}};
    return (struct skrfs_bytes){(const uint8_t *)list[curve].text, list[curve].len};
}

static size_t curve_octets(enum skrfs_curve curve) {
    return curve == SKRFS_P384 ? 48 : curve == SKRFS_P521 ? 66 : 32;
}

/* `d` and the coordinates are as long as the curve's field. */
static int need_field(const struct skrfs_json *jwk, const char *name, enum skrfs_curve curve,
        struct skrfs_buf *out, struct skrfs_error *err) {
    if (skrfs_json_need_base64(jwk, name, SKRFS_BASE64URL, out, err) < 0)
        return -1;
    if (out->len != curve_octets(curve))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "%s is not as long as the curve's numbers", name);
    return 0;
}

static int ec_pkcs8(const struct skrfs_json *jwk, enum skrfs_curve curve, struct skrfs_buf *out,
        struct skrfs_error *err) {
    skrfs_autobuf d = SKRFS_BUF(SKRFS_EC_MAX);
    skrfs_autobuf x = SKRFS_BUF(SKRFS_EC_MAX);
    skrfs_autobuf y = SKRFS_BUF(SKRFS_EC_MAX);
    skrfs_autobuf point = SKRFS_BUF(DER_MAX);
    skrfs_autobuf bits = SKRFS_BUF(DER_MAX);
    skrfs_autobuf body = SKRFS_BUF(DER_MAX);
    skrfs_autobuf sequence = SKRFS_BUF(DER_MAX);
    if (need_field(jwk, "d", curve, &d, err) < 0 || need_field(jwk, "x", curve, &x, err) < 0 ||
            need_field(jwk, "y", curve, &y, err) < 0 ||
            skrfs_buf_append(&point, "\x00\x04", 2, err) < 0 ||
            skrfs_buf_append(&point, x.data, x.len, err) < 0 ||
            skrfs_buf_append(&point, y.data, y.len, err) < 0 ||
            put_tagged(&bits, 0x03, &point, err) < 0 || put_small(&body, 1, err) < 0 ||
            put_tagged(&body, 0x04, &d, err) < 0 || put_tagged(&body, 0xa1, &bits, err) < 0 ||
            put_tagged(&sequence, 0x30, &body, err) < 0)
        return -1;
    return put_pkcs8(out, curve_algorithm(curve), &sequence, err);
}

static int import_oct(
        const struct skrfs_json *jwk, struct skrfs_lab_key_wish *wish, struct skrfs_error *err) {
    skrfs_autobuf k = SKRFS_BUF(OCT_MAX);
    if (skrfs_json_need_base64(jwk, "k", SKRFS_BASE64URL, &k, err) < 0)
        return -1;
    if (k.len == 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "k is empty");
    return skrfs_secret_copy(k.data, k.len, &wish->oct, err);
}

/* A key whose halves do not belong together signs nothing that its public half accepts. */
static int check_halves(
        const struct skrfs_pkey *key, const struct skrfs_public *public, struct skrfs_error *err) {
    static const struct skrfs_bytes text = {(const uint8_t *)"import", 6};
    skrfs_autopkey *other = NULL;
    skrfs_autobuf signature = SKRFS_BUF(SKRFS_RSA_MAX);
    bool rsa = public->type == SKRFS_KEY_RSA;
    if (skrfs_pkey_from_public(public, &other, err) < 0 ||
            (rsa ? skrfs_rsa_sign : skrfs_ecdsa_sign)(key, SKRFS_SHA256, text, &signature, err) < 0)
        return -1;
    return (rsa ? skrfs_rsa_verify : skrfs_ecdsa_verify)(
            other, SKRFS_SHA256, text, skrfs_buf_bytes(&signature), err);
}

int skrfs_lab_jwk_private(
        const struct skrfs_json *jwk, struct skrfs_lab_key_wish *wish, struct skrfs_error *err) {
    skrfs_autobuf der = SKRFS_BUF(DER_MAX);
    const char *curve = NULL;
    struct skrfs_public public;
    if (wish->type == SKRFS_KEY_OCT)
        return import_oct(jwk, wish, err);
    if (wish->type == SKRFS_KEY_EC) {
        if (skrfs_json_need_string(jwk, "crv", &curve, err) < 0)
            return -1;
        if (!skrfs_curve_parse(curve, &wish->curve))
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "crv has an unknown value");
    }
    if ((wish->type == SKRFS_KEY_RSA ? rsa_pkcs8(jwk, &der, err)
                                     : ec_pkcs8(jwk, wish->curve, &der, err)) < 0)
        return -1;
    skrfs_autopkey *key = NULL;
    if (skrfs_pkey_from_pkcs8(der.data, der.len, &key, err) < 0 ||
            skrfs_pkey_public(key, &public, err) < 0 || check_halves(key, &public, err) < 0)
        return skrfs_wrap(err, "the key");
    if (wish->type == SKRFS_KEY_RSA && public.n_len != 256 && public.n_len != 384 &&
            public.n_len != 512)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "an RSA key has 2048, 3072 or 4096 bits");
    wish->key = skrfs_take(key);
    return 0;
}
