#include <skrfs/base/file.h>
#include <skrfs/cli/place.h>
#include <stdio.h>
#include <string.h>

#define MOUNTINFO_MAX ((size_t)16 * 1024 * 1024)
#define TYPE "fuse.skrfs"
#define POINT_FIELD 4 /* mount point, counted from 0: proc(5) */

void skrfs_mounts_done(struct skrfs_mounts *mounts) {
    for (size_t i = 0; i < mounts->count; i++) {
        free(mounts->paths[i]);
    }
    mounts->count = 0;
}

static bool octal(const char *text) {
    return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' && text[1] <= '7' && text[2] >= '0' &&
           text[2] <= '7';
}

/* Blank, tab, newline and backslash are written as \ooo. */
static char *unescape(const char *text, size_t len) {
    char *out = malloc(len + 1);
    size_t at = 0;
    for (size_t i = 0; out && i < len; i++) {
        if (text[i] == '\\' && i + 3 < len && octal(text + i + 1)) {
            out[at++] =
                    (char)((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
            i += 3;
        } else {
            out[at++] = text[i];
        }
    }
    if (out) {
        out[at] = '\0';
    }
    return out;
}

/* The mount point's field of a line, NULL for a line that is of another type or broken. */
static const char *point_of(const char *line, size_t len, size_t *ret_len) {
    const char *end = line + len;
    const char *dash = memmem(line, len, " - ", 3);
    size_t type_len = strlen(TYPE);
    if (!dash || (size_t)(end - dash) < 3 + type_len || memcmp(dash + 3, TYPE, type_len) != 0 ||
            (dash + 3 + type_len < end && dash[3 + type_len] != ' ')) {
        return NULL;
    }
    const char *field = line;
    for (int i = 0; i < POINT_FIELD; i++) {
        field = memchr(field, ' ', (size_t)(dash - field));
        if (!field) {
            return NULL;
        }
        field++;
    }
    const char *stop = memchr(field, ' ', (size_t)(dash - field));
    *ret_len = (size_t)((stop ? stop : dash) - field);
    return field;
}

static bool has(const struct skrfs_mounts *mounts, const char *path) {
    for (size_t i = 0; i < mounts->count; i++) {
        if (strcmp(mounts->paths[i], path) == 0) {
            return true;
        }
    }
    return false;
}

static int line_add(
        const char *line, size_t len, struct skrfs_mounts *mounts, struct skrfs_error *err) {
    size_t point_len = 0;
    const char *point = point_of(line, len, &point_len);
    if (!point || mounts->count == SKRFS_MOUNTS_MAX) {
        return 0;
    }
    skrfs_autofree char *path = unescape(point, point_len);
    if (!path) {
        return skrfs_fail_memory(err);
    }
    if (!has(mounts, path)) {
        mounts->paths[mounts->count++] = skrfs_take(path);
    }
    return 0;
}

int skrfs_mounts_parse(const char *text, struct skrfs_mounts *ret_mounts, struct skrfs_error *err) {
    skrfs_automounts mounts = {.count = 0};
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (line_add(text, len, &mounts, err) < 0) {
            return -1;
        }
        text += len + (text[len] == '\n');
    }
    *ret_mounts = mounts;
    mounts.count = 0;
    return 0;
}

int skrfs_mounts_read(struct skrfs_mounts *ret_mounts, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(MOUNTINFO_MAX);
    return skrfs_file_read("/proc/self/mountinfo", &text, err) < 0
                   ? -1
                   : skrfs_mounts_parse(skrfs_buf_text(&text), ret_mounts, err);
}

int skrfs_mounts_miss(
        const struct skrfs_mounts *mounts, const char *path, struct skrfs_error *err) {
    if (!has(mounts, path)) {
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "skrfs is mounted at '%s' already; 'umount %s' takes it away", path, path);
}

static int several(const struct skrfs_mounts *mounts, struct skrfs_error *err) {
    char names[512] = "";
    size_t at = 0;
    for (size_t i = 0; i < mounts->count && at < sizeof(names) - 1; i++) {
        int put = snprintf(names + at, sizeof(names) - at, "%s%s", i ? ", " : "", mounts->paths[i]);
        at += put > 0 ? (size_t)put : 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "which mount? name one of %s", names);
}

int skrfs_mount_pick(const struct skrfs_mounts *mounts, const char *argument,
        const char *configured, char **ret_path, struct skrfs_error *err) {
    const char *path = argument;
    if (!path && configured && has(mounts, configured)) {
        path = configured;
    }
    if (!path && mounts->count == 1) {
        path = mounts->paths[0];
    }
    if (!path && mounts->count > 1) {
        return several(mounts, err);
    }
    if (!path) {
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND,
                "nothing of type " TYPE " is mounted; 'skrfs mount' mounts");
    }
    char *copy = strdup(path);
    if (!copy) {
        return skrfs_fail_memory(err);
    }
    *ret_path = copy;
    return 0;
}

int skrfs_mount_find(
        const char *argument, const char *config, char **ret_path, struct skrfs_error *err) {
    skrfs_automounts mounts = {.count = 0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    if (skrfs_mounts_read(&mounts, err) < 0) {
        return -1;
    }
    /* The configuration only breaks a tie: a broken one must not hide the status of what runs. */
    struct skrfs_error ignored;
    if (!argument && (config || mounts.count > 1) &&
            skrfs_conf_load(skrfs_config_path(config), &conf, config ? err : &ignored) < 0 &&
            config) {
        return -1;
    }
    return skrfs_mount_pick(&mounts, argument, conf ? conf->mount_path : NULL, ret_path, err);
}
