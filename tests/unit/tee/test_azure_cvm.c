/* An Azure confidential VM made of a software TPM and a report made here: evidence that holds
 * together, and each way in which it may not. */
#include "handles.h"
#include "support.h"
#include "swtpm.h"

#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <skrfs/crypto/x509.h>
#include <skrfs/tee/tee.h>
#include <skrfs/tpm/attest.h>
#include <skrfs/tpm/provision.h>

#define NONCE "00112233445566778899aabbccddeeff"

static struct swtpm soft;
static struct skrfs_tpm *tpm;
static uint8_t ak_modulus[256];
static char log_path[96];

static void put32(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* A report as the paravisor's: header, SNP report over the digest of the claims, claims. */
static size_t make_report(const uint8_t modulus[256], uint8_t report[2048]) {
    struct skrfs_error err = {0};
    skrfs_autobuf claims = SKRFS_BUF(800);
    assert_ok(skrfs_buf_append_text(&claims,
                      "{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\","
                      "\"e\":\"AQAB\",\"n\":\"",
                      &err),
            err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, modulus, 256, &claims, &err), err);
    assert_ok(skrfs_buf_append_text(
                      &claims, "\"}],\"vm-configuration\":{\"secure-boot\":true}}", &err),
            err);
    uint32_t len = (uint32_t)claims.len;
    memset(report, 0, 2048);
    memcpy(report, "HCLA", 4);
    put32(report + 4, 2);
    put32(report + 8, 1236 + len);
    put32(report + 12, 2);
    put32(report + 32, 2);        /* SNP report, version 2 */
    put32(report + 32 + 0x34, 1); /* ECDSA P-384 */
    put32(report + 1216, 20 + len);
    put32(report + 1220, 1);
    put32(report + 1224, 2);
    put32(report + 1228, 1);
    put32(report + 1232, len);
    memcpy(report + 1236, claims.data, len);
    assert_ok(skrfs_hash(SKRFS_SHA256, claims.data, len, report + 32 + 0x50, &err), err);
    return 1236 + len;
}

static void store(uint32_t index, const void *data, size_t len, size_t size) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_tpm_nv_define(tpm, index, (struct skrfs_bytes){data, len}, size, &err), err);
}

static void store_cert(const char *issuer_name) {
    struct skrfs_error err = {0};
    skrfs_autopkey *issuer_key = NULL, *key = NULL;
    skrfs_autochain *issuer = NULL, *chain = NULL;
    skrfs_autobuf der = SKRFS_BUF(2040);
    struct skrfs_public public = {.type = SKRFS_KEY_RSA, .n_len = 256, .e = {1, 0, 1}, .e_len = 3};
    memcpy(public.n, ak_modulus, 256);
    assert_ok(skrfs_pkey_new_ec(SKRFS_P256, &issuer_key, &err), err);
    assert_ok(skrfs_pkey_from_public(&public, &key, &err), err);
    struct skrfs_cert_spec root = {.common_name = issuer_name,
            .subject_key = issuer_key,
            .issuer_key = issuer_key,
            .authority = true,
            .days = 30};
    assert_ok(skrfs_cert_issue(&root, &issuer, &err), err);
    struct skrfs_cert_spec leaf = {.common_name = "vm",
            .subject_key = key,
            .issuer_key = issuer_key,
            .issuer = issuer,
            .days = 30};
    assert_ok(skrfs_cert_issue(&leaf, &chain, &err), err);
    assert_ok(skrfs_chain_der(chain, 0, &der, &err), err);
    store(SKRFS_TPM_NV_AK_CERT, der.data, der.len, 2048);
}

static int provision(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tpm_blob public;
    uint8_t report[2048];
    (void)state;
    assert_ok(skrfs_tpm_make_ak(tpm, &public, ak_modulus, &err), err);
    make_report(ak_modulus, report);
    store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    store_cert("Azure Virtual TPM CA");
    return 0;
}

static int start(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    if (skrfs_crypto_setup(&err) < 0 || swtpm_start(&soft) != 0 ||
            skrfs_tpm_open(soft.tcti, &tpm, &err) < 0)
        return -1;
    snprintf(log_path, sizeof(log_path), "%s/eventlog", soft.dir);
    return skrfs_file_write(log_path, "boot log", 8, 0600, &err);
}

static int stop(void **state) {
    (void)state;
    skrfs_tpm_close(tpm);
    swtpm_stop(&soft);
    return 0;
}

static int nothing_stays(void **state) {
    (void)state;
    return handles_loaded(soft.tcti) == 0 ? 0 : -1;
}

static struct skrfs_tee *open_tee(void) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    struct skrfs_tee_options options = {.tpm = tpm, .event_log = log_path};
    assert_ok(skrfs_tee_open(&options, &tee, &err), err);
    assert_string_equal(tee->ops->name, "azure-cvm");
    return tee;
}

static struct skrfs_pkey *rsa_key(const uint8_t modulus[256]) {
    struct skrfs_error err = {0};
    struct skrfs_pkey *key = NULL;
    struct skrfs_public public = {.type = SKRFS_KEY_RSA, .n_len = 256, .e = {1, 0, 1}, .e_len = 3};
    memcpy(public.n, modulus, 256);
    assert_ok(skrfs_pkey_from_public(&public, &key, &err), err);
    return key;
}

static void a_machine_that_is_none_is_told_so(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    struct skrfs_tee_options options = {.event_log = "none"};
    (void)state;
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE, "no TPM");
    options.tpm = tpm;
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE,
            "not an Azure confidential VM");
    uint8_t report[2048];
    make_report(ak_modulus, report);
    put32(report + 1224, 3);
    store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE, "trusted launch");
    put32(report + 1224, 2);
    report[1300] ^= 1;
    store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    assert_fails(
            skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_BAD_ANSWER, "does not vouch");
    assert_null(tee);
}

static void check_signed(const struct skrfs_buf *data, const struct skrfs_buf *signature) {
    struct skrfs_error err = {0};
    skrfs_autopkey *ak = rsa_key(ak_modulus);
    assert_ok(skrfs_rsa_verify(
                      ak, SKRFS_SHA256, skrfs_buf_bytes(data), skrfs_buf_bytes(signature), &err),
            err);
}

static void evidence_holds_together(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = open_tee();
    struct skrfs_trace trace;
    struct skrfs_tee_key key;
    struct skrfs_attest attest;
    struct skrfs_tpm_rsa_public public;
    struct skrfs_hcl hcl;
    uint8_t digest[32];
    skrfs_autoevidence evidence;
    (void)state;
    skrfs_evidence_init(&evidence);
    skrfs_trace_start(&trace);
    assert_ok(tee->ops->collect(tee, NONCE, false, &trace, &evidence, &key, &err), err);
    assert_int_equal(evidence.kind, SKRFS_EVIDENCE_CVM);
    assert_string_equal(evidence.nonce, NONCE);
    assert_string_equal(key.kid, "TpmEphemeralEncryptionKey");
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(&evidence.hcl_report), &hcl, &err), err);
    assert_int_equal(skrfs_hcl_len(&hcl), evidence.hcl_report.len);
    struct skrfs_bytes der = skrfs_buf_bytes(&evidence.ak_cert);
    skrfs_autochain *cert = NULL;
    assert_ok(skrfs_chain_from_der(&der, 1, &cert, &err), err);
    assert_string_equal(skrfs_buf_text(&evidence.event_log), "boot log");
    check_signed(&evidence.quote, &evidence.quote_signature);
    check_signed(&evidence.key_certify, &evidence.key_certify_signature);
    assert_ok(skrfs_attest_parse(skrfs_buf_bytes(&evidence.quote), &attest, &err), err);
    assert_ok(skrfs_hash(SKRFS_SHA256, evidence.pcrs, sizeof(evidence.pcrs), digest, &err), err);
    assert_memory_equal(attest.digest, digest, 32);
    assert_ok(skrfs_attest_parse(skrfs_buf_bytes(&evidence.key_certify), &attest, &err), err);
    assert_ok(skrfs_tpm_public_parse(skrfs_buf_bytes(&evidence.key_public), &public, &err), err);
    assert_memory_equal(attest.name, public.name, sizeof(public.name));
    assert_ok(skrfs_tpm_public_parse(skrfs_buf_bytes(&evidence.ak_public), &public, &err), err);
    assert_memory_equal(public.modulus, ak_modulus, 256);
    assert_int_equal(trace.count, 6);
    for (size_t i = 0; i < trace.count; i++)
        assert_false(trace.steps[i].failed);
}

static void a_key_stays_until_a_fresh_one_is_asked_for(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = open_tee();
    static struct skrfs_tee_key keys[4];
    static const bool fresh[4] = {false, false, true, false};
    static const uint8_t zeros[256];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        skrfs_autoevidence evidence;
        skrfs_evidence_init(&evidence);
        assert_ok(tee->ops->collect(tee, NONCE, fresh[i], NULL, &evidence, &keys[i], &err), err);
    }
    assert_memory_equal(keys[0].tpm.modulus, keys[1].tpm.modulus, 256);
    assert_memory_not_equal(keys[1].tpm.modulus, keys[2].tpm.modulus, 256);
    assert_memory_equal(keys[2].tpm.modulus, keys[3].tpm.modulus, 256);
    assert_memory_not_equal(keys[0].tpm.unique, zeros, 256);
}

static void collect_fails(enum skrfs_class kind, const char *why, bool retryable) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = open_tee();
    struct skrfs_trace trace;
    struct skrfs_tee_key key;
    struct skrfs_evidence evidence;
    skrfs_trace_start(&trace);
    assert_fails(
            tee->ops->collect(tee, NONCE, false, &trace, &evidence, &key, &err), err, kind, why);
    assert_int_equal(err.retryable, retryable);
    assert_true(trace.steps[trace.count - 1].failed);
}

static void another_attestation_key_is_rejected(void **state) {
    uint8_t report[2048], other[256];
    (void)state;
    memcpy(other, ak_modulus, 256);
    other[200] ^= 1;
    make_report(other, report);
    store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    collect_fails(SKRFS_CLASS_REJECTED, "not the one that the hardware report vouches for", false);
}

static void a_certificate_that_is_not_there_yet_is_told(void **state) {
    static const uint8_t nothing[16], garbage[] = {0x31, 2, 3, 4}, junk[] = {0x30, 2, 5, 0};
    char command[256];
    (void)state;
    store(SKRFS_TPM_NV_AK_CERT, nothing, sizeof(nothing), 1024);
    collect_fails(SKRFS_CLASS_UNAVAILABLE, "not provisioned yet", true);
    store(SKRFS_TPM_NV_AK_CERT, garbage, sizeof(garbage), 1024);
    collect_fails(SKRFS_CLASS_BAD_ANSWER, "malformed", false);
    store(SKRFS_TPM_NV_AK_CERT, junk, sizeof(junk), 1024);
    collect_fails(SKRFS_CLASS_BAD_ANSWER, "not an X.509", false);
    store_cert("MICROSOFT AZURE TRUSTED VM RSA 2");
    collect_fails(SKRFS_CLASS_UNAVAILABLE, "placeholder", true);
    snprintf(command, sizeof(command), "TPM2TOOLS_TCTI=%s tpm2_nvundefine -Q 0x01C101D0 -C o",
            soft.tcti);
    assert_int_equal(system(command), 0);
    collect_fails(SKRFS_CLASS_UNAVAILABLE, "certificate", true);
    snprintf(command, sizeof(command),
            "TPM2TOOLS_TCTI=%s tpm2_nvdefine -Q 0x01C101D0 -C o -s 1000 -a 'ownerread|ownerwrite'",
            soft.tcti);
    assert_int_equal(system(command), 0);
    collect_fails(SKRFS_CLASS_UNAVAILABLE, "not provisioned yet", true);
}

static void an_event_log_may_be_absent_but_not_too_long(void **state) {
    struct skrfs_error err = {0};
    skrfs_autobuf log = SKRFS_BUF(4);
    (void)state;
    assert_ok(skrfs_tee_event_log("/nonexistent/log", &log, &err), err);
    assert_ok(skrfs_tee_event_log("none", &log, &err), err);
    assert_int_equal(log.len, 0);
    assert_int_equal(skrfs_tee_event_log(log_path, &log, &err), -1);
    assert_non_null(strstr(err.message, "measured boot log"));
}

static void collect_key(struct skrfs_tee *tee, struct skrfs_tee_key *key) {
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    skrfs_evidence_init(&evidence);
    assert_ok(tee->ops->collect(tee, NONCE, false, NULL, &evidence, key, &err), err);
}

/* As the attestation service seals: an AES key to the wrapping key, the token under it. */
static void seal(const struct skrfs_tee_key *key, size_t key_len, const char *aad, const char *text,
        struct skrfs_sealed_token *sealed) {
    struct skrfs_error err = {0};
    skrfs_autopkey *public = rsa_key(key->tpm.modulus);
    skrfs_autosecret *inner = NULL;
    uint8_t tag[16], iv[12] = {9};
    assert_ok(skrfs_secret_new(key_len, &inner, &err), err);
    memset(skrfs_secret_space(inner), 7, key_len);
    skrfs_secret_space(inner)[key_len - 1] = 0;
    struct skrfs_bytes plain = {skrfs_secret_data(inner), key_len};
    struct skrfs_bytes iv_bytes = {iv, sizeof(iv)};
    struct skrfs_bytes aad_bytes = {(const uint8_t *)aad, strlen(aad)};
    struct skrfs_bytes text_bytes = {(const uint8_t *)text, strlen(text)};
    skrfs_sealed_token_init(sealed);
    assert_ok(skrfs_pkcs1_encrypt(public, plain, &sealed->inner_key, &err), err);
    assert_ok(skrfs_buf_append(&sealed->iv, iv, sizeof(iv), &err), err);
    if (key_len == 16 || key_len == 24 || key_len == 32)
        assert_ok(
                skrfs_gcm_seal(inner, iv_bytes, aad_bytes, text_bytes, &sealed->cipher, tag, &err),
                err);
    assert_ok(skrfs_buf_append(&sealed->tag, tag, sizeof(tag), &err), err);
}

static void a_sealed_token_opens(void **state) {
    static const size_t lengths[] = {16, 24, 32};
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = open_tee();
    struct skrfs_tee_key key;
    (void)state;
    collect_key(tee, &key);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lengths); i++) {
        skrfs_autosealed sealed;
        skrfs_autobuf text = SKRFS_BUF(100);
        seal(&key, lengths[i], "Transport Key", "header.claims.signature", &sealed);
        assert_ok(tee->ops->open_token(tee, &key, &sealed, &text, &err), err);
        assert_string_equal(skrfs_buf_text(&text), "header.claims.signature");
    }
}

static void open_fails(struct skrfs_tee *tee, const struct skrfs_tee_key *key,
        const struct skrfs_sealed_token *sealed) {
    struct skrfs_error err = {0};
    skrfs_autobuf text = SKRFS_BUF(100);
    assert_fails(tee->ops->open_token(tee, key, sealed, &text, &err), err, SKRFS_CLASS_CRYPTO,
            "open the attestation token: the TPM cannot decrypt it: it is not wrapped to this key, "
            "or "
            "damaged");
    assert_int_equal(err.upstream, 0);
    assert_int_equal(text.len, 0);
}

static void a_wrongly_sealed_token_does_not_open(void **state) {
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = open_tee();
    struct skrfs_tee_key key;
    (void)state;
    collect_key(tee, &key);
    skrfs_autosealed sealed;
    seal(&key, 32, "Transport Key", "text", &sealed);
    sealed.tag.data[3] ^= 1;
    open_fails(tee, &key, &sealed);
    sealed.tag.data[3] ^= 1;
    sealed.inner_key.data[9] ^= 1;
    open_fails(tee, &key, &sealed);
    skrfs_sealed_token_done(&sealed);
    seal(&key, 32, "Transport key", "text", &sealed);
    open_fails(tee, &key, &sealed);
    skrfs_sealed_token_done(&sealed);
    seal(&key, 20, "Transport Key", "text", &sealed);
    open_fails(tee, &key, &sealed);
}

/* As the vault wraps: an AES key by RSA-OAEP, the key under it by AES-KWP. */
static void wrap(const struct skrfs_tee_key *key, enum skrfs_enc enc, const void *plain, size_t len,
        struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    skrfs_autopkey *public = rsa_key(key->tpm.modulus);
    skrfs_autosecret *kek = NULL, *text = NULL;
    assert_ok(skrfs_secret_new(32, &kek, &err), err);
    assert_ok(skrfs_random(skrfs_secret_space(kek), 32, &err), err);
    assert_ok(skrfs_secret_copy(plain, len, &text, &err), err);
    assert_ok(skrfs_oaep_encrypt(public, skrfs_enc_hash(enc),
                      (struct skrfs_bytes){skrfs_secret_data(kek), 32}, out, &err),
            err);
    assert_ok(skrfs_kwp_wrap(kek, text, out, &err), err);
}

static void a_released_key_is_unwrapped(void **state) {
    static const enum skrfs_enc encs[] = {SKRFS_ENC_SHA256, SKRFS_ENC_SHA384, SKRFS_ENC_SHA1};
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = open_tee();
    struct skrfs_tee_key key;
    uint8_t plain[1200] = {1, 2, 3};
    (void)state;
    collect_key(tee, &key);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(encs); i++) {
        static const size_t lengths[] = {5, 32, 1200};
        skrfs_autobuf wrapped = SKRFS_BUF(4096);
        skrfs_autosecret *got = NULL;
        wrap(&key, encs[i], plain, lengths[i], &wrapped);
        assert_ok(tee->ops->unwrap(tee, &key, encs[i], skrfs_buf_bytes(&wrapped), &got, &err), err);
        assert_int_equal(skrfs_secret_len(got), lengths[i]);
        assert_true(skrfs_secret_equal(got, plain, lengths[i]));
    }
}

static void a_damaged_release_is_refused(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = open_tee();
    struct skrfs_tee_key key;
    skrfs_autobuf wrapped = SKRFS_BUF(4096);
    skrfs_autosecret *got = NULL;
    (void)state;
    collect_key(tee, &key);
    wrap(&key, SKRFS_ENC_SHA256, "0123456789", 10, &wrapped);
    struct skrfs_bytes bytes = skrfs_buf_bytes(&wrapped);
    struct skrfs_bytes part = {bytes.data, 256};
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256, part, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "truncated");
    part.len = 0;
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256, part, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "truncated");
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA1, bytes, &got, &err), err,
            SKRFS_CLASS_CRYPTO, "not wrapped to this key");
    wrapped.data[270] ^= 1;
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256, bytes, &got, &err), err,
            SKRFS_CLASS_CRYPTO, "unwrap the released key");
    wrapped.data[270] ^= 1;
    wrapped.data[0] ^= 1;
    assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256, bytes, &got, &err), err,
            SKRFS_CLASS_CRYPTO, "unwrap the released key");
    assert_null(got);
}

static void changed_measurements_make_another_key(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = open_tee();
    static struct skrfs_tee_key before, after;
    skrfs_autobuf wrapped = SKRFS_BUF(4096);
    skrfs_autosecret *got = NULL;
    (void)state;
    collect_key(tee, &before);
    wrap(&before, SKRFS_ENC_SHA256, "0123456789", 10, &wrapped);
    assert_ok(skrfs_tpm_pcr_extend(tpm, 4, (const uint8_t[32]){1}, &err), err);
    assert_fails(
            tee->ops->unwrap(tee, &before, SKRFS_ENC_SHA256, skrfs_buf_bytes(&wrapped), &got, &err),
            err, SKRFS_CLASS_CRYPTO, "PCR 0 to 7");
    collect_key(tee, &after);
    assert_memory_not_equal(before.tpm.modulus, after.tpm.modulus, 256);
}

/* Another process of the machine, in the middle of what is tested: waits for a command in the
 * proxy's log, then does something to the TPM. */
struct meddler {
    struct swtpm_proxy proxy;
    const char *command;
    void (*meddle)(struct skrfs_tpm *own);
};

static void *meddle(void *argument) {
    struct meddler *meddler = argument;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *own = NULL;
    for (unsigned i = 0; i < 2000; i++) {
        skrfs_autobuf log = SKRFS_BUF(65536);
        if (skrfs_file_read(meddler->proxy.log, &log, &err) == 0 &&
                strstr(skrfs_buf_text(&log), meddler->command))
            break;
        (void)skrfs_sleep_until(skrfs_now_ns() + 2 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    }
    if (skrfs_tpm_open(soft.tcti, &own, &err) == 0)
        meddler->meddle(own);
    return NULL;
}

static void put_right_report(struct skrfs_tpm *own) {
    struct skrfs_error err = {0};
    uint8_t report[2048];
    make_report(ak_modulus, report);
    (void)!skrfs_tpm_nv_define(own, SKRFS_TPM_NV_HCL_REPORT,
            (struct skrfs_bytes){report, sizeof(report)}, sizeof(report), &err);
}

static void extend_pcr(struct skrfs_tpm *own) {
    struct skrfs_error err = {0};
    (void)!skrfs_tpm_pcr_extend(own, 5, (const uint8_t[32]){9}, &err);
}

static void start_meddler(
        struct meddler *meddler, struct skrfs_tpm **ret_tpm, pthread_t *ret_thread) {
    struct skrfs_error err = {0};
    assert_int_equal(swtpm_proxy_start(&meddler->proxy, &soft, NULL), 0);
    unlink(meddler->proxy.log);
    assert_ok(skrfs_tpm_open(meddler->proxy.tcti, ret_tpm, &err), err);
    assert_int_equal(pthread_create(ret_thread, NULL, meddle, meddler), 0);
}

static void a_torn_report_is_read_again(void **state) {
    struct skrfs_error err = {0};
    struct meddler meddler = {.command = "0x14e", .meddle = put_right_report};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *proxied = NULL;
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = NULL;
    uint8_t report[2048];
    pthread_t thread;
    (void)state;
    make_report(ak_modulus, report);
    report[1236 + 60] ^= 1;
    store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    start_meddler(&meddler, &proxied, &thread);
    struct skrfs_tee_options options = {.tpm = proxied, .event_log = "none"};
    int result = skrfs_tee_open(&options, &tee, &err);
    pthread_join(thread, NULL);
    swtpm_proxy_stop(&meddler.proxy);
    assert_ok(result, err);
}

/* The quote waits until the PCRs that were read before it are no longer true. */
static void pcrs_that_change_under_the_quote_are_read_again(void **state) {
    struct skrfs_error err = {0};
    static const char fault[] = "{\"cc\": \"0x158\", \"delay\": 1.0, \"times\": 1}\n";
    struct meddler meddler = {.command = "0x17e", .meddle = extend_pcr};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *proxied = NULL;
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = NULL;
    struct skrfs_tee_key key;
    struct skrfs_attest attest;
    uint8_t before[8][32], digest[32];
    pthread_t thread;
    skrfs_autoevidence evidence;
    (void)state;
    skrfs_evidence_init(&evidence);
    assert_ok(skrfs_tpm_pcr_read(tpm, before, &err), err);
    start_meddler(&meddler, &proxied, &thread);
    assert_ok(skrfs_file_write(meddler.proxy.faults, fault, strlen(fault), 0600, &err), err);
    struct skrfs_tee_options options = {.tpm = proxied, .event_log = "none"};
    assert_ok(skrfs_tee_open(&options, &tee, &err), err);
    int result = tee->ops->collect(tee, NONCE, false, NULL, &evidence, &key, &err);
    pthread_join(thread, NULL);
    unlink(meddler.proxy.faults);
    swtpm_proxy_stop(&meddler.proxy);
    assert_ok(result, err);
    assert_memory_not_equal(before[5], evidence.pcrs[5], 32);
    assert_ok(skrfs_attest_parse(skrfs_buf_bytes(&evidence.quote), &attest, &err), err);
    assert_ok(skrfs_hash(SKRFS_SHA256, evidence.pcrs, sizeof(evidence.pcrs), digest, &err), err);
    assert_memory_equal(attest.digest, digest, 32);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, provision, nothing_stays)

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_machine_that_is_none_is_told_so),
            CASE(evidence_holds_together),
            CASE(a_key_stays_until_a_fresh_one_is_asked_for),
            CASE(another_attestation_key_is_rejected),
            CASE(a_certificate_that_is_not_there_yet_is_told),
            CASE(an_event_log_may_be_absent_but_not_too_long),
            CASE(a_sealed_token_opens),
            CASE(a_wrongly_sealed_token_does_not_open),
            CASE(a_released_key_is_unwrapped),
            CASE(a_damaged_release_is_refused),
            CASE(changed_measurements_make_another_key),
            CASE(a_torn_report_is_read_again),
            CASE(pcrs_that_change_under_the_quote_are_read_again),
    };
    return cmocka_run_group_tests_name("azure-cvm", tests, start, stop);
}
