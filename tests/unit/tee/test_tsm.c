/* configfs-tsm: each rule of the kernel's interface, on a model of it. */
#include "guest.h"

#include <skrfs/crypto/hash.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define autotee SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee

static struct tsm_counts counts(void) {
    struct tsm_settings settings;
    struct tsm_counts now;
    tsm_get(&settings, &now);
    return now;
}

#define CHANGE(member, value)                                                                      \
    do {                                                                                           \
        struct tsm_settings settings_;                                                             \
        struct tsm_counts counts_;                                                                 \
        tsm_get(&settings_, &counts_);                                                             \
        settings_.member = (value);                                                                \
        tsm_set(&settings_);                                                                       \
    } while (0)

static void a_report_is_over_the_wrapping_key(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_key_done) struct skrfs_tee_key key = {.rsa = NULL};
    struct skrfs_snp snp;
    static const uint8_t zeros[32];
    uint8_t digest[32];
    skrfs_autoevidence evidence;
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_tsm("sev_guest");
    autotee *tee = guest_open("snp");
    assert_string_equal(tee->dir, guest.tsm);
    assert_int_equal(counts().calls, 0); /* opening asks no firmware */
    assert_ok(guest_collect(tee, false, &evidence, &key, &err), err);
    assert_int_equal(evidence.kind, SKRFS_EVIDENCE_SNP);
    assert_string_equal(evidence.nonce, NONCE);
    assert_ok(skrfs_snp_parse(skrfs_buf_bytes(&evidence.report), &snp, &err), err);
    assert_ok(skrfs_hash(SKRFS_SHA256, evidence.runtime_data.data, evidence.runtime_data.len,
                      digest, &err),
            err);
    assert_memory_equal(snp.report_data, digest, 32);
    assert_memory_equal(snp.report_data + 32, zeros, 32);
    assert_string_equal(skrfs_buf_text(&evidence.certificates[SKRFS_CERTS_REPORT]), "a table");
    assert_int_equal(counts().calls, 1);
    assert_int_equal(counts().folders, 0);
}

static void a_quote_is_cut_to_its_declared_length(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_key_done) struct skrfs_tee_key key = {.rsa = NULL};
    struct skrfs_td_quote quote;
    skrfs_autoevidence evidence;
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_tsm("tdx_guest");
    autotee *tee = guest_open("tdx");
    assert_ok(guest_collect(tee, false, &evidence, &key, &err), err);
    assert_int_equal(evidence.kind, SKRFS_EVIDENCE_TDX);
    assert_ok(skrfs_td_quote_parse(skrfs_buf_bytes(&evidence.report), &quote, &err), err);
    assert_int_equal(quote.total_len, evidence.report.len);
}

static void the_floor_of_privilege_is_kept(void **state) {
    (void)state;
    guest_add_tsm("sev_guest");
    CHANGE(floor, 2);
    autotee *tee = guest_open("snp");
    guest_collect_ok(tee);
    assert_int_equal(counts().privlevel, 2);
}

static void data_that_the_kernel_did_not_take_is_noticed(void **state) {
    (void)state;
    guest_add_tsm("sev_guest");
    autotee *tee = guest_open("snp");
    CHANGE(lose, true);
    guest_collect_fails(tee, SKRFS_CLASS_SYSTEM, "did not take");
    assert_int_equal(counts().calls, 0);
}

static void another_writer_is_noticed_and_the_answer_discarded(void **state) {
    (void)state;
    guest_add_tsm("sev_guest");
    autotee *tee = guest_open("snp");
    CHANGE(meddle, true);
    guest_collect_ok(tee);
    assert_int_equal(counts().calls, 1); /* not for the meddler's data */
}

static void a_stale_report_is_asked_for_again(void **state) {
    (void)state;
    guest_add_tsm("sev_guest");
    autotee *tee = guest_open("snp");
    CHANGE(stale, true);
    guest_collect_ok(tee);
    assert_int_equal(counts().calls, 2);
}

static int always_stale(void *context, const uint8_t report_data[64], unsigned privlevel,
        struct skrfs_buf *report, struct skrfs_buf *table) {
    static const uint8_t other[64] = {1};
    (void)context;
    (void)report_data;
    (void)privlevel;
    (void)table;
    guest_snp_report(other, report);
    return 0;
}

static void a_report_over_other_data_is_rejected(void **state) {
    (void)state;
    guest_add_tsm("sev_guest");
    autotee *tee = guest_open("snp");
    CHANGE(firmware, always_stale);
    guest_collect_fails(tee, SKRFS_CLASS_REJECTED, "over other data");
    assert_int_equal(counts().calls, 3);
    guest_collect_fails(tee, SKRFS_CLASS_REJECTED, "over other data");
    assert_int_equal(counts().calls, 3); /* left alone for a while */
}

static void a_malformed_report_is_told(void **state) {
    (void)state;
    guest_add_tsm("sev_guest");
    autotee *tee = guest_open("snp");
    guest.cut = true;
    guest_collect_fails(tee, SKRFS_CLASS_BAD_ANSWER, "1183 octets");
}

static void busy_hardware_is_waited_for(void **state) {
    (void)state;
    guest_add_tsm("tdx_guest");
    autotee *tee = guest_open("tdx");
    CHANGE(busy, 2);
    guest_collect_ok(tee);
    assert_int_equal(counts().calls, 3);
}

static void hardware_that_stays_busy_is_for_later(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_evidence evidence;
    struct skrfs_tee_key key;
    (void)state;
    guest_add_tsm("tdx_guest");
    autotee *tee = guest_open("tdx");
    CHANGE(busy, 100);
    assert_fails(
            guest_collect(tee, false, &evidence, &key, &err), err, SKRFS_CLASS_UNAVAILABLE, "busy");
    assert_true(err.retryable);
    assert_true(err.not_before_ns > 0);
    assert_int_equal(counts().calls, 5);
    assert_fails(
            guest_collect(tee, false, &evidence, &key, &err), err, SKRFS_CLASS_UNAVAILABLE, "busy");
    assert_int_equal(counts().calls, 5);
}

static void each_error_of_the_kernel_is_explained(void **state) {
    static const struct {
        int errnum;
        enum skrfs_class kind;
        const char *why;
    } cases[] = {
            {ENOTTY, SKRFS_CLASS_SYSTEM, "only a restart of the guest"},
            {EFBIG, SKRFS_CLASS_SYSTEM, "larger than this kernel takes"},
            {EINVAL, SKRFS_CLASS_SYSTEM, "the kernel refused the request"},
            {EIO, SKRFS_CLASS_SYSTEM, "the firmware refused"},
            {ETIMEDOUT, SKRFS_CLASS_UNAVAILABLE, "quoting service did not answer"},
            {EFAULT, SKRFS_CLASS_NO_TEE, "Bad address"},
            {ENXIO, SKRFS_CLASS_NO_TEE, "No such device"},
            {EACCES, SKRFS_CLASS_SYSTEM, "Permission denied"},
    };
    (void)state;
    guest_add_tsm("sev_guest");
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        autotee *tee = guest_open("snp");
        CHANGE(fail, cases[i].errnum);
        guest_collect_fails(tee, cases[i].kind, cases[i].why);
        assert_int_equal(counts().calls, i + 1); /* asked once: an error is no reason to hammer */
        assert_int_equal(counts().folders, 0);
    }
}

static void a_bad_address_leaves_the_device(void **state) {
    (void)state;
    guest_add_tsm("sev_guest");
    guest_add_device();
    autotee *tee = guest_open("snp");
    CHANGE(fail, EFAULT);
    guest_collect_ok(tee);
    assert_int_equal(counts().calls, 1);
    assert_int_equal(sev_counts.firmware, 1);
    guest_collect_ok(tee); /* and is not tried again */
    assert_int_equal(counts().calls, 1);
    assert_int_equal(sev_counts.firmware, 2);
}

static void a_refusal_leaves_nothing_else_to_be_tried(void **state) {
    (void)state;
    guest_add_tsm("sev_guest");
    guest_add_device();
    autotee *tee = guest_open("snp");
    CHANGE(fail, EIO);
    guest_collect_fails(tee, SKRFS_CLASS_SYSTEM, "the firmware refused");
    assert_int_equal(sev_counts.requests, 0);
}

static void without_a_provider_the_device_is_taken(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *none = NULL;
    (void)state;
    guest_add_tsm(NULL);
    const struct skrfs_tee_options options = guest_options("snp");
    assert_fails(
            skrfs_tee_open(&options, &none, &err), err, SKRFS_CLASS_NO_TEE, "no SEV-SNP guest");
    guest_add_device();
    autotee *tee = guest_open("snp");
    guest_collect_ok(tee);
    assert_int_equal(sev_counts.firmware, 1);
    assert_int_equal(tee->ioctl_count, 2);
}

static void another_provider_is_another_machine(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *none = NULL;
    (void)state;
    guest_add_tsm("arm_cca_guest");
    for (unsigned i = 0; i < 2; i++) {
        const struct skrfs_tee_options options = guest_options(i ? "tdx" : "snp");
        assert_fails(skrfs_tee_open(&options, &none, &err), err, SKRFS_CLASS_NO_TEE,
                "its provider is arm_cca_guest");
    }
    assert_int_equal(counts().folders, 0);
}

/* What a dead process left is removed; what a living one or one of another namespace has is not. */
static void leftovers_of_the_dead_are_removed(void **state) {
    char path[256];
    struct stat about;
    (void)state;
    guest_add_tsm("sev_guest");
    assert_int_equal(stat("/proc/self/ns/pid", &about), 0);
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    assert_int_equal(waitpid(dead, NULL, 0), dead);
    const struct {
        unsigned long space;
        long pid;
        bool stays;
    } cases[] = {{about.st_ino, dead, false}, {about.st_ino, getpid(), true},
            {about.st_ino + 1, dead, true}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        snprintf(path, sizeof(path), "%s/skrfs-%lu-%ld-0011223344556677", guest.tsm, cases[i].space,
                cases[i].pid);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(path, sizeof(path), "%s/other-1-%ld-00", guest.tsm, (long)dead);
    assert_int_equal(mkdir(path, 0700), 0);
    autotee *tee = guest_open("snp");
    assert_non_null(tee);
    assert_int_equal(access(path, F_OK), 0);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        snprintf(path, sizeof(path), "%s/skrfs-%lu-%ld-0011223344556677", guest.tsm, cases[i].space,
                cases[i].pid);
        assert_int_equal(access(path, F_OK), cases[i].stays ? 0 : -1);
    }
}

static void the_folder_may_be_one_that_cannot_be_written(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *none = NULL;
    (void)state;
    guest_add_tsm("sev_guest");
    struct skrfs_tee_options options = guest_options("snp");
    options.tsm = "/proc/self/fd"; /* a folder in which nobody makes folders */
    assert_int_equal(skrfs_tee_open(&options, &none, &err), -1);
    assert_int_equal(err.kind, SKRFS_CLASS_SYSTEM);
    assert_non_null(strstr(err.message, "/proc/self/fd"));
    guest_add_device(); /* the same hardware's word */
    options.device = guest.device;
    autotee *tee = NULL;
    assert_ok(skrfs_tee_open(&options, &tee, &err), err);
    guest_collect_ok(tee);
    assert_int_equal(sev_counts.firmware, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            GUEST_TEST(a_report_is_over_the_wrapping_key),
            GUEST_TEST(a_quote_is_cut_to_its_declared_length),
            GUEST_TEST(the_floor_of_privilege_is_kept),
            GUEST_TEST(data_that_the_kernel_did_not_take_is_noticed),
            GUEST_TEST(another_writer_is_noticed_and_the_answer_discarded),
            GUEST_TEST(a_stale_report_is_asked_for_again),
            GUEST_TEST(a_report_over_other_data_is_rejected),
            GUEST_TEST(a_malformed_report_is_told),
            GUEST_TEST(busy_hardware_is_waited_for),
            GUEST_TEST(hardware_that_stays_busy_is_for_later),
            GUEST_TEST(each_error_of_the_kernel_is_explained),
            GUEST_TEST(a_bad_address_leaves_the_device),
            GUEST_TEST(a_refusal_leaves_nothing_else_to_be_tried),
            GUEST_TEST(without_a_provider_the_device_is_taken),
            GUEST_TEST(another_provider_is_another_machine),
            GUEST_TEST(leftovers_of_the_dead_are_removed),
            GUEST_TEST(the_folder_may_be_one_that_cannot_be_written),
    };
    return cmocka_run_group_tests_name("configfs-tsm", tests, NULL, NULL);
}
