#include <skrfs/base/cleanup.h>
#include <skrfs/cli/verb.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 64

static const struct skrfs_verb *exact(const char *name) {
    for (const struct skrfs_verb *const *verb = skrfs_verbs; *verb; verb++) {
        if (strcmp((*verb)->name, name) == 0) {
            return *verb;
        }
    }
    return NULL;
}

/* The group's name as a constant: "key" has no string of its own in the table. */
static const char *group_named(const char *word) {
    static const char *const groups[] = {"key", "policy", "lab", "audit"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(groups); i++) {
        if (strcmp(groups[i], word) == 0) {
            return groups[i];
        }
    }
    return NULL;
}

static int unknown(const char *said, struct skrfs_error *err) {
    const char *names[NAMES_MAX] = {"key", "policy", "lab", "audit"};
    size_t count = 4;
    for (const struct skrfs_verb *const *verb = skrfs_verbs; *verb && count < NAMES_MAX; verb++) {
        names[count++] = (*verb)->name;
    }
    const char *near = skrfs_nearest(said, names, count);
    if (near) {
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "unknown verb '%s'; did you mean 'skrfs %s'?", said, near);
    }
    return skrfs_fail(
            err, SKRFS_CLASS_CONFIG, "unknown verb '%s'; 'skrfs --help' lists them", said);
}

int skrfs_verb_find(char *const *words, int count, struct skrfs_found_verb *ret_found,
        struct skrfs_error *err) {
    if (count < 1) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "which verb? 'skrfs --help' lists them");
    }
    struct skrfs_found_verb found = {.verb = exact(words[0]), .words = 1};
    if (!found.verb) {
        found.group = group_named(words[0]);
    }
    if (!found.verb && !found.group) {
        return unknown(words[0], err);
    }
    if (found.group && count > 1 && words[1][0] != '-' && strcmp(words[1], "help") != 0) {
        char name[96];
        (void)snprintf(name, sizeof(name), "%s %s", words[0], words[1]);
        found = (struct skrfs_found_verb){.verb = exact(name), .words = 2};
        if (!found.verb) {
            return unknown(name, err);
        }
    }
    *ret_found = found;
    return 0;
}
