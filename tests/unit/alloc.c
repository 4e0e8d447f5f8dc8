#include "alloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define REPLACED 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define REPLACED 0
#elif __has_feature(address_sanitizer)
#define REPLACED 1
#define REAL(name) __interceptor_##name
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define REPLACED 0 /* gcc's is a library of its own, whose functions have no other names */
#endif
#ifndef REPLACED
#define REPLACED 1
#define REAL(name) __libc_##name
#endif

/* The first allocations come before AddressSanitizer is ready for code that it looks after. */
#if defined(__clang__)
#pragma clang attribute push(                                                                      \
        __attribute__((no_sanitize("address", "undefined"))), apply_to = function)
#endif

#define DEPTH 24
#define TABLE ((size_t)1 << 16)

#ifdef ALLOC_SHIM
/* As a library in front of a program's own: which process, and what came of it, are in a file that
 * SKRFS_ALLOC names and that is mapped before a sandbox closes. */
struct control {
    atomic_uint pid; /* whose allocation fails; 0: nobody's */
    atomic_uint failed;
    atomic_uint ways;
};
static struct control *control;
#endif

static atomic_bool armed;
static atomic_size_t count, failures, total;
static size_t wanted; /* the number of the allocation to fail, 0: by the way to it */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t ways[TABLE];
static void *where[DEPTH];
static int where_depth;
static bool where_hidden;
static _Thread_local unsigned exempt;
static _Thread_local bool inside;

static uint64_t hash_of(void *const *frames, int depth) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int i = 0; i < depth; i++)
        hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

/* Whether the way is new; it is not the next time. */
static bool is_new(uint64_t way) {
    for (size_t i = way % TABLE;; i = (i + 1) % TABLE) {
        if (ways[i] == way)
            return false;
        if (ways[i] == 0) {
            ways[i] = way;
            return true;
        }
    }
}

/* AddressSanitizer asks for a new thread's stack before the thread does anything, and cannot do
 * without. */
static bool is_sanitizers(void *const *frames, int depth) {
    Dl_info info;
    for (int i = 0; i < depth; i++)
        if (dladdr(frames[i], &info) && info.dli_sname &&
                strcmp(info.dli_sname, "pthread_getattr_np") == 0)
            return true;
    return false;
}

static bool chosen(void) {
    void *frames[DEPTH];
    int depth = backtrace(frames, DEPTH);
    pthread_mutex_lock(&lock);
    size_t number = atomic_fetch_add(&count, 1) + 1;
    bool fails = atomic_load(&armed) &&
                 (wanted ? number == wanted : is_new(hash_of(frames, depth))) &&
                 !is_sanitizers(frames, depth);
    if (fails) {
        atomic_store(&armed, false);
        atomic_fetch_add(&failures, 1);
        memcpy(where, frames, sizeof(where));
        where_depth = depth;
    }
    pthread_mutex_unlock(&lock);
    return fails;
}

/* Whether the allocation that is asked for is to fail. */
static bool refuse_any(bool hidden) {
#ifdef ALLOC_SHIM
    if (!control || !atomic_load_explicit(&control->pid, memory_order_relaxed) || inside ||
            atomic_load(&control->pid) != (unsigned)getpid())
        return false;
    atomic_store(&armed, true);
#endif
    if (!atomic_load_explicit(&armed, memory_order_relaxed) || exempt || inside)
        return false;
    inside = true; /* backtrace() may allocate */
    bool fails = chosen();
    inside = false;
#ifdef ALLOC_SHIM
    if (fails) {
        atomic_store(&control->pid, 0);
        atomic_fetch_add(&control->failed, 1);
    }
#endif
    if (fails) {
        where_hidden = hidden;
        errno = ENOMEM;
    }
    return fails;
}

__attribute__((unused)) static bool refuse(void) {
    return refuse_any(false);
}

bool alloc_was_hidden(void) {
    return where_hidden;
}

bool alloc_possible(void) {
    return REPLACED;
}

void alloc_arm(void) {
    static size_t next;
    void *frames[1];
    (void)backtrace(frames, 1); /* loads what it needs */
    atomic_store(&count, 0);
    wanted = getenv("SKRFS_ALLOC_ALL") ? ++next : 0;
    where_depth = 0;
    atomic_store(&armed, true);
}

bool alloc_disarm(void) {
    atomic_store(&armed, false);
    atomic_fetch_add(&total, atomic_load(&count));
    return where_depth > 0;
}

void alloc_print(void) {
    backtrace_symbols_fd(where, where_depth, STDERR_FILENO);
}

void alloc_exempt(void) {
    exempt++;
}

void alloc_subject(void) {
    exempt--;
}

size_t alloc_seen(void) {
    return atomic_load(&total);
}

size_t alloc_failed(void) {
    return atomic_load(&failures);
}

#ifdef ALLOC_SHIM
__attribute__((constructor)) static void start(void) {
    void *frames[1];
    const char *path = getenv("SKRFS_ALLOC");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    (void)backtrace(frames, 1); /* loads what it needs */
    if (fd < 0)
        return;
    void *page = (void *)syscall(
            SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); // NOLINT
    close(fd);
    if (page != MAP_FAILED)
        control = page;
}
#endif

#if REPLACED
#define EXPORTED __attribute__((visibility("default")))

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t members, size_t size);
void *REAL(realloc)(void *block, size_t size);

EXPORTED void *malloc(size_t size) {
    return refuse() ? NULL : REAL(malloc)(size);
}

EXPORTED void *calloc(size_t members, size_t size) {
    return refuse() ? NULL : REAL(calloc)(members, size);
}

EXPORTED void *realloc(void *block, size_t size) {
    return refuse() ? NULL : REAL(realloc)(block, size);
}

EXPORTED void *reallocarray(void *block, size_t members, size_t size) {
    size_t all;
    if (__builtin_mul_overflow(members, size, &all) || refuse())
        return NULL;
    return REAL(realloc)(block, all);
}

EXPORTED void *CRYPTO_secure_malloc(size_t size, const char *file, int line) {
    static void *(*real)(size_t, const char *, int);
    if (!real)
        real = (void *(*)(size_t, const char *, int))dlsym(RTLD_NEXT, "CRYPTO_secure_malloc");
    return refuse_any(true) ? NULL : real(size, file, line);
}

EXPORTED void *mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset) {
    if (refuse())
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, len, protection, flags, fd, offset); // NOLINT
}

/* The C library's, but for calls of these two that are to fail. */
EXPORTED long syscall(long number, ...) {
    static long (*real)(long, ...);
    long words[6];
    va_list arguments;
    va_start(arguments, number);
    for (size_t i = 0; i < 6; i++)
        words[i] = va_arg(arguments, long);
    va_end(arguments);
    if (!real)
        real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if ((number == SYS_memfd_secret || number == SYS_mlock) && refuse())
        return -1;
    return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
#endif

#if REPLACED && defined(__has_feature)
#if __has_feature(address_sanitizer)
#define THREADS_ARE_THE_SANITIZERS 1
#endif
#endif
#if REPLACED && !defined(THREADS_ARE_THE_SANITIZERS)
EXPORTED int pthread_create(
        pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context) {
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!real)
        real = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
                RTLD_NEXT, "pthread_create");
    return refuse() ? EAGAIN : real(thread, attributes, run, context);
}
#endif

#if defined(__clang__)
#pragma clang attribute pop
#endif
