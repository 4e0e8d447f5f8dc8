/* The error value: class, reason and a sentence that grows while it climbs.
 *
 * Every function that can fail takes a `struct skrfs_error *` as its last parameter, returns 0 or
 * -1, and touches neither its outputs on failure nor the error on success. The failing call states
 * the fact with skrfs_fail(); each caller on the way up may put "while doing what" in front with
 * skrfs_wrap(). It is logged once, at the edge. A message never holds a token, a key byte or the
 * body of an answer. The value owns nothing and needs no release. */
#ifndef SKRFS_BASE_ERROR_H
#define SKRFS_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest message, with its NUL. A longer one loses its newest, outermost words. */
#define SKRFS_ERROR_MESSAGE_MAX 1024

/* What kind of failure it is; decides the reader's errno and a verb's exit code (skrfs(8)). */
enum skrfs_class {
    SKRFS_CLASS_BUG = 0,   /* a broken promise inside skrfs: EIO */
    SKRFS_CLASS_DENIED,    /* not allowed by the rules: EACCES */
    SKRFS_CLASS_NOT_FOUND, /* no such key, here or in the vault: ENOENT */
    SKRFS_CLASS_REJECTED,  /* attestation failed, or release refused by policy or role: EKEYREJECTED
                            */
    SKRFS_CLASS_REVOKED,   /* wiped by an operator while open: EKEYREVOKED */
    SKRFS_CLASS_EXPIRED,   /* expired and cannot be refreshed: EKEYEXPIRED */
    SKRFS_CLASS_UNAVAILABLE, /* throttled or out of service for now: EAGAIN */
    SKRFS_CLASS_TIMEOUT,     /* a deadline passed: ETIMEDOUT */
    SKRFS_CLASS_NO_TEE,      /* this machine has no usable TEE: ENODEV */
    SKRFS_CLASS_BAD_ANSWER,  /* a malformed or wrongly signed answer: EIO */
    SKRFS_CLASS_CRYPTO,      /* a cryptographic operation failed: EIO */
    SKRFS_CLASS_NO_MEMORY,   /* out of memory or of locked memory: ENOMEM */
    SKRFS_CLASS_CONFIG,      /* wrong configuration or wrong usage: EINVAL */
    SKRFS_CLASS_INTERRUPTED, /* the waiting caller went away: EINTR */
    SKRFS_CLASS_SYSTEM,      /* a system call failed: EIO; `errnum` says how */
    SKRFS_CLASS_COUNT
};

struct skrfs_error {
    enum skrfs_class kind;
    int errnum;             /* errno of the failed system call, 0 when none */
    uint32_t upstream;      /* HTTP status or TSS2 response code, 0 when none */
    bool retryable;         /* the same attempt may succeed later */
    uint64_t not_before_ns; /* skrfs_now_ns() before which a retry is pointless, 0 when unknown */
    char message[SKRFS_ERROR_MESSAGE_MAX];
};

#define SKRFS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SKRFS_MUST_CHECK __attribute__((warn_unused_result))
/* Part of the shared library's interface. */
#define SKRFS_API __attribute__((visibility("default")))

/* States a failure: sets every field of `err` anew. Control characters in the text become '?'.
 * Always returns -1, so that `return skrfs_fail(...)` is one statement. */
int skrfs_fail(struct skrfs_error *err, enum skrfs_class kind, const char *format, ...)
        SKRFS_PRINTF(3, 4);

/* The same for a failed system call: class SYSTEM (NO_MEMORY for ENOMEM), and ": <text of errnum>"
 * put behind the message. Returns -1. */
int skrfs_fail_errno(struct skrfs_error *err, int errnum, const char *format, ...)
        SKRFS_PRINTF(3, 4);

/* "out of memory", class NO_MEMORY. Returns -1. */
int skrfs_fail_memory(struct skrfs_error *err);

/* Puts "<text>: " in front of the message of a failure that is on its way up. Returns -1. */
int skrfs_wrap(struct skrfs_error *err, const char *format, ...) SKRFS_PRINTF(2, 3);

/* Marks a failure as worth another attempt, not before `not_before_ns` (0: at once). Returns -1. */
int skrfs_fail_retryable(struct skrfs_error *err, uint64_t not_before_ns);

/* The compiler does not see into error.c: these say that each of the five is -1, so that a path on
 * which an output stays untouched is known to be the failing one. */
static inline int skrfs_minus_one(int failed) {
    (void)failed;
    return -1;
}
#define skrfs_fail(...) skrfs_minus_one((skrfs_fail)(__VA_ARGS__))
#define skrfs_fail_errno(...) skrfs_minus_one((skrfs_fail_errno)(__VA_ARGS__))
#define skrfs_fail_memory(err) skrfs_minus_one((skrfs_fail_memory)(err))
#define skrfs_wrap(...) skrfs_minus_one((skrfs_wrap)(__VA_ARGS__))
#define skrfs_fail_retryable(...) skrfs_minus_one((skrfs_fail_retryable)(__VA_ARGS__))

/* The errno that a reader of a key file sees, by class. Never 0. */
SKRFS_API int skrfs_class_errno(enum skrfs_class kind);

/* The exit code of a verb, by class: see "EXIT STATUS" in skrfs(8). Never 0. */
int skrfs_class_exit_code(enum skrfs_class kind);

/* The class's name in logs, in status files and between the processes: "denied", "not-found", ...
 */
SKRFS_API const char *skrfs_class_name(enum skrfs_class kind);

#endif
