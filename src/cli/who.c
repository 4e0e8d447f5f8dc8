#include "who.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <skrfs/base/clock.h>
#include <skrfs/caller/caller.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_MAX ((size_t)1024 * 1024)
#define BIT(number) (1U << (number))

int who_join(char *const *words, int count, struct skrfs_buf *out, struct skrfs_error *err) {
    for (int i = 0; i < count; i++) {
        if (skrfs_buf_printf(out, err, "%s%s", i ? " " : "", words[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool said_kind(const struct who *who, enum skrfs_condition_kind kind) {
    return who->said & BIT(kind);
}

static void say(struct who *who, enum skrfs_condition_kind kind, unsigned fact) {
    who->said |= BIT(kind);
    who->caller.known |= fact;
}

static int group_add(struct who *who, gid_t group, struct skrfs_error *err) {
    struct skrfs_caller *caller = &who->caller;
    if (caller->group_count == SKRFS_GROUPS_MAX) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "more than %d groups", SKRFS_GROUPS_MAX);
    }
    caller->groups[caller->group_count++] = group;
    return 0;
}

/* A user that the system does not know has unknown groups: rules that ask for them are not met. */
static int user_set(struct who *who, uid_t uid, struct skrfs_error *err) {
    struct passwd record, *found = NULL;
    struct skrfs_caller *caller = &who->caller;
    skrfs_autofree char *space = malloc(RECORD_MAX);
    if (!space) {
        return skrfs_fail_memory(err);
    }
    caller->uid = uid;
    (void)getpwuid_r(uid, &record, space, RECORD_MAX, &found);
    if (!found) {
        return 0;
    }
    int count = SKRFS_GROUPS_MAX;
    caller->gid = found->pw_gid;
    if (getgrouplist(found->pw_name, found->pw_gid, caller->groups, &count) < 0) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "user %s is in more than %d groups: the mount takes them as unknown",
                found->pw_name, SKRFS_GROUPS_MAX);
    }
    caller->group_count = (size_t)count;
    caller->known |= SKRFS_FACT_GROUPS;
    return 0;
}

/* The kernel runs the file behind links, and a script's interpreter. */
static int exe_set(struct who *who, const char *path, struct skrfs_error *err) {
    struct skrfs_caller *caller = &who->caller;
    skrfs_autofree char *real = realpath(path, NULL);
    char head[2] = "";
    (void)snprintf(caller->exe, sizeof(caller->exe), "%s", real ? real : path);
    say(who, SKRFS_CONDITION_EXE, SKRFS_FACT_EXE);
    skrfs_autoclose int fd = real ? open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    if (fd >= 0 && read(fd, head, sizeof(head)) == 2 && memcmp(head, "#!", 2) == 0) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "%s is a script: what runs, and what rules see, is its interpreter; name that",
                path);
    }
    return 0;
}

/* What was not said of the program is taken from its file. */
static void exe_look(struct who *who) {
    static struct skrfs_caller file;
    struct skrfs_caller *caller = &who->caller;
    if (!said_kind(who, SKRFS_CONDITION_EXE)) {
        return;
    }
    memset(&file, 0, sizeof(file));
    skrfs_describe_file(caller->exe, &file);
    if (!said_kind(who, SKRFS_CONDITION_SHA256) && file.known & SKRFS_FACT_SHA256) {
        memcpy(caller->sha256, file.sha256, sizeof(caller->sha256));
        say(who, SKRFS_CONDITION_SHA256, SKRFS_FACT_SHA256);
    }
    if (!said_kind(who, SKRFS_CONDITION_VERITY) && file.known & SKRFS_FACT_VERITY) {
        memcpy(caller->verity, file.verity, sizeof(caller->verity));
        say(who, SKRFS_CONDITION_VERITY, SKRFS_FACT_VERITY);
    }
}

static void space_set(struct who *who, enum skrfs_namespace space, uint64_t inode) {
    who->caller.spaces[space].inode = inode;
    who->caller.spaces[space].host = inode == 0;
    who->spaces |= BIT(space);
    who->caller.known |= SKRFS_FACT_NAMESPACES;
}

static int pattern_refuse(const struct skrfs_condition *condition, struct skrfs_error *err) {
    const enum skrfs_condition_kind kind = condition->kind;
    if (condition->text && strchr(condition->text, '*') &&
            (kind == SKRFS_CONDITION_EXE || kind == SKRFS_CONDITION_UNIT ||
                    kind == SKRFS_CONDITION_CGROUP || kind == SKRFS_CONDITION_LABEL)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s' stands for many: a caller has one of them, name it", condition->text);
    }
    return 0;
}

static void text_set(struct who *who, enum skrfs_condition_kind kind, unsigned fact,
        const char *text, char *out, size_t size) {
    (void)snprintf(out, size, "%s", text);
    say(who, kind, fact);
}

/* An id's beginning is made a whole one. */
static void container_set(struct who *who, const char *id) {
    char *out = who->caller.container;
    size_t len = strlen(id);
    say(who, SKRFS_CONDITION_CONTAINER, SKRFS_FACT_CGROUP);
    (void)snprintf(out, SKRFS_CONTAINER_MAX, "%s", id);
    who->container_len = len;
    if (len < SKRFS_CONTAINER_MAX - 1) {
        memset(out + len, '0', SKRFS_CONTAINER_MAX - 1 - len);
    }
}

static void cgroup_set(struct who *who, const char *path) {
    struct skrfs_caller *caller = &who->caller;
    text_set(who, SKRFS_CONDITION_CGROUP, SKRFS_FACT_CGROUP, path, caller->cgroup,
            sizeof(caller->cgroup));
    if (!said_kind(who, SKRFS_CONDITION_UNIT)) {
        skrfs_cgroup_unit(path, caller->unit);
    }
    if (!said_kind(who, SKRFS_CONDITION_CONTAINER)) {
        skrfs_cgroup_container(path, caller->container);
        who->container_len = SKRFS_CONTAINER_MAX - 1;
    }
    who->said |= BIT(SKRFS_CONDITION_UNIT) | BIT(SKRFS_CONDITION_CONTAINER);
}

static int condition_set(
        struct who *who, const struct skrfs_condition *condition, struct skrfs_error *err) {
    struct skrfs_caller *caller = &who->caller;
    switch (condition->kind) {
    case SKRFS_CONDITION_USER:
        return user_set(who, condition->id, err);
    case SKRFS_CONDITION_EXE:
        return exe_set(who, condition->text, err);
    case SKRFS_CONDITION_SHA256:
        memcpy(caller->sha256, condition->sha256, sizeof(caller->sha256));
        say(who, SKRFS_CONDITION_SHA256, SKRFS_FACT_SHA256);
        return 0;
    case SKRFS_CONDITION_VERITY:
        text_set(who, SKRFS_CONDITION_VERITY, SKRFS_FACT_VERITY, condition->text, caller->verity,
                sizeof(caller->verity));
        return 0;
    case SKRFS_CONDITION_UNIT:
        text_set(who, SKRFS_CONDITION_UNIT, SKRFS_FACT_CGROUP, condition->text, caller->unit,
                sizeof(caller->unit));
        return 0;
    case SKRFS_CONDITION_CONTAINER:
        container_set(who, condition->text);
        return 0;
    case SKRFS_CONDITION_CGROUP:
        cgroup_set(who, condition->text);
        return 0;
    case SKRFS_CONDITION_LABEL:
        text_set(who, SKRFS_CONDITION_LABEL, SKRFS_FACT_LABEL, condition->text, caller->label,
                sizeof(caller->label));
        return 0;
    case SKRFS_CONDITION_HOST:
        for (enum skrfs_namespace space = 0; space < SKRFS_NS_COUNT; space++) {
            space_set(who, space, 0);
        }
        return 0;
    case SKRFS_CONDITION_NAMESPACE:
        space_set(who, condition->space, condition->inode);
        return 0;
    case SKRFS_CONDITION_GROUP:
        return group_add(who, condition->id, err);
    }
    return skrfs_fail(err, SKRFS_CLASS_BUG, "a condition of kind %d", (int)condition->kind);
}

/* Groups may be many; namespaces are told apart by which they are. */
static bool is_twice(const struct skrfs_condition *one, const struct skrfs_condition *other) {
    return one->kind == other->kind && one->kind != SKRFS_CONDITION_GROUP &&
           (one->kind != SKRFS_CONDITION_NAMESPACE || one->space == other->space);
}

static int twice_refuse(
        const struct skrfs_condition *const *all, size_t count, struct skrfs_error *err) {
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            char text[SKRFS_RULE_TEXT_MAX];
            if (is_twice(all[i], all[k])) {
                const struct skrfs_rule rule = {
                        .conditions = (struct skrfs_condition *)(uintptr_t)all[i], .count = 1};
                skrfs_rule_print(&rule, text, sizeof(text));
                return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                        "'%s' and another of its kind: one caller has one of them", text);
            }
        }
    }
    return 0;
}

static int conditions_set(struct who *who, const struct skrfs_condition *const *all, size_t count,
        struct skrfs_error *err) {
    if (twice_refuse(all, count, err) < 0) {
        return -1;
    }
    bool user = false;
    /* The user first: groups that are said come to those that he has. */
    for (size_t i = 0; i < count; i++) {
        if (all[i]->kind == SKRFS_CONDITION_USER) {
            user = true;
            if (condition_set(who, all[i], err) < 0) {
                return -1;
            }
        }
    }
    if (!user) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "which user? the kernel always says who asks: user:NAME, or pid:NUMBER for a "
                "process that is there");
    }
    for (size_t i = 0; i < count; i++) {
        if (pattern_refuse(all[i], err) < 0 ||
                (all[i]->kind != SKRFS_CONDITION_USER && condition_set(who, all[i], err) < 0)) {
            return -1;
        }
    }
    /* Whom the system does not know is in the groups that are said, the first of them his own. */
    if (!(who->caller.known & SKRFS_FACT_GROUPS) && who->caller.group_count) {
        who->caller.gid = who->caller.groups[0];
        who->caller.known |= SKRFS_FACT_GROUPS;
    }
    exe_look(who);
    return 0;
}

static int rules_set(struct who *who, const struct skrfs_rules *rules, struct skrfs_error *err) {
    const struct skrfs_condition *all[SKRFS_RULES_MAX * SKRFS_CONDITIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < rules->count && i < SKRFS_RULES_MAX; i++) {
        for (size_t k = 0; k < rules->rules[i].count && k < SKRFS_CONDITIONS_MAX; k++) {
            all[count++] = &rules->rules[i].conditions[k];
        }
    }
    return conditions_set(who, all, count, err);
}

int who_parse(const char *text, const struct skrfs_names *names, struct who *ret_who,
        struct skrfs_error *err) {
    struct skrfs_rules rules = {0};
    size_t column = 0;
    if (skrfs_rules_parse(text, names, &rules, &column, err) < 0) {
        return -1;
    }
    skrfs_autofree struct who *who = calloc(1, sizeof(*who));
    if (!who) {
        skrfs_rules_done(&rules);
        return skrfs_fail_memory(err);
    }
    /* The kernel would give a number; any but 0 is as good. No primary group is none that a rule
     * could name. */
    who->caller.pid = 1;
    who->caller.gid = (gid_t)-1;
    who->said = BIT(SKRFS_CONDITION_USER);
    int set = rules_set(who, &rules, err);
    skrfs_rules_done(&rules);
    if (set < 0) {
        return -1;
    }
    if (who->caller.known & SKRFS_FACT_GROUPS) {
        who->said |= BIT(SKRFS_CONDITION_GROUP);
    }
    *ret_who = *who;
    return 0;
}

int who_time(const char *text, int64_t *ret_wall_s, struct skrfs_error *err) {
    struct tm parts = {0};
    time_t now = (time_t)skrfs_wall_s();
    if (skrfs_time_parse(text, ret_wall_s)) {
        return 0;
    }
    (void)gmtime_r(&now, &parts);
    parts.tm_sec = 0;
    const char *end = strlen(text) == 5 ? strptime(text, "%H:%M", &parts) : NULL;
    if (!end || *end) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--at wants a time in UTC such as 2026-01-31T08:15:00Z, or 08:15 for today, not "
                "'%s'",
                text);
    }
    *ret_wall_s = (int64_t)timegm(&parts);
    return 0;
}
