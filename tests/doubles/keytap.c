/* LD_PRELOADed, tells the test which keys a process wraps and unwraps with: private numbers of RSA
 * keys that OpenSSL makes, and AES keys that it is given for key wrapping, are written to the file
 * that SKRFS_KEYTAP names, as records of a length (32 bits) and octets. The file is mapped at
 * start, so that a sandbox is no obstacle; whoever searches the process's memory leaves that
 * mapping out. No copy stays anywhere else. */
#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define ROOM ((size_t)1024 * 1024)
#define NUMBER_MAX 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t *page; /* its first four octets: how many of the rest are in use */

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("SKRFS_KEYTAP");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    if (ftruncate(fd, (off_t)ROOM) == 0) {
        void *mapped = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        page = mapped == MAP_FAILED ? NULL : mapped;
    }
    close(fd);
}

/* The lock is this process's, the page several processes': only the keeper makes and gets keys. */
static uint8_t *begin_record(uint32_t len) {
    uint32_t used;
    pthread_mutex_lock(&lock);
    memcpy(&used, page, sizeof(used));
    uint8_t *at = page + sizeof(used) + used;
    if (sizeof(used) + used + sizeof(len) + len > ROOM)
        abort();
    memcpy(at, &len, sizeof(len));
    return at + sizeof(len);
}

static void end_record(uint32_t len) {
    uint32_t used;
    memcpy(&used, page, sizeof(used));
    used += (uint32_t)sizeof(len) + len;
    memcpy(page, &used, sizeof(used));
    pthread_mutex_unlock(&lock);
}

static void note_number(const EVP_PKEY *key, const char *name) {
    BIGNUM *number = BN_secure_new();
    if (number && EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
            BN_num_bytes(number) <= NUMBER_MAX) {
        uint32_t len = (uint32_t)BN_num_bytes(number);
        uint8_t *at = begin_record(len);
        BN_bn2bin(number, at);
        end_record(len);
    }
    BN_clear_free(number);
}

/* EVP_RSA_gen() is a macro for it; no other kind of key is wrapped to. */
EXPORTED EVP_PKEY *EVP_PKEY_Q_keygen(
        OSSL_LIB_CTX *context, const char *query, const char *type, ...) {
    static const char *const numbers[] = {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
            OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
            OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    EVP_PKEY *(*real)(OSSL_LIB_CTX *, const char *, const char *, ...) =
            (EVP_PKEY * (*)(OSSL_LIB_CTX *, const char *, const char *, ...))
                    dlsym(RTLD_NEXT, "EVP_PKEY_Q_keygen");
    va_list arguments;
    va_start(arguments, type);
    size_t bits = va_arg(arguments, size_t); /* a curve's name for EC: handed on as it is */
    va_end(arguments);
    EVP_PKEY *key = real(context, query, type, bits);
    for (size_t i = 0; page && key && i < sizeof(numbers) / sizeof(*numbers); i++)
        if (EVP_PKEY_is_a(key, "RSA"))
            note_number(key, numbers[i]);
    return key;
}

EXPORTED int EVP_CipherInit_ex(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, ENGINE *engine,
        const unsigned char *key, const unsigned char *iv, int encrypt) {
    int (*real)(EVP_CIPHER_CTX *, const EVP_CIPHER *, ENGINE *, const unsigned char *,
            const unsigned char *, int) =
            (int (*)(EVP_CIPHER_CTX *, const EVP_CIPHER *, ENGINE *, const unsigned char *,
                    const unsigned char *, int))dlsym(RTLD_NEXT, "EVP_CipherInit_ex");
    if (page && cipher && key && EVP_CIPHER_get_mode(cipher) == EVP_CIPH_WRAP_MODE) {
        uint32_t len = (uint32_t)EVP_CIPHER_get_key_length(cipher);
        memcpy(begin_record(len), key, len);
        end_record(len);
    }
    return real(ctx, cipher, engine, key, iv, encrypt);
}
