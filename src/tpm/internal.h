/* Shared inside src/tpm: the connection, the error mapping, and what keeps loaded objects from
 * staying. */
#ifndef SKRFS_SRC_TPM_INTERNAL_H
#define SKRFS_SRC_TPM_INTERNAL_H

#include <pthread.h>
#include <skrfs/tpm/tpm.h>
#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>

/* More than one operation loads. */
#define TPM_LEFT_MAX 8

struct skrfs_tpm {
    pthread_mutex_t lock;
    char *name; /* its TCTI, for people */
    TSS2_TCTI_CONTEXT *tcti;
    bool loaded;        /* the TCTI is the loader's, not tcti_fd.c's */
    ESYS_CONTEXT *esys; /* NULL after a broken exchange, until it is made anew */
    size_t nv_piece;    /* octets of an index that one command moves */
    uint32_t
            left[TPM_LEFT_MAX]; /* loaded when an exchange broke off: flushed before the next one */
    size_t left_count;
};

/* tcti_fd.c: a TCTI over a connected descriptor, which it owns from then on. */
int skrfs_tcti_fd_new(
        int fd, TSS2_TCTI_CONTEXT **ret_tcti, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_tcti_fd_free(TSS2_TCTI_CONTEXT *tcti);

/* rc.c */

/* Takes the lock, for as long as the TPM_GUARD lives that *ret_held is, and makes sure that there
 * is an ESYS context. */
int skrfs_tpm_lock(struct skrfs_tpm *tpm, struct skrfs_tpm **ret_held,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Turns a response code into the error's class; `what` is what was being done. Returns -1. */
int skrfs_tpm_fail(struct skrfs_tpm *tpm, TSS2_RC rc, struct skrfs_error *err, const char *what);
/* The TPM's own code without its parameter, handle or session number; 0 when another layer failed.
 */
TSS2_RC skrfs_tpm_code(TSS2_RC rc);
/* True when the TPM asks for the same command again and `attempt` is not the last; pauses before
 * that. */
bool skrfs_tpm_again(TSS2_RC rc, unsigned attempt);

/* Runs an ESYS call, again as long as the TPM asks for that; `rc` is the last TSS2_RC. */
#define TPM_RUN(rc, call)                                                                          \
    do {                                                                                           \
        unsigned attempt_ = 0;                                                                     \
        do                                                                                         \
            (rc) = (call);                                                                         \
        while (skrfs_tpm_again((rc), attempt_++));                                                 \
    } while (0)

static inline void skrfs_tpm_unlock_p(struct skrfs_tpm **tpm) {
    if (*tpm)
        pthread_mutex_unlock(&(*tpm)->lock);
}

/* Declares the guard of a function's scope: `held` is the TPM once skrfs_tpm_lock took its lock.
 * Handles are declared behind it, so that they go first. */
#define TPM_GUARD(held) SKRFS_CLEANUP(skrfs_tpm_unlock_p) struct skrfs_tpm *held = NULL

static inline void skrfs_esys_free_p(void *pointer) {
    Esys_Free(*(void **)pointer);
}
#define autoesys SKRFS_CLEANUP(skrfs_esys_free_p)

/* A handle that goes with its scope: transient objects and sessions are flushed, names of
 * persistent things only forgotten. */
struct tpm_handle {
    struct skrfs_tpm *tpm;
    ESYS_TR handle; /* ESYS_TR_NONE for what was loaded without ESYS */
    bool flush;
    uint32_t number; /* the TPM's own, of what is to be flushed; 0: nothing */
};
/* Once it was loaded: notes its number. */
void skrfs_tpm_handle_loaded(struct tpm_handle *handle);
void skrfs_tpm_handle_done(struct tpm_handle *handle);
#define autohandle SKRFS_CLEANUP(skrfs_tpm_handle_done) struct tpm_handle
#define TPM_TRANSIENT(owner)                                                                       \
    { .tpm = (owner), .handle = ESYS_TR_NONE, .flush = true }
#define TPM_NAMED(owner)                                                                           \
    { .tpm = (owner), .handle = ESYS_TR_NONE, .flush = false }

/* PCR 0 to 7 of the SHA-256 bank. */
extern const TPML_PCR_SELECTION skrfs_tpm_pcr_selection;

/* commands.c, the lock being held */
int skrfs_tpm_find(struct skrfs_tpm *tpm, uint32_t handle, const char *what,
        struct tpm_handle *ret_handle, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_tpm_nv_size(struct skrfs_tpm *tpm, const struct tpm_handle *index, size_t *ret_size,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_tpm_store_public(const TPM2B_PUBLIC *public, struct skrfs_tpm_blob *ret_public,
        uint8_t ret_modulus[256], struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_tpm_store_attestation(const TPM2B_ATTEST *attest, const TPMT_SIGNATURE *signature,
        struct skrfs_tpm_attestation *ret, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_tpm_read_pcrs(struct skrfs_tpm *tpm, uint8_t ret_pcrs[SKRFS_TPM_PCRS][32],
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* context.c, the lock being held */

/* Keeps the loaded key's context. A TPM that answers that it saves none, or one longer than the
 * cap, leaves *ret_context as it is: the key is made anew then. */
int skrfs_tpm_context_save(struct skrfs_tpm *tpm, const struct tpm_handle *key,
        struct skrfs_tpm_context *ret_context, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* 1 when the key was loaded, 0 when there is no context or the TPM answers that it does not take
 * it. */
int skrfs_tpm_context_load(struct skrfs_tpm *tpm, const struct skrfs_tpm_context *context,
        struct tpm_handle *ret_key, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* ephemeral.c, the lock being held: loads the key or makes it again, the same or CRYPTO. */
int skrfs_tpm_load_ephemeral(struct skrfs_tpm *tpm, const struct skrfs_tpm_ephemeral *wanted,
        struct tpm_handle *ret_key, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* open.c */
int skrfs_tpm_capability(struct skrfs_tpm *tpm, uint32_t property, uint32_t *ret_value,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Opens a TCTI by its configuration with libtss2 kept silent on standard error. */
int skrfs_tpm_load_tcti(
        const char *tcti, TSS2_TCTI_CONTEXT **ret_tcti, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
