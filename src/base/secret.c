#include <skrfs/base/secret.h>

#include "arena.h"
#include "lock.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

/* Behind each secret lies a word that nobody outside knows: writing past a secret's end is found
 * when it is freed, and ends the process, because another key may have been overwritten. */
#define CANARY sizeof(uint64_t)

/* The handle lies in ordinary memory; only the bytes are in the arena. */
struct skrfs_secret {
    atomic_uint references;
    uint8_t *data;
    size_t len;
    size_t space; /* octets taken for the bytes, before the canary */
    size_t chunk;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct arena arena;
static uint64_t canary_seed;
static size_t alive;
static size_t in_use;

/* The arena's pages are not in a child (MADV_DONTFORK): it begins with none. */
static void forget_in_child(void) {
    (void)pthread_mutex_init(&lock, NULL);
    arena_forget(&arena);
    alive = 0;
    in_use = 0;
}

static int setup(size_t reserve, bool force_locked, struct skrfs_error *err) {
    static bool registered;
    if (getrandom(&canary_seed, sizeof(canary_seed), 0) != sizeof(canary_seed))
        return skrfs_fail_errno(err, errno, "no random numbers");
    if (!registered && pthread_atfork(NULL, NULL, forget_in_child))
        return skrfs_fail_memory(err);
    registered = true;
    return arena_setup(&arena, reserve, force_locked, err);
}

int skrfs_secret_setup(size_t reserve, bool force_locked, struct skrfs_error *err) {
    (void)pthread_mutex_lock(&lock);
    int failed = arena.ready ? skrfs_fail(err, SKRFS_CLASS_BUG, "secret memory is set up already")
                             : setup(reserve, force_locked, err);
    (void)pthread_mutex_unlock(&lock);
    return failed;
}

int skrfs_secret_hide(void *pages, size_t size, struct skrfs_error *err) {
    (void)pthread_mutex_lock(&lock);
    bool locked = arena.ready && arena.kind == SKRFS_SECRET_LOCKED;
    (void)pthread_mutex_unlock(&lock);
    return locked ? 0 : skrfs_pages_hide(pages, size, err);
}

static uint64_t canary_of(const struct skrfs_secret *secret) {
    return canary_seed ^ (uint64_t)(uintptr_t)secret->data;
}

static int take_locked(struct skrfs_secret *secret, struct skrfs_error *err) {
    if (!arena.ready && setup(0, false, err))
        return -1;
    if (arena_take(&arena, secret->space + CANARY, &secret->data, &secret->chunk, err))
        return -1;
    alive++;
    in_use += secret->space;
    return 0;
}

int skrfs_secret_new(size_t len, struct skrfs_secret **ret_secret, struct skrfs_error *err) {
    if (len < 1 || len > SKRFS_SECRET_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "a key of %zu octets, not 1 to %zu", len,
                SKRFS_SECRET_MAX);
    skrfs_autofree struct skrfs_secret *secret = calloc(1, sizeof(*secret));
    if (!secret)
        return skrfs_fail_memory(err);
    atomic_init(&secret->references, 1);
    secret->len = len;
    secret->space = len;
    (void)pthread_mutex_lock(&lock);
    int failed = take_locked(secret, err);
    (void)pthread_mutex_unlock(&lock);
    if (failed)
        return -1;
    uint64_t canary = canary_of(secret);
    memcpy(secret->data + secret->space, &canary, sizeof(canary));
    *ret_secret = skrfs_take(secret);
    return 0;
}

int skrfs_secret_copy(
        const void *data, size_t len, struct skrfs_secret **ret_secret, struct skrfs_error *err) {
    struct skrfs_secret *secret;
    if (skrfs_secret_new(len, &secret, err))
        return -1;
    memcpy(secret->data, data, len);
    skrfs_registers_wipe();
    *ret_secret = secret;
    return 0;
}

struct skrfs_secret *skrfs_secret_ref(struct skrfs_secret *secret) {
    (void)atomic_fetch_add_explicit(&secret->references, 1, memory_order_relaxed);
    return secret;
}

static void check_canary(const struct skrfs_secret *secret) {
    uint64_t canary = canary_of(secret);
    if (memcmp(secret->data + secret->space, &canary, sizeof(canary)) == 0)
        return;
    static const char text[] = "skrfs: the end of a key in secret memory was overwritten\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written;
    abort();
}

void skrfs_secret_unref(struct skrfs_secret *secret) {
    if (!secret || atomic_fetch_sub_explicit(&secret->references, 1, memory_order_acq_rel) != 1)
        return;
    check_canary(secret);
    skrfs_wipe(secret->data, secret->space + CANARY);
    (void)pthread_mutex_lock(&lock);
    arena_release(&arena, secret->chunk, secret->data, secret->space + CANARY);
    alive--;
    in_use -= secret->space;
    (void)pthread_mutex_unlock(&lock);
    free(secret);
}

const uint8_t *skrfs_secret_data(const struct skrfs_secret *secret) {
    return secret->data;
}

uint8_t *skrfs_secret_space(struct skrfs_secret *secret) {
    return secret->data;
}

size_t skrfs_secret_len(const struct skrfs_secret *secret) {
    return secret->len;
}

void skrfs_secret_shorten(struct skrfs_secret *secret, size_t len) {
    if (len >= secret->len)
        return;
    skrfs_wipe(secret->data + len, secret->len - len);
    secret->len = len;
}

bool skrfs_secret_equal(const struct skrfs_secret *secret, const void *data, size_t len) {
    return len == secret->len && CRYPTO_memcmp(secret->data, data, len) == 0;
}

void skrfs_secret_get_stats(struct skrfs_secret_stats *ret_stats) {
    (void)pthread_mutex_lock(&lock);
    *ret_stats = (struct skrfs_secret_stats){
            .kind = arena.kind, .arena = arena.mapped, .used = in_use, .secrets = alive};
    (void)pthread_mutex_unlock(&lock);
}

const char *skrfs_secret_kind_name(enum skrfs_secret_kind kind) {
    return kind == SKRFS_SECRET_MEMFD ? "memfd_secret" : "locked memory";
}
