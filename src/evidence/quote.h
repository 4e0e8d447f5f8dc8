/* Of both kinds of quotes: their headers' fields, and what their proofs are parsed and verified
 * with. */
#ifndef SKRFS_SRC_EVIDENCE_QUOTE_H
#define SKRFS_SRC_EVIDENCE_QUOTE_H

#include <skrfs/crypto/x509.h>
#include <skrfs/evidence/quote.h>

enum {
    QUOTE_AT_VERSION = 0,
    QUOTE_AT_KEY_TYPE = 2,
    QUOTE_AT_TEE = 4,
    QUOTE_HEADER_LEN = 48,
    QUOTE_KEY_ECDSA_P256 = 2,
    QUOTE_CERTS_PCK_CHAIN = 5, /* PEM, leaf first */
    QUOTE_CERTS_QE_REPORT = 6, /* the quoting enclave's report, then certification data again */
};

/* Takes the signature data apart: of SGX (the QE's report follows the key at once) or of TDX (it is
 * certification data of type 6). BAD_ANSWER when a length does not fit. */
int quote_proof_parse(struct skrfs_bytes data, bool nested, struct skrfs_quote_proof *ret_proof,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The attestation key signed `body`. */
int quote_proof_check_body(struct skrfs_bytes body, const struct skrfs_quote_proof *proof,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The quoting enclave vouches for the key, the processor's certificate for the quoting enclave, and
 * the chain's links hold. */
int quote_proof_check_chain(const struct skrfs_quote_proof *proof, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
