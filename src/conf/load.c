#include "room.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <skrfs/crypto/hash.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DROP_INS_MAX 1000

static void raw_cleanup(struct raw *raw) {
    raw_done(raw);
}

#define auto_raw SKRFS_CLEANUP(raw_cleanup) struct raw

static int new_conf(const char *source, uid_t owner, gid_t group, struct skrfs_conf **ret_conf,
        struct skrfs_error *err) {
    struct skrfs_conf *conf = calloc(1, sizeof(*conf));
    char *copy = strdup(source);
    if (!conf || !copy) {
        free(conf);
        free(copy);
        return skrfs_fail_memory(err);
    }
    conf->source = copy;
    conf->owner = owner;
    conf->group = group;
    *ret_conf = conf;
    return 0;
}

static int build(const struct raw *raw, const char *source, uid_t owner, gid_t group,
        struct skrfs_conf **ret_conf, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    uint8_t digest[32];
    if (new_conf(source, owner, group, &conf, err) || conf_build(raw, conf, err) ||
            skrfs_hash(SKRFS_SHA256, skrfs_buf_text(&raw->text), raw->text.len, digest, err))
        return -1;
    skrfs_hex_encode(digest, sizeof(digest), conf->digest);
    *ret_conf = skrfs_take(conf);
    return 0;
}

static int parse(struct raw *raw, const char *name, const char *text, size_t len,
        struct skrfs_conf **ret_conf, struct skrfs_error *err) {
    if (len > SKRFS_CONF_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "%s is longer than %zu octets", name, SKRFS_CONF_MAX);
    if (conf_read_text(raw, name, text, len, err))
        return -1;
    return build(raw, name, geteuid(), getegid(), ret_conf, err);
}

int skrfs_conf_parse(const char *name, const char *text, size_t len, struct skrfs_conf **ret_conf,
        struct skrfs_error *err) {
    auto_raw raw = {0};
    return parse(&raw, name, text, len, ret_conf, err);
}

static int open_file(const char *path, int *ret_fd, struct skrfs_error *err) {
    skrfs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "there is no configuration %s: skrfs.conf(5) shows one to begin with", path);
    if (fd < 0 || fstat(fd, &st))
        return skrfs_fail_errno(err, errno, "the configuration %s cannot be read", path);
    if (!S_ISREG(st.st_mode))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the configuration %s is not a file", path);
    /* It says who may read which key. */
    if (st.st_mode & S_IWOTH)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the configuration %s is refused: everybody may write it (chmod o-w)", path);
    *ret_fd = skrfs_take_fd(&fd);
    return 0;
}

static int read_file(struct raw *raw, const char *path, struct skrfs_error *err) {
    skrfs_autoclose int fd = -1;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_CONF_MAX);
    if (open_file(path, &fd, err))
        return -1;
    if (skrfs_fd_read_all(fd, &text, err)) {
        if (err->kind == SKRFS_CLASS_BAD_ANSWER)
            err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(err, "%s", path);
    }
    return conf_read_text(raw, path, skrfs_buf_text(&text), text.len, err);
}

static int is_drop_in(const struct dirent *entry) {
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

/* Bytes, not the locale: the same order on every machine. */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_listed(struct raw *raw, const char *folder, struct dirent *const *entries,
        int count, struct skrfs_error *err) {
    if (count > DROP_INS_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "more than %d files in %s", DROP_INS_MAX, folder);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        int len = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (len < 0 || (size_t)len >= sizeof(path))
            return skrfs_fail_errno(err, ENAMETOOLONG, "%s", folder);
        if (read_file(raw, path, err))
            return -1;
    }
    return 0;
}

static int read_drop_ins(struct raw *raw, const char *path, struct skrfs_error *err) {
    char folder[PATH_MAX];
    int len = snprintf(folder, sizeof(folder), "%s.d", path);
    if (len < 0 || (size_t)len >= sizeof(folder))
        return skrfs_fail_errno(err, ENAMETOOLONG, "%s", path);
    struct dirent **entries;
    int count = scandir(folder, &entries, is_drop_in, by_name);
    if (count < 0)
        return errno == ENOENT ? 0 : skrfs_fail_errno(err, errno, "%s cannot be listed", folder);
    int failed = read_listed(raw, folder, entries, count, err);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return failed;
}

static int load(struct raw *raw, const char *path, uid_t owner, gid_t group,
        struct skrfs_conf **ret_conf, struct skrfs_error *err) {
    if (!path)
        path = SKRFS_CONF_PATH;
    if (read_file(raw, path, err) || read_drop_ins(raw, path, err))
        return -1;
    return build(raw, path, owner, group, ret_conf, err);
}

int skrfs_conf_load_for(const char *path, uid_t owner, gid_t group, struct skrfs_conf **ret_conf,
        struct skrfs_error *err) {
    auto_raw raw = {0};
    return load(&raw, path, owner, group, ret_conf, err);
}

int skrfs_conf_load(const char *path, struct skrfs_conf **ret_conf, struct skrfs_error *err) {
    return skrfs_conf_load_for(path, geteuid(), getegid(), ret_conf, err);
}

struct skrfs_conf_map {
    struct raw raw;
};

int skrfs_conf_load_mapped(const char *path, struct skrfs_conf **ret_conf,
        struct skrfs_conf_map **ret_map, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_conf_map_free_p) struct skrfs_conf_map *map = calloc(1, sizeof(*map));
    if (!map)
        return skrfs_fail_memory(err);
    if (load(&map->raw, path, geteuid(), getegid(), ret_conf, err))
        return -1;
    *ret_map = skrfs_take(map);
    return 0;
}

int skrfs_conf_parse_mapped(const char *name, const char *text, size_t len,
        struct skrfs_conf **ret_conf, struct skrfs_conf_map **ret_map, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_conf_map_free_p) struct skrfs_conf_map *map = calloc(1, sizeof(*map));
    if (!map)
        return skrfs_fail_memory(err);
    if (parse(&map->raw, name, text, len, ret_conf, err))
        return -1;
    *ret_map = skrfs_take(map);
    return 0;
}

void skrfs_conf_map_free(struct skrfs_conf_map *map) {
    if (!map)
        return;
    raw_done(&map->raw);
    free(map);
}

bool skrfs_conf_where(const struct skrfs_conf_map *map, const char *key, const char *name,
        size_t offset, struct skrfs_conf_place *ret_place) {
    const struct section *section = raw_find(&map->raw, SECTION_KEY, key);
    const struct value *value = section && name ? raw_get(section, name) : NULL;
    if (!section || (name && !value))
        return false;
    struct place place = value ? raw_place_of(value, offset) : section->place;
    *ret_place = (struct skrfs_conf_place){
            .file = place.file, .line = place.line, .column = place.column};
    return true;
}
