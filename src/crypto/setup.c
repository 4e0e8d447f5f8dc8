/* OpenSSL as this program wants it: freed memory is wiped, private numbers are in a locked heap. */
#include "internal.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Room for some thirty RSA-4096 private keys at once. A power of two, as CRYPTO_secure_malloc_init
 * wants. */
#define SECURE_HEAP ((size_t)256 * 1024)
#define SECURE_MINIMUM 32

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;
static bool functions_set;
static int secure_heap; /* CRYPTO_secure_malloc_init: 0 failed, 1 well, 2 made but not locked */
static void *secure_base;

static void *plain_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return malloc(size);
}

static void wiping_free(void *data, const char *file, int line) {
    (void)file;
    (void)line;
    if (data)
        OPENSSL_cleanse(data, malloc_usable_size(data));
    free(data);
}

static void *wiping_realloc(void *data, size_t size, const char *file, int line) {
    if (!data)
        return malloc(size);
    if (size == 0) {
        wiping_free(data, file, line);
        return NULL;
    }
    size_t have = malloc_usable_size(data);
    if (size <= have)
        return data;
    void *grown = malloc(size);
    if (!grown)
        return NULL;
    memcpy(grown, data, have);
    wiping_free(data, file, line);
    return grown;
}

/* A child has the heap and its guards, but no locks: mlock(2) is not inherited. By the system call:
 * AddressSanitizer turns the function into nothing. */
static void lock_in_child(void) {
    if (secure_base && syscall(SYS_mlock, secure_base, SECURE_HEAP) < 0)
        secure_heap = 2;
}

/* The heap while it is empty is one block. */
static void find_base(void) {
    void *whole = OPENSSL_secure_malloc(SECURE_HEAP);
    secure_base = whole;
    OPENSSL_secure_free(whole);
    if (!whole || pthread_atfork(NULL, NULL, lock_in_child) != 0)
        secure_heap = 2;
}

/* Where the kernel makes no dumps there is no advice against them either, as in Gramine
 * (libos/src/sys/libos_mmap.c): of a heap that is made but not well, this may be all that is amiss.
 */
static bool lacks_advice_alone(void) {
    void *whole = OPENSSL_secure_malloc(SECURE_HEAP);
    bool alone = whole && syscall(SYS_mlock, whole, SECURE_HEAP) == 0 &&
                 madvise(whole, SECURE_HEAP, MADV_DONTDUMP) < 0 && errno == ENOSYS;
    OPENSSL_secure_free(whole);
    return alone;
}

static void setup_run(void) {
    functions_set = CRYPTO_set_mem_functions(plain_malloc, wiping_realloc, wiping_free) == 1;
    if (CRYPTO_secure_malloc_initialized()) { /* by the program that we are linked into */
        secure_heap = 1;
        return;
    }
    secure_heap = CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_MINIMUM);
    if (secure_heap == 2 && lacks_advice_alone())
        secure_heap = 1;
    if (secure_heap == 1)
        find_base();
}

void skrfs_crypto_ready(void) {
    pthread_once(&setup_once, setup_run);
}

int skrfs_crypto_ready_private(struct skrfs_error *err) {
    skrfs_crypto_ready();
    if (secure_heap == 1)
        return 0;
    return skrfs_fail(err, SKRFS_CLASS_NO_MEMORY,
            "the cryptographic library's locked memory (%zu KiB) cannot be made: raise the limit "
            "of locked "
            "memory (RLIMIT_MEMLOCK, LimitMEMLOCK= in a unit)",
            SECURE_HEAP / 1024);
}

int skrfs_crypto_setup(struct skrfs_error *err) {
    skrfs_crypto_ready();
    if (!functions_set)
        return skrfs_fail(
                err, SKRFS_CLASS_BUG, "the cryptographic library was used before it was set up");
    return skrfs_crypto_ready_private(err);
}

int skrfs_crypto_fail(struct skrfs_error *err, enum skrfs_class kind, const char *what) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    skrfs_fail(err, kind, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return -1;
}
