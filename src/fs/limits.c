/* Keys that are taken back by themselves: after so many opens, at a time, when a unit is active.
 * What was counted and what is gone stands in the ledger, which outlives this keeper. */
#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <stdio.h>

static const struct skrfs_limits *limits_of(const struct skrfs_fs *fs, size_t key) {
    return &fs->options.keys[key].limits;
}

static const char *file_of(const struct skrfs_fs *fs, size_t key) {
    return fs->options.keys[key].file;
}

/* What is public is no secret that could be taken back. */
static bool is_limited(const struct skrfs_fs *fs, const struct node *node) {
    return fs->limits.states && !skrfs_format_is_public(node->format) &&
           skrfs_limits_any(limits_of(fs, node->key));
}

static enum skrfs_gone gone_by(const struct skrfs_fs *fs, size_t key) {
    int64_t since_s;
    return skrfs_ledger_gone(fs->limits.ledger, key, &since_s);
}

static void how_to_renew(const struct skrfs_fs *fs, size_t key, enum skrfs_gone by, char out[160]) {
    if (by == SKRFS_GONE_TIME && limits_of(fs, key)->until_s)
        (void)snprintf(out, 160, "a later 'until' and a new mount allow it again");
    else
        (void)snprintf(out, 160, "'skrfs renew %.100s' allows it again", file_of(fs, key));
}

static void tell_why(
        const struct skrfs_fs *fs, size_t key, enum skrfs_gone by, struct skrfs_error *ret_why) {
    const struct skrfs_limits *limits = limits_of(fs, key);
    char since[24], how[160];
    int64_t since_s;
    if (skrfs_ledger_gone(fs->limits.ledger, key, &since_s) == SKRFS_GONE_NOT)
        since_s = skrfs_wall_s();
    skrfs_format_time(since_s, since, sizeof since);
    how_to_renew(fs, key, by, how);
    if (by == SKRFS_GONE_READS)
        (void)skrfs_fail(ret_why, SKRFS_CLASS_REVOKED,
                "the key was opened %llu time%s, as often as its 'reads' allows; %s",
                (unsigned long long)limits->reads, limits->reads == 1 ? "" : "s", how);
    else if (by == SKRFS_GONE_UNIT)
        (void)skrfs_fail(ret_why, SKRFS_CLASS_REVOKED,
                "the key was taken back at %s, when the unit %s was active; %s", since,
                limits->until_unit ? limits->until_unit : "of its 'until'", how);
    else
        (void)skrfs_fail(ret_why, SKRFS_CLASS_REVOKED,
                "the key was taken back at %s, when its time was over; %s", since, how);
}

static void audit_gone(struct skrfs_fs *fs, size_t key, const struct skrfs_error *why) {
    char what[512];
    (void)snprintf(what, sizeof what, "keys/%s", file_of(fs, key));
    struct skrfs_fs_event event = {
            .kind = SKRFS_EVENT_GONE, .key = key, .what = what, .version = "", .err = why};
    struct skrfs_error err;
    /* Nobody waits for it, and nothing would be refused for it. */
    if (fs->options.audit &&
            fs->options.audit(fs->options.audit_context, &event, NULL, NULL, &err) < 0)
        skrfs_log_warning("'%s' is gone: %s", file_of(fs, key), err.message);
}

void limits_take_back(struct skrfs_fs *fs, size_t key, enum skrfs_gone by) {
    struct skrfs_error why;
    pthread_mutex_lock(&fs->limits.transition);
    bool now = gone_by(fs, key) == SKRFS_GONE_NOT;
    bool held = skrfs_store_holds(fs->options.store, key);
    if (now) {
        skrfs_ledger_set_gone(fs->limits.ledger, key, by, skrfs_wall_s());
        tell_why(fs, key, by, &why);
        skrfs_store_refuse(fs->options.store, key, &why);
        skrfs_store_take_back(fs->options.store, key, "its limits took the key back");
    }
    pthread_mutex_unlock(&fs->limits.transition);
    if (!now)
        return;
    /* A mapping of a file would show it further on. */
    if (held)
        janitor_drop_key(fs, key);
    skrfs_log_info("'%s' is gone: %s", file_of(fs, key), why.message);
    audit_gone(fs, key, &why);
}

void limits_wipe(struct skrfs_fs *fs, size_t key, const char *reason) {
    struct skrfs_error why;
    (void)skrfs_fail(&why, SKRFS_CLASS_REVOKED, "%s", reason);
    pthread_mutex_lock(&fs->limits.transition);
    if (!fs->limits.ledger || gone_by(fs, key) == SKRFS_GONE_NOT) {
        /* Who waits for it at this moment is not to get it afterwards. */
        skrfs_store_refuse(fs->options.store, key, &why);
        skrfs_store_take_back(fs->options.store, key, reason);
        skrfs_store_refuse(fs->options.store, key, NULL);
    }
    pthread_mutex_unlock(&fs->limits.transition);
    janitor_drop_key(fs, key);
}

/* Given as often as allowed: no more opens, and gone when the last of them is closed. */
static void use_up(struct skrfs_fs *fs, size_t key) {
    const struct limit_state *state = &fs->limits.states[key];
    struct skrfs_error why;
    pthread_mutex_lock(&fs->limits.transition);
    pthread_mutex_lock(&fs->limits.lock);
    bool used_up = skrfs_ledger_used(fs->limits.ledger, key) >= limits_of(fs, key)->reads;
    bool last = used_up && state->open == 0;
    pthread_mutex_unlock(&fs->limits.lock);
    if (used_up && !last && gone_by(fs, key) == SKRFS_GONE_NOT) {
        tell_why(fs, key, SKRFS_GONE_READS, &why);
        skrfs_store_refuse(fs->options.store, key, &why);
    }
    pthread_mutex_unlock(&fs->limits.transition);
    if (last)
        limits_take_back(fs, key, SKRFS_GONE_READS);
}

bool limits_time_is_over(const struct skrfs_fs *fs, size_t key) {
    const struct skrfs_limits *limits = limits_of(fs, key);
    if (limits->until_s)
        return skrfs_wall_s() >= limits->until_s;
    return limits->until_ns &&
           skrfs_now_ns() - skrfs_ledger_begun_ns(fs->limits.ledger, key) >= limits->until_ns;
}

int limits_ask_unit(struct skrfs_fs *fs, size_t key, struct skrfs_error *err) {
    const char *unit = limits_of(fs, key)->until_unit;
    bool active = false;
    if (!fs->options.unit)
        return skrfs_fail(
                err, SKRFS_CLASS_UNAVAILABLE, "nobody here can ask for the unit %s", unit);
    if (fs->options.unit(fs->options.unit_context, unit, &active, err))
        return skrfs_wrap(err, "whether the unit %s is active", unit);
    if (active)
        limits_take_back(fs, key, SKRFS_GONE_UNIT);
    else
        atomic_store(&fs->limits.states[key].heard_ns, skrfs_now_ns());
    return 0;
}

int limits_enter(struct skrfs_fs *fs, const struct node *node, struct skrfs_error *err) {
    if (!is_limited(fs, node) || gone_by(fs, node->key) != SKRFS_GONE_NOT)
        return 0;
    if (limits_time_is_over(fs, node->key))
        limits_take_back(fs, node->key, SKRFS_GONE_TIME);
    if (!limits_of(fs, node->key)->until_unit)
        return 0;
    return limits_ask_unit(fs, node->key, err);
}

void limits_watch(struct skrfs_fs *fs, const struct node *node) {
    if (!is_limited(fs, node) || !limits_of(fs, node->key)->until_unit)
        return;
    if (!atomic_exchange(&fs->limits.states[node->key].watched, true))
        clockwork_wake(fs, &fs->limits.units);
}

int limits_check(struct skrfs_fs *fs, const struct node *node, struct skrfs_error *err) {
    if (!is_limited(fs, node) || !limits_time_is_over(fs, node->key))
        return 0;
    clockwork_wake(fs, limits_of(fs, node->key)->until_s ? &fs->limits.wall : &fs->limits.boot);
    tell_why(fs, node->key, SKRFS_GONE_TIME, err);
    return -1;
}

/* The count goes up before the answer and down again when the kernel did not take it: a keeper that
 * dies between them has counted one too many, never one too few. */
static int count(struct skrfs_fs *fs, size_t key, uint64_t *ret_ticket, struct skrfs_error *err) {
    struct limit_state *state = &fs->limits.states[key];
    pthread_mutex_lock(&fs->limits.lock);
    uint64_t used = skrfs_ledger_used(fs->limits.ledger, key);
    bool left = used < limits_of(fs, key)->reads;
    if (left) {
        skrfs_ledger_set_used(fs->limits.ledger, key, used + 1);
        state->open++;
        *ret_ticket = state->epoch;
    }
    pthread_mutex_unlock(&fs->limits.lock);
    if (left)
        return 0;
    tell_why(fs, key, SKRFS_GONE_READS, err);
    return -1;
}

/* Much may have happened while the open waited for its key. */
int limits_take(struct skrfs_fs *fs, const struct node *node, uint64_t *ret_ticket,
        struct skrfs_error *err) {
    const struct skrfs_guard *guard = &fs->options.keys[node->key].guard;
    char rule[SKRFS_RULE_TEXT_MAX];
    *ret_ticket = LIMITS_NOT_COUNTED;
    if (!skrfs_format_is_public(node->format) &&
            skrfs_hours_decide(&guard->hours, skrfs_wall_s(), rule, err)) {
        limits_wipe(fs, node->key, "the key's hours are over");
        return -1;
    }
    if (!is_limited(fs, node))
        return 0;
    if (limits_time_is_over(fs, node->key))
        limits_take_back(fs, node->key, SKRFS_GONE_TIME);
    enum skrfs_gone by = gone_by(fs, node->key);
    if (by != SKRFS_GONE_NOT) {
        tell_why(fs, node->key, by, err);
        return -1;
    }
    return limits_of(fs, node->key)->reads ? count(fs, node->key, ret_ticket, err) : 0;
}

void limits_settle(struct skrfs_fs *fs, const struct node *node, uint64_t ticket, bool taken) {
    if (ticket == LIMITS_NOT_COUNTED)
        return;
    struct limit_state *state = &fs->limits.states[node->key];
    pthread_mutex_lock(&fs->limits.lock);
    uint64_t used = skrfs_ledger_used(fs->limits.ledger, node->key);
    if (!taken) {
        state->open--;
        if (state->epoch == (uint32_t)ticket && used)
            skrfs_ledger_set_used(fs->limits.ledger, node->key, used - 1);
    }
    pthread_mutex_unlock(&fs->limits.lock);
    use_up(fs, node->key);
}

void limits_closed(struct skrfs_fs *fs, const struct node *node) {
    pthread_mutex_lock(&fs->limits.lock);
    fs->limits.states[node->key].open--;
    pthread_mutex_unlock(&fs->limits.lock);
    use_up(fs, node->key);
}

static int renew(struct skrfs_fs *fs, size_t key) {
    struct skrfs_error err;
    if (limits_of(fs, key)->until_s && limits_time_is_over(fs, key))
        return EKEYREVOKED;
    pthread_mutex_lock(&fs->limits.transition);
    pthread_mutex_lock(&fs->limits.lock);
    fs->limits.states[key].epoch++;
    skrfs_ledger_renew(fs->limits.ledger, key);
    pthread_mutex_unlock(&fs->limits.lock);
    skrfs_store_refuse(fs->options.store, key, NULL);
    pthread_mutex_unlock(&fs->limits.transition);
    clockwork_wake(fs, &fs->limits.boot);
    /* One that cannot be asked for now is asked for at the next open. */
    if (limits_of(fs, key)->until_unit && limits_ask_unit(fs, key, &err) == 0 &&
            gone_by(fs, key) != SKRFS_GONE_NOT)
        return EKEYREVOKED;
    return 0;
}

int limits_renew(struct skrfs_fs *fs, size_t key) {
    int rc = 0;
    if (key != SIZE_MAX)
        return fs->limits.states && skrfs_limits_any(limits_of(fs, key)) ? renew(fs, key) : EINVAL;
    for (size_t i = 0; fs->limits.states && i < fs->options.key_count; i++) {
        int one = skrfs_limits_any(limits_of(fs, i)) ? renew(fs, i) : 0;
        rc = one ? one : rc;
    }
    return rc;
}

static bool wants_states(const struct skrfs_fs_key *key) {
    return skrfs_limits_any(&key->limits) || key->guard.hours.days;
}

/* What an earlier keeper took back stays so; and what it gave for the last time is closed, now that
 * its handles are stale. */
static void take_over(struct skrfs_fs *fs, size_t key) {
    struct skrfs_error why;
    const struct skrfs_limits *limits = limits_of(fs, key);
    if (gone_by(fs, key) == SKRFS_GONE_NOT && limits->reads &&
            skrfs_ledger_used(fs->limits.ledger, key) >= limits->reads)
        skrfs_ledger_set_gone(fs->limits.ledger, key, SKRFS_GONE_READS, skrfs_wall_s());
    enum skrfs_gone by = gone_by(fs, key);
    if (by == SKRFS_GONE_NOT)
        return;
    tell_why(fs, key, by, &why);
    skrfs_store_refuse(fs->options.store, key, &why);
}

int limits_init(struct skrfs_fs *fs, struct skrfs_error *err) {
    size_t count = fs->options.key_count;
    bool wanted = false;
    (void)pthread_mutex_init(&fs->limits.lock, NULL);
    (void)pthread_mutex_init(&fs->limits.transition, NULL);
    for (size_t i = 0; i < count && !wanted; i++)
        wanted = wants_states(&fs->options.keys[i]);
    if (!wanted)
        return 0;
    fs->limits.states = calloc(count, sizeof *fs->limits.states);
    if (!fs->limits.states)
        return skrfs_fail_memory(err);
    if (!fs->options.ledger && skrfs_ledger_new(count, &fs->limits.own, err))
        return -1;
    fs->limits.ledger = fs->options.ledger ? fs->options.ledger : fs->limits.own;
    for (size_t i = 0; i < count; i++)
        if (skrfs_limits_any(limits_of(fs, i)))
            take_over(fs, i);
    return 0;
}

void limits_done(struct skrfs_fs *fs) {
    free(fs->limits.states);
    skrfs_ledger_free(fs->limits.own);
    (void)pthread_mutex_destroy(&fs->limits.lock);
    (void)pthread_mutex_destroy(&fs->limits.transition);
}

static int64_t end_of(const struct skrfs_fs *fs, size_t key) {
    const struct skrfs_limits *limits = limits_of(fs, key);
    if (!limits->until_ns)
        return limits->until_s;
    int64_t left = (int64_t)(limits->until_ns / SKRFS_SECOND_NS) -
                   (int64_t)((skrfs_now_ns() - skrfs_ledger_begun_ns(fs->limits.ledger, key)) /
                             SKRFS_SECOND_NS);
    return skrfs_wall_s() + left;
}

bool skrfs_fs_get_limits(struct skrfs_fs *fs, size_t key, struct skrfs_fs_limits *ret_limits) {
    if (!fs->limits.states || !skrfs_limits_any(limits_of(fs, key)))
        return false;
    *ret_limits = (struct skrfs_fs_limits){.limits = *limits_of(fs, key),
            .used = skrfs_ledger_used(fs->limits.ledger, key),
            .until_s = end_of(fs, key)};
    ret_limits->gone = skrfs_ledger_gone(fs->limits.ledger, key, &ret_limits->gone_s);
    return true;
}
