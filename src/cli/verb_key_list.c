#include "session.h"

#include <stdio.h>

struct list_options {
    const char *config, *vault;
    unsigned timeout_ms;
    bool json;
};

struct list {
    struct skrfs_table table;
    struct skrfs_json *array; /* NULL: a table is wanted */
};

static int key_add(void *context, const char *kid, bool enabled, struct skrfs_error *err) {
    struct list *list = context;
    char name[SKRFS_KEY_NAME_MAX + 1];
    kid_name(kid, name, sizeof(name));
    if (!list->array) {
        const char *cells[] = {name, enabled ? "yes" : "no", kid};
        return skrfs_table_add(&list->table, cells, enabled ? NULL : SKRFS_STYLE_BAD, err);
    }
    struct skrfs_json *item = NULL;
    if (skrfs_json_pack(&item, err, "{s:s, s:s, s:b}", "name", name, "kid", kid, "enabled",
                (int)enabled) < 0) {
        return -1;
    }
    return skrfs_json_append(list->array, item, err);
}

static int list_print(const struct list *list, struct skrfs_error *err) {
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    if (!list->array) {
        return skrfs_table_print(&list->table, skrfs_columns(STDOUT_FILENO),
                       skrfs_colours(STDOUT_FILENO), &out, err) < 0
                       ? -1
                       : skrfs_print(&out, err);
    }
    if (skrfs_json_print(list->array, isatty(STDOUT_FILENO), &out, err) < 0 ||
            skrfs_buf_append_text(&out, "\n", err) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

static int list_fill(
        const struct list_options *options, struct list *list, struct skrfs_error *err) {
    static const char *const header[] = {"NAME", "ENABLED", "KID"};
    auto_vault_session session = {.conf = NULL};
    if (skrfs_table_add(&list->table, header, SKRFS_STYLE_BOLD, err) < 0 ||
            (options->json && skrfs_json_new_array(&list->array, err) < 0) ||
            vault_session_open(
                    options->config, options->vault, options->timeout_ms, &session, err) < 0) {
        return -1;
    }
    struct skrfs_progress *progress = skrfs_progress_start("asking the vault");
    int result = skrfs_cloud_key_list(
            session.network.cloud, session.vault, session.deadline_ns, key_add, list, err);
    skrfs_progress_stop(progress);
    return result;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    struct list list = {.table = {.columns = 3, .style_column = 1}};
    int result = list_fill(call->options, &list, err);
    if (result == 0) {
        result = list_print(&list, err);
    }
    skrfs_table_done(&list.table);
    if (list.array) {
        skrfs_json_free(list.array);
    }
    return result;
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct list_options, config)},
        {'V', "vault", "V", "section [vault V]; may be left out when there is one",
                SKRFS_OPTION_TEXT, offsetof(struct list_options, vault)},
        {'j', "json", NULL, "for a program to read", SKRFS_OPTION_FLAG,
                offsetof(struct list_options, json)},
        {'t', "timeout", "TIME", "longest wait (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct list_options, timeout_ms)},
};

const struct skrfs_verb skrfs_verb_key_list = {
        .name = "key list",
        .summary = "list the keys of a vault",
        .operands = "",
        .details = "Lists every key of a vault. Nothing is released.",
        .page = "skrfs-key(8)",
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct list_options),
        .run = verb_run,
};
