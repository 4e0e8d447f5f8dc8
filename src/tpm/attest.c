#include <skrfs/crypto/hash.h>
#include <skrfs/tpm/attest.h>
#include <string.h>
#include <tss2/tss2_mu.h>

static int malformed(struct skrfs_error *err, const char *what) {
    return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TPM's attestation %s", what);
}

static int take_quote(
        const TPMS_QUOTE_INFO *quote, struct skrfs_attest *attest, struct skrfs_error *err) {
    const TPML_PCR_SELECTION *list = &quote->pcrSelect;
    if (quote->pcrDigest.size > sizeof(attest->digest))
        return malformed(err, "has a digest of wrong length");
    for (uint32_t i = 0; i < list->count; i++) {
        const TPMS_PCR_SELECTION *one = &list->pcrSelections[i];
        if (one->hash != TPM2_ALG_SHA256)
            continue;
        for (unsigned k = 0; k < one->sizeofSelect && k < sizeof(one->pcrSelect); k++)
            attest->pcr_mask |= (uint32_t)one->pcrSelect[k] << 8 * k;
    }
    attest->pcrs_0_to_7_only = list->count == 1 && attest->pcr_mask == 0xFF;
    attest->digest_len = quote->pcrDigest.size;
    memcpy(attest->digest, quote->pcrDigest.buffer, quote->pcrDigest.size);
    return 0;
}

static int take_certify(
        const TPMS_CERTIFY_INFO *certify, struct skrfs_attest *attest, struct skrfs_error *err) {
    if (certify->name.size > sizeof(attest->name))
        return malformed(err, "has a name of wrong length");
    attest->name_len = certify->name.size;
    memcpy(attest->name, certify->name.name, certify->name.size);
    return 0;
}

int skrfs_attest_parse(
        struct skrfs_bytes data, struct skrfs_attest *ret_attest, struct skrfs_error *err) {
    TPMS_ATTEST raw = {0};
    struct skrfs_attest attest = {0};
    size_t used = 0;
    if (!data.len ||
            Tss2_MU_TPMS_ATTEST_Unmarshal(data.data, data.len, &used, &raw) != TSS2_RC_SUCCESS)
        return malformed(err, "is malformed");
    if (raw.magic != TPM2_GENERATED_VALUE)
        return malformed(err, "was not made by a TPM: it does not begin with TPM_GENERATED");
    if (used != data.len)
        return malformed(err, "has octets behind its end");
    if (raw.extraData.size > sizeof(attest.extra))
        return malformed(err, "has too much qualifying data");
    attest.extra_len = raw.extraData.size;
    memcpy(attest.extra, raw.extraData.buffer, raw.extraData.size);
    int result = 0;
    switch (raw.type) {
    case TPM2_ST_ATTEST_QUOTE:
        attest.kind = SKRFS_ATTEST_QUOTE;
        result = take_quote(&raw.attested.quote, &attest, err);
        break;
    case TPM2_ST_ATTEST_CERTIFY:
        attest.kind = SKRFS_ATTEST_CERTIFY;
        result = take_certify(&raw.attested.certify, &attest, err);
        break;
    default:
        return malformed(err, "is neither a quote nor a certification");
    }
    if (result == 0)
        *ret_attest = attest;
    return result;
}

static int check_public(const TPMT_PUBLIC *area, struct skrfs_error *err) {
    if (area->type != TPM2_ALG_RSA || area->parameters.rsaDetail.keyBits != 2048 ||
            area->unique.rsa.size != 256)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the TPM's public area is not of an RSA-2048 key");
    if (area->nameAlg != TPM2_ALG_SHA256)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the TPM's public area is not named with SHA-256");
    return 0;
}

int skrfs_tpm_public_parse(
        struct skrfs_bytes data, struct skrfs_tpm_rsa_public *ret_public, struct skrfs_error *err) {
    TPM2B_PUBLIC raw = {0};
    size_t used = 0;
    if (data.len < 2 || (size_t)(data.data[0] << 8 | data.data[1]) != data.len - 2 ||
            Tss2_MU_TPM2B_PUBLIC_Unmarshal(data.data, data.len, &used, &raw) != TSS2_RC_SUCCESS ||
            used != data.len)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TPM's public area is malformed");
    const TPMT_PUBLIC *area = &raw.publicArea;
    if (check_public(area, err) < 0)
        return -1;
    struct skrfs_tpm_rsa_public public = {
            .attributes = area->objectAttributes,
            .policy_len = area->authPolicy.size,
            .exponent = area->parameters.rsaDetail.exponent,
            .name = {TPM2_ALG_SHA256 >> 8, TPM2_ALG_SHA256 & 0xFF},
    };
    if (public.policy_len > sizeof(public.policy))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TPM's public area has a long policy");
    memcpy(public.policy, area->authPolicy.buffer, public.policy_len);
    memcpy(public.modulus, area->unique.rsa.buffer, sizeof(public.modulus));
    if (skrfs_hash(SKRFS_SHA256, data.data + 2, data.len - 2, public.name + 2, err) < 0)
        return -1;
    *ret_public = public;
    return 0;
}

/* TPM 2.0 Library, Part 3, 23.7: the digest of an empty policy extended by PolicyPCR, once. */
int skrfs_tpm_pcr_policy(
        const uint8_t pcr_digest[32], uint8_t ret_policy[32], struct skrfs_error *err) {
    static const uint8_t command[] = {0, 0, 0x01, 0x7F};                     /* TPM_CC_PolicyPCR */
    static const uint8_t selection[] = {0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0, 0}; /* SHA-256: 0 to 7 */
    uint8_t text[32 + sizeof(command) + sizeof(selection) + 32] = {0};
    memcpy(text + 32, command, sizeof(command));
    memcpy(text + 32 + sizeof(command), selection, sizeof(selection));
    memcpy(text + 32 + sizeof(command) + sizeof(selection), pcr_digest, 32);
    return skrfs_hash(SKRFS_SHA256, text, sizeof(text), ret_policy, err);
}
