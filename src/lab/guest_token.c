/* The attestation token of a confidential VM: what the service says of the evidence. */
#include "guest.h"
#include "jwt.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/wrap.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>
#include <skrfs/tpm/attest.h>
#include <string.h>

#define KEY_ID "TpmEphemeralEncryptionKey"
#define HEX_MAX 64

struct hex_claim {
    const char *name;
    const uint8_t *data;
    size_t len;
};

static int set_hex(struct skrfs_json *claims, const struct hex_claim *list, size_t count,
        struct skrfs_error *err) {
    for (size_t i = 0; i < count; i++) {
        char text[2 * HEX_MAX + 1];
        struct skrfs_json *value = NULL;
        skrfs_hex_encode(list[i].data, list[i].len, text);
        if (skrfs_json_pack(&value, err, "s", text) < 0 ||
                skrfs_json_set(claims, list[i].name, value, err) < 0)
            return -1;
    }
    return 0;
}

static int snp_claims(
        const struct skrfs_lab_guest *guest, struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_snp snp;
    struct skrfs_snp_tcb tcb;
    if (skrfs_snp_parse(skrfs_buf_bytes(&guest->report), &snp, err) < 0)
        return -1;
    skrfs_snp_tcb_split(snp.product, snp.reported_tcb, &tcb);
    const struct hex_claim hex[] = {
            {"x-ms-sevsnpvm-authorkeydigest", snp.author_key_digest, 48},
            {"x-ms-sevsnpvm-familyId", guest->report.data + 0x10, 16},
            {"x-ms-sevsnpvm-hostdata", snp.host_data, 32},
            {"x-ms-sevsnpvm-idkeydigest", snp.id_key_digest, 48},
            {"x-ms-sevsnpvm-imageId", guest->report.data + 0x20, 16},
            {"x-ms-sevsnpvm-launchmeasurement", snp.measurement, 48},
            {"x-ms-sevsnpvm-reportdata", snp.report_data, 64},
            {"x-ms-sevsnpvm-reportid", snp.report_id, 32},
    };
    const struct {
        const char *name;
        int64_t value;
    } values[] = {
            {"x-ms-sevsnpvm-bootloader-svn", tcb.bootloader},
            {"x-ms-sevsnpvm-guestsvn", snp.guest_svn},
            {"x-ms-sevsnpvm-microcode-svn", tcb.microcode},
            {"x-ms-sevsnpvm-snpfw-svn", tcb.snp},
            {"x-ms-sevsnpvm-tee-svn", tcb.tee},
            {"x-ms-sevsnpvm-vmpl", snp.vmpl},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(values); i++) {
        struct skrfs_json *value = NULL;
        if (skrfs_json_pack(&value, err, "I", values[i].value) < 0 ||
                skrfs_json_set(claims, values[i].name, value, err) < 0)
            return -1;
    }
    const struct {
        const char *name;
        bool value;
    } flags[] = {
            {"x-ms-sevsnpvm-is-debuggable", snp.debug},
            {"x-ms-sevsnpvm-migration-allowed", (snp.policy >> 18 & 1) != 0},
            {"x-ms-sevsnpvm-smt-allowed", (snp.policy >> 16 & 1) != 0},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(flags); i++) {
        struct skrfs_json *value = NULL;
        if (skrfs_json_pack(&value, err, "b", (int)flags[i].value) < 0 ||
                skrfs_json_set(claims, flags[i].name, value, err) < 0)
            return -1;
    }
    return set_hex(claims, hex, SKRFS_ARRAY_LEN(hex), err);
}

static int tdx_claims(
        const struct skrfs_lab_guest *guest, struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_td_quote quote;
    if (skrfs_td_quote_parse(skrfs_buf_bytes(&guest->report), &quote, err) < 0)
        return -1;
    const uint8_t *body = guest->report.data + 48; /* parsed: header and body are there */
    const struct hex_claim hex[] = {
            {"tdx_mrseam", body + 16, 48},
            {"tdx_mrsignerseam", body + 64, 48},
            {"tdx_mrtd", body + 136, 48},
            {"tdx_mrconfigid", body + 184, 48},
            {"tdx_mrowner", body + 232, 48},
            {"tdx_mrownerconfig", body + 280, 48},
            {"tdx_rtmr0", quote.rtmr[0], 48},
            {"tdx_rtmr1", quote.rtmr[1], 48},
            {"tdx_rtmr2", quote.rtmr[2], 48},
            {"tdx_rtmr3", quote.rtmr[3], 48},
            {"tdx_report_data", quote.report_data, 64},
            {"tdx_tee_tcb_svn", body, 16},
            {"tdx_td_attributes", body + 120, 8},
            {"tdx_xfam", body + 128, 8},
    };
    struct skrfs_json *debug = NULL;
    struct skrfs_json *status = NULL;
    if (skrfs_json_pack(&debug, err, "b", (int)(quote.attributes & 1)) < 0 ||
            skrfs_json_set(claims, "tdx_td_attributes_debug", debug, err) < 0 ||
            skrfs_json_pack(&status, err, "s", "UpToDate") < 0 ||
            skrfs_json_set(claims, "attester_tcb_status", status, err) < 0)
        return -1;
    return set_hex(claims, hex, SKRFS_ARRAY_LEN(hex), err);
}

int skrfs_lab_isolation_claims(const struct skrfs_lab_guest *guest, const char *compliance,
        struct skrfs_json **ret_claims, struct skrfs_error *err) {
    bool snp = guest->isolation == SKRFS_LAB_SNP;
    struct skrfs_json *runtime = NULL;
    skrfs_autojson *claims = NULL;
    if (skrfs_json_parse(skrfs_buf_text(&guest->claims), guest->claims.len, guest->claims.max,
                &runtime, err) < 0)
        return -1;
    if (skrfs_json_pack(&claims, err, "{s:s,s:s,s:o}", "x-ms-attestation-type",
                snp ? "sevsnpvm" : "tdxvm", "x-ms-compliance-status", compliance, "x-ms-runtime",
                runtime) < 0)
        return -1;
    if ((snp ? snp_claims : tdx_claims)(guest, claims, err) < 0)
        return -1;
    *ret_claims = skrfs_take(claims);
    return 0;
}

static int guest_key(
        const struct skrfs_lab_guest *guest, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    struct skrfs_tpm_rsa_public key;
    struct skrfs_public public = {.type = SKRFS_KEY_RSA, .n_len = 256, .e = {1, 0, 1}, .e_len = 3};
    if (skrfs_tpm_public_parse(skrfs_buf_bytes(&guest->key_public), &key, err) < 0)
        return -1;
    memcpy(public.n, key.modulus, 256);
    return skrfs_pkey_from_public(&public, ret_key, err);
}

/* {"e":..., "key_ops":["encrypt"], "kid":..., "kty":"RSA", "n":...}: the key to wrap to. */
static int key_claims(
        const struct skrfs_pkey *key, struct skrfs_json **ret_keys, struct skrfs_error *err) {
    struct skrfs_public public;
    skrfs_autojson *jwk = NULL;
    struct skrfs_json *ops = NULL;
    struct skrfs_json *kid = NULL;
    if (skrfs_pkey_public(key, &public, err) < 0 ||
            skrfs_lab_jwk(&public, "RSA", false, &jwk, err) < 0 ||
            skrfs_json_pack(&ops, err, "[s]", "encrypt") < 0 ||
            skrfs_json_set(jwk, "key_ops", ops, err) < 0 ||
            skrfs_json_pack(&kid, err, "s", KEY_ID) < 0 || skrfs_json_set(jwk, "kid", kid, err) < 0)
        return -1;
    return skrfs_json_pack(ret_keys, err, "[o]", skrfs_take(jwk));
}

/* The client's payload as it was sent, or with another nonce. */
static int payload_claims(const struct skrfs_lab_guest *guest, const char *nonce,
        struct skrfs_json **ret_payload, struct skrfs_error *err) {
    skrfs_autojson *payload = NULL;
    struct skrfs_json *text = NULL;
    if (skrfs_json_copy(guest->client_payload, &payload, err) < 0)
        return -1;
    if (nonce) {
        struct skrfs_bytes octets = {(const uint8_t *)nonce, strlen(nonce)};
        if (skrfs_lab_base64_json(SKRFS_BASE64, octets, &text, err) < 0 ||
                skrfs_json_set(payload, "nonce", text, err) < 0)
            return -1;
    }
    *ret_payload = skrfs_take(payload);
    return 0;
}

static int runtime_claims(const struct skrfs_lab_guest *guest,
        const struct skrfs_lab_token_wish *wish, struct skrfs_json **ret_runtime,
        struct skrfs_error *err) {
    skrfs_autopkey *own = NULL;
    skrfs_autojson *payload = NULL;
    struct skrfs_json *keys = NULL;
    if (guest_key(guest, &own, err) < 0 || payload_claims(guest, wish->nonce, &payload, err) < 0 ||
            key_claims(wish->key ? wish->key : own, &keys, err) < 0)
        return -1;
    return skrfs_json_pack(
            ret_runtime, err, "{s:o,s:o}", "client-payload", skrfs_take(payload), "keys", keys);
}

/* Claims about the operating system, as the service's default policy derives them from the boot
 * log. */
static int vm_claims(const struct skrfs_lab_guest *guest, const char *vm_id,
        struct skrfs_json **ret_claims, struct skrfs_error *err) {
    return skrfs_json_pack(ret_claims, err,
            "{s:b,s:s,s:s,s:[i,i,i,i,i,i,i,i],s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:s,s:s,s:s,s:I,"
            "s:"
            "I,s:b,s:b,s:s}",
            "secureboot", 1, "x-ms-attestation-type", "azurevm",
            "x-ms-azurevm-attestation-protocol-ver", "2.0", "x-ms-azurevm-attested-pcrs", 0, 1, 2,
            3, 4, 5, 6, 7, "x-ms-azurevm-bootdebug-enabled", 0, "x-ms-azurevm-dbvalidated", 1,
            "x-ms-azurevm-dbxvalidated", 1, "x-ms-azurevm-debuggersdisabled", 1,
            "x-ms-azurevm-default-securebootkeysvalidated", 1, "x-ms-azurevm-elam-enabled", 0,
            "x-ms-azurevm-flightsigning-enabled", 0, "x-ms-azurevm-is-windows", 0,
            "x-ms-azurevm-kerneldebug-enabled", 0, "x-ms-azurevm-osbuild", guest->os_build,
            "x-ms-azurevm-osdistro", guest->os_distro, "x-ms-azurevm-ostype", guest->os_type,
            "x-ms-azurevm-osversion-major", guest->os_major, "x-ms-azurevm-osversion-minor",
            guest->os_minor, "x-ms-azurevm-signingdisabled", 1, "x-ms-azurevm-testsigning-enabled",
            0, "x-ms-azurevm-vmid", vm_id ? vm_id : "");
}

static int set_taken(struct skrfs_json *claims, const char *name, int rc, struct skrfs_json *value,
        struct skrfs_error *err) {
    return rc < 0 ? -1 : skrfs_json_set(claims, name, value, err);
}

static int registered_claims(const struct skrfs_lab_token_wish *wish, struct skrfs_json *claims,
        struct skrfs_error *err) {
    uint8_t id[32];
    char hex[2 * sizeof(id) + 1];
    if (skrfs_random(id, sizeof(id), err) < 0)
        return -1;
    skrfs_hex_encode(id, sizeof(id), hex);
    const struct {
        const char *name, *text;
        int64_t number;
    } list[] = {
            {"exp", NULL, wish->now_s + wish->life_s},
            {"iat", NULL, wish->now_s},
            {"nbf", NULL, wish->now_s},
            {"iss", wish->issuer, 0},
            {"jti", hex, 0},
            {"x-ms-policy-hash", "wm9mHlvTU82e8UqoOy1Yj1FBRSNkfe99-69IYDq9eWs", 0},
            {"x-ms-ver", "1.0", 0},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(list); i++) {
        struct skrfs_json *value = NULL;
        int rc = list[i].text ? skrfs_json_pack(&value, err, "s", list[i].text)
                              : skrfs_json_pack(&value, err, "I", list[i].number);
        if (set_taken(claims, list[i].name, rc, value, err) < 0)
            return -1;
    }
    return 0;
}

int skrfs_lab_guest_claims(const struct skrfs_lab_guest *guest,
        const struct skrfs_lab_token_wish *wish, struct skrfs_json **ret_claims,
        struct skrfs_error *err) {
    skrfs_autojson *claims = NULL;
    skrfs_autojson *runtime = NULL;
    struct skrfs_json *value = NULL;
    if (skrfs_json_parse(skrfs_buf_text(&guest->claims), guest->claims.len, guest->claims.max,
                &runtime, err) < 0)
        return -1;
    const struct skrfs_json *vm = skrfs_json_get(runtime, "vm-configuration");
    if (vm_claims(guest, skrfs_json_string(skrfs_json_get(vm, "vmUniqueId")), &claims, err) < 0 ||
            registered_claims(wish, claims, err) < 0)
        return -1;
    int rc = skrfs_lab_isolation_claims(guest, wish->compliance, &value, err);
    if (set_taken(claims, "x-ms-isolation-tee", rc, value, err) < 0)
        return -1;
    rc = runtime_claims(guest, wish, &value, err);
    if (set_taken(claims, "x-ms-runtime", rc, value, err) < 0)
        return -1;
    *ret_claims = skrfs_take(claims);
    return 0;
}

/* Encrypts under a new key; `inner` gets that key, wrapped to the guest's. */
static int seal(const struct skrfs_lab_guest *guest, struct skrfs_bytes token, const uint8_t iv[12],
        enum skrfs_lab_seal how, struct skrfs_buf *inner, struct skrfs_buf *cipher, uint8_t tag[16],
        struct skrfs_error *err) {
    static const struct skrfs_bytes aad = {(const uint8_t *)"Transport Key", 13};
    skrfs_autosecret *key = NULL;
    skrfs_autopkey *to = NULL;
    if (skrfs_secret_new(32, &key, err) < 0 || skrfs_random(skrfs_secret_space(key), 32, err) < 0 ||
            guest_key(guest, &to, err) < 0 ||
            skrfs_gcm_seal(key, (struct skrfs_bytes){iv, 12}, aad, token, cipher, tag, err) < 0)
        return -1;
    if (how == SKRFS_LAB_SEALED_BAD_TAG)
        tag[0] ^= 1;
    if (how == SKRFS_LAB_SEALED_OTHER_KEY)
        skrfs_secret_space(key)[0] ^= 1;
    return skrfs_pkcs1_encrypt(to, (struct skrfs_bytes){skrfs_secret_data(key), 32}, inner, err);
}

/* Sets a member to octets in standard base64. */
static int set_octets(struct skrfs_json *json, const char *name, const void *data, size_t len,
        struct skrfs_error *err) {
    struct skrfs_json *text = NULL;
    int rc = skrfs_lab_base64_json(SKRFS_BASE64, (struct skrfs_bytes){data, len}, &text, err);
    return set_taken(json, name, rc, text, err);
}

static int sealed_json(const struct skrfs_lab_guest *guest, struct skrfs_bytes token,
        enum skrfs_lab_seal how, struct skrfs_json **ret_json, struct skrfs_error *err) {
    uint8_t iv[12];
    uint8_t tag[16];
    skrfs_autobuf inner = SKRFS_BUF(SKRFS_RSA_MAX);
    skrfs_autobuf cipher = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_autojson *params = NULL;
    skrfs_autojson *json = NULL;
    if (skrfs_random(iv, sizeof(iv), err) < 0 ||
            seal(guest, token, iv, how, &inner, &cipher, tag, err) < 0 ||
            skrfs_json_pack(&params, err, "{s:s,s:s,s:s,s:i}", "Cipher", "AES", "BlockMode",
                    "ChainingModeGCM", "BlockPadding", "PKCS7", "KeySizeInBits", 256) < 0 ||
            set_octets(params, "Iv", iv, sizeof(iv), err) < 0 ||
            skrfs_json_pack(&json, err, "{s:o}", "EncryptionParams", skrfs_take(params)) < 0 ||
            set_octets(json, "EncryptedInnerKey", inner.data, inner.len, err) < 0 ||
            set_octets(json, "AuthenticationData", tag, sizeof(tag), err) < 0 ||
            set_octets(json, "Jwt", cipher.data, cipher.len, err) < 0)
        return -1;
    *ret_json = skrfs_take(json);
    return 0;
}

int skrfs_lab_guest_seal(const struct skrfs_lab_guest *guest, struct skrfs_bytes token,
        enum skrfs_lab_seal how, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *sealed = NULL;
    skrfs_autojson *answer = NULL;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX * 2);
    struct skrfs_json *encoded = NULL;
    if (sealed_json(guest, token, how, &sealed, err) < 0 ||
            skrfs_json_print(sealed, false, &text, err) < 0 ||
            skrfs_lab_base64_json(SKRFS_BASE64URL, skrfs_buf_bytes(&text), &encoded, err) < 0 ||
            skrfs_json_pack(&answer, err, "{s:o}", "token", encoded) < 0)
        return skrfs_wrap(err, "seal the token");
    return skrfs_json_print(answer, false, out, err);
}
