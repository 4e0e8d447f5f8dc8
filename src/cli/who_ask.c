/* The mount's decision for a caller of whom not all was said: what was not said counts as unknown,
 * and the answer tells where it would have decided. */
#include "who.h"

#include <stdio.h>
#include <string.h>

#define BIT(number) (1U << (number))

static const char *const words[] = {
        [SKRFS_CONDITION_USER] = "user",
        [SKRFS_CONDITION_GROUP] = "groups",
        [SKRFS_CONDITION_EXE] = "executable",
        [SKRFS_CONDITION_SHA256] = "executable's digest",
        [SKRFS_CONDITION_VERITY] = "executable's fs-verity digest",
        [SKRFS_CONDITION_UNIT] = "unit",
        [SKRFS_CONDITION_CGROUP] = "cgroup",
        [SKRFS_CONDITION_CONTAINER] = "container",
        [SKRFS_CONDITION_HOST] = "namespaces",
        [SKRFS_CONDITION_NAMESPACE] = "namespaces",
        [SKRFS_CONDITION_LABEL] = "label",
};

static bool is_unsaid(const struct who *who, const struct skrfs_condition *condition) {
    if (condition->kind == SKRFS_CONDITION_HOST) {
        return who->spaces != BIT(SKRFS_NS_COUNT) - 1;
    }
    if (condition->kind == SKRFS_CONDITION_NAMESPACE) {
        return !(who->spaces & BIT(condition->space));
    }
    if (!(who->said & BIT(condition->kind))) {
        return true;
    }
    return condition->kind == SKRFS_CONDITION_CONTAINER &&
           strlen(condition->text) > who->container_len &&
           strncmp(condition->text, who->caller.container, who->container_len) == 0;
}

/* A text that the condition's pattern matches. */
static void example(const char *pattern, char *out, size_t size) {
    const char *star = strchr(pattern, '*');
    int before = star ? (int)(star - pattern) : (int)strlen(pattern);
    (void)snprintf(out, size, "%.*s%s%s", before, pattern, star ? "x" : "", star ? star + 1 : "");
}

static void space_meet(struct skrfs_caller *caller, enum skrfs_namespace space, uint64_t inode) {
    caller->spaces[space].inode = inode;
    caller->spaces[space].host = inode == 0;
    caller->known |= SKRFS_FACT_NAMESPACES;
}

static void text_meet(
        struct skrfs_caller *caller, unsigned fact, const char *pattern, char *out, size_t size) {
    example(pattern, out, size);
    caller->known |= fact;
}

/* Makes the caller one that meets the condition. */
static void meet(struct skrfs_caller *caller, const struct skrfs_condition *condition) {
    switch (condition->kind) {
    case SKRFS_CONDITION_USER:
        break;
    case SKRFS_CONDITION_GROUP:
        caller->gid = condition->id;
        break;
    case SKRFS_CONDITION_EXE:
        text_meet(caller, SKRFS_FACT_EXE, condition->text, caller->exe, sizeof(caller->exe));
        break;
    case SKRFS_CONDITION_SHA256:
        memcpy(caller->sha256, condition->sha256, sizeof(caller->sha256));
        caller->known |= SKRFS_FACT_SHA256;
        break;
    case SKRFS_CONDITION_VERITY:
        text_meet(
                caller, SKRFS_FACT_VERITY, condition->text, caller->verity, sizeof(caller->verity));
        break;
    case SKRFS_CONDITION_UNIT:
        text_meet(caller, SKRFS_FACT_CGROUP, condition->text, caller->unit, sizeof(caller->unit));
        break;
    case SKRFS_CONDITION_CGROUP:
        text_meet(
                caller, SKRFS_FACT_CGROUP, condition->text, caller->cgroup, sizeof(caller->cgroup));
        break;
    case SKRFS_CONDITION_CONTAINER:
        memset(caller->container, '0', sizeof(caller->container) - 1);
        memcpy(caller->container, condition->text, strlen(condition->text));
        caller->known |= SKRFS_FACT_CGROUP;
        break;
    case SKRFS_CONDITION_HOST:
        for (enum skrfs_namespace space = 0; space < SKRFS_NS_COUNT; space++) {
            space_meet(caller, space, 0);
        }
        break;
    case SKRFS_CONDITION_NAMESPACE:
        space_meet(caller, condition->space, condition->inode);
        break;
    case SKRFS_CONDITION_LABEL:
        text_meet(caller, SKRFS_FACT_LABEL, condition->text, caller->label, sizeof(caller->label));
        break;
    }
}

/* Meets what of the rule was not said; names it in `out`. False: all of it was said. */
static bool meet_unsaid(const struct who *who, const struct skrfs_rule *rule,
        struct skrfs_caller *caller, char *out, size_t size) {
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < rule->count; i++) {
        const struct skrfs_condition *condition = &rule->conditions[i];
        if (!is_unsaid(who, condition)) {
            continue;
        }
        meet(caller, condition);
        if (at < size && !strstr(out, words[condition->kind])) {
            int put = snprintf(out + at, size - at, "%s%s", at ? ", " : "", words[condition->kind]);
            at += put > 0 ? (size_t)put : 0;
        }
    }
    return out[0] != '\0';
}

static bool may(
        const struct skrfs_guard *guard, const struct skrfs_caller *caller, int64_t wall_s) {
    struct skrfs_error ignored;
    return skrfs_access_decide(guard, caller, wall_s, NULL, &ignored) == 0;
}

static void depends(struct who_answer *answer, const char *list, const struct skrfs_rule *rule,
        const char *missing) {
    char text[SKRFS_RULE_TEXT_MAX - 8];
    skrfs_rule_print(rule, text, sizeof(text));
    answer->verdict = WHO_DEPENDS;
    (void)snprintf(answer->rule, sizeof(answer->rule), "%s %s", list, text);
    (void)snprintf(answer->reason, sizeof(answer->reason),
            "the %s rule %s asks for its %s, which was not said", list, text, missing);
}

/* A yes stands only when no deny rule could be met by what was not said. */
static void doubt_yes(const struct who *who, const struct skrfs_guard *guard, int64_t wall_s,
        struct who_answer *answer) {
    for (size_t i = 0; i < guard->deny.count; i++) {
        struct skrfs_caller caller = who->caller;
        char missing[160];
        if (meet_unsaid(who, &guard->deny.rules[i], &caller, missing, sizeof(missing)) &&
                !may(guard, &caller, wall_s)) {
            depends(answer, "deny", &guard->deny.rules[i], missing);
            return;
        }
    }
}

/* The first deny rule that refuses only for what was not said. */
static bool blame_deny(const struct who *who, const struct skrfs_guard *guard, int64_t wall_s,
        struct who_answer *answer) {
    for (size_t i = 0; i < guard->deny.count; i++) {
        struct skrfs_guard alone = {.owner = guard->owner,
                .group = guard->group,
                .mode = guard->mode,
                .hours = guard->hours,
                .deny = {.rules = &guard->deny.rules[i], .count = 1}};
        struct skrfs_caller caller = who->caller;
        char missing[160];
        if (!may(&alone, &who->caller, wall_s) &&
                meet_unsaid(who, &guard->deny.rules[i], &caller, missing, sizeof(missing))) {
            depends(answer, "deny", &guard->deny.rules[i], missing);
            return true;
        }
    }
    return false;
}

/* A no is only one as described when a caller that has more to tell would be let in. */
static void doubt_no(const struct who *who, const struct skrfs_guard *guard, int64_t wall_s,
        struct who_answer *answer) {
    static const struct skrfs_rule nothing = {.count = 0};
    size_t count = guard->allow.count ? guard->allow.count : 1;
    for (size_t i = 0; i < count; i++) {
        const struct skrfs_rule *rule = guard->allow.count ? &guard->allow.rules[i] : &nothing;
        struct skrfs_caller caller = who->caller;
        char missing[160];
        caller.known = SKRFS_FACTS_ALL;
        bool lacks = meet_unsaid(who, rule, &caller, missing, sizeof(missing));
        if (!may(guard, &caller, wall_s)) {
            continue;
        }
        if (!blame_deny(who, guard, wall_s, answer) && lacks) {
            depends(answer, "allow", rule, missing);
        }
        return;
    }
}

/* The number that stands for a process is none that people know. */
static void forget_pid(char *text) {
    static const char pid[] = " pid 1";
    char *at = strstr(text, pid);
    if (at && strchr(" ,:;", at[sizeof(pid) - 1])) {
        memmove(at, at + sizeof(pid) - 1, strlen(at + sizeof(pid) - 1) + 1);
    }
}

void who_ask(const struct who *who, const struct skrfs_guard *guard, int64_t wall_s,
        struct who_answer *ret_answer) {
    struct skrfs_error err;
    *ret_answer = (struct who_answer){.verdict = WHO_MAY};
    if (skrfs_access_decide(guard, &who->caller, wall_s, ret_answer->rule, &err) < 0) {
        ret_answer->verdict = WHO_MAY_NOT;
        (void)snprintf(ret_answer->reason, sizeof(ret_answer->reason), "%s", err.message);
    }
    if (who->process) {
        return;
    }
    forget_pid(ret_answer->reason);
    if (ret_answer->verdict == WHO_MAY) {
        doubt_yes(who, guard, wall_s, ret_answer);
    } else {
        doubt_no(who, guard, wall_s, ret_answer);
    }
}
