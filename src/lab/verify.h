/* The attestation service's look at a processor's evidence: signatures and certificates, down to
 * the maker's root. A second opinion beside the product's own checks. Pure; thread safe. Refusals
 * are REJECTED with the reason. */
#ifndef SKRFS_LAB_VERIFY_H
#define SKRFS_LAB_VERIFY_H

#include "roots.h"

#include <skrfs/evidence/sgx.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>

/* An SNP report is signed by the chain's leaf, a VCEK or VLEK as the report says, made for the
 * report's chip and reported TCB. *ret_real: down to AMD's own root. */
int skrfs_lab_snp_verify(struct skrfs_bytes report, struct skrfs_bytes chain_pem,
        const struct skrfs_chain *ark, struct skrfs_snp *ret_snp, bool *ret_real,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A quote is signed by its attestation key, that key named by the quoting enclave, and that
 * enclave's report signed by the processor. Views in *ret_quote live as long as the quote's octets.
 */
int skrfs_lab_td_verify(struct skrfs_bytes quote, const struct skrfs_chain *root,
        struct skrfs_td_quote *ret_quote, bool *ret_real, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_lab_sgx_verify(struct skrfs_bytes quote, const struct skrfs_chain *root,
        struct skrfs_sgx_quote *ret_quote, bool *ret_real,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
