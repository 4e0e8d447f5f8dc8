#include "cose.h"

#include "cbor_item.h"

#include <cbor.h>
#include <string.h>

#define TAG_SIGN1 18
#define LABEL_ALGORITHM 1
#define LABEL_CRITICAL 2
#define LABEL_CERTS 33      /* x5chain */
#define LABEL_THUMBPRINT 34 /* x5t */
#define ALGORITHM_SHA256 (-16)
#define ALGORITHM_ES384 (-35)
#define ALGORITHM_PS256 (-37)
#define ALGORITHM_PS384 (-38)
#define ALGORITHM_PS512 (-39)

static int malformed(struct skrfs_error *err) {
    return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "it is no well-formed COSE_Sign1");
}

/* One certificate, or an array of them. */
static bool read_certs(struct skrfs_bytes *left, struct skrfs_lab_cose *cose) {
    struct skrfs_lab_cbor_item item;
    if (cose->cert_count > 0 || !skrfs_lab_cbor_next(left, &item))
        return false;
    if (item.kind == SKRFS_LAB_CBOR_OCTETS) {
        cose->certs[cose->cert_count++] = item.bytes;
        return true;
    }
    if (item.kind != SKRFS_LAB_CBOR_ARRAY || item.count == 0 || item.count > SKRFS_CHAIN_MAX)
        return false;
    for (uint64_t i = item.count; i > 0; i--) {
        if (!skrfs_lab_cbor_need(left, SKRFS_LAB_CBOR_OCTETS, &item))
            return false;
        cose->certs[cose->cert_count++] = item.bytes;
    }
    return true;
}

/* [hash algorithm, hash]; by SHA-256 alone. */
static bool read_thumbprint(struct skrfs_bytes *left, struct skrfs_lab_cose *cose) {
    struct skrfs_lab_cbor_item item;
    if (!skrfs_lab_cbor_need(left, SKRFS_LAB_CBOR_ARRAY, &item) || item.count != 2 ||
            !skrfs_lab_cbor_need(left, SKRFS_LAB_CBOR_INTEGER, &item) ||
            item.number != ALGORITHM_SHA256 ||
            !skrfs_lab_cbor_need(left, SKRFS_LAB_CBOR_OCTETS, &item) || item.bytes.len != 32)
        return false;
    cose->thumbprint = item.bytes;
    return true;
}

static bool read_numbered(struct skrfs_bytes *left, int64_t label, struct skrfs_lab_cose *cose) {
    struct skrfs_lab_cbor_item item;
    switch (label) {
    case LABEL_ALGORITHM:
        if (cose->algorithm || !skrfs_lab_cbor_need(left, SKRFS_LAB_CBOR_INTEGER, &item))
            return false;
        cose->algorithm = item.number;
        return true;
    case LABEL_CRITICAL:
        return false;
    case LABEL_CERTS:
        return read_certs(left, cose);
    case LABEL_THUMBPRINT:
        return !cose->thumbprint.data && read_thumbprint(left, cose);
    default:
        return skrfs_lab_cbor_skip(left);
    }
}

static bool is_text(struct skrfs_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

static bool read_named(
        struct skrfs_bytes *left, struct skrfs_bytes name, struct skrfs_lab_cose *cose) {
    struct skrfs_lab_cbor_item item;
    struct skrfs_bytes *place = is_text(name, "iss")    ? &cose->issuer
                                : is_text(name, "feed") ? &cose->feed
                                                        : NULL;
    if (!place)
        return skrfs_lab_cbor_skip(left);
    if (place->data || !skrfs_lab_cbor_need(left, SKRFS_LAB_CBOR_TEXT, &item))
        return false;
    *place = item.bytes;
    return true;
}

static bool read_protected(struct skrfs_bytes left, struct skrfs_lab_cose *cose) {
    struct skrfs_lab_cbor_item map;
    struct skrfs_lab_cbor_item label;
    if (!skrfs_lab_cbor_need(&left, SKRFS_LAB_CBOR_MAP, &map))
        return false;
    for (uint64_t i = 0; i < map.count; i++) {
        if (!skrfs_lab_cbor_next(&left, &label))
            return false;
        bool read =
                label.kind == SKRFS_LAB_CBOR_INTEGER
                        ? read_numbered(&left, label.number, cose)
                        : label.kind == SKRFS_LAB_CBOR_TEXT && read_named(&left, label.bytes, cose);
        if (!read)
            return false;
    }
    return left.len == 0;
}

/* 18([protected, unprotected, payload, signature]). */
static bool read_document(struct skrfs_bytes left, struct skrfs_lab_cose *cose) {
    struct skrfs_lab_cbor_item item;
    struct skrfs_bytes unprotected;
    if (!skrfs_lab_cbor_need(&left, SKRFS_LAB_CBOR_TAG, &item) || item.number != TAG_SIGN1 ||
            !skrfs_lab_cbor_need(&left, SKRFS_LAB_CBOR_ARRAY, &item) || item.count != 4 ||
            !skrfs_lab_cbor_need(&left, SKRFS_LAB_CBOR_OCTETS, &item))
        return false;
    cose->protected = item.bytes;
    unprotected = left;
    if (!skrfs_lab_cbor_need(&unprotected, SKRFS_LAB_CBOR_MAP, &item) ||
            !skrfs_lab_cbor_skip(&left) ||
            !skrfs_lab_cbor_need(&left, SKRFS_LAB_CBOR_OCTETS, &item))
        return false;
    cose->payload = item.bytes;
    if (!skrfs_lab_cbor_need(&left, SKRFS_LAB_CBOR_OCTETS, &item) || left.len > 0)
        return false;
    cose->signature = item.bytes;
    return read_protected(cose->protected, cose);
}

int skrfs_lab_cose_parse(
        struct skrfs_bytes document, struct skrfs_lab_cose *ret_cose, struct skrfs_error *err) {
    struct skrfs_lab_cose cose = {0};
    if (document.len > SKRFS_LAB_COSE_MAX || !read_document(document, &cose))
        return malformed(err);
    if (cose.algorithm != ALGORITHM_ES384 &&
            (cose.algorithm < ALGORITHM_PS512 || cose.algorithm > ALGORITHM_PS256))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "its algorithm is not known");
    if (cose.cert_count == 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "it has no certificates");
    *ret_cose = cose;
    return 0;
}

typedef size_t cbor_head_fn(size_t value, unsigned char *out, size_t size);

/* A head, and what follows it when that is not NULL. */
static int put(struct skrfs_buf *out, cbor_head_fn *head, size_t value, const void *contents,
        struct skrfs_error *err) {
    unsigned char octets[9];
    size_t len = head(value, octets, sizeof(octets));
    if (len == 0)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a CBOR head does not fit");
    if (skrfs_buf_append(out, octets, len, err) < 0)
        return -1;
    return contents ? skrfs_buf_append(out, contents, value, err) : 0;
}

static int put_octets(struct skrfs_buf *out, struct skrfs_bytes octets, struct skrfs_error *err) {
    return put(out, cbor_encode_bytestring_start, octets.len, octets.len ? octets.data : NULL, err);
}

static int put_text(struct skrfs_buf *out, const char *text, struct skrfs_error *err) {
    return put(out, cbor_encode_string_start, strlen(text), text, err);
}

/* What is signed: ["Signature1", protected, external data (none), payload]. */
static int signed_part(struct skrfs_bytes protected, struct skrfs_bytes payload,
        struct skrfs_buf *out, struct skrfs_error *err) {
    if (put(out, cbor_encode_array_start, 4, NULL, err) < 0 ||
            put_text(out, "Signature1", err) < 0 || put_octets(out, protected, err) < 0 ||
            put_octets(out, (struct skrfs_bytes){0}, err) < 0)
        return -1;
    return put_octets(out, payload, err);
}

static int check_signature(const struct skrfs_lab_cose *cose, const struct skrfs_pkey *key,
        struct skrfs_bytes text, struct skrfs_error *err) {
    switch (cose->algorithm) {
    case ALGORITHM_ES384:
        return skrfs_ecdsa_verify(key, SKRFS_SHA384, text, cose->signature, err);
    case ALGORITHM_PS256:
        return skrfs_pss_verify(key, SKRFS_SHA256, text, cose->signature, err);
    case ALGORITHM_PS384:
        return skrfs_pss_verify(key, SKRFS_SHA384, text, cose->signature, err);
    default:
        return skrfs_pss_verify(key, SKRFS_SHA512, text, cose->signature, err);
    }
}

static int check_thumbprint(const struct skrfs_lab_cose *cose, struct skrfs_error *err) {
    uint8_t digest[32];
    if (!cose->thumbprint.data)
        return 0;
    if (skrfs_hash(SKRFS_SHA256, cose->certs[0].data, cose->certs[0].len, digest, err) < 0)
        return -1;
    if (memcmp(digest, cose->thumbprint.data, sizeof(digest)) != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "its x5t is not its first certificate's thumbprint");
    return 0;
}

int skrfs_lab_cose_verify(const struct skrfs_lab_cose *cose, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(2 * SKRFS_LAB_COSE_MAX);
    skrfs_autochain *chain = NULL;
    skrfs_autopkey *key = NULL;
    if (check_thumbprint(cose, err) < 0 ||
            skrfs_chain_from_der(cose->certs, cose->cert_count, &chain, err) < 0 ||
            skrfs_chain_leaf_key(chain, &key, err) < 0 ||
            signed_part(cose->protected, cose->payload, &text, err) < 0)
        return -1;
    if (check_signature(cose, key, skrfs_buf_bytes(&text), err) < 0)
        return skrfs_wrap(err, "its signature");
    *ret_chain = skrfs_take(chain);
    return 0;
}

static int put_certs(
        const struct skrfs_chain *chain, struct skrfs_buf *out, struct skrfs_error *err) {
    size_t count = skrfs_chain_len(chain);
    if (put(out, cbor_encode_array_start, count, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
        if (skrfs_chain_der(chain, i, &der, err) < 0 ||
                put_octets(out, skrfs_buf_bytes(&der), err) < 0)
            return -1;
    }
    return 0;
}

static int protected_part(
        const struct skrfs_lab_cose_wish *wish, struct skrfs_buf *out, struct skrfs_error *err) {
    if (put(out, cbor_encode_map_start, 4, NULL, err) < 0 ||
            put(out, cbor_encode_uint, LABEL_ALGORITHM, NULL, err) < 0 ||
            put(out, cbor_encode_negint, (size_t)(-1 - ALGORITHM_ES384), NULL, err) < 0 ||
            put(out, cbor_encode_uint, LABEL_CERTS, NULL, err) < 0 ||
            put_certs(wish->chain, out, err) < 0 || put_text(out, "iss", err) < 0 ||
            put_text(out, wish->issuer, err) < 0 || put_text(out, "feed", err) < 0)
        return -1;
    return put_text(out, wish->feed, err);
}

int skrfs_lab_cose_sign(
        const struct skrfs_lab_cose_wish *wish, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf protected = SKRFS_BUF(SKRFS_LAB_COSE_MAX);
    skrfs_autobuf text = SKRFS_BUF(2 * SKRFS_LAB_COSE_MAX);
    skrfs_autobuf signature = SKRFS_BUF(96);
    if (protected_part(wish, &protected, err) < 0 ||
            signed_part(skrfs_buf_bytes(&protected), wish->payload, &text, err) < 0 ||
            skrfs_ecdsa_sign(wish->key, SKRFS_SHA384, skrfs_buf_bytes(&text), &signature, err) <
                    0 ||
            put(out, cbor_encode_tag, TAG_SIGN1, NULL, err) < 0 ||
            put(out, cbor_encode_array_start, 4, NULL, err) < 0 ||
            put_octets(out, skrfs_buf_bytes(&protected), err) < 0 ||
            put(out, cbor_encode_map_start, 0, NULL, err) < 0 ||
            put_octets(out, wish->payload, err) < 0)
        return -1;
    return put_octets(out, skrfs_buf_bytes(&signature), err);
}
