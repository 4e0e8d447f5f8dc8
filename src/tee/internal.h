/* The TEEs that skrfs_tee_open tries, one file each. */
#ifndef SKRFS_SRC_TEE_INTERNAL_H
#define SKRFS_SRC_TEE_INTERNAL_H

#include <pthread.h>
#include <skrfs/tee/tee.h>

/* azure_cvm.c. NO_TEE when the machine is no Azure confidential VM. */
int skrfs_azure_cvm_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

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

#endif
