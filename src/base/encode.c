#include <skrfs/base/encode.h>

#include <stdio.h>
#include <string.h>

/* Digits are computed, not looked up: private key members pass through here, and a table's cache
 * lines tell which entries were read. */

/* All ones when a < b. Both are small. */
static unsigned below(unsigned a, unsigned b) {
    return 0U - ((a - b) >> 31);
}

static unsigned within(unsigned value, unsigned first, unsigned last) {
    return below(value, last + 1) & ~below(value, first);
}

static char digit_of(enum skrfs_base64 kind, unsigned value) {
    unsigned d62 = kind == SKRFS_BASE64URL ? '-' : '+';
    unsigned d63 = kind == SKRFS_BASE64URL ? '_' : '/';
    unsigned digit = within(value, 0, 25) & (value + 'A');
    digit |= within(value, 26, 51) & (value - 26 + 'a');
    digit |= within(value, 52, 61) & (value - 52 + '0');
    digit |= within(value, 62, 62) & d62;
    digit |= within(value, 63, 63) & d63;
    return (char)digit;
}

/* The six bits of a digit; 64 and above when it is none. */
static unsigned value_of(enum skrfs_base64 kind, unsigned char digit) {
    unsigned d62 = kind == SKRFS_BASE64URL ? '-' : '+';
    unsigned d63 = kind == SKRFS_BASE64URL ? '_' : '/';
    unsigned c = digit;
    unsigned upper = within(c, 'A', 'Z');
    unsigned lower = within(c, 'a', 'z');
    unsigned number = within(c, '0', '9');
    unsigned is62 = within(c, d62, d62);
    unsigned is63 = within(c, d63, d63);
    unsigned value = (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (number & (c - '0' + 52)) |
                     (is62 & 62) | (is63 & 63);
    return value | (~(upper | lower | number | is62 | is63) & 64);
}

size_t skrfs_base64_len(enum skrfs_base64 kind, size_t len) {
    if (kind != SKRFS_BASE64URL)
        return (len + 2) / 3 * 4;
    return len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);
}

void skrfs_base64_encode_into(enum skrfs_base64 kind, const void *data, size_t len, char *out) {
    const uint8_t *in = data;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        unsigned group = (unsigned)in[i] << 16;
        group |= left > 1 ? (unsigned)in[i + 1] << 8 : 0;
        group |= left > 2 ? in[i + 2] : 0;
        *out++ = digit_of(kind, group >> 18);
        *out++ = digit_of(kind, group >> 12 & 63);
        if (left > 1)
            *out++ = digit_of(kind, group >> 6 & 63);
        else if (kind != SKRFS_BASE64URL)
            *out++ = '=';
        if (left > 2)
            *out++ = digit_of(kind, group & 63);
        else if (kind != SKRFS_BASE64URL)
            *out++ = '=';
    }
}

int skrfs_base64_encode(enum skrfs_base64 kind, const void *data, size_t len, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (len > out->max)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "too long for its encoding");
    uint8_t *space;
    if (skrfs_buf_extend(out, skrfs_base64_len(kind, len), &space, err))
        return -1;
    skrfs_base64_encode_into(kind, data, len, (char *)space);
    return 0;
}

/* Which of the two alphabets a text is in. */
static enum skrfs_base64 alphabet(const char *text, size_t len) {
    return memchr(text, '-', len) || memchr(text, '_', len) ? SKRFS_BASE64URL : SKRFS_BASE64;
}

/* Takes the padding off; fails when it is not what the kind wants. */
static int strip_padding(
        enum skrfs_base64 kind, const char *text, size_t *len, struct skrfs_error *err) {
    size_t digits = *len;
    while (digits && *len - digits < 2 && text[digits - 1] == '=')
        digits--;
    bool padded = digits != *len;
    bool wanted = kind == SKRFS_BASE64 && digits % 4;
    if (digits % 4 == 1 || ((padded || wanted) && *len % 4) || (padded && digits % 4 == 0))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "base64 text is cut off or wrongly padded (%zu characters)", *len);
    *len = digits;
    return 0;
}

static int decode_digits(enum skrfs_base64 kind, const char *text, size_t len, uint8_t *out,
        struct skrfs_error *err) {
    unsigned group = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned value = value_of(kind, (unsigned char)text[i]);
        if (value > 63)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                    "base64 text has a wrong character at offset %zu", i);
        group = (group << 6 | value) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *out++ = (uint8_t)(group >> bits);
        }
    }
    if (group & ((1U << bits) - 1))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "base64 text has bits set past its end");
    return 0;
}

int skrfs_base64_decode(enum skrfs_base64 kind, const char *text, size_t len, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (strip_padding(kind, text, &len, err))
        return -1;
    if (kind == SKRFS_BASE64_ANY)
        kind = alphabet(text, len);
    size_t before = out->len;
    uint8_t *space;
    if (skrfs_buf_extend(out, len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0), &space, err))
        return -1;
    if (decode_digits(kind, text, len, space, err)) {
        skrfs_buf_truncate(out, before);
        return -1;
    }
    return 0;
}

static char hex_digit(unsigned value) {
    return (char)((within(value, 0, 9) & (value + '0')) |
                  (within(value, 10, 15) & (value - 10 + 'a')));
}

void skrfs_hex_encode(const void *data, size_t len, char *out) {
    const uint8_t *in = data;
    for (size_t i = 0; i < len; i++) {
        *out++ = hex_digit(in[i] >> 4);
        *out++ = hex_digit(in[i] & 15);
    }
    *out = '\0';
}

/* The four bits of a digit; 16 and above when it is none. */
static unsigned hex_value(unsigned char digit) {
    unsigned c = digit;
    unsigned number = within(c, '0', '9');
    unsigned upper = within(c, 'A', 'F');
    unsigned lower = within(c, 'a', 'f');
    unsigned value = (number & (c - '0')) | (upper & (c - 'A' + 10)) | (lower & (c - 'a' + 10));
    return value | (~(number | upper | lower) & 16);
}

static int check_hex(const char *text, size_t len, struct skrfs_error *err) {
    if (len > SIZE_MAX / 2 || strnlen(text, 2 * len + 1) != 2 * len)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "not %zu hexadecimal digits", 2 * len);
    unsigned wrong = 0;
    for (size_t i = 0; i < 2 * len; i++)
        wrong |= hex_value((unsigned char)text[i]) & 16;
    if (wrong)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "a character that is no hexadecimal digit");
    return 0;
}

int skrfs_hex_decode(const char *text, void *out, size_t len, struct skrfs_error *err) {
    if (check_hex(text, len, err))
        return -1;
    uint8_t *octets = out;
    for (size_t i = 0; i < len; i++)
        octets[i] = (uint8_t)(hex_value((unsigned char)text[2 * i]) << 4 |
                              hex_value((unsigned char)text[2 * i + 1]));
    return 0;
}

void skrfs_text_clean(const char *text, size_t len, char *out, size_t size) {
    if (!size)
        return;
    size_t kept = len < size - 1 ? len : size - 1;
    for (size_t i = 0; i < kept; i++) {
        unsigned char c = (unsigned char)text[i];
        out[i] = (char)(c < 0x20 || c > 0x7e ? '?' : c);
    }
    out[kept] = '\0';
}
