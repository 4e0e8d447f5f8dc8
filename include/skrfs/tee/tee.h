/* Trusted execution environments. One file per TEE in src/tee, each a const table of operations;
 * the list in src/tee/tee.c. Nothing ever falls back to weaker evidence: a TEE that was detected
 * and then fails is an error. Thread safe: an instance serialises its device. */
#ifndef SKRFS_TEE_TEE_H
#define SKRFS_TEE_TEE_H

#include <skrfs/base/trace.h>
#include <skrfs/crypto/wrap.h>
#include <skrfs/evidence/evidence.h>
#include <skrfs/tpm/tpm.h>

struct skrfs_tee; /* an opened TEE */

struct skrfs_tee_options {
    struct skrfs_tpm *tpm; /* an open TPM, not owned; NULL when the machine has none */
    const char *event_log; /* path of the measured boot log; NULL: the kernel's place; "none" */
    const struct skrfs_buf
            *event_log_read; /* what skrfs_tee_event_log() gave for it; NULL: open reads it */
};

/* Reads the measured boot log at such a path into `out` (limit SKRFS_EVENT_LOG_MAX): once, since it
 * does not change after the boot, and before a sandbox closes. A log that is not there is empty:
 * the service takes none too. One that is there and cannot be read is an error. */
int skrfs_tee_event_log(
        const char *path, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Which wrapping key: made by skrfs_tee_collect, needed again to open what was sealed to it. */
struct skrfs_tee_key {
    struct skrfs_tpm_ephemeral tpm; /* azure-cvm */
    char kid[64];                   /* its name in the token: "TpmEphemeralEncryptionKey" */
};

struct skrfs_tee_ops {
    const char *name; /* "azure-cvm" */
    /* Evidence bound to a wrapping key. `nonce` goes into the token. `fresh` wants a key never used
     * before; otherwise it is the one of the last collect, as long as boot measurements and TPM are
     * the same. `trace` may be NULL; *ret_evidence is overwritten, not freed. Evidence that
     * contradicts itself is REJECTED, what the platform has not provisioned yet is UNAVAILABLE and
     * retryable. */
    int (*collect)(struct skrfs_tee *tee, const char *nonce, bool fresh, struct skrfs_trace *trace,
            struct skrfs_evidence *ret_evidence, struct skrfs_tee_key *ret_key,
            struct skrfs_error *err);
    /* Opens the sealed token; its text is appended to `out`. A token not sealed to this key is
     * CRYPTO, in the same words whatever was wrong with it. */
    int (*open_token)(struct skrfs_tee *tee, const struct skrfs_tee_key *key,
            const struct skrfs_sealed_token *sealed, struct skrfs_buf *out,
            struct skrfs_error *err);
    /* Unwraps a released key: RSA-OAEP block of the modulus's length, then AES-KWP. Too short for
     * that is BAD_ANSWER, wrapped to another key or damaged is CRYPTO. */
    int (*unwrap)(struct skrfs_tee *tee, const struct skrfs_tee_key *key, enum skrfs_enc enc,
            struct skrfs_bytes wrapped, struct skrfs_secret **ret_plain, struct skrfs_error *err);
    void (*close)(struct skrfs_tee *tee);
};

/* Every instance begins with its operations. */
struct skrfs_tee {
    const struct skrfs_tee_ops *ops;
};

/* Opens the machine's TEE: today azure-cvm or NO_TEE with the reason. Reads the report once, so
 * that a machine that is none is told so at start, and the boot log: nothing but the TPM is used
 * afterwards. */
int skrfs_tee_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_tee_close(struct skrfs_tee *tee);
SKRFS_DEFINE_CLEANUP(struct skrfs_tee, skrfs_tee_close)

#endif
