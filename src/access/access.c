#include "internal.h"

#include <skrfs/access/limits.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The first fact that a rule asks for and that is not known. */
static const char *missing(const struct skrfs_rule *rule, const struct skrfs_caller *caller) {
    for (size_t i = 0; i < rule->count; i++)
        if (condition_holds(&rule->conditions[i], caller) == UNKNOWN)
            return skrfs_fact_name((enum skrfs_fact)condition_fact(&rule->conditions[i]));
    return "identity";
}

/* ": why", when that was said. */
static int fail_unknown(const struct skrfs_caller *caller, struct skrfs_error *err) {
    char lack[sizeof caller->lack];
    size_t len = strlen(err->message);
    skrfs_text_clean(caller->lack, strnlen(caller->lack, sizeof caller->lack), lack, sizeof lack);
    if (lack[0])
        (void)snprintf(err->message + len, sizeof err->message - len, ": %s", lack);
    return -1;
}

/* Of the classes of a mode, the caller's decides, as on any file system: an owner without the bit
 * is refused even where all others may read. */
static enum answer mode_allows(const struct skrfs_guard *guard, const struct skrfs_caller *caller) {
    bool as_group = guard->mode & S_IRGRP, as_other = guard->mode & S_IROTH;
    if (caller->uid == 0)
        return YES;
    if (caller->uid == guard->owner)
        return guard->mode & S_IRUSR ? YES : NO;
    if (as_group == as_other)
        return as_group ? YES : NO;
    enum answer member = group_holds(caller, guard->group);
    if (member == UNKNOWN)
        return UNKNOWN;
    return (member == YES ? as_group : as_other) ? YES : NO;
}

static int check_mode(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        struct skrfs_error *err) {
    unsigned mode = (unsigned)guard->mode & 0777U;
    enum answer allows = mode_allows(guard, caller);
    if (allows == YES)
        return 0;
    if (allows == UNKNOWN) {
        (void)skrfs_fail(err, SKRFS_CLASS_DENIED,
                "the groups of uid %u could not be read, and mode %04o asks for them", caller->uid,
                mode);
        return fail_unknown(caller, err);
    }
    if (caller->uid == guard->owner)
        return skrfs_fail(err, SKRFS_CLASS_DENIED, "mode %04o does not let its owner %u read", mode,
                guard->owner);
    return skrfs_fail(err, SKRFS_CLASS_DENIED,
            "mode %04o of owner %u, group %u does not let uid %u read", mode, guard->owner,
            guard->group, caller->uid);
}

/* The first rule that matches, or else the first of which that is not known. */
static enum answer first_match(const struct skrfs_rules *rules, const struct skrfs_caller *caller,
        const struct skrfs_rule **ret_rule) {
    enum answer best = NO;
    for (size_t i = 0; i < rules->count; i++) {
        enum answer match = rule_holds(&rules->rules[i], caller);
        if (match == YES || (match == UNKNOWN && best == NO)) {
            *ret_rule = &rules->rules[i];
            best = match;
        }
        if (match == YES)
            break;
    }
    return best;
}

static int check_deny(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        char decided[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) {
    const struct skrfs_rule *rule;
    char text[SKRFS_RULE_TEXT_MAX - 8];
    enum answer match = first_match(&guard->deny, caller, &rule);
    if (match == NO)
        return 0;
    skrfs_rule_print(rule, text, sizeof text);
    (void)snprintf(decided, SKRFS_RULE_TEXT_MAX, "deny %s", text);
    if (match == YES)
        return skrfs_fail(err, SKRFS_CLASS_DENIED, "the deny rule %s matches", text);
    (void)skrfs_fail(err, SKRFS_CLASS_DENIED,
            "its %s could not be read, and the deny rule %s asks for it", missing(rule, caller),
            text);
    return fail_unknown(caller, err);
}

static int check_allow(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        char decided[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) {
    const struct skrfs_rule *rule;
    char text[SKRFS_RULE_TEXT_MAX - 8], who[512];
    if (!guard->allow.count)
        return 0;
    enum answer match = first_match(&guard->allow, caller, &rule);
    if (match == YES) {
        skrfs_rule_print(rule, text, sizeof text);
        (void)snprintf(decided, SKRFS_RULE_TEXT_MAX, "allow %s", text);
        return 0;
    }
    skrfs_caller_print(caller, who, sizeof who);
    (void)snprintf(decided, SKRFS_RULE_TEXT_MAX, "no allow rule");
    if (match == NO)
        return skrfs_fail(err, SKRFS_CLASS_DENIED, "no allow rule matches %s", who);
    (void)skrfs_fail(err, SKRFS_CLASS_DENIED,
            "no allow rule matches %s, whose %s could not be read", who, missing(rule, caller));
    return fail_unknown(caller, err);
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

/* What a list asks for beyond the ids. A rule that those alone refute asks for nothing; one that
 * they alone meet decides the list. */
static unsigned rules_need(const struct skrfs_rules *rules, const struct skrfs_caller *ids) {
    unsigned needs = 0;
    for (size_t i = 0; i < rules->count; i++) {
        const struct skrfs_rule *rule = &rules->rules[i];
        enum answer match = rule_holds(rule, ids);
        if (match == YES)
            return 0;
        for (size_t k = 0; match == UNKNOWN && k < rule->count; k++)
            if (condition_holds(&rule->conditions[k], ids) == UNKNOWN)
                needs |= condition_fact(&rule->conditions[k]);
    }
    return needs;
}

unsigned skrfs_guard_needs(const struct skrfs_guard *guard, uid_t uid, gid_t gid) {
    const struct skrfs_caller ids = {.uid = uid, .gid = gid, .pid = 1};
    enum answer mode = mode_allows(guard, &ids);
    /* Refused whatever else is true: nobody's executable is looked at for that. */
    if (mode == NO)
        return 0;
    unsigned needs = rules_need(&guard->deny, &ids) | rules_need(&guard->allow, &ids);
    return mode == UNKNOWN ? needs | SKRFS_FACT_GROUPS : needs;
}
