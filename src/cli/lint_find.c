#include "lint.h"

#include <skrfs/base/encode.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 2048

const char *const lint_levels[LINT_LEVELS] = {
        [LINT_NOTE] = "note",
        [LINT_WARNING] = "warning",
        [LINT_ERROR] = "error",
};

static int write_json(struct lint *lint, const struct skrfs_conf_place *place, const char *key,
        enum lint_level level, const char *id, const char *text) {
    struct skrfs_json *object = NULL;
    if (skrfs_json_pack(&object, &lint->err, "{s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "file",
                place->file, "line", (int64_t)place->line, "column", (int64_t)place->column, "key",
                key, "level", lint_levels[level], "id", id, "text", text) < 0) {
        return -1;
    }
    return skrfs_json_append(lint->json, object, &lint->err);
}

void lint_find(struct lint *lint, const struct lint_at *at, enum lint_level level, const char *id,
        const char *format, ...) {
    char text[TEXT_MAX], clean[TEXT_MAX];
    const char *key = lint->conf->keys[at->key].file;
    struct skrfs_conf_place place = {.file = lint->conf->source};
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    skrfs_text_clean(text, strlen(text), clean, sizeof(clean));
    /* What is by default stands nowhere: its section does. */
    if (!skrfs_conf_where(lint->map, key, at->name, at->column, &place)) {
        (void)skrfs_conf_where(lint->map, key, NULL, 0, &place);
    }
    int written = lint->json ? write_json(lint, &place, key, level, id, clean)
                             : skrfs_buf_printf(lint->out, &lint->err,
                                       "%s:%u:%u: %s: [key %s] %s (%s)\n", place.file, place.line,
                                       place.column, lint_levels[level], key, clean, id);
    lint->failed = lint->failed || written < 0;
    lint->counts[level]++;
}

bool lint_is_allow(const struct lint_rule *rule) {
    return strcmp(rule->at.name, "allow") == 0;
}

const struct skrfs_condition *lint_condition(
        const struct skrfs_rule *rule, enum skrfs_condition_kind kind) {
    for (size_t i = 0; i < rule->count; i++) {
        if (rule->conditions[i].kind == kind) {
            return &rule->conditions[i];
        }
    }
    return NULL;
}
