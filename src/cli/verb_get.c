#include "verbs.h"

#include <fcntl.h>
#include <skrfs/base/file.h>
#include <skrfs/skrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct get_options {
    const char *config, *version, *format, *to;
    unsigned timeout_ms;
    bool force;
};

/* One run: what is wanted and where it goes. */
struct get {
    const struct get_options *options;
    struct skrfs_conf *conf;
    struct skrfs_client *client;
    int format; /* -1: as configured */
    int dir_fd; /* -1: standard output */
};

static int format_read(
        const struct get_options *options, int *ret_format, struct skrfs_error *err) {
    enum skrfs_format format;
    if (!options->format) {
        *ret_format = -1;
        return 0;
    }
    if (skrfs_format_parse(options->format, &format)) {
        *ret_format = (int)format;
        return 0;
    }
    const char *names[SKRFS_FORMAT_COUNT];
    for (int i = 0; i < SKRFS_FORMAT_COUNT; i++) {
        names[i] = skrfs_format_name((enum skrfs_format)i);
    }
    const char *near = skrfs_nearest(options->format, names, SKRFS_FORMAT_COUNT);
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "unknown format '%s'; there are der, pem, jwk, raw, openssh, pub.pem, pub.der and "
            "pub.jwk%s%s%s",
            options->format, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int operands_check(
        const struct get_options *options, const struct skrfs_call *call, struct skrfs_error *err) {
    bool to_stdout = !options->to || strcmp(options->to, "-") == 0;
    if (call->count > 1 && to_stdout) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "several keys go to files: say --to DIR, on tmpfs or ramfs");
    }
    if (call->count > 1 && options->version) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--version goes with one key only");
    }
    return 0;
}

static bool all_public(const struct get *get, const struct skrfs_call *call) {
    for (int i = 0; i < call->count; i++) {
        size_t key = 0;
        struct skrfs_error ignored;
        int format = get->format;
        if (format < 0 && skrfs_key_pick(get->conf, call->operands[i], &key, &ignored) == 0) {
            format = (int)get->conf->keys[key].format;
        }
        if (format < 0 || !skrfs_format_is_public((enum skrfs_format)format)) {
            return false;
        }
    }
    return true;
}

static int stdout_check(const struct get *get, struct skrfs_error *err) {
    struct stat status;
    if (isatty(STDOUT_FILENO) && !get->options->force) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "standard output is a terminal, where the key would stay to be scrolled back to; "
                "pipe it, say --to DIR (on tmpfs), or say --force");
    }
    if (fstat(STDOUT_FILENO, &status) != 0) {
        return skrfs_fail_errno(err, errno, "look at standard output");
    }
    if (!S_ISREG(status.st_mode)) {
        return 0;
    }
    struct skrfs_volume volume;
    return skrfs_volume_look(STDOUT_FILENO, &volume, err) < 0
                   ? -1
                   : skrfs_volume_check(&volume, "/dev/stdout", get->options->force, err);
}

/* Before anything is released: is there a place for it? */
static int destination_open(
        struct get *get, const struct skrfs_call *call, struct skrfs_error *err) {
    const char *to = get->options->to;
    if (!to || strcmp(to, "-") == 0) {
        return all_public(get, call) ? 0 : stdout_check(get, err);
    }
    get->dir_fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (get->dir_fd < 0) {
        return skrfs_fail_errno(err, errno, "open the folder '%s'", to);
    }
    struct skrfs_volume volume;
    if (all_public(get, call)) {
        return 0;
    }
    return skrfs_volume_look(get->dir_fd, &volume, err) < 0
                   ? -1
                   : skrfs_volume_check(&volume, to, get->options->force, err);
}

/* No core file and no debugger while key bytes are here. */
static int process_close(struct skrfs_error *err) {
    struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) {
        return skrfs_fail_errno(err, errno, "close the process against dumps");
    }
    return 0;
}

static int key_get(struct get *get, const char *name, struct skrfs_error *err) {
    size_t key = 0;
    skrfs_autosecret *secret = NULL;
    if (skrfs_key_pick(get->conf, name, &key, err) < 0) {
        return -1;
    }
    char what[160];
    (void)snprintf(what, sizeof(what), "releasing '%s'", name);
    struct skrfs_progress *progress = skrfs_progress_start(what);
    int result = skrfs_client_get(get->client, name, get->options->version, get->format,
            get->options->timeout_ms, &secret, err);
    skrfs_progress_stop(progress);
    if (result < 0) {
        return -1;
    }
    if (get->dir_fd >= 0) {
        return skrfs_deliver(get->dir_fd, name, &get->conf->keys[key].guard, secret, err);
    }
    return skrfs_fd_write(STDOUT_FILENO, skrfs_secret_data(secret), skrfs_secret_len(secret), err) <
                           0
                   ? skrfs_wrap(err, "write to standard output")
                   : 0;
}

static int keys_get(struct get *get, const struct skrfs_call *call, struct skrfs_error *err) {
    size_t key = 0;
    for (int i = 0; i < call->count; i++) {
        if (skrfs_key_pick(get->conf, call->operands[i], &key, err) < 0) {
            return -1;
        }
    }
    if (destination_open(get, call, err) < 0 || process_close(err) < 0 ||
            skrfs_client_new(skrfs_config_path(get->options->config), &get->client, err) < 0) {
        return -1;
    }
    for (int i = 0; i < call->count; i++) {
        if (key_get(get, call->operands[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    struct get get = {.options = call->options, .dir_fd = -1};
    if (operands_check(get.options, call, err) < 0 ||
            format_read(get.options, &get.format, err) < 0 ||
            skrfs_conf_load(skrfs_config_path(get.options->config), &get.conf, err) < 0) {
        return -1;
    }
    skrfs_lab_note(get.conf->lab_dir);
    int result = keys_get(&get, call, err);
    skrfs_client_free(get.client);
    skrfs_conf_free(get.conf);
    if (get.dir_fd >= 0) {
        close(get.dir_fd);
    }
    return result;
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct get_options, config)},
        {0, "version", "V", "this version, not the configured one", SKRFS_OPTION_TEXT,
                offsetof(struct get_options, version)},
        {'F', "format", "F", "der, pem, jwk, raw, openssh, pub.pem, pub.der or pub.jwk",
                SKRFS_OPTION_TEXT, offsetof(struct get_options, format)},
        {'t', "timeout", "TIME", "longest wait for one key (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, offsetof(struct get_options, timeout_ms)},
        {'d', "to", "DIR", "write DIR/NAME, on tmpfs or ramfs only ('-': standard output)",
                SKRFS_OPTION_TEXT, offsetof(struct get_options, to)},
        {0, "force", NULL, "write a key to a terminal, or to tmpfs that may be swapped out",
                SKRFS_OPTION_FLAG, offsetof(struct get_options, force)},
};

const struct skrfs_verb skrfs_verb_get = {
        .name = "get",
        .summary = "release keys once, without a mount",
        .operands = "NAME...",
        .details = "Attests the machine, has the key of section [key NAME] released and writes it "
                   "to standard\n"
                   "output, or with --to to a file with the configured owner and mode.",
        .page = "skrfs-get(8)",
        .least = 1,
        .most = 4096,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct get_options),
        .run = verb_run,
};
