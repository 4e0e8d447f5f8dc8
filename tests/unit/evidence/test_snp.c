/* SNP reports and the certificates of the keys that signed them. */
#include "support.h"

#include <skrfs/base/encode.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/json/json.h>

static struct skrfs_snp parse(const struct skrfs_buf *report) {
    struct skrfs_error err = {0};
    struct skrfs_snp snp = {0};
    assert_ok(skrfs_snp_parse(skrfs_buf_bytes(report), &snp, &err), err);
    return snp;
}

static void read_report(const char *name, struct skrfs_buf *report) {
    vector_read(name, report);
    if (report->len == SKRFS_SNP_REPORT_LEN)
        return;
    /* Of an HCL report. */
    struct skrfs_error err = {0};
    struct skrfs_hcl hcl;
    struct skrfs_buf inner = SKRFS_BUF(SKRFS_SNP_REPORT_LEN);
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(report), &hcl, &err), err);
    assert_ok(skrfs_buf_append(&inner, hcl.hardware.data, hcl.hardware.len, &err), err);
    skrfs_buf_done(report);
    *report = inner;
}

/* PEM, DER, or the metadata service's JSON with PEM in it. */
static struct skrfs_chain *read_chain(const char *name) {
    struct skrfs_error err = {0};
    struct skrfs_chain *chain = NULL;
    skrfs_autobuf text;
    vector_read(name, &text);
    if (text.data[0] == '{') {
        skrfs_autojson *json = NULL;
        const char *leaf = NULL, *rest = NULL;
        skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
        assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, 65536, &json, &err), err);
        assert_ok(skrfs_json_need_string(json, "vcekCert", &leaf, &err), err);
        assert_ok(skrfs_json_need_string(json, "certificateChain", &rest, &err), err);
        assert_ok(skrfs_buf_append_text(&pem, leaf, &err), err);
        assert_ok(skrfs_buf_append_text(&pem, rest, &err), err);
        assert_ok(skrfs_chain_from_pem(skrfs_buf_text(&pem), pem.len, &chain, &err), err);
        assert_ok(skrfs_chain_verify_links(chain, &err), err);
    } else if (text.data[0] == 0x30) {
        struct skrfs_bytes der = skrfs_buf_bytes(&text);
        assert_ok(skrfs_chain_from_der(&der, 1, &chain, &err), err);
    } else {
        assert_ok(skrfs_chain_from_pem(skrfs_buf_text(&text), text.len, &chain, &err), err);
    }
    return chain;
}

#define ACI "containers-sgx-tdx/snp-aci-a/"
#define TURIN "containers-sgx-tdx/snp-turin-v5/"
#define VLEK "containers-sgx-tdx/snp-vlek/"

struct sample {
    const char *report, *chain;
    uint32_t version, vmpl;
    uint64_t policy, tcb;
    enum skrfs_snp_product product;
    enum skrfs_snp_signer signer;
    const char *chip; /* how the chip id begins */
};

static const struct sample samples[] = {
        {ACI "snp_report.bin", ACI "uvm_host_amd_certificate.json", 2, 0, 0x3001f,
                0x7308000000000003, SKRFS_SNP_MILAN, SKRFS_SNP_VCEK, "b12164b4"},
        {"cvm/aci-snp-report.bin", "cvm/aci-thim-certs.json", 2, 0, 0x3001f, 0x7308000000000003,
                SKRFS_SNP_MILAN, SKRFS_SNP_VCEK, "b12164b4"},
        {"cvm/trustee-snp-hcl-report.bin", "cvm/trustee-snp-vcek.pem", 2, 0, 0x3001f,
                0x7308000000000003, SKRFS_SNP_MILAN, SKRFS_SNP_VCEK, "19752a447db501a3"},
        {"containers-sgx-tdx/snp-gosevguest/attestation.bin",
                "containers-sgx-tdx/snp-gosevguest/vcek.der", 2, 0, 0xb0000, 0x4405000000000002,
                SKRFS_SNP_MILAN, SKRFS_SNP_VCEK, ""},
        {TURIN "turin_attestation_report.bin", TURIN "turin_vcek.pem", 5, 0, 0, 0x5100000004010101,
                SKRFS_SNP_TURIN, SKRFS_SNP_VCEK, "59790fb1c39f35c10000000000000000"},
        {VLEK "test-vlek-report.bin", VLEK "test-vlek.der", 3, 1, 0, 0xd918000000000004,
                SKRFS_SNP_MILAN, SKRFS_SNP_VLEK, "0000000000000000"},
};

static void check_sample(const struct sample *sample) {
    struct skrfs_error err = {0};
    skrfs_autobuf report;
    char chip[129];
    read_report(sample->report, &report);
    skrfs_autochain *chain = read_chain(sample->chain);
    struct skrfs_snp snp = parse(&report);
    assert_int_equal(snp.version, sample->version);
    assert_int_equal(snp.vmpl, sample->vmpl);
    assert_int_equal(snp.signature_algo, 1);
    if (sample->policy)
        assert_int_equal(snp.policy, sample->policy);
    assert_int_equal(snp.debug, snp.policy >> 19 & 1);
    assert_int_equal(snp.reported_tcb, sample->tcb);
    assert_int_equal(snp.signer, sample->signer);
    skrfs_hex_encode(snp.chip_id, sizeof(snp.chip_id), chip);
    assert_memory_equal(chip, sample->chip, strlen(sample->chip));
    if (sample->version >= 3)
        assert_true(snp.product == sample->product || sample->signer == SKRFS_SNP_VLEK);
    assert_ok(skrfs_snp_verify(skrfs_buf_bytes(&report), chain, &err), err);
    assert_ok(skrfs_snp_check_certificate(&snp, chain, &err), err);
}

static void real_reports_say_what_they_should(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(samples); i++) {
        print_message("%s\n", samples[i].report);
        check_sample(&samples[i]);
    }
}

static void particular_values_are_right(void **state) {
    skrfs_autobuf report;
    char hex[129];
    (void)state;
    read_report(ACI "snp_report.bin", &report);
    struct skrfs_snp snp = parse(&report);
    assert_int_equal(snp.guest_svn, 2);
    assert_false(snp.debug);
    skrfs_hex_encode(snp.host_data, 32, hex);
    assert_string_equal(hex, "cadd74f71ebb8fbf9782baab649612520f3c416bc5ce9ac768808ddc8d9b031c");
    skrfs_hex_encode(snp.measurement, 4, hex);
    assert_string_equal(hex, "51068107");
    skrfs_buf_done(&report);
    read_report("containers-sgx-tdx/snp-gosevguest/attestation.bin", &report);
    snp = parse(&report);
    assert_true(snp.debug);
    assert_memory_equal(snp.report_data, "\1\2\3\4\5\0\0\0", 8);
    skrfs_buf_done(&report);
    read_report(VLEK "test-vlek-report.bin", &report);
    snp = parse(&report);
    assert_int_equal(snp.committed_tcb, 0xdb18000000000004);
    skrfs_buf_done(&report);
    read_report("cvm/hcl-snp-kinvolk.bin", &report);
    snp = parse(&report);
    assert_int_equal(snp.reported_tcb, 0x7308000000000003);
    assert_int_equal(snp.current_tcb, 0xce08000000000003);
    skrfs_buf_done(&report);
    read_report(TURIN "turin_attestation_report.bin", &report);
    snp = parse(&report);
    assert_int_equal(snp.platform_info, 0x65);
}

static void a_tcb_is_split_by_product(void **state) {
    struct skrfs_snp_tcb tcb;
    (void)state;
    skrfs_snp_tcb_split(SKRFS_SNP_MILAN, 0xdb18000000000004, &tcb);
    assert_int_equal(tcb.bootloader, 4);
    assert_int_equal(tcb.tee, 0);
    assert_int_equal(tcb.snp, 0x18);
    assert_int_equal(tcb.microcode, 0xdb);
    skrfs_snp_tcb_split(SKRFS_SNP_TURIN, 0x5100000004010101, &tcb);
    assert_int_equal(tcb.fmc, 1);
    assert_int_equal(tcb.bootloader, 1);
    assert_int_equal(tcb.tee, 1);
    assert_int_equal(tcb.snp, 4);
    assert_int_equal(tcb.microcode, 0x51);
}

static void a_product_comes_from_the_processor(void **state) {
    static const struct {
        uint8_t version, family, model;
        int product; /* -1: refused */
    } cases[] = {{3, 0x19, 0x01, SKRFS_SNP_MILAN}, {3, 0x19, 0x11, SKRFS_SNP_GENOA},
            {3, 0x19, 0xa0, SKRFS_SNP_GENOA}, {5, 0x1A, 0x02, SKRFS_SNP_TURIN}, {3, 0x17, 0x31, -1},
            {9, 0x1B, 0x00, -1}, {2, 0x1A, 0x02, SKRFS_SNP_MILAN}};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        struct skrfs_snp snp;
        skrfs_autobuf report;
        read_report(ACI "snp_report.bin", &report);
        report.data[0] = cases[i].version;
        report.data[0x188] = cases[i].family;
        report.data[0x189] = cases[i].model;
        if (cases[i].product < 0) {
            assert_fails(skrfs_snp_parse(skrfs_buf_bytes(&report), &snp, &err), err,
                    SKRFS_CLASS_BAD_ANSWER, "processor family");
        } else {
            snp = parse(&report);
            assert_int_equal(snp.product, cases[i].product);
        }
    }
}

static void malformed_reports_are_refused(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_snp snp;
    skrfs_autobuf report;
    (void)state;
    read_report(ACI "snp_report.bin", &report);
    struct skrfs_bytes part = {report.data, 1183};
    assert_fails(skrfs_snp_parse(part, &snp, &err), err, SKRFS_CLASS_BAD_ANSWER, "1183 octets");
    part.len = 0;
    assert_fails(skrfs_snp_parse(part, &snp, &err), err, SKRFS_CLASS_BAD_ANSWER, "0 octets");
    report.data[0x34] = 2;
    assert_fails(skrfs_snp_parse(skrfs_buf_bytes(&report), &snp, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "algorithm 2");
    report.data[0] = 0;
    assert_fails(skrfs_snp_parse(skrfs_buf_bytes(&report), &snp, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "version 0");
}

static void altered_reports_do_not_verify(void **state) {
    static const size_t places[] = {0x08, 0x50, 0x90, 0x180, 0x29F, 0x2A0, 0x2E8 + 47};
    skrfs_autochain *chain = read_chain(ACI "uvm_host_amd_certificate.json");
    struct skrfs_error err = {0};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(places); i++) {
        skrfs_autobuf report;
        read_report(ACI "snp_report.bin", &report);
        report.data[places[i]] ^= 1;
        assert_fails(skrfs_snp_verify(skrfs_buf_bytes(&report), chain, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "SNP report");
    }
    skrfs_autobuf report;
    read_report(ACI "snp_report.bin", &report);
    report.data[0x2A0 + 48] = 1;
    assert_fails(skrfs_snp_verify(skrfs_buf_bytes(&report), chain, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not one of P-384");
}

/* Real certificates of other chips sign none of these reports. */
static void another_chips_certificate_does_not_fit(void **state) {
    struct skrfs_error err = {0};
    skrfs_autobuf report;
    (void)state;
    read_report("cvm/hcl-snp-kinvolk.bin", &report);
    struct skrfs_snp snp = parse(&report);
    static const char *const others[] = {"cvm/certs-kinvolk.pem", "cvm/trustee-snp-vcek.pem"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(others); i++) {
        skrfs_autochain *chain = read_chain(others[i]);
        assert_fails(skrfs_snp_verify(skrfs_buf_bytes(&report), chain, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "SNP report");
        assert_fails(skrfs_snp_check_certificate(&snp, chain, &err), err, SKRFS_CLASS_BAD_ANSWER,
                "another chip");
    }
}

static void a_certificate_must_be_of_the_same_firmware(void **state) {
    struct skrfs_error err = {0};
    skrfs_autobuf report;
    skrfs_autochain *chain = read_chain(ACI "uvm_host_amd_certificate.json");
    (void)state;
    read_report(ACI "snp_report.bin", &report);
    struct skrfs_snp snp = parse(&report);
    static const struct {
        unsigned shift;
        const char *part;
    } parts[] = {{0, "bootloader"}, {8, "TEE"}, {48, "SNP firmware"}, {56, "microcode"}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(parts); i++) {
        struct skrfs_snp other = snp;
        other.reported_tcb ^= (uint64_t)1 << parts[i].shift;
        assert_fails(skrfs_snp_check_certificate(&other, chain, &err), err, SKRFS_CLASS_BAD_ANSWER,
                parts[i].part);
    }
    /* The current version is not what the key is derived from. */
    snp.current_tcb = 0;
    assert_ok(skrfs_snp_check_certificate(&snp, chain, &err), err);
    struct skrfs_snp turin = snp;
    turin.version = 5;
    turin.product = SKRFS_SNP_TURIN;
    assert_fails(skrfs_snp_check_certificate(&turin, chain, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "another processor");
    struct skrfs_snp vlek = snp;
    vlek.signer = SKRFS_SNP_VLEK;
    assert_fails(skrfs_snp_check_certificate(&vlek, chain, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "signed by a VLEK");
    struct skrfs_snp unsigned_report = snp;
    unsigned_report.signer = SKRFS_SNP_NO_SIGNER;
    assert_fails(skrfs_snp_check_certificate(&unsigned_report, chain, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not signed");
    snp.chip_id[63] ^= 1;
    assert_fails(skrfs_snp_check_certificate(&snp, chain, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "another chip");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(real_reports_say_what_they_should),
            cmocka_unit_test(particular_values_are_right),
            cmocka_unit_test(a_tcb_is_split_by_product),
            cmocka_unit_test(a_product_comes_from_the_processor),
            cmocka_unit_test(malformed_reports_are_refused),
            cmocka_unit_test(altered_reports_do_not_verify),
            cmocka_unit_test(another_chips_certificate_does_not_fit),
            cmocka_unit_test(a_certificate_must_be_of_the_same_firmware),
    };
    return cmocka_run_group_tests_name("snp", tests, NULL, NULL);
}
