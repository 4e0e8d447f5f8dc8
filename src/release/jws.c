/* The outside of a released JWS (RFC 7515): three parts, RS256 and nothing else, x5c to an anchor
 * and for the vault's host, signature over the raw bytes. The payload is not looked at before all
 * of it holds. */
#include "internal.h"

#include <skrfs/base/encode.h>
#include <skrfs/json/json.h>
#include <string.h>

#define HEADER_MAX SKRFS_JWS_MAX

struct parts {
    struct skrfs_bytes header, payload, signature;
    struct skrfs_bytes covered; /* header, dot, payload: what the signature is over */
};

static int split(struct skrfs_bytes jws, struct parts *ret_parts, struct skrfs_error *err) {
    if (jws.len > SKRFS_JWS_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "it has %zu octets, more than the %zu that are taken", jws.len, SKRFS_JWS_MAX);
    const uint8_t *end = jws.data + jws.len;
    const uint8_t *first = jws.len ? memchr(jws.data, '.', jws.len) : NULL;
    const uint8_t *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "it is not a JWS of three parts");
    *ret_parts = (struct parts){
            .header = {jws.data, (size_t)(first - jws.data)},
            .payload = {first + 1, (size_t)(second - first - 1)},
            .signature = {second + 1, (size_t)(end - second - 1)},
            .covered = {jws.data, (size_t)(second - jws.data)},
    };
    return 0;
}

static int decode(struct skrfs_bytes part, struct skrfs_buf *out, struct skrfs_error *err) {
    return skrfs_base64_decode(SKRFS_BASE64URL, (const char *)part.data, part.len, out, err);
}

static int check_alg(const struct skrfs_json *header, struct skrfs_error *err) {
    const char *alg = NULL;
    if (skrfs_json_need_string(header, "alg", &alg, err) < 0)
        return -1;
    if (strcmp(alg, "RS256") != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "it is signed with another algorithm than RS256");
    /* RFC 7515 section 4.1.11: extensions that must be understood, of which none is. */
    if (skrfs_json_get(header, "crit"))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "its header has critical extensions");
    return 0;
}

/* The x5c as a chain: standard base64 of DER, leaf first (RFC 7515 section 4.1.6). */
static int read_chain(
        const struct skrfs_json *header, struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    const struct skrfs_json *x5c = NULL;
    if (skrfs_json_need_array(header, "x5c", &x5c, err) < 0)
        return -1;
    size_t count = skrfs_json_size(x5c);
    if (count == 0 || count > SKRFS_CHAIN_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "its header has %zu certificates, 1 to %d are taken", count, SKRFS_CHAIN_MAX);
    skrfs_autobuf all = SKRFS_BUF(SKRFS_JWS_MAX);
    size_t ends[SKRFS_CHAIN_MAX];
    struct skrfs_bytes certs[SKRFS_CHAIN_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct skrfs_json *item = skrfs_json_at(x5c, i);
        const char *text = skrfs_json_string(item);
        if (!text)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "'x5c' holds something else than text");
        if (skrfs_base64_decode(SKRFS_BASE64, text, skrfs_json_string_len(item), &all, err) < 0)
            return skrfs_wrap(err, "certificate %zu of 'x5c'", i + 1);
        ends[i] = all.len;
    }
    for (size_t i = 0; i < count; i++) {
        size_t begin = i ? ends[i - 1] : 0;
        certs[i] = (struct skrfs_bytes){all.data + begin, ends[i] - begin};
    }
    return skrfs_chain_from_der(certs, count, ret_chain, err);
}

/* The leaf's key, of a chain that is to be believed. */
static int trusted_key(struct skrfs_bytes header_part, const struct skrfs_answer_wish *wish,
        struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(HEADER_MAX);
    skrfs_autojson *header = NULL;
    skrfs_autochain *chain = NULL;
    if (decode(header_part, &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, HEADER_MAX, &header, err) < 0)
        return skrfs_wrap(err, "its header");
    if (check_alg(header, err) < 0 || read_chain(header, &chain, err) < 0 ||
            skrfs_chain_verify_server(chain, wish->trust, wish->host, wish->wall_s, err) < 0)
        return -1;
    return skrfs_chain_leaf_key(chain, ret_key, err);
}

int skrfs_jws_verify(struct skrfs_bytes jws, const struct skrfs_answer_wish *wish,
        struct skrfs_buf *payload, struct skrfs_error *err) {
    struct parts parts = {0};
    skrfs_autopkey *key = NULL;
    skrfs_autobuf signature = SKRFS_BUF(2 * (size_t)SKRFS_RSA_MAX);
    if (split(jws, &parts, err) < 0 || trusted_key(parts.header, wish, &key, err) < 0)
        return -1;
    if (decode(parts.signature, &signature, err) < 0)
        return skrfs_wrap(err, "its signature");
    if (skrfs_rsa_verify(key, SKRFS_SHA256, parts.covered, skrfs_buf_bytes(&signature), err) < 0)
        return -1;
    if (decode(parts.payload, payload, err) < 0)
        return skrfs_wrap(err, "its payload");
    return 0;
}
