/* Forms (URL Standard, application/x-www-form-urlencoded). */
#include "entra.h"

#include <ctype.h>
#include <skrfs/base/encode.h>
#include <string.h>

#define FIELD_MAX ((size_t)32 * 1024)

void skrfs_lab_form_done(struct skrfs_lab_form *form) {
    for (size_t i = 0; i < form->count; i++) {
        skrfs_buf_done(&form->fields[i].name);
        skrfs_buf_done(&form->fields[i].value);
    }
    form->count = 0;
}

/* NUL octets are refused: the rest of a value would be overlooked behind one. */
static int unescape(const char *text, size_t len, struct skrfs_buf *out, struct skrfs_error *err) {
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        char digits[3] = {0};
        if (c == '+')
            c = ' ';
        if (c == '%') {
            if (len - i < 3)
                return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "an escape is cut off");
            memcpy(digits, text + i + 1, 2);
            if (skrfs_hex_decode(digits, &c, 1, err) < 0)
                return -1;
            i += 2;
        }
        if (c == 0)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "a field has a NUL in it");
        if (skrfs_buf_append(out, &c, 1, err) < 0)
            return -1;
    }
    return 0;
}

static int add_field(
        struct skrfs_lab_form *form, const char *text, size_t len, struct skrfs_error *err) {
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    if (form->count == SKRFS_LAB_FORM_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the form has too many fields");
    struct skrfs_buf *name = &form->fields[form->count].name;
    struct skrfs_buf *value = &form->fields[form->count].value;
    *name = SKRFS_BUF((size_t)128);
    *value = SKRFS_BUF(FIELD_MAX);
    form->count++;
    if (unescape(text, name_len, name, err) < 0 ||
            (equals && unescape(equals + 1, len - name_len - 1, value, err) < 0))
        return -1;
    for (size_t i = 0; i + 1 < form->count; i++)
        if (strcmp(skrfs_buf_text(&form->fields[i].name), skrfs_buf_text(name)) == 0)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "a field is there twice");
    return 0;
}

int skrfs_lab_form_parse(
        struct skrfs_bytes body, struct skrfs_lab_form *ret_form, struct skrfs_error *err) {
    const char *text = (const char *)body.data;
    size_t left = body.len;
    while (left > 0) {
        const char *end = memchr(text, '&', left);
        size_t len = end ? (size_t)(end - text) : left;
        if (len > 0 && add_field(ret_form, text, len, err) < 0) {
            skrfs_lab_form_done(ret_form);
            return -1;
        }
        text += len;
        left -= len;
        if (end) {
            text++;
            left--;
        }
    }
    return 0;
}

const char *skrfs_lab_form_get(const struct skrfs_lab_form *form, const char *name) {
    for (size_t i = 0; i < form->count; i++)
        if (strcmp(skrfs_buf_text(&form->fields[i].name), name) == 0)
            return form->fields[i].value.len ? skrfs_buf_text(&form->fields[i].value) : NULL;
    return NULL;
}
