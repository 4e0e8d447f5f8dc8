/* The programs that rules name, as they are on this machine. */
#include "lint.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <skrfs/base/cleanup.h>
#include <skrfs/base/encode.h>
#include <skrfs/caller/caller.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* An allow rule that fits no program lets nobody in; a deny rule that does is but useless. */
static enum lint_level level_of(const struct lint_rule *rule) {
    return lint_is_allow(rule) ? LINT_WARNING : LINT_NOTE;
}

/* Who else than root could put another file there. */
static bool writable_by(const struct stat *status, bool sticky, char out[64]) {
    if (status->st_uid != 0) {
        (void)snprintf(out, 64, "its owner, user %u", status->st_uid);
    } else if (status->st_mode & S_IWOTH && !(sticky && status->st_mode & S_ISVTX)) {
        (void)snprintf(out, 64, "every user");
    } else if (status->st_mode & S_IWGRP && status->st_gid != 0) {
        (void)snprintf(out, 64, "group %u", status->st_gid);
    } else {
        return false;
    }
    return true;
}

static void tell_writable(
        struct lint *lint, const struct lint_rule *rule, const char *path, const char *whom) {
    lint_find(lint, &rule->at, LINT_WARNING, "exe-writable",
            "the rule %s trusts what lies at %s, which %s can replace; use a path that root alone "
            "can write, or add '& sha256:'",
            rule->text, path, whom);
}

/* The first of the path's folders that another than root may write. `below` says that all in the
 * folder is trusted: the sticky bit keeps others' files from being replaced, not new ones out. */
static void lint_folders(
        struct lint *lint, const struct lint_rule *rule, const char *path, bool below) {
    char folder[SKRFS_PATH_MAX];
    (void)snprintf(folder, sizeof(folder), "%s", path);
    for (char *slash = strrchr(folder, '/'); slash; below = false) {
        struct stat status;
        char whom[64];
        bool root = slash == folder;
        slash[root] = '\0';
        if (stat(folder, &status) == 0 && writable_by(&status, !below, whom)) {
            tell_writable(lint, rule, folder, whom);
            return;
        }
        slash = root ? NULL : strrchr(folder, '/');
    }
}

/* Homes of users below a folder of which all is trusted. */
static bool lint_homes(struct lint *lint, const struct lint_rule *rule, const char *folder) {
    const struct passwd *record;
    char found[SKRFS_PATH_MAX] = "", whom[64];
    size_t len = strlen(folder);
    setpwent();
    while (!found[0] && (record = getpwent())) {
        struct stat status;
        if (strncmp(record->pw_dir, folder, len) == 0 && record->pw_dir[len] == '/' &&
                stat(record->pw_dir, &status) == 0 && writable_by(&status, false, whom)) {
            (void)snprintf(found, sizeof(found), "%s", record->pw_dir);
        }
    }
    endpwent();
    if (!found[0] && strcmp(folder, "/home") == 0) {
        (void)snprintf(found, sizeof(found), "/home/USER");
        (void)snprintf(whom, sizeof(whom), "each user");
    }
    if (found[0]) {
        tell_writable(lint, rule, found, whom);
    }
    return found[0] != '\0';
}

/* "/usr/bin/env" of "#!/usr/bin/env python3"; false for other files. */
static bool interpreter_of(const char *path, char out[PATH_MAX]) {
    char head[PATH_MAX + 4] = "";
    skrfs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || read(fd, head, sizeof(head) - 1) < 3 || memcmp(head, "#!", 2) != 0) {
        return false;
    }
    const char *begin = head + 2 + strspn(head + 2, " \t");
    int len = (int)strcspn(begin, " \t\n");
    (void)snprintf(out, PATH_MAX, "%.*s", len, begin);
    return true;
}

static void lint_digest(struct lint *lint, const struct lint_rule *rule, const char *path) {
    static struct skrfs_caller file;
    const struct skrfs_condition *sha256 = lint_condition(rule->rule, SKRFS_CONDITION_SHA256);
    const struct skrfs_condition *verity = lint_condition(rule->rule, SKRFS_CONDITION_VERITY);
    char digest[2 * sizeof(file.sha256) + 1];
    if (!sha256 && !verity) {
        return;
    }
    memset(&file, 0, sizeof(file));
    skrfs_describe_file(path, &file);
    if (sha256 && file.known & SKRFS_FACT_SHA256 &&
            memcmp(file.sha256, sha256->sha256, sizeof(file.sha256)) != 0) {
        skrfs_hex_encode(file.sha256, sizeof(file.sha256), digest);
        lint_find(lint, &rule->at, level_of(rule), "digest-differs",
                "the rule %s does not match %s as it is now, whose digest is sha256:%s", rule->text,
                path, digest);
    }
    if (verity && file.known & SKRFS_FACT_VERITY && strcmp(file.verity, verity->text) != 0) {
        lint_find(lint, &rule->at, level_of(rule), "digest-differs",
                "the rule %s does not match %s as it is now, whose digest is verity:%s", rule->text,
                path, file.verity);
    }
    if (verity && !(file.known & SKRFS_FACT_VERITY)) {
        lint_find(lint, &rule->at, level_of(rule), "digest-differs",
                "the rule %s does not match %s as it is now, which has no fs-verity digest: "
                "fsverity enable makes one",
                rule->text, path);
    }
}

static bool lint_script(struct lint *lint, const struct lint_rule *rule, const char *path) {
    char interpreter[PATH_MAX], real[PATH_MAX];
    if (!interpreter_of(path, interpreter)) {
        return false;
    }
    lint_find(lint, &rule->at, LINT_ERROR, "exe-script",
            "%s is a script, and never the program that runs: that is its interpreter, "
            "exe:%s, for whatever script it is; add '& user:' or '& unit:' to that",
            path, realpath(interpreter, real) ? real : interpreter);
    return true;
}

/* True when there is a file that could run. */
static bool lint_file(struct lint *lint, const struct lint_rule *rule, const char *path) {
    struct stat status;
    char whom[64];
    if (stat(path, &status) < 0) {
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        lint_find(lint, &rule->at, LINT_ERROR, "exe-no-file", "%s is no file, and never runs%s",
                path, S_ISDIR(status.st_mode) ? "; '/*' behind it means all that is below" : "");
        return false;
    }
    if (!(status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))) {
        lint_find(lint, &rule->at, level_of(rule), "exe-not-executable",
                "%s is not executable, and never runs: chmod +x, or name the program that is meant",
                path);
    }
    if (lint_script(lint, rule, path)) {
        return false;
    }
    if (lint_is_allow(rule) && writable_by(&status, false, whom) &&
            !lint_condition(rule->rule, SKRFS_CONDITION_SHA256) &&
            !lint_condition(rule->rule, SKRFS_CONDITION_VERITY)) {
        tell_writable(lint, rule, path, whom);
        return false;
    }
    return true;
}

/* Whether the path is the one that the kernel tells. */
static bool lint_real(
        struct lint *lint, const struct lint_rule *rule, const char *path, const char *tail) {
    char real[PATH_MAX];
    if (!realpath(path, real)) {
        lint_find(lint, &rule->at, level_of(rule), "exe-missing",
                "there is no %s on this machine%s", path,
                lint_is_allow(rule) ? ": the rule lets nobody in until there is" : "");
        return false;
    }
    if (strcmp(real, path) == 0) {
        return true;
    }
    lint_find(lint, &rule->at, LINT_ERROR, "exe-link",
            "exe:%s%s never matches: the kernel tells the path behind links; write exe:%s%s", path,
            tail, real, tail);
    return false;
}

static void lint_path(
        struct lint *lint, const struct lint_rule *rule, const struct skrfs_condition *exe) {
    char path[SKRFS_PATH_MAX];
    size_t len = strlen(exe->text);
    bool folder = len > 2 && strcmp(exe->text + len - 2, "/*") == 0;
    bool bound = lint_condition(rule->rule, SKRFS_CONDITION_SHA256) ||
                 lint_condition(rule->rule, SKRFS_CONDITION_VERITY);
    (void)snprintf(path, sizeof(path), "%.*s", (int)(folder ? len - 2 : len), exe->text);
    if (!lint_real(lint, rule, path, folder ? "/*" : "")) {
        return;
    }
    if (!folder && !lint_file(lint, rule, path)) {
        return;
    }
    if (lint_is_allow(rule) && !bound && !(folder && lint_homes(lint, rule, path))) {
        lint_folders(lint, rule, exe->text, folder);
    }
    if (!folder) {
        lint_digest(lint, rule, path);
    }
}

void lint_exe(struct lint *lint, const struct lint_rule *rule) {
    for (size_t i = 0; i < rule->rule->count; i++) {
        if (rule->rule->conditions[i].kind == SKRFS_CONDITION_EXE) {
            lint_path(lint, rule, &rule->rule->conditions[i]);
        }
    }
}
