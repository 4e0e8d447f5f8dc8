/* Where OpenSSL keeps what it makes of a private key: in the secure heap alone, and in memory that
 * nobody outside can read once that was asked for. */
#include "support.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <skrfs/crypto/encoding.h>
#include <skrfs/crypto/wrap.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAP ((size_t)1024 * 1024)
#define RUN 16

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
        __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct skrfs_error err;

/* The readable and writable mapping at the file's next line; false at its end. */
static bool next_mapping(FILE *maps, uintptr_t *begin, uintptr_t *end, char name[256]) {
    char line[512];
    while (fgets(line, sizeof(line), maps)) {
        char mode[8] = "";
        *name = 0;
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255[^\n]", begin, end, mode, name) >=
                        3 && // NOLINT
                mode[0] == 'r' &&
                mode[1] == 'w' && strncmp(name, "[v", 2) != 0)
            return true;
    }
    return false;
}

/* How often the run, or the run the other way around, is in memory that root could read. */
static size_t count_readable(const struct skrfs_secret *needle) {
    static uint8_t page[65536 + RUN];
    size_t found = 0;
    uintptr_t at, end;
    char name[256];
    FILE *maps = fopen("/proc/self/maps", "re");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_non_null(maps);
    assert_true(mem >= 0);
    while (next_mapping(maps, &at, &end, name))
        for (ssize_t got; at < end && (got = pread(mem, page, sizeof(page), (off_t)at)) > 0;
                at += sizeof(page) - RUN)
            for (uint8_t *hit = page;
                    !(at <= (uintptr_t)page && (uintptr_t)page < at + (size_t)got) &&
                    (hit = memmem(hit, (size_t)(page + got - hit), skrfs_secret_data(needle), RUN));
                    hit++)
                found++;
    skrfs_wipe(page, sizeof(page));
    fclose(maps);
    close(mem);
    return found;
}

/* A run out of the second half of the PKCS#8, where all numbers are private, as it is or reversed.
 */
static struct skrfs_secret *run_of(const struct skrfs_secret *der, size_t offset, bool reversed) {
    struct skrfs_secret *run = NULL;
    assert_ok(skrfs_secret_copy(skrfs_secret_data(der) + offset, RUN, &run, &err), err);
    for (size_t i = 0; reversed && i < RUN; i++)
        skrfs_secret_space(run)[i] = skrfs_secret_data(der)[offset + RUN - 1 - i];
    return run;
}

static void use(const struct skrfs_pkey *key) {
    skrfs_autobuf wrapped = SKRFS_BUF(1024), signature = SKRFS_BUF(1024);
    skrfs_autosecret *plain = NULL;
    const struct skrfs_bytes text = {(const uint8_t *)"0123456789abcdef", 16};
    assert_ok(skrfs_oaep_encrypt(key, SKRFS_SHA256, text, &wrapped, &err), err);
    assert_ok(skrfs_oaep_decrypt(key, SKRFS_SHA256, skrfs_buf_bytes(&wrapped), &plain, &err), err);
    assert_true(skrfs_secret_equal(plain, text.data, text.len));
    assert_ok(skrfs_rsa_sign(key, SKRFS_SHA256, text, &signature, &err), err);
}

static void skip_where_impossible(bool search) {
    struct skrfs_secret_stats stats;
    skrfs_secret_get_stats(&stats);
    if (stats.kind != SKRFS_SECRET_MEMFD) {
        print_message("the kernel has no memfd_secret: skipped\n");
        skip();
    }
#ifdef SANITIZED
    /* A sanitizer's shadow is terabytes of writable memory. */
    if (search) {
        print_message("the memory of a sanitized program cannot be searched: skipped\n");
        skip();
    }
#else
    (void)search;
#endif
}

/* The search itself is proven by a copy on the heap. */
static void test_a_key_in_use_is_in_secret_memory(void **state) {
    (void)state;
    skip_where_impossible(true);
    skrfs_autopkey *key = NULL;
    skrfs_autosecret *der = NULL;
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    use(key);
    assert_ok(skrfs_pkey_pkcs8(key, &der, &err), err);
    for (size_t offset = 400; offset + RUN < skrfs_secret_len(der); offset += 100)
        for (int reversed = 0; reversed < 2; reversed++) {
            skrfs_autosecret *run = run_of(der, offset, reversed);
            assert_int_equal(count_readable(run), 0);
        }
    skrfs_autosecret *run = run_of(der, 500, false);
    uint8_t *copy = malloc(RUN);
    assert_non_null(copy);
    memcpy(copy, skrfs_secret_data(run), RUN);
    assert_int_equal(count_readable(run), 1);
    skrfs_wipe(copy, RUN);
    free(copy);
}

static void test_heap_cannot_be_read_from_outside(void **state) {
    (void)state;
    uint8_t got = 0;
    skip_where_impossible(false);
    uint8_t *block = OPENSSL_secure_malloc(64);
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_non_null(block);
    *block = 1;
    assert_int_equal(pread(mem, &got, 1, (off_t)(uintptr_t)block), -1);
    assert_int_equal(errno, EIO);
    close(mem);
    OPENSSL_secure_free(block);
}

static void test_hiding_comes_before_the_first_key(void **state) {
    (void)state;
    skrfs_autopkey *key = NULL;
    assert_ok(skrfs_pkey_new_ec(SKRFS_P256, &key, &err), err);
    assert_fails(skrfs_crypto_hide(&err), err, SKRFS_CLASS_BUG, "in use");
}

static void *work(void *context) {
    skrfs_autopkey *key = NULL;
    skrfs_autosecret *der = context;
    if (skrfs_pkey_from_pkcs8(skrfs_secret_data(der), skrfs_secret_len(der), &key, &err) == 0)
        for (int i = 0; i < 4; i++)
            use(key);
    return key ? context : NULL;
}

/* More of them than the heap has room for wait for each other; what each needed is given back. */
static void test_many_threads(void **state) {
    (void)state;
    pthread_t threads[24];
    skrfs_autopkey *key = NULL;
    skrfs_autosecret *der = NULL;
    void *result = NULL;
    assert_ok(skrfs_pkey_new_rsa(4096, &key, &err), err);
    assert_ok(skrfs_pkey_pkcs8(key, &der, &err), err);
    use(key);
    size_t before = CRYPTO_secure_used();
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, skrfs_secret_ref(der)), 0);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    assert_true(CRYPTO_secure_used() <= before + 2048);
}

/* A full heap is told of as that, and is no judgement on a key. */
static void test_full_heap(void **state) {
    (void)state;
    skrfs_autopkey *key = NULL, *again = NULL;
    skrfs_autosecret *der = NULL;
    void *blocks[HEAP / 1024];
    size_t count = 0;
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    assert_ok(skrfs_pkey_pkcs8(key, &der, &err), err);
    for (size_t size = HEAP / 2; size >= 512; size /= 2)
        while (count < SKRFS_ARRAY_LEN(blocks) && (blocks[count] = OPENSSL_secure_malloc(size)))
            count++;
    int result = skrfs_pkey_from_pkcs8(skrfs_secret_data(der), skrfs_secret_len(der), &again, &err);
    while (count)
        OPENSSL_secure_free(blocks[--count]);
    assert_fails(result, err, SKRFS_CLASS_NO_MEMORY, "memory");
    assert_ok(skrfs_pkey_from_pkcs8(skrfs_secret_data(der), skrfs_secret_len(der), &again, &err),
            err);
    use(again);
}

int main(void) {
    struct skrfs_secret *first = NULL; /* what the kernel has is known with it */
    if (skrfs_crypto_setup(&err) < 0 || skrfs_crypto_hide(&err) < 0 ||
            skrfs_secret_new(1, &first, &err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_key_in_use_is_in_secret_memory),
            cmocka_unit_test(test_heap_cannot_be_read_from_outside),
            cmocka_unit_test(test_hiding_comes_before_the_first_key),
            cmocka_unit_test(test_many_threads),
            cmocka_unit_test(test_full_heap),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    skrfs_secret_unref(first);
    return failed;
}
