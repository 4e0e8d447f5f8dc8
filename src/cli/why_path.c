/* Where a mounted key's status file is, and what the name may have been meant to be. */
#include "verbs.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 1000 /* keys that are looked at for a suggestion */

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

int skrfs_status_failed(const char *mount, struct skrfs_error *err) {
    if (err->errnum == ENOENT || err->errnum == ENOTDIR || err->errnum == ENOTTY) {
        err->kind = SKRFS_CLASS_NOT_FOUND;
        return skrfs_wrap(err, "no skrfs is mounted at '%s'", mount);
    }
    if (err->errnum == EACCES || err->errnum == EPERM) {
        err->kind = SKRFS_CLASS_DENIED;
        return skrfs_wrap(
                err, "the mount at '%s' answers root and the user who mounted alone", mount);
    }
    return -1;
}

static bool is_mount(const char *mount) {
    struct skrfs_error ignored;
    skrfs_autobuf path = SKRFS_BUF(8192);
    return path_make(mount, "status/", "status.json", &path, &ignored) == 0 &&
           access(skrfs_buf_text(&path), F_OK) == 0;
}

static int name_unknown(const char *mount, const char *name, struct skrfs_error *err) {
    char near[256];
    if (!is_mount(mount)) {
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "no skrfs is mounted at '%s'", mount);
    }
    bool found = near_key(mount, name, near);
    return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "no key '%s' in %s%s%s%s", name, mount,
            found ? "; did you mean '" : "", found ? near : "", found ? "'?" : "");
}

int skrfs_why_path(
        const char *mount, const char *name, struct skrfs_buf *out, struct skrfs_error *err) {
    if (path_make(mount, "status/why/", name, out, err) < 0) {
        return -1;
    }
    if (!*name || strchr(name, '/') || name[0] == '.' || access(skrfs_buf_text(out), F_OK) != 0) {
        return name_unknown(mount, name, err);
    }
    return 0;
}
