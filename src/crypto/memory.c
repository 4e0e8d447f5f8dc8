/* What OpenSSL allocates from. Freed memory is wiped; and while a thread works with a private key,
 * all that OpenSSL allocates for it comes from the secure heap: what OpenSSL itself puts there is
 * the key's numbers alone, and not what it makes of them (the Montgomery contexts of an RSA key's
 * primes, kept as long as the key; the octets of a key that is being parsed or written). */
#include "memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <skrfs/base/secret.h>
#include <string.h>

/* How many threads may work with private keys at once. The work is arithmetic: more of them than
 * processors gain nothing, and each needs up to 100 KiB (RSA-4096). */
#define WORKERS_MAX 8

static uint8_t *heap; /* OpenSSL's secure heap; NULL while there is none of ours */
static size_t heap_size;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static unsigned workers;
static _Thread_local unsigned depth;
static _Thread_local bool starved;

static bool is_secure(const void *data) {
    return heap && (const uint8_t *)data >= heap && (const uint8_t *)data < heap + heap_size;
}

static void *take(size_t size) {
    void *data = depth && heap ? OPENSSL_secure_malloc(size ? size : 1) : malloc(size);
    if (!data && size)
        starved = true;
    return data;
}

static void give(void *data) {
    if (is_secure(data)) {
        OPENSSL_secure_free(data); /* wipes */
        return;
    }
    if (data)
        OPENSSL_cleanse(data, malloc_usable_size(data));
    free(data);
}

static size_t size_of(void *data) {
    return is_secure(data) ? CRYPTO_secure_actual_size(data) : malloc_usable_size(data);
}

static void *hook_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return take(size);
}

static void hook_free(void *data, const char *file, int line) {
    (void)file;
    (void)line;
    give(data);
}

static void *hook_realloc(void *data, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    if (!data)
        return take(size);
    if (size == 0) {
        give(data);
        return NULL;
    }
    size_t have = size_of(data);
    /* What grows while a private key is at work may be about to hold something of it. */
    if (size <= have && (is_secure(data) || !depth || !heap))
        return data;
    void *moved = take(size);
    if (!moved)
        return NULL;
    memcpy(moved, data, have < size ? have : size);
    give(data);
    return moved;
}

/* Another's functions are left alone: what OpenSSL refuses after its first allocation it does not
 * refuse when that was not its own. */
bool memory_hook(void) {
    CRYPTO_malloc_fn theirs = NULL;
    CRYPTO_get_mem_functions(&theirs, NULL, NULL);
    if (theirs != CRYPTO_malloc)
        return false;
    return CRYPTO_set_mem_functions(hook_malloc, hook_realloc, hook_free) == 1;
}

void memory_use(uint8_t *base, size_t size) {
    heap_size = size;
    heap = base;
}

/* Others' threads are not in a child, and never leave. */
void memory_forget_others(void) {
    (void)pthread_mutex_init(&lock, NULL);
    (void)pthread_cond_init(&left, NULL);
    workers = depth ? 1 : 0;
}

struct private_work memory_enter(void) {
    if (depth++ > 0)
        return (struct private_work){true};
    starved = false; /* what was before is told of */
    (void)pthread_mutex_lock(&lock);
    while (workers >= WORKERS_MAX)
        (void)pthread_cond_wait(&left, &lock);
    workers++;
    (void)pthread_mutex_unlock(&lock);
    return (struct private_work){true};
}

void memory_leave(struct private_work *work) {
    if (!work->entered || --depth > 0)
        return;
    skrfs_registers_wipe();
    (void)pthread_mutex_lock(&lock);
    workers--;
    (void)pthread_cond_signal(&left);
    (void)pthread_mutex_unlock(&lock);
}

bool memory_starved(void) {
    bool was = starved;
    starved = false;
    return was;
}
