#include "bytes.h"
#include "quote.h"

#include <skrfs/evidence/sgx.h>

/* Intel SGX ECDSA quote library reference, version 3: header, then the enclave's report body. */
enum {
    VERSION = 3,
    TEE_SGX = 0,
    SIGNED_LEN = 432,
    AT_FLAGS = 96,
    AT_MRENCLAVE = 112,
    AT_MRSIGNER = 176,
    AT_CONFIG_ID = 240,
    AT_PRODUCT_ID = 304,
    AT_SVN = 306,
    AT_REPORT_DATA = 368,
};

#define FLAG_DEBUG ((uint64_t)1 << 1)

static int check_header(struct skrfs_bytes quote, struct skrfs_error *err) {
    if (quote.len > SKRFS_SGX_QUOTE_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the SGX quote is too long: %zu octets", quote.len);
    if (quote.len < SIGNED_LEN + sizeof(uint32_t))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the SGX quote is truncated");
    unsigned version = get16(quote.data + QUOTE_AT_VERSION);
    if (version != VERSION)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the SGX quote has version %u, not 3", version);
    /* Version 3 says nothing there but zero; later ones name the TEE. */
    if (get32(quote.data + QUOTE_AT_TEE) != TEE_SGX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the quote is not an SGX quote");
    if (get16(quote.data + QUOTE_AT_KEY_TYPE) != QUOTE_KEY_ECDSA_P256)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the quote's attestation key is not ECDSA P-256");
    return 0;
}

static void read_body(const uint8_t *quote, struct skrfs_sgx_quote *sgx) {
    sgx->version = get16(quote + QUOTE_AT_VERSION);
    sgx->flags = get64(quote + AT_FLAGS);
    sgx->debug = (sgx->flags & FLAG_DEBUG) != 0;
    memcpy(sgx->mrenclave, quote + AT_MRENCLAVE, sizeof(sgx->mrenclave));
    memcpy(sgx->mrsigner, quote + AT_MRSIGNER, sizeof(sgx->mrsigner));
    memcpy(sgx->config_id, quote + AT_CONFIG_ID, sizeof(sgx->config_id));
    memcpy(sgx->report_data, quote + AT_REPORT_DATA, sizeof(sgx->report_data));
    sgx->product_id = get16(quote + AT_PRODUCT_ID);
    sgx->svn = get16(quote + AT_SVN);
}

int skrfs_sgx_quote_parse(
        struct skrfs_bytes quote, struct skrfs_sgx_quote *ret_quote, struct skrfs_error *err) {
    struct skrfs_quote_proof proof;
    if (check_header(quote, err) < 0)
        return -1;
    size_t at = SIGNED_LEN + sizeof(uint32_t);
    uint32_t len = get32(quote.data + SIGNED_LEN);
    if (len > quote.len - at)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the SGX quote is truncated");
    if (quote_proof_parse((struct skrfs_bytes){quote.data + at, len}, false, &proof, err) < 0)
        return -1;
    struct skrfs_sgx_quote parsed = {
            .signed_len = SIGNED_LEN,
            .total_len = at + len,
            .proof = proof,
    };
    read_body(quote.data, &parsed);
    *ret_quote = parsed;
    return 0;
}

int skrfs_sgx_quote_verify(struct skrfs_bytes quote, const struct skrfs_sgx_quote *parsed,
        struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    struct skrfs_bytes body = {quote.data, parsed->signed_len};
    if (quote_proof_check_body(body, &parsed->proof, err) < 0)
        return skrfs_wrap(err, "the SGX quote");
    return quote_proof_check_chain(&parsed->proof, ret_chain, err);
}
