#include <skrfs/base/buf.h>

#include <openssl/crypto.h>
#include <skrfs/base/secret.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CAP ((size_t)256)

void skrfs_wipe(void *data, size_t len) {
    if (data && len)
        OPENSSL_cleanse(data, len);
    skrfs_registers_wipe();
}

/* Not realloc: that may leave a copy of the old bytes behind. */
static int grow(struct skrfs_buf *buf, size_t wanted, struct skrfs_error *err) {
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    while (cap < wanted)
        cap = cap > SIZE_MAX / 2 ? wanted : cap * 2;
    uint8_t *data = malloc(cap);
    if (!data)
        return skrfs_fail_memory(err);
    if (buf->data) {
        memcpy(data, buf->data, buf->len);
        skrfs_wipe(buf->data, buf->cap);
        free(buf->data);
    }
    data[buf->len] = 0;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

/* Room for `len` more octets and the NUL behind them. */
static int reserve(struct skrfs_buf *buf, size_t len, struct skrfs_error *err) {
    if (len > buf->max || buf->len > buf->max - len || buf->max == SIZE_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "more than the %zu octets that are allowed", buf->max);
    size_t wanted = buf->len + len + 1;
    return wanted <= buf->cap ? 0 : grow(buf, wanted, err);
}

int skrfs_buf_extend(
        struct skrfs_buf *buf, size_t len, uint8_t **ret_space, struct skrfs_error *err) {
    if (reserve(buf, len, err))
        return -1;
    *ret_space = buf->data + buf->len;
    buf->len += len;
    buf->data[buf->len] = 0;
    return 0;
}

int skrfs_buf_append(struct skrfs_buf *buf, const void *data, size_t len, struct skrfs_error *err) {
    uint8_t *space;
    if (skrfs_buf_extend(buf, len, &space, err))
        return -1;
    if (len)
        memcpy(space, data, len);
    return 0;
}

int skrfs_buf_append_text(struct skrfs_buf *buf, const char *text, struct skrfs_error *err) {
    return skrfs_buf_append(buf, text, strlen(text), err);
}

int skrfs_buf_printf(struct skrfs_buf *buf, struct skrfs_error *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a text cannot be formatted");
    uint8_t *space;
    if (skrfs_buf_extend(buf, (size_t)len, &space, err))
        return -1;
    va_start(args, format);
    vsnprintf((char *)space, (size_t)len + 1, format, args);
    va_end(args);
    return 0;
}

const char *skrfs_buf_text(const struct skrfs_buf *buf) {
    return buf->data ? (const char *)buf->data : "";
}

struct skrfs_bytes skrfs_buf_bytes(const struct skrfs_buf *buf) {
    return (struct skrfs_bytes){.data = buf->data, .len = buf->len};
}

void skrfs_buf_truncate(struct skrfs_buf *buf, size_t len) {
    if (len >= buf->len)
        return;
    skrfs_wipe(buf->data + len, buf->len - len);
    buf->len = len;
}

void skrfs_buf_done(struct skrfs_buf *buf) {
    skrfs_wipe(buf->data, buf->cap);
    free(buf->data);
    *buf = SKRFS_BUF(buf->max);
}

void skrfs_buf_move(struct skrfs_buf *to, struct skrfs_buf *from) {
    if (to == from)
        return;
    skrfs_buf_done(to);
    *to = *from;
    *from = SKRFS_BUF(to->max);
}
