/* Nothing of a private key is left in the process's memory outside the secrets: after parsing,
 * comparing, unwrapping and encoding, heap, stack, data and OpenSSL's secure heap are searched for
 * its octets. */
#include "support.h"

#include <skrfs/crypto/encoding.h>
#include <skrfs/crypto/wrap.h>

#define NEEDLE 16

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
        __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct skrfs_error err;

/* A sanitizer's shadow is terabytes of writable memory. */
static void skip_where_impossible(void) {
#ifdef SANITIZED
    print_message("the memory of a sanitized program cannot be searched: skipped\n");
    skip();
#else
    if (system("command -v openssl >/dev/null 2>&1") != 0) { // NOLINT
        print_message("the openssl program is not installed: skipped\n");
        skip();
    }
#endif
}

/* A key straight from another program into secret memory: no buffer of ours ever held it. */
static struct skrfs_secret *foreign_key(const char *algorithm) {
    char command[256];
    struct skrfs_secret *secret = NULL;
    size_t len = 0;
    ssize_t got = 0;
    snprintf(command, sizeof(command), "openssl genpkey -outform DER %s 2>/dev/null", algorithm);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_ok(skrfs_secret_new(4096, &secret, &err), err);
    while ((got = read(fileno(pipe), skrfs_secret_space(secret) + len, 4096 - len)) > 0)
        len += (size_t)got;
    assert_int_equal(pclose(pipe), 0);
    assert_true(len > 100);
    skrfs_secret_shorten(secret, len);
    return secret;
}

struct span {
    uintptr_t begin, end;
};

static bool overlaps(const struct span *span, const struct skrfs_secret *secret) {
    uintptr_t at = (uintptr_t)skrfs_secret_data(secret);
    return at >= span->begin && at < span->end;
}

static bool next_span(FILE *maps, struct span *span) {
    char line[512];
    while (fgets(line, sizeof(line), maps)) {
        char mode[8] = "";
        if (sscanf(line, "%lx-%lx %7s", &span->begin, &span->end, mode) != 3) // NOLINT
            continue;
        if (mode[0] == 'r' && mode[1] == 'w' && !strstr(line, "[vvar]") &&
                !strstr(line, "[vsyscall]"))
            return true;
    }
    return false;
}

/* How many times the needle, which is in the arena itself, stands in writable memory outside it. */
static size_t count(const struct skrfs_secret *needle) {
    size_t found = 0;
    struct span span;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (next_span(maps, &span)) {
        if (overlaps(&span, needle))
            continue;
        const uint8_t *at = (const uint8_t *)span.begin; // NOLINT(performance-no-int-to-ptr)
        size_t left = span.end - span.begin;
        const uint8_t *hit = NULL;
        while ((hit = memmem(at, left, skrfs_secret_data(needle), NEEDLE))) {
            found++;
            left -= (size_t)(hit + 1 - at);
            at = hit + 1;
        }
    }
    fclose(maps);
    return found;
}

/* Both orders of octets: OpenSSL's numbers stand the other way around. */
static size_t count_both(const struct skrfs_secret *plain, size_t offset) {
    skrfs_autosecret *needle = NULL;
    assert_ok(skrfs_secret_copy(skrfs_secret_data(plain) + offset, NEEDLE, &needle, &err), err);
    size_t found = count(needle);
    for (size_t i = 0; i < NEEDLE; i++)
        skrfs_secret_space(needle)[i] = skrfs_secret_data(plain)[offset + NEEDLE - 1 - i];
    return found + count(needle);
}

static void use(const struct skrfs_secret *plain, enum skrfs_key_type type) {
    skrfs_autopkey *key = NULL;
    skrfs_autosecret *kek = NULL;
    skrfs_autosecret *unwrapped = NULL;
    skrfs_autobuf wrapped = SKRFS_BUF(8192);
    struct skrfs_public public;
    assert_ok(skrfs_pkey_from_pkcs8(skrfs_secret_data(plain), skrfs_secret_len(plain), &key, &err),
            err);
    assert_ok(skrfs_pkey_public(key, &public, &err), err);
    assert_ok(skrfs_key_check_public(plain, &public, &err), err);
    assert_ok(skrfs_secret_copy("0123456789abcdef0123456789abcdef", 32, &kek, &err), err);
    assert_ok(skrfs_kwp_wrap(kek, plain, &wrapped, &err), err);
    assert_ok(skrfs_kwp_unwrap(kek, skrfs_buf_bytes(&wrapped), &unwrapped, &err), err);
    for (int i = 0; i < SKRFS_FORMAT_COUNT; i++) {
        skrfs_autosecret *encoded = NULL;
        if (i != SKRFS_FORMAT_RAW)
            assert_ok(
                    skrfs_key_encode(unwrapped, type, (enum skrfs_format)i, "kid", &encoded, &err),
                    err);
    }
}

/* Offsets of private octets in the PKCS#8 of RSA-2048 (d, p, q, dp, dq, qi) and of P-256 (the key).
 */
static const size_t rsa_offsets[] = {400, 660, 790, 920, 1050, 1180};
static const size_t ec_offsets[] = {40, 50};

static void test_nothing_left(void **state) {
    (void)state;
    skip_where_impossible();
    skrfs_autosecret *rsa = foreign_key("-algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    skrfs_autosecret *ec = foreign_key("-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    use(rsa, SKRFS_KEY_RSA);
    use(ec, SKRFS_KEY_EC);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rsa_offsets); i++)
        assert_int_equal(count_both(rsa, rsa_offsets[i]), 0);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(ec_offsets); i++)
        assert_int_equal(count_both(ec, ec_offsets[i]), 0);
}

/* The search finds what there is to find: a copy on the heap, and the numbers of a living key in
 * the secure heap. */
static void test_search_finds(void **state) {
    (void)state;
    skip_where_impossible();
    skrfs_autosecret *rsa = foreign_key("-algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    skrfs_autopkey *key = NULL;
    assert_int_equal(count_both(rsa, 400), 0);
    assert_ok(
            skrfs_pkey_from_pkcs8(skrfs_secret_data(rsa), skrfs_secret_len(rsa), &key, &err), err);
    assert_int_equal(count_both(rsa, 400), 1);
    uint8_t *copy = malloc(2048);
    assert_non_null(copy);
    memcpy(copy, skrfs_secret_data(rsa), skrfs_secret_len(rsa));
    assert_int_equal(count_both(rsa, 400), 2);
    skrfs_wipe(copy, 2048);
    free(copy);
}

int main(void) {
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_nothing_left),
            cmocka_unit_test(test_search_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
