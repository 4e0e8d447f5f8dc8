#include "session.h"

#include <stdio.h>

struct policy_options {
    const char *config, *vault, *set;
    unsigned timeout_ms;
    bool immutable, yes;
};

static int key_get(const struct vault_session *session, const char *name,
        struct skrfs_vault_key *ret_key, struct skrfs_error *err) {
    struct skrfs_progress *progress = skrfs_progress_start("asking the vault");
    int result = skrfs_cloud_key_show(
            session->network.cloud, session->vault, name, NULL, session->deadline_ns, ret_key, err);
    skrfs_progress_stop(progress);
    return result;
}

/* To standard output the policy alone, so that it can be kept, changed and set again. */
static int policy_show(const struct skrfs_vault_key *key, struct skrfs_error *err) {
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    skrfs_autojson *policy = NULL;
    struct skrfs_error ignored;
    if (key->policy.len == 0) {
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND,
                "key '%s' has no release policy: it can not be released", key->kid);
    }
    (void)fprintf(stderr, "skrfs key policy: %s\n",
            key->policy_immutable ? "immutable: nobody can change it" : "can be changed");
    if (skrfs_json_parse(skrfs_buf_text(&key->policy), key->policy.len, SKRFS_OUTPUT_MAX, &policy,
                &ignored) < 0) {
        return skrfs_buf_printf(&out, err, "%s\n", skrfs_buf_text(&key->policy)) < 0
                       ? -1
                       : skrfs_print(&out, err);
    }
    if (skrfs_json_print(policy, true, &out, err) < 0 ||
            skrfs_buf_append_text(&out, "\n", err) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

/* What the vault would refuse. */
static int change_check(const struct skrfs_vault_key *key, struct skrfs_error *err) {
    if (!key->exportable) {
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "%s is not exportable, which is settled when a key is made: a policy would change "
                "nothing; make another key ('skrfs key create')",
                key->kid);
    }
    if (key->policy_immutable) {
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "the policy of %s is immutable: nobody can change it; make another key", key->kid);
    }
    return 0;
}

static int policy_set(const struct vault_session *session, const char *name,
        struct skrfs_bytes policy, bool immutable, struct skrfs_error *err) {
    skrfs_autovaultkey key = {.exportable = false};
    struct skrfs_progress *progress = skrfs_progress_start("changing the policy");
    int result = skrfs_cloud_key_policy(session->network.cloud, session->vault, name, policy,
            immutable, session->deadline_ns, &key, err);
    skrfs_progress_stop(progress);
    if (result == 0) {
        (void)printf("%s\n", key.kid);
    }
    return result;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct policy_options *options = call->options;
    auto_vault_session session = {.conf = NULL};
    skrfs_autovaultkey key = {.exportable = false};
    skrfs_autobuf policy = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    const char *name = call->operands[0];
    bool changes = options->set || options->immutable;
    if (options->immutable && !options->yes) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--immutable cannot be undone, by nobody: say --yes as well when that is meant");
    }
    if ((options->set && policy_read(options->set, &policy, err) < 0) ||
            vault_session_open(
                    options->config, options->vault, options->timeout_ms, &session, err) < 0 ||
            key_get(&session, name, &key, err) < 0) {
        return -1;
    }
    if (!changes) {
        return policy_show(&key, err);
    }
    if (change_check(&key, err) < 0) {
        return -1;
    }
    return policy_set(&session, name, skrfs_buf_bytes(options->set ? &policy : &key.policy),
            options->immutable, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct policy_options, config)},
        {'V', "vault", "V", "section [vault V]; may be left out when there is one",
                SKRFS_OPTION_TEXT, offsetof(struct policy_options, vault)},
        {0, "set", "FILE", "the new release policy ('-': standard input)", SKRFS_OPTION_TEXT,
                offsetof(struct policy_options, set)},
        {0, "immutable", NULL, "it can never be changed again, by nobody", SKRFS_OPTION_FLAG,
                offsetof(struct policy_options, immutable)},
        {0, "yes", NULL, "--immutable is meant", SKRFS_OPTION_FLAG,
                offsetof(struct policy_options, yes)},
        {'t', "timeout", "TIME", "longest wait (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct policy_options, timeout_ms)},
};

const struct skrfs_verb skrfs_verb_key_policy = {
        .name = "key policy",
        .summary = "show or change a key's release policy",
        .operands = "NAME",
        .details = "Prints the release policy of key NAME, or replaces it with --set, after the "
                   "checks of\n"
                   "'skrfs policy lint', and prints the key's identifier. Keys that were released "
                   "before stay released.",
        .page = "skrfs-key(8)",
        .least = 1,
        .most = 1,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct policy_options),
        .run = verb_run,
};
