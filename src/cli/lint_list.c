/* The rules of one key, each by itself and all together. */
#include "lint.h"

#include <skrfs/base/cleanup.h>
#include <string.h>
#include <sys/stat.h>

static struct lint_rule rule_at(
        const struct lint *lint, size_t key, const char *list, size_t index) {
    const struct skrfs_guard *guard = &lint->conf->keys[key].guard;
    const struct skrfs_rules *rules = strcmp(list, "allow") == 0 ? &guard->allow : &guard->deny;
    struct lint_rule rule = {.guard = guard,
            .rule = &rules->rules[index],
            .at = {.key = key, .name = list, .column = rules->rules[index].column}};
    skrfs_rule_print(rule.rule, rule.text, sizeof(rule.text));
    return rule;
}

static void print_one(const struct skrfs_condition *condition, char out[128]) {
    const struct skrfs_rule rule = {
            .conditions = (struct skrfs_condition *)(uintptr_t)condition, .count = 1};
    skrfs_rule_print(&rule, out, 128);
}

static bool lint_contradicted(struct lint *lint, const struct lint_rule *rule) {
    const struct skrfs_condition *one = NULL, *other = NULL;
    char first[128], second[128];
    if (!lint_contradiction(rule->rule, &one, &other)) {
        return false;
    }
    print_one(one, first);
    print_one(other, second);
    lint_find(lint, &rule->at, LINT_ERROR, "contradiction",
            "the %s rule %s never matches: nobody is %s and %s at once; a blank between them makes "
            "two rules",
            rule->at.name, rule->text, first, second);
    return true;
}

/* Two conditions of which one is in the other. */
static void lint_repeated(struct lint *lint, const struct lint_rule *rule) {
    for (size_t i = 0; i < rule->rule->count; i++) {
        for (size_t k = 0; k < rule->rule->count; k++) {
            const struct skrfs_rule wide = {.conditions = &rule->rule->conditions[i], .count = 1};
            const struct skrfs_rule narrow = {.conditions = &rule->rule->conditions[k], .count = 1};
            char text[128], by[128];
            /* Of two that are equal the second is the one too many. */
            if (i == k || !lint_covers(&wide, &narrow) || (lint_covers(&narrow, &wide) && k > i)) {
                continue;
            }
            print_one(wide.conditions, text);
            print_one(narrow.conditions, by);
            lint_find(lint, &rule->at, LINT_NOTE, "repeated",
                    "in the %s rule %s, %s says nothing beside %s", rule->at.name, rule->text, text,
                    by);
        }
    }
}

/* Whoever may run the program gives it a library or a debugger: it is his then. */
static void lint_anybody(struct lint *lint, const struct lint_rule *rule) {
    static const enum skrfs_condition_kind bound[] = {SKRFS_CONDITION_USER, SKRFS_CONDITION_GROUP,
            SKRFS_CONDITION_UNIT, SKRFS_CONDITION_CGROUP, SKRFS_CONDITION_CONTAINER};
    if (!lint_is_allow(rule) || !(rule->guard->mode & S_IROTH)) {
        return;
    }
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(bound); i++) {
        if (lint_condition(rule->rule, bound[i])) {
            return;
        }
    }
    lint_find(lint, &rule->at, LINT_WARNING, "any-user",
            "the allow rule %s names no user, and mode %04o lets all of them to it: who runs a "
            "program himself can make it do what he likes (LD_PRELOAD, a debugger); add '& user:' "
            "or '& unit:'",
            rule->text, (unsigned)rule->guard->mode & 0777U);
}

static void lint_evaded(struct lint *lint, const struct lint_rule *rule) {
    static const enum skrfs_condition_kind chosen[] = {
            SKRFS_CONDITION_EXE, SKRFS_CONDITION_SHA256, SKRFS_CONDITION_VERITY};
    for (size_t i = 0; !lint_is_allow(rule) && i < SKRFS_ARRAY_LEN(chosen); i++) {
        if (lint_condition(rule->rule, chosen[i])) {
            lint_find(lint, &rule->at, LINT_WARNING, "evaded",
                    "the deny rule %s is evaded by a copy of the program that is called, or made, "
                    "otherwise; say in allow = which programs may",
                    rule->text);
            return;
        }
    }
}

/* Another rule of the list that stands for this one too: an earlier one of two that are equal. */
static void lint_shadowed(struct lint *lint, const struct lint_rule *rule,
        const struct skrfs_rules *rules, size_t index) {
    for (size_t i = 0; i < rules->count; i++) {
        bool equal = lint_covers(rule->rule, &rules->rules[i]);
        char text[SKRFS_RULE_TEXT_MAX];
        if (i == index || !lint_covers(&rules->rules[i], rule->rule) || (equal && i > index)) {
            continue;
        }
        skrfs_rule_print(&rules->rules[i], text, sizeof(text));
        lint_find(lint, &rule->at, LINT_WARNING, "shadowed",
                "the %s rule %s decides nothing: %s of the same list %s; leave one of them out",
                rule->at.name, rule->text, text,
                equal ? "is the same" : "matches all whom it matches");
        return;
    }
}

static bool lint_denied(struct lint *lint, const struct lint_rule *rule) {
    const struct skrfs_rules *deny = &rule->guard->deny;
    for (size_t i = 0; lint_is_allow(rule) && i < deny->count; i++) {
        char text[SKRFS_RULE_TEXT_MAX];
        if (!lint_covers(&deny->rules[i], rule->rule)) {
            continue;
        }
        skrfs_rule_print(&deny->rules[i], text, sizeof(text));
        lint_find(lint, &rule->at, LINT_ERROR, "denied",
                "the allow rule %s lets nobody in: the deny rule %s refuses all whom it matches, "
                "and deny comes first",
                rule->text, text);
        return true;
    }
    return false;
}

/* True when nobody is let in, or kept out, by the rule. */
static bool lint_rule(struct lint *lint, size_t key, const char *list,
        const struct skrfs_rules *rules, size_t index) {
    const struct lint_rule rule = rule_at(lint, key, list, index);
    bool dead = lint_contradicted(lint, &rule);
    if (!dead) {
        dead = lint_mode(lint, &rule);
        dead |= lint_denied(lint, &rule);
        lint_shadowed(lint, &rule, rules, index);
        lint_repeated(lint, &rule);
    }
    lint_anybody(lint, &rule);
    lint_evaded(lint, &rule);
    lint_exe(lint, &rule);
    lint_names(lint, &rule);
    return dead;
}

void lint_lists(struct lint *lint, size_t key) {
    const struct skrfs_guard *guard = &lint->conf->keys[key].guard;
    const struct lint_at at = {.key = key, .name = "allow"};
    size_t dead = 0;
    for (size_t i = 0; i < guard->allow.count; i++) {
        dead += lint_rule(lint, key, "allow", &guard->allow, i);
    }
    for (size_t i = 0; i < guard->deny.count; i++) {
        (void)lint_rule(lint, key, "deny", &guard->deny, i);
    }
    if (guard->allow.count && dead == guard->allow.count) {
        lint_find(lint, &at, LINT_ERROR, "nobody",
                "nobody can read it: no rule of allow can let anybody in, root included");
    }
}
