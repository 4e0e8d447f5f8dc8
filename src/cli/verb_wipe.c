#include "verbs.h"

#include <fcntl.h>
#include <skrfs/fs/fs.h>
#include <sys/ioctl.h>

struct wipe_options {
    const char *config;
    bool all;
};

static int wipe(const char *path, struct skrfs_error *err) {
    skrfs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, SKRFS_IOC_WIPE) < 0) {
        return skrfs_fail_errno(err, errno, "wipe through %s", path);
    }
    return 0;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct wipe_options *options = call->options;
    int place = options->all ? 0 : 1;
    skrfs_autofree char *mount = NULL;
    skrfs_autobuf path = SKRFS_BUF(8192);
    if (call->count < place || call->count > place + 1) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "which key? wipe NAME, or wipe --all");
    }
    if (skrfs_mount_find(call->count > place ? call->operands[place] : NULL, options->config,
                &mount, err) < 0) {
        return -1;
    }
    int rc = options->all ? skrfs_buf_printf(&path, err, "%s/status/status.json", mount)
                          : skrfs_why_path(mount, call->operands[0], &path, err);
    if (rc < 0) {
        return -1;
    }
    return wipe(skrfs_buf_text(&path), err) < 0 ? skrfs_status_failed(mount, err) : 0;
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct wipe_options, config)},
        {'a', "all", NULL, "wipe every key of the mount", SKRFS_OPTION_FLAG,
                offsetof(struct wipe_options, all)},
};

const struct skrfs_verb skrfs_verb_wipe = {
        .name = "wipe",
        .summary = "take a key back: wipe it from memory",
        .operands = "NAME [MOUNTPOINT]",
        .details = "Wipes the key NAME, or with --all every key, from the memory of a mount. What "
                   "is open "
                   "can no longer\n"
                   "be read (EKEYREVOKED); the next open releases the key again.",
        .page = "skrfs-status(8)",
        .most = 2,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct wipe_options),
        .run = verb_run,
};
