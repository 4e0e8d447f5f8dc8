#include "lint.h"
#include "verbs.h"

#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>

struct lint_options {
    const char *config, *level;
    bool json;
};

static int level_parse(const char *text, enum lint_level *ret_level, struct skrfs_error *err) {
    for (size_t i = 0; i < LINT_LEVELS; i++) {
        if (strcmp(lint_levels[i], text) == 0) {
            *ret_level = (enum lint_level)i;
            return 0;
        }
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--level is error, warning or note, not '%s'", text);
}

static int look(struct lint *lint, struct skrfs_error *err) {
    lint_names_read(lint);
    for (size_t i = 0; i < lint->conf->key_count; i++) {
        lint_key(lint, i);
        lint_lists(lint, i);
    }
    lint_same_keys(lint);
    lint_names_done(lint);
    if (lint->failed) {
        *err = lint->err;
        return -1;
    }
    return 0;
}

static int print(struct lint *lint, struct skrfs_error *err) {
    if (lint->json && (skrfs_json_print(lint->json, isatty(STDOUT_FILENO), lint->out, err) < 0 ||
                              skrfs_buf_append_text(lint->out, "\n", err) < 0)) {
        return -1;
    }
    return skrfs_print(lint->out, err);
}

static int judge(const struct lint *lint, enum lint_level level, struct skrfs_error *err) {
    size_t count = 0;
    for (size_t i = level; i < LINT_LEVELS; i++) {
        count += lint->counts[i];
    }
    if (count == 0) {
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s: %zu errors, %zu warnings, %zu notes",
            lint->conf->source, lint->counts[LINT_ERROR], lint->counts[LINT_WARNING],
            lint->counts[LINT_NOTE]);
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct lint_options *options = call->options;
    enum lint_level level = LINT_WARNING;
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    SKRFS_CLEANUP(skrfs_conf_map_free_p) struct skrfs_conf_map *map = NULL;
    skrfs_autobuf out = SKRFS_BUF(4 * SKRFS_OUTPUT_MAX);
    skrfs_autojson *json = NULL;
    if ((options->level && level_parse(options->level, &level, err) < 0) ||
            (options->json && skrfs_json_new_array(&json, err) < 0) ||
            skrfs_conf_load_mapped(skrfs_config_path(options->config), &conf, &map, err) < 0) {
        return -1;
    }
    skrfs_autofree struct lint *lint = calloc(1, sizeof(*lint));
    if (!lint) {
        return skrfs_fail_memory(err);
    }
    *lint = (struct lint){
            .conf = conf, .map = map, .wall_s = skrfs_wall_s(), .out = &out, .json = json};
    return look(lint, err) < 0 || print(lint, err) < 0 ? -1 : judge(lint, level, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct lint_options, config)},
        {'j', "json", NULL, "for a program to read", SKRFS_OPTION_FLAG,
                offsetof(struct lint_options, json)},
        {'l', "level", "LEVEL",
                "fail on findings from this level on: error, warning (default), note",
                SKRFS_OPTION_TEXT, offsetof(struct lint_options, level)},
};

const struct skrfs_verb skrfs_verb_lint = {
        .name = "lint",
        .summary = "find rules that never match, and keys open to all",
        .operands = "",
        .details = "Checks who may read which key, against the users, groups, programs and units "
                   "of this machine, and\n"
                   "prints 'file:line:column: level: text (id)' for each finding. Release policies "
                   "are checked by\n"
                   "'skrfs policy lint'.",
        .page = "skrfs-access(8)",
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct lint_options),
        .run = verb_run,
};
