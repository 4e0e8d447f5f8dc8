#include "verbs.h"

#include <skrfs/base/file.h>
#include <skrfs/cli/status.h>
#include <skrfs/json/json.h>
#include <string.h>

#define STATUS_MAX ((size_t)64 * 1024 * 1024) /* 100000 keys */

struct status_options {
    const char *config;
    bool json;
};

int skrfs_status_read(const char *mount, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(8192);
    if (skrfs_buf_printf(&path, err, "%s/status/status.json", mount) < 0) {
        return -1;
    }
    if (skrfs_file_read(skrfs_buf_text(&path), out, err) == 0) {
        return 0;
    }
    return skrfs_status_failed(mount, err);
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct status_options *options = call->options;
    skrfs_autofree char *mount = NULL;
    skrfs_autobuf text = SKRFS_BUF(STATUS_MAX), out = SKRFS_BUF(STATUS_MAX);
    skrfs_autojson *status = NULL;
    if (skrfs_mount_find(call->count ? call->operands[0] : NULL, options->config, &mount, err) <
                    0 ||
            skrfs_status_read(mount, &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, STATUS_MAX, &status, err) < 0) {
        return -1;
    }
    skrfs_lab_note(skrfs_json_string(skrfs_json_get(status, "lab")));
    int made = options->json ? skrfs_json_print(status, isatty(STDOUT_FILENO), &out, err)
                             : skrfs_status_print(status, mount, skrfs_columns(STDOUT_FILENO),
                                       skrfs_colours(STDOUT_FILENO), &out, err);
    if (made < 0 || (options->json && skrfs_buf_append_text(&out, "\n", err) < 0)) {
        return -1;
    }
    return skrfs_print(&out, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct status_options, config)},
        {'j', "json", NULL, "status/status.json as it is, for a program to read", SKRFS_OPTION_FLAG,
                offsetof(struct status_options, json)},
};

const struct skrfs_verb skrfs_verb_status = {
        .name = "status",
        .summary = "show how a mount and its keys are",
        .operands = "[MOUNTPOINT]",
        .details = "Shows the health of a mount and, key by key, state, version, age and the last "
                   "error. Without\n"
                   "MOUNTPOINT the configured mount is meant, or the only one there is.",
        .page = "skrfs-status(8)",
        .most = 1,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct status_options),
        .run = verb_run,
};
