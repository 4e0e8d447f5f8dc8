#include "session.h"

#include <stdio.h>

struct rotate_options {
    const char *config, *vault;
    unsigned timeout_ms;
};

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct rotate_options *options = call->options;
    auto_vault_session session = {.conf = NULL};
    skrfs_autovaultkey key = {.exportable = false};
    if (vault_session_open(options->config, options->vault, options->timeout_ms, &session, err) <
            0) {
        return -1;
    }
    struct skrfs_progress *progress = skrfs_progress_start("rotating the key");
    int result = skrfs_cloud_key_rotate(session.network.cloud, session.vault, call->operands[0],
            session.deadline_ns, &key, err);
    skrfs_progress_stop(progress);
    if (result == 0) {
        (void)printf("%s\n", key.kid);
    }
    return result;
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct rotate_options, config)},
        {'V', "vault", "V", "section [vault V]; may be left out when there is one",
                SKRFS_OPTION_TEXT, offsetof(struct rotate_options, vault)},
        {'t', "timeout", "TIME", "longest wait (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct rotate_options, timeout_ms)},
};

const struct skrfs_verb skrfs_verb_key_rotate = {
        .name = "key rotate",
        .summary = "make a new version of a key",
        .operands = "NAME",
        .details = "Has the vault make a new version of key NAME, of the same type and under the "
                   "same policy, and\n"
                   "prints its identifier. Mounts serve it from their next refresh on; older "
                   "versions stay.",
        .page = "skrfs-key(8)",
        .least = 1,
        .most = 1,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct rotate_options),
        .run = verb_run,
};
