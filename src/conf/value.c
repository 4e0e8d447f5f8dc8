#include "room.h"

#include <limits.h>
#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>

bool conf_is_word(const char *text, const char *allowed, size_t max) {
    size_t len = strspn(text, allowed);
    return len > 0 && len <= max && !text[len];
}

int conf_take_text(const struct value *value, char **ret_text, struct skrfs_error *err) {
    if (!value)
        return 0;
    char *copy = strdup(value->text);
    if (!copy)
        return skrfs_fail_memory(err);
    free(*ret_text);
    *ret_text = copy;
    return 0;
}

int conf_take_path(const struct value *value, char **ret_path, struct skrfs_error *err) {
    if (!value)
        return 0;
    if (value->text[0] != '/')
        return conf_fail_at(err, &value->place, "'%s' is a path from the root: /...", value->name);
    if (strlen(value->text) >= PATH_MAX)
        return conf_fail_at(err, &value->place, "'%s' is too long a path", value->name);
    return conf_take_text(value, ret_path, err);
}

int conf_take_duration(const struct value *value, uint64_t *ret_ns, struct skrfs_error *err) {
    if (value && !skrfs_parse_duration(value->text, ret_ns))
        return conf_fail_at(err, &value->place,
                "'%s' is a time: a number of seconds, or 90s, 15m, 1h, 7d", value->name);
    return 0;
}

int conf_take_bool(const struct value *value, bool *ret_bool, struct skrfs_error *err) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    if (!value)
        return 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(words); i++) {
        if (strcmp(words[i], value->text) == 0) {
            *ret_bool = i % 2;
            return 0;
        }
    }
    return conf_fail_at(err, &value->place, "'%s' is yes or no", value->name);
}

int conf_take_mode(const struct value *value, mode_t *ret_mode, struct skrfs_error *err) {
    if (!value)
        return 0;
    if (!conf_is_word(value->text, "01234567", 4))
        return conf_fail_at(err, &value->place, "'mode' is an octal number such as 0400 or 0440");
    mode_t mode = (mode_t)strtoul(value->text, NULL, 8);
    if (!mode || mode & ~(mode_t)0444)
        return conf_fail_at(err, &value->place,
                "'mode' %s: a key can only be read; use 0400, 0440 or 0444", value->text);
    *ret_mode = mode;
    return 0;
}

/* "a, b or c" of a list that ends with a NULL. */
static void name_all(const char *const *words, char *out, size_t size) {
    size_t at = 0;
    for (size_t i = 0; words[i] && at < size; i++) {
        const char *joint = i == 0 ? "" : words[i + 1] ? ", " : " or ";
        int len = snprintf(out + at, size - at, "%s%s", joint, words[i]);
        at += len > 0 ? (size_t)len : 0;
    }
}

int conf_take_word(const struct value *value, const char *const *words, char **ret_text,
        struct skrfs_error *err) {
    char all[256];
    if (!value)
        return 0;
    for (size_t i = 0; words[i]; i++)
        if (strcmp(words[i], value->text) == 0)
            return conf_take_text(value, ret_text, err);
    name_all(words, all, sizeof(all));
    const char *near = conf_nearest(value->text, words);
    return conf_fail_at(err, &value->place, "'%s' is %s%s%s%s", value->name, all,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

#define ID_MAX 253 /* a domain's name */

int conf_take_id(const struct value *value, char **ret_text, struct skrfs_error *err) {
    if (value && !conf_is_word(value->text, LETTERS_DIGITS "-.", ID_MAX))
        return conf_fail_at(err, &value->place,
                "'%s' is an identifier such as 11111111-2222-3333-4444-555555555555", value->name);
    return conf_take_text(value, ret_text, err);
}
