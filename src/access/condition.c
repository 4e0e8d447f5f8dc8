/* One condition of a rule, from its text. What could never be true is refused: it would be a rule
 * that nobody notices to be none. */
#include "internal.h"

#include <ctype.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/nearest.h>
#include <string.h>

#define CONTAINER_MIN 12

static int parse_number(const char *text, uint64_t limit, uint64_t *ret_value) {
    uint64_t value = 0;
    if (!*text)
        return -1;
    for (; *text; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (*text < '0' || *text > '9' || value > (limit - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return 0;
}

static int take_text(
        struct skrfs_condition *condition, const char *value, struct skrfs_error *err) {
    condition->text = strdup(value);
    return condition->text ? 0 : skrfs_fail_memory(err);
}

static void lower(char *text) {
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

static bool is_hex(const char *text) {
    return text[strspn(text, "0123456789abcdefABCDEF")] == 0;
}

static int parse_account(struct skrfs_condition *condition, const char *value,
        const struct skrfs_names *names, struct skrfs_error *err) {
    bool group = condition->kind == SKRFS_CONDITION_GROUP;
    const char *what = group ? "group" : "user";
    uint64_t number;
    /* (uid_t)-1 means "no change" to the kernel and is nobody. */
    if (parse_number(value, UINT32_MAX - 1, &number) == 0) {
        condition->id = (uint32_t)number;
        return 0;
    }
    if (!*value)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "'%s:' wants a name or a number behind it", what);
    if (isdigit((unsigned char)*value))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'%s' is no %s number", value, what);
    if (!names)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "%s '%s': names are not known here, give the number", what, value);
    if (group ? names->group(names->context, value, &condition->id)
              : names->user(names->context, value, &condition->id))
        return 0;
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "there is no %s '%s' on this machine", what, value);
}

/* As the kernel prints it: an absolute path without "//", "." and "..". */
static int check_parts(const char *word, const char *path, struct skrfs_error *err) {
    size_t len = strlen(path);
    const char *star = strchr(path, '*');
    if (path[0] != '/')
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'%s:%s' wants an absolute path", word, path);
    if (star && (star[1] || star[-1] != '/'))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s:%s': '*' may only be the last part, for all that is below a folder", word,
                path);
    if (strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../") ||
            (len >= 2 && !strcmp(path + len - 2, "/.")) ||
            (len >= 3 && !strcmp(path + len - 3, "/..")))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s:%s': write the path without '//', '.' and '..'", word, path);
    return 0;
}

static int parse_exe(
        struct skrfs_condition *condition, const char *value, struct skrfs_error *err) {
    size_t len = strlen(value);
    if (len >= SKRFS_PATH_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the path behind 'exe:' is longer than %d",
                SKRFS_PATH_MAX);
    if (check_parts("exe", value, err))
        return -1;
    if (value[len - 1] == '/')
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'exe:%s' names a folder; write '%s*' for all that is below it", value, value);
    return take_text(condition, value, err);
}

static int parse_cgroup(
        struct skrfs_condition *condition, const char *value, struct skrfs_error *err) {
    size_t len = strlen(value);
    if (len >= SKRFS_CGROUP_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the path behind 'cgroup:' is longer than %d",
                SKRFS_CGROUP_MAX);
    if (check_parts("cgroup", value, err))
        return -1;
    if (len > 1 && value[len - 1] == '/')
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'cgroup:%s': leave the last '/' off, or write '%s*' for all that is below it",
                value, value);
    return take_text(condition, value, err);
}

static int parse_sha256(
        struct skrfs_condition *condition, const char *value, struct skrfs_error *err) {
    struct skrfs_error ignored;
    if (skrfs_hex_decode(value, condition->sha256, sizeof condition->sha256, &ignored))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'sha256:' wants the 64 hexadecimal digits that sha256sum(1) prints for the "
                "executable");
    return 0;
}

static int parse_verity(
        struct skrfs_condition *condition, const char *value, struct skrfs_error *err) {
    static const struct {
        const char *name;
        size_t digits;
    } kinds[] = {{"sha256:", 64}, {"sha512:", 128}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i].name);
        if (strncmp(value, kinds[i].name, len) != 0 || strlen(value + len) != kinds[i].digits ||
                !is_hex(value + len))
            continue;
        if (take_text(condition, value, err))
            return -1;
        lower(condition->text);
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "'verity:' wants what `fsverity measure` prints: sha256: and 64 hexadecimal digits, or "
            "sha512: and 128");
}

/* Units that have processes (systemd.unit(5)). */
static bool is_unit_type(const char *name) {
    static const char *const types[] = {".service", ".scope", ".socket", ".mount", ".swap"};
    size_t len = strlen(name);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(types); i++) {
        size_t end = strlen(types[i]);
        if (len > end && !strcmp(name + len - end, types[i]))
            return true;
    }
    return false;
}

static int parse_unit(
        struct skrfs_condition *condition, const char *value, struct skrfs_error *err) {
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  ":-_.\\@*";
    const char *star = strchr(value, '*');
    if (strlen(value) >= SKRFS_UNIT_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the name behind 'unit:' is longer than %d",
                SKRFS_UNIT_MAX - 1);
    if (value[strspn(value, allowed)])
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'unit:%s': names of units are of letters, digits and :-_.\\@", value);
    if (!strchr(value, '.') && *value)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'unit:%s' wants the whole name; did you mean 'unit:%s.service'?", value, value);
    if (!is_unit_type(value))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'unit:%s' wants a unit that has processes: NAME.service, .scope, .socket, .mount "
                "or .swap",
                value);
    if (star && strchr(star + 1, '*'))
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "'unit:%s': one '*' may stand for a part, not two", value);
    return take_text(condition, value, err);
}

static int parse_container(
        struct skrfs_condition *condition, const char *value, struct skrfs_error *err) {
    size_t len = strlen(value);
    if (len < CONTAINER_MIN || len >= SKRFS_CONTAINER_MAX || !is_hex(value))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'container:%s' wants the container's id, %d to %d hexadecimal digits, as `podman "
                "ps --no-trunc` prints it; names are not known to the kernel",
                value, CONTAINER_MIN, SKRFS_CONTAINER_MAX - 1);
    if (take_text(condition, value, err))
        return -1;
    lower(condition->text);
    return 0;
}

static int parse_namespace(struct skrfs_condition *condition, const char *word, const char *value,
        struct skrfs_error *err) {
    if (!strcmp(value, "host"))
        return 0;
    if (parse_number(value, UINT64_MAX, &condition->inode) || condition->inode == 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s:%s' wants the namespace's number, as `lsns` prints it, or 'host'", word,
                value);
    return 0;
}

static int parse_label(
        struct skrfs_condition *condition, const char *value, struct skrfs_error *err) {
    const char *star = strchr(value, '*');
    if (!*value || (star && star[1]) || strlen(value) >= SKRFS_LABEL_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'label:%s' wants a label of at most %d characters, as in "
                "/proc/self/attr/current; a '*' may only be its end",
                value, SKRFS_LABEL_MAX - 1);
    return take_text(condition, value, err);
}

static const struct word {
    const char *text;
    enum skrfs_condition_kind kind;
    enum skrfs_namespace space;
} words[] = {
        {"user", SKRFS_CONDITION_USER, 0},
        {"group", SKRFS_CONDITION_GROUP, 0},
        {"exe", SKRFS_CONDITION_EXE, 0},
        {"sha256", SKRFS_CONDITION_SHA256, 0},
        {"verity", SKRFS_CONDITION_VERITY, 0},
        {"unit", SKRFS_CONDITION_UNIT, 0},
        {"cgroup", SKRFS_CONDITION_CGROUP, 0},
        {"container", SKRFS_CONDITION_CONTAINER, 0},
        {"mnt-ns", SKRFS_CONDITION_NAMESPACE, SKRFS_NS_MNT},
        {"pid-ns", SKRFS_CONDITION_NAMESPACE, SKRFS_NS_PID},
        {"user-ns", SKRFS_CONDITION_NAMESPACE, SKRFS_NS_USER},
        {"label", SKRFS_CONDITION_LABEL, 0},
        {"host", SKRFS_CONDITION_HOST, 0},
};

static const struct word *find_word(const char *text, size_t len) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(words); i++)
        if (strlen(words[i].text) == len && !strncmp(words[i].text, text, len))
            return &words[i];
    return NULL;
}

static int fail_unknown(const char *text, size_t len, struct skrfs_error *err) {
    const char *names[SKRFS_ARRAY_LEN(words)];
    char word[64];
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(words); i++)
        names[i] = words[i].text;
    skrfs_text_clean(text, len, word, sizeof word);
    const char *near = skrfs_nearest(word, names, SKRFS_ARRAY_LEN(names));
    if (near)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'%.64s' is no condition; did you mean '%s%s'?",
                text, near, strcmp(near, "host") ? ":" : "");
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "'%.64s' is no condition of a rule; conditions are user:NAME, group:NAME, exe:/PATH, "
            "sha256:DIGEST, verity:DIGEST, unit:NAME.service, cgroup:/PATH, container:ID, host, "
            "mnt-ns:, pid-ns: and user-ns:NUMBER and label:TEXT",
            text);
}

static int parse_value(struct skrfs_condition *condition, const char *word, const char *value,
        const struct skrfs_names *names, struct skrfs_error *err) {
    switch (condition->kind) {
    case SKRFS_CONDITION_USER:
    case SKRFS_CONDITION_GROUP:
        return parse_account(condition, value, names, err);
    case SKRFS_CONDITION_EXE:
        return parse_exe(condition, value, err);
    case SKRFS_CONDITION_SHA256:
        return parse_sha256(condition, value, err);
    case SKRFS_CONDITION_VERITY:
        return parse_verity(condition, value, err);
    case SKRFS_CONDITION_UNIT:
        return parse_unit(condition, value, err);
    case SKRFS_CONDITION_CGROUP:
        return parse_cgroup(condition, value, err);
    case SKRFS_CONDITION_CONTAINER:
        return parse_container(condition, value, err);
    case SKRFS_CONDITION_NAMESPACE:
        return parse_namespace(condition, word, value, err);
    case SKRFS_CONDITION_LABEL:
        return parse_label(condition, value, err);
    case SKRFS_CONDITION_HOST:
        break;
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'host' stands alone, without ':' and a value");
}

int condition_parse(const char *text, const struct skrfs_names *names,
        struct skrfs_condition *ret_condition, struct skrfs_error *err) {
    size_t len = strcspn(text, ":");
    const struct word *word = find_word(text, len);
    if (!word)
        return fail_unknown(text, len, err);
    struct skrfs_condition condition = {.kind = word->kind, .space = word->space};
    if (!text[len] && word->kind != SKRFS_CONDITION_HOST)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s' wants a ':' and a value behind it, without a blank between", word->text);
    if (text[len] && parse_value(&condition, word->text, text + len + 1, names, err))
        return -1;
    *ret_condition = condition;
    return 0;
}
