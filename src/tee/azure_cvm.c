/* An Azure confidential VM, SEV-SNP or TDX: its evidence is the paravisor's report and the vTPM's
 * quote, its wrapping key never leaves the vTPM. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#define LOOK "TPM index 0x01400001"

static struct skrfs_cvm *cast(struct skrfs_tee *tee) {
    return (struct skrfs_cvm *)tee;
}

/* The template's unique field: a new one makes a key that was never used. */
static int choose_unique(
        struct skrfs_cvm *cvm, bool fresh, uint8_t ret_unique[256], struct skrfs_error *err) {
    uint8_t unique[256];
    if (fresh && skrfs_random(unique, sizeof(unique), err) < 0)
        return -1;
    pthread_mutex_lock(&cvm->lock);
    if (fresh)
        memcpy(cvm->unique, unique, sizeof(unique));
    memcpy(ret_unique, cvm->unique, sizeof(unique));
    pthread_mutex_unlock(&cvm->lock);
    return 0;
}

static int cvm_collect(struct skrfs_tee *tee, const char *nonce, bool fresh,
        struct skrfs_trace *trace, struct skrfs_evidence *ret_evidence,
        struct skrfs_tee_key *ret_key, struct skrfs_error *err) {
    struct skrfs_cvm *cvm = cast(tee);
    uint8_t unique[256];
    struct skrfs_tee_key key = {.kid = "TpmEphemeralEncryptionKey"};
    skrfs_autoevidence evidence;
    skrfs_evidence_init(&evidence);
    if (strlen(nonce) >= sizeof(evidence.nonce))
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the nonce is too long");
    snprintf(evidence.nonce, sizeof(evidence.nonce), "%s", nonce);
    if (choose_unique(cvm, fresh, unique, err) < 0 ||
            skrfs_cvm_collect(cvm, unique, trace, &evidence, &key, err) < 0)
        return skrfs_wrap(err, "evidence of this confidential VM");
    *ret_evidence = evidence;
    skrfs_evidence_init(&evidence); /* moved */
    *ret_key = key;
    return 0;
}

/* The same words and codes for every way in which a sealed key can be wrong: what is padded by
 * RSAES-PKCS1-v1_5 must not become an oracle. */
static int not_sealed_to_key(struct skrfs_error *err) {
    skrfs_fail(err, SKRFS_CLASS_CRYPTO,
            "the TPM cannot decrypt it: it is not wrapped to this key, or damaged");
    return skrfs_wrap(err, "open the attestation token");
}

static int cvm_open_token(struct skrfs_tee *tee, const struct skrfs_tee_key *key,
        const struct skrfs_sealed_token *sealed, struct skrfs_buf *out, struct skrfs_error *err) {
    static const char aad[] = "Transport Key";
    skrfs_autosecret *inner = NULL;
    if (skrfs_tpm_decrypt(cast(tee)->tpm, &key->tpm, SKRFS_TPM_RSAES,
                skrfs_buf_bytes(&sealed->inner_key), &inner, err) < 0) {
        if (err->kind == SKRFS_CLASS_CRYPTO)
            err->upstream = 0;
        return skrfs_wrap(err, "open the attestation token");
    }
    size_t len = skrfs_secret_len(inner);
    if ((len != 16 && len != 24 && len != 32) || sealed->tag.len != 16 || sealed->iv.len < 12)
        return not_sealed_to_key(err);
    struct skrfs_bytes bound = {(const uint8_t *)aad, strlen(aad)};
    if (skrfs_gcm_open(inner, skrfs_buf_bytes(&sealed->iv), bound, skrfs_buf_bytes(&sealed->cipher),
                skrfs_buf_bytes(&sealed->tag), out, err) < 0)
        return err->kind == SKRFS_CLASS_CRYPTO ? not_sealed_to_key(err)
                                               : skrfs_wrap(err, "open the attestation token");
    return 0;
}

static enum skrfs_tpm_scheme scheme_of(enum skrfs_enc enc) {
    switch (enc) {
    case SKRFS_ENC_SHA1:
        return SKRFS_TPM_OAEP_SHA1;
    case SKRFS_ENC_SHA384:
        return SKRFS_TPM_OAEP_SHA384;
    case SKRFS_ENC_SHA256:
    default:
        return SKRFS_TPM_OAEP_SHA256;
    }
}

static int cvm_unwrap(struct skrfs_tee *tee, const struct skrfs_tee_key *key, enum skrfs_enc enc,
        struct skrfs_bytes wrapped, struct skrfs_secret **ret_plain, struct skrfs_error *err) {
    const size_t block = sizeof(key->tpm.modulus);
    skrfs_autosecret *kek = NULL;
    if (wrapped.len <= block)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the released key is truncated: %zu octets, the first %zu are its wrapping",
                wrapped.len, block);
    struct skrfs_bytes outer = {wrapped.data, block};
    struct skrfs_bytes inner = {wrapped.data + block, wrapped.len - block};
    if (skrfs_tpm_decrypt(cast(tee)->tpm, &key->tpm, scheme_of(enc), outer, &kek, err) < 0 ||
            skrfs_kwp_unwrap(kek, inner, ret_plain, err) < 0)
        return skrfs_wrap(err, "unwrap the released key");
    return 0;
}

static void cvm_close(struct skrfs_tee *tee) {
    struct skrfs_cvm *cvm = cast(tee);
    pthread_mutex_destroy(&cvm->lock);
    skrfs_buf_done(&cvm->event_log);
    free(cvm);
}

static const struct skrfs_tee_ops cvm_ops = {
        .name = "azure-cvm",
        .collect = cvm_collect,
        .open_token = cvm_open_token,
        .unwrap = cvm_unwrap,
        .close = cvm_close,
};

static int detect(const struct skrfs_tee_options *options, struct skrfs_error *err) {
    skrfs_autobuf report = SKRFS_BUF(SKRFS_TPM_NV_MAX);
    struct skrfs_hcl hcl;
    if (!options->tpm) {
        skrfs_tee_look(options, "TPM", false, "not there");
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE, "this machine has no TPM");
    }
    if (skrfs_cvm_read_report(options->tpm, &report, &hcl, err) < 0) {
        skrfs_tee_look_failed(options, LOOK, err);
        return skrfs_wrap(err, err->kind == SKRFS_CLASS_NO_TEE
                                       ? "this machine is not an Azure confidential VM"
                                       : "this Azure confidential VM");
    }
    const char *kind = hcl.kind == SKRFS_HCL_TDX ? "TDX" : "SEV-SNP";
    skrfs_tee_look(options, LOOK, true, "a report of %s hardware, bound to its claims", kind);
    skrfs_tee_chosen(options,
            "azure-cvm: the TPM holds the report that the paravisor got from %s hardware", kind);
    return 0;
}

static int set_event_log(
        struct skrfs_cvm *cvm, const struct skrfs_tee_options *options, struct skrfs_error *err) {
    const struct skrfs_buf *known = options->event_log_read;
    cvm->event_log = SKRFS_BUF(SKRFS_EVENT_LOG_MAX);
    if (!known)
        return skrfs_tee_event_log(options->event_log, &cvm->event_log, err);
    return skrfs_buf_append(&cvm->event_log, known->data, known->len, err);
}

int skrfs_azure_cvm_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) {
    if (detect(options, err) < 0)
        return -1;
    struct skrfs_cvm *cvm = calloc(1, sizeof(*cvm));
    if (!cvm)
        return skrfs_fail_memory(err);
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = &cvm->base;
    cvm->base.ops = &cvm_ops;
    cvm->tpm = options->tpm;
    pthread_mutex_init(&cvm->lock, NULL);
    if (set_event_log(cvm, options, err) < 0 ||
            skrfs_random(cvm->unique, sizeof(cvm->unique), err) < 0)
        return -1;
    *ret_tee = skrfs_take(tee);
    return 0;
}
