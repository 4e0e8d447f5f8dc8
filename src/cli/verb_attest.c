#include "verbs.h"

#include <skrfs/cli/claims.h>
#include <skrfs/skrfs.h>
#include <string.h>

struct attest_options {
    const char *config;
    unsigned timeout_ms;
    bool token;
};

SKRFS_DEFINE_CLEANUP(char, skrfs_token_free)

static int claims_print(const char *token, struct skrfs_error *err) {
    skrfs_autojson *claims = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_CLAIMS_MAX);
    if (skrfs_claims_parse(token, strlen(token), &claims, err) < 0 ||
            skrfs_json_print(claims, isatty(STDOUT_FILENO), &out, err) < 0 ||
            skrfs_buf_append_text(&out, "\n", err) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

static int token_print(const char *token, struct skrfs_error *err) {
    skrfs_autobuf out = SKRFS_BUF(SKRFS_CLAIMS_MAX);
    if (skrfs_buf_printf(&out, err, "%s\n", token) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct attest_options *options = call->options;
    SKRFS_CLEANUP(skrfs_token_free_p) char *token = NULL;
    if (skrfs_attest_here(options->config, options->timeout_ms, &token, err) < 0) {
        return -1;
    }
    return options->token ? token_print(token, err) : claims_print(token, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct attest_options, config)},
        {'t', "timeout", "TIME", "longest wait (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct attest_options, timeout_ms)},
        {0, "token", NULL, "print the token itself, which is a secret", SKRFS_OPTION_FLAG,
                offsetof(struct attest_options, token)},
};

const struct skrfs_verb skrfs_verb_attest = {
        .name = "attest",
        .summary = "attest this machine and print what the token claims",
        .operands = "",
        .details = "Has the attestation service judge this machine, as a release does, and prints "
                   "the token's\n"
                   "claims as JSON: what a release policy can ask for.",
        .page = "skrfs-get(8)",
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct attest_options),
        .run = verb_run,
};
