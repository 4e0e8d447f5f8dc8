/* OpenSSL as this program wants it: freed memory is wiped, private numbers are in a locked heap. */
#include "internal.h"
#include "memory.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef skrfs_crypto_fail
#undef skrfs_crypto_refuse

/* Room for what eight threads need for an RSA-4096 private key each (memory.c), and for some keys
 * beside. A power of two, as CRYPTO_secure_malloc_init wants. */
#define SECURE_HEAP ((size_t)1024 * 1024)
#define SECURE_MINIMUM 32

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;
static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static bool functions_set;
static int secure_heap; /* CRYPTO_secure_malloc_init: 0 failed, 1 well, 2 made but not locked */
static void *secure_base;

/* A child has the heap and its guards, but no locks: mlock(2) is not inherited. By the system call:
 * AddressSanitizer turns the function into nothing. */
static void lock_in_child(void) {
    memory_forget_others();
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
    functions_set = memory_hook();
    if (CRYPTO_secure_malloc_initialized()) { /* by the program that we are linked into */
        secure_heap = 1;
        return;
    }
    secure_heap = CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_MINIMUM);
    if (secure_heap == 2 && lacks_advice_alone())
        secure_heap = 1;
    if (secure_heap == 1)
        find_base();
    if (secure_heap == 1 && functions_set)
        memory_use(secure_base, SECURE_HEAP);
}

/* The provider's tables and what it fetches once, which stay for good, are not to fill the secure
 * heap. No key is involved. */
static void load_provider(void) {
    static const char *const ciphers[] = {
            "AES-128-WRAP-PAD", "AES-192-WRAP-PAD", "AES-256-WRAP-PAD"};
    static const char *const digests[] = {"SHA1", "SHA256", "SHA384", "SHA512"};
    static const char *const kinds[] = {"RSA", "EC"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(ciphers); i++)
        EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, ciphers[i], NULL));
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(digests); i++)
        EVP_MD_free(EVP_MD_fetch(NULL, digests[i], NULL));
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(kinds); i++) {
        EVP_PKEY *none = NULL;
        EVP_KEYMGMT_free(EVP_KEYMGMT_fetch(NULL, kinds[i], NULL));
        OSSL_DECODER_CTX_free(OSSL_DECODER_CTX_new_for_pkey(
                &none, "DER", "PrivateKeyInfo", NULL, EVP_PKEY_KEYPAIR, NULL, NULL));
        OSSL_ENCODER_free(
                OSSL_ENCODER_fetch(NULL, kinds[i], "output=der,structure=PrivateKeyInfo"));
    }
    EVP_ASYM_CIPHER_free(EVP_ASYM_CIPHER_fetch(NULL, "RSA", NULL));
    EVP_SIGNATURE_free(EVP_SIGNATURE_fetch(NULL, "RSA", NULL));
    EVP_SIGNATURE_free(EVP_SIGNATURE_fetch(NULL, "ECDSA", NULL));
    ERR_clear_error();
}

void skrfs_crypto_ready(void) {
    pthread_once(&setup_once, setup_run);
}

int skrfs_crypto_ready_private(struct skrfs_error *err) {
    skrfs_crypto_ready();
    if (secure_heap == 1) {
        pthread_once(&load_once, load_provider);
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_NO_MEMORY,
            "the cryptographic library's locked memory (%zu KiB) cannot be made: raise the limit "
            "of locked "
            "memory (RLIMIT_MEMLOCK, LimitMEMLOCK= in a unit)",
            SECURE_HEAP / 1024);
}

int skrfs_crypto_hide(struct skrfs_error *err) {
    if (skrfs_crypto_ready_private(err) < 0)
        return -1;
    if (!secure_base)
        return 0; /* of the program that we are linked into: its own affair */
    if (CRYPTO_secure_used() != 0)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "private keys are in use already");
    return skrfs_secret_hide(secure_base, SECURE_HEAP, err);
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
    if (memory_starved()) {
        skrfs_fail_memory(err);
        (void)skrfs_wrap(err, "%s", what);
    } else {
        skrfs_fail(err, kind, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    }
    ERR_clear_error();
    return -1;
}

int skrfs_crypto_refuse(struct skrfs_error *err, enum skrfs_class kind, const char *format, ...) {
    char what[SKRFS_ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    ERR_clear_error();
    return skrfs_crypto_fail(err, kind, what);
}
