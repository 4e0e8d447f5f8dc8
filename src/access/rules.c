#include <ctype.h>
#include <skrfs/access/access.h>
#include <skrfs/base/cleanup.h>
#include <string.h>

#define NAME_MAX_LEN 256

static int parse_id(const char *text, uint32_t *ret_id) {
    uint64_t value = 0;
    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        value = value * 10 + (uint64_t)(*text - '0');
        /* (uid_t)-1 means "no change" to the kernel and is nobody. */
        if (value >= UINT32_MAX)
            return -1;
    }
    *ret_id = (uint32_t)value;
    return 0;
}

static int parse_account(const char *value, bool group, const struct skrfs_names *names,
        uint32_t *ret_id, struct skrfs_error *err) {
    const char *what = group ? "group" : "user";
    if (parse_id(value, ret_id) == 0)
        return 0;
    if (!*value)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "'%s:' wants a name or a number behind it", what);
    if (isdigit((unsigned char)*value))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'%s' is no %s number", value, what);
    if (!names)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "%s '%s': names are not known here, give the number", what, value);
    bool found = group ? names->group(names->context, value, ret_id)
                       : names->user(names->context, value, ret_id);
    if (!found)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "there is no %s '%s' on this machine", what, value);
    return 0;
}

/* A path that the kernel never prints in /proc/<pid>/exe would be a rule that never matches. */
static int check_path(const char *path, struct skrfs_error *err) {
    size_t len = strlen(path);
    if (path[0] != '/')
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'exe:%s' wants an absolute path", path);
    if (len >= SKRFS_PATH_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the path of an 'exe:' rule is longer than %d",
                SKRFS_PATH_MAX);
    const char *star = strchr(path, '*');
    if (star && (star[1] || star[-1] != '/'))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'exe:%s': '*' may only be the last part, for all that is below a folder", path);
    if (strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../"))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'exe:%s': write the path without '//', '.' and '..'", path);
    if (path[len - 1] == '/' || (len >= 2 && !strcmp(path + len - 2, "/.")) ||
            (len >= 3 && !strcmp(path + len - 3, "/..")))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'exe:%s' names a folder; write '/*' behind it for all that is below", path);
    return 0;
}

static int parse_path(const char *value, char **ret_path, struct skrfs_error *err) {
    if (check_path(value, err))
        return -1;
    char *path = strdup(value);
    if (!path)
        return skrfs_fail_memory(err);
    *ret_path = path;
    return 0;
}

static int parse_condition(const char *word, const struct skrfs_names *names,
        struct skrfs_condition *ret_condition, struct skrfs_error *err) {
    struct skrfs_condition condition = {0};
    if (!strncmp(word, "user:", 5)) {
        condition.kind = SKRFS_CONDITION_USER;
        if (parse_account(word + 5, false, names, &condition.id, err))
            return -1;
    } else if (!strncmp(word, "group:", 6)) {
        condition.kind = SKRFS_CONDITION_GROUP;
        if (parse_account(word + 6, true, names, &condition.id, err))
            return -1;
    } else if (!strncmp(word, "exe:", 4)) {
        condition.kind = SKRFS_CONDITION_EXE;
        if (parse_path(word + 4, &condition.text, err))
            return -1;
    } else {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%.64s' is no rule; rules are user:NAME, group:NAME and exe:/PATH", word);
    }
    *ret_condition = condition;
    return 0;
}

static int append_rule(struct skrfs_rules *rules, const char *word, size_t column,
        const struct skrfs_names *names, struct skrfs_error *err) {
    skrfs_autofree struct skrfs_condition *condition = calloc(1, sizeof *condition);
    if (!condition)
        return skrfs_fail_memory(err);
    if (rules->count == SKRFS_RULES_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "more than %d rules in one list", SKRFS_RULES_MAX);
    if (parse_condition(word, names, condition, err))
        return -1;
    struct skrfs_rule *grown = realloc(rules->rules, (rules->count + 1) * sizeof *grown);
    if (!grown) {
        free(condition->text);
        return skrfs_fail_memory(err);
    }
    rules->rules = grown;
    rules->rules[rules->count++] =
            (struct skrfs_rule){.conditions = skrfs_take(condition), .count = 1, .column = column};
    return 0;
}

static int parse_word(struct skrfs_rules *rules, const char *text, size_t column, size_t len,
        const struct skrfs_names *names, struct skrfs_error *err) {
    if (len >= SKRFS_PATH_MAX + NAME_MAX_LEN)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "a rule is longer than %d", SKRFS_PATH_MAX);
    skrfs_autofree char *word = strndup(text + column, len);
    if (!word)
        return skrfs_fail_memory(err);
    return append_rule(rules, word, column, names, err);
}

int skrfs_rules_parse(const char *text, const struct skrfs_names *names,
        struct skrfs_rules *ret_rules, size_t *ret_column, struct skrfs_error *err) {
    struct skrfs_rules rules = {0};
    const char *at = text;
    for (;;) {
        at += strspn(at, " \t");
        if (!*at)
            break;
        size_t len = strcspn(at, " \t");
        if (parse_word(&rules, text, (size_t)(at - text), len, names, err)) {
            skrfs_rules_done(&rules);
            *ret_column = (size_t)(at - text);
            return -1;
        }
        at += len;
    }
    *ret_rules = rules;
    return 0;
}

void skrfs_rules_done(struct skrfs_rules *rules) {
    for (size_t i = 0; i < rules->count; i++) {
        for (size_t k = 0; k < rules->rules[i].count; k++)
            free(rules->rules[i].conditions[k].text);
        free(rules->rules[i].conditions);
    }
    free(rules->rules);
    *rules = (struct skrfs_rules){0};
}
