/* The utility VM's security context: where it is looked for, and what is taken from it. */
#include "guest.h"

#include "../../../src/tee/internal.h"

#include <skrfs/base/encode.h>
#include <sys/stat.h>

static struct skrfs_direct direct;

static int setup(void **state) {
    direct = (struct skrfs_direct){.source_count = 0};
    for (size_t i = 0; i < SKRFS_CERTS_LOCAL; i++)
        direct.certificates[i] = SKRFS_BUF(SKRFS_CERTIFICATES_MAX);
    for (size_t i = 0; i < SKRFS_ENDORSEMENTS; i++)
        direct.endorsements[i] = SKRFS_BUF(SKRFS_ENDORSEMENT_MAX);
    return guest_setup(state);
}

static int teardown(void **state) {
    for (size_t i = 0; i < SKRFS_CERTS_LOCAL; i++)
        skrfs_buf_done(&direct.certificates[i]);
    for (size_t i = 0; i < SKRFS_ENDORSEMENTS; i++)
        skrfs_buf_done(&direct.endorsements[i]);
    return guest_teardown(state);
}
#define CONTEXT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void make_folder(const char *name) {
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", guest.dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* A file with a text in base64, with a line's end as some writers leave. */
static void write_base64(const char *name, const char *text) {
    struct skrfs_error err = {0};
    skrfs_autobuf encoded = SKRFS_BUF(4096);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64, text, strlen(text), &encoded, &err), err);
    assert_ok(skrfs_buf_append_text(&encoded, "\n", &err), err);
    guest_write(name, encoded.data, encoded.len);
}

static int read_context(const char *context, struct skrfs_error *err) {
    struct skrfs_tee_options options = {.context = context};
    return skrfs_context_read(&options, guest.dir, &direct, err);
}

static void assert_context(
        const char *certificates, size_t endorsements, const char *const *wanted) {
    assert_string_equal(skrfs_buf_text(&direct.certificates[SKRFS_CERTS_CONTEXT]), certificates);
    for (size_t i = 0; i < SKRFS_ENDORSEMENTS; i++)
        assert_string_equal(
                skrfs_buf_text(&direct.endorsements[i]), i < endorsements ? wanted[i] : "");
}

static void without_a_context_there_is_nothing(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    assert_ok(read_context(NULL, &err), err);
    assert_context("", 0, NULL);
}

static void the_older_names(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    make_folder("security-context-b");
    make_folder("security-context-a");
    write_base64("security-context-b/reference-info-base64", "of b");
    write_base64("security-context-a/host-amd-cert-base64", "{\"vcekCert\":\"\"}");
    write_base64("security-context-a/security-policy-base64", "package policy");
    write_base64("security-context-a/reference-info-base64", "cose");
    assert_ok(read_context(NULL, &err), err);
    assert_context("{\"vcekCert\":\"\"}", 1, (const char *const[]){"cose"});
}

static void the_newer_names(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    make_folder("security-context-a");
    write_base64("security-context-a/platform-reference-info-base64", "platform");
    write_base64("security-context-a/tcb-reference-info-base64", "tcb");
    write_base64("security-context-a/transparent-reference-info-base64", "transparent");
    assert_ok(read_context(NULL, &err), err);
    assert_context("", 3, (const char *const[]){"transparent", "tcb", "platform"});
}

static void the_place_of_kata(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    make_folder("opt");
    make_folder("opt/confidential-containers");
    make_folder("opt/confidential-containers/share");
    make_folder("opt/confidential-containers/share/kata-containers");
    write_base64("opt/confidential-containers/share/kata-containers/reference-info-base64", "kata");
    assert_ok(read_context(NULL, &err), err);
    assert_context("", 1, (const char *const[]){"kata"});
}

static void a_named_folder_comes_first(void **state) {
    struct skrfs_error err = {0};
    char path[128];
    (void)state;
    make_folder("security-context-a");
    write_base64("security-context-a/reference-info-base64", "mounted");
    make_folder("variable");
    write_base64("variable/reference-info-base64", "variable");
    make_folder("option");
    write_base64("option/reference-info-base64", "option");
    snprintf(path, sizeof(path), "%s/variable", guest.dir);
    setenv("UVM_SECURITY_CONTEXT_DIR", path, 1);
    assert_ok(read_context(NULL, &err), err);
    assert_context("", 1, (const char *const[]){"variable"});
    skrfs_buf_done(&direct.endorsements[0]);
    snprintf(path, sizeof(path), "%s/option", guest.dir);
    assert_ok(read_context(path, &err), err);
    assert_context("", 1, (const char *const[]){"option"});
    skrfs_buf_done(&direct.endorsements[0]);
    assert_ok(read_context("none", &err), err);
    assert_context("", 0, NULL);
    assert_fails(read_context("/nonexistent", &err), err, SKRFS_CLASS_CONFIG, "[tee] context");
    setenv("UVM_SECURITY_CONTEXT_DIR", "/nonexistent", 1);
    assert_fails(read_context(NULL, &err), err, SKRFS_CLASS_CONFIG, "UVM_SECURITY_CONTEXT_DIR");
}

static void variables_are_for_what_no_file_says(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    setenv("UVM_HOST_AMD_CERTIFICATE", "e30=", 1);
    setenv("UVM_REFERENCE_INFO", "dmFyaWFibGU=", 1);
    assert_ok(read_context(NULL, &err), err);
    assert_context("{}", 1, (const char *const[]){"variable"});
    skrfs_buf_done(&direct.endorsements[0]);
    skrfs_buf_done(&direct.certificates[SKRFS_CERTS_CONTEXT]);
    make_folder("security-context-a");
    write_base64("security-context-a/reference-info-base64", "file");
    assert_ok(read_context(NULL, &err), err);
    assert_context("{}", 1, (const char *const[]){"file"});
}

static void what_is_not_base64_is_told_by_name(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    make_folder("security-context-a");
    guest_write("security-context-a/reference-info-base64", "no base64!", 10);
    assert_fails(read_context(NULL, &err), err, SKRFS_CLASS_BAD_ANSWER, "reference-info-base64");
    setenv("UVM_HOST_AMD_CERTIFICATE", "%", 1);
    assert_fails(read_context(NULL, &err), err, SKRFS_CLASS_BAD_ANSWER, "UVM_HOST_AMD_CERTIFICATE");
}

static void it_goes_into_the_evidence(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_key_done) struct skrfs_tee_key key = {.rsa = NULL};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = NULL;
    struct skrfs_tee_looks looks;
    skrfs_autoevidence evidence;
    char path[128];
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_device();
    make_folder("context");
    write_base64("context/reference-info-base64", "cose");
    write_base64("context/host-amd-cert-base64", "{}");
    snprintf(path, sizeof(path), "%s/context", guest.dir);
    struct skrfs_tee_options options = guest_options("snp");
    options.context = path;
    options.looks = &looks;
    assert_ok(skrfs_tee_open(&options, &tee, &err), err);
    assert_string_equal(looks.looks[looks.count - 1].what, path);
    assert_string_equal(looks.looks[looks.count - 1].found, "certificates, endorsements: 1");
    assert_ok(guest_collect(tee, false, &evidence, &key, &err), err);
    assert_string_equal(skrfs_buf_text(&evidence.certificates[SKRFS_CERTS_CONTEXT]), "{}");
    assert_string_equal(skrfs_buf_text(&evidence.endorsements[0]), "cose");
    assert_int_equal(evidence.endorsements[1].len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            CONTEXT_TEST(without_a_context_there_is_nothing),
            CONTEXT_TEST(the_older_names),
            CONTEXT_TEST(the_newer_names),
            CONTEXT_TEST(the_place_of_kata),
            CONTEXT_TEST(a_named_folder_comes_first),
            CONTEXT_TEST(variables_are_for_what_no_file_says),
            CONTEXT_TEST(what_is_not_base64_is_told_by_name),
            CONTEXT_TEST(it_goes_into_the_evidence),
    };
    return cmocka_run_group_tests_name("security context", tests, NULL, NULL);
}
