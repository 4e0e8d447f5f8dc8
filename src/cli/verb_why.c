#include "verbs.h"

#include <dirent.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>

#define WHY_MAX ((size_t)256 * 1024)
#define NAMES_MAX 1000 /* keys that are looked at for a suggestion */

struct why_options {
    const char *config;
};

static int path_make(const char *mount, const char *middle, const char *name, struct skrfs_buf *out,
        struct skrfs_error *err) {
    return skrfs_buf_printf(out, err, "%s/%s%s", mount, middle, name);
}

/* Copies the name nearest to `name` out of keys/, false when none is near. */
static bool near_key(const char *mount, const char *name, char out[256]) {
    struct skrfs_error err;
    skrfs_autobuf path = SKRFS_BUF(8192);
    if (path_make(mount, "keys", "", &path, &err) < 0) {
        return false;
    }
    DIR *keys = opendir(skrfs_buf_text(&path));
    char *names[NAMES_MAX];
    size_t count = 0;
    for (struct dirent *entry; keys && count < NAMES_MAX && (entry = readdir(keys));) {
        names[count] = entry->d_name[0] == '.' ? NULL : strdup(entry->d_name);
        count += names[count] != NULL;
    }
    if (keys) {
        (void)closedir(keys);
    }
    const char *near = skrfs_nearest(name, (const char *const *)names, count);
    if (near) {
        (void)snprintf(out, 256, "%s", near);
    }
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    return near != NULL;
}

static int name_unknown(const char *mount, const char *name, struct skrfs_error *err) {
    char near[256];
    bool found = near_key(mount, name, near);
    return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "no key '%s' in %s%s%s%s", name, mount,
            found ? "; did you mean '" : "", found ? near : "", found ? "'?" : "");
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct why_options *options = call->options;
    const char *name = call->operands[0];
    skrfs_autofree char *mount = NULL;
    skrfs_autobuf path = SKRFS_BUF(8192), text = SKRFS_BUF(WHY_MAX);
    if (skrfs_mount_find(call->count > 1 ? call->operands[1] : NULL, options->config, &mount, err) <
                    0 ||
            path_make(mount, "status/why/", name, &path, err) < 0) {
        return -1;
    }
    if (!*name || strchr(name, '/') || name[0] == '.' || access(skrfs_buf_text(&path), F_OK) != 0) {
        return name_unknown(mount, name, err);
    }
    if (skrfs_file_read(skrfs_buf_text(&path), &text, err) < 0) {
        return -1;
    }
    return skrfs_print(&text, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct why_options, config)},
};

const struct skrfs_verb skrfs_verb_why = {
        .name = "why",
        .summary = "show a key's last release step by step",
        .operands = "NAME [MOUNTPOINT]",
        .details = "Shows the steps of the last attempt to release the key NAME, how long each "
                   "took and, when it\n"
                   "failed, which step and why.",
        .page = "skrfs-status(8)",
        .least = 1,
        .most = 2,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct why_options),
        .run = verb_run,
};
