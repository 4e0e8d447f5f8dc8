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

/* What detection looked at, for people: filled in the order of looking. */
#define SKRFS_TEE_LOOKS_MAX 16
struct skrfs_tee_look {
    char what[96];   /* "/dev/sev-guest", "TPM index 0x01400001" */
    char found[256]; /* "a SEV-SNP report bound to its claims", "not there" */
    bool there;
    bool failed; /* there, and cannot be used */
};
struct skrfs_tee_looks {
    struct skrfs_tee_look looks[SKRFS_TEE_LOOKS_MAX];
    size_t count;
    char chosen[256]; /* "azure-cvm: the TPM holds ..."; "" when none was */
};

/* Every path NULL: the kernel's or the platform's own place. All strings are borrowed until
 * skrfs_tee_close. */
struct skrfs_tee_options {
    const char *kind;        /* NULL or "auto": detected; else one of skrfs_tee_names */
    const char *tsm;         /* configfs-tsm's folder: /sys/kernel/config/tsm/report */
    const char *device;      /* SNP: /dev/sev-guest, then /dev/sev */
    const char *attestation; /* SGX: Gramine's folder /dev/attestation */
    const char *context; /* SNP: the UVM security context's folder; NULL: $UVM_SECURITY_CONTEXT_DIR,
                            /security-context-*, Kata's place; "none" */
    const char *certificates_file; /* SNP: a chain, PEM or the leaf's DER; NULL: none */
    const char *init_data_file;    /* NULL: none */
    bool allow_debug;              /* take a debug guest's or enclave's evidence for good */
    struct skrfs_tee_looks *looks; /* NULL unless somebody wants to know */
    struct skrfs_tpm *tpm;         /* an open TPM, not owned; NULL when the machine has none */
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
    struct skrfs_pkey *rsa;         /* the others: in secret memory; one reference, else NULL */
    char kid[64];                   /* its name in the token: "TpmEphemeralEncryptionKey" */
};
/* Gives the reference back and wipes. */
void skrfs_tee_key_done(struct skrfs_tee_key *key);

struct skrfs_tee_ops {
    const char *name; /* "azure-cvm" */
    /* Evidence bound to a wrapping key. `nonce` goes into the token. `fresh` wants a key never used
     * before; otherwise it is the one of the last collect, as long as boot measurements and TPM are
     * the same; with hardware that the guest asks itself, its report over that key too may be the
     * one of the last minute. `trace` may be NULL; *ret_evidence and *ret_key are overwritten, not
     * freed. May take a minute: firmware answers one guest at a time. Evidence that contradicts
     * itself is REJECTED, what the platform has not provisioned yet is UNAVAILABLE and retryable.
     */
    int (*collect)(struct skrfs_tee *tee, const char *nonce, bool fresh, struct skrfs_trace *trace,
            struct skrfs_evidence *ret_evidence, struct skrfs_tee_key *ret_key,
            struct skrfs_error *err);
    /* Opens the token; its text is appended to `out`. azure-cvm takes sealed ones alone: one not
     * sealed to this key is CRYPTO, in the same words whatever was wrong with it. The others take
     * clear ones alone: a sealed one is BAD_ANSWER. */
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
    /* What collect needs beyond descriptors that are open already and read and write on them: what
     * a sandbox must leave. */
    const char *dir; /* below it folders are made and removed, files read and written; NULL: none */
    const unsigned long *ioctls; /* on descriptors that are open */
    size_t ioctl_count;
};

/* "azure-cvm", "snp", "tdx", "sgx"; ends with a NULL. */
extern const char *const skrfs_tee_names[];

/* Opens the machine's TEE, or NO_TEE with the reason. In this order: sgx (Gramine's folder says
 * dcap), azure-cvm (the TPM has a hardware report), snp and tdx (configfs-tsm's provider, then the
 * devices). The next one is tried only when the machine is not of the kind before: a TEE that is
 * there and fails is an error; another kind than those of skrfs_tee_names is CONFIG. What tells a
 * machine of the kind is read once, so that one that is none is told so at start; the firmware,
 * which may take a minute, is asked by collect alone (but for a 5.15 guest's /dev/sev, which
 * nothing else tells from a host's). Files (boot log, security context, certificates, init data)
 * are read here and not again, and devices are opened here: it is for before a sandbox closes. */
int skrfs_tee_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_tee_close(struct skrfs_tee *tee);
SKRFS_DEFINE_CLEANUP(struct skrfs_tee, skrfs_tee_close)

#endif
