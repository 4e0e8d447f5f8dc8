/* What a key's section says besides its rules: who is let to them, and when. */
#include "lint.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define WEEK_MINUTES (7 * 24 * 60)

/* False: the system does not know the user, or has him in more groups than are looked at. */
static bool describe_user(uid_t uid, struct skrfs_caller *caller) {
    const struct passwd *record = getpwuid(uid);
    int count = SKRFS_GROUPS_MAX;
    memset(caller, 0, sizeof(*caller));
    caller->uid = uid;
    caller->pid = 1;
    caller->known = SKRFS_FACT_GROUPS;
    if (!record) {
        return false;
    }
    caller->gid = record->pw_gid;
    if (getgrouplist(record->pw_name, record->pw_gid, caller->groups, &count) < 0) {
        return false;
    }
    caller->group_count = (size_t)count;
    return true;
}

static bool is_member(const struct skrfs_caller *caller, gid_t group) {
    if (caller->gid == group) {
        return true;
    }
    for (size_t i = 0; i < caller->group_count; i++) {
        if (caller->groups[i] == group) {
            return true;
        }
    }
    return false;
}

/* Whether the owner's mode alone lets this user in. */
static bool mode_lets(const struct skrfs_guard *guard, const struct skrfs_caller *caller) {
    const struct skrfs_guard bare = {
            .owner = guard->owner, .group = guard->group, .mode = guard->mode};
    struct skrfs_error ignored;
    return skrfs_access_decide(&bare, caller, 0, NULL, &ignored) == 0;
}

static void tell_refused(struct lint *lint, const struct lint_rule *rule, const char *whom) {
    const struct skrfs_guard *guard = rule->guard;
    if (!lint_is_allow(rule)) {
        lint_find(lint, &rule->at, LINT_NOTE, "mode-refuses",
                "the deny rule %s says nothing new: mode %04o of owner %u, group %u keeps %s out "
                "already",
                rule->text, (unsigned)guard->mode & 0777U, guard->owner, guard->group, whom);
        return;
    }
    lint_find(lint, &rule->at, LINT_ERROR, "mode-refuses",
            "the allow rule %s never matches: mode %04o of owner %u, group %u keeps %s out before "
            "any rule is asked; set owner =, or group = and mode = 0440, or mode = 0444 and leave "
            "it to the rules",
            rule->text, (unsigned)guard->mode & 0777U, guard->owner, guard->group, whom);
}

/* Without group and others only two are let to the rules; a rule for a group that neither is in is
 * met by nobody. */
static bool is_for_strangers(const struct lint_rule *rule) {
    const struct skrfs_guard *guard = rule->guard;
    static struct skrfs_caller root, owner;
    if (guard->mode & (S_IRGRP | S_IROTH) || !describe_user(0, &root) ||
            !describe_user(guard->owner, &owner)) {
        return false;
    }
    for (size_t i = 0; i < rule->rule->count; i++) {
        const struct skrfs_condition *condition = &rule->rule->conditions[i];
        if (condition->kind == SKRFS_CONDITION_GROUP && !is_member(&root, condition->id) &&
                !is_member(&owner, condition->id)) {
            return true;
        }
    }
    return false;
}

bool lint_mode(struct lint *lint, const struct lint_rule *rule) {
    static struct skrfs_caller caller;
    const struct skrfs_condition *user = lint_condition(rule->rule, SKRFS_CONDITION_USER);
    char whom[32];
    if (!user) {
        if (is_for_strangers(rule)) {
            tell_refused(lint, rule, "all members of that group");
            return true;
        }
        return false;
    }
    /* Of an unknown user the number may be the owner's; his groups nobody knows. */
    bool known = describe_user(user->id, &caller);
    if ((!known && rule->guard->mode & S_IRGRP) || mode_lets(rule->guard, &caller)) {
        return false;
    }
    (void)snprintf(whom, sizeof(whom), "user %u", user->id);
    tell_refused(lint, rule, whom);
    return true;
}

static void lint_open(struct lint *lint, size_t key) {
    const struct skrfs_conf_key *settings = &lint->conf->keys[key];
    const struct skrfs_guard *guard = &settings->guard;
    const struct lint_at at = {.key = key, .name = "mode"};
    if (guard->allow.count || !(guard->mode & S_IROTH) ||
            skrfs_format_is_public(settings->format)) {
        return;
    }
    if (guard->deny.count) {
        lint_find(lint, &at, LINT_WARNING, "open",
                "mode %04o lets every user read it whom no deny rule names; say in allow = who may",
                (unsigned)guard->mode & 0777U);
        return;
    }
    lint_find(lint, &at, LINT_WARNING, "open",
            "mode %04o lets every user of the machine read it; set mode = 0400 and owner =, or say "
            "in allow = who may",
            (unsigned)guard->mode & 0777U);
}

static void lint_hide(struct lint *lint, size_t key) {
    const struct skrfs_conf_key *settings = &lint->conf->keys[key];
    const struct skrfs_guard *guard = &settings->guard;
    const struct lint_at at = {.key = key, .name = "hide"};
    if (settings->hide && guard->mode & S_IROTH && !guard->allow.count && !guard->deny.count) {
        lint_find(lint, &at, LINT_WARNING, "hides-nothing",
                "hide = yes hides it from whoever may not open it, and everybody may: see mode");
    }
}

/* uid 0 passes the mode, whoever the owner is: only rules keep it out. */
static void lint_root(struct lint *lint, size_t key) {
    const struct skrfs_guard *guard = &lint->conf->keys[key].guard;
    static struct skrfs_caller root = {.pid = 1, .known = SKRFS_FACTS_ALL};
    const struct lint_at at = {.key = key, .name = "owner"};
    struct skrfs_error ignored;
    const struct skrfs_guard bare = {
            .owner = guard->owner, .group = guard->group, .mode = guard->mode, .deny = guard->deny};
    if (guard->owner == 0 || guard->allow.count ||
            skrfs_access_decide(&bare, &root, 0, NULL, &ignored) < 0) {
        return;
    }
    lint_find(lint, &at, LINT_NOTE, "root-reads",
            "root reads it beside owner %u, whatever the mode is: deny = user:0 or an allow list "
            "keeps it out",
            guard->owner);
}

/* Minutes of a week from then on in which the window is open, no later than `end_s`. */
static size_t open_minutes(const struct skrfs_hours *hours, int64_t from_s, int64_t end_s) {
    size_t count = 0;
    for (int64_t minute = 0; minute < WEEK_MINUTES; minute++) {
        int64_t at = from_s - from_s % 60 + minute * 60;
        count += at < end_s && skrfs_hours_contain(hours, at);
    }
    return count;
}

static void lint_hours(struct lint *lint, size_t key) {
    const struct skrfs_hours *hours = &lint->conf->keys[key].guard.hours;
    const struct skrfs_limits *limits = &lint->conf->keys[key].limits;
    const struct lint_at at = {.key = key, .name = "hours"};
    if (!hours->days) {
        return;
    }
    int64_t end = limits->until_s > lint->wall_s ? limits->until_s : SKRFS_NEVER_S;
    size_t open = open_minutes(hours, lint->wall_s, end);
    if (open == 0) {
        lint_find(lint, &at, LINT_ERROR, "hours-never",
                "nobody can read it any more: its time (until) is over before the next window "
                "opens");
    } else if (open == WEEK_MINUTES) {
        lint_find(lint, &at, LINT_NOTE, "hours-always",
                "the window is always open: leave hours out, or narrow it");
    }
}

static void lint_until(struct lint *lint, size_t key) {
    const struct skrfs_limits *limits = &lint->conf->keys[key].limits;
    const struct lint_at at = {.key = key, .name = "until"};
    if (limits->until_s && limits->until_s <= lint->wall_s) {
        lint_find(lint, &at, LINT_ERROR, "until-over",
                "its time is over: nobody can read it any more; take until out, or set a later "
                "time");
    }
}

void lint_key(struct lint *lint, size_t key) {
    lint_open(lint, key);
    lint_hide(lint, key);
    lint_root(lint, key);
    lint_hours(lint, key);
    lint_until(lint, key);
}

struct place_in_vault {
    const struct skrfs_conf_key *settings;
    size_t key;
};

static int compare_places(const void *a, const void *b) {
    const struct place_in_vault *one = a, *other = b;
    if (one->settings->vault != other->settings->vault) {
        return one->settings->vault < other->settings->vault ? -1 : 1;
    }
    int names = strcmp(one->settings->name, other->settings->name);
    if (names) {
        return names;
    }
    return one->key < other->key ? -1 : one->key > other->key;
}

static bool covers_all(const struct skrfs_rules *wide, const struct skrfs_rules *narrow) {
    for (size_t i = 0; i < narrow->count; i++) {
        bool covered = false;
        for (size_t k = 0; k < wide->count && !covered; k++) {
            covered = lint_covers(&wide->rules[k], &narrow->rules[i]);
        }
        if (!covered) {
            return false;
        }
    }
    return true;
}

static bool same_guard(const struct skrfs_guard *one, const struct skrfs_guard *other) {
    return one->owner == other->owner && one->group == other->group && one->mode == other->mode &&
           covers_all(&one->allow, &other->allow) && covers_all(&other->allow, &one->allow) &&
           covers_all(&one->deny, &other->deny) && covers_all(&other->deny, &one->deny);
}

/* The same bytes under two names are guarded by the weaker of the two. */
static void lint_pair(
        struct lint *lint, const struct place_in_vault *one, const struct place_in_vault *other) {
    const struct lint_at at = {.key = other->key};
    if (one->settings->vault != other->settings->vault ||
            strcmp(one->settings->name, other->settings->name) != 0 ||
            skrfs_format_is_public(one->settings->format) ||
            skrfs_format_is_public(other->settings->format) ||
            same_guard(&one->settings->guard, &other->settings->guard)) {
        return;
    }
    lint_find(lint, &at, LINT_NOTE, "twice",
            "it is the vault's key '%s', as [key %s] is, and others may read it here than there: "
            "whoever may open one of the two has it",
            other->settings->name, one->settings->file);
}

void lint_same_keys(struct lint *lint) {
    size_t count = lint->conf->key_count;
    skrfs_autofree struct place_in_vault *places = calloc(count + 1, sizeof(*places));
    if (!places) {
        lint->failed = true;
        (void)skrfs_fail_memory(&lint->err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        places[i] = (struct place_in_vault){.settings = &lint->conf->keys[i], .key = i};
    }
    qsort(places, count, sizeof(*places), compare_places);
    for (size_t i = 1; i < count; i++) {
        lint_pair(lint, &places[i - 1], &places[i]);
    }
}
