#include "verbs.h"

#include <skrfs/lab/lab.h>
#include <stdio.h>
#include <string.h>

#define LAB_NAME "skrfs-lab"

struct lab_options {
    const char *dir, *tee, *tcti;
    bool foreground, no_throttle;
};

static int dir_default(char *out, size_t size, struct skrfs_error *err) {
    const char *runtime = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    if (!runtime || runtime[0] != '/') {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "say --dir DIR: there is no XDG_RUNTIME_DIR to put the lab's folder in");
    }
    int len = snprintf(out, size, "%s/" LAB_NAME, runtime);
    return len > 0 && (size_t)len < size
                   ? 0
                   : skrfs_fail(err, SKRFS_CLASS_CONFIG, "XDG_RUNTIME_DIR is too long");
}

/* The folder as an absolute path: what the lab writes into its configuration must hold anywhere. */
static int dir_resolve(const char *option, char *out, size_t size, struct skrfs_error *err) {
    if (!option) {
        return dir_default(out, size, err);
    }
    skrfs_autofree char *here = option[0] == '/' ? NULL : getcwd(NULL, 0);
    if (option[0] != '/' && !here) {
        return skrfs_fail_errno(err, errno, "find the present folder");
    }
    int len = snprintf(out, size, "%s%s%s", here ? here : "", here ? "/" : "", option);
    return len > 0 && (size_t)len < size ? 0
                                         : skrfs_fail(err, SKRFS_CLASS_CONFIG, "--dir is too long");
}

static int tee_check(const char *tee, struct skrfs_error *err) {
    if (!tee || strcmp(tee, "snp") == 0 || strcmp(tee, "tdx") == 0) {
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--tee is snp or tdx, not '%s'", tee);
}

static int up_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct lab_options *options = call->options;
    char dir[4096];
    if (tee_check(options->tee, err) < 0 || dir_resolve(options->dir, dir, sizeof(dir), err) < 0) {
        return -1;
    }
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "starting the lab in %s ...\n", dir);
    }
    struct skrfs_lab_options lab = {.dir = dir,
            .tee = options->tee ? options->tee : "snp",
            .tcti = options->tcti,
            .foreground = options->foreground,
            .throttle = !options->no_throttle};
    if (skrfs_lab_up(&lab, err) < 0) {
        return -1;
    }
    if (!options->foreground) {
        (void)printf("%s/skrfs.conf\n", dir);
        (void)fprintf(stderr,
                "the lab is up; use it with: export SKRFS_CONFIG=%s/skrfs.conf\nend it with: skrfs "
                "lab "
                "down --dir %s\n",
                dir, dir);
    }
    return 0;
}

static int down_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct lab_options *options = call->options;
    char dir[4096];
    if (dir_resolve(options->dir, dir, sizeof(dir), err) < 0) {
        return -1;
    }
    return skrfs_lab_down(dir, err);
}

#define OPTION_DIR                                                                                 \
    {                                                                                              \
        'd', "dir", "DIR",                                                                         \
                "the lab's folder (default: /run/" LAB_NAME ", or in $XDG_RUNTIME_DIR)",           \
                SKRFS_OPTION_TEXT, offsetof(struct lab_options, dir)                               \
    }

static const struct skrfs_option up_options[] = {
        OPTION_DIR,
        {0, "tee", "TEE", "snp (default) or tdx", SKRFS_OPTION_TEXT,
                offsetof(struct lab_options, tee)},
        {0, "tcti", "TCTI", "set up this empty TPM, not a swtpm of the lab's own",
                SKRFS_OPTION_TEXT, offsetof(struct lab_options, tcti)},
        {'f', "foreground", NULL, "stay in the foreground until SIGTERM or Ctrl-C",
                SKRFS_OPTION_FLAG, offsetof(struct lab_options, foreground)},
        {0, "no-throttle", NULL, "leave out the vault's limit of 10 creations and releases in 10 s",
                SKRFS_OPTION_FLAG, offsetof(struct lab_options, no_throttle)},
};

static const struct skrfs_option down_options[] = {OPTION_DIR};

const struct skrfs_verb skrfs_verb_lab_up = {
        .name = "lab up",
        .summary = "start an emulated cloud and TEE on loopback",
        .operands = "",
        .details = "Starts an emulated attestation service, key vault and confidential VM on "
                   "loopback, with signing\n"
                   "roots of its own, and prints the path of a configuration that uses them.",
        .page = "skrfs-lab(1)",
        .options = up_options,
        .option_count = SKRFS_ARRAY_LEN(up_options),
        .options_size = sizeof(struct lab_options),
        .run = up_run,
};

const struct skrfs_verb skrfs_verb_lab_down = {
        .name = "lab down",
        .summary = "end the lab and remove its folder",
        .operands = "",
        .details = "Ends the processes of the lab and removes its folder, with all keys in it.",
        .page = "skrfs-lab(1)",
        .options = down_options,
        .option_count = SKRFS_ARRAY_LEN(down_options),
        .options_size = sizeof(struct lab_options),
        .run = down_run,
};
