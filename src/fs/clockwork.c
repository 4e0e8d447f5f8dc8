/* What happens to keys without anybody asking: the end of their time, of their hours, and a unit
 * that becomes active. Each thread sleeps until the next such moment. Moments of the calendar and
 * spans have each their own, since the calendar's clock may be set. */
#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>

#define ASK_NS (3 * SKRFS_SECOND_NS)
/* Longer than this nobody keeps a key whose unit may have become active unseen. */
#define SILENCE_NS (30 * SKRFS_SECOND_NS)

static const struct skrfs_limits *limits_of(const struct skrfs_fs *fs, size_t key) {
    return &fs->options.keys[key].limits;
}

static bool is_gone(const struct skrfs_fs *fs, size_t key) {
    int64_t since_s;
    return skrfs_ledger_gone(fs->limits.ledger, key, &since_s) != SKRFS_GONE_NOT;
}

static void end_hours(struct skrfs_fs *fs, size_t key) {
    if (!skrfs_store_holds(fs->options.store, key))
        return;
    skrfs_log_info("wiped '%s': its hours are over", fs->options.keys[key].file);
    limits_wipe(fs, key, "the key's hours are over; open it again within them");
}

/* *since_s: what ended by then was seen to. The next moment is returned. */
static int64_t pass_wall(struct skrfs_fs *fs, int64_t *since_s) {
    int64_t now = skrfs_wall_s(), next = SKRFS_NEVER_S;
    int64_t since = *since_s < now ? *since_s : now;
    for (size_t i = 0; i < fs->options.key_count; i++) {
        const struct skrfs_hours *hours = &fs->options.keys[i].guard.hours;
        int64_t until = limits_of(fs, i)->until_s;
        if (hours->days && skrfs_hours_end(hours, since) <= now)
            end_hours(fs, i);
        int64_t end = skrfs_hours_end(hours, now);
        next = end < next ? end : next;
        if (!until || is_gone(fs, i))
            continue;
        if (until <= now)
            limits_take_back(fs, i, SKRFS_GONE_TIME);
        else
            next = until < next ? until : next;
    }
    *since_s = now;
    return next;
}

static uint64_t pass_boot(struct skrfs_fs *fs) {
    uint64_t next = SKRFS_NEVER_NS, end;
    for (size_t i = 0; i < fs->options.key_count; i++) {
        uint64_t span = limits_of(fs, i)->until_ns;
        if (!span || is_gone(fs, i))
            continue;
        if (__builtin_add_overflow(skrfs_ledger_begun_ns(fs->limits.ledger, i), span, &end))
            continue;
        if (limits_time_is_over(fs, i))
            limits_take_back(fs, i, SKRFS_GONE_TIME);
        else
            next = end < next ? end : next;
    }
    return next;
}

/* True while it is to be watched further on. */
static bool watch(struct skrfs_fs *fs, size_t key) {
    struct limit_state *state = &fs->limits.states[key];
    struct skrfs_error err;
    if (is_gone(fs, key) || !skrfs_store_holds(fs->options.store, key))
        return false;
    if (limits_ask_unit(fs, key, &err) == 0)
        return !is_gone(fs, key);
    if (skrfs_now_ns() - atomic_load(&state->heard_ns) < SILENCE_NS)
        return true;
    limits_wipe(fs, key,
            "for half a minute it could not be learned whether the unit of the key's 'until' is "
            "active");
    skrfs_log_warning("wiped '%s': %s", fs->options.keys[key].file, err.message);
    return false;
}

static uint64_t pass_units(struct skrfs_fs *fs) {
    bool any = false;
    for (size_t i = 0; i < fs->options.key_count; i++) {
        _Atomic bool *watched = &fs->limits.states[i].watched;
        if (!atomic_exchange(watched, false))
            continue;
        /* Set again rather than cleared afterwards: an open may have set it meanwhile. */
        if (watch(fs, i)) {
            atomic_store(watched, true);
            any = true;
        }
    }
    return any ? skrfs_now_ns() + ASK_NS : SKRFS_NEVER_NS;
}

/* With the lock held. */
static void sleep_until(struct skrfs_fs *fs, struct clockwork *work, const struct timespec *until) {
    int rc = 0;
    while (!fs->limits.stop && !work->woken && rc == 0)
        rc = until ? pthread_cond_timedwait(&work->moved, &fs->limits.lock, until)
                   : pthread_cond_wait(&work->moved, &fs->limits.lock);
    work->woken = false;
}

static void *keep_wall(void *arg) {
    struct skrfs_fs *fs = arg;
    int64_t since_s = skrfs_wall_s();
    pthread_mutex_lock(&fs->limits.lock);
    while (!fs->limits.stop) {
        pthread_mutex_unlock(&fs->limits.lock);
        int64_t next = pass_wall(fs, &since_s);
        struct timespec until = {.tv_sec = (time_t)next};
        pthread_mutex_lock(&fs->limits.lock);
        sleep_until(fs, &fs->limits.wall, next == SKRFS_NEVER_S ? NULL : &until);
    }
    pthread_mutex_unlock(&fs->limits.lock);
    return NULL;
}

static void keep_passes(
        struct skrfs_fs *fs, struct clockwork *work, uint64_t (*pass)(struct skrfs_fs *fs)) {
    pthread_mutex_lock(&fs->limits.lock);
    while (!fs->limits.stop) {
        pthread_mutex_unlock(&fs->limits.lock);
        uint64_t next = pass(fs);
        struct timespec until = skrfs_deadline_timespec(next);
        pthread_mutex_lock(&fs->limits.lock);
        sleep_until(fs, work, next == SKRFS_NEVER_NS ? NULL : &until);
    }
    pthread_mutex_unlock(&fs->limits.lock);
}

static void *keep_boot(void *arg) {
    struct skrfs_fs *fs = arg;
    keep_passes(fs, &fs->limits.boot, pass_boot);
    return NULL;
}

static void *keep_units(void *arg) {
    struct skrfs_fs *fs = arg;
    keep_passes(fs, &fs->limits.units, pass_units);
    return NULL;
}

static int start(struct skrfs_fs *fs, struct clockwork *work, void *(*keep)(void *), bool by_wall,
        struct skrfs_error *err) {
    /* The calendar's clock is the one that a condition has by default. */
    int rc = by_wall ? pthread_cond_init(&work->moved, NULL) : skrfs_cond_init(&work->moved);
    if (rc)
        return skrfs_fail_errno(err, rc, "make a clock's condition");
    if (device_thread(&work->thread, keep, fs, err)) {
        (void)pthread_cond_destroy(&work->moved);
        return -1;
    }
    work->running = true;
    return 0;
}

int clockworks_start(struct skrfs_fs *fs, struct skrfs_error *err) {
    bool wall = false, boot = false, units = false;
    for (size_t i = 0; fs->limits.states && i < fs->options.key_count; i++) {
        wall |= limits_of(fs, i)->until_s || fs->options.keys[i].guard.hours.days;
        boot |= limits_of(fs, i)->until_ns != 0;
        units |= limits_of(fs, i)->until_unit != NULL;
    }
    if ((wall && start(fs, &fs->limits.wall, keep_wall, true, err)) ||
            (boot && start(fs, &fs->limits.boot, keep_boot, false, err)) ||
            (units && start(fs, &fs->limits.units, keep_units, false, err)))
        return -1;
    return 0;
}

static void end(struct clockwork *work) {
    if (!work->running)
        return;
    (void)pthread_join(work->thread, NULL);
    (void)pthread_cond_destroy(&work->moved);
    work->running = false;
}

void clockworks_end(struct skrfs_fs *fs) {
    struct clockwork *const works[] = {&fs->limits.wall, &fs->limits.boot, &fs->limits.units};
    pthread_mutex_lock(&fs->limits.lock);
    fs->limits.stop = true;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(works); i++)
        if (works[i]->running)
            pthread_cond_broadcast(&works[i]->moved);
    pthread_mutex_unlock(&fs->limits.lock);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(works); i++)
        end(works[i]);
}

void clockwork_wake(struct skrfs_fs *fs, struct clockwork *clockwork) {
    pthread_mutex_lock(&fs->limits.lock);
    clockwork->woken = true;
    if (clockwork->running)
        pthread_cond_signal(&clockwork->moved);
    pthread_mutex_unlock(&fs->limits.lock);
}
