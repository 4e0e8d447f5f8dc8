#include "internal.h"

#include <fcntl.h>
#include <skrfs/tpm/relay.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

enum { NV_PIECE_LEAST = 64, NV_PIECE_USUAL = 512 };

bool skrfs_tpm_tcti_is_device(const char *tcti) {
    return strcmp(tcti, "device") == 0 || strncmp(tcti, "device:", strlen("device:")) == 0;
}

/* libtss2 says only "I/O error" of a device that cannot be opened; this says which. */
static int check_device(const char *tcti, struct skrfs_error *err) {
    const char *path = strchr(tcti, ':');
    if (!skrfs_tpm_tcti_is_device(tcti) || !path)
        return 0;
    path++;
    if (access(path, F_OK) != 0)
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE, "this machine has no TPM at %s", path);
    if (access(path, R_OK | W_OK) != 0)
        return skrfs_fail_errno(err, errno, "open the TPM at %s (root or the group tss may)", path);
    return 0;
}

/* libtss2 writes its troubles to standard error, where only the edges of skrfs may speak, and from
 * level "debug" on also every response of the TPM: among them the key that the released one is
 * wrapped with. So an administrator's own value does not count. It is read once, at the first
 * message. */
static int keep_quiet(struct skrfs_error *err) {
    return setenv("TSS2_LOG", "all+NONE", 1) == 0 ? 0 : skrfs_fail_memory(err);
}

int skrfs_tpm_load_tcti(const char *tcti, TSS2_TCTI_CONTEXT **ret_tcti, struct skrfs_error *err) {
    if (keep_quiet(err) < 0 || check_device(tcti, err) < 0)
        return -1;
    TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti, ret_tcti);
    if (rc == TSS2_RC_SUCCESS)
        return 0;
    skrfs_fail(
            err, SKRFS_CLASS_NO_TEE, "no TPM can be reached at %s (%s)", tcti, Tss2_RC_Decode(rc));
    err->upstream = rc;
    return -1;
}

int skrfs_tpm_capability(
        struct skrfs_tpm *tpm, uint32_t property, uint32_t *ret_value, struct skrfs_error *err) {
    autoesys TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more = 0;
    TSS2_RC rc;
    TPM_RUN(rc, Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                        TPM2_CAP_TPM_PROPERTIES, property, 1, &more, &data));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "ask the TPM for its limits");
    const TPML_TAGGED_TPM_PROPERTY *list = &data->data.tpmProperties;
    if (list->count < 1 || list->tpmProperty[0].property != property)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TPM does not tell its limits");
    *ret_value = list->tpmProperty[0].value;
    return 0;
}

/* The first command: is there a TPM, and how much of an index does it move at once? */
static int probe(struct skrfs_tpm *tpm, struct skrfs_error *err) {
    uint32_t piece = 0;
    TPM_GUARD(held);
    if (skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    if (skrfs_tpm_capability(tpm, TPM2_PT_NV_BUFFER_MAX, &piece, err) < 0)
        return -1;
    if (piece < NV_PIECE_LEAST)
        piece = NV_PIECE_USUAL;
    tpm->nv_piece = piece < TPM2_MAX_NV_BUFFER_SIZE ? piece : TPM2_MAX_NV_BUFFER_SIZE;
    return 0;
}

static int tpm_new(const char *name, struct skrfs_tpm **ret_tpm, struct skrfs_error *err) {
    struct skrfs_tpm *tpm = calloc(1, sizeof(*tpm));
    if (!tpm)
        return skrfs_fail_memory(err);
    tpm->name = strdup(name);
    if (!tpm->name || pthread_mutex_init(&tpm->lock, NULL) != 0) {
        free(tpm->name);
        free(tpm);
        return skrfs_fail_memory(err);
    }
    *ret_tpm = tpm;
    return 0;
}

int skrfs_tpm_open(const char *tcti, struct skrfs_tpm **ret_tpm, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = NULL;
    if (!tcti)
        tcti = SKRFS_TPM_DEFAULT_TCTI;
    if (tpm_new(tcti, &tpm, err) < 0)
        return -1;
    tpm->loaded = true;
    if (skrfs_tpm_load_tcti(tcti, &tpm->tcti, err) < 0 || probe(tpm, err) < 0)
        return -1;
    *ret_tpm = skrfs_take(tpm);
    return 0;
}

/* The caller keeps its descriptor when opening fails, so the TCTI works on a copy. */
static int open_copy(int fd, TSS2_TCTI_CONTEXT **ret_tcti, struct skrfs_error *err) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return skrfs_fail_errno(err, errno, "copy the TPM's descriptor");
    if (skrfs_tcti_fd_new(copy, ret_tcti, err) < 0) {
        close(copy);
        return -1;
    }
    return 0;
}

int skrfs_tpm_open_fd(int fd, struct skrfs_tpm **ret_tpm, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = NULL;
    if (keep_quiet(err) < 0 || tpm_new("behind the relay", &tpm, err) < 0)
        return -1;
    if (open_copy(fd, &tpm->tcti, err) < 0 || probe(tpm, err) < 0)
        return -1;
    close(fd);
    *ret_tpm = skrfs_take(tpm);
    return 0;
}

void skrfs_tpm_close(struct skrfs_tpm *tpm) {
    if (!tpm)
        return;
    if (tpm->esys)
        Esys_Finalize(&tpm->esys);
    if (tpm->tcti && tpm->loaded)
        Tss2_TctiLdr_Finalize(&tpm->tcti);
    else if (tpm->tcti)
        skrfs_tcti_fd_free(tpm->tcti);
    pthread_mutex_destroy(&tpm->lock);
    free(tpm->name);
    free(tpm);
}
