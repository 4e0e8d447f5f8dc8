/* The wrapping key's saved context (TPM 2.0 Library, Part 1, 30): making an RSA key takes a TPM
 * many times as long as loading one that it encrypted itself. A TPM that was reset refuses the
 * context, because its NULL hierarchy has another proof then. */
#include "internal.h"

static void store(const TPMS_CONTEXT *saved, struct skrfs_tpm_context *ret_context) {
    struct skrfs_tpm_context context = {0};
    if (Tss2_MU_TPMS_CONTEXT_Marshal(saved, context.data, sizeof(context.data), &context.len) ==
            TSS2_RC_SUCCESS)
        *ret_context = context;
}

int skrfs_tpm_context_save(struct skrfs_tpm *tpm, const struct tpm_handle *key,
        struct skrfs_tpm_context *ret_context, struct skrfs_error *err) {
    autoesys TPMS_CONTEXT *saved = NULL;
    TSS2_RC rc;
    TPM_RUN(rc, Esys_ContextSave(tpm->esys, key->handle, &saved));
    if (rc == TSS2_RC_SUCCESS)
        store(saved, ret_context);
    else if (skrfs_tpm_code(rc) == 0)
        return skrfs_tpm_fail(tpm, rc, err, "save the wrapping key's context");
    return 0;
}

int skrfs_tpm_context_load(struct skrfs_tpm *tpm, const struct skrfs_tpm_context *context,
        struct tpm_handle *ret_key, struct skrfs_error *err) {
    TPMS_CONTEXT saved = {0};
    size_t used = 0;
    if (context->len == 0)
        return 0;
    if (context->len > sizeof(context->data) ||
            Tss2_MU_TPMS_CONTEXT_Unmarshal(context->data, context->len, &used, &saved) !=
                    TSS2_RC_SUCCESS ||
            used != context->len)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the wrapping key's saved context is malformed");
    TSS2_RC rc;
    TPM_RUN(rc, Esys_ContextLoad(tpm->esys, &saved, &ret_key->handle));
    if (rc == TSS2_RC_SUCCESS) {
        skrfs_tpm_handle_loaded(ret_key);
        return 1;
    }
    return skrfs_tpm_code(rc) ? 0 : skrfs_tpm_fail(tpm, rc, err, "load the wrapping key");
}
