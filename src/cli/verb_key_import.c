#include "session.h"

#include <fcntl.h>
#include <skrfs/crypto/encoding.h>
#include <skrfs/daemon/process.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* An RSA-4096 key with all that people keep beside it in a PEM file. */
#define KEY_FILE_MAX ((size_t)32 * 1024)
/* Octets of an oct key that the service takes. */
#define OCT_LEAST 16
#define OCT_MOST 64

struct import_options {
    const char *config, *vault, *from, *format, *kty, *policy;
    unsigned timeout_ms;
    bool immutable;
};

/* A key on its way into a vault. */
struct brought {
    struct skrfs_secret *plain;
    enum skrfs_key_type type;
};

static void brought_done(struct brought *brought) {
    skrfs_secret_unref(brought->plain);
}
#define auto_brought SKRFS_CLEANUP(brought_done) struct brought

/* Others may have read it already; the key is the user's to judge. */
static void warn_open(const char *path, int fd) {
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077)) {
        (void)fprintf(stderr,
                "skrfs key import: warning: %s can be read by others (mode %04o): "
                "chmod 600, and ask who did\n",
                path, (unsigned)status.st_mode & 07777);
    }
}

static int file_read(const char *path, struct skrfs_secret **ret_text, struct skrfs_error *err) {
    bool from_stdin = strcmp(path, "-") == 0;
    skrfs_autoclose int opened = from_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int fd = from_stdin ? STDIN_FILENO : opened;
    if (fd < 0) {
        return skrfs_fail_errno(err, errno, "%s cannot be opened", path);
    }
    warn_open(from_stdin ? "standard input" : path, fd);
    if (skrfs_secret_read_fd(fd, KEY_FILE_MAX, ret_text, err) < 0) {
        return skrfs_wrap(err, "%s", from_stdin ? "standard input" : path);
    }
    return 0;
}

/* One DER SEQUENCE (X.690 section 8.1.3), from the first octet to the last. */
static bool is_der(const uint8_t *data, size_t len) {
    if (len < 4 || data[0] != 0x30) {
        return false;
    }
    switch (data[1]) {
    case 0x81:
        return len == 3 + (size_t)data[2];
    case 0x82:
        return len == 4 + ((size_t)data[2] << 8 | data[3]);
    default:
        return data[1] < 0x80 && len == 2 + (size_t)data[1];
    }
}

/* What it looks like; octets of an oct key look like nothing. */
static int format_guess(
        const struct skrfs_secret *text, enum skrfs_format *ret_format, struct skrfs_error *err) {
    static const char pem[] = "-----BEGIN ";
    const uint8_t *data = skrfs_secret_data(text);
    size_t len = skrfs_secret_len(text), blank = 0;
    while (blank < len && data[blank] && strchr(" \t\r\n", data[blank])) {
        blank++;
    }
    if (memmem(data, len, pem, strlen(pem))) {
        *ret_format = SKRFS_FORMAT_PEM;
    } else if (blank < len && data[blank] == '{') {
        *ret_format = SKRFS_FORMAT_JWK;
    } else if (is_der(data, len)) {
        *ret_format = SKRFS_FORMAT_DER;
    } else {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the file is neither PEM nor DER nor a JWK: say --format (raw for the octets of an "
                "oct key)");
    }
    return 0;
}

static int key_read(const struct import_options *options, struct brought *ret_brought,
        struct skrfs_error *err) {
    skrfs_autosecret *text = NULL;
    enum skrfs_format format = SKRFS_FORMAT_RAW;
    if (options->format && !skrfs_format_parse(options->format, &format)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--format is pem, der, jwk or raw, not '%s'",
                options->format);
    }
    if (file_read(options->from, &text, err) < 0 ||
            (!options->format && format_guess(text, &format, err) < 0)) {
        return -1;
    }
    if (skrfs_key_decode(text, format, &ret_brought->plain, &ret_brought->type, err) < 0) {
        return skrfs_wrap(err, "%s", options->from);
    }
    return 0;
}

static const char *kty_of(enum skrfs_key_type type) {
    static const char *const names[] = {
            [SKRFS_KEY_RSA] = "RSA-HSM", [SKRFS_KEY_EC] = "EC-HSM", [SKRFS_KEY_OCT] = "oct-HSM"};
    return names[type];
}

static int rsa_check(const struct brought *brought, struct skrfs_error *err) {
    skrfs_autopkey *key = NULL;
    struct skrfs_public public;
    if (skrfs_pkey_from_pkcs8(skrfs_secret_data(brought->plain), skrfs_secret_len(brought->plain),
                &key, err) < 0 ||
            skrfs_pkey_public(key, &public, err) < 0) {
        return -1;
    }
    if (public.n_len != 256 && public.n_len != 384 && public.n_len != 512) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "vaults take RSA keys of 2048, 3072 and 4096 bits, and this one has about %zu",
                public.n_len * 8);
    }
    return 0;
}

/* What the service would refuse with less words. */
static int key_check(const struct import_options *options, const struct brought *brought,
        const struct skrfs_conf_vault *vault, struct skrfs_error *err) {
    size_t len = skrfs_secret_len(brought->plain);
    if (options->kty && strcmp(options->kty, kty_of(brought->type)) != 0) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--kty is '%s', and the key in the file can become %s alone: keys that can be "
                "released are HSM keys",
                options->kty, kty_of(brought->type));
    }
    if (brought->type == SKRFS_KEY_RSA) {
        return rsa_check(brought, err);
    }
    if (brought->type != SKRFS_KEY_OCT) {
        return 0;
    }
    if (!vault->managed_hsm) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "oct keys live in a Managed HSM alone, and '%s' (%s) is a Key Vault", vault->name,
                vault->host);
    }
    if (len < OCT_LEAST || len > OCT_MOST) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "an oct key has %d to %d octets, not %zu",
                OCT_LEAST, OCT_MOST, len);
    }
    return 0;
}

static int key_send(const struct vault_session *session, const struct skrfs_key_wish *wish,
        const struct brought *brought, struct skrfs_error *err) {
    skrfs_autosecret *jwk = NULL;
    skrfs_autovaultkey key = {.exportable = false};
    if (skrfs_key_encode(brought->plain, brought->type, SKRFS_FORMAT_JWK, NULL, &jwk, err) < 0) {
        return -1;
    }
    struct skrfs_progress *progress = skrfs_progress_start("importing the key");
    int result = skrfs_cloud_key_import(
            session->network.cloud, session->vault, wish, jwk, session->deadline_ns, &key, err);
    skrfs_progress_stop(progress);
    if (result < 0) {
        return -1;
    }
    if (key.public.type != brought->type ||
            skrfs_key_check_public(brought->plain, &key.public, err) < 0) {
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "%s was made, and its public half is not that of the key in the file", key.kid);
    }
    (void)printf("%s\n", key.kid);
    return 0;
}

static int options_check(const struct import_options *options, struct skrfs_error *err) {
    if (!options->from) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "which key? say --from FILE");
    }
    if (!options->policy) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "which release policy? say --policy FILE ('skrfs policy new' writes one): a key "
                "without one can never be released");
    }
    if (strcmp(options->from, "-") == 0 && strcmp(options->policy, "-") == 0) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the key and the policy cannot both come from standard input");
    }
    return 0;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct import_options *options = call->options;
    auto_vault_session session = {.conf = NULL};
    skrfs_autobuf policy = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    auto_brought brought = {.plain = NULL};
    if (skrfs_process_seal("skrfs", err) < 0 || options_check(options, err) < 0 ||
            policy_read(options->policy, &policy, err) < 0 ||
            vault_session_open(
                    options->config, options->vault, options->timeout_ms, &session, err) < 0 ||
            key_read(options, &brought, err) < 0 ||
            key_check(options, &brought, &session.conf->vaults[session.vault], err) < 0) {
        return -1;
    }
    const struct skrfs_key_wish wish = {.name = call->operands[0],
            .kty = kty_of(brought.type),
            .policy = skrfs_buf_bytes(&policy),
            .immutable = options->immutable};
    return key_send(&session, &wish, &brought, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct import_options, config)},
        {'V', "vault", "V", "section [vault V]; may be left out when there is one",
                SKRFS_OPTION_TEXT, offsetof(struct import_options, vault)},
        {0, "from", "FILE", "the private key ('-': standard input)", SKRFS_OPTION_TEXT,
                offsetof(struct import_options, from)},
        {'F', "format", "F", "pem, der, jwk or raw (default: what it looks like)",
                SKRFS_OPTION_TEXT, offsetof(struct import_options, format)},
        {'k', "kty", "TYPE", "RSA-HSM, EC-HSM or oct-HSM (default: by the key)", SKRFS_OPTION_TEXT,
                offsetof(struct import_options, kty)},
        {'p', "policy", "FILE", "release policy ('-': standard input)", SKRFS_OPTION_TEXT,
                offsetof(struct import_options, policy)},
        {0, "immutable", NULL, "the policy can never be changed, by nobody", SKRFS_OPTION_FLAG,
                offsetof(struct import_options, immutable)},
        {'t', "timeout", "TIME", "longest wait (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct import_options, timeout_ms)},
};

const struct skrfs_verb skrfs_verb_key_import = {
        .name = "key import",
        .summary = "put a key of your own into a vault under a policy",
        .operands = "NAME",
        .details = "Puts a private key from a file into a vault as the exportable key NAME, with "
                   "its release policy,\n"
                   "and prints its identifier. The key is held in secret memory on its way. The "
                   "policy is checked\n"
                   "first, as 'skrfs policy lint' does.",
        .page = "skrfs-key(8)",
        .least = 1,
        .most = 1,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct import_options),
        .run = verb_run,
};
