#include "verbs.h"

#include <skrfs/fs/fs.h>

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    return skrfs_key_command(call, call->options, SKRFS_IOC_WIPE, "wipe", err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct skrfs_command_options, config)},
        {'a', "all", NULL, "wipe every key of the mount", SKRFS_OPTION_FLAG,
                offsetof(struct skrfs_command_options, all)},
};

const struct skrfs_verb skrfs_verb_wipe = {
        .name = "wipe",
        .summary = "take a key back: wipe it from memory",
        .operands = "NAME [MOUNTPOINT]",
        .details = "Wipes the key NAME, or with --all every key, from the memory of a mount. What "
                   "is open "
                   "can no longer\n"
                   "be read (EKEYREVOKED); the next open releases the key again.",
        .page = "skrfs-status(8)",
        .most = 2,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct skrfs_command_options),
        .run = verb_run,
};
