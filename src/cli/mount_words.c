#include "verbs.h"

#include <skrfs/base/log.h>
#include <stdio.h>
#include <string.h>

void skrfs_mount_words_done(struct skrfs_mount_words *words) {
    free(words->rest);
    free(words->config);
    *words = (struct skrfs_mount_words){.rest = NULL};
}

/* For mount(8), fstab(5) and systemd.mount(5); and the kernel's defaults, which mount.fuse3 puts in
 * front. */
static bool dropped(const char *word) {
    static const char *const words[] = {"", "defaults", "rw", "suid", "dev", "exec", "async",
            "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(words); i++) {
        if (strcmp(words[i], word) == 0) {
            return true;
        }
    }
    return strncasecmp(word, "x-", 2) == 0 || strncmp(word, "comment=", 8) == 0 ||
           strncmp(word, "subtype=", 8) == 0;
}

static int config_take(const char *path, struct skrfs_mount_words *words, struct skrfs_error *err) {
    if (words->config || path[0] != '/') {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "config= wants one absolute path, and '%s' is %s", path,
                words->config ? "the second" : "none");
    }
    words->config = strdup(path);
    return words->config ? 0 : skrfs_fail_memory(err);
}

static int word_take(const char *word, struct skrfs_mount_words *words, struct skrfs_buf *rest,
        struct skrfs_error *err) {
    if (strncmp(word, "config=", 7) == 0) {
        return config_take(word + 7, words, err);
    }
    if (strncmp(word, "log=", 4) == 0) {
        (void)snprintf(words->log, sizeof(words->log), "%s", word[4] ? word + 4 : "?");
        return 0;
    }
    return dropped(word) ? 0 : skrfs_buf_printf(rest, err, "%s%s", rest->len ? "," : "", word);
}

int skrfs_mount_words_parse(
        const char *text, struct skrfs_mount_words *ret_words, struct skrfs_error *err) {
    struct skrfs_mount_words words = {.rest = NULL};
    skrfs_autobuf rest = SKRFS_BUF(SKRFS_MOUNT_WORDS_MAX);
    skrfs_autofree char *copy = strdup(text);
    int result = copy ? 0 : skrfs_fail_memory(err);
    char *at = copy;
    for (char *word; result == 0 && (word = strsep(&at, ","));) {
        result = word_take(word, &words, &rest, err);
    }
    if (result == 0 && rest.len) {
        words.rest = strdup(skrfs_buf_text(&rest));
        result = words.rest ? 0 : skrfs_fail_memory(err);
    }
    if (result < 0) {
        skrfs_mount_words_done(&words);
        return -1;
    }
    *ret_words = words;
    return 0;
}

int skrfs_log_level_set(const char *name, struct skrfs_error *err) {
    static const struct {
        const char *name;
        enum skrfs_log_level level;
    } levels[] = {{"error", SKRFS_LOG_ERROR}, {"warning", SKRFS_LOG_WARNING},
            {"info", SKRFS_LOG_INFO}, {"debug", SKRFS_LOG_DEBUG}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(levels); i++) {
        if (strcmp(levels[i].name, name) == 0) {
            skrfs_log_set_level(levels[i].level);
            return 0;
        }
    }
    return skrfs_fail(
            err, SKRFS_CLASS_CONFIG, "log=%s: the levels are error, warning, info and debug", name);
}
