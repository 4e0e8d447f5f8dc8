#include "room.h"

#include <string.h>

static bool is_tail(const unsigned char *at, const unsigned char *end) {
    return at < end && (*at & 0xc0) == 0x80;
}

/* The length of the character at `at`, 0 when it is not UTF-8 (RFC 3629: shortest form, no
 * surrogates, nothing above U+10FFFF). */
static size_t utf8_len(const unsigned char *at, const unsigned char *end) {
    if (*at < 0x80)
        return 1;
    if (*at < 0xc2 || *at > 0xf4)
        return 0;
    size_t len = *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < len; i++)
        if (!is_tail(at + i, end))
            return 0;
    unsigned second = at[1];
    if ((*at == 0xe0 && second < 0xa0) || (*at == 0xed && second > 0x9f) ||
            (*at == 0xf0 && second < 0x90) || (*at == 0xf4 && second > 0x8f))
        return 0;
    return len;
}

int conf_check_text(const char *name, const char *text, size_t len, struct skrfs_error *err) {
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + len;
    const unsigned char *line = at;
    struct place place = {.file = name, .line = 1};
    while (at < end) {
        size_t octets = utf8_len(at, end);
        place.column = (unsigned)(at - line) + 1;
        if (!octets)
            return conf_fail_at(err, &place, "this is not UTF-8");
        if ((*at < 0x20 && !strchr("\t\r\n", *at)) || *at == 0x7f || !*at)
            return conf_fail_at(err, &place, "a control character (%u)", *at);
        if (*at == '\n') {
            place.line++;
            line = at + 1;
        }
        at += octets;
    }
    return 0;
}
