/* The rules of a key as they stand in the configuration. What is accepted must decide without
 * reading past its end, and a refusal must point into the text. */
#include <skrfs/access/access.h>
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
    if (exe) {
        memcpy(caller.exe, exe, strlen(exe) + 1);
        caller.known |= SKRFS_FACT_EXE;
    }
    (void)skrfs_guard_needs(&guard, uid, uid);
    int allowed = skrfs_access_decide(&guard, &caller, 0, NULL, &err);
    int spared = skrfs_access_decide(&other, &caller, 0, NULL, &err);
    /* A rule that matches allows in one list and refuses in the other. */
    if (rules->count && allowed == 0 && spared == 0)
        __builtin_trap();
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
        skrfs_rules_done(&rules);
    }
    free(text);
    return 0;
}
