#include <skrfs/access/limits.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum answer { NO, YES, UNKNOWN };

static enum answer in_group(const struct skrfs_caller *caller, gid_t group) {
    if (caller->gid == group)
        return YES;
    if (!(caller->known & SKRFS_FACT_GROUPS))
        return UNKNOWN;
    for (size_t i = 0; i < caller->group_count && i < SKRFS_GROUPS_MAX; i++)
        if (caller->groups[i] == group)
            return YES;
    return NO;
}

static bool path_matches(const char *rule, const char *exe) {
    size_t len = strlen(rule);
    if (len && rule[len - 1] == '*')
        return !strncmp(rule, exe, len - 1) && exe[len - 1];
    return !strcmp(rule, exe);
}

static enum answer holds(
        const struct skrfs_condition *condition, const struct skrfs_caller *caller) {
    switch (condition->kind) {
    case SKRFS_CONDITION_USER:
        return condition->id == caller->uid ? YES : NO;
    case SKRFS_CONDITION_GROUP:
        return in_group(caller, condition->id);
    case SKRFS_CONDITION_EXE:
        if (!(caller->known & SKRFS_FACT_EXE))
            return UNKNOWN;
        return path_matches(condition->text, caller->exe) ? YES : NO;
    default:
        return UNKNOWN;
    }
}

static enum answer rule_matches(const struct skrfs_rule *rule, const struct skrfs_caller *caller) {
    enum answer all = YES;
    for (size_t i = 0; i < rule->count && all != NO; i++) {
        enum answer one = holds(&rule->conditions[i], caller);
        if (one != YES)
            all = one;
    }
    return all;
}

static unsigned condition_fact(const struct skrfs_condition *condition) {
    switch (condition->kind) {
    case SKRFS_CONDITION_GROUP:
        return SKRFS_FACT_GROUPS;
    case SKRFS_CONDITION_EXE:
        return SKRFS_FACT_EXE;
    default:
        return 0;
    }
}

const char *skrfs_fact_name(enum skrfs_fact fact) {
    return fact == SKRFS_FACT_GROUPS ? "groups" : "executable";
}

static const char *missing(const struct skrfs_rule *rule) {
    for (size_t i = 0; i < rule->count; i++)
        if (condition_fact(&rule->conditions[i]))
            return skrfs_fact_name((enum skrfs_fact)condition_fact(&rule->conditions[i]));
    return "identity";
}

static int condition_print(const struct skrfs_condition *condition, char *out, size_t size) {
    if (condition->kind == SKRFS_CONDITION_EXE)
        return snprintf(out, size, "exe:%.200s", condition->text);
    return snprintf(out, size, "%s:%u", condition->kind == SKRFS_CONDITION_USER ? "user" : "group",
            condition->id);
}

void skrfs_rule_print(const struct skrfs_rule *rule, char *out, size_t size) {
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < rule->count && used + 1 < size; i++) {
        if (i)
            used += (size_t)snprintf(out + used, size - used, " & ");
        if (used + 1 < size)
            used += (size_t)condition_print(&rule->conditions[i], out + used, size - used);
    }
}

/* The class of the caller decides, as on any file system: an owner without the bit is refused even
 * where all others may read. */
static int check_mode(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        struct skrfs_error *err) {
    if (caller->uid == 0)
        return 0;
    if (caller->uid == guard->owner) {
        if (guard->mode & S_IRUSR)
            return 0;
        return skrfs_fail(err, SKRFS_CLASS_DENIED, "mode %04o does not let its owner %u read",
                (unsigned)guard->mode & 0777U, guard->owner);
    }
    bool as_group = guard->mode & S_IRGRP, as_other = guard->mode & S_IROTH;
    if (as_group && as_other)
        return 0;
    enum answer member = as_group || as_other ? in_group(caller, guard->group) : NO;
    if (member == UNKNOWN)
        return skrfs_fail(err, SKRFS_CLASS_DENIED,
                "the groups of uid %u could not be read, and mode %04o asks for them", caller->uid,
                (unsigned)guard->mode & 0777U);
    if (member == YES ? as_group : as_other)
        return 0;
    return skrfs_fail(err, SKRFS_CLASS_DENIED,
            "mode %04o of owner %u, group %u does not let uid %u read",
            (unsigned)guard->mode & 0777U, guard->owner, guard->group, caller->uid);
}

static int check_deny(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        char decided[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) {
    for (size_t i = 0; i < guard->deny.count; i++) {
        const struct skrfs_rule *rule = &guard->deny.rules[i];
        enum answer match = rule_matches(rule, caller);
        char text[256];
        if (match == NO)
            continue;
        skrfs_rule_print(rule, text, sizeof text);
        (void)snprintf(decided, SKRFS_RULE_TEXT_MAX, "deny %s", text);
        if (match == UNKNOWN)
            return skrfs_fail(err, SKRFS_CLASS_DENIED,
                    "its %s could not be read, and the deny rule %s asks for it", missing(rule),
                    text);
        return skrfs_fail(err, SKRFS_CLASS_DENIED, "the deny rule %s matches", text);
    }
    return 0;
}

static int check_allow(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        char decided[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) {
    const struct skrfs_rule *unknown = NULL;
    if (!guard->allow.count)
        return 0;
    for (size_t i = 0; i < guard->allow.count; i++) {
        enum answer match = rule_matches(&guard->allow.rules[i], caller);
        char text[256];
        if (match == YES) {
            skrfs_rule_print(&guard->allow.rules[i], text, sizeof text);
            (void)snprintf(decided, SKRFS_RULE_TEXT_MAX, "allow %s", text);
            return 0;
        }
        if (match == UNKNOWN)
            unknown = &guard->allow.rules[i];
    }
    char who[512];
    skrfs_caller_print(caller, who, sizeof who);
    (void)snprintf(decided, SKRFS_RULE_TEXT_MAX, "no allow rule");
    if (unknown)
        return skrfs_fail(err, SKRFS_CLASS_DENIED,
                "no allow rule matches %s, whose %s could not be read", who, missing(unknown));
    return skrfs_fail(err, SKRFS_CLASS_DENIED, "no allow rule matches %s", who);
}

int skrfs_access_decide(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        int64_t wall_s, char rule[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) {
    char ignored[SKRFS_RULE_TEXT_MAX];
    char *decided = rule ? rule : ignored;
    (void)snprintf(decided, SKRFS_RULE_TEXT_MAX, "mode %04o", (unsigned)guard->mode & 0777U);
    /* The kernel says 0 for a caller that has no number in this process's pid namespace. */
    if (caller->pid <= 0)
        return skrfs_fail(err, SKRFS_CLASS_DENIED,
                "the caller is outside this mount's process namespace and cannot be known");
    if (check_mode(guard, caller, err) || skrfs_hours_decide(&guard->hours, wall_s, decided, err))
        return -1;
    if (check_deny(guard, caller, decided, err))
        return -1;
    return check_allow(guard, caller, decided, err);
}

static bool met_by_ids(const struct skrfs_rule *rule, uid_t uid, gid_t gid) {
    for (size_t i = 0; i < rule->count; i++) {
        const struct skrfs_condition *condition = &rule->conditions[i];
        if (!(condition->kind == SKRFS_CONDITION_USER && condition->id == uid) &&
                !(condition->kind == SKRFS_CONDITION_GROUP && condition->id == gid))
            return false;
    }
    return true;
}

static unsigned rules_need(const struct skrfs_rules *rules, uid_t uid, gid_t gid) {
    unsigned needs = 0;
    /* A rule that the ids alone meet decides the list, whichever way it decides. */
    for (size_t i = 0; i < rules->count; i++)
        if (met_by_ids(&rules->rules[i], uid, gid))
            return 0;
    for (size_t i = 0; i < rules->count; i++)
        for (size_t k = 0; k < rules->rules[i].count; k++)
            needs |= condition_fact(&rules->rules[i].conditions[k]);
    return needs;
}

unsigned skrfs_guard_needs(const struct skrfs_guard *guard, uid_t uid, gid_t gid) {
    bool as_group = guard->mode & S_IRGRP, as_other = guard->mode & S_IROTH;
    unsigned needs = rules_need(&guard->deny, uid, gid) | rules_need(&guard->allow, uid, gid);
    if (uid != 0 && uid != guard->owner && gid != guard->group && as_group != as_other)
        needs |= SKRFS_FACT_GROUPS;
    return needs;
}

void skrfs_caller_print(const struct skrfs_caller *caller, char *out, size_t size) {
    char exe[256] = "";
    bool known = caller->known & SKRFS_FACT_EXE;
    if (known)
        skrfs_text_clean(caller->exe, strnlen(caller->exe, sizeof caller->exe), exe, sizeof exe);
    (void)snprintf(out, size, "uid %u gid %u pid %d%s%s", caller->uid, caller->gid,
            (int)caller->pid, known ? " exe " : "", exe);
}
