/* Rules and callers as text for people. */
#include "internal.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

#define SHORT_ID 12 /* of a container, as its tools print it */

const char *skrfs_fact_name(enum skrfs_fact fact) {
    switch (fact) {
    case SKRFS_FACT_GROUPS:
        return "groups";
    case SKRFS_FACT_EXE:
        return "executable";
    case SKRFS_FACT_SHA256:
        return "executable's digest";
    case SKRFS_FACT_VERITY:
        return "executable's fs-verity digest";
    case SKRFS_FACT_CGROUP:
        return "control group";
    case SKRFS_FACT_NAMESPACES:
        return "namespaces";
    case SKRFS_FACT_LABEL:
        return "security label";
    }
    return "identity";
}

/* Text that is appended to until its room is full. */
struct line {
    char *out;
    size_t size, used;
};

static void add_char(struct line *line, char c) {
    if (line->used + 1 < line->size) {
        line->out[line->used++] = c;
        line->out[line->used] = 0;
    }
}

static void add(struct line *line, const char *text) {
    for (; *text; text++)
        add_char(line, *text);
}

/* In quotes when it would not be read back otherwise. */
static void add_value(struct line *line, const char *text) {
    char clean[SKRFS_RULE_TEXT_MAX];
    skrfs_text_clean(text, strlen(text), clean, sizeof clean);
    if (clean[0] != '"' && !strpbrk(clean, " \t&")) {
        add(line, clean);
        return;
    }
    add_char(line, '"');
    for (const char *c = clean; *c; c++) {
        if (*c == '"' || *c == '\\')
            add_char(line, '\\');
        add_char(line, *c);
    }
    add_char(line, '"');
}

static void add_number(struct line *line, const char *word, uint64_t number) {
    char text[48];
    (void)snprintf(text, sizeof text, "%s:%llu", word, (unsigned long long)number);
    add(line, text);
}

static void add_sha256(struct line *line, const uint8_t digest[32]) {
    char text[65];
    skrfs_hex_encode(digest, 32, text);
    add(line, "sha256:");
    add(line, text);
}

static void add_namespace(struct line *line, const struct skrfs_condition *condition) {
    static const char *const names[SKRFS_NS_COUNT] = {"mnt-ns", "pid-ns", "user-ns"};
    const char *name = names[condition->space];
    if (condition->inode)
        add_number(line, name, condition->inode);
    else {
        add(line, name);
        add(line, ":host");
    }
}

static void add_condition(struct line *line, const struct skrfs_condition *condition) {
    static const char *const words[] = {
            [SKRFS_CONDITION_EXE] = "exe:",
            [SKRFS_CONDITION_VERITY] = "verity:",
            [SKRFS_CONDITION_UNIT] = "unit:",
            [SKRFS_CONDITION_CGROUP] = "cgroup:",
            [SKRFS_CONDITION_CONTAINER] = "container:",
            [SKRFS_CONDITION_LABEL] = "label:",
    };
    switch (condition->kind) {
    case SKRFS_CONDITION_USER:
        add_number(line, "user", condition->id);
        break;
    case SKRFS_CONDITION_GROUP:
        add_number(line, "group", condition->id);
        break;
    case SKRFS_CONDITION_SHA256:
        add_sha256(line, condition->sha256);
        break;
    case SKRFS_CONDITION_HOST:
        add(line, "host");
        break;
    case SKRFS_CONDITION_NAMESPACE:
        add_namespace(line, condition);
        break;
    default:
        add(line, words[condition->kind]);
        add_value(line, condition->text);
        break;
    }
}

void skrfs_rule_print(const struct skrfs_rule *rule, char *out, size_t size) {
    struct line line = {.out = out, .size = size};
    if (size)
        out[0] = 0;
    for (size_t i = 0; i < rule->count; i++) {
        if (i)
            add(&line, " & ");
        add_condition(&line, &rule->conditions[i]);
    }
}

static void add_named(struct line *line, const char *word, const char *text, size_t most) {
    char clean[256];
    size_t len = strlen(text);
    skrfs_text_clean(text, len < most ? len : most, clean, sizeof clean);
    add(line, word);
    add(line, clean);
}

void skrfs_caller_print(const struct skrfs_caller *caller, char *out, size_t size) {
    struct line line = {.out = out, .size = size};
    char ids[64];
    (void)snprintf(
            ids, sizeof ids, "uid %u gid %u pid %d", caller->uid, caller->gid, (int)caller->pid);
    if (size)
        out[0] = 0;
    add(&line, ids);
    if (caller->known & SKRFS_FACT_EXE)
        add_named(&line, " exe ", caller->exe, sizeof caller->exe);
    if (caller->known & SKRFS_FACT_CGROUP && caller->unit[0])
        add_named(&line, " unit ", caller->unit, sizeof caller->unit);
    if (caller->known & SKRFS_FACT_CGROUP && caller->container[0])
        add_named(&line, " container ", caller->container,
                strlen(caller->container) == SKRFS_CONTAINER_MAX - 1 ? SHORT_ID
                                                                     : sizeof caller->container);
}
