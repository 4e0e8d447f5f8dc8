/* The rules of a key as they stand in the configuration. What is accepted must decide without
 * reading past its end, and print as what is read as the same again; a refusal must point into the
 * text. */
#include <skrfs/access/access.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool any(void *context, const char *name, uint32_t *ret_id) {
    (void)context;
    *ret_id = (uint32_t)strlen(name);
    return *ret_id % 2;
}

static void decide(struct skrfs_rules *rules, uid_t uid, const char *exe) {
    struct skrfs_guard guard = {.mode = 0444, .allow = *rules};
    struct skrfs_guard other = {.mode = 0404, .deny = *rules};
    struct skrfs_caller caller = {.uid = uid, .gid = uid, .pid = 1, .known = SKRFS_FACT_GROUPS};
    struct skrfs_error err;
    char rule[SKRFS_RULE_TEXT_MAX];
    if (exe) {
        memcpy(caller.exe, exe, strlen(exe) + 1);
        snprintf(caller.cgroup, sizeof caller.cgroup, "/system.slice/%u.service", uid);
        snprintf(caller.unit, sizeof caller.unit, "%u.service", uid);
        snprintf(caller.label, sizeof caller.label, "system_u:%u", uid);
        caller.known = SKRFS_FACTS_ALL;
    }
    (void)skrfs_guard_needs(&guard, uid, uid);
    int allowed = skrfs_access_decide(&guard, &caller, 0, rule, &err);
    int spared = skrfs_access_decide(&other, &caller, 0, rule, &err);
    /* A rule that matches allows in one list and refuses in the other. */
    if (rules->count && allowed == 0 && spared == 0)
        __builtin_trap();
    if (exe && rules->count && allowed && spared)
        __builtin_trap();
}

static void print(const struct skrfs_rule *rule) {
    char first[SKRFS_RULE_TEXT_MAX], second[SKRFS_RULE_TEXT_MAX];
    struct skrfs_rules again;
    struct skrfs_error err;
    size_t column;
    skrfs_rule_print(rule, first, sizeof first);
    if (strlen(first) + 1 == sizeof first)
        return;
    if (skrfs_rules_parse(first, NULL, &again, &column, &err))
        __builtin_trap();
    if (again.count != 1)
        __builtin_trap();
    skrfs_rule_print(&again.rules[0], second, sizeof second);
    if (strcmp(first, second) != 0)
        __builtin_trap();
    skrfs_rules_done(&again);
}

/* A caller of whom everything is known, and who is what the rule names, as far as one can be. */
static void decide_known(struct skrfs_rules *rules) {
    static struct skrfs_caller caller;
    struct skrfs_guard guard = {.mode = 0444, .allow = *rules};
    struct skrfs_error err;
    char text[SKRFS_RULE_TEXT_MAX];
    for (size_t i = 0; i < rules->count; i++) {
        caller = (struct skrfs_caller){.pid = 2, .known = SKRFS_FACTS_ALL, .group_count = 1};
        for (size_t k = 0; k < rules->rules[i].count; k++) {
            const struct skrfs_condition *condition = &rules->rules[i].conditions[k];
            const char *name = condition->text ? condition->text : "";
            caller.uid = caller.gid = condition->id;
            caller.groups[0] = condition->id + 1;
            memcpy(caller.sha256, condition->sha256, sizeof(caller.sha256));
            (void)snprintf(caller.exe, sizeof(caller.exe), "%sx", name);
            (void)snprintf(caller.verity, sizeof(caller.verity), "%s", name);
            (void)snprintf(caller.cgroup, sizeof(caller.cgroup), "%s", name);
            (void)snprintf(caller.unit, sizeof(caller.unit), "%s", name);
            (void)snprintf(caller.container, sizeof(caller.container), "%.12s%052d", name, 0);
            (void)snprintf(caller.label, sizeof(caller.label), "%s", name);
            for (size_t n = 0; n < SKRFS_NS_COUNT; n++) {
                caller.spaces[n].inode = condition->inode;
                caller.spaces[n].host = condition->inode == 0;
            }
        }
        (void)!skrfs_access_decide(&guard, &caller, 0, text, &err);
        skrfs_rule_print(&rules->rules[i], text, sizeof(text));
        skrfs_caller_print(&caller, text, sizeof(text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct skrfs_names names = {.user = any, .group = any};
    struct skrfs_rules rules;
    struct skrfs_error err;
    size_t column = SIZE_MAX;
    char *text = strndup((const char *)data, size);
    if (!text)
        return 0;
    if (skrfs_rules_parse(text, &names, &rules, &column, &err)) {
        if (err.kind != SKRFS_CLASS_CONFIG || column > strlen(text))
            __builtin_trap();
    } else {
        decide(&rules, 0, NULL);
        decide(&rules, 5, "/usr/bin/cat");
        decide(&rules, 33, "/opt/a/b");
        decide_known(&rules);
        for (size_t i = 0; i < rules.count; i++)
            print(&rules.rules[i]);
        skrfs_rules_done(&rules);
    }
    free(text);
    return 0;
}
