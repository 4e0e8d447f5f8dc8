/* What the store's files share. Everything here is guarded by store->lock unless said otherwise;
 * functions are called with the lock held unless their comment says that they drop it. Nothing of
 * the owner's (fetch, encode, opened) is ever called under it. */
#ifndef SKRFS_STORE_INTERNAL_H
#define SKRFS_STORE_INTERNAL_H

#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/store/store.h>
#include <stdatomic.h>
#include <sys/queue.h>

#define STORE_WORKERS_DEFAULT 16
#define STORE_STACK ((size_t)256 * 1024)
#define STORE_IDLE_NS (10 * SKRFS_SECOND_NS)
/* Versions and public formats of one key that are kept beside its current version. */
#define STORE_OTHERS_MAX 64
#define STORE_WAITERS_MAX 65536
#define STORE_RELEASE (-1) /* entry->format of a release, as opposed to a public format */

struct entry;
struct record;

struct skrfs_generation {
    atomic_uint refs;
    atomic_bool revoked;            /* read without the lock */
    atomic_int_least64_t expires_s; /* read without the lock */
    struct skrfs_store *store;
    struct record *record;
    LIST_ENTRY(skrfs_generation)
    live; /* all of a record: wiping reaches those that only handles know */
    int type;
    bool is_public;     /* fetched without a release */
    const char *reason; /* of a wipe; set before `revoked` */
    uint64_t release;
    char version[SKRFS_STORE_VERSION_MAX];
    char *kid;
    struct skrfs_secret *plain; /* NULL for a public format, and after a wipe */
    struct skrfs_secret *encodings[SKRFS_FORMAT_COUNT];
};

struct skrfs_waiter {
    TAILQ_ENTRY(skrfs_waiter) at_entry;
    TAILQ_ENTRY(skrfs_waiter) at_store;
    struct entry *entry;
    enum skrfs_format format;
    bool parked; /* false: being answered */
    uint64_t deadline_ns;
    skrfs_opened_fn *opened;
    void *context;
};
TAILQ_HEAD(waiter_list, skrfs_waiter);

struct failure {
    struct skrfs_error error;
    uint64_t until_ns; /* opens before this fail at once with the same error */
};

/* One thing that is fetched: the release of a version, or one public format of it. */
struct entry {
    struct record *record;
    LIST_ENTRY(entry) beside;
    STAILQ_ENTRY(entry) queued;
    char version[SKRFS_STORE_VERSION_MAX]; /* "": the configured one */
    int format;                            /* STORE_RELEASE or the public format */
    bool busy;                             /* queued, or a worker has it */
    bool fetching;                         /* the worker is in the owner's fetch */
    bool due;                              /* an operator asked for a new look, whatever the age */
    bool fetch_wanted;                     /* an opener was not content with what is there */
    unsigned epoch; /* counts wipes: what was fetched across one is thrown away */
    uint64_t used_ns;
    uint64_t fetched_ns;
    struct skrfs_generation *current;
    struct failure *failure;
    struct waiter_list waiters;
};

/* One configured key. */
struct record {
    const struct skrfs_store_key *key;
    struct entry current;
    LIST_HEAD(entry_list, entry) others;
    size_t other_count;
    LIST_HEAD(generation_list, skrfs_generation) live;
    uint64_t releases, failures;
    size_t waiters;
    size_t handles;
    struct failure *last; /* for status; NULL after a success */
    bool refused;
    struct skrfs_error *refusal; /* NULL: there was no memory for it */
    struct skrfs_buf trace;
};

struct skrfs_store {
    atomic_uint refs; /* the owner, each thread, each generation */
    pthread_mutex_t lock;
    pthread_cond_t work, clock, gone;
    struct skrfs_fetch_ops ops;
    void *context;
    struct skrfs_store_key *keys;
    struct record *records;
    size_t key_count;
    unsigned workers_max, workers, idle;
    bool timing; /* the timer thread is there */
    bool stopping;
    STAILQ_HEAD(entry_queue, entry) queue;
    struct waiter_list waiters;
    size_t waiter_count;
};

/* store.c */
void store_unref(struct skrfs_store *store); /* without the lock */

/* generation.c */
int generation_new(struct skrfs_store *store, struct entry *entry, struct skrfs_fetched *fetched,
        struct skrfs_generation **ret_generation, struct skrfs_error *err) SKRFS_MUST_CHECK;
void generation_wipe(struct skrfs_generation *generation, const char *reason);
void generation_drop(struct skrfs_generation *generation); /* the store's own reference */
/* A reference for a handle, counted as one. */
struct skrfs_generation *generation_hand_out(struct skrfs_generation *generation);
void fetched_done(struct skrfs_fetched *fetched);

/* entry.c */
void entry_init(struct entry *entry, struct record *record, const char *version, int format);
void entry_done(struct entry *entry);
struct entry *entry_find(struct record *record, const char *version, int format);
int entry_get(struct record *record, const char *version, int format, struct entry **ret_entry,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void entry_wipe(struct entry *entry);
const char *entry_version(const struct entry *entry); /* for the fetch: NULL is the current one */

/* refuse.c */
int record_refuses(const struct record *record, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* judge.c */
enum verdict { VERDICT_SERVE, VERDICT_FETCH, VERDICT_REFUSE };
/* What an open gets from what is there now; REFUSE fills `err`. */
enum verdict entry_judge(const struct entry *entry, struct skrfs_error *err);
/* Whether the present generation may be served although a fetch failed like this. */
bool entry_may_be_stale(const struct entry *entry, enum skrfs_class kind);
/* What waiters hear when it may not. */
void entry_refusal(
        const struct entry *entry, const struct skrfs_error *cause, struct skrfs_error *ret_error);
void entry_remember(struct entry *entry, const struct skrfs_error *err);
void entry_forget_failure(struct entry *entry);
/* Takes a fetch's result over: a new generation, or the present one's age renewed. */
int entry_install(struct skrfs_store *store, struct entry *entry, struct skrfs_fetched *fetched,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* waiters.c */
int waiter_park(struct skrfs_store *store, struct entry *entry, enum skrfs_format format,
        skrfs_opened_fn *opened, void *context, struct skrfs_waiter **ret_waiter,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void waiter_unlink(struct skrfs_store *store, struct skrfs_waiter *waiter);
/* Drops the lock while it calls them. */
void waiters_answer(struct skrfs_store *store, struct waiter_list *list,
        struct skrfs_generation *generation, struct skrfs_secret *bytes,
        const struct skrfs_error *err);
/* Moves the waiters of one format, or of all (-1), onto `list`. */
void waiters_take(
        struct skrfs_store *store, struct entry *entry, int format, struct waiter_list *list);

/* Moves those whose deadline is not after this one onto `list`. */
void waiters_take_due(struct skrfs_store *store, struct entry *entry, uint64_t deadline_ns,
        struct waiter_list *list);

/* timer.c */
int timer_start(struct skrfs_store *store, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* worker.c */
int worker_wake(
        struct skrfs_store *store, struct entry *entry, struct skrfs_error *err) SKRFS_MUST_CHECK;
int thread_start(
        struct skrfs_store *store, void *(*work)(void *), struct skrfs_error *err) SKRFS_MUST_CHECK;

/* packed.c: a trace in as few octets as its texts have, for each of many keys. */
void trace_pack(const struct skrfs_trace *trace, struct skrfs_buf *packed);
void trace_unpack(const struct skrfs_buf *packed, struct skrfs_trace *ret_trace);

#endif
