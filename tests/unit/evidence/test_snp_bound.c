/* SNP reports of every captured kind: every octet that is bound to the signature, the certificate
 * or the runtime data, altered, is refused. */
#include "altered.h"

#include <skrfs/crypto/hash.h>
#include <skrfs/evidence/snp.h>

enum { ACI, ROOM, GUEST, TURIN, VLEK, KMS, SAMPLE_COUNT };

static void add_file(const char *name, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    skrfs_autobuf bytes = {0};
    vector_read(name, &bytes);
    assert_ok(skrfs_buf_append(out, bytes.data, bytes.len, &err), err);
}

static void add_der(const char *name, struct skrfs_buf *pem) {
    struct skrfs_error err = {0};
    skrfs_autochain *chain = NULL;
    skrfs_autobuf der = {0};
    vector_read(name, &der);
    const struct skrfs_bytes bytes = skrfs_buf_bytes(&der);
    assert_ok(skrfs_chain_from_der(&bytes, 1, &chain, &err), err);
    assert_ok(skrfs_chain_pem(chain, pem, &err), err);
}

static void add_text(const struct skrfs_json *json, const char *name, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    const char *text = NULL;
    assert_ok(skrfs_json_need_string(json, name, &text, &err), err);
    assert_ok(skrfs_buf_append_text(out, text, &err), err);
}

/* The report's document in a request as it was sent; its nonce, a number that no signed 64 bits
 * hold, is cut. */
static void read_request(struct skrfs_json **ret_request, struct skrfs_json **ret_report) {
    struct skrfs_error err = {0};
    skrfs_autobuf text = {0}, inner = SKRFS_BUF(SAMPLE_MAX);
    vector_read(SAMPLES "snp-aci-cleanroom/maa-request.json", &text);
    char *nonce = memmem(text.data, text.len, "13202930541250959283", 20);
    assert_non_null(nonce);
    memset(nonce + 18, ' ', 2);
    assert_ok(
            skrfs_json_parse(skrfs_buf_text(&text), text.len, SAMPLE_MAX, ret_request, &err), err);
    base64_of(*ret_request, "report", &inner);
    assert_ok(
            skrfs_json_parse(skrfs_buf_text(&inner), inner.len, SAMPLE_MAX, ret_report, &err), err);
}

static void read_sample(int which, struct skrfs_buf *report, struct skrfs_buf *pem) {
    skrfs_autojson *json = NULL, *inner = NULL;
    *report = SKRFS_BUF(SAMPLE_MAX);
    *pem = SKRFS_BUF(SAMPLE_MAX);
    switch (which) {
    case ACI:
        add_file(SAMPLES "snp-aci-a/snp_report.bin", report);
        read_json(SAMPLES "snp-aci-a/uvm_host_amd_certificate.json", &json);
        add_text(json, "vcekCert", pem);
        add_text(json, "certificateChain", pem);
        break;
    case ROOM:
        read_request(&json, &inner);
        base64_of(inner, "SnpReport", report);
        base64_of(inner, "VcekCertChain", pem);
        break;
    case GUEST:
        add_file(SAMPLES "snp-gosevguest/attestation.bin", report);
        skrfs_buf_truncate(report, SKRFS_SNP_REPORT_LEN);
        add_der(SAMPLES "snp-gosevguest/vcek.der", pem);
        add_file(SAMPLES "snp-gosevguest/ask_ark_milan.pem", pem);
        break;
    case TURIN:
        add_file(SAMPLES "snp-turin-v5/turin_attestation_report.bin", report);
        add_file(SAMPLES "snp-turin-v5/turin_vcek.pem", pem);
        add_file(SAMPLES "snp-turin-v5/turin_ask.pem", pem);
        add_file(SAMPLES "snp-turin-v5/turin_ark.pem", pem);
        break;
    case VLEK:
        add_file(SAMPLES "snp-vlek/test-vlek-report.bin", report);
        add_der(SAMPLES "snp-vlek/test-vlek.der", pem);
        break;
    default:
        read_json(SAMPLES "snp-privacy-sandbox/snp.json", &json);
        base64_of(json, "evidence", report);
        base64_of(json, "endorsements", pem);
    }
}

static struct skrfs_chain *chain_of(const struct skrfs_buf *pem) {
    struct skrfs_error err = {0};
    struct skrfs_chain *chain = NULL;
    assert_ok(skrfs_chain_from_pem(skrfs_buf_text(pem), pem->len, &chain, &err), err);
    return chain;
}

static struct skrfs_snp parse(const struct skrfs_buf *report) {
    struct skrfs_error err = {0};
    struct skrfs_snp snp = {0};
    assert_ok(skrfs_snp_parse(skrfs_buf_bytes(report), &snp, &err), err);
    return snp;
}

/* Field by field, as the samples' description has it; "" where it says nothing. */
static const struct {
    int which;
    uint32_t version, vmpl;
    uint64_t policy, reported, platform;
    enum skrfs_snp_product product;
    enum skrfs_snp_signer signer;
    bool debug;
    const char *data, *host, *measurement, *chip;
} fields[] = {
        {ACI, 2, 0, 0x3001f, 0x7308000000000003, 0, SKRFS_SNP_MILAN, SKRFS_SNP_VCEK, false,
                "ee986ff2", "cadd74f71ebb8fbf9782baab649612520f3c416bc5ce9ac768808ddc8d9b031c",
                "51068107", "b12164b4"},
        {ROOM, 3, 0, 0x3001f, 0xdb18000000000004, 0x25, SKRFS_SNP_MILAN, SKRFS_SNP_VCEK, false,
                "8b2e75ca", "73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20", "",
                ""},
        {GUEST, 2, 0, 0xb0000, 0x4405000000000002, 0, SKRFS_SNP_MILAN, SKRFS_SNP_VCEK, true,
                "01020304050000000000",
                "0000000000000000000000000000000000000000000000000000000000000000", "", ""},
        {TURIN, 5, 0, 0, 0x5100000004010101, 0x65, SKRFS_SNP_TURIN, SKRFS_SNP_VCEK, false, "", "",
                "", "59790fb1c39f35c10000000000000000"},
        {VLEK, 3, 1, 0, 0xd918000000000004, 0, SKRFS_SNP_MILAN, SKRFS_SNP_VLEK, false, "", "", "",
                "0000000000000000000000000000000000000000000000000000000000000000"},
        {KMS, 2, 0, 0, 0x7308000000000003, 0, SKRFS_SNP_MILAN, SKRFS_SNP_VCEK, false, "", "", "",
                ""},
};

static void every_field_is_what_it_should_be(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(fields); i++) {
        skrfs_autobuf report = {0}, pem = {0};
        read_sample(fields[i].which, &report, &pem);
        struct skrfs_snp snp = parse(&report);
        print_message("sample %d\n", fields[i].which);
        assert_int_equal(snp.version, fields[i].version);
        assert_int_equal(snp.vmpl, fields[i].vmpl);
        if (fields[i].policy)
            assert_int_equal(snp.policy, fields[i].policy);
        assert_int_equal(snp.reported_tcb, fields[i].reported);
        if (fields[i].platform)
            assert_int_equal(snp.platform_info, fields[i].platform);
        assert_int_equal(snp.product, fields[i].product);
        assert_int_equal(snp.signer, fields[i].signer);
        assert_int_equal(snp.debug, fields[i].debug);
        assert_hex(snp.report_data, fields[i].data);
        assert_hex(snp.host_data, fields[i].host);
        assert_hex(snp.measurement, fields[i].measurement);
        assert_hex(snp.chip_id, fields[i].chip);
    }
}

/* "endorsed_tcb" is the same eight octets in another order than the report's number. */
static void an_endorsed_tcb_is_in_octet_order(void **state) {
    skrfs_autojson *json = NULL;
    skrfs_autobuf report = {0}, pem = {0};
    char text[17];
    (void)state;
    read_json(SAMPLES "snp-privacy-sandbox/snp.json", &json);
    read_sample(KMS, &report, &pem);
    struct skrfs_snp snp = parse(&report);
    skrfs_hex_encode(report.data + 0x180, 8, text);
    assert_string_equal(skrfs_json_string(skrfs_json_get(json, "endorsed_tcb")), text);
    assert_int_equal(snp.current_tcb >> 56, 0xd2);
}

static void what_is_bound_is_what_was_given(void **state) {
    struct skrfs_error err = {0};
    skrfs_autojson *request = NULL, *inner = NULL;
    skrfs_autobuf report = {0}, pem = {0}, runtime = SKRFS_BUF(SAMPLE_MAX), jwks = {0}, text = {0},
                  policy = SKRFS_BUF(SAMPLE_MAX);
    uint8_t digest[32];
    (void)state;
    read_request(&request, &inner);
    read_sample(ROOM, &report, &pem);
    struct skrfs_snp snp = parse(&report);
    base64_of(skrfs_json_get(request, "runtimeData"), "data", &runtime);
    vector_read(SAMPLES "snp-aci-cleanroom/public-key-jwks", &jwks);
    assert_int_equal(runtime.len, jwks.len);
    assert_memory_equal(runtime.data, jwks.data, jwks.len);
    assert_ok(skrfs_hash(SKRFS_SHA256, runtime.data, runtime.len, digest, &err), err);
    assert_memory_equal(snp.report_data, digest, sizeof(digest));
    vector_read(SAMPLES "snp-aci-a/uvm_security_policy.base64", &text);
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        skrfs_buf_truncate(&text, text.len - 1);
    assert_ok(
            skrfs_base64_decode(SKRFS_BASE64, skrfs_buf_text(&text), text.len, &policy, &err), err);
    assert_int_equal(policy.len, 714);
    assert_ok(skrfs_hash(SKRFS_SHA256, policy.data, policy.len, digest, &err), err);
    assert_hex(digest, fields[ACI].host);
}

/* All of it: form, signature, and what the certificate says of chip and firmware. */
static int judge(struct skrfs_bytes report, void *with, struct skrfs_error *err) {
    const struct skrfs_chain *chain = with;
    struct skrfs_snp snp;
    return skrfs_snp_verify(report, chain, err) < 0 || skrfs_snp_parse(report, &snp, err) < 0
                   ? -1
                   : skrfs_snp_check_certificate(&snp, chain, err);
}

static void every_signed_octet_counts(void **state) {
    static const struct region regions[] = {
            {0x00, 0x34, 1, "the SNP report: "},
            {0x34, 0x38, 1, "signature algorithm"},
            {0x38, 0x2A0, 1, "the SNP report: "},
            {0x2A0, 0x2A0 + 48, 1, "the SNP report: "}, /* r */
            {0x2E8, 0x2E8 + 48, 1, "the SNP report: "}, /* s */
            {0x2A0 + 48, 0x2E8, 1, "not one of P-384"},
            {0x2E8 + 48, 0x330, 1, "not one of P-384"},
    };
    (void)state;
    for (int which = 0; which < SAMPLE_COUNT; which++) {
        skrfs_autobuf report = {0}, pem = {0};
        read_sample(which, &report, &pem);
        skrfs_autochain *chain = chain_of(&pem);
        for (size_t i = 0; i < SKRFS_ARRAY_LEN(regions); i++) {
            struct region region = regions[i];
            if (which != ROOM && region.end - region.begin > 0x40)
                region.stride = 7;
            each_octet_counts(&report, region, judge, chain);
        }
    }
}

/* A certificate below the report's: its place in the chain is held against the next one's key. */
static int judge_leaf(struct skrfs_bytes leaf, void *with, struct skrfs_error *err) {
    const struct skrfs_bytes *rest = with;
    const struct skrfs_bytes certs[] = {leaf, rest[0], rest[1]};
    skrfs_autochain *chain = NULL;
    return skrfs_chain_from_der(certs, 3, &chain, err) < 0 ? -1
                                                           : skrfs_chain_verify_links(chain, err);
}

static void every_octet_of_a_certificate_counts(void **state) {
    static const int whole[] = {ACI, ROOM, GUEST, TURIN, KMS};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(whole); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf report = {0}, pem = {0}, leaf = SKRFS_BUF(SKRFS_CERT_MAX),
                      ask = SKRFS_BUF(SKRFS_CERT_MAX), ark = SKRFS_BUF(SKRFS_CERT_MAX);
        read_sample(whole[i], &report, &pem);
        skrfs_autochain *chain = chain_of(&pem);
        assert_int_equal(skrfs_chain_len(chain), 3);
        assert_ok(skrfs_chain_der(chain, 0, &leaf, &err), err);
        assert_ok(skrfs_chain_der(chain, 1, &ask, &err), err);
        assert_ok(skrfs_chain_der(chain, 2, &ark, &err), err);
        struct skrfs_bytes rest[] = {skrfs_buf_bytes(&ask), skrfs_buf_bytes(&ark)};
        each_octet_counts(&leaf,
                (struct region){0, leaf.len, 3, "certificate 1 |behind certificate 1"}, judge_leaf,
                rest);
    }
}

static void certificates_of_another_report_do_not_fit(void **state) {
    (void)state;
    for (int which = 0; which < SAMPLE_COUNT; which++) {
        struct skrfs_error err = {0};
        int other = (which + 1) % SAMPLE_COUNT;
        skrfs_autobuf report = {0}, pem = {0}, unused = {0}, foreign = {0};
        read_sample(which, &report, &pem);
        read_sample(other, &unused, &foreign);
        skrfs_autochain *chain = chain_of(&foreign);
        struct skrfs_snp snp = parse(&report);
        assert_fails(judge(skrfs_buf_bytes(&report), chain, &err), err, SKRFS_CLASS_BAD_ANSWER,
                "the SNP report: ");
        assert_fails(skrfs_snp_check_certificate(&snp, chain, &err), err, SKRFS_CLASS_BAD_ANSWER,
                "the SNP certificate");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_field_is_what_it_should_be),
            cmocka_unit_test(an_endorsed_tcb_is_in_octet_order),
            cmocka_unit_test(what_is_bound_is_what_was_given),
            cmocka_unit_test(every_signed_octet_counts),
            cmocka_unit_test(every_octet_of_a_certificate_counts),
            cmocka_unit_test(certificates_of_another_report_do_not_fit),
    };
    return cmocka_run_group_tests_name("snp_bound", tests, NULL, NULL);
}
