/* Intel SGX and TDX DCAP quoting libraries, "ECDSA 256-bit quote signature data". */
#include "refuse.h"
#include "verify.h"

#include <stdio.h>
#include <string.h>

#define CERTS_PCK_CHAIN 5
#define QE_REPORT_DATA_AT 320
#define QE_AUTH_MAX ((size_t)64 + UINT16_MAX)

/* The parts of a quote that prove something, whichever TEE it is of. */
struct proof {
    const char *what;
    struct skrfs_bytes signed_part;
    const struct skrfs_quote_proof *in; /* the quote itself */
};

static int failed(const struct proof *proof, const char *how, struct skrfs_error *err) {
    char text[160];
    (void)snprintf(text, sizeof(text), "%s %s", proof->what, how);
    return skrfs_lab_refuse_as(err, text);
}

static int check_signature(const struct proof *proof, struct skrfs_error *err) {
    struct skrfs_public public = {.type = SKRFS_KEY_EC, .curve = SKRFS_P256, .xy_len = 32};
    skrfs_autopkey *key = NULL;
    memcpy(public.x, proof->in->key.data, 32);
    memcpy(public.y, proof->in->key.data + 32, 32);
    if (skrfs_pkey_from_public(&public, &key, err) < 0 ||
            skrfs_ecdsa_verify(key, SKRFS_SHA256, proof->signed_part, proof->in->signature, err) <
                    0)
        return failed(proof, "is not signed by its attestation key", err);
    return 0;
}

/* The quoting enclave's report names the key: SHA-256(key || authentication data), then zeros. */
static int check_named(const struct proof *proof, struct skrfs_error *err) {
    skrfs_autobuf bound = SKRFS_BUF(QE_AUTH_MAX);
    uint8_t digest[64] = {0};
    if (skrfs_buf_append(&bound, proof->in->key.data, proof->in->key.len, err) < 0 ||
            skrfs_buf_append(&bound, proof->in->qe_auth.data, proof->in->qe_auth.len, err) < 0 ||
            skrfs_hash(SKRFS_SHA256, bound.data, bound.len, digest, err) < 0)
        return -1;
    if (memcmp(digest, proof->in->qe_report.data + QE_REPORT_DATA_AT, sizeof(digest)) != 0)
        return skrfs_lab_rejected(
                err, "%s's attestation key is not the quoting enclave's", proof->what);
    return 0;
}

static int check_chain(const struct proof *proof, const struct skrfs_chain *root, bool *ret_real,
        struct skrfs_error *err) {
    skrfs_autochain *chain = NULL;
    skrfs_autopkey *pck = NULL;
    size_t len = proof->in->certs.len;
    while (len > 0 && proof->in->certs.data[len - 1] == 0) /* Azure's end with a NUL */
        len--;
    if (skrfs_chain_from_pem((const char *)proof->in->certs.data, len, &chain, err) < 0)
        return failed(proof, "has certificates that cannot be read", err);
    if (skrfs_lab_chain_check(
                chain, root, SKRFS_LAB_INTEL, "the quote's certificate chain", ret_real, err) < 0)
        return -1;
    if (skrfs_chain_leaf_key(chain, &pck, err) < 0 ||
            skrfs_ecdsa_verify(
                    pck, SKRFS_SHA256, proof->in->qe_report, proof->in->qe_signature, err) < 0)
        return failed(proof, "has a quoting enclave's report that this platform did not sign", err);
    return 0;
}

static int check(const struct proof *proof, const struct skrfs_chain *root, bool *ret_real,
        struct skrfs_error *err) {
    if (!proof->in->qe_report.data)
        return skrfs_lab_rejected(err, "%s has no quoting enclave's report", proof->what);
    if (proof->in->cert_type != CERTS_PCK_CHAIN)
        return skrfs_lab_rejected(
                err, "OE_MISSING_CERTIFICATE_CHAIN: %s has no PCK certificate chain", proof->what);
    if (check_chain(proof, root, ret_real, err) < 0 || check_named(proof, err) < 0)
        return -1;
    return check_signature(proof, err);
}

int skrfs_lab_td_verify(struct skrfs_bytes quote, const struct skrfs_chain *root,
        struct skrfs_td_quote *ret_quote, bool *ret_real, struct skrfs_error *err) {
    struct skrfs_td_quote parsed;
    if (skrfs_td_quote_parse(quote, &parsed, err) < 0)
        return skrfs_lab_refuse_as(err, "the TD quote");
    const struct proof proof = {.what = "the TD quote",
            .signed_part = {quote.data, parsed.signed_len},
            .in = &parsed.proof};
    if (check(&proof, root, ret_real, err) < 0)
        return -1;
    *ret_quote = parsed;
    return 0;
}

int skrfs_lab_sgx_verify(struct skrfs_bytes quote, const struct skrfs_chain *root,
        struct skrfs_sgx_quote *ret_quote, bool *ret_real, struct skrfs_error *err) {
    struct skrfs_sgx_quote parsed;
    if (skrfs_sgx_quote_parse(quote, &parsed, err) < 0)
        return skrfs_lab_refuse_as(err, "the SGX quote");
    const struct proof proof = {.what = "the SGX quote",
            .signed_part = {quote.data, parsed.signed_len},
            .in = &parsed.proof};
    if (check(&proof, root, ret_real, err) < 0)
        return -1;
    *ret_quote = parsed;
    return 0;
}
