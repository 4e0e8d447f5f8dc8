#include "policy_input.h"

#include <stdio.h>
#include <string.h>

static const char *const levels[] = {
        [SKRFS_FINDING_NOTE] = "note",
        [SKRFS_FINDING_WARNING] = "warning",
        [SKRFS_FINDING_ERROR] = "error",
};

/* Lint's listener: writes each finding as compilers do, or as an object into a JSON array. */
struct listener {
    const char *path;
    struct skrfs_buf *out;
    struct skrfs_json *json; /* NULL: as compilers do */
    struct skrfs_error err;  /* why the last one could not be written */
    bool failed;
    size_t counts[SKRFS_ARRAY_LEN(levels)];
};

static int finding_json(struct listener *listener, enum skrfs_finding_level level, unsigned line,
        unsigned column, const char *text) {
    struct skrfs_json *object = NULL;
    if (skrfs_json_pack(&object, &listener->err, "{s:s, s:i, s:i, s:s, s:s}", "file",
                listener->path, "line", (int)line, "column", (int)column, "level", levels[level],
                "text", text) < 0) {
        return -1;
    }
    return skrfs_json_append(listener->json, object, &listener->err);
}

static int finding_text(struct listener *listener, enum skrfs_finding_level level, unsigned line,
        unsigned column, const char *text) {
    if (!line) {
        return skrfs_buf_printf(
                listener->out, &listener->err, "%s: %s: %s\n", listener->path, levels[level], text);
    }
    return skrfs_buf_printf(listener->out, &listener->err, "%s:%u:%u: %s: %s\n", listener->path,
            line, column, levels[level], text);
}

static void finding_write(void *context, enum skrfs_finding_level level, unsigned line,
        unsigned column, const char *text) {
    struct listener *listener = context;
    int result =
            (listener->json ? finding_json : finding_text)(listener, level, line, column, text);
    listener->failed = listener->failed || result < 0;
    listener->counts[level]++;
}

/* Lints a file and keeps its text; the listener's own failure wins over the policy's. */
static int lint_file(struct listener *listener, const char *path, struct skrfs_buf *text,
        struct skrfs_error *err) {
    if (policy_text_read(path, text, err) < 0) {
        return -1;
    }
    listener->path = policy_shown_path(path);
    int linted = skrfs_policy_lint(skrfs_buf_text(text), text->len, finding_write, listener, err);
    if (listener->failed) {
        *err = listener->err;
        return -1;
    }
    if (linted < 0) {
        err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(err, "%s", listener->path);
    }
    return 0;
}

int skrfs_policy_file(const char *path, struct skrfs_buf *out, struct skrfs_buf *ret_policy,
        struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
    struct listener listener = {.out = out};
    size_t comments = 0;
    if (lint_file(&listener, path, &text, err) < 0) {
        return -1;
    }
    return ret_policy ? skrfs_policy_strip_comments(
                                skrfs_buf_text(&text), text.len, ret_policy, &comments, err)
                      : 0;
}

struct lint_options {
    const char *level;
    bool json;
};

static int level_parse(
        const char *text, enum skrfs_finding_level *ret_level, struct skrfs_error *err) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(levels); i++) {
        if (strcmp(levels[i], text) == 0) {
            *ret_level = (enum skrfs_finding_level)i;
            return 0;
        }
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--level is error, warning or note, not '%s'", text);
}

/* Whether a file has findings of the level that fails. */
static bool is_wrong(const struct listener *listener, enum skrfs_finding_level level) {
    size_t count = 0;
    for (size_t i = level; i < SKRFS_ARRAY_LEN(levels); i++) {
        count += listener->counts[i];
    }
    return count > 0;
}

/* The findings of every file; how many of them are wrong, and the first reason in `err`. */
static int lint_files(const struct skrfs_call *call, enum skrfs_finding_level level,
        struct listener *all, struct skrfs_error *err) {
    int wrong = 0;
    for (int i = 0; i < call->count; i++) {
        struct skrfs_error own = {.kind = SKRFS_CLASS_BUG};
        skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
        struct listener listener = {.out = all->out, .json = all->json};
        int result = lint_file(&listener, call->operands[i], &text, &own);
        if (result == 0 && is_wrong(&listener, level)) {
            result = skrfs_fail(&own, SKRFS_CLASS_CONFIG, "%s: %zu warnings, %zu notes",
                    listener.path, listener.counts[SKRFS_FINDING_WARNING],
                    listener.counts[SKRFS_FINDING_NOTE]);
        }
        if (result < 0 && !listener.failed && !is_wrong(&listener, SKRFS_FINDING_NOTE)) {
            /* What cannot be read has a line too, beside others that may have many. */
            listener.path = policy_shown_path(call->operands[i]);
            finding_write(&listener, SKRFS_FINDING_ERROR, 0, 0, own.message);
        }
        if (result < 0 && wrong++ == 0) {
            *err = own;
        }
    }
    return wrong;
}

static int findings_print(struct listener *all, struct skrfs_error *err) {
    if (all->json && (skrfs_json_print(all->json, true, all->out, err) < 0 ||
                             skrfs_buf_append_text(all->out, "\n", err) < 0)) {
        return -1;
    }
    return skrfs_print(all->out, err);
}

static int lint_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct lint_options *options = call->options;
    enum skrfs_finding_level level = SKRFS_FINDING_ERROR;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    skrfs_autojson *json = NULL;
    struct skrfs_error print_error = {.kind = SKRFS_CLASS_BUG};
    if ((options->level && level_parse(options->level, &level, err) < 0) ||
            (options->json && skrfs_json_new_array(&json, err) < 0)) {
        return -1;
    }
    struct listener all = {.out = &out, .json = json};
    int wrong = lint_files(call, level, &all, err);
    if (findings_print(&all, &print_error) < 0) {
        *err = print_error;
        return -1;
    }
    if (wrong > 1) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%d of %d policies have findings of level %s",
                wrong, call->count, levels[level]);
    }
    return wrong ? -1 : 0;
}

static const struct skrfs_option lint_options[] = {
        {'l', "level", "LEVEL",
                "fail on findings from this level on: error (default), warning, note",
                SKRFS_OPTION_TEXT, offsetof(struct lint_options, level)},
        {'j', "json", NULL, "for a program to read", SKRFS_OPTION_FLAG,
                offsetof(struct lint_options, json)},
};

const struct skrfs_verb skrfs_verb_policy_lint = {
        .name = "policy lint",
        .summary = "check release policies before a vault sees them",
        .operands = "FILE...",
        .details = "Checks release policies and prints 'file:line:column: level: text' for each "
                   "finding. Fails when\n"
                   "a vault would refuse one; warnings alone do not fail unless --level says so.",
        .page = "skrfs-policy(8)",
        .least = 1,
        .most = 4096,
        .options = lint_options,
        .option_count = SKRFS_ARRAY_LEN(lint_options),
        .options_size = sizeof(struct lint_options),
        .run = lint_run,
};
