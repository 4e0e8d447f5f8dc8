#include "internal.h"

#include <skrfs/base/cleanup.h>

/* All keys wait about equally long, so that the place is almost always the end. */
static void insert_by_deadline(struct skrfs_store *store, struct skrfs_waiter *waiter) {
    struct skrfs_waiter *before = TAILQ_LAST(&store->waiters, waiter_list);
    while (before && before->deadline_ns > waiter->deadline_ns)
        before = TAILQ_PREV(before, waiter_list, at_store);
    if (before)
        TAILQ_INSERT_AFTER(&store->waiters, before, waiter, at_store);
    else
        TAILQ_INSERT_HEAD(&store->waiters, waiter, at_store);
}

static int link_waiter(
        struct skrfs_store *store, struct skrfs_waiter *waiter, struct skrfs_error *err) {
    struct entry *entry = waiter->entry;
    TAILQ_INSERT_TAIL(&entry->waiters, waiter, at_entry);
    insert_by_deadline(store, waiter);
    store->waiter_count++;
    entry->record->waiters++;
    waiter->parked = true;
    if (timer_start(store, err) == 0 && worker_wake(store, entry, err) == 0)
        return 0;
    waiter_unlink(store, waiter);
    return -1;
}

int waiter_park(struct skrfs_store *store, struct entry *entry, enum skrfs_format format,
        skrfs_opened_fn *opened, void *context, struct skrfs_waiter **ret_waiter,
        struct skrfs_error *err) {
    uint64_t now = skrfs_now_ns(), wait = entry->record->key->deadline_ns;
    if (store->waiter_count >= STORE_WAITERS_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_UNAVAILABLE, "%d opens are waiting already", STORE_WAITERS_MAX);
    skrfs_autofree struct skrfs_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return skrfs_fail_memory(err);
    waiter->entry = entry;
    waiter->format = format;
    waiter->opened = opened;
    waiter->context = context;
    waiter->deadline_ns = wait > SKRFS_NEVER_NS - now ? SKRFS_NEVER_NS : now + wait;
    if (link_waiter(store, waiter, err))
        return -1;
    *ret_waiter = skrfs_take(waiter);
    return 0;
}

void waiter_unlink(struct skrfs_store *store, struct skrfs_waiter *waiter) {
    TAILQ_REMOVE(&waiter->entry->waiters, waiter, at_entry);
    TAILQ_REMOVE(&store->waiters, waiter, at_store);
    store->waiter_count--;
    waiter->entry->record->waiters--;
    waiter->parked = false;
}

void waiters_take(
        struct skrfs_store *store, struct entry *entry, int format, struct waiter_list *list) {
    struct skrfs_waiter *waiter, *next;
    for (waiter = TAILQ_FIRST(&entry->waiters); waiter; waiter = next) {
        next = TAILQ_NEXT(waiter, at_entry);
        if (format >= 0 && waiter->format != (enum skrfs_format)format)
            continue;
        waiter_unlink(store, waiter);
        TAILQ_INSERT_TAIL(list, waiter, at_entry);
    }
}

void waiters_take_due(struct skrfs_store *store, struct entry *entry, uint64_t deadline_ns,
        struct waiter_list *list) {
    struct skrfs_waiter *waiter, *next;
    for (waiter = TAILQ_FIRST(&entry->waiters); waiter; waiter = next) {
        next = TAILQ_NEXT(waiter, at_entry);
        if (waiter->deadline_ns > deadline_ns)
            continue;
        waiter_unlink(store, waiter);
        TAILQ_INSERT_TAIL(list, waiter, at_entry);
    }
}

void waiters_answer(struct skrfs_store *store, struct waiter_list *list,
        struct skrfs_generation *generation, struct skrfs_secret *bytes,
        const struct skrfs_error *err) {
    struct skrfs_waiter *waiter;
    if (!err) {
        for (waiter = TAILQ_FIRST(list); waiter; waiter = TAILQ_NEXT(waiter, at_entry)) {
            (void)generation_hand_out(generation);
            (void)skrfs_secret_ref(bytes);
        }
    }
    pthread_mutex_unlock(&store->lock);
    while ((waiter = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, waiter, at_entry);
        waiter->opened(waiter->context, err ? NULL : generation, err ? NULL : bytes, err);
        free(waiter);
    }
    pthread_mutex_lock(&store->lock);
}

bool skrfs_waiter_cancel(struct skrfs_store *store, struct skrfs_waiter *waiter) {
    pthread_mutex_lock(&store->lock);
    bool parked = waiter->parked;
    if (parked)
        waiter_unlink(store, waiter);
    pthread_mutex_unlock(&store->lock);
    if (parked)
        free(waiter);
    return parked;
}
