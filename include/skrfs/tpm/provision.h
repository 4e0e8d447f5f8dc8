/* Setting a software TPM up as the platform sets up the vTPM of a confidential VM: for the lab. */
#ifndef SKRFS_TPM_PROVISION_H
#define SKRFS_TPM_PROVISION_H

#include <skrfs/tpm/tpm.h>

/* Makes an attestation key as Azure's (RSA-2048, restricted, RSASSA-SHA256) and keeps it at
 * SKRFS_TPM_AK. */
int skrfs_tpm_make_ak(struct skrfs_tpm *tpm, struct skrfs_tpm_blob *ret_public,
        uint8_t ret_modulus[256], struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Defines an index of `size` octets that the owner reads and writes, unless there is one, and
 * writes `data`, zero padded. One of another size is removed first. */
int skrfs_tpm_nv_define(struct skrfs_tpm *tpm, uint32_t index, struct skrfs_bytes data, size_t size,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Extends a PCR of the SHA-256 bank. */
int skrfs_tpm_pcr_extend(struct skrfs_tpm *tpm, unsigned pcr, const uint8_t digest[32],
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
