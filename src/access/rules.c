/* The text of a list of rules: blanks between rules, '&' between the conditions of one, double
 * quotes around a value that has blanks or '&' in it. */
#include "internal.h"

#include <string.h>

#define BLANKS " \t"
#define WORD_MAX (SKRFS_PATH_MAX + 256)

struct reader {
    const char *text, *at;
    const struct skrfs_names *names;
    char word[WORD_MAX];
};

static void skip_blanks(struct reader *reader) {
    reader->at += strspn(reader->at, BLANKS);
}

static bool ends_word(char c) {
    return !c || strchr(BLANKS "&", c);
}

static int add_char(struct reader *reader, size_t *used, char c, struct skrfs_error *err) {
    if (*used + 1 >= sizeof reader->word)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "a condition is longer than %d", SKRFS_PATH_MAX);
    reader->word[(*used)++] = c;
    return 0;
}

/* Behind the quote that opens; \" and \\ stand for themselves. */
static int read_quoted(
        struct reader *reader, const char **at, size_t *used, struct skrfs_error *err) {
    const char *c = *at;
    for (; *c && *c != '"'; c++) {
        if (*c == '\\' && (c[1] == '"' || c[1] == '\\'))
            c++;
        if (add_char(reader, used, *c, err))
            return -1;
    }
    if (!*c)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "a '\"' is not closed");
    if (!ends_word(c[1]))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "behind the '\"' that closes a value, a blank or '&' is wanted, not '%.1s'", c + 1);
    *at = c;
    return 0;
}

/* The condition at the reader's place into reader->word; `at` moves behind it only when it is
 * well-formed, so that the place of a wrong one is known. */
static int read_word(struct reader *reader, const char **ret_end, struct skrfs_error *err) {
    const char *c = reader->at;
    size_t used = 0;
    if (*c == '"')
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "quotes stand around the value alone, as in exe:\"/opt/a b\"");
    for (; !ends_word(*c); c++) {
        bool value_begins =
                used && reader->word[used - 1] == ':' && !memchr(reader->word, ':', used - 1);
        if (*c == '"' && value_begins) {
            c++;
            if (read_quoted(reader, &c, &used, err))
                return -1;
        } else if (add_char(reader, &used, *c, err)) {
            return -1;
        }
    }
    reader->word[used] = 0;
    *ret_end = c;
    return 0;
}

static void rule_done(struct skrfs_rule *rule) {
    for (size_t i = 0; i < rule->count; i++)
        free(rule->conditions[i].text);
    free(rule->conditions);
    *rule = (struct skrfs_rule){0};
}

static int add_condition(struct reader *reader, struct skrfs_rule *rule, struct skrfs_error *err) {
    const char *end;
    if (rule->count == SKRFS_CONDITIONS_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "more than %d conditions in one rule",
                SKRFS_CONDITIONS_MAX);
    struct skrfs_condition *grown = realloc(rule->conditions, (rule->count + 1) * sizeof *grown);
    if (!grown)
        return skrfs_fail_memory(err);
    rule->conditions = grown;
    if (read_word(reader, &end, err) ||
            condition_parse(reader->word, reader->names, &grown[rule->count], err))
        return -1;
    rule->count++;
    reader->at = end;
    return 0;
}

/* Conditions joined by '&'; the reader's place is at the first one. */
static int read_rule(struct reader *reader, struct skrfs_rule *rule, struct skrfs_error *err) {
    for (;;) {
        if (*reader->at == '&')
            return skrfs_fail(
                    err, SKRFS_CLASS_CONFIG, "'&' wants a condition on either side of it");
        if (add_condition(reader, rule, err))
            return -1;
        const char *next = reader->at + strspn(reader->at, BLANKS);
        if (*next != '&')
            return 0;
        reader->at = next;
        next += 1 + strspn(next + 1, BLANKS);
        if (!*next)
            return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'&' wants a condition behind it");
        reader->at = next;
    }
}

static int add_rule(struct reader *reader, struct skrfs_rules *rules, struct skrfs_error *err) {
    struct skrfs_rule rule = {.column = (size_t)(reader->at - reader->text)};
    if (rules->count == SKRFS_RULES_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "more than %d rules in one list", SKRFS_RULES_MAX);
    struct skrfs_rule *grown = realloc(rules->rules, (rules->count + 1) * sizeof *grown);
    if (!grown)
        return skrfs_fail_memory(err);
    rules->rules = grown;
    if (read_rule(reader, &rule, err)) {
        rule_done(&rule);
        return -1;
    }
    rules->rules[rules->count++] = rule;
    return 0;
}

int skrfs_rules_parse(const char *text, const struct skrfs_names *names,
        struct skrfs_rules *ret_rules, size_t *ret_column, struct skrfs_error *err) {
    struct skrfs_rules rules = {0};
    struct reader reader = {.text = text, .at = text, .names = names};
    for (;;) {
        skip_blanks(&reader);
        if (!*reader.at)
            break;
        if (add_rule(&reader, &rules, err)) {
            skrfs_rules_done(&rules);
            *ret_column = (size_t)(reader.at - text);
            return -1;
        }
    }
    *ret_rules = rules;
    return 0;
}

void skrfs_rules_done(struct skrfs_rules *rules) {
    for (size_t i = 0; i < rules->count; i++)
        rule_done(&rules->rules[i]);
    free(rules->rules);
    *rules = (struct skrfs_rules){0};
}
