/* Users, groups and units that rules name, as this machine knows them. */
#include "lint.h"

#include <dirent.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <skrfs/base/cleanup.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAMES_MAX ((size_t)100000)

/* Where systemd looks for units (systemd.unit(5)), and what makes them while it runs. */
static const char *const unit_folders[] = {"/etc/systemd/system.control",
        "/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early",
        "/etc/systemd/system", "/etc/systemd/system.attached", "/run/systemd/system",
        "/run/systemd/system.attached", "/run/systemd/generator", "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late"};

/* One element more in an array that doubles. False: there is no memory for it. */
static bool grow(void *array, size_t count, size_t size) {
    void **pointer = array;
    if (count & (count - 1)) {
        return true;
    }
    void *grown = reallocarray(*pointer, count ? 2 * count : 1, size);
    if (grown) {
        *pointer = grown;
    }
    return grown != NULL;
}

static void read_groups(struct lint *lint) {
    const struct passwd *record;
    setpwent();
    while (lint->primary_count < NAMES_MAX && (record = getpwent()) &&
            grow(&lint->primary, lint->primary_count, sizeof(*lint->primary))) {
        lint->primary[lint->primary_count++] = record->pw_gid;
    }
    endpwent();
}

static void read_folder(struct lint *lint, const char *path) {
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        if (lint->unit_count == NAMES_MAX || entry->d_name[0] == '.' ||
                !grow(&lint->units, lint->unit_count, sizeof(*lint->units))) {
            continue;
        }
        char *name = strdup(entry->d_name);
        if (name) {
            lint->units[lint->unit_count++] = name;
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
}

static int compare_names(const void *a, const void *b) {
    const char *const *one = a, *const *other = b;
    return strcmp(*one, *other);
}

void lint_names_read(struct lint *lint) {
    read_groups(lint);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(unit_folders); i++) {
        read_folder(lint, unit_folders[i]);
    }
    if (lint->unit_count) {
        qsort(lint->units, lint->unit_count, sizeof(*lint->units), compare_names);
    }
}

void lint_names_done(struct lint *lint) {
    for (size_t i = 0; i < lint->unit_count; i++) {
        free(lint->units[i]);
    }
    free(lint->units);
    free(lint->primary);
}

static bool is_primary(const struct lint *lint, gid_t group) {
    for (size_t i = 0; i < lint->primary_count; i++) {
        if (lint->primary[i] == group) {
            return true;
        }
    }
    return false;
}

static void lint_user(struct lint *lint, const struct lint_rule *rule, uid_t uid) {
    if (!getpwuid(uid)) {
        lint_find(lint, &rule->at, LINT_NOTE, "user-unknown",
                "no user of this machine has the number %u: as a rule nobody, or a user "
                "namespace's",
                uid);
    }
}

static void lint_group(struct lint *lint, const struct lint_rule *rule, gid_t gid) {
    const struct group *record = getgrgid(gid);
    if (!record) {
        lint_find(lint, &rule->at, LINT_NOTE, "group-unknown",
                "no group of this machine has the number %u", gid);
    } else if (!record->gr_mem[0] && !is_primary(lint, gid)) {
        lint_find(lint, &rule->at, LINT_WARNING, "group-empty",
                "group %s has no members, as far as this machine's database lists them: gpasswd -a "
                "adds one; services may have it by SupplementaryGroups=",
                record->gr_name);
    }
}

/* foo@bar.service comes of foo@.service, and the pattern foo@*.service of it too. */
static void template_of(const char *unit, char out[SKRFS_UNIT_MAX]) {
    const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');
    out[0] = '\0';
    if (at && dot && at < dot) {
        (void)snprintf(out, SKRFS_UNIT_MAX, "%.*s%s", (int)(at - unit) + 1, unit, dot);
    }
}

static bool has_unit(const struct lint *lint, const char *unit) {
    if (!strchr(unit, '*')) {
        return lint->unit_count && bsearch(&unit, lint->units, lint->unit_count,
                                           sizeof(*lint->units), compare_names) != NULL;
    }
    for (size_t i = 0; i < lint->unit_count; i++) {
        if (fnmatch(unit, lint->units[i], FNM_NOESCAPE) == 0) {
            return true;
        }
    }
    return false;
}

/* Units are named by the characters that match themselves, and '*' (systemd.unit(5)). Without any
 * there is no systemd here to ask. */
static bool unit_is_unknown(const struct lint *lint, const char *unit) {
    char template[SKRFS_UNIT_MAX];
    template_of(unit, template);
    return lint->unit_count && !(template[0] && has_unit(lint, template)) && !has_unit(lint, unit);
}

static void lint_unit(struct lint *lint, const struct lint_rule *rule, const char *unit) {
    const char *dot = strrchr(unit, '.');
    /* Scopes and slices are made without files. */
    if (dot && (strcmp(dot, ".scope") == 0 || strcmp(dot, ".slice") == 0)) {
        return;
    }
    if (unit_is_unknown(lint, unit)) {
        lint_find(lint, &rule->at, LINT_WARNING, "unit-unknown",
                "systemd knows no unit %s here: the rule matches nobody until it is there; "
                "systemctl list-unit-files shows those that are",
                unit);
    }
}

void lint_names(struct lint *lint, const struct lint_rule *rule) {
    for (size_t i = 0; i < rule->rule->count; i++) {
        const struct skrfs_condition *condition = &rule->rule->conditions[i];
        if (condition->kind == SKRFS_CONDITION_USER) {
            lint_user(lint, rule, condition->id);
        } else if (condition->kind == SKRFS_CONDITION_GROUP) {
            lint_group(lint, rule, condition->id);
        } else if (condition->kind == SKRFS_CONDITION_UNIT) {
            lint_unit(lint, rule, condition->text);
        }
    }
}
