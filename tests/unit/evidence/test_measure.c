/* What was measured, from real evidence of each kind. */
#include "altered.h"

#include <skrfs/base/encode.h>
#include <skrfs/evidence/evidence.h>

static void measure(enum skrfs_evidence_kind kind, const char *name, bool hcl,
        struct skrfs_measurement *ret_measurement) {
    skrfs_autoevidence evidence;
    skrfs_autobuf file;
    struct skrfs_error err;
    vector_read(name, &file);
    skrfs_evidence_init(&evidence);
    evidence.kind = kind;
    assert_ok(skrfs_buf_append(
                      hcl ? &evidence.hcl_report : &evidence.report, file.data, file.len, &err),
            err);
    skrfs_evidence_measure(&evidence, ret_measurement);
}

/* sha256 of 256 zeros: the digest of eight PCRs that nothing was measured into. */
#define NOTHING "5341e6b2646979a70e57653007a1f310169421ec9bdd9f1a5648f75ade005af1"

static void test_confidential_vms(void **state) {
    struct skrfs_measurement vm, quote;
    (void)state;
    measure(SKRFS_EVIDENCE_CVM, "cvm/trustee-snp-hcl-report.bin", true, &vm);
    assert_int_equal(strlen(vm.tee), 96);
    assert_string_equal(vm.pcrs_sha256, NOTHING);
    /* The TD report in the VM's and the quote that was made of it. */
    measure(SKRFS_EVIDENCE_CVM, "cvm/trustee-tdx-hcl-report.bin", true, &vm);
    measure(SKRFS_EVIDENCE_TDX, "cvm/trustee-td-quote.bin", false, &quote);
    assert_int_equal(strlen(vm.tee), 96);
    assert_string_equal(vm.tee, quote.tee);
    assert_string_equal(quote.pcrs_sha256, "");
}

static void test_nothing_to_measure(void **state) {
    static const enum skrfs_evidence_kind kinds[] = {
            SKRFS_EVIDENCE_CVM, SKRFS_EVIDENCE_SNP, SKRFS_EVIDENCE_TDX, SKRFS_EVIDENCE_SGX};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(kinds); i++) {
        skrfs_autoevidence evidence;
        struct skrfs_measurement measured;
        skrfs_evidence_init(&evidence);
        evidence.kind = kinds[i];
        skrfs_evidence_measure(&evidence, &measured);
        assert_string_equal(measured.tee, "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_confidential_vms),
            cmocka_unit_test(test_nothing_to_measure),
    };
    return cmocka_run_group_tests_name("measurements", tests, NULL, NULL);
}
