/* The TEEs that skrfs_tee_open tries, one file each, and what those share whose reports the guest
 * or enclave asks for itself. */
#ifndef SKRFS_SRC_TEE_INTERNAL_H
#define SKRFS_SRC_TEE_INTERNAL_H

#include <pthread.h>
#include <skrfs/tee/tee.h>

/* Each: NO_TEE when the machine is not of the kind, any other failure is of one that is. */
int skrfs_azure_cvm_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_snp_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_tdx_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_sgx_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* tee.c: notes for people of what was looked at, and of the choice; without options->looks
 * nothing. */
void skrfs_tee_look(const struct skrfs_tee_options *options, const char *what, bool there,
        const char *format, ...) SKRFS_PRINTF(4, 5);
/* The same of what did not open: NO_TEE is not there, anything else failed. */
void skrfs_tee_look_failed(
        const struct skrfs_tee_options *options, const char *what, const struct skrfs_error *err);
void skrfs_tee_chosen(const struct skrfs_tee_options *options, const char *format, ...)
        SKRFS_PRINTF(2, 3);

/* azure_cvm_collect.c: the parts of the evidence, each one step of the trace. */
struct skrfs_cvm {
    struct skrfs_tee base;
    struct skrfs_tpm *tpm;      /* not owned */
    struct skrfs_buf event_log; /* may be empty */
    pthread_mutex_t lock;       /* guards unique */
    uint8_t unique[256];        /* of the present wrapping key's template */
};
int skrfs_cvm_read_report(struct skrfs_tpm *tpm, struct skrfs_buf *out, struct skrfs_hcl *ret_hcl,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_cvm_collect(struct skrfs_cvm *cvm, const uint8_t unique[256], struct skrfs_trace *trace,
        struct skrfs_evidence *evidence, struct skrfs_tee_key *key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* ak_cert.c */

/* Cuts what index 0x01C101D0 holds to the certificate's DER length. Nothing or the platform's
 * placeholder there is UNAVAILABLE and retryable: the certificate comes a while after the first
 * boot. */
int skrfs_ak_cert_trim(struct skrfs_buf *cert, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A device that answers with a report over 64 octets of the asker's. */
struct skrfs_source;
struct skrfs_source_ops {
    const char *name; /* "configfs-tsm" */
    /* Appends to evidence->report, and what certificates came with it to its REPORT source. NO_TEE:
     * this way does not work on this machine, another one of the same hardware may. UNAVAILABLE and
     * retryable: the same later. Called by one thread at a time; may take a minute. */
    int (*ask)(struct skrfs_source *source, const uint8_t report_data[64],
            struct skrfs_evidence *evidence, struct skrfs_error *err);
    void (*close)(struct skrfs_source *source);
};
struct skrfs_source {
    const struct skrfs_source_ops *ops;
    const char *dir; /* as in struct skrfs_tee */
    const unsigned long *ioctls;
    size_t ioctl_count;
};

/* tsm.c: configfs-tsm, when its provider has this name; NO_TEE otherwise, and when it is not there.
 */
int skrfs_tsm_open(const struct skrfs_tee_options *options, const char *provider,
        struct skrfs_source **ret_source, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* sev_guest.c: /dev/sev-guest; NO_TEE when it is not there. */
int skrfs_sev_guest_open(const struct skrfs_tee_options *options, const char *path,
        struct skrfs_source **ret_source, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* sev_legacy.c: a guest's /dev/sev of Linux 5.15, which is told from a host's by asking it; NO_TEE
 * when it is not there or a host's. */
int skrfs_sev_legacy_open(const struct skrfs_tee_options *options, const char *path,
        struct skrfs_source **ret_source, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* gramine.c: Gramine's /dev/attestation, when it says dcap. */
int skrfs_gramine_open(const struct skrfs_tee_options *options, struct skrfs_source **ret_source,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* sev.c: what both SEV devices answer with. */
#define SKRFS_SEV_REQUEST_LEN 96
/* The request for a report: user data, VMPL 0, the rest zero. */
void skrfs_sev_request(const uint8_t report_data[64], uint8_t ret_request[SKRFS_SEV_REQUEST_LEN]);
/* Takes the report out of a firmware's answer (status, size, 24 reserved octets, report). */
int skrfs_sev_response(struct skrfs_bytes response, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Says what a failed request was: errno, and the error of firmware (low half) and hypervisor (high
 * half), 0 or 0xff when the firmware was not reached. Returns -1. */
int skrfs_sev_failed(struct skrfs_error *err, int errnum, uint64_t code);
/* Opens such a device's node: NO_TEE when it is not there. */
int skrfs_sev_node(const struct skrfs_tee_options *options, const char *path, int *ret_fd,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* What the owner of the report reads in it. */
struct skrfs_inspected {
    uint8_t report_data[64];
    bool debug;
    size_t len;           /* declared length */
    bool has_init_digest; /* `init_digest` is what initial data must hash to */
    uint8_t init_digest[32];
};
typedef int skrfs_inspect(
        struct skrfs_bytes report, struct skrfs_inspected *ret, struct skrfs_error *err);

/* direct.c: a TEE whose wrapping key is in secret memory and bound by the report data that it asks
 * for. */
#define SKRFS_SOURCES_MAX 3
struct skrfs_direct {
    struct skrfs_tee base;
    enum skrfs_evidence_kind kind;
    skrfs_inspect *inspect;
    bool allow_debug;
    struct skrfs_buf certificates[SKRFS_CERTS_LOCAL], endorsements[SKRFS_ENDORSEMENTS], init_data;
    pthread_mutex_t device; /* one call at a time: guards the members up to the next lock */
    struct skrfs_source *sources[SKRFS_SOURCES_MAX]; /* of the same hardware, in order; owned */
    size_t source_count, source_first;
    struct skrfs_error refused; /* the last failure, given again until `refused_until_ns` */
    uint64_t refused_until_ns;
    struct skrfs_buf kept, kept_table; /* the last answer, used again until `kept_until_ns` */
    struct skrfs_inspected kept_inspected;
    uint64_t kept_until_ns;
    pthread_mutex_t lock; /* guards the members below */
    struct skrfs_pkey *key;
    char kid[64];
    struct skrfs_buf runtime; /* the exact octets that are hashed */
};
/* A new instance with these operations, without source and files. */
int skrfs_direct_new(const struct skrfs_tee_ops *ops, enum skrfs_evidence_kind kind,
        skrfs_inspect *inspect, const struct skrfs_tee_options *options,
        struct skrfs_direct **ret_direct, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* direct_files.c: reads the files that the options name: CONFIG when one cannot be. */
int skrfs_direct_files(struct skrfs_direct *direct, const struct skrfs_tee_options *options,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Takes the source over, behind those that are there. */
void skrfs_direct_add(struct skrfs_direct *direct, struct skrfs_source *source);
/* The operations. */
int skrfs_direct_collect(struct skrfs_tee *tee, const char *nonce, bool fresh,
        struct skrfs_trace *trace, struct skrfs_evidence *ret_evidence,
        struct skrfs_tee_key *ret_key, struct skrfs_error *err);
int skrfs_direct_open_token(struct skrfs_tee *tee, const struct skrfs_tee_key *key,
        const struct skrfs_sealed_token *sealed, struct skrfs_buf *out, struct skrfs_error *err);
int skrfs_direct_unwrap(struct skrfs_tee *tee, const struct skrfs_tee_key *key, enum skrfs_enc enc,
        struct skrfs_bytes wrapped, struct skrfs_secret **ret_plain, struct skrfs_error *err);
void skrfs_direct_close(struct skrfs_tee *tee);

/* wrapping.c: a new wrapping key, its name (RFC 7638) and the runtime data that names it. `runtime`
 * is written over. */
int skrfs_wrapping_make(struct skrfs_pkey **ret_key, char ret_kid[64], struct skrfs_buf *runtime,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* context.c: the utility VM's security context, of a confidential container. `root` is put in front
 * of the absolute places ("" outside of tests). Where there is none nothing is added. */
int skrfs_context_read(const struct skrfs_tee_options *options, const char *root,
        struct skrfs_direct *direct, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
