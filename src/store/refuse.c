/* Keys that are taken back by their limits: nothing of them is given, and nothing of them is left,
 * but for what is public anyway. When that is, the owner of the store says. */
#include "internal.h"

#include <skrfs/base/cleanup.h>

static bool is_private(const struct entry *entry) {
    return entry->format == STORE_RELEASE;
}

static void set_refusal(struct record *record, const struct skrfs_error *why) {
    free(skrfs_take(record->refusal));
    record->refused = why != NULL;
    if (!why)
        return;
    /* Without memory for the reason it is refused all the same. */
    record->refusal = malloc(sizeof *record->refusal);
    if (record->refusal)
        *record->refusal = *why;
}

int record_refuses(const struct record *record, struct skrfs_error *err) {
    if (!record->refused)
        return 0;
    if (record->refusal) {
        *err = *record->refusal;
        return -1;
    }
    return skrfs_fail(err, SKRFS_CLASS_REVOKED, "its limits took the key back");
}

static void take_waiters(
        struct skrfs_store *store, struct record *record, struct waiter_list *list) {
    struct entry *entry;
    waiters_take(store, &record->current, -1, list);
    for (entry = LIST_FIRST(&record->others); entry; entry = LIST_NEXT(entry, beside))
        if (is_private(entry))
            waiters_take(store, entry, -1, list);
}

void skrfs_store_refuse(struct skrfs_store *store, size_t key, const struct skrfs_error *why) {
    struct waiter_list list = TAILQ_HEAD_INITIALIZER(list);
    if (key >= store->key_count)
        return;
    pthread_mutex_lock(&store->lock);
    set_refusal(&store->records[key], why);
    if (why) {
        take_waiters(store, &store->records[key], &list);
        waiters_answer(store, &list, NULL, NULL, why);
    }
    pthread_mutex_unlock(&store->lock);
}

void skrfs_store_take_back(struct skrfs_store *store, size_t key, const char *reason) {
    struct skrfs_generation *generation;
    struct entry *entry, *next;
    if (key >= store->key_count)
        return;
    pthread_mutex_lock(&store->lock);
    struct record *record = &store->records[key];
    for (generation = LIST_FIRST(&record->live); generation;
            generation = LIST_NEXT(generation, live))
        if (!generation->is_public)
            generation_wipe(generation, reason);
    entry_wipe(&record->current);
    for (entry = LIST_FIRST(&record->others); entry; entry = next) {
        next = LIST_NEXT(entry, beside);
        if (is_private(entry))
            entry_wipe(entry);
    }
    pthread_mutex_unlock(&store->lock);
}

static bool holds(const struct record *record) {
    const struct skrfs_generation *generation;
    const struct entry *entry;
    for (generation = LIST_FIRST(&record->live); generation;
            generation = LIST_NEXT(generation, live))
        if (!generation->is_public && !atomic_load(&generation->revoked))
            return true;
    for (entry = LIST_FIRST(&record->others); entry; entry = LIST_NEXT(entry, beside))
        if (is_private(entry) && entry->busy)
            return true;
    return record->current.busy;
}

bool skrfs_store_holds(struct skrfs_store *store, size_t key) {
    if (key >= store->key_count)
        return false;
    pthread_mutex_lock(&store->lock);
    bool held = holds(&store->records[key]);
    pthread_mutex_unlock(&store->lock);
    return held;
}
