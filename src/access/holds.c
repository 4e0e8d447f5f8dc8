/* Whether a condition holds of a caller: yes, no, or not known. */
#include "internal.h"

#include <string.h>

enum answer group_holds(const struct skrfs_caller *caller, gid_t group) {
    if (caller->gid == group)
        return YES;
    if (!(caller->known & SKRFS_FACT_GROUPS))
        return UNKNOWN;
    for (size_t i = 0; i < caller->group_count && i < SKRFS_GROUPS_MAX; i++)
        if (caller->groups[i] == group)
            return YES;
    return NO;
}

bool skrfs_path_matches(const char *pattern, const char *path) {
    size_t len = strlen(pattern);
    if (len && pattern[len - 1] == '*')
        return !strncmp(pattern, path, len - 1) && path[len - 1];
    return !strcmp(pattern, path);
}

static bool unit_matches(const char *rule, const char *unit) {
    const char *star = strchr(rule, '*');
    if (!star)
        return !strcmp(rule, unit);
    size_t before = (size_t)(star - rule), after = strlen(star + 1), len = strlen(unit);
    return len > before + after && !strncmp(rule, unit, before) &&
           !strcmp(unit + len - after, star + 1);
}

/* An id's beginning. Machines have names instead of ids, and one could be named like an id's
 * beginning: those are units. */
static bool container_matches(const char *rule, const char *container) {
    return strlen(container) == SKRFS_CONTAINER_MAX - 1 && !strncmp(rule, container, strlen(rule));
}

static bool label_matches(const char *rule, const char *label) {
    size_t len = strlen(rule);
    if (rule[len - 1] == '*')
        return !strncmp(rule, label, len - 1);
    return !strcmp(rule, label);
}

static bool is_host(const struct skrfs_caller *caller) {
    for (size_t i = 0; i < SKRFS_NS_COUNT; i++)
        if (!caller->spaces[i].host)
            return false;
    return true;
}

static bool namespace_matches(
        const struct skrfs_condition *condition, const struct skrfs_caller *caller) {
    if (condition->inode == 0)
        return caller->spaces[condition->space].host;
    return caller->spaces[condition->space].inode == condition->inode;
}

unsigned condition_fact(const struct skrfs_condition *condition) {
    switch (condition->kind) {
    case SKRFS_CONDITION_USER:
        return 0;
    case SKRFS_CONDITION_GROUP:
        return SKRFS_FACT_GROUPS;
    case SKRFS_CONDITION_EXE:
        return SKRFS_FACT_EXE;
    case SKRFS_CONDITION_SHA256:
        return SKRFS_FACT_SHA256;
    case SKRFS_CONDITION_VERITY:
        return SKRFS_FACT_VERITY;
    case SKRFS_CONDITION_UNIT:
    case SKRFS_CONDITION_CGROUP:
    case SKRFS_CONDITION_CONTAINER:
        return SKRFS_FACT_CGROUP;
    case SKRFS_CONDITION_HOST:
    case SKRFS_CONDITION_NAMESPACE:
        return SKRFS_FACT_NAMESPACES;
    case SKRFS_CONDITION_LABEL:
        return SKRFS_FACT_LABEL;
    }
    return SKRFS_FACTS_ALL;
}

/* With all known that it asks for. */
static bool is_met(const struct skrfs_condition *condition, const struct skrfs_caller *caller) {
    switch (condition->kind) {
    case SKRFS_CONDITION_USER:
        return condition->id == caller->uid;
    case SKRFS_CONDITION_GROUP:
        return group_holds(caller, condition->id) == YES;
    case SKRFS_CONDITION_EXE:
        return skrfs_path_matches(condition->text, caller->exe);
    case SKRFS_CONDITION_SHA256:
        return !memcmp(condition->sha256, caller->sha256, sizeof caller->sha256);
    case SKRFS_CONDITION_VERITY:
        return !strcmp(condition->text, caller->verity);
    case SKRFS_CONDITION_UNIT:
        return unit_matches(condition->text, caller->unit);
    case SKRFS_CONDITION_CGROUP:
        return skrfs_path_matches(condition->text, caller->cgroup);
    case SKRFS_CONDITION_CONTAINER:
        return container_matches(condition->text, caller->container);
    case SKRFS_CONDITION_HOST:
        return is_host(caller);
    case SKRFS_CONDITION_NAMESPACE:
        return namespace_matches(condition, caller);
    case SKRFS_CONDITION_LABEL:
        return label_matches(condition->text, caller->label);
    }
    return false;
}

enum answer condition_holds(
        const struct skrfs_condition *condition, const struct skrfs_caller *caller) {
    unsigned fact = condition_fact(condition);
    /* The primary group is in the kernel's request. */
    if (condition->kind == SKRFS_CONDITION_GROUP)
        return group_holds(caller, condition->id);
    if ((caller->known & fact) != fact)
        return UNKNOWN;
    return is_met(condition, caller) ? YES : NO;
}

enum answer rule_holds(const struct skrfs_rule *rule, const struct skrfs_caller *caller) {
    enum answer all = YES;
    for (size_t i = 0; i < rule->count && all != NO; i++) {
        enum answer one = condition_holds(&rule->conditions[i], caller);
        if (one != YES)
            all = one;
    }
    return all;
}
