/* HCL reports: what real ones say, and that altered ones are refused for the right reason. */
#include "support.h"

#include <skrfs/evidence/hcl.h>

static struct skrfs_hcl parse(const struct skrfs_buf *report) {
    struct skrfs_error err = {0};
    struct skrfs_hcl hcl = {0};
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(report), &hcl, &err), err);
    return hcl;
}

struct sample {
    const char *name;
    size_t size, report_size, claims;
    enum skrfs_hcl_kind kind;
    const char *vm;
};

static const struct sample samples[] = {
        {"cvm/hcl-snp-kinvolk.bin", 2048, 1819, 583, SKRFS_HCL_SNP,
                "BAEFD3E1-184B-4C4C-AB88-0BDAD260505F"},
        {"cvm/trustee-snp-hcl-report.bin", 2600, 2346, 1110, SKRFS_HCL_SNP,
                "911B0EF8-9DBA-48B0-B275-4E4DF2D39252"},
        {"cvm/hcl-tdx-kinvolk.bin", 2600, 2438, 1202, SKRFS_HCL_TDX, "vmUniqueId"},
        {"cvm/trustee-tdx-hcl-report.bin", 2600, 2437, 1201, SKRFS_HCL_TDX,
                "6332533D-5649-4D02-8AA7-8F64B7C3EE21"},
        {"containers-sgx-tdx/tdx-azure/hcl-report.bin", 2600, 2437, 1201, SKRFS_HCL_TDX,
                "vmUniqueId"},
};

static void real_reports_say_what_they_should(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(samples); i++) {
        const struct sample *sample = &samples[i];
        struct skrfs_error err = {0};
        skrfs_autobuf report;
        uint8_t modulus[256];
        vector_read(sample->name, &report);
        struct skrfs_hcl hcl = parse(&report);
        assert_int_equal(report.len, sample->size);
        assert_int_equal(hcl.kind, sample->kind);
        assert_int_equal(hcl.hash, SKRFS_SHA256);
        assert_int_equal(hcl.claims.len, sample->claims);
        assert_int_equal(skrfs_hcl_len(&hcl), sample->report_size);
        assert_ptr_equal(hcl.claims.data, report.data + 1236);
        assert_ptr_equal(hcl.hardware.data, report.data + 32);
        assert_int_equal(hcl.hardware.len, sample->kind == SKRFS_HCL_SNP ? 1184 : 1024);
        assert_non_null(memmem(hcl.claims.data, hcl.claims.len, sample->vm, strlen(sample->vm)));
        assert_ok(skrfs_hcl_check_binding(&hcl, &err), err);
        assert_ok(skrfs_hcl_ak_modulus(&hcl, modulus, &err), err);
        /* The platform's TPM makes moduli with zeros there: a text-minded reader would stop. */
        assert_int_equal(modulus[4], 0);
        assert_true(modulus[0] >= 0x80);
    }
}

static void put32(struct skrfs_buf *report, size_t at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        report->data[at + i] = (uint8_t)(value >> 8 * i);
}

struct damage {
    size_t at;
    uint32_t value;
    enum skrfs_class kind;
    const char *why;
};

static void altered_headers_are_refused(void **state) {
    static const struct damage damages[] = {
            {0, 0x414C4347, SKRFS_CLASS_BAD_ANSWER, "begin with HCLA"},
            {4, 0, SKRFS_CLASS_BAD_ANSWER, "version 0"},
            {4, 3, SKRFS_CLASS_BAD_ANSWER, "version 3"},
            {8, 2347, SKRFS_CLASS_BAD_ANSWER, "size disagrees"},
            {8, 2600, SKRFS_CLASS_BAD_ANSWER, "size disagrees"},
            {1216, 1129, SKRFS_CLASS_BAD_ANSWER, "data size disagrees"},
            {1216, 0xFFFFFFFF, SKRFS_CLASS_BAD_ANSWER, "data size disagrees"},
            {1220, 3, SKRFS_CLASS_BAD_ANSWER, "data have version 3"},
            {1224, 0, SKRFS_CLASS_BAD_ANSWER, "unknown type 0"},
            {1224, 1, SKRFS_CLASS_NO_TEE, "VBS"},
            {1224, 3, SKRFS_CLASS_NO_TEE, "trusted launch"},
            {1224, 5, SKRFS_CLASS_NO_TEE, "CCA"},
            {1224, 6, SKRFS_CLASS_BAD_ANSWER, "unknown type 6"},
            {1228, 0, SKRFS_CLASS_BAD_ANSWER, "hash type 0"},
            {1228, 4, SKRFS_CLASS_BAD_ANSWER, "hash type 4"},
            {1232, 1109, SKRFS_CLASS_BAD_ANSWER, "data size disagrees"},
            {1232, 2600 - 1236 + 1, SKRFS_CLASS_BAD_ANSWER, "more than there are"},
            {1232, 0xFFFFFFFF, SKRFS_CLASS_BAD_ANSWER, "more than there are"},
            {1236, 0x20202020, SKRFS_CLASS_BAD_ANSWER, "not JSON"},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(damages); i++) {
        struct skrfs_error err = {0};
        struct skrfs_hcl hcl;
        skrfs_autobuf report;
        vector_read("cvm/trustee-snp-hcl-report.bin", &report);
        put32(&report, damages[i].at, damages[i].value);
        assert_fails(skrfs_hcl_parse(skrfs_buf_bytes(&report), &hcl, &err), err, damages[i].kind,
                damages[i].why);
    }
}

static void truncated_reports_are_refused(void **state) {
    static const size_t lengths[] = {0, 1, 4, 31, 1215, 1235, 1236, 1237, 2345};
    struct skrfs_error err = {0};
    struct skrfs_hcl hcl;
    skrfs_autobuf report;
    (void)state;
    vector_read("cvm/trustee-snp-hcl-report.bin", &report);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lengths); i++) {
        struct skrfs_bytes part = {report.data, lengths[i]};
        assert_fails(skrfs_hcl_parse(part, &hcl, &err), err, SKRFS_CLASS_BAD_ANSWER,
                lengths[i] < 1236 ? "truncated" : "more than there are");
    }
    struct skrfs_bytes exact = {report.data, 2346};
    assert_ok(skrfs_hcl_parse(exact, &hcl, &err), err);
}

static void edited_claims_are_not_bound(void **state) {
    static const size_t places[] = {1236 + 5, 1236 + 600, 1236 + 1109};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(places); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf report;
        vector_read("cvm/trustee-snp-hcl-report.bin", &report);
        report.data[places[i]] ^= 1;
        struct skrfs_hcl hcl = parse(&report);
        assert_fails(
                skrfs_hcl_check_binding(&hcl, &err), err, SKRFS_CLASS_BAD_ANSWER, "does not vouch");
    }
}

static void claims_of_another_vm_are_not_bound(void **state) {
    struct skrfs_error err = {0};
    skrfs_autobuf report, claims;
    (void)state;
    vector_read("cvm/trustee-snp-hcl-report.bin", &report);
    vector_read("cvm/runtime-claims-kinvolk.json", &claims);
    assert_int_equal(claims.len, 1110);
    memcpy(report.data + 1236, claims.data, claims.len);
    struct skrfs_hcl hcl = parse(&report);
    assert_fails(
            skrfs_hcl_check_binding(&hcl, &err), err, SKRFS_CLASS_BAD_ANSWER, "does not vouch");
}

static void report_data_behind_the_digest_must_be_zero(void **state) {
    static const struct {
        const char *name;
        size_t at;
    } cases[] = {{"cvm/trustee-snp-hcl-report.bin", 32 + 0x50 + 32},
            {"cvm/trustee-snp-hcl-report.bin", 32 + 0x50 + 63},
            {"cvm/trustee-tdx-hcl-report.bin", 32 + 128 + 40}};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf report;
        vector_read(cases[i].name, &report);
        report.data[cases[i].at] = 1;
        struct skrfs_hcl hcl = parse(&report);
        assert_fails(
                skrfs_hcl_check_binding(&hcl, &err), err, SKRFS_CLASS_BAD_ANSWER, "is not zero");
    }
}

static void a_td_report_must_be_one(void **state) {
    struct skrfs_error err = {0};
    skrfs_autobuf report;
    (void)state;
    vector_read("cvm/trustee-tdx-hcl-report.bin", &report);
    report.data[32 + 2] = 1;
    struct skrfs_hcl hcl = parse(&report);
    assert_fails(skrfs_hcl_check_binding(&hcl, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "does not begin as TD reports do");
}

/* A report made here, since no host has been seen to use the longer digests or the second version.
 */
static void make_report(struct skrfs_buf *report, const char *claims, enum skrfs_hash hash) {
    struct skrfs_error err = {0};
    uint8_t *space = NULL;
    uint32_t len = (uint32_t)strlen(claims);
    *report = SKRFS_BUF(4096);
    assert_ok(skrfs_buf_extend(report, 2600, &space, &err), err);
    memset(space, 0, 2600);
    memcpy(space, "HCLA", 4);
    put32(report, 4, 2);
    put32(report, 8, 1236 + len);
    put32(report, 12, 2);
    put32(report, 1216, 20 + len);
    put32(report, 1220, 1);
    put32(report, 1224, 2);
    put32(report, 1228, 1 + (uint32_t)hash - SKRFS_SHA256);
    put32(report, 1232, len);
    memcpy(space + 1236, claims, len);
    assert_ok(skrfs_hash(hash, claims, len, space + 32 + 0x50, &err), err);
}

static void longer_digests_are_known(void **state) {
    (void)state;
    for (int hash = SKRFS_SHA256; hash <= SKRFS_SHA512; hash++) {
        struct skrfs_error err = {0};
        skrfs_autobuf report;
        make_report(&report, "{\"keys\":[]}", (enum skrfs_hash)hash);
        struct skrfs_hcl hcl = parse(&report);
        assert_int_equal(hcl.hash, hash);
        assert_ok(skrfs_hcl_check_binding(&hcl, &err), err);
        report.data[1236 + 3] ^= 1;
        assert_fails(
                skrfs_hcl_check_binding(&hcl, &err), err, SKRFS_CLASS_BAD_ANSWER, "does not vouch");
    }
}

static void the_second_version_needs_claims_in_place(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_hcl hcl;
    skrfs_autobuf report;
    (void)state;
    make_report(&report, "{\"keys\":[]}", SKRFS_SHA256);
    put32(&report, 1220, 2);
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(&report), &hcl, &err), err);
    put32(&report, 1236, 0);
    assert_fails(skrfs_hcl_parse(skrfs_buf_bytes(&report), &hcl, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "not JSON");
}

#define N256                                                                                       \
    "gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"        \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"        \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"        \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"        \
    "AA"
#define AK(n, e, kty, op)                                                                          \
    "{\"kid\":\"HCLAkPub\",\"key_ops\":[\"" op "\"],\"kty\":\"" kty "\",\"e\":\"" e                \
    "\",\"n\":\"" n "\"}"

static void only_a_right_attestation_key_is_taken(void **state) {
    static const struct {
        const char *claims, *why;
    } cases[] = {
            {"{\"keys\":[]}", "no key HCLAkPub"},
            {"{\"other\":[]}", "keys"},
            {"{\"keys\":[{\"kid\":\"HCLEkPub\"}]}", "no key HCLAkPub"},
            {"{\"keys\":[" AK("AQAB", "AQAB", "RSA", "sign") "]}", "not an RSA-2048 key"},
            {"{\"keys\":[" AK("?", "AQAB", "RSA", "sign") "]}", ""},
            {"{\"keys\":[" AK("AQAB", "Aw", "RSA", "sign") "]}", "exponent 65537"},
            {"{\"keys\":[" AK("AQAB", "AQAB", "EC", "sign") "]}", "exponent 65537"},
            {"{\"keys\":[" AK("AQAB", "AQAB", "RSA", "wrapKey") "]}", "not a signing key"},
            {"{\"keys\":[" AK("AQAB", "AQAB", "RSA", "sign") "," AK(
                     "AQAB", "AQAB", "RSA", "sign") "]}",
                    "twice"},
            {"{\"keys\":", "claims"},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        uint8_t modulus[256] = {0};
        skrfs_autobuf report;
        make_report(&report, cases[i].claims, SKRFS_SHA256);
        struct skrfs_hcl hcl = parse(&report);
        assert_fails(skrfs_hcl_ak_modulus(&hcl, modulus, &err), err, SKRFS_CLASS_BAD_ANSWER,
                cases[i].why);
        assert_int_equal(modulus[0], 0);
    }
}

static void both_uses_of_the_attestation_key_are_taken(void **state) {
    static const char *const claims[] = {
            "{\"keys\":[" AK(N256, "AQAB", "RSA", "sign") "]}",
            "{\"keys\":[{\"kid\":\"x\"},7," AK(N256, "AQAB", "RSA", "encrypt") "]}",
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(claims); i++) {
        struct skrfs_error err = {0};
        uint8_t modulus[256];
        skrfs_autobuf report;
        make_report(&report, claims[i], SKRFS_SHA256);
        struct skrfs_hcl hcl = parse(&report);
        assert_ok(skrfs_hcl_ak_modulus(&hcl, modulus, &err), err);
        assert_int_equal(modulus[0], 0x80);
        assert_int_equal(modulus[255], 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(real_reports_say_what_they_should),
            cmocka_unit_test(altered_headers_are_refused),
            cmocka_unit_test(truncated_reports_are_refused),
            cmocka_unit_test(edited_claims_are_not_bound),
            cmocka_unit_test(claims_of_another_vm_are_not_bound),
            cmocka_unit_test(report_data_behind_the_digest_must_be_zero),
            cmocka_unit_test(a_td_report_must_be_one),
            cmocka_unit_test(longer_digests_are_known),
            cmocka_unit_test(the_second_version_needs_claims_in_place),
            cmocka_unit_test(only_a_right_attestation_key_is_taken),
            cmocka_unit_test(both_uses_of_the_attestation_key_are_taken),
    };
    return cmocka_run_group_tests_name("hcl", tests, NULL, NULL);
}
