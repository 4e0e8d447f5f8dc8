/* /dev/sev-guest, and a 5.15 guest's /dev/sev: each answer of kernel, hypervisor and firmware. */
#include "guest.h"

#include <skrfs/evidence/snp.h>

#define autotee SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee

static void collect_table(struct skrfs_tee *tee, struct skrfs_buf *ret_table) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_key_done) struct skrfs_tee_key key = {.rsa = NULL};
    struct skrfs_snp snp;
    skrfs_autoevidence evidence;
    skrfs_evidence_init(&evidence);
    assert_ok(guest_collect(tee, false, &evidence, &key, &err), err);
    assert_ok(skrfs_snp_parse(skrfs_buf_bytes(&evidence.report), &snp, &err), err);
    *ret_table = SKRFS_BUF(SKRFS_CERTIFICATES_MAX);
    skrfs_buf_move(ret_table, &evidence.certificates[SKRFS_CERTS_REPORT]);
}

static void a_report_comes_with_the_table(void **state) {
    static uint8_t table[5000] = {1, 2, 3};
    skrfs_autobuf got = SKRFS_BUF(1);
    (void)state;
    guest_add_device();
    table[4999] = 7;
    sev_settings.table = (struct skrfs_bytes){table, sizeof(table)};
    autotee *tee = guest_open("snp");
    assert_int_equal(sev_counts.requests, 0); /* opening asks nobody */
    assert_null(tee->dir);
    assert_int_equal(tee->ioctl_count, 2);
    assert_int_equal(tee->ioctls[0], 0xC0205300);
    assert_int_equal(tee->ioctls[1], 0xC0205302);
    collect_table(tee, &got);
    assert_int_equal(got.len, 8192);
    assert_memory_equal(got.data, table, sizeof(table));
    assert_int_equal(sev_counts.requests, 1);
}

static void a_host_without_certificates_gives_none(void **state) {
    skrfs_autobuf got = SKRFS_BUF(1);
    (void)state;
    guest_add_device();
    autotee *tee = guest_open("snp");
    collect_table(tee, &got);
    assert_int_equal(got.len, 0);
}

static void too_many_certificates_are_left(void **state) {
    static uint8_t table[0x4001] = {1};
    skrfs_autobuf got = SKRFS_BUF(1);
    (void)state;
    guest_add_device();
    sev_settings.table = (struct skrfs_bytes){table, sizeof(table)};
    autotee *tee = guest_open("snp");
    collect_table(tee, &got);
    assert_int_equal(got.len, 0);
    assert_int_equal(sev_counts.requests, 2);
    assert_int_equal(sev_counts.firmware, 1);
}

static void each_failure_is_explained_and_not_repeated(void **state) {
    static const struct {
        int errnum;
        uint64_t code;
        enum skrfs_class kind;
        const char *why;
    } cases[] = {
            {EIO, 29, SKRFS_CLASS_SYSTEM, "the firmware refused the report (error 0x1d)"},
            {EIO, 0xff, SKRFS_CLASS_SYSTEM, "the firmware was not reached"},
            {EINVAL, 0, SKRFS_CLASS_SYSTEM, "the firmware was not reached"},
            {EIO, UINT64_C(3) << 32, SKRFS_CLASS_SYSTEM,
                    "the hypervisor refused the report (error 3)"},
            {EIO, UINT64_C(2) << 32, SKRFS_CLASS_UNAVAILABLE, "busy"},
            {EBUSY, 0xff, SKRFS_CLASS_UNAVAILABLE, "busy"},
            {ETIMEDOUT, UINT64_C(2) << 32, SKRFS_CLASS_UNAVAILABLE, "busy"},
            {ENOTTY, 0, SKRFS_CLASS_SYSTEM, "only a restart of the guest"},
    };
    (void)state;
    guest_add_device();
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        autotee *tee = guest_open("snp");
        sev_settings.fail = cases[i].errnum;
        sev_settings.fail_code = cases[i].code;
        guest_collect_fails(tee, cases[i].kind, cases[i].why);
        guest_collect_fails(tee, cases[i].kind, cases[i].why); /* told again, not asked again */
        assert_int_equal(sev_counts.requests, i + 1);
    }
}

static void a_wiped_key_is_told(void **state) {
    (void)state;
    guest_add_device();
    sev_settings.hang_up = true;
    sev_settings.fail = EIO;
    sev_settings.fail_code = 29;
    autotee *tee = guest_open("snp");
    guest_collect_fails(tee, SKRFS_CLASS_SYSTEM, "error 0x1d");
    assert_int_equal(sev_counts.requests, 1);
    autotee *again = guest_open("snp");
    guest_collect_fails(again, SKRFS_CLASS_SYSTEM, "VMPCK");
    assert_int_equal(sev_counts.firmware, 0);
}

static uint32_t refuse(
        void *context, const uint8_t report_data[64], uint32_t vmpl, struct skrfs_buf *report) {
    (void)report_data;
    (void)vmpl;
    (void)report;
    return *(const uint32_t *)context;
}

static uint32_t answer_too_much(
        void *context, const uint8_t report_data[64], uint32_t vmpl, struct skrfs_buf *report) {
    struct skrfs_error err = {0};
    (void)context;
    (void)vmpl;
    guest_snp_report(report_data, report);
    assert_ok(skrfs_buf_append(report, "more", 4, &err), err);
    return 0;
}

static void a_status_of_the_firmware_is_told(void **state) {
    static const uint32_t statuses[] = {0x16, 0x27, 0x99};
    static const char *const why[] = {"SVSM", "signing key", "status 0x99"};
    (void)state;
    guest_add_device();
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(statuses); i++) {
        uint32_t status = statuses[i];
        sev_settings.firmware = refuse;
        sev_settings.context = &status;
        autotee *tee = guest_open("snp");
        guest_collect_fails(tee, SKRFS_CLASS_SYSTEM, why[i]);
    }
    sev_settings.firmware = answer_too_much;
    autotee *tee = guest_open("snp");
    guest_collect_fails(tee, SKRFS_CLASS_BAD_ANSWER, "1188 octets");
}

static void the_older_device_answers_too(void **state) {
    skrfs_autobuf got = SKRFS_BUF(1);
    (void)state;
    guest_add_legacy(SEV_GUEST_5_15);
    autotee *tee = guest_open("snp");
    assert_int_equal(tee->ioctl_count, 1);
    assert_int_equal(tee->ioctls[0], 0xC0285301);
    collect_table(tee, &got);
    assert_int_equal(got.len, 0);
    sev_settings.fail = EIO;
    sev_settings.fail_code = 5;
    guest_collect_fails(tee, SKRFS_CLASS_SYSTEM, "error 0x5");
}

static void a_hosts_device_is_none_of_a_guest(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    (void)state;
    guest_add_legacy(SEV_HOST);
    struct skrfs_tee_options options = guest_options("snp");
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE,
            "the security processor of a host");
    sev_settings.driver = SEV_GUEST; /* knows the other numbers alone: ENOTTY */
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE,
            "the security processor of a host");
    assert_int_equal(sev_counts.firmware, 0);
}

static void an_older_guest_that_fails_is_no_host(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    (void)state;
    guest_add_legacy(SEV_GUEST_5_15);
    sev_settings.fail = EIO;
    sev_settings.fail_code = 7;
    struct skrfs_tee_options options = guest_options(NULL);
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_SYSTEM, "error 0x7");
}

static void a_device_that_cannot_be_opened_is_told(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    (void)state;
    struct skrfs_tee_options options = guest_options("snp");
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE, "is not there");
    options.device = guest.dir; /* a folder: EISDIR */
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_SYSTEM, "Is a directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            GUEST_TEST(a_report_comes_with_the_table),
            GUEST_TEST(a_host_without_certificates_gives_none),
            GUEST_TEST(too_many_certificates_are_left),
            GUEST_TEST(each_failure_is_explained_and_not_repeated),
            GUEST_TEST(a_wiped_key_is_told),
            GUEST_TEST(a_status_of_the_firmware_is_told),
            GUEST_TEST(the_older_device_answers_too),
            GUEST_TEST(a_hosts_device_is_none_of_a_guest),
            GUEST_TEST(an_older_guest_that_fails_is_no_host),
            GUEST_TEST(a_device_that_cannot_be_opened_is_told),
    };
    return cmocka_run_group_tests_name("sev devices", tests, NULL, NULL);
}
