/* Evidence of an Azure confidential VM that holds together, and each way in which it may not. */
#include "machine.h"

#include <skrfs/crypto/x509.h>
#include <skrfs/tpm/attest.h>

static void a_machine_that_is_none_is_told_so(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    struct skrfs_tee_options options = {.event_log = "none"};
    (void)state;
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE, "no TPM");
    options.tpm = machine.tpm;
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE,
            "not an Azure confidential VM");
    uint8_t report[2048];
    machine_report(machine.ak_modulus, report);
    report[1224] = 3; /* no isolation */
    machine_store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE, "trusted launch");
    report[1224] = 2;
    report[1300] ^= 1;
    machine_store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    assert_fails(
            skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_BAD_ANSWER, "does not vouch");
    assert_null(tee);
}

static void check_signed(const struct skrfs_buf *data, const struct skrfs_buf *signature) {
    struct skrfs_error err = {0};
    skrfs_autopkey *ak = machine_rsa_key(machine.ak_modulus);
    assert_ok(skrfs_rsa_verify(
                      ak, SKRFS_SHA256, skrfs_buf_bytes(data), skrfs_buf_bytes(signature), &err),
            err);
}

static void evidence_holds_together(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = machine_open();
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
    assert_memory_equal(public.modulus, machine.ak_modulus, 256);
    assert_int_equal(trace.count, 6);
    for (size_t i = 0; i < trace.count; i++)
        assert_false(trace.steps[i].failed);
}

static void a_key_stays_until_a_fresh_one_is_asked_for(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = machine_open();
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
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = machine_open();
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
    memcpy(other, machine.ak_modulus, 256);
    other[200] ^= 1;
    machine_report(other, report);
    machine_store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    collect_fails(SKRFS_CLASS_REJECTED, "not the one that the hardware report vouches for", false);
}

static void a_certificate_that_is_not_there_yet_is_told(void **state) {
    static const uint8_t nothing[16], garbage[] = {0x31, 2, 3, 4}, junk[] = {0x30, 2, 5, 0};
    char command[256];
    (void)state;
    machine_store(SKRFS_TPM_NV_AK_CERT, nothing, sizeof(nothing), 1024);
    collect_fails(SKRFS_CLASS_UNAVAILABLE, "not provisioned yet", true);
    machine_store(SKRFS_TPM_NV_AK_CERT, garbage, sizeof(garbage), 1024);
    collect_fails(SKRFS_CLASS_BAD_ANSWER, "malformed", false);
    machine_store(SKRFS_TPM_NV_AK_CERT, junk, sizeof(junk), 1024);
    collect_fails(SKRFS_CLASS_BAD_ANSWER, "not an X.509", false);
    machine_store_cert("MICROSOFT AZURE TRUSTED VM RSA 2");
    collect_fails(SKRFS_CLASS_UNAVAILABLE, "placeholder", true);
    snprintf(command, sizeof(command), "TPM2TOOLS_TCTI=%s tpm2_nvundefine -Q 0x01C101D0 -C o",
            machine.soft.tcti);
    assert_int_equal(system(command), 0);
    collect_fails(SKRFS_CLASS_UNAVAILABLE, "certificate", true);
    snprintf(command, sizeof(command),
            "TPM2TOOLS_TCTI=%s tpm2_nvdefine -Q 0x01C101D0 -C o -s 1000 -a 'ownerread|ownerwrite'",
            machine.soft.tcti);
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
    assert_int_equal(skrfs_tee_event_log(machine.log_path, &log, &err), -1);
    assert_non_null(strstr(err.message, "measured boot log"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_machine_that_is_none_is_told_so),
            MACHINE_TEST(evidence_holds_together),
            MACHINE_TEST(a_key_stays_until_a_fresh_one_is_asked_for),
            MACHINE_TEST(another_attestation_key_is_rejected),
            MACHINE_TEST(a_certificate_that_is_not_there_yet_is_told),
            MACHINE_TEST(an_event_log_may_be_absent_but_not_too_long),
    };
    return cmocka_run_group_tests_name("azure-cvm", tests, machine_start, machine_stop);
}
