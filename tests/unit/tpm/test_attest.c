/* Attestations and public areas: a captured one, made ones and altered ones. */
#include "support.h"

#include <skrfs/base/encode.h>
#include <skrfs/crypto/hash.h>
#include <skrfs/tpm/attest.h>

static void a_real_quote_says_what_it_should(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_attest attest;
    skrfs_autobuf message;
    char hex[9];
    (void)state;
    vector_read("cvm/trustee-snp-tpm-quote.msg", &message);
    assert_int_equal(message.len, 122);
    assert_ok(skrfs_attest_parse(skrfs_buf_bytes(&message), &attest, &err), err);
    assert_int_equal(attest.kind, SKRFS_ATTEST_QUOTE);
    assert_int_equal(attest.extra_len, 9);
    assert_memory_equal(attest.extra, "challenge", 9);
    assert_int_equal(attest.pcr_mask, 0x40FF);
    assert_false(attest.pcrs_0_to_7_only);
    assert_int_equal(attest.digest_len, 32);
    skrfs_hex_encode(attest.digest, 4, hex);
    assert_string_equal(hex, "9d608cf4");
}

/* Quote: name of the signer, no qualifying data, clock, firmware, one selection, a digest. */
static const char quote[] = "ff544347"
                            "8018"
                            "0002abcd"
                            "0000"
                            "0000000000000001"
                            "00000002"
                            "00000003"
                            "01"
                            "0000000000000004"
                            "00000001"
                            "000b"
                            "03"
                            "ff0000"
                            "0004"
                            "01020304";
static const char certify[] = "ff544347"
                              "8017"
                              "0002abcd"
                              "0000"
                              "0000000000000001"
                              "00000002"
                              "00000003"
                              "01"
                              "0000000000000004"
                              "0003"
                              "000b77"
                              "0000";

static size_t from_hex(const char *hex, uint8_t *out) {
    struct skrfs_error err = {0};
    size_t len = strlen(hex) / 2;
    assert_ok(skrfs_hex_decode(hex, out, len, &err), err);
    return len;
}

static void made_attestations_are_parsed(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_attest attest;
    uint8_t data[256];
    struct skrfs_bytes bytes = {data, from_hex(quote, data)};
    (void)state;
    assert_ok(skrfs_attest_parse(bytes, &attest, &err), err);
    assert_true(attest.pcrs_0_to_7_only);
    assert_int_equal(attest.pcr_mask, 0xFF);
    assert_int_equal(attest.digest_len, 4);
    bytes.len = from_hex(certify, data);
    assert_ok(skrfs_attest_parse(bytes, &attest, &err), err);
    assert_int_equal(attest.kind, SKRFS_ATTEST_CERTIFY);
    assert_int_equal(attest.name_len, 3);
    assert_memory_equal(attest.name, "\x00\x0b\x77", 3);
}

static void altered_attestations_are_refused(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_attest attest;
    uint8_t data[256] = {0};
    size_t len = from_hex(quote, data);
    struct skrfs_bytes bytes = {data, 0};
    (void)state;
    for (bytes.len = 0; bytes.len < len; bytes.len++)
        assert_fails(skrfs_attest_parse(bytes, &attest, &err), err, SKRFS_CLASS_BAD_ANSWER,
                "attestation");
    bytes.len = len + 1;
    assert_fails(skrfs_attest_parse(bytes, &attest, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "behind its end");
    bytes.len = len;
    data[0] = 0xFE;
    assert_fails(
            skrfs_attest_parse(bytes, &attest, &err), err, SKRFS_CLASS_BAD_ANSWER, "attestation");
    data[0] = 0xFF;
    data[5] = 0x14; /* NV */
    assert_fails(
            skrfs_attest_parse(bytes, &attest, &err), err, SKRFS_CLASS_BAD_ANSWER, "attestation");
}

static void another_selection_is_seen(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_attest attest;
    uint8_t data[256];
    struct skrfs_bytes bytes = {data, from_hex(quote, data)};
    size_t selection = bytes.len - 6 - 3;
    (void)state;
    data[selection] = 0x7F;
    assert_ok(skrfs_attest_parse(bytes, &attest, &err), err);
    assert_false(attest.pcrs_0_to_7_only);
    data[selection] = 0xFF;
    data[selection + 1] = 0x08;
    assert_ok(skrfs_attest_parse(bytes, &attest, &err), err);
    assert_int_equal(attest.pcr_mask, 0x8FF);
    assert_false(attest.pcrs_0_to_7_only);
    data[selection + 1] = 0;
    data[selection - 2] = 0x04; /* the SHA-1 bank */
    assert_ok(skrfs_attest_parse(bytes, &attest, &err), err);
    assert_int_equal(attest.pcr_mask, 0);
    assert_false(attest.pcrs_0_to_7_only);
}

/* RSA, SHA-256, attributes, no policy, no symmetric cipher, no scheme, 2048 bits, exponent 0. */
static size_t make_public(uint8_t *out) {
    size_t len = from_hex("0116"
                          "0001"
                          "000b"
                          "00050472"
                          "0000"
                          "0010"
                          "0010"
                          "0800"
                          "00000000"
                          "0100",
            out);
    memset(out + len, 0xA5, 256);
    return len + 256;
}

static void a_public_area_is_parsed_and_named(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tpm_rsa_public public;
    uint8_t data[512] = {0}, digest[32];
    size_t len = make_public(data);
    (void)state;
    data[0] = (uint8_t)((len - 2) >> 8);
    data[1] = (uint8_t)(len - 2);
    struct skrfs_bytes bytes = {data, len};
    assert_ok(skrfs_tpm_public_parse(bytes, &public, &err), err);
    assert_int_equal(public.attributes, 0x00050472);
    assert_int_equal(public.exponent, 0);
    assert_int_equal(public.modulus[255], 0xA5);
    assert_ok(skrfs_hash(SKRFS_SHA256, data + 2, len - 2, digest, &err), err);
    assert_memory_equal(public.name, "\x00\x0b", 2);
    assert_memory_equal(public.name + 2, digest, 32);
    for (size_t cut = 0; cut < len; cut++)
        assert_fails(skrfs_tpm_public_parse((struct skrfs_bytes){data, cut}, &public, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "malformed");
    assert_fails(skrfs_tpm_public_parse((struct skrfs_bytes){data, len + 1}, &public, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "malformed");
    data[1]++;
    assert_fails(skrfs_tpm_public_parse((struct skrfs_bytes){data, len + 1}, &public, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "malformed");
    data[1]--;
    data[5] = 0x0C; /* named with SHA-384 */
    assert_fails(
            skrfs_tpm_public_parse(bytes, &public, &err), err, SKRFS_CLASS_BAD_ANSWER, "SHA-256");
    data[5] = 0x0B;
    data[16] = 0x0C; /* 3072 bits */
    assert_fails(
            skrfs_tpm_public_parse(bytes, &public, &err), err, SKRFS_CLASS_BAD_ANSWER, "RSA-2048");
}

/* The value that tpm2_policypcr of tpm2-tools gives for eight PCRs of zeros. */
static void a_policy_is_what_the_tpm_computes(void **state) {
    struct skrfs_error err = {0};
    uint8_t zeros[8][32] = {0}, digest[32], policy[32];
    char hex[65];
    (void)state;
    assert_ok(skrfs_hash(SKRFS_SHA256, zeros, sizeof(zeros), digest, &err), err);
    assert_ok(skrfs_tpm_pcr_policy(digest, policy, &err), err);
    skrfs_hex_encode(policy, 32, hex);
    assert_string_equal(hex, "9a72c2e06a93c453a86efb47532e9c7a91dcab018e675919910c58d6a1a5aa78");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_real_quote_says_what_it_should),
            cmocka_unit_test(made_attestations_are_parsed),
            cmocka_unit_test(altered_attestations_are_refused),
            cmocka_unit_test(another_selection_is_seen),
            cmocka_unit_test(a_public_area_is_parsed_and_named),
            cmocka_unit_test(a_policy_is_what_the_tpm_computes),
    };
    return cmocka_run_group_tests_name("attest", tests, NULL, NULL);
}
