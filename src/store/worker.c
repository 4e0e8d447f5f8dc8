#include "internal.h"

#include <limits.h>
#include <signal.h>
#include <skrfs/base/cleanup.h>
#include <string.h>

/* A worker serves one entry after another: fetches when somebody waits for that, makes the
 * encodings that the waiters want, answers them. */

static uint64_t latest_deadline(const struct entry *entry) {
    const struct skrfs_waiter *waiter;
    uint64_t latest = 0;
    for (waiter = TAILQ_FIRST(&entry->waiters); waiter; waiter = TAILQ_NEXT(waiter, at_entry)) {
        if (waiter->deadline_ns > latest)
            latest = waiter->deadline_ns;
    }
    return latest;
}

/* A fetch that gives up a little before its waiters do can still tell them at which step. */
static uint64_t margin_of(const struct entry *entry) {
    uint64_t margin = entry->record->key->deadline_ns / 20;
    return margin < SKRFS_SECOND_NS / 2 ? margin : SKRFS_SECOND_NS / 2;
}

static uint64_t fetch_deadline(const struct entry *entry) {
    uint64_t latest = latest_deadline(entry);
    return latest == SKRFS_NEVER_NS ? latest : latest - margin_of(entry);
}

/* What one fetch needs, copied so that it needs no lock. */
struct job {
    size_t key;
    char version[SKRFS_STORE_VERSION_MAX];
    bool has_version;
    int format;
    uint64_t deadline_ns;
};

static int fetch(struct skrfs_store *store, const struct job *job, struct skrfs_trace *trace,
        struct skrfs_fetched *fetched, struct skrfs_error *err) {
    const char *version = job->has_version ? job->version : NULL;
    if (job->format == STORE_RELEASE)
        return store->ops.fetch(
                store->context, job->key, version, job->deadline_ns, trace, fetched, err);
    if (!store->ops.fetch_public)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "public formats are not offered here");
    if (version)
        memcpy(fetched->version, version, sizeof fetched->version);
    return store->ops.fetch_public(store->context, job->key, version,
            (enum skrfs_format)job->format, job->deadline_ns, &fetched->plain, err);
}

/* Drops the lock. */
static void fail_all(
        struct skrfs_store *store, struct entry *entry, const struct skrfs_error *cause) {
    struct waiter_list list = TAILQ_HEAD_INITIALIZER(list);
    struct skrfs_error err;
    entry_refusal(entry, cause, &err);
    waiters_take(store, entry, -1, &list);
    waiters_answer(store, &list, NULL, NULL, &err);
}

/* Drops the lock. Time ran out for those who were there when the fetch began; who came later has
 * some left, and another fetch. False when there is nobody of the kind. */
static bool fail_due(struct skrfs_store *store, struct entry *entry, uint64_t deadline_ns,
        const struct skrfs_error *cause) {
    struct waiter_list list = TAILQ_HEAD_INITIALIZER(list);
    if (cause->kind != SKRFS_CLASS_TIMEOUT || skrfs_now_ns() < deadline_ns ||
            fetch_deadline(entry) <= deadline_ns)
        return false;
    waiters_take_due(store, entry, deadline_ns + margin_of(entry), &list);
    entry->fetch_wanted = true;
    waiters_answer(store, &list, NULL, NULL, cause);
    return true;
}

/* Drops the lock. */
static int unlocked_fetch(struct skrfs_store *store, struct entry *entry, uint64_t deadline_ns,
        struct skrfs_fetched *fetched, struct skrfs_error *err) {
    skrfs_autofree struct skrfs_trace *trace = calloc(1, sizeof *trace);
    const char *version = entry_version(entry);
    struct job job = {.key = (size_t)(entry->record - store->records),
            .format = entry->format,
            .has_version = version,
            .deadline_ns = deadline_ns};
    if (version)
        memcpy(job.version, version, strnlen(version, sizeof job.version - 1));
    if (!trace)
        return skrfs_fail_memory(err);
    skrfs_trace_start(trace);
    entry->fetching = true;
    pthread_mutex_unlock(&store->lock);
    int rc = fetch(store, &job, trace, fetched, err);
    pthread_mutex_lock(&store->lock);
    entry->fetching = false;
    if (entry->format == STORE_RELEASE) {
        trace_pack(trace, &entry->record->trace);
        entry->record->releases += rc == 0;
    }
    return rc;
}

/* Drops the lock. */
static void attempt(struct skrfs_store *store, struct entry *entry) {
    struct skrfs_fetched fetched = {0};
    struct skrfs_error err = {0};
    unsigned epoch = entry->epoch;
    entry->fetch_wanted = false;
    if (TAILQ_EMPTY(&entry->waiters))
        return;
    uint64_t deadline_ns = fetch_deadline(entry);
    int rc = unlocked_fetch(store, entry, deadline_ns, &fetched, &err);
    if (rc == 0 && epoch != entry->epoch)
        entry->fetch_wanted = true;
    else if (rc == 0)
        rc = entry_install(store, entry, &fetched, &err);
    fetched_done(&fetched);
    if (rc == 0 || fail_due(store, entry, deadline_ns, &err))
        return;
    entry_remember(entry, &err);
    if (!entry_may_be_stale(entry, err.kind))
        fail_all(store, entry, &err);
}

/* Drops the lock. Whatever is made for a generation that was wiped meanwhile is thrown away. */
static int encode(struct skrfs_store *store, struct skrfs_generation *generation,
        enum skrfs_format format, struct skrfs_error *err) {
    skrfs_autosecret *plain = skrfs_secret_ref(generation->plain);
    skrfs_autosecret *encoded = NULL;
    struct skrfs_fetched fetched = {.plain = plain, .type = generation->type};
    fetched.expires_s = atomic_load(&generation->expires_s);
    memcpy(fetched.version, generation->version, sizeof fetched.version);
    memcpy(fetched.kid, generation->kid, strnlen(generation->kid, sizeof fetched.kid - 1));
    pthread_mutex_unlock(&store->lock);
    int rc = store->ops.encode(store->context, &fetched, format, &encoded, err);
    if (rc == 0 && !encoded)
        rc = skrfs_fail(err, SKRFS_CLASS_BUG, "an encoding as %s came out empty",
                skrfs_format_name(format));
    pthread_mutex_lock(&store->lock);
    if (rc == 0 && !atomic_load(&generation->revoked) && !generation->encodings[format])
        generation->encodings[format] = skrfs_take(encoded);
    return rc;
}

/* Drops the lock. Answers all that wait for one format. */
static void answer_format(
        struct skrfs_store *store, struct entry *entry, enum skrfs_format format) {
    struct waiter_list list = TAILQ_HEAD_INITIALIZER(list);
    struct skrfs_generation *generation = entry->current;
    struct skrfs_error err = {0};
    int rc = 0;
    atomic_fetch_add(&generation->refs, 1);
    if (!generation->encodings[format])
        rc = encode(store, generation, format, &err);
    if (rc) {
        waiters_take(store, entry, (int)format, &list);
        waiters_answer(store, &list, NULL, NULL, &err);
    } else if (generation->encodings[format]) {
        waiters_take(store, entry, (int)format, &list);
        waiters_answer(store, &list, generation, generation->encodings[format], NULL);
    }
    generation_drop(generation);
}

static void serve(struct skrfs_store *store, struct entry *entry) {
    while (!TAILQ_EMPTY(&entry->waiters) && !store->stopping) {
        if (entry->fetch_wanted || !entry->current)
            attempt(store, entry);
        if (!entry->fetch_wanted && entry->current && !TAILQ_EMPTY(&entry->waiters))
            answer_format(store, entry, TAILQ_FIRST(&entry->waiters)->format);
    }
    entry->fetch_wanted = false;
    entry->busy = false;
}

/* False when there was nothing to do for long enough, or the store ends. */
static bool wait_for_work(struct skrfs_store *store) {
    struct timespec until = skrfs_deadline_timespec(skrfs_now_ns() + STORE_IDLE_NS);
    int rc = 0;
    store->idle++;
    while (STAILQ_EMPTY(&store->queue) && !store->stopping && rc == 0)
        rc = pthread_cond_timedwait(&store->work, &store->lock, &until);
    store->idle--;
    return !store->stopping && !STAILQ_EMPTY(&store->queue);
}

static void *work(void *arg) {
    struct skrfs_store *store = arg;
    pthread_mutex_lock(&store->lock);
    while (wait_for_work(store)) {
        struct entry *entry = STAILQ_FIRST(&store->queue);
        STAILQ_REMOVE_HEAD(&store->queue, queued);
        serve(store, entry);
    }
    store->workers--;
    pthread_cond_broadcast(&store->gone);
    pthread_mutex_unlock(&store->lock);
    store_unref(store);
    return NULL;
}

/* Signals are blocked: a signal frame would put a worker's registers, and with them key bytes, on
 * its stack. */
int thread_start(struct skrfs_store *store, void *(*work_fn)(void *), struct skrfs_error *err) {
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    size_t stack =
            STORE_STACK < (size_t)PTHREAD_STACK_MIN ? (size_t)PTHREAD_STACK_MIN : STORE_STACK;
    int rc = pthread_attr_init(&attr);
    if (rc)
        return skrfs_fail_errno(err, rc, "start a thread");
    (void)pthread_attr_setstacksize(&attr, stack);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_fetch_add(&store->refs, 1);
    rc = pthread_create(&thread, &attr, work_fn, store);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    if (rc == 0)
        return 0;
    atomic_fetch_sub(&store->refs, 1);
    return skrfs_fail_errno(err, rc, "start a thread");
}

static size_t queue_len(const struct skrfs_store *store) {
    const struct entry *entry;
    size_t count = 0;
    for (entry = STAILQ_FIRST(&store->queue); entry; entry = STAILQ_NEXT(entry, queued)) {
        if (++count > store->workers_max)
            break;
    }
    return count;
}

int worker_wake(struct skrfs_store *store, struct entry *entry, struct skrfs_error *err) {
    if (entry->busy)
        return 0;
    STAILQ_INSERT_TAIL(&store->queue, entry, queued);
    entry->busy = true;
    pthread_cond_signal(&store->work);
    if (store->workers >= store->workers_max || queue_len(store) <= store->idle)
        return 0;
    if (thread_start(store, work, err) == 0) {
        store->workers++;
        return 0;
    }
    /* Fewer workers than wished for only cost time. */
    if (store->workers)
        return 0;
    STAILQ_REMOVE(&store->queue, entry, entry, queued);
    entry->busy = false;
    return -1;
}
