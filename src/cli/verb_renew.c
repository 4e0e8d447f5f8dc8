#include "verbs.h"

#include <skrfs/fs/fs.h>

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct skrfs_command_options *options = call->options;
    if (skrfs_key_command(call, options, SKRFS_IOC_RENEW, "renew", err) == 0) {
        return 0;
    }
    if (err->errnum == EKEYREVOKED) {
        return skrfs_fail(err, SKRFS_CLASS_REVOKED,
                "%s gone: the time of its 'until' lies behind us, or its unit is active; "
                "'skrfs why' says which",
                options->all ? "not every key could be renewed, some stay" : "the key stays");
    }
    if (err->errnum == EINVAL) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the key has neither 'reads' nor 'until' that could be renewed");
    }
    return -1;
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct skrfs_command_options, config)},
        {'a', "all", NULL, "renew every key of the mount", SKRFS_OPTION_FLAG,
                offsetof(struct skrfs_command_options, all)},
};

const struct skrfs_verb skrfs_verb_renew = {
        .name = "renew",
        .summary = "give a key back that its limits took",
        .operands = "NAME [MOUNTPOINT]",
        .details = "Lets the key NAME, or with --all every key, of a mount be opened again that "
                   "'reads' or 'until' took\n"
                   "back: its count begins at none, and its time now.",
        .page = "skrfs-status(8)",
        .most = 2,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct skrfs_command_options),
        .run = verb_run,
};
