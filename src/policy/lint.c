#include "lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void skrfs_lint_add(struct lint *lint, enum skrfs_finding_level level, unsigned line,
        unsigned column, const char *text) {
    if (lint->count == lint->room) {
        size_t room = lint->room ? lint->room * 2 : 16;
        struct finding *more = realloc(lint->findings, room * sizeof(*more));
        if (!more) {
            lint->no_memory = true;
            return;
        }
        lint->findings = more;
        lint->room = room;
    }
    struct finding *next = &lint->findings[lint->count];
    next->level = level;
    next->line = line;
    next->column = column;
    next->text = strdup(text);
    lint->no_memory = lint->no_memory || !next->text;
    lint->count += next->text != NULL;
}

static void add_at(
        struct lint *lint, enum skrfs_finding_level level, const char *path, const char *text) {
    unsigned line = 0, column = 0;
    if (!skrfs_policy_locate(lint->text, lint->len, path, &line, &column))
        line = column = 0;
    skrfs_lint_add(lint, level, line, column, text);
}

void skrfs_lint_say(struct lint *lint, enum skrfs_finding_level level, const char *member,
        const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t before = strlen(lint->path);
    if (member)
        before = skrfs_path_member(lint->path, member);
    add_at(lint, level, lint->path, text);
    if (level == SKRFS_FINDING_ERROR && !lint->refused) {
        lint->refused = true;
        skrfs_fail(lint->err, SKRFS_CLASS_BAD_ANSWER, "release policy: %s%s%s", lint->path,
                *lint->path ? ": " : "", text);
    }
    lint->path[before] = '\0';
}

static void on_error(void *context, const char *path, const char *text) {
    add_at(context, SKRFS_FINDING_ERROR, path, text);
}

static void on_comment(void *context, unsigned line, unsigned column) {
    skrfs_lint_add(context, SKRFS_FINDING_NOTE, line, column,
            "a comment: removed before the policy goes to a vault, which takes none");
}

/* The json room's message has the place in it. */
static void on_syntax(struct lint *lint, const struct skrfs_error *err) {
    unsigned line = 0, column = 0;
    const char *place = strstr(err->message, "line ");
    if (!place ||
            sscanf(place, "line %u%*[, ]column %u", &line, &column) != 2) // NOLINT(cert-err34-c)
        line = column = 0;
    const char *text = line ? strstr(place, ": ") : NULL;
    column += line && !column; /* of an empty text */
    skrfs_lint_add(lint, SKRFS_FINDING_ERROR, line, column, text ? text + 2 : err->message);
}

static void lint_condition(struct lint *lint, const struct condition *condition) {
    if (condition->kind == CONDITION_CLAIM) {
        if (condition->claim && condition->value)
            skrfs_lint_claim(lint, condition);
        return;
    }
    const char *name = skrfs_policy_list_name(condition);
    if (condition->lower)
        skrfs_lint_say(lint, SKRFS_FINDING_WARNING, name,
                "'%s' is the grammar's spelling, every known policy's is '%s': write that", name,
                condition->kind == CONDITION_ANY ? "anyOf" : "allOf");
    size_t before = skrfs_path_member(lint->path, name);
    for (size_t i = 0; i < condition->count; i++) {
        size_t outer = skrfs_path_element(lint->path, i);
        lint_condition(lint, &condition->children[i]);
        lint->path[outer] = '\0';
    }
    lint->path[before] = '\0';
}

static void on_host(void *context, enum skrfs_finding_level level, const char *text) {
    skrfs_lint_say(context, level, "authority", "%s", text);
}

static void lint_url(struct lint *lint, const struct skrfs_policy *policy, size_t index) {
    const char *url = policy->authorities[index].url;
    if (!url)
        return;
    if (strpbrk(url, "<>") || strstr(url, "${") || strstr(url, "{{"))
        skrfs_lint_say(lint, SKRFS_FINDING_WARNING, "authority",
                "looks like a placeholder that was not filled in");
    else
        skrfs_policy_check_host(url, on_host, lint);
    for (size_t i = 0; i < index; i++) {
        const char *earlier = policy->authorities[i].url;
        if (earlier && skrfs_policy_same_issuer(earlier, url)) {
            skrfs_lint_say(lint, SKRFS_FINDING_NOTE, "authority",
                    "stands in the policy more than once: its token has to meet one of them");
            return;
        }
    }
}

static void lint_authorities(
        struct lint *lint, const struct skrfs_policy *policy, const char *list) {
    size_t before = skrfs_path_member(lint->path, list);
    for (size_t i = 0; i < policy->count; i++) {
        size_t outer = skrfs_path_element(lint->path, i);
        lint_url(lint, policy, i);
        if (policy->authorities[i].root.count > 0) {
            lint_condition(lint, &policy->authorities[i].root);
            skrfs_lint_authority(lint, &policy->authorities[i]);
        }
        lint->path[outer] = '\0';
    }
    lint->path[before] = '\0';
}

/* The lists of a key import configuration: only what each claim is can be said of them. */
static void lint_import(struct lint *lint, const struct skrfs_policy *policy) {
    if (policy->count == 0)
        return;
    const struct condition *any = &policy->authorities->root;
    size_t before = skrfs_path_member(lint->path, "claims");
    for (size_t i = 0; i < any->count; i++) {
        size_t outer = skrfs_path_element(lint->path, i);
        for (size_t j = 0; j < any->children[i].count; j++) {
            size_t inner = skrfs_path_element(lint->path, j);
            lint_condition(lint, &any->children[i].children[j]);
            lint->path[inner] = '\0';
        }
        lint->path[outer] = '\0';
    }
    lint->path[before] = '\0';
}

static int lint_tree(struct lint *lint, const struct skrfs_json *json, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = calloc(1, sizeof(*policy));
    if (!policy)
        return skrfs_fail_memory(err);
    struct reader reader = {.err = err, .on_error = on_error, .context = lint};
    enum skrfs_policy_kind kind = skrfs_policy_kind_of(json);
    skrfs_policy_read(&reader, json, policy);
    lint->refused = reader.failed;
    if (kind == SKRFS_POLICY_KIND_IMPORT) {
        struct skrfs_error inner = {.kind = SKRFS_CLASS_BUG};
        struct reader again = {.err = &inner, .on_error = on_error, .context = lint};
        skrfs_policy_read_import(&again, json, policy);
        lint_import(lint, policy);
    } else if (kind == SKRFS_POLICY_KIND_POLICY) {
        if (policy->old_version)
            skrfs_lint_say(lint, SKRFS_FINDING_ERROR, "version",
                    "is the old preview's: write \"1.0.0\", and conditions as {\"claim\": ..., "
                    "\"equals\": ...}");
        bool lower = !skrfs_json_get(json, "anyOf");
        if (lower && policy->count)
            skrfs_lint_say(lint, SKRFS_FINDING_WARNING, "anyof",
                    "'anyof' is the grammar's spelling, every known policy's is 'anyOf': write "
                    "that");
        lint_authorities(lint, policy, lower ? "anyof" : "anyOf");
    }
    return lint->refused ? -1 : 0;
}

static int lint_text(struct lint *lint, const char *text, size_t len, struct skrfs_error *err) {
    if (len > SKRFS_POLICY_MAX) {
        skrfs_lint_add(lint, SKRFS_FINDING_ERROR, 0, 0, "is too long for a release policy");
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "release policy: longer than %zu octets",
                SKRFS_POLICY_MAX);
    }
    skrfs_autobuf plain = SKRFS_BUF(SKRFS_POLICY_MAX);
    skrfs_autojson *json = NULL;
    if (skrfs_policy_blank_comments(text, len, &plain, on_comment, lint, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&plain), plain.len, SKRFS_POLICY_MAX, &json, err) < 0) {
        on_syntax(lint, err);
        return skrfs_wrap(err, "release policy");
    }
    lint->text = skrfs_buf_text(&plain);
    lint->len = plain.len;
    return lint_tree(lint, json, err);
}

static int by_place(const void *a, const void *b) {
    const struct finding *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    if (x->level != y->level)
        return x->level > y->level ? -1 : 1;
    return strcmp(x->text, y->text);
}

int skrfs_policy_lint(const char *text, size_t len, skrfs_finding_fn *finding, void *context,
        struct skrfs_error *err) {
    struct lint lint = {.err = err};
    int result = lint_text(&lint, text, len, err);
    if (lint.count)
        qsort(lint.findings, lint.count, sizeof(*lint.findings), by_place);
    for (size_t i = 0; i < lint.count; i++) {
        const struct finding *found = &lint.findings[i];
        finding(context, found->level, found->line, found->column, found->text);
        free(found->text);
    }
    free(lint.findings);
    return lint.no_memory ? skrfs_fail_memory(err) : result;
}
