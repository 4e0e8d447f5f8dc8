/* A process that is there, as the mount's witness would describe it. */
#include "who.h"

#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/caller/caller.h>

#define PATIENCE_NS (60 * SKRFS_SECOND_NS) /* for the digest of a long executable */

static size_t rules_paths(const struct skrfs_rules *rules, const char **paths) {
    size_t count = 0;
    for (size_t i = 0; i < rules->count; i++) {
        for (size_t k = 0; k < rules->rules[i].count; k++) {
            const struct skrfs_condition *condition = &rules->rules[i].conditions[k];
            if (condition->kind != SKRFS_CONDITION_EXE) {
                continue;
            }
            if (paths) {
                paths[count] = condition->text;
            }
            count++;
        }
    }
    return count;
}

/* The texts of all exe: conditions, as the mount's witness is told them; counts with `paths` NULL.
 */
static size_t conf_paths(const struct skrfs_conf *conf, const char **paths) {
    size_t count = 0;
    for (size_t i = 0; i < conf->key_count; i++) {
        const struct skrfs_guard *guard = &conf->keys[i].guard;
        count += rules_paths(&guard->allow, paths ? paths + count : NULL);
        count += rules_paths(&guard->deny, paths ? paths + count : NULL);
    }
    return count;
}

static unsigned facts_needed(const struct skrfs_conf *conf, const struct skrfs_caller *caller) {
    unsigned facts = 0;
    for (size_t i = 0; i < conf->key_count; i++) {
        facts |= skrfs_guard_needs(&conf->keys[i].guard, caller->uid, caller->gid);
    }
    return facts;
}

/* Whose it is, and its groups. */
static int describe_ids(
        struct skrfs_describer *describer, struct skrfs_caller *caller, struct skrfs_error *err) {
    skrfs_describe(describer, SKRFS_FACT_GROUPS, caller);
    if (caller->known & SKRFS_FACT_GROUPS) {
        return 0;
    }
    if (kill(caller->pid, 0) < 0 && errno == ESRCH) {
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "there is no process %d", (int)caller->pid);
    }
    return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "process %d cannot be described: %s",
            (int)caller->pid, caller->lack);
}

/* A digest that takes long is gone on with until it is there. */
static void describe_facts(
        struct skrfs_describer *describer, unsigned facts, struct skrfs_caller *caller) {
    uint64_t until = skrfs_now_ns() + PATIENCE_NS;
    skrfs_describe(describer, facts, caller);
    while (facts & SKRFS_FACT_SHA256 && !(caller->known & SKRFS_FACT_SHA256) &&
            skrfs_now_ns() < until && skrfs_describer_work(describer)) {
        skrfs_describe(describer, facts, caller);
    }
}

static int describe(
        const struct skrfs_conf *conf, struct skrfs_caller *caller, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_describer_free_p) struct skrfs_describer *describer = NULL;
    size_t count = conf_paths(conf, NULL);
    skrfs_autofree const char **paths = calloc(count + 1, sizeof(*paths));
    if (!paths) {
        return skrfs_fail_memory(err);
    }
    (void)conf_paths(conf, paths);
    if (skrfs_describer_new(paths, count, 0, &describer, err) < 0 ||
            describe_ids(describer, caller, err) < 0) {
        return -1;
    }
    describe_facts(describer, facts_needed(conf, caller) | SKRFS_FACT_GROUPS, caller);
    return 0;
}

int who_process(
        pid_t pid, const struct skrfs_conf *conf, struct who *ret_who, struct skrfs_error *err) {
    skrfs_autofree struct who *who = calloc(1, sizeof(*who));
    if (!who) {
        return skrfs_fail_memory(err);
    }
    who->caller = (struct skrfs_caller){.uid = (uid_t)-1, .gid = (gid_t)-1, .pid = pid};
    who->process = true;
    if (describe(conf, &who->caller, err) < 0) {
        return -1;
    }
    *ret_who = *who;
    return 0;
}
