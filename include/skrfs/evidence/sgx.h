/* An SGX enclave's quote (Intel SGX DCAP quoting library, version 3), and Open Enclave's wrappings
 * of it. Pure, thread safe. */
#ifndef SKRFS_EVIDENCE_SGX_H
#define SKRFS_EVIDENCE_SGX_H

#include <skrfs/crypto/x509.h>
#include <skrfs/evidence/quote.h>

#define SKRFS_SGX_QUOTE_MAX ((size_t)64 * 1024)

struct skrfs_sgx_quote {
    unsigned version;
    size_t signed_len; /* octets that the attestation key signs: header and body, 432 */
    size_t total_len;  /* declared length; octets behind it are padding */
    uint64_t flags;    /* attributes */
    bool debug;        /* attributes bit 1 */
    uint8_t mrenclave[32], mrsigner[32], config_id[64], report_data[64];
    uint16_t product_id, svn;
    struct skrfs_quote_proof proof;
};

/* Takes a quote apart into views that live as long as `quote`. Malformed, of another version or
 * TEE, or with another attestation key than ECDSA P-256 is BAD_ANSWER. */
int skrfs_sgx_quote_parse(struct skrfs_bytes quote, struct skrfs_sgx_quote *ret_quote,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* What a quote (SGX, or TDX with its inner certification data) proves by itself: the attestation
 * key signed it, the quoting enclave's report names that key, the PCK leaf signed that report, and
 * the chain's links hold. *ret_chain (may be NULL) is the PCK chain, leaf first: whether its root
 * is Intel's is for the caller. BAD_ANSWER says which does not hold. */
int skrfs_sgx_quote_verify(struct skrfs_bytes quote, const struct skrfs_sgx_quote *parsed,
        struct skrfs_chain **ret_chain, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The quote in an Open Enclave report (header of 16 octets) or evidence (of 28, format SGX ECDSA),
 * or of the octets themselves when they are a quote already; what is behind its declared length is
 * not part of it. `ret_claims` (may be NULL) gets the custom claims behind an evidence's quote,
 * nothing of the others. Views into `data`. BAD_ANSWER. */
int skrfs_oe_unwrap(struct skrfs_bytes data, struct skrfs_bytes *ret_quote,
        struct skrfs_bytes *ret_claims, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
