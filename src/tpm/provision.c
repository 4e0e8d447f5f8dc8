#include "internal.h"

#include <skrfs/tpm/provision.h>

static const TPM2B_PUBLIC ak_template = {
        .publicArea = {
                .type = TPM2_ALG_RSA,
                .nameAlg = TPM2_ALG_SHA256,
                .objectAttributes = TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_RESTRICTED |
                                    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                    TPMA_OBJECT_NODA,
                .parameters.rsaDetail = {.symmetric = {.algorithm = TPM2_ALG_NULL},
                        .scheme = {.scheme = TPM2_ALG_RSASSA,
                                .details.rsassa.hashAlg = TPM2_ALG_SHA256},
                        .keyBits = 2048},
        }};

/* Persistent keys cannot be replaced, only taken away first. */
static int evict_old(struct skrfs_tpm *tpm, uint32_t handle, struct skrfs_error *err) {
    struct skrfs_error absent = {0};
    autohandle old = TPM_NAMED(tpm);
    ESYS_TR none = ESYS_TR_NONE;
    if (skrfs_tpm_find(tpm, handle, "look for an old key", &old, &absent) < 0) {
        if (absent.kind == SKRFS_CLASS_NO_TEE)
            return 0;
        *err = absent;
        return -1;
    }
    TSS2_RC rc;
    TPM_RUN(rc, Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, old.handle, ESYS_TR_PASSWORD,
                        ESYS_TR_NONE, ESYS_TR_NONE, handle, &none));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "take the old attestation key away");
    old.handle = ESYS_TR_NONE;
    return 0;
}

static int make_persistent(struct skrfs_tpm *tpm, const struct tpm_handle *key, uint32_t handle,
        struct skrfs_error *err) {
    autohandle kept = TPM_NAMED(tpm);
    TSS2_RC rc;
    TPM_RUN(rc, Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, key->handle, ESYS_TR_PASSWORD,
                        ESYS_TR_NONE, ESYS_TR_NONE, handle, &kept.handle));
    return rc == TSS2_RC_SUCCESS ? 0 : skrfs_tpm_fail(tpm, rc, err, "keep the attestation key");
}

int skrfs_tpm_make_ak(struct skrfs_tpm *tpm, struct skrfs_tpm_blob *ret_public,
        uint8_t ret_modulus[256], struct skrfs_error *err) {
    static const TPM2B_SENSITIVE_CREATE no_sensitive = {0};
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcrs = {0};
    autoesys TPM2B_PUBLIC *public = NULL;
    TPM_GUARD(held);
    if (skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    autohandle key = TPM_TRANSIENT(tpm);
    TSS2_RC rc;
    TPM_RUN(rc, Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
                        ESYS_TR_NONE, ESYS_TR_NONE, &no_sensitive, &ak_template, &no_data, &no_pcrs,
                        &key.handle, &public, NULL, NULL, NULL));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "make the attestation key");
    skrfs_tpm_handle_loaded(&key);
    if (evict_old(tpm, SKRFS_TPM_AK, err) < 0 || make_persistent(tpm, &key, SKRFS_TPM_AK, err) < 0)
        return -1;
    return skrfs_tpm_store_public(public, ret_public, ret_modulus, err);
}

static int undefine(struct skrfs_tpm *tpm, struct tpm_handle *index, struct skrfs_error *err) {
    TSS2_RC rc;
    TPM_RUN(rc, Esys_NV_UndefineSpace(tpm->esys, ESYS_TR_RH_OWNER, index->handle, ESYS_TR_PASSWORD,
                        ESYS_TR_NONE, ESYS_TR_NONE));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "take the old index away");
    index->handle = ESYS_TR_NONE;
    return 0;
}

static int define(struct skrfs_tpm *tpm, uint32_t index, size_t size, struct tpm_handle *ret_index,
        struct skrfs_error *err) {
    static const TPM2B_AUTH no_auth = {0};
    TPM2B_NV_PUBLIC public = {
            .nvPublic = {.nvIndex = index,
                    .nameAlg = TPM2_ALG_SHA256,
                    .attributes = TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE | TPMA_NV_AUTHREAD |
                                  TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA,
                    .dataSize = (uint16_t)size}};
    TSS2_RC rc;
    TPM_RUN(rc, Esys_NV_DefineSpace(tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                        ESYS_TR_NONE, &no_auth, &public, &ret_index->handle));
    return rc == TSS2_RC_SUCCESS ? 0 : skrfs_tpm_fail(tpm, rc, err, "define the index");
}

/* An index of the right size is written over, so that a reader never finds none. */
static int need_index(struct skrfs_tpm *tpm, uint32_t index, size_t size,
        struct tpm_handle *ret_index, struct skrfs_error *err) {
    struct skrfs_error absent = {0};
    size_t old = 0;
    if (skrfs_tpm_find(tpm, index, "look for the index", ret_index, &absent) < 0) {
        if (absent.kind == SKRFS_CLASS_NO_TEE)
            return define(tpm, index, size, ret_index, err);
        *err = absent;
        return -1;
    }
    if (skrfs_tpm_nv_size(tpm, ret_index, &old, err) < 0)
        return -1;
    if (old == size)
        return 0;
    return undefine(tpm, ret_index, err) < 0 ? -1 : define(tpm, index, size, ret_index, err);
}

static int write_all(struct skrfs_tpm *tpm, const struct tpm_handle *index, struct skrfs_bytes data,
        size_t size, struct skrfs_error *err) {
    for (size_t offset = 0; offset < size;) {
        TPM2B_MAX_NV_BUFFER piece = {0};
        size_t len = size - offset < tpm->nv_piece ? size - offset : tpm->nv_piece;
        piece.size = (uint16_t)len;
        if (offset < data.len)
            memcpy(piece.buffer, data.data + offset,
                    len < data.len - offset ? len : data.len - offset);
        TSS2_RC rc;
        TPM_RUN(rc, Esys_NV_Write(tpm->esys, ESYS_TR_RH_OWNER, index->handle, ESYS_TR_PASSWORD,
                            ESYS_TR_NONE, ESYS_TR_NONE, &piece, (uint16_t)offset));
        if (rc != TSS2_RC_SUCCESS)
            return skrfs_tpm_fail(tpm, rc, err, "write the index");
        offset += len;
    }
    return 0;
}

int skrfs_tpm_nv_define(struct skrfs_tpm *tpm, uint32_t index, struct skrfs_bytes data, size_t size,
        struct skrfs_error *err) {
    uint32_t limit = 0;
    TPM_GUARD(held);
    if (skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    if (skrfs_tpm_capability(tpm, TPM2_PT_NV_INDEX_MAX, &limit, err) < 0)
        return -1;
    if (data.len > size || size == 0 || size > limit || size > SKRFS_TPM_NV_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "TPM index 0x%08x: %zu octets in an index of %zu do not fit; this TPM allows %u",
                index, data.len, size, limit);
    autohandle handle = TPM_NAMED(tpm);
    if (need_index(tpm, index, size, &handle, err) < 0 ||
            write_all(tpm, &handle, data, size, err) < 0)
        return skrfs_wrap(err, "TPM index 0x%08x", index);
    return 0;
}

int skrfs_tpm_pcr_extend(
        struct skrfs_tpm *tpm, unsigned pcr, const uint8_t digest[32], struct skrfs_error *err) {
    TPML_DIGEST_VALUES values = {.count = 1, .digests = {{.hashAlg = TPM2_ALG_SHA256}}};
    memcpy(values.digests[0].digest.sha256, digest, 32);
    TPM_GUARD(held);
    if (pcr >= TPM2_MAX_PCRS)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "there is no PCR %u", pcr);
    if (skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    TSS2_RC rc;
    TPM_RUN(rc, Esys_PCR_Extend(tpm->esys, (ESYS_TR)pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                        ESYS_TR_NONE, &values));
    return rc == TSS2_RC_SUCCESS ? 0 : skrfs_tpm_fail(tpm, rc, err, "extend a PCR");
}
