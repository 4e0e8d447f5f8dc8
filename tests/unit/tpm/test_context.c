/* The wrapping key's saved context: it spares making the key again, and changes nothing else. */
#include "handles.h"
#include "keys.h"
#include "support.h"
#include "swtpm.h"

#include <skrfs/base/file.h>
#include <skrfs/tpm/provision.h>

#define CREATE_PRIMARY "0x131 "
#define CONTEXT_LOAD "0x161 "

static struct swtpm soft;
static struct swtpm_proxy proxy;

static void set_faults(const char *lines) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_file_write(proxy.faults, lines, strlen(lines), 0600, &err), err);
}

static struct skrfs_tpm *open_tpm(void) {
    struct skrfs_error err = {0};
    struct skrfs_tpm *tpm = NULL;
    assert_ok(skrfs_tpm_open(proxy.tcti, &tpm, &err), err);
    return tpm;
}

static int start(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = NULL;
    struct skrfs_tpm_blob public;
    uint8_t modulus[256];
    (void)state;
    if (skrfs_crypto_setup(&err) < 0 || swtpm_start(&soft) != 0 ||
            swtpm_proxy_start(&proxy, &soft, NULL) != 0 ||
            skrfs_tpm_open(proxy.tcti, &tpm, &err) < 0)
        return -1;
    return skrfs_tpm_make_ak(tpm, &public, modulus, &err);
}

static int stop(void **state) {
    (void)state;
    swtpm_proxy_stop(&proxy);
    swtpm_stop(&soft);
    return 0;
}

static int no_faults(void **state) {
    (void)state;
    set_faults("");
    return handles_loaded(soft.tcti) == 0 ? 0 : -1;
}

/* Decrypts once and counts which commands that took: of making and of loading. */
static int decrypt(struct skrfs_tpm *tpm, const struct skrfs_tpm_ephemeral *key,
        struct skrfs_error *err, unsigned *ret_made, unsigned *ret_loaded) {
    struct skrfs_error ignored = {0};
    skrfs_autobuf cipher = SKRFS_BUF(512), log = SKRFS_BUF(65536);
    skrfs_autosecret *got = NULL;
    encrypt(key, SKRFS_TPM_RSAES, (struct skrfs_bytes){(const uint8_t *)"secret", 6}, &cipher);
    assert_ok(skrfs_file_write(proxy.log, "", 0, 0600, &ignored), ignored);
    int result = skrfs_tpm_decrypt(tpm, key, SKRFS_TPM_RSAES, skrfs_buf_bytes(&cipher), &got, err);
    assert_int_equal(!got, result < 0);
    assert_true(!got || skrfs_secret_equal(got, "secret", 6));
    assert_ok(skrfs_file_read(proxy.log, &log, &ignored), ignored);
    *ret_made = *ret_loaded = 0;
    for (const char *at = skrfs_buf_text(&log); (at = strstr(at, CREATE_PRIMARY)); at++)
        (*ret_made)++;
    for (const char *at = skrfs_buf_text(&log); (at = strstr(at, CONTEXT_LOAD)); at++)
        (*ret_loaded)++;
    return result;
}

static void a_key_is_loaded_and_not_made_again(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    static struct skrfs_tpm_ephemeral key;
    unsigned made = 0, loaded = 0;
    (void)state;
    make_key(tpm, &key);
    assert_in_range(key.context.len, 500, SKRFS_TPM_CONTEXT_MAX);
    for (unsigned i = 0; i < 5; i++) {
        assert_ok(decrypt(tpm, &key, &err, &made, &loaded), err);
        assert_int_equal(made, 0);
        assert_int_equal(loaded, 1);
        assert_int_equal(handles_loaded(soft.tcti), 0);
    }
    /* Another connection may load it too: nothing of it stays in the one that made it. */
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *other = open_tpm();
    assert_ok(decrypt(other, &key, &err, &made, &loaded), err);
    assert_int_equal(made, 0);
}

static void a_key_whose_context_is_refused_is_made_again(void **state) {
    /* INTEGRITY, HANDLE, REFERENCE_H0, VALUE, SIZE, COMMAND_CODE */
    static const char *const codes[] = {"0x1df", "0x18b", "0x910", "0x1c4", "0x1d5", "0x143"};
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    static struct skrfs_tpm_ephemeral key;
    unsigned made = 0, loaded = 0;
    char fault[128];
    (void)state;
    make_key(tpm, &key);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(codes); i++) {
        snprintf(fault, sizeof(fault), "{\"cc\": \"0x161\", \"rc\": \"%s\"}\n", codes[i]);
        set_faults(fault);
        assert_ok(decrypt(tpm, &key, &err, &made, &loaded), err);
        assert_int_equal(made, 1);
    }
    set_faults("{\"cc\": \"0x161\", \"rc\": \"0x1df\"}\n{\"cc\": \"0x131\", \"rc\": \"0x101\"}\n");
    assert_int_equal(decrypt(tpm, &key, &err, &made, &loaded), -1);
    assert_non_null(strstr(err.message, "make the wrapping key"));
}

static void a_damaged_context_is_refused_by_the_tpm(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    static struct skrfs_tpm_ephemeral key;
    unsigned made = 0, loaded = 0;
    (void)state;
    make_key(tpm, &key);
    key.context.data[key.context.len / 2] ^= 1;
    assert_ok(decrypt(tpm, &key, &err, &made, &loaded), err);
    assert_int_equal(loaded, 1);
    assert_int_equal(made, 1);
    key.context.len--;
    assert_int_equal(decrypt(tpm, &key, &err, &made, &loaded), -1);
    assert_int_equal(err.kind, SKRFS_CLASS_BUG);
}

static void a_tpm_that_saves_no_context_makes_the_key_each_time(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    static struct skrfs_tpm_ephemeral key;
    unsigned made = 0, loaded = 0;
    (void)state;
    set_faults("{\"cc\": \"0x162\", \"rc\": \"0x143\"}\n");
    make_key(tpm, &key);
    assert_int_equal(key.context.len, 0);
    assert_ok(decrypt(tpm, &key, &err, &made, &loaded), err);
    assert_int_equal(made, 1);
    assert_int_equal(loaded, 0);
}

static void a_context_of_before_a_reset_is_not_taken(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    static struct skrfs_tpm_ephemeral key;
    unsigned made = 0, loaded = 0;
    (void)state;
    make_key(tpm, &key);
    skrfs_tpm_close(skrfs_take(tpm));
    assert_int_equal(swtpm_restart(&soft), 0);
    tpm = open_tpm();
    assert_int_equal(decrypt(tpm, &key, &err, &made, &loaded), -1);
    assert_int_equal(err.kind, SKRFS_CLASS_CRYPTO);
    assert_non_null(strstr(err.message, "reset"));
    assert_int_equal(loaded, 1);
    assert_int_equal(made, 1);
}

/* The command's answer is lost: the TPM's own objects are flushed before the next command. */
static void nothing_stays_when_saving_breaks_off(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    static struct skrfs_tpm_ephemeral key;
    static struct skrfs_tpm_attestation certified;
    uint8_t pcrs[8][32];
    (void)state;
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    set_faults("{\"cc\": \"0x162\", \"short\": true, \"times\": 1}\n");
    assert_fails(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, NULL, &key, &certified, &err), err,
            SKRFS_CLASS_UNAVAILABLE, "no answer");
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    assert_int_equal(handles_loaded(soft.tcti), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_teardown(a_key_is_loaded_and_not_made_again, no_faults),
            cmocka_unit_test_teardown(a_key_whose_context_is_refused_is_made_again, no_faults),
            cmocka_unit_test_teardown(a_damaged_context_is_refused_by_the_tpm, no_faults),
            cmocka_unit_test_teardown(
                    a_tpm_that_saves_no_context_makes_the_key_each_time, no_faults),
            cmocka_unit_test_teardown(nothing_stays_when_saving_breaks_off, no_faults),
            cmocka_unit_test_teardown(a_context_of_before_a_reset_is_not_taken, no_faults),
    };
    return cmocka_run_group_tests_name("context", tests, start, stop);
}
