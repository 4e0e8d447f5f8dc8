/* Rules against each other: which asks for more, and which asks for what nobody has. */
#include "lint.h"

#include <string.h>

/* Texts with at most one '*', which stands for any part. A pattern that is matched against is taken
 * as it is written: what it stands for lies within what the other stands for. */
static bool contains(const char *pattern, const char *text) {
    const char *star = strchr(pattern, '*');
    if (!star) {
        return strcmp(pattern, text) == 0;
    }
    size_t before = (size_t)(star - pattern), after = strlen(star + 1), len = strlen(text);
    return len > before + after && strncmp(pattern, text, before) == 0 &&
           strcmp(star + 1, text + len - after) == 0;
}

static bool is_pattern(const char *text) {
    return strchr(text, '*') != NULL;
}

static bool has_pattern(enum skrfs_condition_kind kind) {
    return kind == SKRFS_CONDITION_EXE || kind == SKRFS_CONDITION_UNIT ||
           kind == SKRFS_CONDITION_CGROUP || kind == SKRFS_CONDITION_LABEL;
}

/* Whether `narrow` cannot be met without `wide`. */
static bool implies(const struct skrfs_condition *narrow, const struct skrfs_condition *wide) {
    if (narrow->kind == SKRFS_CONDITION_HOST && wide->kind == SKRFS_CONDITION_NAMESPACE) {
        return wide->inode == 0;
    }
    if (narrow->kind != wide->kind) {
        return false;
    }
    switch (narrow->kind) {
    case SKRFS_CONDITION_USER:
    case SKRFS_CONDITION_GROUP:
        return narrow->id == wide->id;
    case SKRFS_CONDITION_SHA256:
        return memcmp(narrow->sha256, wide->sha256, sizeof(narrow->sha256)) == 0;
    case SKRFS_CONDITION_HOST:
        return true;
    case SKRFS_CONDITION_NAMESPACE:
        return narrow->space == wide->space && narrow->inode == wide->inode;
    case SKRFS_CONDITION_CONTAINER:
        return strncmp(wide->text, narrow->text, strlen(wide->text)) == 0;
    default:
        return contains(wide->text, narrow->text) || strcmp(wide->text, narrow->text) == 0;
    }
}

bool lint_covers(const struct skrfs_rule *wide, const struct skrfs_rule *narrow) {
    for (size_t i = 0; i < wide->count; i++) {
        bool implied = false;
        for (size_t k = 0; k < narrow->count && !implied; k++) {
            implied = implies(&narrow->conditions[k], &wide->conditions[i]);
        }
        if (!implied) {
            return false;
        }
    }
    return true;
}

static bool exclude_texts(const struct skrfs_condition *one, const struct skrfs_condition *other) {
    /* Of two patterns in the middle of names both may match one name; those of folders cannot. */
    if (one->kind == SKRFS_CONDITION_UNIT && is_pattern(one->text) && is_pattern(other->text)) {
        return false;
    }
    return !implies(one, other) && !implies(other, one);
}

/* Digests by another algorithm say nothing of each other. */
static bool exclude_verity(const char *one, const char *other) {
    size_t len = strcspn(one, ":") + 1;
    return strncmp(one, other, len) == 0 && strcmp(one, other) != 0;
}

static bool exclude_kinds(const struct skrfs_condition *host, const struct skrfs_condition *place) {
    if (host->kind != SKRFS_CONDITION_HOST) {
        return false;
    }
    return place->kind == SKRFS_CONDITION_CONTAINER ||
           (place->kind == SKRFS_CONDITION_NAMESPACE && place->inode != 0);
}

static bool exclude(const struct skrfs_condition *one, const struct skrfs_condition *other) {
    if (one->kind != other->kind) {
        return exclude_kinds(one, other) || exclude_kinds(other, one);
    }
    switch (one->kind) {
    case SKRFS_CONDITION_GROUP: /* one may be in many */
    case SKRFS_CONDITION_HOST:
        return false;
    case SKRFS_CONDITION_NAMESPACE:
        return one->space == other->space && one->inode != other->inode;
    case SKRFS_CONDITION_VERITY:
        return exclude_verity(one->text, other->text);
    default:
        break;
    }
    return has_pattern(one->kind) ? exclude_texts(one, other)
                                  : !implies(one, other) && !implies(other, one);
}

bool lint_contradiction(const struct skrfs_rule *rule, const struct skrfs_condition **ret_one,
        const struct skrfs_condition **ret_other) {
    for (size_t i = 0; i < rule->count; i++) {
        for (size_t k = i + 1; k < rule->count; k++) {
            if (exclude(&rule->conditions[i], &rule->conditions[k])) {
                *ret_one = &rule->conditions[i];
                *ret_other = &rule->conditions[k];
                return true;
            }
        }
    }
    return false;
}
