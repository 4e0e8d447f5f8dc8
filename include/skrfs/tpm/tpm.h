/* The TPM, over tpm2-tss: only what an Azure confidential VM's evidence needs. Password
 * sessions with the empty owner password, as the platform sets it up. Nothing stays loaded between
 * calls: every transient object and session is flushed. One connection, one command at a time:
 * calls on one object are serialised inside, so it is thread safe.
 *
 * Errors: a TSS2 response code is kept in `upstream`. TPM_RC_RETRY and its kin are retried a few
 * times, then UNAVAILABLE and retryable. A handle that does not exist is NO_TEE; an index that was
 * defined but never written (0x14A) is UNAVAILABLE and retryable; a changed PCR or an unknown
 * wrapped key is CRYPTO. */
#ifndef SKRFS_TPM_TPM_H
#define SKRFS_TPM_TPM_H

#include <skrfs/base/secret.h>

#define SKRFS_TPM_PCRS 8                     /* PCR 0 to 7 of the SHA-256 bank */
#define SKRFS_TPM_NV_MAX ((size_t)16 * 1024) /* largest index that is read */
#define SKRFS_TPM_BLOB_MAX 1024              /* largest public area, attestation or signature */
#define SKRFS_TPM_NV_HCL_REPORT 0x01400001U
#define SKRFS_TPM_NV_USER_DATA 0x01400002U
#define SKRFS_TPM_NV_AK_CERT 0x01C101D0U
#define SKRFS_TPM_AK 0x81000003U
#define SKRFS_TPM_DEFAULT_TCTI "device:/dev/tpmrm0"
/* Largest saved context that is kept: a TPM's longest answer, 4096 octets, and what ESYS adds,
 * which is the public area. */
#define SKRFS_TPM_CONTEXT_MAX 4608

struct skrfs_tpm;

/* A small blob from the TPM. */
struct skrfs_tpm_blob {
    size_t len;
    uint8_t data[SKRFS_TPM_BLOB_MAX];
};

/* An attestation and the raw signature over it (RSASSA, as many octets as the modulus). */
struct skrfs_tpm_attestation {
    struct skrfs_tpm_blob attest; /* TPMS_ATTEST, without its TPM2B size */
    struct skrfs_tpm_blob signature;
};

/* A loaded key as the TPM gave it out, to load it again: encrypted by the TPM, of no use after a
 * reset or to another TPM. No secret. */
struct skrfs_tpm_context {
    size_t len; /* 0: none was kept */
    uint8_t data[SKRFS_TPM_CONTEXT_MAX];
};

/* The ephemeral, PCR-bound decryption key: an RSA-2048 primary in the NULL hierarchy whose private
 * half never leaves the TPM unencrypted. For each use it is loaded from its context, or made anew,
 * bit for bit, from the same template and the same seed when the TPM does not take that. */
struct skrfs_tpm_ephemeral {
    struct skrfs_tpm_blob public; /* TPM2B_PUBLIC with its size */
    uint8_t modulus[256];
    uint8_t pcr_digest[32];           /* SHA-256 over PCR 0 to 7: its policy */
    uint8_t unique[256];              /* the template's unique field: a new value makes a new key */
    struct skrfs_tpm_context context; /* another one with each making of the same key */
};

/* Opens the TPM named by a TCTI configuration ("device:/dev/tpmrm0", "swtpm:host=...,port=..."), or
 * the default for NULL. No TPM there is NO_TEE, one that this process may not open is SYSTEM. Sets
 * TSS2_LOG to "all+NONE" in the environment, whatever it was, so that libtss2 writes neither its
 * troubles nor what the TPM decrypted to standard error: call it before other threads read the
 * environment. */
int skrfs_tpm_open(
        const char *tcti, struct skrfs_tpm **ret_tpm, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Talks to a TPM through a connected SOCK_STREAM or SEQPACKET descriptor that carries whole
 * commands and responses (the relay, see tpm/relay.h); takes the descriptor over when it succeeds.
 */
int skrfs_tpm_open_fd(int fd, struct skrfs_tpm **ret_tpm, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_tpm_close(struct skrfs_tpm *tpm);
SKRFS_DEFINE_CLEANUP(struct skrfs_tpm, skrfs_tpm_close)

/* Reads a whole index, its size from NV_ReadPublic, in pieces no larger than the TPM's own limit,
 * from offset 0 up. */
int skrfs_tpm_nv_read(struct skrfs_tpm *tpm, uint32_t index, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The SHA-256 values of PCR 0 to 7. */
int skrfs_tpm_pcr_read(struct skrfs_tpm *tpm, uint8_t ret_pcrs[SKRFS_TPM_PCRS][32],
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Public area of a persistent key: TPM2B_PUBLIC with its size, and the RSA modulus. */
int skrfs_tpm_read_public(struct skrfs_tpm *tpm, uint32_t handle, struct skrfs_tpm_blob *ret_public,
        uint8_t ret_modulus[256], struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Quote of PCR 0 to 7 by the AK, no qualifying data, the AK's own scheme. */
int skrfs_tpm_quote(struct skrfs_tpm *tpm, uint32_t ak, struct skrfs_tpm_attestation *ret_quote,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Makes the ephemeral key for the given PCR values and has the AK certify it. `unique` NULL: all
 * zeros. */
int skrfs_tpm_ephemeral(struct skrfs_tpm *tpm, uint32_t ak, const uint8_t pcrs[SKRFS_TPM_PCRS][32],
        const uint8_t unique[256], struct skrfs_tpm_ephemeral *ret_key,
        struct skrfs_tpm_attestation *ret_certified, struct skrfs_error *err) SKRFS_MUST_CHECK;

enum skrfs_tpm_scheme {
    SKRFS_TPM_RSAES,
    SKRFS_TPM_OAEP_SHA1,
    SKRFS_TPM_OAEP_SHA256,
    SKRFS_TPM_OAEP_SHA384
};
/* Decrypts with the ephemeral key (loaded, or made again and compared with `key`; policy session
 * over PCR 0 to 7), straight into secret memory. A TPM that no longer makes the same key (reboot)
 * or whose PCRs changed is CRYPTO and says so; SHA-384 on a TPM without it is CONFIG. */
int skrfs_tpm_decrypt(struct skrfs_tpm *tpm, const struct skrfs_tpm_ephemeral *key,
        enum skrfs_tpm_scheme scheme, struct skrfs_bytes cipher, struct skrfs_secret **ret_plain,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
