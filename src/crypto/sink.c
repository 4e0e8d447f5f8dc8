/* Encoders that write octets, base64url and PEM without a copy in between. base/encode writes into
 * buffers; these write key material, which may stand in secret memory only. */
#include "internal.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void skrfs_sink_put(struct skrfs_sink *sink, const void *data, size_t len) {
    if (sink->out && len)
        memcpy(sink->out + sink->len, data, len);
    sink->len += len;
}

void skrfs_sink_text(struct skrfs_sink *sink, const char *text) {
    skrfs_sink_put(sink, text, strlen(text));
}

void skrfs_sink_u32(struct skrfs_sink *sink, uint32_t value) {
    const uint8_t octets[] = {
            (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    skrfs_sink_put(sink, octets, sizeof(octets));
}

static void put_char(struct skrfs_sink *sink, char c) {
    if (sink->out)
        sink->out[sink->len] = (uint8_t)c;
    sink->len++;
}

/* The characters of up to three octets; `pad` fills the group with '='. */
static void put_group(
        struct skrfs_sink *sink, const char *letters, const uint8_t *in, size_t len, bool pad) {
    uint32_t bits =
            (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0) | (len > 2 ? in[2] : 0U);
    for (size_t i = 0; i < 4; i++) {
        if (i <= len)
            put_char(sink, letters[bits >> (18 - 6 * i) & 63]);
        else if (pad)
            put_char(sink, '=');
    }
}

void skrfs_sink_base64url(struct skrfs_sink *sink, struct skrfs_bytes data) {
    for (size_t i = 0; i < data.len; i += 3) {
        size_t rest = data.len - i;
        put_group(sink, url_alphabet, data.data + i, rest < 3 ? rest : 3, false);
    }
}

void skrfs_sink_pem(
        struct skrfs_sink *sink, const char *label, struct skrfs_bytes der, size_t columns) {
    skrfs_sink_text(sink, "-----BEGIN ");
    skrfs_sink_text(sink, label);
    skrfs_sink_text(sink, "-----\n");
    size_t column = 0;
    for (size_t i = 0; i < der.len; i += 3) {
        size_t rest = der.len - i;
        put_group(sink, alphabet, der.data + i, rest < 3 ? rest : 3, true);
        column += 4;

        if (column + 4 > columns || rest <= 3) {
            put_char(sink, '\n');
            column = 0;
        }
    }
    skrfs_sink_text(sink, "-----END ");
    skrfs_sink_text(sink, label);
    skrfs_sink_text(sink, "-----\n");
}

int skrfs_sink_to_secret(skrfs_encoder *encoder, const void *context,
        struct skrfs_secret **ret_secret, struct skrfs_error *err) {
    struct skrfs_sink count = {0};
    encoder(&count, context);
    skrfs_autosecret *secret = NULL;
    if (skrfs_secret_new(count.len, &secret, err) < 0)
        return -1;
    struct skrfs_sink sink = {.out = skrfs_secret_space(secret)};
    encoder(&sink, context);
    *ret_secret = skrfs_take(secret);
    return 0;
}

int skrfs_sink_to_buf(skrfs_encoder *encoder, const void *context, struct skrfs_buf *out,
        struct skrfs_error *err) {
    struct skrfs_sink count = {0};
    encoder(&count, context);
    struct skrfs_sink sink = {0};
    if (skrfs_buf_extend(out, count.len, &sink.out, err) < 0)
        return -1;
    encoder(&sink, context);
    return 0;
}
