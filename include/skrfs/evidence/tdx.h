/* Intel TDX: the TD report of an HCL report and the TD quote made of it (Intel TDX DCAP quoting
 * library, quote versions 4 and 5). Pure, thread safe. */
#ifndef SKRFS_EVIDENCE_TDX_H
#define SKRFS_EVIDENCE_TDX_H

#include <skrfs/crypto/x509.h>
#include <skrfs/evidence/hcl.h>
#include <skrfs/evidence/quote.h>

#define SKRFS_TD_QUOTE_MAX ((size_t)64 * 1024)

struct skrfs_td_quote {
    unsigned version;
    size_t signed_len; /* octets that the attestation key signs: header and body */
    size_t total_len;  /* declared length; octets behind it are padding */
    uint8_t report_data[64], mrtd[48], mrconfigid[48], rtmr[4][48];
    uint64_t attributes; /* bit 0: debug */
    struct skrfs_quote_proof proof;
};

/* The 64 octets of report data of a TD report; one that does not begin as TD reports do is
 * BAD_ANSWER. */
int skrfs_td_report_data(
        struct skrfs_bytes report, uint8_t ret_data[64], struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Takes a quote apart, version 4 or 5, into views that live as long as `quote`. Octets behind the
 * declared end are padding (the platform's answers have it). Malformed, another TEE's or with
 * another attestation key than ECDSA P-256 is BAD_ANSWER. */
int skrfs_td_quote_parse(struct skrfs_bytes quote, struct skrfs_td_quote *ret_quote,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The signature by the attestation key in the quote (the chain behind that key is the service's
 * part); a wrong one is BAD_ANSWER. */
int skrfs_td_quote_verify(struct skrfs_bytes quote, const struct skrfs_td_quote *parsed,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* That, and what skrfs_sgx_quote_verify says of the quoting enclave and its chain. */
int skrfs_td_quote_verify_chain(struct skrfs_bytes quote, const struct skrfs_td_quote *parsed,
        struct skrfs_chain **ret_chain, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
