/* The vTPM's part of the evidence. */
#include "guest.h"
#include "platform.h"

#include <skrfs/base/encode.h>
#include <skrfs/tpm/attest.h>
#include <string.h>

/* TPM 2.0 Library, Part 2, section 8.3: TPMA_OBJECT. */
#define FIXED_TPM 0x00000002U
#define FIXED_PARENT 0x00000010U
#define ORIGIN 0x00000020U
#define USER_WITH_AUTH 0x00000040U
#define ADMIN_WITH_POLICY 0x00000080U
#define RESTRICTED 0x00010000U
#define DECRYPT 0x00020000U
#define SIGN 0x00040000U

static int refused(struct skrfs_error *err, const char *why) {
    return skrfs_fail(err, SKRFS_CLASS_REJECTED, "%s", why);
}

static int refuse_as(struct skrfs_error *err, const char *what) {
    err->kind = SKRFS_CLASS_REJECTED;
    return skrfs_wrap(err, "%s", what);
}

/* The modulus of HCLAkPub among the claims. */
static int claimed_ak(
        const struct skrfs_buf *claims, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const struct skrfs_json *keys = NULL;
    if (skrfs_json_parse(skrfs_buf_text(claims), claims->len, claims->max, &json, err) < 0 ||
            skrfs_json_need_array(json, "keys", &keys, err) < 0)
        return refuse_as(err, "RunTimeData");
    for (size_t i = 0; i < skrfs_json_size(keys); i++) {
        const struct skrfs_json *key = skrfs_json_at(keys, i);
        const char *kid = skrfs_json_string(skrfs_json_get(key, "kid"));
        if (!kid || strcmp(kid, "HCLAkPub") != 0)
            continue;
        if (skrfs_json_need_base64(key, "n", SKRFS_BASE64URL, out, err) < 0)
            return refuse_as(err, "RunTimeData");
        return 0;
    }
    return refused(err, "RunTimeData has no HCLAkPub");
}

static int rsa_key(const uint8_t modulus[256], uint32_t exponent, struct skrfs_pkey **ret_key,
        struct skrfs_error *err) {
    struct skrfs_public members = {.type = SKRFS_KEY_RSA, .n_len = 256, .e_len = 4};
    uint32_t e = exponent ? exponent : 65537;
    memcpy(members.n, modulus, 256);
    for (size_t i = 0; i < 4; i++)
        members.e[i] = (uint8_t)(e >> (24 - 8 * i));
    return skrfs_pkey_from_public(&members, ret_key, err);
}

static int check_ak(
        const struct skrfs_lab_guest *guest, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    struct skrfs_tpm_rsa_public ak;
    skrfs_autobuf claimed = SKRFS_BUF(SKRFS_RSA_MAX);
    if (skrfs_tpm_public_parse(skrfs_buf_bytes(&guest->ak_public), &ak, err) < 0)
        return refuse_as(err, "AikPub");
    if (claimed_ak(&guest->claims, &claimed, err) < 0)
        return -1;
    if (claimed.len != sizeof(ak.modulus) || memcmp(claimed.data, ak.modulus, claimed.len) != 0)
        return refused(err, "AikPub is not the HCLAkPub of RunTimeData");
    const uint32_t wanted = FIXED_TPM | FIXED_PARENT | ORIGIN | RESTRICTED | SIGN;
    if ((ak.attributes & (wanted | DECRYPT)) != wanted)
        return refused(err, "AikPub is not a restricted signing key that cannot leave its TPM");
    return rsa_key(ak.modulus, ak.exponent, ret_key, err);
}

/* The certificate is followed by the index's zero padding. */
static size_t der_len(const struct skrfs_buf *cert) {
    const uint8_t *d = cert->data;
    size_t len = 0;
    if (cert->len >= 4 && d[0] == 0x30 && d[1] == 0x82)
        len = 4 + ((size_t)d[2] << 8 | d[3]);
    else if (cert->len >= 3 && d[0] == 0x30 && d[1] == 0x81)
        len = 3 + (size_t)d[2];
    if (len == 0 || len > cert->len)
        return 0;
    for (size_t i = len; i < cert->len; i++)
        if (d[i] != 0)
            return 0;
    return len;
}

static int check_ak_certificate(const struct skrfs_lab_guest *guest, const struct skrfs_pkey *ak,
        const struct skrfs_chain *vtpm, struct skrfs_error *err) {
    skrfs_autobuf issuer = SKRFS_BUF(SKRFS_CERT_MAX);
    skrfs_autochain *chain = NULL;
    skrfs_autopkey *certified = NULL;
    struct skrfs_public named;
    struct skrfs_public real;
    size_t len = der_len(&guest->ak_cert);
    if (len == 0)
        return refused(err, "AikCert is no certificate");
    if (skrfs_chain_der(vtpm, skrfs_chain_len(vtpm) - 1, &issuer, err) < 0)
        return -1;
    const struct skrfs_bytes certs[] = {{guest->ak_cert.data, len}, skrfs_buf_bytes(&issuer)};
    if (skrfs_chain_from_der(certs, 2, &chain, err) < 0)
        return refuse_as(err, "AikCert");
    if (skrfs_chain_verify_links(chain, err) < 0)
        return refuse_as(err, "AikCert is not issued by the vTPM's authority");
    if (skrfs_chain_leaf_key(chain, &certified, err) < 0 ||
            skrfs_pkey_public(certified, &named, err) < 0 || skrfs_pkey_public(ak, &real, err) < 0)
        return refuse_as(err, "AikCert");
    if (!skrfs_public_equal(&named, &real))
        return refused(err, "AikCert is for another key than AikPub");
    return 0;
}

static int check_signed(const struct skrfs_pkey *ak, const struct skrfs_buf *attest,
        const struct skrfs_buf *signature, const char *what, struct skrfs_error *err) {
    if (skrfs_rsa_verify(
                ak, SKRFS_SHA256, skrfs_buf_bytes(attest), skrfs_buf_bytes(signature), err) < 0)
        return refuse_as(err, what);
    return 0;
}

static int pcr_digest(
        const struct skrfs_lab_guest *guest, uint8_t ret_digest[32], struct skrfs_error *err) {
    return skrfs_hash(SKRFS_SHA256, guest->pcrs, sizeof(guest->pcrs), ret_digest, err);
}

static int check_quote(
        const struct skrfs_lab_guest *guest, const struct skrfs_pkey *ak, struct skrfs_error *err) {
    struct skrfs_attest quote;
    uint8_t digest[32];
    if (check_signed(ak, &guest->quote, &guest->quote_signature,
                "PcrSignature is not the attestation key's", err) < 0)
        return -1;
    if (skrfs_attest_parse(skrfs_buf_bytes(&guest->quote), &quote, err) < 0)
        return refuse_as(err, "PcrQuote");
    if (quote.kind != SKRFS_ATTEST_QUOTE)
        return refused(err, "PcrQuote is no quote");
    if (!quote.pcrs_0_to_7_only)
        return refused(err, "PcrQuote is not over PCR 0 to 7 of the SHA-256 bank");
    if (pcr_digest(guest, digest, err) < 0)
        return -1;
    if (quote.digest_len != sizeof(digest) || memcmp(quote.digest, digest, sizeof(digest)) != 0)
        return refused(err, "PCRs are not what PcrQuote was made over");
    return 0;
}

static int check_event_log(const struct skrfs_lab_guest *guest, struct skrfs_error *err) {
    uint8_t pcrs[8][32];
    if (guest->event_log.len == 0)
        return 0;
    if (skrfs_lab_event_log_replay(skrfs_buf_bytes(&guest->event_log), pcrs, err) < 0)
        return refuse_as(err, "TcgLogs");
    if (memcmp(pcrs, guest->pcrs, sizeof(pcrs)) != 0)
        return refused(err, "TcgLogs do not lead to PCRs");
    return 0;
}

/* TPM 2.0 Library, Part 3, section 23.7: what PolicyPCR makes of an empty policy. */
static int pcr_policy(
        const struct skrfs_lab_guest *guest, uint8_t ret_policy[32], struct skrfs_error *err) {
    static const uint8_t middle[] = {0, 0, 0x01, 0x7f, /* TPM_CC_PolicyPCR */
            0, 0, 0, 1, 0, 0x0b, 3, 0xff, 0, 0};       /* PCR 0 to 7 of SHA-256 */
    uint8_t text[32 + sizeof(middle) + 32] = {0};
    memcpy(text + 32, middle, sizeof(middle));
    if (pcr_digest(guest, text + 32 + sizeof(middle), err) < 0)
        return -1;
    return skrfs_hash(SKRFS_SHA256, text, sizeof(text), ret_policy, err);
}

static int check_key(
        const struct skrfs_lab_guest *guest, const struct skrfs_pkey *ak, struct skrfs_error *err) {
    struct skrfs_tpm_rsa_public key;
    struct skrfs_attest certify;
    uint8_t policy[32];
    if (skrfs_tpm_public_parse(skrfs_buf_bytes(&guest->key_public), &key, err) < 0)
        return refuse_as(err, "EncKeyPub");
    const uint32_t wanted = FIXED_TPM | FIXED_PARENT | ORIGIN | DECRYPT;
    const uint32_t unwanted = USER_WITH_AUTH | ADMIN_WITH_POLICY | RESTRICTED | SIGN;
    if ((key.attributes & (wanted | unwanted)) != wanted)
        return refused(err, "EncKeyPub is not a decryption key that only its policy opens");
    if (pcr_policy(guest, policy, err) < 0)
        return -1;
    if (key.policy_len != sizeof(policy) || memcmp(key.policy, policy, sizeof(policy)) != 0)
        return refused(err, "EncKeyPub is not bound to PCRs");
    if (check_signed(ak, &guest->key_certify, &guest->key_certify_signature,
                "EncKeyCertifyInfoSignature is not the attestation key's", err) < 0)
        return -1;
    if (skrfs_attest_parse(skrfs_buf_bytes(&guest->key_certify), &certify, err) < 0)
        return refuse_as(err, "EncKeyCertifyInfo");
    if (certify.kind != SKRFS_ATTEST_CERTIFY)
        return refused(err, "EncKeyCertifyInfo certifies nothing");
    if (certify.name_len != sizeof(key.name) ||
            memcmp(certify.name, key.name, sizeof(key.name)) != 0)
        return refused(err, "EncKeyCertifyInfo is for another key than EncKeyPub");
    return 0;
}

int skrfs_lab_vtpm_check(const struct skrfs_lab_guest *guest, const struct skrfs_chain *vtpm,
        struct skrfs_error *err) {
    skrfs_autopkey *ak = NULL;
    if (check_ak(guest, &ak, err) < 0 || check_ak_certificate(guest, ak, vtpm, err) < 0 ||
            check_quote(guest, ak, err) < 0 || check_event_log(guest, err) < 0)
        return -1;
    return check_key(guest, ak, err);
}

struct skrfs_lab_anchors skrfs_lab_pki_anchors(const struct skrfs_lab_pki *pki) {
    return (struct skrfs_lab_anchors){.ark = pki->ark.chain,
            .vtpm = pki->vtpm.chain,
            .tdx = pki->tdx_root.chain,
            .uvm = pki->uvm_root.chain};
}

int skrfs_lab_guest_check(const struct skrfs_lab_guest *guest,
        const struct skrfs_lab_anchors *anchors, struct skrfs_error *err) {
    int rc = guest->isolation == SKRFS_LAB_SNP ? skrfs_lab_snp_check(guest, anchors->ark, err)
                                               : skrfs_lab_tdx_check(guest, anchors->tdx, err);
    if (rc < 0)
        return -1;
    return skrfs_lab_vtpm_check(guest, anchors->vtpm, err);
}
