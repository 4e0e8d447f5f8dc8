/* Reading what a TPM attested: TPMS_ATTEST and TPM2B_PUBLIC (TPM 2.0 Library, Part 2). Pure, thread
 * safe; but libtss2 writes a line to standard error about malformed input, unless TSS2_LOG says
 * otherwise, as it does once skrfs_tpm_open was called. */
#ifndef SKRFS_TPM_ATTEST_H
#define SKRFS_TPM_ATTEST_H

#include <skrfs/base/buf.h>

enum skrfs_attest_kind { SKRFS_ATTEST_QUOTE, SKRFS_ATTEST_CERTIFY };

struct skrfs_attest {
    enum skrfs_attest_kind kind;
    size_t extra_len; /* qualifying data */
    uint8_t extra[64];
    bool pcrs_0_to_7_only; /* quote: exactly PCR 0 to 7 of the SHA-256 bank */
    uint32_t pcr_mask;     /* quote: the SHA-256 bank's selection, PCR 0 is bit 0 */
    size_t digest_len;     /* quote: pcrDigest */
    uint8_t digest[64];
    size_t name_len; /* certify: name of the certified object */
    uint8_t name[66];
};

/* Parses to the exact end; the magic must be TPM_GENERATED. Anything else is BAD_ANSWER. */
int skrfs_attest_parse(struct skrfs_bytes data, struct skrfs_attest *ret_attest,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

struct skrfs_tpm_rsa_public {
    uint32_t attributes; /* TPMA_OBJECT */
    uint8_t name[34];    /* nameAlg SHA-256 and the digest of the public area */
    size_t policy_len;
    uint8_t policy[64]; /* authPolicy */
    uint8_t modulus[256];
    uint32_t exponent; /* 0 means 65537 */
};
/* Parses a TPM2B_PUBLIC (with its size) of an RSA-2048 key with nameAlg SHA-256; exact end. */
int skrfs_tpm_public_parse(struct skrfs_bytes data, struct skrfs_tpm_rsa_public *ret_public,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The policy digest of PolicyPCR over PCR 0 to 7 (SHA-256) with these values, as the TPM computes
 * it. */
int skrfs_tpm_pcr_policy(const uint8_t pcr_digest[32], uint8_t ret_policy[32],
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
