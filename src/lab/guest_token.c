/* The attestation token of a confidential VM: what the service says of the evidence. */
#include "claims.h"
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
    if ((snp ? skrfs_lab_snp_claims : skrfs_lab_tdx_claims)(
                skrfs_buf_bytes(&guest->report), claims, err) < 0)
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
int skrfs_lab_key_claims(const struct skrfs_pkey *key, const char *kid_text,
        struct skrfs_json **ret_keys, struct skrfs_error *err) {
    struct skrfs_public public;
    skrfs_autojson *jwk = NULL;
    struct skrfs_json *ops = NULL;
    struct skrfs_json *kid = NULL;
    if (skrfs_pkey_public(key, &public, err) < 0 ||
            skrfs_lab_jwk(&public, "RSA", false, &jwk, err) < 0 ||
            skrfs_json_pack(&ops, err, "[s]", "encrypt") < 0 ||
            skrfs_json_set(jwk, "key_ops", ops, err) < 0 ||
            skrfs_json_pack(&kid, err, "s", kid_text) < 0 ||
            skrfs_json_set(jwk, "kid", kid, err) < 0)
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
            skrfs_lab_key_claims(wish->key ? wish->key : own, KEY_ID, &keys, err) < 0)
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
            skrfs_lab_registered_claims(wish, claims, err) < 0)
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
