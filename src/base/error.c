#include <skrfs/base/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The definitions themselves are not the header's macros. */
#undef skrfs_fail
#undef skrfs_fail_errno
#undef skrfs_fail_memory
#undef skrfs_wrap
#undef skrfs_fail_retryable

static const struct {
    const char *name;
    int errnum;
    int exit_code;
} classes[SKRFS_CLASS_COUNT] = {
        [SKRFS_CLASS_BUG] = {"bug", EIO, 1},
        [SKRFS_CLASS_DENIED] = {"denied", EACCES, 3},
        [SKRFS_CLASS_NOT_FOUND] = {"not-found", ENOENT, 4},
        [SKRFS_CLASS_REJECTED] = {"rejected", EKEYREJECTED, 5},
        [SKRFS_CLASS_REVOKED] = {"revoked", EKEYREVOKED, 6},
        [SKRFS_CLASS_EXPIRED] = {"expired", EKEYEXPIRED, 7},
        [SKRFS_CLASS_UNAVAILABLE] = {"unavailable", EAGAIN, 8},
        [SKRFS_CLASS_TIMEOUT] = {"timeout", ETIMEDOUT, 9},
        [SKRFS_CLASS_NO_TEE] = {"no-tee", ENODEV, 10},
        [SKRFS_CLASS_BAD_ANSWER] = {"bad-answer", EIO, 11},
        [SKRFS_CLASS_CRYPTO] = {"crypto", EIO, 12},
        [SKRFS_CLASS_NO_MEMORY] = {"no-memory", ENOMEM, 13},
        [SKRFS_CLASS_CONFIG] = {"config", EINVAL, 2},
        [SKRFS_CLASS_INTERRUPTED] = {"interrupted", EINTR, 14},
        [SKRFS_CLASS_SYSTEM] = {"system", EIO, 15},
};

/* One line, whatever was put into it: a message ends up in logs and on terminals. */
static void clean(char *text) {
    for (unsigned char *at = (unsigned char *)text; *at; at++)
        if (*at < 0x20 || *at == 0x7f)
            *at = '?';
}

SKRFS_PRINTF(2, 0)
static void format_message(char *out, const char *format, va_list args) {
    if (vsnprintf(out, SKRFS_ERROR_MESSAGE_MAX, format, args) < 0)
        out[0] = '\0';
    clean(out);
}

/* The message is complete before the error is touched: its arguments may point into the old one. */
static int set(struct skrfs_error *err, enum skrfs_class kind, int errnum, const char *message) {
    size_t len = strnlen(message, SKRFS_ERROR_MESSAGE_MAX - 1);
    memmove(err->message, message, len);
    err->message[len] = '\0';
    err->kind = kind;
    err->errnum = errnum;
    err->upstream = 0;
    err->retryable = false;
    err->not_before_ns = 0;
    return -1;
}

int skrfs_fail(struct skrfs_error *err, enum skrfs_class kind, const char *format, ...) {
    char message[SKRFS_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    format_message(message, format, args);
    va_end(args);
    return set(err, kind, 0, message);
}

int skrfs_fail_errno(struct skrfs_error *err, int errnum, const char *format, ...) {
    char message[SKRFS_ERROR_MESSAGE_MAX];
    char reason[128];
    va_list args;
    va_start(args, format);
    format_message(message, format, args);
    va_end(args);
    const char *text = strerror_r(errnum, reason, sizeof(reason));
    size_t len = strlen(message);
    size_t wanted = strlen(text) + 2;
    /* The reason is worth more than the end of a long sentence. */
    if (len + wanted >= sizeof(message))
        len = sizeof(message) - 1 - wanted;
    snprintf(message + len, sizeof(message) - len, ": %s", text);
    return set(err, errnum == ENOMEM ? SKRFS_CLASS_NO_MEMORY : SKRFS_CLASS_SYSTEM, errnum, message);
}

int skrfs_fail_memory(struct skrfs_error *err) {
    return set(err, SKRFS_CLASS_NO_MEMORY, ENOMEM, "out of memory");
}

int skrfs_wrap(struct skrfs_error *err, const char *format, ...) {
    char words[SKRFS_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    format_message(words, format, args);
    va_end(args);
    size_t old = strnlen(err->message, sizeof(err->message) - 1);
    size_t separator = 2;
    size_t room = sizeof(err->message) - 1 - old;
    if (room <= separator)
        return -1;
    /* Too long a message loses what is outermost: the front of the new words. */
    size_t len = strlen(words);
    size_t kept = len < room - separator ? len : room - separator;
    memmove(err->message + kept + separator, err->message, old);
    memcpy(err->message, words + len - kept, kept);
    memcpy(err->message + kept, ": ", separator);
    err->message[kept + separator + old] = '\0';
    return -1;
}

int skrfs_fail_retryable(struct skrfs_error *err, uint64_t not_before_ns) {
    err->retryable = true;
    err->not_before_ns = not_before_ns;
    return -1;
}

static enum skrfs_class known(enum skrfs_class kind) {
    return (unsigned)kind < SKRFS_CLASS_COUNT ? kind : SKRFS_CLASS_BUG;
}

int skrfs_class_errno(enum skrfs_class kind) {
    return classes[known(kind)].errnum;
}

int skrfs_class_exit_code(enum skrfs_class kind) {
    return classes[known(kind)].exit_code;
}

const char *skrfs_class_name(enum skrfs_class kind) {
    return classes[known(kind)].name;
}
