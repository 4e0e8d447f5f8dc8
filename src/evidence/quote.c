#include "quote.h"

#include "bytes.h"

#include <skrfs/crypto/hash.h>

enum {
    SIGNATURE_LEN = 64,
    KEY_LEN = 64,
    REPORT_LEN = 384,
    IN_REPORT_DATA = 320,
    REPORT_DATA_LEN = 64,
    COORDINATE_LEN = 32,
};

/* Reads on; what does not fit makes it broken for good. */
struct cursor {
    struct skrfs_bytes left;
    bool broken;
};

static struct skrfs_bytes take(struct cursor *cursor, size_t len) {
    struct skrfs_bytes taken = {cursor->left.data, len};
    if (cursor->broken || len > cursor->left.len) {
        cursor->broken = true;
        return (struct skrfs_bytes){0};
    }
    cursor->left.data += len;
    cursor->left.len -= len;
    return taken;
}

static unsigned take16(struct cursor *cursor) {
    struct skrfs_bytes taken = take(cursor, 2);
    return taken.data ? get16(taken.data) : 0;
}

static uint32_t take32(struct cursor *cursor) {
    struct skrfs_bytes taken = take(cursor, 4);
    return taken.data ? get32(taken.data) : 0;
}

static void take_qe(struct cursor *cursor, struct skrfs_quote_proof *proof) {
    proof->qe_report = take(cursor, REPORT_LEN);
    proof->qe_signature = take(cursor, SIGNATURE_LEN);
    proof->qe_auth = take(cursor, take16(cursor));
}

static void take_certs(struct cursor *cursor, struct skrfs_quote_proof *proof) {
    proof->cert_type = take16(cursor);
    proof->certs = take(cursor, take32(cursor));
}

int quote_proof_parse(struct skrfs_bytes data, bool nested, struct skrfs_quote_proof *ret_proof,
        struct skrfs_error *err) {
    struct cursor cursor = {.left = data};
    struct skrfs_quote_proof proof = {0};
    proof.signature = take(&cursor, SIGNATURE_LEN);
    proof.key = take(&cursor, KEY_LEN);
    if (!nested)
        take_qe(&cursor, &proof);
    take_certs(&cursor, &proof);
    if (!cursor.broken && nested && proof.cert_type == QUOTE_CERTS_QE_REPORT) {
        cursor.left = proof.certs;
        take_qe(&cursor, &proof);
        take_certs(&cursor, &proof);
    }
    if (cursor.broken)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the quote's signature data is truncated");
    *ret_proof = proof;
    return 0;
}

static int attestation_key(const struct skrfs_quote_proof *proof, struct skrfs_pkey **ret_key,
        struct skrfs_error *err) {
    struct skrfs_public public = {
            .type = SKRFS_KEY_EC, .curve = SKRFS_P256, .xy_len = COORDINATE_LEN};
    memcpy(public.x, proof->key.data, COORDINATE_LEN);
    memcpy(public.y, proof->key.data + COORDINATE_LEN, COORDINATE_LEN);
    if (skrfs_pkey_from_public(&public, ret_key, err) == 0)
        return 0;
    if (err->kind != SKRFS_CLASS_NO_MEMORY)
        err->kind = SKRFS_CLASS_BAD_ANSWER;
    return skrfs_wrap(err, "the quote's attestation key");
}

int quote_proof_check_body(
        struct skrfs_bytes body, const struct skrfs_quote_proof *proof, struct skrfs_error *err) {
    skrfs_autopkey *key = NULL;
    if (attestation_key(proof, &key, err) < 0)
        return -1;
    return skrfs_ecdsa_verify(key, SKRFS_SHA256, body, proof->signature, err);
}

/* The quoting enclave's report data is SHA-256(attestation key || authentication data), then zeros.
 */
static int check_vouching(const struct skrfs_quote_proof *proof, struct skrfs_error *err) {
    skrfs_autobuf named = SKRFS_BUF((size_t)KEY_LEN + UINT16_MAX);
    uint8_t wanted[REPORT_DATA_LEN] = {0};
    if (skrfs_buf_append(&named, proof->key.data, proof->key.len, err) < 0 ||
            skrfs_buf_append(&named, proof->qe_auth.data, proof->qe_auth.len, err) < 0 ||
            skrfs_hash(SKRFS_SHA256, named.data, named.len, wanted, err) < 0)
        return -1;
    if (memcmp(proof->qe_report.data + IN_REPORT_DATA, wanted, sizeof(wanted)) != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the quoting enclave's report is not about the quote's attestation key");
    return 0;
}

/* Azure's quotes end their chain with a NUL. */
static int pck_chain(const struct skrfs_quote_proof *proof, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) {
    size_t len = proof->certs.len;
    while (len > 0 && proof->certs.data[len - 1] == 0)
        len--;
    if (skrfs_chain_from_pem((const char *)proof->certs.data, len, ret_chain, err) < 0)
        return skrfs_wrap(err, "the quote's processor certificates");
    return 0;
}

int quote_proof_check_chain(const struct skrfs_quote_proof *proof, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) {
    skrfs_autochain *chain = NULL;
    skrfs_autopkey *leaf = NULL;
    if (proof->cert_type != QUOTE_CERTS_PCK_CHAIN || !proof->qe_report.data)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the quote has no certificate chain of its processor (certification data of type "
                "%u)",
                proof->cert_type);
    if (check_vouching(proof, err) < 0 || pck_chain(proof, &chain, err) < 0)
        return -1;
    if (skrfs_chain_leaf_key(chain, &leaf, err) < 0)
        return skrfs_wrap(err, "the quote's processor certificates");
    if (skrfs_ecdsa_verify(leaf, SKRFS_SHA256, proof->qe_report, proof->qe_signature, err) < 0)
        return skrfs_wrap(err, "the quoting enclave's report");
    if (skrfs_chain_verify_links(chain, err) < 0)
        return skrfs_wrap(err, "the quote's processor certificates");
    if (ret_chain)
        *ret_chain = skrfs_take(chain);
    return 0;
}
