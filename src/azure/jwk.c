#include "internal.h"

#include <string.h>

/* Decodes a number and drops leading zeros: HSM-backed vaults write e as 00 01 00 01. */
static int number(const struct skrfs_json *jwk, const char *name, uint8_t *out, size_t size,
        size_t *ret_len, struct skrfs_error *err) {
    skrfs_autobuf bytes = SKRFS_BUF((size_t)SKRFS_RSA_MAX + 8);
    if (skrfs_json_need_base64(jwk, name, SKRFS_BASE64URL, &bytes, err) < 0)
        return -1;
    size_t skip = 0;
    while (skip < bytes.len && bytes.data[skip] == 0)
        skip++;
    size_t len = bytes.len - skip;
    if (len == 0 || len > size)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "member '%s' has %zu octets", name, len);
    memcpy(out, bytes.data + skip, len);
    *ret_len = len;
    return 0;
}

/* Of the curve's size, with leading zeros. */
static int coordinate(const struct skrfs_json *jwk, const char *name, size_t size, uint8_t *out,
        struct skrfs_error *err) {
    uint8_t bytes[SKRFS_EC_MAX];
    size_t len = 0;
    if (number(jwk, name, bytes, size, &len, err) < 0)
        return -1;
    memset(out, 0, size - len);
    memcpy(out + size - len, bytes, len);
    return 0;
}

static int read_rsa(
        const struct skrfs_json *jwk, struct skrfs_public *public, struct skrfs_error *err) {
    public->type = SKRFS_KEY_RSA;
    if (number(jwk, "n", public->n, sizeof(public->n), &public->n_len, err) < 0)
        return -1;
    return number(jwk, "e", public->e, sizeof(public->e), &public->e_len, err);
}

static int read_ec(
        const struct skrfs_json *jwk, struct skrfs_public *public, struct skrfs_error *err) {
    static const size_t sizes[] = {
            [SKRFS_P256] = 32, [SKRFS_P384] = 48, [SKRFS_P521] = 66, [SKRFS_P256K] = 32};
    const char *curve = NULL;
    public->type = SKRFS_KEY_EC;
    if (skrfs_json_need_string(jwk, "crv", &curve, err) < 0)
        return -1;
    if (!skrfs_curve_parse(curve, &public->curve))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the key's curve is unknown");
    public->xy_len = sizes[public->curve];
    if (coordinate(jwk, "x", public->xy_len, public->x, err) < 0)
        return -1;
    return coordinate(jwk, "y", public->xy_len, public->y, err);
}

int skrfs_jwk_public(
        const struct skrfs_json *jwk, struct skrfs_public *ret_public, struct skrfs_error *err) {
    const char *kty = NULL;
    struct skrfs_public public = {0};
    if (skrfs_json_need_string(jwk, "kty", &kty, err) < 0)
        return -1;
    if (strcmp(kty, "RSA") == 0 || strcmp(kty, "RSA-HSM") == 0) {
        if (read_rsa(jwk, &public, err) < 0)
            return -1;
    } else if (strcmp(kty, "EC") == 0 || strcmp(kty, "EC-HSM") == 0) {
        if (read_ec(jwk, &public, err) < 0)
            return -1;
    } else if (strcmp(kty, "oct") == 0 || strcmp(kty, "oct-HSM") == 0) {
        public.type = SKRFS_KEY_OCT;
    } else {
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the key's type is unknown");
    }
    *ret_public = public;
    return 0;
}
