/* What only a proxy in front of the software TPM can show: an index as long as the platform's, and
 * faults. */
#include "handles.h"
#include "support.h"
#include "swtpm.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/file.h>
#include <skrfs/crypto/wrap.h>
#include <skrfs/tpm/provision.h>

enum { INDEX_LEN = 2600 };

static struct swtpm soft;
static struct swtpm_proxy proxy;

static int start(void **state) {
    struct skrfs_error err = {0};
    uint8_t index[INDEX_LEN];
    char index_path[96];
    (void)state;
    if (skrfs_crypto_setup(&err) < 0 || swtpm_start(&soft) != 0)
        return -1;
    snprintf(index_path, sizeof(index_path), "%s/index", soft.dir);
    for (size_t i = 0; i < sizeof(index); i++)
        index[i] = (uint8_t)(i * 13 + i / 256);
    if (skrfs_file_write(index_path, index, INDEX_LEN - 100, 0600, &err) < 0)
        return -1;
    return swtpm_proxy_start(&proxy, &soft, index_path);
}

static int stop(void **state) {
    (void)state;
    swtpm_proxy_stop(&proxy);
    swtpm_stop(&soft);
    return 0;
}

static void set_faults(const char *lines) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_file_write(proxy.faults, lines, strlen(lines), 0600, &err), err);
}

static int no_faults(void **state) {
    (void)state;
    set_faults("");
    return handles_loaded(soft.tcti) == 0 ? 0 : -1;
}

static struct skrfs_tpm *open_tpm(void) {
    struct skrfs_error err = {0};
    struct skrfs_tpm *tpm = NULL;
    assert_ok(skrfs_tpm_open(proxy.tcti, &tpm, &err), err);
    return tpm;
}

static void assert_index(struct skrfs_tpm *tpm) {
    struct skrfs_error err = {0};
    skrfs_autobuf got = SKRFS_BUF(SKRFS_TPM_NV_MAX);
    assert_ok(skrfs_tpm_nv_read(tpm, SKRFS_TPM_NV_HCL_REPORT, &got, &err), err);
    assert_int_equal(got.len, INDEX_LEN);
    for (size_t i = 0; i < INDEX_LEN; i++)
        assert_int_equal(got.data[i], i < INDEX_LEN - 100 ? (uint8_t)(i * 13 + i / 256) : 0);
}

static void an_index_of_2600_octets_is_read(void **state) {
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *other = open_tpm();
    (void)state;
    assert_index(tpm);
    assert_index(other);
    assert_index(tpm);
}

/* More often than ESYS itself repeats a command. */
static void a_busy_tpm_is_asked_again(void **state) {
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    (void)state;
    set_faults("{\"cc\": \"0x14E\", \"rc\": \"0x922\", \"times\": 12}\n");
    assert_index(tpm);
    set_faults("{\"cc\": \"0x169\", \"rc\": \"0x908\", \"times\": 2}\n"
               "{\"cc\": \"0x14E\", \"rc\": \"0x920\", \"times\": 2, \"skip\": 1}\n");
    assert_index(tpm);
}

static void a_tpm_that_stays_busy_is_unavailable(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    skrfs_autobuf got = SKRFS_BUF(SKRFS_TPM_NV_MAX);
    (void)state;
    set_faults("{\"cc\": \"0x14E\", \"rc\": \"0x922\"}\n");
    assert_fails(skrfs_tpm_nv_read(tpm, SKRFS_TPM_NV_HCL_REPORT, &got, &err), err,
            SKRFS_CLASS_UNAVAILABLE, "busy");
    assert_true(err.retryable);
    assert_int_equal(err.upstream, 0x922);
    set_faults("");
    assert_index(tpm);
}

static void a_lockout_is_said(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    skrfs_autobuf got = SKRFS_BUF(SKRFS_TPM_NV_MAX);
    (void)state;
    set_faults("{\"cc\": \"0x14E\", \"rc\": \"0x921\"}\n");
    assert_fails(skrfs_tpm_nv_read(tpm, SKRFS_TPM_NV_HCL_REPORT, &got, &err), err,
            SKRFS_CLASS_UNAVAILABLE, "locked out");
    set_faults("{\"cc\": \"0x14E\", \"rc\": \"0x9a2\"}\n");
    assert_fails(skrfs_tpm_nv_read(tpm, SKRFS_TPM_NV_HCL_REPORT, &got, &err), err,
            SKRFS_CLASS_CONFIG, "owner password");
}

static void a_broken_answer_does_not_break_the_next(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    skrfs_autobuf got = SKRFS_BUF(SKRFS_TPM_NV_MAX);
    (void)state;
    set_faults("{\"cc\": \"0x14E\", \"short\": true, \"times\": 1, \"skip\": 1}\n");
    assert_fails(skrfs_tpm_nv_read(tpm, SKRFS_TPM_NV_HCL_REPORT, &got, &err), err,
            SKRFS_CLASS_UNAVAILABLE, "no answer");
    assert_true(err.retryable);
    assert_int_equal(got.len, 0);
    assert_index(tpm);
}

static void a_slow_tpm_is_waited_for(void **state) {
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    (void)state;
    set_faults("{\"cc\": \"0x14E\", \"delay\": 0.2, \"times\": 1}\n");
    uint64_t begin = skrfs_now_ns();
    assert_index(tpm);
    assert_true(skrfs_now_ns() - begin >= 200 * SKRFS_MILLISECOND_NS);
}

/* A decryption that fails at any of its commands leaves no object and no session. */
static void nothing_stays_when_a_step_fails(void **state) {
    static const char *const commands[] = {"0x161", "0x176", "0x17F", "0x159"};
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    static struct skrfs_tpm_ephemeral key;
    static struct skrfs_tpm_attestation certified;
    struct skrfs_tpm_blob public;
    uint8_t modulus[256], pcrs[8][32], cipher[256] = {1};
    char fault[128];
    (void)state;
    assert_ok(skrfs_tpm_make_ak(tpm, &public, modulus, &err), err);
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    assert_ok(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, NULL, &key, &certified, &err), err);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(commands); i++) {
        skrfs_autosecret *got = NULL;
        /* The key is loaded or, when that fails, made: neither may work. */
        snprintf(fault, sizeof(fault),
                "{\"cc\": \"%s\", \"rc\": \"0x101\"}\n{\"cc\": \"0x131\", \"rc\": \"0x101\"}\n",
                commands[i]);
        set_faults(fault);
        assert_int_equal(skrfs_tpm_decrypt(tpm, &key, SKRFS_TPM_RSAES,
                                 (struct skrfs_bytes){cipher, sizeof(cipher)}, &got, &err),
                -1);
        assert_null(got);
        assert_int_equal(handles_loaded(soft.tcti), 0);
    }
    set_faults("{\"cc\": \"0x148\", \"rc\": \"0x101\"}\n");
    assert_fails(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, NULL, &key, &certified, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "certify the wrapping key");
    assert_int_equal(handles_loaded(soft.tcti), 0);
}

/* An answer that breaks off takes ESYS and its handles with it; the TPM's own are flushed before
 * the next command. */
static void nothing_stays_when_an_answer_breaks_off(void **state) {
    static const char *const commands[] = {"0x17F", "0x159", "0x165"};
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    static struct skrfs_tpm_ephemeral key;
    static struct skrfs_tpm_attestation certified;
    struct skrfs_tpm_blob public;
    uint8_t modulus[256], pcrs[8][32], cipher[256] = {1};
    char fault[128];
    (void)state;
    assert_ok(skrfs_tpm_make_ak(tpm, &public, modulus, &err), err);
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    assert_ok(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, NULL, &key, &certified, &err), err);
    set_faults("{\"cc\": \"0x148\", \"short\": true, \"times\": 1}\n");
    assert_fails(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, NULL, &key, &certified, &err), err,
            SKRFS_CLASS_UNAVAILABLE, "no answer");
    assert_int_equal(handles_loaded(soft.tcti), 1);
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    assert_int_equal(handles_loaded(soft.tcti), 0);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(commands); i++) {
        skrfs_autosecret *got = NULL;
        snprintf(fault, sizeof(fault), "{\"cc\": \"%s\", \"short\": true, \"times\": 1}\n",
                commands[i]);
        set_faults(fault);
        assert_int_equal(skrfs_tpm_decrypt(tpm, &key, SKRFS_TPM_RSAES,
                                 (struct skrfs_bytes){cipher, sizeof(cipher)}, &got, &err),
                -1);
        assert_null(got);
        assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
        assert_int_equal(handles_loaded(soft.tcti), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_teardown(an_index_of_2600_octets_is_read, no_faults),
            cmocka_unit_test_teardown(a_busy_tpm_is_asked_again, no_faults),
            cmocka_unit_test_teardown(a_tpm_that_stays_busy_is_unavailable, no_faults),
            cmocka_unit_test_teardown(a_lockout_is_said, no_faults),
            cmocka_unit_test_teardown(a_broken_answer_does_not_break_the_next, no_faults),
            cmocka_unit_test_teardown(a_slow_tpm_is_waited_for, no_faults),
            cmocka_unit_test_teardown(nothing_stays_when_a_step_fails, no_faults),
            cmocka_unit_test_teardown(nothing_stays_when_an_answer_breaks_off, no_faults),
    };
    return cmocka_run_group_tests_name("proxy", tests, start, stop);
}
