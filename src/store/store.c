#include <skrfs/store/store.h>

#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <string.h>

static void records_free(struct skrfs_store *store) {
    for (size_t i = 0; store->records && i < store->key_count; i++) {
        struct record *record = &store->records[i];
        free(record->last);
        free(record->refusal);
        skrfs_buf_done(&record->trace);
    }
    free(store->records);
    free(store->keys);
}

void store_unref(struct skrfs_store *store) {
    if (atomic_fetch_sub(&store->refs, 1) != 1)
        return;
    records_free(store);
    (void)pthread_cond_destroy(&store->work);
    (void)pthread_cond_destroy(&store->clock);
    (void)pthread_cond_destroy(&store->gone);
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
}

static int locks_init(struct skrfs_store *store, struct skrfs_error *err) {
    int rc = pthread_mutex_init(&store->lock, NULL);
    if (rc == 0)
        rc = skrfs_cond_init(&store->work);
    if (rc == 0)
        rc = skrfs_cond_init(&store->clock);
    if (rc == 0)
        rc = skrfs_cond_init(&store->gone);
    return rc ? skrfs_fail_errno(err, rc, "make the key store's locks") : 0;
}

static void records_init(struct skrfs_store *store, const struct skrfs_store_options *options) {
    for (size_t i = 0; i < store->key_count; i++) {
        struct record *record = &store->records[i];
        store->keys[i] = options->keys[i];
        record->key = &store->keys[i];
        LIST_INIT(&record->others);
        LIST_INIT(&record->live);
        entry_init(&record->current, record, NULL, STORE_RELEASE);
    }
}

static struct skrfs_store *store_alloc(const struct skrfs_store_options *options) {
    struct skrfs_store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    atomic_init(&store->refs, 1);
    store->ops = *options->ops;
    store->context = options->context;
    store->workers_max = options->workers ? options->workers : STORE_WORKERS_DEFAULT;
    store->key_count = options->key_count;
    STAILQ_INIT(&store->queue);
    TAILQ_INIT(&store->waiters);
    return store;
}

int skrfs_store_new(const struct skrfs_store_options *options, struct skrfs_store **ret_store,
        struct skrfs_error *err) {
    size_t room = options->key_count ? options->key_count : 1;
    struct skrfs_store *store = store_alloc(options);
    if (!store)
        return skrfs_fail_memory(err);
    if (locks_init(store, err)) {
        free(store);
        return -1;
    }
    store->records = calloc(room, sizeof *store->records);
    store->keys = calloc(room, sizeof *store->keys);
    if (!store->records || !store->keys) {
        store_unref(store);
        return skrfs_fail_memory(err);
    }
    records_init(store, options);
    *ret_store = store;
    return 0;
}

static void stop_threads(struct skrfs_store *store) {
    store->stopping = true;
    pthread_cond_broadcast(&store->work);
    pthread_cond_broadcast(&store->clock);
    while (store->workers || store->timing)
        pthread_cond_wait(&store->gone, &store->lock);
}

static void interrupt_all(struct skrfs_store *store) {
    struct waiter_list list = TAILQ_HEAD_INITIALIZER(list);
    struct skrfs_waiter *waiter;
    struct skrfs_error err;
    (void)skrfs_fail(&err, SKRFS_CLASS_INTERRUPTED, "the key store is closing");
    while ((waiter = TAILQ_FIRST(&store->waiters))) {
        waiter_unlink(store, waiter);
        TAILQ_INSERT_TAIL(&list, waiter, at_entry);
    }
    waiters_answer(store, &list, NULL, NULL, &err);
}

static void wipe_record(struct record *record) {
    struct skrfs_generation *generation;
    struct entry *entry, *next;
    for (generation = LIST_FIRST(&record->live); generation;
            generation = LIST_NEXT(generation, live))
        generation_wipe(generation, "the key was wiped by an operator; open it again");
    entry_wipe(&record->current);
    for (entry = LIST_FIRST(&record->others); entry; entry = next) {
        next = LIST_NEXT(entry, beside);
        entry_wipe(entry);
    }
}

void skrfs_store_free(struct skrfs_store *store) {
    if (!store)
        return;
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    interrupt_all(store);
    stop_threads(store);
    for (size_t i = 0; i < store->key_count; i++) {
        struct record *record = &store->records[i];
        struct entry *entry;
        /* A worker that saw the end leaves what was queued behind. */
        for (entry = LIST_FIRST(&record->others); entry; entry = LIST_NEXT(entry, beside)) {
            entry->busy = false;
        }
        wipe_record(record);
    }
    pthread_mutex_unlock(&store->lock);
    store_unref(store);
}

/* A public format of a released key is made from it and asks nobody. */
static int find_entry(struct skrfs_store *store, const struct skrfs_store_want *want,
        struct entry **ret_entry, struct skrfs_error *err) {
    struct record *record = &store->records[want->key];
    struct entry *release = entry_find(record, want->version, STORE_RELEASE);
    struct skrfs_error ignored;
    if (skrfs_format_is_public(want->format) &&
            !(release && !record->key->limited && release->current &&
                    entry_judge(release, &ignored) == VERDICT_SERVE))
        return entry_get(record, want->version, (int)want->format, ret_entry, err);
    return entry_get(record, want->version, STORE_RELEASE, ret_entry, err);
}

static int check_want(const struct skrfs_store *store, const struct skrfs_store_want *want,
        struct skrfs_error *err) {
    if (want->key >= store->key_count || want->format >= SKRFS_FORMAT_COUNT)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "there is no key %zu", want->key);
    if (want->version && (!*want->version || strlen(want->version) >= SKRFS_STORE_VERSION_MAX))
        return skrfs_fail(
                err, SKRFS_CLASS_NOT_FOUND, "'%.64s' is no version of a key", want->version);
    if (store->stopping)
        return skrfs_fail(err, SKRFS_CLASS_INTERRUPTED, "the key store is closing");
    return 0;
}

static int locked_open(struct skrfs_store *store, const struct skrfs_store_want *want,
        skrfs_opened_fn *opened, void *context, struct skrfs_generation **ret_generation,
        struct skrfs_secret **ret_bytes, struct skrfs_waiter **ret_waiter,
        struct skrfs_error *err) {
    struct entry *entry;
    if (check_want(store, want, err))
        return -1;
    if (!skrfs_format_is_public(want->format) && record_refuses(&store->records[want->key], err))
        return -1;
    if (find_entry(store, want, &entry, err))
        return -1;
    enum verdict verdict = entry_judge(entry, err);
    if (verdict == VERDICT_REFUSE)
        return -1;
    if (verdict == VERDICT_SERVE && entry->current->encodings[want->format]) {
        *ret_bytes = skrfs_secret_ref(entry->current->encodings[want->format]);
        *ret_generation = generation_hand_out(entry->current);
        return 0;
    }
    bool wanted_before = entry->fetch_wanted;
    if (verdict == VERDICT_FETCH && !entry->fetching)
        entry->fetch_wanted = true;
    if (waiter_park(store, entry, want->format, opened, context, ret_waiter, err)) {
        entry->fetch_wanted = wanted_before;
        return -1;
    }
    return 1;
}

int skrfs_store_open(struct skrfs_store *store, const struct skrfs_store_want *want,
        skrfs_opened_fn *opened, void *context, struct skrfs_generation **ret_generation,
        struct skrfs_secret **ret_bytes, struct skrfs_waiter **ret_waiter,
        struct skrfs_error *err) {
    pthread_mutex_lock(&store->lock);
    int rc = locked_open(store, want, opened, context, ret_generation, ret_bytes, ret_waiter, err);
    pthread_mutex_unlock(&store->lock);
    return rc;
}

void skrfs_store_wipe(struct skrfs_store *store, size_t key) {
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->key_count; i++)
        if (key == SIZE_MAX || key == i)
            wipe_record(&store->records[i]);
    pthread_mutex_unlock(&store->lock);
}

void skrfs_store_refresh(struct skrfs_store *store, size_t key) {
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->key_count; i++) {
        struct record *record = &store->records[i];
        struct entry *entry;
        if (key != SIZE_MAX && key != i)
            continue;
        record->current.due = true;
        entry_forget_failure(&record->current);
        for (entry = LIST_FIRST(&record->others); entry; entry = LIST_NEXT(entry, beside)) {
            entry->due = true;
            entry_forget_failure(entry);
        }
    }
    pthread_mutex_unlock(&store->lock);
}
