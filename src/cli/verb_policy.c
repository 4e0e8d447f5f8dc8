#include "verbs.h"

#include <fcntl.h>
#include <skrfs/base/file.h>
#include <skrfs/policy/policy.h>
#include <stdio.h>
#include <string.h>

struct new_options {
    const char *config, *tee, *authority;
    struct skrfs_texts claims;
};

/* NAME=VALUE: the name ends at the first '='; values may have more of them. */
static int claims_split(const struct skrfs_texts *texts, struct skrfs_claim_wish *claims,
        char *copies[SKRFS_OPTION_REPEATS_MAX], struct skrfs_error *err) {
    for (size_t i = 0; i < texts->count; i++) {
        const char *equals = strchr(texts->items[i], '=');
        if (!equals || equals == texts->items[i]) {
            return skrfs_fail(
                    err, SKRFS_CLASS_CONFIG, "--claim wants NAME=VALUE, not '%s'", texts->items[i]);
        }
        copies[i] = strndup(texts->items[i], (size_t)(equals - texts->items[i]));
        if (!copies[i]) {
            return skrfs_fail_memory(err);
        }
        claims[i] = (struct skrfs_claim_wish){.name = copies[i], .value = equals + 1};
    }
    return 0;
}

static int tee_check(const char *tee, struct skrfs_error *err) {
    if (strcmp(tee, "sevsnpvm") == 0 || strcmp(tee, "tdxvm") == 0) {
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--tee is sevsnpvm or tdxvm, not '%s'", tee);
}

static int policy_write(const struct new_options *options, const char *authority,
        struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_claim_wish claims[SKRFS_OPTION_REPEATS_MAX];
    char *copies[SKRFS_OPTION_REPEATS_MAX] = {NULL};
    const char *tee = options->tee ? options->tee : "sevsnpvm";
    int result = tee_check(tee, err);
    if (result == 0) {
        result = claims_split(&options->claims, claims, copies, err);
    }
    if (result == 0) {
        result = skrfs_policy_new_cvm(authority, tee, claims, options->claims.count, out, err);
    }
    for (size_t i = 0; i < options->claims.count; i++) {
        free(copies[i]);
    }
    return result;
}

static int new_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct new_options *options = call->options;
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_POLICY_MAX);
    if (!options->authority &&
            skrfs_conf_load(skrfs_config_path(options->config), &conf, err) < 0) {
        return skrfs_wrap(err, "find the authority (--authority URL names one)");
    }
    const char *authority = options->authority ? options->authority : conf->attestation_url;
    if (!authority) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "which authority? say --authority URL, or set 'url' in section [attestation] of %s",
                conf->source);
    }
    if (policy_write(options, authority, &out, err) < 0) {
        return -1;
    }
    if (out.len && out.data[out.len - 1] != '\n' && skrfs_buf_append_text(&out, "\n", err) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

/* Lint's listener: writes each finding as compilers do. */
struct listener {
    const char *path;
    struct skrfs_buf *out;
    struct skrfs_error *err;
    bool failed;
};

static void finding_write(void *context, enum skrfs_finding_level level, unsigned line_number,
        unsigned column, const char *text) {
    static const char *const levels[] = {
            [SKRFS_FINDING_NOTE] = "note",
            [SKRFS_FINDING_WARNING] = "warning",
            [SKRFS_FINDING_ERROR] = "error",
    };
    struct listener *listener = context;
    int result;
    if (line_number) {
        result = skrfs_buf_printf(listener->out, listener->err, "%s:%u:%u: %s: %s\n",
                listener->path, line_number, column, levels[level], text);
    } else {
        result = skrfs_buf_printf(
                listener->out, listener->err, "%s: %s: %s\n", listener->path, levels[level], text);
    }
    listener->failed = listener->failed || result < 0;
}

int skrfs_policy_file(const char *path, struct skrfs_buf *out, struct skrfs_buf *ret_policy,
        struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
    bool from_stdin = strcmp(path, "-") == 0;
    if ((from_stdin ? skrfs_fd_read_all(STDIN_FILENO, &text, err)
                    : skrfs_file_read(path, &text, err)) < 0) {
        return -1;
    }
    struct skrfs_error write_error = {.kind = SKRFS_CLASS_BUG};
    struct listener listener = {
            .path = from_stdin ? "<stdin>" : path, .out = out, .err = &write_error};
    int linted = skrfs_policy_lint(skrfs_buf_text(&text), text.len, finding_write, &listener, err);
    if (listener.failed) {
        *err = write_error;
        return -1;
    }
    if (linted < 0) {
        err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(err, "%s", listener.path);
    }
    size_t comments = 0;
    return ret_policy ? skrfs_policy_strip_comments(
                                skrfs_buf_text(&text), text.len, ret_policy, &comments, err)
                      : 0;
}

static int lint_run(const struct skrfs_call *call, struct skrfs_error *err) {
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    int wrong = 0;
    for (int i = 0; i < call->count; i++) {
        wrong += skrfs_policy_file(call->operands[i], &out, NULL, err) < 0;
    }
    struct skrfs_error print_error = {.kind = SKRFS_CLASS_BUG};
    if (skrfs_print(&out, &print_error) < 0) {
        *err = print_error;
        return -1;
    }
    if (wrong > 1) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%d of %d policies would be refused by a vault",
                wrong, call->count);
    }
    return wrong ? -1 : 0;
}

static const struct skrfs_option new_options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct new_options, config)},
        {0, "tee", "TEE", "sevsnpvm (default) or tdxvm", SKRFS_OPTION_TEXT,
                offsetof(struct new_options, tee)},
        {'a', "authority", "URL", "attestation service to trust (default: as configured)",
                SKRFS_OPTION_TEXT, offsetof(struct new_options, authority)},
        {0, "claim", "NAME=VALUE", "one more claim that must hold; may be repeated",
                SKRFS_OPTION_LIST, offsetof(struct new_options, claims)},
};

const struct skrfs_verb skrfs_verb_policy_new = {
        .name = "policy new",
        .summary = "write a release policy for a confidential VM",
        .operands = "",
        .details = "Writes a release policy to standard output: keys under it are released to "
                   "machines that this\n"
                   "attestation service calls compliant confidential VMs and that have the further "
                   "claims.",
        .page = "skrfs-key(8)",
        .options = new_options,
        .option_count = SKRFS_ARRAY_LEN(new_options),
        .options_size = sizeof(struct new_options),
        .run = new_run,
};

const struct skrfs_verb skrfs_verb_policy_lint = {
        .name = "policy lint",
        .summary = "check release policies before a vault sees them",
        .operands = "FILE...",
        .details = "Checks release policies and prints 'file:line:column: level: text' for each "
                   "finding. Fails when\n"
                   "a vault would refuse one; warnings alone do not fail.",
        .page = "skrfs-key(8)",
        .least = 1,
        .most = 4096,
        .run = lint_run,
};
