#include "verbs.h"

#include <getopt.h>
#include <skrfs/daemon/daemon.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct mount_options {
    const char *config, *service;
    bool foreground;
    struct skrfs_texts words;
};

struct mount_wish {
    const char *config, *path; /* NULL: the default; as configured */
    struct skrfs_mount_words words;
    bool foreground, check_only;
};

/* /run is empty after each start of the machine: a folder directly in it is made, elsewhere none
 * is. */
static bool made_in_run(const char *path) {
    return strncmp(path, "/run/", 5) == 0 && path[5] && !strchr(path + 5, '/') &&
           mkdir(path, 0755) == 0;
}

static int path_resolve(const char *path, char **ret_path, struct skrfs_error *err) {
    char *found = realpath(path, NULL);
    if (!found && errno == ENOENT && made_in_run(path)) {
        found = realpath(path, NULL);
    }
    if (found) {
        *ret_path = found;
        return 0;
    }
    int saved = errno;
    (void)skrfs_fail_errno(err, saved, "mount point '%s'", path);
    if (saved == ENOENT) {
        err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(err, "make the folder first");
    }
    if (saved == ENOTCONN) {
        return skrfs_wrap(err, "a dead mount is there, 'umount -l' takes it away");
    }
    return -1;
}

static int path_vacant(const char *path, struct skrfs_error *err) {
    skrfs_automounts mounts = {.count = 0};
    return skrfs_mounts_read(&mounts, err) < 0 ? -1 : skrfs_mounts_miss(&mounts, path, err);
}

static int words_use(
        const struct mount_wish *wish, const char **ret_config, struct skrfs_error *err) {
    if (wish->words.log[0] && skrfs_log_level_set(wish->words.log, err) < 0) {
        return -1;
    }
    if (wish->config && wish->words.config) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the configuration is named twice");
    }
    *ret_config = skrfs_config_path(wish->config ? wish->config : wish->words.config);
    return 0;
}

static int mount_run(const struct mount_wish *wish, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    skrfs_autofree char *path = NULL;
    const char *config;
    if (words_use(wish, &config, err) < 0 || skrfs_conf_load(config, &conf, err) < 0) {
        return -1;
    }
    const char *wanted = wish->path ? wish->path : conf->mount_path;
    if (!wanted) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "where? name a mount point, or set 'path' in section [mount] of %s", conf->source);
    }
    if (path_resolve(wanted, &path, err) < 0 || path_vacant(path, err) < 0) {
        return -1;
    }
    if (wish->check_only) {
        return 0;
    }
    skrfs_lab_note(conf->lab_dir);
    struct skrfs_mount_options options = {.path = path,
            .options = wish->words.rest,
            .foreground = wish->foreground,
            .lab = conf->lab_dir != NULL};
    return skrfs_mount_run(conf, &options, err);
}

static bool is_mounted(const char *path) {
    skrfs_automounts mounts = {.count = 0};
    struct skrfs_error ignored;
    return skrfs_mounts_read(&mounts, &ignored) == 0 &&
           skrfs_mounts_miss(&mounts, path, &ignored) < 0;
}

static int service_prepare(const struct mount_wish *wish, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    const char *config;
    if (words_use(wish, &config, err) < 0 || skrfs_conf_load(config, &conf, err) < 0) {
        return -1;
    }
    (void)made_in_run(wish->path);
    struct skrfs_mount_options options = {.path = wish->path, .options = wish->words.rest};
    return skrfs_service_prepare(conf, &options, is_mounted(wish->path), err);
}

static int service_serve(const struct mount_wish *wish, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    struct skrfs_handed handed;
    const char *config;
    if (words_use(wish, &config, err) < 0 || skrfs_service_receive(&handed, err) < 0) {
        return -1;
    }
    struct skrfs_mount_options options = {
            .path = wish->path, .foreground = true, .handed = &handed};
    int result = skrfs_conf_load_for(config, handed.owner, handed.group, &conf, err);
    if (result == 0) {
        skrfs_lab_note(conf->lab_dir);
        options.lab = conf->lab_dir != NULL;
        result = skrfs_mount_run(conf, &options, err);
    }
    skrfs_handed_done(&handed);
    return result;
}

static int service_finish(const char *path, struct skrfs_error *err) {
    return is_mounted(path) ? skrfs_service_finish(path, err) : 0;
}

/* One of the steps of a mount under systemd: daemon.h. */
static int service_run(const char *step, const struct mount_wish *wish, struct skrfs_error *err) {
    if (wish->path == NULL || wish->path[0] != '/') {
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "--service wants the mount point, as an absolute path");
    }
    if (strcmp(step, "prepare") == 0) {
        return service_prepare(wish, err);
    }
    if (strcmp(step, "serve") == 0) {
        return service_serve(wish, err);
    }
    if (strcmp(step, "finish") == 0) {
        return service_finish(wish->path, err);
    }
    return skrfs_fail(
            err, SKRFS_CLASS_CONFIG, "--service is prepare, serve or finish, not '%s'", step);
}

static int words_join(
        const struct skrfs_texts *texts, struct skrfs_buf *out, struct skrfs_error *err) {
    for (size_t i = 0; i < texts->count; i++) {
        if (skrfs_buf_printf(out, err, "%s%s", i ? "," : "", texts->items[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct mount_options *options = call->options;
    struct mount_wish wish = {.config = options->config,
            .path = call->count ? call->operands[0] : NULL,
            .foreground = options->foreground};
    skrfs_autobuf text = SKRFS_BUF(SKRFS_MOUNT_WORDS_MAX);
    if (words_join(&options->words, &text, err) < 0 ||
            skrfs_mount_words_parse(skrfs_buf_text(&text), &wish.words, err) < 0) {
        return -1;
    }
    int result =
            options->service ? service_run(options->service, &wish, err) : mount_run(&wish, err);
    skrfs_mount_words_done(&wish.words);
    return result;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool skrfs_helper_form(int argc, char **argv) {
    const char *name = base_name(argv[0]);
    if (strcmp(name, "mount.skrfs") == 0 || strcmp(name, "mount.fuse.skrfs") == 0) {
        return true;
    }
    return argc >= 3 &&
           (argv[1][0] == '/' || argv[1][0] == '\0' || strcmp(argv[1], "none") == 0 ||
                   strcmp(argv[1], "skrfs") == 0 || strncmp(argv[1], "skrfs#", 6) == 0);
}

/* What mount(8) and fstab name as the source. */
static int source_read(const char *source, const char **ret_config, struct skrfs_error *err) {
    source += strncmp(source, "skrfs#", 6) == 0 ? 6 : 0;
    if (source[0] == '\0' || strcmp(source, "skrfs") == 0 || strcmp(source, "none") == 0) {
        *ret_config = NULL;
        return 0;
    }
    if (source[0] == '/') {
        *ret_config = source;
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "source '%s' is neither 'skrfs' nor the absolute path of a configuration file", source);
}

/* One operand alone is the mount point: mount.fuse3 leaves an empty source out. */
static int helper_operands(
        int count, char **operands, struct mount_wish *wish, struct skrfs_error *err) {
    if (count < 1 || count > 2) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "usage: mount.skrfs SOURCE MOUNTPOINT [-sfnv] [-o OPTION[,OPTION]...]");
    }
    wish->path = operands[count - 1];
    return count == 2 ? source_read(operands[0], &wish->config, err) : 0;
}

/* The flags of a mount helper: mount(8), EXTERNAL HELPERS. -s, -n and -v change nothing here. */
static int helper_options(int argc, char **argv, struct mount_wish *wish, struct skrfs_texts *words,
        struct skrfs_error *err) {
    opterr = 0;
    optind = 0;
    int letter;
    while ((letter = getopt(argc, argv, "sfnvo:t:")) != -1) {
        if (letter == 'f') {
            wish->check_only = true;
        } else if (letter == 'o' && words->count < SKRFS_OPTION_REPEATS_MAX) {
            words->items[words->count++] = optarg;
        } else if (letter == '?' || letter == 'o') {
            return skrfs_fail(err, SKRFS_CLASS_CONFIG, "mount.skrfs: unknown option '-%c'", optopt);
        }
    }
    return helper_operands(argc - optind, argv + optind, wish, err);
}

/* mount(8) -a knows by its source that a line of fstab is mounted already: the mount has to show
 * the one that was asked for. */
static int source_show(const char *source, struct skrfs_buf *words, struct skrfs_error *err) {
    if (!source || strpbrk(source, ",\\") || strstr(skrfs_buf_text(words), "fsname=")) {
        return 0;
    }
    return skrfs_buf_printf(words, err, "%sfsname=%s", words->len ? "," : "", source);
}

int skrfs_helper_run(int argc, char **argv, struct skrfs_error *err) {
    struct mount_wish wish = {.config = NULL};
    struct skrfs_texts words = {.count = 0};
    skrfs_autobuf text = SKRFS_BUF(SKRFS_MOUNT_WORDS_MAX);
    if (helper_options(argc, argv, &wish, &words, err) < 0 || words_join(&words, &text, err) < 0 ||
            source_show(wish.config, &text, err) < 0 ||
            skrfs_mount_words_parse(skrfs_buf_text(&text), &wish.words, err) < 0) {
        return -1;
    }
    int result = mount_run(&wish, err);
    skrfs_mount_words_done(&wish.words);
    return result;
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct mount_options, config)},
        {'f', "foreground", NULL, "stay in the foreground, with the log on standard error",
                SKRFS_OPTION_FLAG, offsetof(struct mount_options, foreground)},
        {0, "service", "STEP", "a step of a systemd service: prepare, serve or finish",
                SKRFS_OPTION_TEXT, offsetof(struct mount_options, service)},
        {'o', "options", "WORDS", "mount options, comma separated; also log=LEVEL and config=FILE",
                SKRFS_OPTION_LIST, offsetof(struct mount_options, words)},
};

const struct skrfs_verb skrfs_verb_mount = {
        .name = "mount",
        .summary = "mount the keys as files",
        .operands = "[MOUNTPOINT]",
        .details = "Mounts the configured keys at MOUNTPOINT (default: 'path' in section [mount]) "
                   "and returns\n"
                   "when the mount answers. No key is released before a program opens its file.",
        .page = "skrfs-mount(8)",
        .most = 1,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct mount_options),
        .run = verb_run,
};
