/* What changes while it is looked at. */
#include "machine.h"

#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/file.h>
#include <skrfs/tpm/attest.h>
#include <skrfs/tpm/provision.h>

/* Another process of the machine, in the middle of what is tested: waits for a command in the
 * proxy's log, then does something to the TPM. */
struct meddler {
    struct swtpm_proxy proxy;
    struct skrfs_tpm *own; /* open before: to meddle in time on a busy machine */
    const char *command;
    void (*meddle)(struct skrfs_tpm *own);
};

static void *meddle(void *argument) {
    struct meddler *meddler = argument;
    struct skrfs_error err = {0};
    for (unsigned i = 0; i < 2000; i++) {
        skrfs_autobuf log = SKRFS_BUF(65536);
        if (skrfs_file_read(meddler->proxy.log, &log, &err) == 0 &&
                strstr(skrfs_buf_text(&log), meddler->command))
            break;
        (void)skrfs_sleep_until(skrfs_now_ns() + 2 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    }
    meddler->meddle(meddler->own);
    return NULL;
}

static void put_right_report(struct skrfs_tpm *own) {
    struct skrfs_error err = {0};
    uint8_t report[2048];
    machine_report(machine.ak_modulus, report);
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
    assert_int_equal(swtpm_proxy_start(&meddler->proxy, &machine.soft, NULL), 0);
    unlink(meddler->proxy.log);
    assert_ok(skrfs_tpm_open(meddler->proxy.tcti, ret_tpm, &err), err);
    assert_ok(skrfs_tpm_open(machine.soft.tcti, &meddler->own, &err), err);
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
    machine_report(machine.ak_modulus, report);
    report[1236 + 60] ^= 1;
    machine_store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    start_meddler(&meddler, &proxied, &thread);
    struct skrfs_tee_options options = {.tpm = proxied, .event_log = "none"};
    int result = skrfs_tee_open(&options, &tee, &err);
    pthread_join(thread, NULL);
    skrfs_tpm_close(meddler.own);
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
    assert_ok(skrfs_tpm_pcr_read(machine.tpm, before, &err), err);
    start_meddler(&meddler, &proxied, &thread);
    assert_ok(skrfs_file_write(meddler.proxy.faults, fault, strlen(fault), 0600, &err), err);
    struct skrfs_tee_options options = {.tpm = proxied, .event_log = "none"};
    assert_ok(skrfs_tee_open(&options, &tee, &err), err);
    int result = tee->ops->collect(tee, NONCE, false, NULL, &evidence, &key, &err);
    pthread_join(thread, NULL);
    skrfs_tpm_close(meddler.own);
    unlink(meddler.proxy.faults);
    swtpm_proxy_stop(&meddler.proxy);
    assert_ok(result, err);
    assert_memory_not_equal(before[5], evidence.pcrs[5], 32);
    assert_ok(skrfs_attest_parse(skrfs_buf_bytes(&evidence.quote), &attest, &err), err);
    assert_ok(skrfs_hash(SKRFS_SHA256, evidence.pcrs, sizeof(evidence.pcrs), digest, &err), err);
    assert_memory_equal(attest.digest, digest, 32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            MACHINE_TEST(a_torn_report_is_read_again),
            MACHINE_TEST(pcrs_that_change_under_the_quote_are_read_again),
    };
    return cmocka_run_group_tests_name("races", tests, machine_start, machine_stop);
}
