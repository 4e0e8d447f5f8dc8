#include "internal.h"

/* One thread answers the waiters whose time is up; it is there only while anybody waits. */

static void describe_wait(
        struct skrfs_store *store, const struct skrfs_waiter *waiter, struct skrfs_error *err) {
    const struct entry *entry = waiter->entry;
    double seconds = (double)entry->record->key->deadline_ns / (double)SKRFS_SECOND_NS;
    if (entry->fetching)
        (void)skrfs_fail(err, SKRFS_CLASS_TIMEOUT,
                "no answer within %g s: the release is still under way", seconds);
    else
        (void)skrfs_fail(err, SKRFS_CLASS_TIMEOUT,
                "no answer within %g s: all %u workers are busy with other keys", seconds,
                store->workers_max);
    (void)skrfs_fail_retryable(err, 0);
}

/* Drops the lock. */
static void expire(struct skrfs_store *store, struct skrfs_waiter *waiter) {
    struct waiter_list list = TAILQ_HEAD_INITIALIZER(list);
    struct entry *entry = waiter->entry;
    struct skrfs_generation *current = entry->current;
    struct skrfs_error cause, err;
    describe_wait(store, waiter, &cause);
    waiter_unlink(store, waiter);
    TAILQ_INSERT_TAIL(&list, waiter, at_entry);
    if (entry_may_be_stale(entry, SKRFS_CLASS_TIMEOUT) && current->encodings[waiter->format]) {
        waiters_answer(store, &list, current, current->encodings[waiter->format], NULL);
        return;
    }
    entry_refusal(entry, &cause, &err);
    entry->record->failures++;
    waiters_answer(store, &list, NULL, NULL, &err);
}

static void *keep_time(void *arg) {
    struct skrfs_store *store = arg;
    uint64_t idle_since = skrfs_now_ns();
    pthread_mutex_lock(&store->lock);
    while (!store->stopping) {
        struct skrfs_waiter *waiter = TAILQ_FIRST(&store->waiters);
        uint64_t now = skrfs_now_ns();
        if (waiter && waiter->deadline_ns <= now) {
            expire(store, waiter);
            continue;
        }
        if (waiter)
            idle_since = now;
        else if (now - idle_since >= STORE_IDLE_NS)
            break;
        uint64_t until = waiter ? waiter->deadline_ns : idle_since + STORE_IDLE_NS;
        struct timespec when = skrfs_deadline_timespec(until);
        (void)pthread_cond_timedwait(&store->clock, &store->lock, &when);
    }
    store->timing = false;
    pthread_cond_broadcast(&store->gone);
    pthread_mutex_unlock(&store->lock);
    store_unref(store);
    return NULL;
}

int timer_start(struct skrfs_store *store, struct skrfs_error *err) {
    if (store->timing) {
        pthread_cond_signal(&store->clock);
        return 0;
    }
    if (thread_start(store, keep_time, err))
        return -1;
    store->timing = true;
    return 0;
}
