#include "jwt.h"

#include <skrfs/base/encode.h>
#include <string.h>

/* Clocks of the services agree to about this. */
#define SKEW_S 300

static int append_json(
        const struct skrfs_json *json, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    if (skrfs_json_print(json, false, &text, err) < 0)
        return -1;
    return skrfs_base64_encode(SKRFS_BASE64URL, text.data, text.len, out, err);
}

int skrfs_lab_jwt_sign(const struct skrfs_pkey *key, const struct skrfs_json *header,
        const struct skrfs_json *payload, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_autobuf signature = SKRFS_BUF(SKRFS_RSA_MAX);
    if (append_json(header, &text, err) < 0 || skrfs_buf_append_text(&text, ".", err) < 0 ||
            append_json(payload, &text, err) < 0 ||
            skrfs_rsa_sign(key, SKRFS_SHA256, skrfs_buf_bytes(&text), &signature, err) < 0 ||
            skrfs_buf_append_text(&text, ".", err) < 0 ||
            skrfs_base64_encode(SKRFS_BASE64URL, signature.data, signature.len, &text, err) < 0)
        return skrfs_wrap(err, "sign a token");
    return skrfs_buf_append(out, text.data, text.len, err);
}

int skrfs_lab_jwt_unsigned(
        const struct skrfs_json *payload, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *header = NULL;
    if (skrfs_json_pack(&header, err, "{s:s,s:s}", "alg", "none", "typ", "JWT") < 0 ||
            append_json(header, out, err) < 0 || skrfs_buf_append_text(out, ".", err) < 0 ||
            append_json(payload, out, err) < 0)
        return -1;
    return skrfs_buf_append_text(out, ".", err);
}

void skrfs_lab_jwt_spoil(struct skrfs_buf *token, size_t start) {
    if (token->len < start + 128)
        return;
    uint8_t *place = token->data + token->len - 100;
    *place = *place == 'A' ? 'B' : 'A';
}

/* The three parts of a compact JWS. */
struct parts {
    struct skrfs_bytes header, payload, signature, signed_part;
};

static int split(struct skrfs_bytes token, struct parts *ret_parts, struct skrfs_error *err) {
    const uint8_t *first = token.len ? memchr(token.data, '.', token.len) : NULL;
    size_t head = first ? (size_t)(first - token.data) : 0;
    const uint8_t *second = first ? memchr(first + 1, '.', token.len - head - 1) : NULL;
    size_t body = second ? (size_t)(second - first) - 1 : 0;
    size_t tail = second ? token.len - head - body - 2 : 0;
    if (!second || memchr(second + 1, '.', tail))
        return skrfs_fail(err, SKRFS_CLASS_REJECTED, "the token is not three parts");
    ret_parts->header = (struct skrfs_bytes){token.data, head};
    ret_parts->payload = (struct skrfs_bytes){first + 1, body};
    ret_parts->signature = (struct skrfs_bytes){second + 1, tail};
    ret_parts->signed_part = (struct skrfs_bytes){token.data, head + body + 1};
    return 0;
}

static int decode_json(
        struct skrfs_bytes part, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    if (skrfs_base64_decode(SKRFS_BASE64URL, (const char *)part.data, part.len, &text, err) < 0)
        return -1;
    return skrfs_json_parse(skrfs_buf_text(&text), text.len, SKRFS_LAB_JWT_MAX, ret_json, err);
}

static int check_signature(
        const struct skrfs_pkey *key, const struct parts *parts, struct skrfs_error *err) {
    skrfs_autojson *header = NULL;
    const char *alg = NULL;
    if (decode_json(parts->header, &header, err) < 0 ||
            skrfs_json_need_string(header, "alg", &alg, err) < 0)
        return -1;
    if (strcmp(alg, "RS256") != 0)
        return skrfs_fail(err, SKRFS_CLASS_REJECTED, "the token's algorithm is not RS256");
    skrfs_autobuf signature = SKRFS_BUF(SKRFS_RSA_MAX);
    if (skrfs_base64_decode(SKRFS_BASE64URL, (const char *)parts->signature.data,
                parts->signature.len, &signature, err) < 0)
        return -1;
    return skrfs_rsa_verify(
            key, SKRFS_SHA256, parts->signed_part, skrfs_buf_bytes(&signature), err);
}

static int check_claims(const struct skrfs_json *claims, const char *issuer, int64_t now_s,
        struct skrfs_error *err) {
    const char *iss = NULL;
    int64_t not_before = 0;
    int64_t expires = 0;
    if (skrfs_json_need_string(claims, "iss", &iss, err) < 0 ||
            skrfs_json_need_integer(claims, "nbf", &not_before, err) < 0 ||
            skrfs_json_need_integer(claims, "exp", &expires, err) < 0)
        return -1;
    if (strcmp(iss, issuer) != 0)
        return skrfs_fail(err, SKRFS_CLASS_REJECTED, "the token's issuer is not %s", issuer);
    if (not_before > now_s + SKEW_S)
        return skrfs_fail(err, SKRFS_CLASS_REJECTED, "the token is not valid yet");
    if (expires <= now_s)
        return skrfs_fail(err, SKRFS_CLASS_REJECTED, "the token has expired");
    return 0;
}

int skrfs_lab_jwt_verify(const struct skrfs_pkey *key, const char *issuer, struct skrfs_bytes token,
        int64_t now_s, struct skrfs_json **ret_claims, struct skrfs_error *err) {
    struct parts parts;
    skrfs_autojson *claims = NULL;
    if (split(token, &parts, err) < 0 || check_signature(key, &parts, err) < 0 ||
            decode_json(parts.payload, &claims, err) < 0 ||
            check_claims(claims, issuer, now_s, err) < 0) {
        err->kind = SKRFS_CLASS_REJECTED;
        return -1;
    }
    *ret_claims = skrfs_take(claims);
    return 0;
}

int skrfs_lab_base64_json(
        int kind, struct skrfs_bytes data, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX * 8);
    if (skrfs_base64_encode((enum skrfs_base64)kind, data.data, data.len, &text, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "s", skrfs_buf_text(&text));
}

static int set_number(struct skrfs_json *jwk, const char *name, const void *data, size_t len,
        struct skrfs_error *err) {
    struct skrfs_json *text = NULL;
    if (skrfs_lab_base64_json(SKRFS_BASE64URL, (struct skrfs_bytes){data, len}, &text, err) < 0)
        return -1;
    return skrfs_json_set(jwk, name, text, err);
}

int skrfs_lab_jwk(const struct skrfs_public *public, const char *kty, bool long_exponent,
        struct skrfs_json **ret_jwk, struct skrfs_error *err) {
    static const uint8_t long_e[] = {0, 1, 0, 1};
    skrfs_autojson *jwk = NULL;
    bool rsa = public->type == SKRFS_KEY_RSA;
    if (skrfs_json_pack(&jwk, err, "{s:s}", "kty", kty ? kty : rsa ? "RSA" : "EC") < 0)
        return -1;
    if (rsa) {
        if (set_number(jwk, "n", public->n, public->n_len, err) < 0 ||
                set_number(jwk, "e", long_exponent ? long_e : public->e,
                        long_exponent ? sizeof(long_e) : public->e_len, err) < 0)
            return -1;
    } else {
        struct skrfs_json *curve = NULL;
        if (skrfs_json_pack(&curve, err, "s", skrfs_curve_name(public->curve)) < 0 ||
                skrfs_json_set(jwk, "crv", curve, err) < 0 ||
                set_number(jwk, "x", public->x, public->xy_len, err) < 0 ||
                set_number(jwk, "y", public->y, public->xy_len, err) < 0)
            return -1;
    }
    *ret_jwk = skrfs_take(jwk);
    return 0;
}
