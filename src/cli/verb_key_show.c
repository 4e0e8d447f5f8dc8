#include "session.h"

#include <skrfs/base/clock.h>
#include <skrfs/crypto/encoding.h>
#include <stdio.h>
#include <string.h>

struct show_options {
    const char *config, *vault, *version, *format;
    unsigned timeout_ms;
    bool json;
};

static int line(
        struct skrfs_buf *out, const char *name, const char *value, struct skrfs_error *err) {
    return value && *value ? skrfs_buf_printf(out, err, "%-12s %s\n", name, value) : 0;
}

static int time_line(
        struct skrfs_buf *out, const char *name, int64_t wall_s, struct skrfs_error *err) {
    char text[32] = "";
    if (wall_s) {
        skrfs_format_time(wall_s, text, sizeof(text));
    }
    return line(out, name, text, err);
}

/* Parsed and indented for people; as it came when it is no JSON that we take. */
static int policy_lines(
        const struct skrfs_vault_key *key, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *policy = NULL;
    struct skrfs_error ignored;
    if (key->policy.len == 0) {
        return line(out, "policy", "none: this key can not be released", err);
    }
    if (line(out, "policy", key->policy_immutable ? "immutable" : "can be changed", err) < 0) {
        return -1;
    }
    if (skrfs_json_parse(skrfs_buf_text(&key->policy), key->policy.len, SKRFS_OUTPUT_MAX, &policy,
                &ignored) < 0) {
        return skrfs_buf_printf(out, err, "%s\n", skrfs_buf_text(&key->policy));
    }
    return skrfs_json_print(policy, true, out, err) < 0 ? -1
                                                        : skrfs_buf_append_text(out, "\n", err);
}

static int text_print(
        const struct skrfs_vault_key *key, struct skrfs_buf *out, struct skrfs_error *err) {
    if (line(out, "kid", key->kid, err) < 0 || line(out, "type", key->kty, err) < 0 ||
            line(out, "operations", key->ops, err) < 0 ||
            line(out, "exportable", key->exportable ? "yes" : "no", err) < 0 ||
            line(out, "enabled", key->enabled ? "yes" : "no", err) < 0 ||
            time_line(out, "created", key->created_s, err) < 0 ||
            time_line(out, "updated", key->updated_s, err) < 0 ||
            time_line(out, "not before", key->not_before_s, err) < 0 ||
            time_line(out, "expires", key->expires_s, err) < 0) {
        return -1;
    }
    return policy_lines(key, out, err);
}

static int json_time(
        struct skrfs_json *object, const char *name, int64_t wall_s, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    char text[32];
    if (!wall_s) {
        return 0;
    }
    skrfs_format_time(wall_s, text, sizeof(text));
    return skrfs_json_pack(&value, err, "s", text) < 0 ? -1
                                                       : skrfs_json_set(object, name, value, err);
}

static int json_policy(
        struct skrfs_json *object, const struct skrfs_vault_key *key, struct skrfs_error *err) {
    struct skrfs_json *policy = NULL;
    struct skrfs_error ignored;
    if (key->policy.len == 0) {
        return 0;
    }
    if (skrfs_json_parse(skrfs_buf_text(&key->policy), key->policy.len, SKRFS_OUTPUT_MAX, &policy,
                &ignored) < 0 &&
            skrfs_json_pack(&policy, err, "s", skrfs_buf_text(&key->policy)) < 0) {
        return -1;
    }
    return skrfs_json_set(object, "policy", policy, err);
}

static int json_print(
        const struct skrfs_vault_key *key, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *object = NULL;
    if (skrfs_json_pack(&object, err, "{s:s, s:s, s:s, s:b, s:b, s:b}", "kid", key->kid, "kty",
                key->kty, "ops", key->ops, "exportable", (int)key->exportable, "enabled",
                (int)key->enabled, "immutable", (int)key->policy_immutable) < 0 ||
            json_time(object, "created", key->created_s, err) < 0 ||
            json_time(object, "updated", key->updated_s, err) < 0 ||
            json_time(object, "not_before", key->not_before_s, err) < 0 ||
            json_time(object, "expires", key->expires_s, err) < 0 ||
            json_policy(object, key, err) < 0 ||
            skrfs_json_print(object, isatty(STDOUT_FILENO), out, err) < 0) {
        return -1;
    }
    return skrfs_buf_append_text(out, "\n", err);
}

static int format_read(const struct show_options *options, enum skrfs_format *ret_format,
        struct skrfs_error *err) {
    if (!options->format) {
        return 0;
    }
    if (!skrfs_format_parse(options->format, ret_format) || !skrfs_format_is_public(*ret_format)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--format is pub.pem, pub.der or pub.jwk, not '%s': the vault shows the public "
                "half "
                "alone; 'skrfs get' releases the key",
                options->format);
    }
    return 0;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct show_options *options = call->options;
    auto_vault_session session = {.conf = NULL};
    skrfs_autovaultkey key = {.exportable = false};
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    enum skrfs_format format = SKRFS_FORMAT_PUB_PEM;
    if (format_read(options, &format, err) < 0 ||
            vault_session_open(
                    options->config, options->vault, options->timeout_ms, &session, err) < 0) {
        return -1;
    }
    struct skrfs_progress *progress = skrfs_progress_start("asking the vault");
    int result = skrfs_cloud_key_show(session.network.cloud, session.vault, call->operands[0],
            options->version, session.deadline_ns, &key, err);
    skrfs_progress_stop(progress);
    if (result == 0 && options->format) {
        result = skrfs_public_encode(&key.public, format, key.kid, &out, err);
    } else if (result == 0) {
        result = options->json ? json_print(&key, &out, err) : text_print(&key, &out, err);
    }
    return result < 0 ? -1 : skrfs_print(&out, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct show_options, config)},
        {'V', "vault", "V", "section [vault V]; may be left out when there is one",
                SKRFS_OPTION_TEXT, offsetof(struct show_options, vault)},
        {0, "version", "V", "this version, not the current one", SKRFS_OPTION_TEXT,
                offsetof(struct show_options, version)},
        {'F', "format", "F", "print the public half: pub.pem, pub.der or pub.jwk",
                SKRFS_OPTION_TEXT, offsetof(struct show_options, format)},
        {'j', "json", NULL, "for a program to read", SKRFS_OPTION_FLAG,
                offsetof(struct show_options, json)},
        {'t', "timeout", "TIME", "longest wait (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct show_options, timeout_ms)},
};

const struct skrfs_verb skrfs_verb_key_show = {
        .name = "key show",
        .summary = "show a key's public part and its release policy",
        .operands = "NAME",
        .details = "Shows what the vault tells of the key NAME: type, times, attributes and "
                   "release policy. Nothing\n"
                   "is released.",
        .page = "skrfs-key(8)",
        .least = 1,
        .most = 1,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct show_options),
        .run = verb_run,
};
