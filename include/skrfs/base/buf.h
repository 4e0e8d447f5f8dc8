/* A growing byte buffer with a hard limit that wipes every byte it ever held: on growth, on reset
 * and at the end. Always NUL-terminated behind `len`, so that text in it is a C string. It may hold
 * tokens and other secrets of the network; plaintext key bytes live in struct skrfs_secret only.
 * Not thread safe. */
#ifndef SKRFS_BASE_BUF_H
#define SKRFS_BASE_BUF_H

#include <skrfs/base/cleanup.h>
#include <skrfs/base/error.h>

struct skrfs_buf {
    uint8_t *data; /* NULL until the first byte; data[len] is 0 afterwards */
    size_t len;    /* octets in use */
    size_t cap;    /* octets allocated */
    size_t max;    /* most octets it will hold */
};

/* A view of bytes that belong to somebody else. */
struct skrfs_bytes {
    const uint8_t *data;
    size_t len;
};

/* An empty buffer that will hold at most `max` octets. */
#define SKRFS_BUF(limit) ((struct skrfs_buf){.data = NULL, .len = 0, .cap = 0, .max = (limit)})
#define skrfs_autobuf SKRFS_CLEANUP(skrfs_buf_done) struct skrfs_buf

/* Appends `len` octets. Fails with BAD_ANSWER when the limit would be passed, NO_MEMORY otherwise;
 * the contents are unchanged then. */
int skrfs_buf_append(struct skrfs_buf *buf, const void *data, size_t len,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_buf_append_text(
        struct skrfs_buf *buf, const char *text, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_buf_printf(struct skrfs_buf *buf, struct skrfs_error *err, const char *format, ...)
        SKRFS_PRINTF(3, 4) SKRFS_MUST_CHECK;

/* Makes room for `len` more octets and adds them uninitialised to the contents; *ret_space points
 * at the first of them, valid until the next call on the buffer. */
int skrfs_buf_extend(struct skrfs_buf *buf, size_t len, uint8_t **ret_space,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The contents as a C string: "" while nothing was appended. Valid until the next call. */
const char *skrfs_buf_text(const struct skrfs_buf *buf);

/* The contents as a view, valid until the next call on the buffer. */
struct skrfs_bytes skrfs_buf_bytes(const struct skrfs_buf *buf);

/* Wipes and shortens to `len` octets (no more than it holds). */
void skrfs_buf_truncate(struct skrfs_buf *buf, size_t len);

/* Wipes and frees; the buffer is empty and usable afterwards, its limit kept. */
void skrfs_buf_done(struct skrfs_buf *buf);

/* Moves the contents out of `from`, which is left empty, into `to`, which must be empty. */
void skrfs_buf_move(struct skrfs_buf *to, struct skrfs_buf *from);

/* Overwrites memory in a way that the compiler keeps. */
void skrfs_wipe(void *data, size_t len);

#endif
