/* SGX under Gramine, on a folder with its files. */
#include "guest.h"

#include <skrfs/evidence/sgx.h>
#include <sys/stat.h>

#define autotee SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee

static void a_quote_is_over_the_wrapping_key(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_key_done) struct skrfs_tee_key key = {.rsa = NULL};
    struct skrfs_sgx_quote quote;
    uint8_t digest[32];
    skrfs_autoevidence evidence;
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_gramine("dcap");
    autotee *tee = guest_open("sgx");
    assert_string_equal(tee->dir, guest.attestation);
    assert_int_equal(guest.quotes, 0);
    assert_ok(guest_collect(tee, false, &evidence, &key, &err), err);
    assert_int_equal(evidence.kind, SKRFS_EVIDENCE_SGX);
    assert_ok(skrfs_sgx_quote_parse(skrfs_buf_bytes(&evidence.report), &quote, &err), err);
    assert_int_equal(quote.total_len, evidence.report.len);
    assert_ok(skrfs_hash(SKRFS_SHA256, evidence.runtime_data.data, evidence.runtime_data.len,
                      digest, &err),
            err);
    assert_memory_equal(quote.report_data, digest, 32);
    assert_int_equal(guest.quotes, 1);
}

static void a_failure_of_gramine_is_explained(void **state) {
    (void)state;
    guest_add_gramine("dcap");
    autotee *tee = guest_open("sgx");
    guest.quote_errnum = EACCES;
    guest_collect_fails(tee, SKRFS_CLASS_SYSTEM, "AESM");
    guest.quote_errnum = ENOENT;
    autotee *other = guest_open("sgx");
    guest_collect_fails(other, SKRFS_CLASS_SYSTEM, "sgx.remote_attestation");
}

static void a_debug_enclave_is_refused_unless_allowed(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    guest_add_gramine("dcap");
    guest.debug = true;
    autotee *strict = guest_open("sgx"), *lax = NULL;
    guest_collect_fails(strict, SKRFS_CLASS_REJECTED, "debug enclave");
    struct skrfs_tee_options options = guest_options("sgx");
    options.allow_debug = true;
    assert_ok(skrfs_tee_open(&options, &lax, &err), err);
    guest_collect_ok(lax);
}

static void what_the_folder_says_decides(void **state) {
    static const struct {
        const char *type;
        enum skrfs_class kind;
        const char *why;
    } cases[] = {{"none", SKRFS_CLASS_NO_TEE, "says none"},
            {"epid", SKRFS_CLASS_CONFIG, "sgx.remote_attestation"},
            {"", SKRFS_CLASS_CONFIG, "sgx.remote_attestation"}};
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    (void)state;
    guest_add_gramine("none");
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        guest_write("attestation/attestation_type", cases[i].type, strlen(cases[i].type));
        const struct skrfs_tee_options options = guest_options("sgx");
        assert_fails(skrfs_tee_open(&options, &tee, &err), err, cases[i].kind, cases[i].why);
    }
    guest_add_device();
    const struct skrfs_tee_options options = guest_options("auto");
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_CONFIG,
            "sgx.remote_attestation"); /* an enclave that cannot attest is no reason for SNP */
}

static void an_enclave_comes_first(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee_looks looks;
    autotee *tee = NULL;
    (void)state;
    guest_add_gramine("dcap\n");
    guest_add_device();
    struct skrfs_tee_options options = guest_options("auto");
    options.looks = &looks;
    assert_ok(skrfs_tee_open(&options, &tee, &err), err);
    assert_string_equal(tee->ops->name, "sgx");
    assert_int_equal(looks.count, 1);
    assert_true(looks.looks[0].there);
    assert_string_equal(looks.chosen, "sgx: a quote over the wrapping key comes from Gramine");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            GUEST_TEST(a_quote_is_over_the_wrapping_key),
            GUEST_TEST(a_failure_of_gramine_is_explained),
            GUEST_TEST(a_debug_enclave_is_refused_unless_allowed),
            GUEST_TEST(what_the_folder_says_decides),
            GUEST_TEST(an_enclave_comes_first),
    };
    return cmocka_run_group_tests_name("gramine", tests, NULL, NULL);
}
