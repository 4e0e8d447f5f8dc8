#include "internal.h"

const TPML_PCR_SELECTION skrfs_tpm_pcr_selection = {
        .count = 1,
        .pcrSelections = {{.hash = TPM2_ALG_SHA256, .sizeofSelect = 3, .pcrSelect = {0xFF, 0, 0}}},
};

int skrfs_tpm_find(struct skrfs_tpm *tpm, uint32_t handle, const char *what,
        struct tpm_handle *ret_handle, struct skrfs_error *err) {
    TSS2_RC rc;
    TPM_RUN(rc, Esys_TR_FromTPMPublic(tpm->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                        &ret_handle->handle));
    return rc == TSS2_RC_SUCCESS ? 0 : skrfs_tpm_fail(tpm, rc, err, what);
}

int skrfs_tpm_nv_size(struct skrfs_tpm *tpm, const struct tpm_handle *index, size_t *ret_size,
        struct skrfs_error *err) {
    autoesys TPM2B_NV_PUBLIC *public = NULL;
    autoesys TPM2B_NAME *name = NULL;
    TSS2_RC rc;
    TPM_RUN(rc, Esys_NV_ReadPublic(tpm->esys, index->handle, ESYS_TR_NONE, ESYS_TR_NONE,
                        ESYS_TR_NONE, &public, &name));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "ask for the index's size");
    *ret_size = public->nvPublic.dataSize;
    return 0;
}

static int nv_piece(struct skrfs_tpm *tpm, const struct tpm_handle *index, size_t offset,
        size_t len, struct skrfs_buf *out, struct skrfs_error *err) {
    autoesys TPM2B_MAX_NV_BUFFER *data = NULL;
    TSS2_RC rc;
    TPM_RUN(rc, Esys_NV_Read(tpm->esys, ESYS_TR_RH_OWNER, index->handle, ESYS_TR_PASSWORD,
                        ESYS_TR_NONE, ESYS_TR_NONE, (uint16_t)len, (uint16_t)offset, &data));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "read it");
    if (data->size != len)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the TPM gave %u octets of an index instead of %zu", data->size, len);
    return skrfs_buf_append(out, data->buffer, len, err);
}

static int nv_read_all(
        struct skrfs_tpm *tpm, uint32_t index, struct skrfs_buf *out, struct skrfs_error *err) {
    autohandle handle = TPM_NAMED(tpm);
    size_t size = 0;
    if (skrfs_tpm_find(tpm, index, "look for it", &handle, err) < 0 ||
            skrfs_tpm_nv_size(tpm, &handle, &size, err) < 0)
        return -1;
    if (size > SKRFS_TPM_NV_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "it has %zu octets, more than is read", size);
    for (size_t offset = 0; offset < size;) {
        size_t len = size - offset < tpm->nv_piece ? size - offset : tpm->nv_piece;
        if (nv_piece(tpm, &handle, offset, len, out, err) < 0)
            return -1;
        offset += len;
    }
    return 0;
}

int skrfs_tpm_nv_read(
        struct skrfs_tpm *tpm, uint32_t index, struct skrfs_buf *out, struct skrfs_error *err) {
    size_t before = out->len;
    TPM_GUARD(held);
    if (skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    if (nv_read_all(tpm, index, out, err) < 0) {
        skrfs_buf_truncate(out, before);
        return skrfs_wrap(err, "TPM index 0x%08x", index);
    }
    return 0;
}

static bool take_pcrs(const TPML_PCR_SELECTION *selection, const TPML_DIGEST *values,
        uint8_t *missing, uint8_t pcrs[SKRFS_TPM_PCRS][32]) {
    size_t next = 0;
    if (selection->count != 1 || selection->pcrSelections[0].hash != TPM2_ALG_SHA256)
        return false;
    uint8_t given = selection->pcrSelections[0].pcrSelect[0] & *missing;
    for (unsigned i = 0; i < SKRFS_TPM_PCRS; i++) {
        if (!(given & 1U << i))
            continue;
        if (next >= values->count || values->digests[next].size != 32)
            return false;
        memcpy(pcrs[i], values->digests[next++].buffer, 32);
    }
    *missing &= (uint8_t)~given;
    return given != 0;
}

/* A TPM gives up to eight values at once, and says which. */
int skrfs_tpm_read_pcrs(
        struct skrfs_tpm *tpm, uint8_t ret_pcrs[SKRFS_TPM_PCRS][32], struct skrfs_error *err) {
    uint8_t pcrs[SKRFS_TPM_PCRS][32], missing = 0xFF;
    while (missing) {
        autoesys TPML_PCR_SELECTION *given = NULL;
        autoesys TPML_DIGEST *values = NULL;
        uint32_t counter = 0;
        TPML_PCR_SELECTION wanted = skrfs_tpm_pcr_selection;
        wanted.pcrSelections[0].pcrSelect[0] = missing;
        TSS2_RC rc;
        TPM_RUN(rc, Esys_PCR_Read(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted,
                            &counter, &given, &values));
        if (rc != TSS2_RC_SUCCESS)
            return skrfs_tpm_fail(tpm, rc, err, "read the boot measurements");
        if (!take_pcrs(given, values, &missing, pcrs))
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                    "the TPM does not give PCR 0 to 7 of the SHA-256 bank");
    }
    memcpy(ret_pcrs, pcrs, sizeof(pcrs));
    return 0;
}

int skrfs_tpm_pcr_read(
        struct skrfs_tpm *tpm, uint8_t ret_pcrs[SKRFS_TPM_PCRS][32], struct skrfs_error *err) {
    TPM_GUARD(held);
    if (skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    return skrfs_tpm_read_pcrs(tpm, ret_pcrs, err);
}

int skrfs_tpm_store_public(const TPM2B_PUBLIC *public, struct skrfs_tpm_blob *ret_public,
        uint8_t ret_modulus[256], struct skrfs_error *err) {
    struct skrfs_tpm_blob blob = {0};
    const TPM2B_PUBLIC_KEY_RSA *modulus = &public->publicArea.unique.rsa;
    if (public->publicArea.type != TPM2_ALG_RSA || modulus->size != 256)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TPM's key is not an RSA-2048 key");
    if (Tss2_MU_TPM2B_PUBLIC_Marshal(public, blob.data, sizeof(blob.data), &blob.len) !=
            TSS2_RC_SUCCESS)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TPM's key has a malformed public area");
    *ret_public = blob;
    memcpy(ret_modulus, modulus->buffer, 256);
    return 0;
}

int skrfs_tpm_read_public(struct skrfs_tpm *tpm, uint32_t handle, struct skrfs_tpm_blob *ret_public,
        uint8_t ret_modulus[256], struct skrfs_error *err) {
    autoesys TPM2B_PUBLIC *public = NULL;
    TPM_GUARD(held);
    if (skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    autohandle key = TPM_NAMED(tpm);
    if (skrfs_tpm_find(tpm, handle, "look for it", &key, err) < 0)
        return skrfs_wrap(err, "TPM key 0x%08x", handle);
    TSS2_RC rc;
    TPM_RUN(rc, Esys_ReadPublic(tpm->esys, key.handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                        &public, NULL, NULL));
    if (rc != TSS2_RC_SUCCESS) {
        skrfs_tpm_fail(tpm, rc, err, "read it");
        return skrfs_wrap(err, "TPM key 0x%08x", handle);
    }
    return skrfs_tpm_store_public(public, ret_public, ret_modulus, err);
}

int skrfs_tpm_store_attestation(const TPM2B_ATTEST *attest, const TPMT_SIGNATURE *signature,
        struct skrfs_tpm_attestation *ret, struct skrfs_error *err) {
    const TPMS_SIGNATURE_RSASSA *rsa = &signature->signature.rsassa;
    if (signature->sigAlg != TPM2_ALG_RSASSA || rsa->hash != TPM2_ALG_SHA256 ||
            rsa->sig.size != 256)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the attestation key does not sign with RSASSA-SHA256 of 2048 bits");
    if (attest->size > SKRFS_TPM_BLOB_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TPM's attestation is too long");
    ret->attest.len = attest->size;
    memcpy(ret->attest.data, attest->attestationData, attest->size);
    ret->signature.len = rsa->sig.size;
    memcpy(ret->signature.data, rsa->sig.buffer, rsa->sig.size);
    return 0;
}

int skrfs_tpm_quote(struct skrfs_tpm *tpm, uint32_t ak, struct skrfs_tpm_attestation *ret_quote,
        struct skrfs_error *err) {
    static const TPM2B_DATA no_data = {0};
    static const TPMT_SIG_SCHEME own_scheme = {.scheme = TPM2_ALG_NULL};
    autoesys TPM2B_ATTEST *attest = NULL;
    autoesys TPMT_SIGNATURE *signature = NULL;
    TPM_GUARD(held);
    if (skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    autohandle key = TPM_NAMED(tpm);
    if (skrfs_tpm_find(tpm, ak, "look for the attestation key", &key, err) < 0)
        return -1;
    TSS2_RC rc;
    TPM_RUN(rc, Esys_Quote(tpm->esys, key.handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                        &no_data, &own_scheme, &skrfs_tpm_pcr_selection, &attest, &signature));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "quote the boot measurements");
    return skrfs_tpm_store_attestation(attest, signature, ret_quote, err);
}
