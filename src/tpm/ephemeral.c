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

static int reload(struct skrfs_tpm *tpm, const struct skrfs_tpm_ephemeral *wanted,
        struct tpm_handle *ret_key, struct skrfs_error *err) {
    int loaded = skrfs_tpm_context_load(tpm, &wanted->context, ret_key, err);
    if (loaded != 0)
        return loaded < 0 ? -1 : 0;
    return recreate(tpm, wanted, ret_key, err);
}

static int open_policy(struct skrfs_tpm *tpm, const struct skrfs_tpm_ephemeral *key,
        struct tpm_handle *ret_session, struct skrfs_error *err) {
    static const TPMT_SYM_DEF no_cipher = {.algorithm = TPM2_ALG_NULL};
    TPM2B_DIGEST digest = {.size = 32};
    TSS2_RC rc;
    TPM_RUN(rc, Esys_StartAuthSession(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                        ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &no_cipher,
                        TPM2_ALG_SHA256, &ret_session->handle));
    if (rc != TSS2_RC_SUCCESS)
        return skrfs_tpm_fail(tpm, rc, err, "begin a policy session");
    skrfs_tpm_handle_loaded(ret_session);
    memcpy(digest.buffer, key->pcr_digest, 32);
    TPM_RUN(rc, Esys_PolicyPCR(tpm->esys, ret_session->handle, ESYS_TR_NONE, ESYS_TR_NONE,
                        ESYS_TR_NONE, &digest, &skrfs_tpm_pcr_selection));
    if (skrfs_tpm_code(rc) == TPM2_RC_VALUE || skrfs_tpm_code(rc) == TPM2_RC_PCR_CHANGED) {
        skrfs_fail(err, SKRFS_CLASS_CRYPTO,
                "the boot measurements (PCR 0 to 7) changed since the wrapping key was attested");
        err->upstream = rc;
        return -1;
    }
    return rc == TSS2_RC_SUCCESS ? 0 : skrfs_tpm_fail(tpm, rc, err, "state the policy");
}

static TPMT_RSA_DECRYPT scheme_of(enum skrfs_tpm_scheme scheme) {
    static const TPMI_ALG_HASH hashes[] = {
            [SKRFS_TPM_OAEP_SHA1] = TPM2_ALG_SHA1,
            [SKRFS_TPM_OAEP_SHA256] = TPM2_ALG_SHA256,
            [SKRFS_TPM_OAEP_SHA384] = TPM2_ALG_SHA384,
    };
    if (scheme == SKRFS_TPM_RSAES)
        return (TPMT_RSA_DECRYPT){.scheme = TPM2_ALG_RSAES};
    return (TPMT_RSA_DECRYPT){.scheme = TPM2_ALG_OAEP, .details.oaep.hashAlg = hashes[scheme]};
}

/* What the TPM says of a ciphertext differs between makers; only a hash it lacks is told apart. */
static int decrypt_failed(
        struct skrfs_tpm *tpm, TSS2_RC rc, enum skrfs_tpm_scheme scheme, struct skrfs_error *err) {
    TSS2_RC code = skrfs_tpm_code(rc);
    if (code == TPM2_RC_HASH && scheme == SKRFS_TPM_OAEP_SHA384)
        skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "this TPM does not know SHA-384: ask for RSA_AES_KEY_WRAP_256");
    else if (code == TPM2_RC_PCR_CHANGED || code == TPM2_RC_POLICY_FAIL)
        skrfs_fail(err, SKRFS_CLASS_CRYPTO,
                "the boot measurements (PCR 0 to 7) changed since the wrapping key was attested");
    else if (code & TPM2_RC_FMT1 || code == TPM2_RC_FAILURE)
        skrfs_fail(err, SKRFS_CLASS_CRYPTO,
                "the TPM cannot decrypt it: it is not wrapped to this key, or damaged");
    else
        return skrfs_tpm_fail(tpm, rc, err, "decrypt with the wrapping key");
    err->upstream = rc;
    return -1;
}

static int move_to_secret(
        TPM2B_PUBLIC_KEY_RSA *message, struct skrfs_secret **ret_plain, struct skrfs_error *err) {
    int result = 0;
    if (message->size == 0)
        result = skrfs_fail(err, SKRFS_CLASS_CRYPTO, "the TPM decrypted it to nothing");
    else
        result = skrfs_secret_copy(message->buffer, message->size, ret_plain, err);
    skrfs_wipe(message, sizeof(*message));
    return result;
}

static int rsa_decrypt(struct skrfs_tpm *tpm, const struct tpm_handle *key,
        const struct tpm_handle *session, enum skrfs_tpm_scheme scheme, struct skrfs_bytes cipher,
        struct skrfs_secret **ret_plain, struct skrfs_error *err) {
    static const TPM2B_DATA no_label = {0};
    TPM2B_PUBLIC_KEY_RSA text = {.size = (uint16_t)cipher.len};
    TPMT_RSA_DECRYPT how = scheme_of(scheme);
    autoesys TPM2B_PUBLIC_KEY_RSA *message = NULL;
    memcpy(text.buffer, cipher.data, cipher.len);
    TSS2_RC rc;
    TPM_RUN(rc, Esys_RSA_Decrypt(tpm->esys, key->handle, session->handle, ESYS_TR_NONE,
                        ESYS_TR_NONE, &text, &how, &no_label, &message));
    if (rc != TSS2_RC_SUCCESS)
        return decrypt_failed(tpm, rc, scheme, err);
    return move_to_secret(message, ret_plain, err);
}

/* ESYS keeps the last response in its one command buffer, and that was the plaintext: at most 245
 * octets from offset 16. A harmless command whose 512 octets of parameters take that place is
 * written there before it is sent, so that this works also when the TPM is gone. Then the stack
 * below, which ESYS and its hashing of the response used. */
static __attribute__((noinline)) void overwrite_traces(struct skrfs_tpm *tpm) {
    static const TPM2B_MAX_BUFFER zeros = {.size = 512};
    uint8_t below[16 * 1024];
    if (tpm->esys) {
        autoesys TPM2B_DIGEST *digest = NULL;
        autoesys TPMT_TK_HASHCHECK *ticket = NULL;
        (void)Esys_Hash(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &zeros,
                TPM2_ALG_SHA256, ESYS_TR_RH_NULL, &digest, &ticket);
    }
    skrfs_wipe(below, sizeof(below));
}

int skrfs_tpm_decrypt(struct skrfs_tpm *tpm, const struct skrfs_tpm_ephemeral *key,
        enum skrfs_tpm_scheme scheme, struct skrfs_bytes cipher, struct skrfs_secret **ret_plain,
        struct skrfs_error *err) {
    if (cipher.len != sizeof(key->modulus))
        return skrfs_fail(err, SKRFS_CLASS_CRYPTO,
                "what is to be decrypted has %zu octets, the wrapping key %zu", cipher.len,
                sizeof(key->modulus));
    TPM_GUARD(held);
    if (skrfs_tpm_lock(tpm, &held, err) < 0)
        return -1;
    autohandle made = TPM_TRANSIENT(tpm);
    autohandle session = TPM_TRANSIENT(tpm);
    if (reload(tpm, key, &made, err) < 0 || open_policy(tpm, key, &session, err) < 0)
        return -1;
    int result = rsa_decrypt(tpm, &made, &session, scheme, cipher, ret_plain, err);
    overwrite_traces(tpm);
    return result;
}
