/* Decryption with the wrapping key. Its policy session has no key to authenticate with, so nothing
 * would be gained from ESYS's nonces and hashes, each of which sets up a library context of
 * OpenSSL; the system API (tss2-sys), on which ESYS stands, goes without, and leaves fewer copies
 * of the plaintext. */
#include "internal.h"

#include <skrfs/crypto/hash.h>
#include <tss2/tss2_sys.h>

static TSS2_SYS_CONTEXT *sys_of(struct skrfs_tpm *tpm) {
    TSS2_SYS_CONTEXT *sys = NULL;
    (void)Esys_GetSysContext(tpm->esys, &sys);
    return sys;
}

/* TPM 2.0 Library, Part 3, 11.1: the caller's nonce has 16 octets at least. */
static int start_session(
        struct skrfs_tpm *tpm, struct tpm_handle *ret_session, struct skrfs_error *err) {
    static const TPMT_SYM_DEF no_cipher = {.algorithm = TPM2_ALG_NULL};
    static const TPM2B_ENCRYPTED_SECRET no_salt = {0};
    TPM2B_NONCE nonce = {.size = 16};
    TPM2B_NONCE answered = {0};
    if (skrfs_random(nonce.buffer, nonce.size, err) < 0)
        return -1;
    TSS2_RC rc;
    TPM_RUN(rc, Tss2_Sys_StartAuthSession(sys_of(tpm), TPM2_RH_NULL, TPM2_RH_NULL, NULL, &nonce,
                        &no_salt, TPM2_SE_POLICY, &no_cipher, TPM2_ALG_SHA256, &ret_session->number,
                        &answered, NULL));
    return rc == TSS2_RC_SUCCESS ? 0 : skrfs_tpm_fail(tpm, rc, err, "begin a policy session");
}

static int open_policy(struct skrfs_tpm *tpm, const struct skrfs_tpm_ephemeral *key,
        struct tpm_handle *ret_session, struct skrfs_error *err) {
    TPM2B_DIGEST digest = {.size = 32};
    if (start_session(tpm, ret_session, err) < 0)
        return -1;
    memcpy(digest.buffer, key->pcr_digest, 32);
    TSS2_RC rc;
    TPM_RUN(rc, Tss2_Sys_PolicyPCR(sys_of(tpm), ret_session->number, NULL, &digest,
                        &skrfs_tpm_pcr_selection, NULL));
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

static int to_secret(const TPM2B_PUBLIC_KEY_RSA *message, struct skrfs_secret **ret_plain,
        struct skrfs_error *err) {
    if (message->size == 0)
        return skrfs_fail(err, SKRFS_CLASS_CRYPTO, "the TPM decrypted it to nothing");
    return skrfs_secret_copy(message->buffer, message->size, ret_plain, err);
}

/* The session stays: what flushes sessions by number must know of each that goes. */
static int rsa_decrypt(struct skrfs_tpm *tpm, const struct tpm_handle *key,
        const struct tpm_handle *session, enum skrfs_tpm_scheme scheme, struct skrfs_bytes cipher,
        struct skrfs_secret **ret_plain, struct skrfs_error *err) {
    static const TPM2B_DATA no_label = {0};
    TPM2B_PUBLIC_KEY_RSA text = {.size = (uint16_t)cipher.len};
    TPM2B_PUBLIC_KEY_RSA message = {0};
    TPMT_RSA_DECRYPT how = scheme_of(scheme);
    const TSS2L_SYS_AUTH_COMMAND authorized = {.count = 1,
            .auths = {{.sessionHandle = session->number,
                    .sessionAttributes = TPMA_SESSION_CONTINUESESSION}}};
    memcpy(text.buffer, cipher.data, cipher.len);
    TSS2_RC rc;
    TPM_RUN(rc, Tss2_Sys_RSA_Decrypt(sys_of(tpm), key->number, &authorized, &text, &how, &no_label,
                        &message, NULL));
    int result = rc == TSS2_RC_SUCCESS ? to_secret(&message, ret_plain, err)
                                       : decrypt_failed(tpm, rc, scheme, err);
    skrfs_wipe(&message, sizeof(message));
    return result;
}

/* The one command buffer keeps the last response, and that was the plaintext: at most 245 octets
 * from offset 16. A command that is only prepared, never sent, takes that place with its 512 octets
 * of zeros. Then the stack below, which the libraries used. */
static __attribute__((noinline)) void overwrite_traces(struct skrfs_tpm *tpm) {
    static const TPM2B_MAX_BUFFER zeros = {.size = 512};
    uint8_t below[16 * 1024];
    if (tpm->esys)
        (void)Tss2_Sys_Hash_Prepare(sys_of(tpm), &zeros, TPM2_ALG_SHA256, TPM2_RH_NULL);
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
    autohandle loaded = TPM_TRANSIENT(tpm);
    autohandle session = TPM_TRANSIENT(tpm);
    if (skrfs_tpm_load_ephemeral(tpm, key, &loaded, err) < 0 ||
            open_policy(tpm, key, &session, err) < 0)
        return -1;
    int result = rsa_decrypt(tpm, &loaded, &session, scheme, cipher, ret_plain, err);
    overwrite_traces(tpm);
    return result;
}
