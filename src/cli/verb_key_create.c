#include "session.h"

#include <stdio.h>
#include <string.h>

struct create_options {
    const char *config, *vault, *kty, *curve, *policy;
    unsigned size, timeout_ms;
    bool immutable;
};

static const char *kty_of(const struct create_options *options) {
    return options->kty ? options->kty : "RSA-HSM";
}

static int shape_check(
        const struct create_options *options, bool rsa, bool ec, struct skrfs_error *err) {
    static const char *const curves[] = {"P-256", "P-384", "P-521", "P-256K"};
    unsigned size = options->size;
    bool known = !options->curve;
    for (size_t i = 0; !known && i < SKRFS_ARRAY_LEN(curves); i++) {
        known = strcmp(options->curve, curves[i]) == 0;
    }
    if (!known) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--curve is P-256, P-384, P-521 or P-256K, not '%s'", options->curve);
    }
    if (size && rsa && size != 2048 && size != 3072 && size != 4096) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--size of an RSA key is 2048, 3072 or 4096, not %u", size);
    }
    if (size && !rsa && !ec && size != 128 && size != 192 && size != 256) {
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "--size of an oct key is 128, 192 or 256, not %u", size);
    }
    return 0;
}

/* What the service would refuse with less words, and what it would take without doing it. */
static int wish_check(const struct create_options *options, const struct skrfs_conf_vault *vault,
        struct skrfs_error *err) {
    const char *kty = kty_of(options);
    bool rsa = strcmp(kty, "RSA-HSM") == 0, ec = strcmp(kty, "EC-HSM") == 0;
    bool oct = strcmp(kty, "oct-HSM") == 0;
    if (!rsa && !ec && !oct) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--kty is RSA-HSM, EC-HSM or oct-HSM, not '%s': keys that can be released are HSM "
                "keys",
                kty);
    }
    if (options->curve && !ec) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--curve goes with --kty EC-HSM");
    }
    if (options->size && ec) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "an EC key has a --curve, not a --size");
    }
    if (oct && !vault->managed_hsm) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "oct keys live in a Managed HSM alone, and '%s' (%s) is a Key Vault", vault->name,
                vault->host);
    }
    return shape_check(options, rsa, ec, err);
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct create_options *options = call->options;
    if (!options->policy) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "which release policy? say --policy FILE ('skrfs policy new' writes one): a key "
                "without "
                "one can never be released");
    }
    auto_vault_session session = {.conf = NULL};
    skrfs_autobuf policy = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    skrfs_autovaultkey key = {.exportable = false};
    if (policy_read(options->policy, &policy, err) < 0 ||
            vault_session_open(
                    options->config, options->vault, options->timeout_ms, &session, err) < 0 ||
            wish_check(options, &session.conf->vaults[session.vault], err) < 0) {
        return -1;
    }
    struct skrfs_key_wish wish = {.name = call->operands[0],
            .kty = kty_of(options),
            .size = options->size,
            .curve = options->curve,
            .policy = skrfs_buf_bytes(&policy),
            .immutable = options->immutable};
    struct skrfs_progress *progress = skrfs_progress_start("creating the key");
    int result = skrfs_cloud_key_create(
            session.network.cloud, session.vault, &wish, session.deadline_ns, &key, err);
    skrfs_progress_stop(progress);
    if (result == 0) {
        (void)printf("%s\n", key.kid);
    }
    return result;
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct create_options, config)},
        {'V', "vault", "V", "section [vault V]; may be left out when there is one",
                SKRFS_OPTION_TEXT, offsetof(struct create_options, vault)},
        {'k', "kty", "TYPE", "RSA-HSM (default), EC-HSM or oct-HSM (Managed HSM only)",
                SKRFS_OPTION_TEXT, offsetof(struct create_options, kty)},
        {'s', "size", "BITS", "RSA: 2048, 3072 or 4096; oct: 128, 192 or 256", SKRFS_OPTION_NUMBER,
                offsetof(struct create_options, size)},
        {0, "curve", "CURVE", "P-256, P-384, P-521 or P-256K", SKRFS_OPTION_TEXT,
                offsetof(struct create_options, curve)},
        {'p', "policy", "FILE", "release policy ('-': standard input)", SKRFS_OPTION_TEXT,
                offsetof(struct create_options, policy)},
        {0, "immutable", NULL, "the policy can never be changed, by nobody", SKRFS_OPTION_FLAG,
                offsetof(struct create_options, immutable)},
        {'t', "timeout", "TIME", "longest wait (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct create_options, timeout_ms)},
};

const struct skrfs_verb skrfs_verb_key_create = {
        .name = "key create",
        .summary = "create a key that can be released under a policy",
        .operands = "NAME",
        .details = "Creates an exportable key NAME in a vault, with its release policy, and prints "
                   "its identifier.\n"
                   "The policy is checked first, as 'skrfs policy lint' does.",
        .page = "skrfs-key(8)",
        .least = 1,
        .most = 1,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct create_options),
        .run = verb_run,
};
