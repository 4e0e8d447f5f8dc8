#include "internal.h"

#include <skrfs/crypto/hash.h>
#include <skrfs/tpm/attest.h>

/* The template of Microsoft's guest attestation library, which the attestation service expects:
 * usable only through its policy, PCR 0 to 7 as they are now. The TPM derives the key from the NULL
 * hierarchy's seed, which changes with each reset, and this template: the same one makes the same
 * key. */
static TPM2B_PUBLIC template_for(const uint8_t policy[32], const uint8_t unique[256]) {
    TPM2B_PUBLIC template = {
            .publicArea = {
                    .type = TPM2_ALG_RSA,
                    .nameAlg = TPM2_ALG_SHA256,
                    .objectAttributes = TPMA_OBJECT_DECRYPT | TPMA_OBJECT_FIXEDTPM |
                                        TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                        TPMA_OBJECT_NODA,
                    .authPolicy = {.size = 32},
                    .parameters.rsaDetail = {.symmetric = {.algorithm = TPM2_ALG_NULL},
                            .scheme.scheme = TPM2_ALG_NULL,
                            .keyBits = 2048},
                    .unique.rsa = {.size = 256},
            }};
    memcpy(template.publicArea.authPolicy.buffer, policy, 32);
    memcpy(template.publicArea.unique.rsa.buffer, unique, 256);
    return template;
}

static int create(struct skrfs_tpm *tpm, const uint8_t pcr_digest[32], const uint8_t unique[256],
        struct tpm_handle *ret_key, TPM2B_PUBLIC **ret_public, struct skrfs_error *err) {
    static const TPM2B_SENSITIVE_CREATE no_sensitive = {0};
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcrs = {0};
    uint8_t policy[32];
    if (skrfs_tpm_pcr_policy(pcr_digest, policy, err) < 0)
        return -1;
    TPM2B_PUBLIC template = template_for(policy, unique);
    TSS2_RC rc;
    TPM_RUN(rc, Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_NULL, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                        ESYS_TR_NONE, &no_sensitive, &template, &no_data, &no_pcrs,
                        &ret_key->handle, ret_public, NULL, NULL, NULL));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "make the wrapping key");
    skrfs_tpm_handle_loaded(ret_key);
    return 0;
}

static int certify(struct skrfs_tpm *tpm, uint32_t ak, const struct tpm_handle *key,
        struct skrfs_tpm_attestation *ret, struct skrfs_error *err) {
    static const TPM2B_DATA no_data = {0};
    static const TPMT_SIG_SCHEME own_scheme = {.scheme = TPM2_ALG_NULL};
    autoesys TPM2B_ATTEST *attest = NULL;
    autoesys TPMT_SIGNATURE *signature = NULL;
    autohandle signer = TPM_NAMED(tpm);
    if (skrfs_tpm_find(tpm, ak, "look for the attestation key", &signer, err) < 0)
        return -1;
    TSS2_RC rc;
    TPM_RUN(rc,
            Esys_Certify(tpm->esys, key->handle, signer.handle, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD,
                    ESYS_TR_NONE, &no_data, &own_scheme, &attest, &signature));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "certify the wrapping key");
    return skrfs_tpm_store_attestation(attest, signature, ret, err);
}

int skrfs_tpm_ephemeral(struct skrfs_tpm *tpm, uint32_t ak, const uint8_t pcrs[SKRFS_TPM_PCRS][32],
        const uint8_t unique[256], struct skrfs_tpm_ephemeral *ret_key,
        struct skrfs_tpm_attestation *ret_certified, struct skrfs_error *err) {
    struct skrfs_tpm_ephemeral made = {0};
    struct skrfs_tpm_attestation certified = {0};
    autoesys TPM2B_PUBLIC *public = NULL;
    TPM_GUARD(held);
    if (unique)
        memcpy(made.unique, unique, sizeof(made.unique));
    if (skrfs_hash(SKRFS_SHA256, pcrs, SKRFS_TPM_PCRS * sizeof(pcrs[0]), made.pcr_digest, err) <
                    0 ||
            skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    autohandle key = TPM_TRANSIENT(tpm);
    if (create(tpm, made.pcr_digest, made.unique, &key, &public, err) < 0 ||
            skrfs_tpm_store_public(public, &made.public, made.modulus, err) < 0 ||
            certify(tpm, ak, &key, &certified, err) < 0 ||
            skrfs_tpm_context_save(tpm, &key, &made.context, err) < 0)
        return -1;
    *ret_key = made;
    *ret_certified = certified;
    return 0;
}

static int recreate(struct skrfs_tpm *tpm, const struct skrfs_tpm_ephemeral *wanted,
        struct tpm_handle *ret_key, struct skrfs_error *err) {
    struct skrfs_tpm_blob blob;
    uint8_t modulus[256];
    autoesys TPM2B_PUBLIC *public = NULL;
    if (create(tpm, wanted->pcr_digest, wanted->unique, ret_key, &public, err) < 0 ||
            skrfs_tpm_store_public(public, &blob, modulus, err) < 0)
        return -1;
    if (blob.len != wanted->public.len || memcmp(blob.data, wanted->public.data, blob.len) != 0)
        return skrfs_fail(err, SKRFS_CLASS_CRYPTO,
                "the TPM no longer makes the wrapping key that was attested: it was reset since");
    return 0;
}

int skrfs_tpm_load_ephemeral(struct skrfs_tpm *tpm, const struct skrfs_tpm_ephemeral *wanted,
        struct tpm_handle *ret_key, struct skrfs_error *err) {
    int loaded = skrfs_tpm_context_load(tpm, &wanted->context, ret_key, err);
    if (loaded != 0)
        return loaded < 0 ? -1 : 0;
    return recreate(tpm, wanted, ret_key, err);
}
