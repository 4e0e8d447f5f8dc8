#include "internal.h"

#include <skrfs/base/clock.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_sys.h>

enum { ATTEMPTS = 6, FIRST_PAUSE_MS = 10 };

TSS2_RC skrfs_tpm_code(TSS2_RC rc) {
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
    TSS2_RC code = rc & 0xFFFF;
    if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER)
        return 0;
    /* TPM 2.0 Library, Part 2, 6.6: format one has the number of the parameter, handle or session
     * in bits 6 and 8 to 11. */
    return code & TPM2_RC_FMT1 ? code & (TPM2_RC_FMT1 | 0x3F) : code;
}

static bool is_busy(TSS2_RC code) {
    switch (code) {
    case TPM2_RC_RETRY:
    case TPM2_RC_YIELDED:
    case TPM2_RC_TESTING:
    case TPM2_RC_NV_RATE:
    case TPM2_RC_NV_UNAVAILABLE:
    case TPM2_RC_CANCELED:
    case TPM2_RC_OBJECT_MEMORY:
    case TPM2_RC_SESSION_MEMORY:
    case TPM2_RC_SESSION_HANDLES:
    case TPM2_RC_OBJECT_HANDLES:
        return true;
    default:
        return false;
    }
}

/* ESYS repeats a command by itself a few times, but without a pause. */
bool skrfs_tpm_again(TSS2_RC rc, unsigned attempt) {
    if (!is_busy(skrfs_tpm_code(rc)) || attempt + 1 >= ATTEMPTS)
        return false;
    uint64_t pause = (uint64_t)(FIRST_PAUSE_MS << attempt) * SKRFS_MILLISECOND_NS;
    return skrfs_sleep_until(skrfs_now_ns() + pause, SKRFS_NEVER_NS);
}

/* An exchange that broke off leaves ESYS in a state in which every later call fails; it is made
 * anew over the same TCTI by the next one that needs it. */
static int broken(struct skrfs_tpm *tpm, TSS2_RC rc, struct skrfs_error *err, const char *what) {
    if (tpm->esys)
        Esys_Finalize(&tpm->esys);
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "%s: no answer from the TPM %s (%s)", what, tpm->name,
            Tss2_RC_Decode(rc));
    return skrfs_fail_retryable(err, 0);
}

static int answered(TSS2_RC rc, struct skrfs_error *err, const char *what) {
    switch (skrfs_tpm_code(rc)) {
    case TPM2_RC_HANDLE:
    case TPM2_RC_REFERENCE_H0:
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE, "%s: the TPM has no such object", what);
    case TPM2_RC_NV_UNINITIALIZED:
        skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE,
                "%s: not provisioned yet by the platform; try again later", what);
        return skrfs_fail_retryable(err, 0);
    case TPM2_RC_LOCKOUT:
        return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE,
                "%s: the TPM is locked out after wrong passwords; wait or clear the lockout", what);
    case TPM2_RC_AUTH_FAIL:
    case TPM2_RC_BAD_AUTH:
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "%s: the TPM wants a password; the owner password must be empty", what);
    default:
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s: the TPM says %s (0x%x)", what,
                Tss2_RC_Decode(rc), rc);
    }
}

int skrfs_tpm_fail(struct skrfs_tpm *tpm, TSS2_RC rc, struct skrfs_error *err, const char *what) {
    TSS2_RC code = skrfs_tpm_code(rc);
    if (rc == TSS2_ESYS_RC_MEMORY) {
        skrfs_fail_memory(err);
    } else if (code == 0) {
        broken(tpm, rc, err, what);
    } else if (is_busy(code)) {
        skrfs_fail(
                err, SKRFS_CLASS_UNAVAILABLE, "%s: the TPM is busy (%s)", what, Tss2_RC_Decode(rc));
        skrfs_fail_retryable(err, 0);
    } else {
        answered(rc, err, what);
    }
    err->upstream = rc;
    return -1;
}

/* TPM2_FlushContext without ESYS, which knows nothing of what was loaded before it was made anew.
 * That the TPM does not know it either is as good. */
static TSS2_RC flush_number(TSS2_TCTI_CONTEXT *tcti, uint32_t number) {
    uint8_t command[14], response[TPM2_MAX_RESPONSE_SIZE];
    size_t at = 0, len = sizeof(response);
    (void)Tss2_MU_TPM2_ST_Marshal(TPM2_ST_NO_SESSIONS, command, sizeof(command), &at);
    (void)Tss2_MU_UINT32_Marshal(sizeof(command), command, sizeof(command), &at);
    (void)Tss2_MU_TPM2_CC_Marshal(TPM2_CC_FlushContext, command, sizeof(command), &at);
    (void)Tss2_MU_UINT32_Marshal(number, command, sizeof(command), &at);
    TSS2_RC rc = Tss2_Tcti_Transmit(tcti, at, command);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    return Tss2_Tcti_Receive(tcti, &len, response, TSS2_TCTI_TIMEOUT_BLOCK);
}

int skrfs_tpm_lock(struct skrfs_tpm *tpm, struct skrfs_tpm **ret_held, struct skrfs_error *err) {
    pthread_mutex_lock(&tpm->lock);
    *ret_held = tpm;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    while (rc == TSS2_RC_SUCCESS && tpm->left_count > 0) {
        rc = flush_number(tpm->tcti, tpm->left[tpm->left_count - 1]);
        tpm->left_count -= rc == TSS2_RC_SUCCESS;
    }
    if (rc == TSS2_RC_SUCCESS && !tpm->esys)
        rc = Esys_Initialize(&tpm->esys, tpm->tcti, NULL);
    return rc == TSS2_RC_SUCCESS ? 0 : skrfs_tpm_fail(tpm, rc, err, "connect to the TPM");
}

void skrfs_tpm_handle_loaded(struct tpm_handle *handle) {
    (void)Esys_TR_GetTpmHandle(handle->tpm->esys, handle->handle, &handle->number);
}

static TSS2_RC flush_once(struct skrfs_tpm *tpm, const struct tpm_handle *handle) {
    TSS2_SYS_CONTEXT *sys = NULL;
    if (handle->handle != ESYS_TR_NONE)
        return Esys_FlushContext(tpm->esys, handle->handle);
    TSS2_RC rc = Esys_GetSysContext(tpm->esys, &sys);
    return rc == TSS2_RC_SUCCESS ? Tss2_Sys_FlushContext(sys, handle->number) : rc;
}

static void flush(struct skrfs_tpm *tpm, const struct tpm_handle *handle) {
    if (tpm->esys) {
        TSS2_RC rc;
        TPM_RUN(rc, flush_once(tpm, handle));
        if (rc == TSS2_RC_SUCCESS || skrfs_tpm_code(rc) != 0)
            return;
        Esys_Finalize(&tpm->esys);
    }
    if (tpm->left_count < TPM_LEFT_MAX)
        tpm->left[tpm->left_count++] = handle->number;
}

void skrfs_tpm_handle_done(struct tpm_handle *handle) {
    if (handle->handle == ESYS_TR_NONE && handle->number == 0)
        return;
    if (handle->flush)
        flush(handle->tpm, handle);
    else if (handle->tpm->esys)
        (void)Esys_TR_Close(handle->tpm->esys, &handle->handle);
    handle->handle = ESYS_TR_NONE;
    handle->number = 0;
}
