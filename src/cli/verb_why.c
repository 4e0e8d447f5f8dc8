#include "verbs.h"

#include <skrfs/base/file.h>

#define WHY_MAX ((size_t)256 * 1024)

struct why_options {
    const char *config;
};

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct why_options *options = call->options;
    const char *name = call->operands[0];
    skrfs_autofree char *mount = NULL;
    skrfs_autobuf path = SKRFS_BUF(8192), text = SKRFS_BUF(WHY_MAX);
    if (skrfs_mount_find(call->count > 1 ? call->operands[1] : NULL, options->config, &mount, err) <
                    0 ||
            skrfs_why_path(mount, name, &path, err) < 0) {
        return -1;
    }
    if (skrfs_file_read(skrfs_buf_text(&path), &text, err) < 0) {
        return skrfs_status_failed(mount, err);
    }
    return skrfs_print(&text, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct why_options, config)},
};

const struct skrfs_verb skrfs_verb_why = {
        .name = "why",
        .summary = "show a key's last release step by step",
        .operands = "NAME [MOUNTPOINT]",
        .details = "Shows the steps of the last attempt to release the key NAME, how long each "
                   "took and, when it\n"
                   "failed, which step and why.",
        .page = "skrfs-status(8)",
        .least = 1,
        .most = 2,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct why_options),
        .run = verb_run,
};
