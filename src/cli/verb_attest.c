#include "verbs.h"

#include <skrfs/azure/cloud.h>
#include <skrfs/skrfs.h>
#include <string.h>

#define CLAIMS_MAX ((size_t)256 * 1024)

struct attest_options {
    const char *config;
    unsigned timeout_ms;
    bool token;
};

SKRFS_DEFINE_CLEANUP(struct skrfs_client, skrfs_client_free)
SKRFS_DEFINE_CLEANUP(char, skrfs_token_free)

static int claims_print(const char *token, struct skrfs_error *err) {
    struct skrfs_token_info info = {.not_after_s = 0};
    skrfs_autojson *claims = NULL;
    skrfs_autobuf out = SKRFS_BUF(CLAIMS_MAX);
    if (skrfs_token_inspect(
                (struct skrfs_bytes){(const uint8_t *)token, strlen(token)}, &info, err) < 0) {
        return -1;
    }
    int parsed = skrfs_json_parse(
            skrfs_buf_text(&info.claims), info.claims.len, CLAIMS_MAX, &claims, err);
    skrfs_token_info_done(&info);
    if (parsed < 0 || skrfs_json_print(claims, isatty(STDOUT_FILENO), &out, err) < 0 ||
            skrfs_buf_append_text(&out, "\n", err) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

static int token_print(const char *token, struct skrfs_error *err) {
    skrfs_autobuf out = SKRFS_BUF(CLAIMS_MAX);
    if (skrfs_buf_printf(&out, err, "%s\n", token) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct attest_options *options = call->options;
    const char *path = skrfs_config_path(options->config);
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    SKRFS_CLEANUP(skrfs_client_free_p) struct skrfs_client *client = NULL;
    SKRFS_CLEANUP(skrfs_token_free_p) char *token = NULL;
    if (skrfs_conf_load(path, &conf, err) < 0) {
        return -1;
    }
    skrfs_lab_note(conf->lab_dir);
    struct skrfs_progress *progress = skrfs_progress_start("attesting this machine");
    int result = skrfs_client_new(path, &client, err) < 0
                         ? -1
                         : skrfs_client_attest(client, options->timeout_ms, &token, err);
    skrfs_progress_stop(progress);
    if (result < 0) {
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
