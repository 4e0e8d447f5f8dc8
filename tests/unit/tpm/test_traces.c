/* What the TPM decrypted is in secret memory and nowhere else: not in libtss2's buffers, not on the
 * stack. */
#include "keys.h"
#include "swtpm.h"

#include <skrfs/tpm/provision.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
        __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif

static struct swtpm soft;

static int start(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = NULL;
    struct skrfs_tpm_blob public;
    uint8_t modulus[256];
    (void)state;
    if (skrfs_crypto_setup(&err) < 0 || swtpm_start(&soft) != 0)
        return -1;
    if (skrfs_tpm_open(soft.tcti, &tpm, &err) < 0 ||
            skrfs_tpm_make_ak(tpm, &public, modulus, &err) < 0) {
        print_error("%s\n", err.message);
        return -1;
    }
    return 0;
}

static int stop(void **state) {
    (void)state;
    swtpm_stop(&soft);
    return 0;
}

/* Looks for the inverted pattern, so that the search itself holds no copy. */
static unsigned find_inverted(const uint8_t *from, size_t len, const uint8_t *inverted, size_t n) {
    unsigned found = 0;
    for (size_t i = 0; i + n <= len; i++) {
        size_t k = 0;
        while (k < n && (from[i + k] ^ inverted[k]) == 0xFF)
            k++;
        found += k == n;
    }
    return found;
}

static unsigned scan_memory(const uint8_t *inverted, size_t n, const uint8_t *secret) {
    unsigned found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        unsigned long begin = 0, end = 0;
        char access[5] = "";
        if (sscanf(line, "%lx-%lx %4s", &begin, &end, access) != 3 || strncmp(access, "rw", 2) != 0)
            continue;
        if ((uintptr_t)secret >= begin && (uintptr_t)secret < end)
            continue; /* the arena, the one place where it may be */
        found += find_inverted((const uint8_t *)begin, end - begin, inverted, n); // NOLINT
    }
    fclose(maps);
    return found;
}

static void a_decrypted_key_stays_nowhere(void **state) {
    (void)state;
#ifdef SANITIZED
    print_message("skipped: a sanitizer keeps freed memory and shadows of terabytes\n");
    skip();
#endif
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = NULL;
    struct skrfs_tpm_ephemeral key;
    uint8_t inverted[32], plain[32];
    assert_ok(skrfs_tpm_open(soft.tcti, &tpm, &err), err);
    make_key(tpm, &key);
    for (enum skrfs_tpm_scheme scheme = SKRFS_TPM_RSAES; scheme <= SKRFS_TPM_OAEP_SHA256;
            scheme++) {
        skrfs_autobuf cipher = SKRFS_BUF(512);
        skrfs_autosecret *got = NULL;
        assert_ok(skrfs_random(inverted, sizeof(inverted), &err), err);
        for (size_t i = 0; i < sizeof(plain); i++)
            plain[i] = (uint8_t)~inverted[i];
        encrypt(&key, scheme, (struct skrfs_bytes){plain, sizeof(plain)}, &cipher);
        assert_ok(skrfs_tpm_decrypt(tpm, &key, scheme, skrfs_buf_bytes(&cipher), &got, &err), err);
        assert_true(skrfs_secret_equal(got, plain, sizeof(plain)));
        assert_true(scan_memory(inverted, sizeof(inverted), skrfs_secret_data(got)) >= 1);
        skrfs_wipe(plain, sizeof(plain));
        assert_int_equal(scan_memory(inverted, sizeof(inverted), skrfs_secret_data(got)), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_decrypted_key_stays_nowhere)};
    return cmocka_run_group_tests_name("traces", tests, start, stop);
}
