#include <skrfs/access/access.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum answer { NO, YES, UNKNOWN };

static enum answer in_group(const struct skrfs_caller *caller, gid_t group) {
    if (caller->gid == group)
        return YES;
    if (!caller->has_groups)
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

static enum answer rule_matches(const struct skrfs_rule *rule, const struct skrfs_caller *caller) {
    switch (rule->kind) {
    case SKRFS_RULE_USER:
        return rule->id == caller->uid ? YES : NO;
    case SKRFS_RULE_GROUP:
        return in_group(caller, rule->id);
    case SKRFS_RULE_EXE:
        if (!caller->has_exe)
            return UNKNOWN;
        return path_matches(rule->path, caller->exe) ? YES : NO;
    }
    return UNKNOWN;
}

static const char *missing(const struct skrfs_rule *rule) {
    return rule->kind == SKRFS_RULE_EXE ? "executable" : "groups";
}

static void rule_print(const struct skrfs_rule *rule, char *out, size_t size) {
    if (rule->kind == SKRFS_RULE_EXE)
        (void)snprintf(out, size, "exe:%.200s", rule->path);
    else
        (void)snprintf(
                out, size, "%s:%u", rule->kind == SKRFS_RULE_USER ? "user" : "group", rule->id);
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
        struct skrfs_error *err) {
    for (size_t i = 0; i < guard->deny.count; i++) {
        const struct skrfs_rule *rule = &guard->deny.rules[i];
        enum answer match = rule_matches(rule, caller);
        char text[256];
        if (match == NO)
            continue;
        rule_print(rule, text, sizeof text);
        if (match == UNKNOWN)
            return skrfs_fail(err, SKRFS_CLASS_DENIED,
                    "its %s could not be read, and the deny rule %s asks for it", missing(rule),
                    text);
        return skrfs_fail(err, SKRFS_CLASS_DENIED, "the deny rule %s matches", text);
    }
    return 0;
}

static int check_allow(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        struct skrfs_error *err) {
    const struct skrfs_rule *unknown = NULL;
    if (!guard->allow.count)
        return 0;
    for (size_t i = 0; i < guard->allow.count; i++) {
        enum answer match = rule_matches(&guard->allow.rules[i], caller);
        if (match == YES)
            return 0;
        if (match == UNKNOWN)
            unknown = &guard->allow.rules[i];
    }
    char who[512];
    skrfs_caller_print(caller, who, sizeof who);
    if (unknown)
        return skrfs_fail(err, SKRFS_CLASS_DENIED,
                "no allow rule matches %s, whose %s could not be read", who, missing(unknown));
    return skrfs_fail(err, SKRFS_CLASS_DENIED, "no allow rule matches %s", who);
}

int skrfs_access_decide(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        struct skrfs_error *err) {
    /* The kernel says 0 for a caller that has no number in this process's pid namespace. */
    if (caller->pid <= 0)
        return skrfs_fail(err, SKRFS_CLASS_DENIED,
                "the caller is outside this mount's process namespace and cannot be known");
    if (check_mode(guard, caller, err))
        return -1;
    if (check_deny(guard, caller, err))
        return -1;
    return check_allow(guard, caller, err);
}

static bool rules_met_by_ids(const struct skrfs_rules *rules, uid_t uid, gid_t gid) {
    for (size_t i = 0; i < rules->count; i++) {
        const struct skrfs_rule *rule = &rules->rules[i];
        if ((rule->kind == SKRFS_RULE_USER && rule->id == uid) ||
                (rule->kind == SKRFS_RULE_GROUP && rule->id == gid))
            return true;
    }
    return false;
}

static void add_needs(
        const struct skrfs_rules *rules, uid_t uid, gid_t gid, struct skrfs_access_needs *needs) {
    /* A rule that the ids alone meet decides the list, whichever way it decides. */
    if (rules_met_by_ids(rules, uid, gid))
        return;
    for (size_t i = 0; i < rules->count; i++) {
        needs->groups |= rules->rules[i].kind == SKRFS_RULE_GROUP;
        needs->exe |= rules->rules[i].kind == SKRFS_RULE_EXE;
    }
}

struct skrfs_access_needs skrfs_guard_needs(const struct skrfs_guard *guard, uid_t uid, gid_t gid) {
    bool as_group = guard->mode & S_IRGRP, as_other = guard->mode & S_IROTH;
    struct skrfs_access_needs needs = {
            .groups =
                    uid != 0 && uid != guard->owner && gid != guard->group && as_group != as_other,
    };
    add_needs(&guard->deny, uid, gid, &needs);
    add_needs(&guard->allow, uid, gid, &needs);
    return needs;
}

void skrfs_caller_print(const struct skrfs_caller *caller, char *out, size_t size) {
    char exe[256] = "";
    if (caller->has_exe)
        skrfs_text_clean(caller->exe, strnlen(caller->exe, sizeof caller->exe), exe, sizeof exe);
    (void)snprintf(out, size, "uid %u gid %u pid %d%s%s", caller->uid, caller->gid,
            (int)caller->pid, caller->has_exe ? " exe " : "", exe);
}
