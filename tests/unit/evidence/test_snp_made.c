/* SNP reports that no sample has, signed here: of an old version on a newer processor, and what
 * Turin's and loaded keys' certificates have to say. */
#include "certs.h"

enum { BOOTLOADER, TEE, SNP, MICROCODE, FMC, CHIP, PRODUCT, CLAIMS };

/* A report, and the extensions of a certificate that fit it. */
struct made {
    uint8_t report[SKRFS_SNP_REPORT_LEN];
    struct claim claims[CLAIMS];
};

static struct family family;

static int set_up(void **state) {
    (void)state;
    family_new(&family);
    return 0;
}

static int take_down(void **state) {
    (void)state;
    family_done(&family);
    return 0;
}

static void number(struct claim *claim, uint8_t value) {
    claim->len = 0;
    claim->contents[claim->len++] = 0x02;
    claim->contents[claim->len++] = value < 0x80 ? 1 : 2;
    if (value >= 0x80)
        claim->contents[claim->len++] = 0;
    claim->contents[claim->len++] = value;
}

static void product(struct claim *claim, const char *name) {
    claim->contents[0] = 0x16;
    claim->contents[1] = (uint8_t)strlen(name);
    memcpy(claim->contents + 2, name, strlen(name));
    claim->len = 2 + strlen(name);
}

/* `tcb` in the order of its octets. */
static void make(struct made *made, uint32_t version, uint8_t family_id, const uint8_t tcb[8],
        size_t chip_len, const char *name) {
    static const char *const oids[CLAIMS] = {
            AMD "3.1", AMD "3.2", AMD "3.3", AMD "3.8", AMD "3.9", AMD "4", AMD "2"};
    const bool turin = family_id == 0x1A;
    *made = (struct made){0};
    uint8_t *report = made->report;
    report[0] = (uint8_t)version;
    report[0x34] = 1;
    report[0x0A] = 3; /* policy */
    if (version >= 3) {
        report[0x188] = family_id;
        report[0x189] = turin ? 0x02 : 0x11;
    }
    memcpy(report + 0x180, tcb, 8);
    for (size_t i = 0; i < chip_len; i++)
        report[0x1A0 + i] = (uint8_t)(i + 1);
    for (size_t i = 0; i < CLAIMS; i++)
        made->claims[i].oid = oids[i];
    number(&made->claims[BOOTLOADER], tcb[turin ? 1 : 0]);
    number(&made->claims[TEE], tcb[turin ? 2 : 1]);
    number(&made->claims[SNP], tcb[turin ? 3 : 6]);
    number(&made->claims[MICROCODE], tcb[7]);
    if (turin)
        number(&made->claims[FMC], tcb[0]);
    memcpy(made->claims[CHIP].contents, report + 0x1A0, chip_len);
    made->claims[CHIP].len = chip_len;
    product(&made->claims[PRODUCT], name);
}

static void sign(struct made *made) {
    struct skrfs_error err = {0};
    skrfs_autobuf signature = SKRFS_BUF(96);
    struct skrfs_bytes data = {made->report, 0x2A0};
    assert_ok(skrfs_ecdsa_sign(family.key, SKRFS_SHA384, data, &signature, &err), err);
    for (size_t i = 0; i < 48; i++) {
        made->report[0x2A0 + i] = signature.data[47 - i];
        made->report[0x2E8 + i] = signature.data[95 - i];
    }
}

static int judge(struct made *made, struct skrfs_error *err) {
    const struct skrfs_bytes report = {made->report, sizeof(made->report)};
    skrfs_autochain *chain = leaf_new(&family, made->claims, CLAIMS);
    struct skrfs_error links = {0};
    struct skrfs_snp snp;
    sign(made);
    assert_ok(skrfs_chain_verify_links(chain, &links), links);
    return skrfs_snp_verify(report, chain, err) < 0 || skrfs_snp_parse(report, &snp, err) < 0
                   ? -1
                   : skrfs_snp_check_certificate(&snp, chain, err);
}

static const uint8_t tcb_genoa[8] = {9, 0, 0, 0, 0, 0, 0x17, 0x93};
static const uint8_t tcb_turin[8] = {1, 2, 3, 4, 0, 0, 0, 0xf1};

/* Version 2 does not name its processor: a Genoa's certificate is as good as a Milan's there. */
static void an_old_report_may_be_genoas(void **state) {
    struct skrfs_error err = {0};
    struct made made;
    (void)state;
    make(&made, 2, 0x19, tcb_genoa, 64, "Genoa-B1");
    assert_ok(judge(&made, &err), err);
    product(&made.claims[PRODUCT], "Milan-B0");
    assert_ok(judge(&made, &err), err);
    product(&made.claims[PRODUCT], "Turin-C1"); /* of another layout: never version 2 */
    assert_fails(judge(&made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another processor");
    made.claims[PRODUCT].len = 0; /* certificates need not name it */
    assert_ok(judge(&made, &err), err);
}

static void a_newer_report_names_its_processor(void **state) {
    struct skrfs_error err = {0};
    struct made made;
    (void)state;
    make(&made, 3, 0x19, tcb_genoa, 64, "Genoa-B1");
    assert_ok(judge(&made, &err), err);
    product(&made.claims[PRODUCT], "Milan-B0");
    assert_fails(judge(&made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another processor");
    product(&made.claims[PRODUCT], "Gen");
    assert_fails(judge(&made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another processor");
    product(&made.claims[PRODUCT], "Genoa-B1");
    made.claims[PRODUCT].contents[0] = 0x0c;
    assert_fails(judge(&made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another processor");
}

/* Each of the certificate's numbers, altered and left out. */
static void each_extension_counts(struct made *made, size_t last) {
    static const char *const parts[] = {"bootloader", "TEE", "SNP firmware", "microcode", "FMC"};
    struct skrfs_error err = {0};
    assert_ok(judge(made, &err), err);
    for (size_t i = 0; i <= last; i++) {
        const struct claim right = made->claims[i];
        number(&made->claims[i], (uint8_t)(right.contents[right.len - 1] ^ 0x80));
        assert_fails(judge(made, &err), err, SKRFS_CLASS_BAD_ANSWER, parts[i]);
        made->claims[i] = (struct claim){.oid = right.oid, .contents = {0x04, 1, 1}, .len = 3};
        assert_fails(judge(made, &err), err, SKRFS_CLASS_BAD_ANSWER, "is not a number");
        made->claims[i].len = 0;
        assert_fails(judge(made, &err), err, SKRFS_CLASS_BAD_ANSWER, "has no extension");
        made->claims[i] = right;
    }
    assert_ok(judge(made, &err), err);
}

static void every_extension_is_bound(void **state) {
    struct made made;
    (void)state;
    make(&made, 3, 0x19, tcb_genoa, 64, "Genoa-B1");
    each_extension_counts(&made, MICROCODE);
    make(&made, 5, 0x1A, tcb_turin, 8, "Turin-C1");
    each_extension_counts(&made, FMC);
}

static void a_chip_is_bound(struct made *made, size_t len) {
    struct skrfs_error err = {0};
    const struct claim right = made->claims[CHIP];
    for (size_t i = 0; i < len; i += 7) {
        made->claims[CHIP].contents[i] ^= 1;
        assert_fails(judge(made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another chip");
        made->claims[CHIP] = right;
    }
    made->claims[CHIP].len = len - 1;
    assert_fails(judge(made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another chip");
    made->claims[CHIP].len = 0;
    assert_fails(judge(made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another chip");
    made->claims[CHIP] = right;
    /* A masked chip is nobody's, whatever the certificate says. */
    memset(made->report + 0x1A0, 0, 64);
    memset(made->claims[CHIP].contents, 0, len);
    assert_fails(judge(made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another chip");
}

static void every_chip_is_bound(void **state) {
    struct skrfs_error err = {0};
    struct made made;
    (void)state;
    make(&made, 3, 0x19, tcb_genoa, 64, "Genoa-B1");
    a_chip_is_bound(&made, 64);
    make(&made, 5, 0x1A, tcb_turin, 8, "Turin-C1");
    made.report[0x1A0 + 20] = 1; /* Turin's ids have 8 octets, and zeros */
    assert_fails(judge(&made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another chip");
    made.report[0x1A0 + 20] = 0;
    a_chip_is_bound(&made, 8);
    /* In a second OCTET STRING, as some certificates have it. */
    make(&made, 5, 0x1A, tcb_turin, 8, "Turin-C1");
    memmove(made.claims[CHIP].contents + 2, made.claims[CHIP].contents, 8);
    memcpy(made.claims[CHIP].contents, "\x04\x08", 2);
    made.claims[CHIP].len = 10;
    assert_ok(judge(&made, &err), err);
    made.claims[CHIP].contents[1] = 9;
    assert_fails(judge(&made, &err), err, SKRFS_CLASS_BAD_ANSWER, "another chip");
}

static void a_loaded_keys_certificate_names_no_chip(void **state) {
    struct skrfs_error err = {0};
    struct made made;
    (void)state;
    make(&made, 3, 0x19, tcb_genoa, 64, "Genoa-B1");
    made.report[0x48] = 1 << 2;
    assert_fails(judge(&made, &err), err, SKRFS_CLASS_BAD_ANSWER, "signed by a VLEK");
    made.claims[CHIP].len = 0;
    assert_ok(judge(&made, &err), err);
    each_extension_counts(&made, MICROCODE);
    made.report[0x48] = 7 << 2;
    assert_fails(judge(&made, &err), err, SKRFS_CLASS_BAD_ANSWER, "not signed");
    made.report[0x48] = 2 << 2;
    assert_fails(judge(&made, &err), err, SKRFS_CLASS_BAD_ANSWER, "not signed");
}

static void another_kind_of_key_is_refused(void **state) {
    struct skrfs_error err = {0};
    skrfs_autopkey *key = NULL;
    struct made made;
    (void)state;
    make(&made, 3, 0x19, tcb_genoa, 64, "Genoa-B1");
    sign(&made);
    assert_ok(skrfs_pkey_new_ec(SKRFS_P256, &key, &err), err);
    struct family small = family;
    small.key = key;
    skrfs_autochain *chain = leaf_new(&small, made.claims, CLAIMS);
    const struct skrfs_bytes report = {made.report, sizeof(made.report)};
    assert_fails(skrfs_snp_verify(report, chain, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "not of an ECDSA P-384 key");
    /* The root's key is RSA. */
    assert_fails(skrfs_snp_verify(report, family.root, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "not of an ECDSA P-384 key");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_old_report_may_be_genoas),
            cmocka_unit_test(a_newer_report_names_its_processor),
            cmocka_unit_test(every_extension_is_bound),
            cmocka_unit_test(every_chip_is_bound),
            cmocka_unit_test(a_loaded_keys_certificate_names_no_chip),
            cmocka_unit_test(another_kind_of_key_is_refused),
    };
    return cmocka_run_group_tests_name("snp_made", tests, set_up, take_down);
}
