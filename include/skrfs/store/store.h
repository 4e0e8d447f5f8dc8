/* The key store: the only owner of secrets. For each key a state machine
 *
 *     EMPTY -> FETCHING -> READY -> (refresh due: READY while FETCHING) -> EXPIRED
 *                   \-> FAILED (until its retry time) -> FETCHING
 *
 * with one fetch in flight per key and version however many wait, waiters that cost no thread,
 * generations that open handles stay pinned to, and wiping. It knows no cloud, no TEE and no FUSE.
 * Thread safe. */
#ifndef SKRFS_STORE_STORE_H
#define SKRFS_STORE_STORE_H

#include <skrfs/base/format.h>
#include <skrfs/base/secret.h>
#include <skrfs/base/trace.h>

struct skrfs_store;
struct skrfs_generation; /* one released version of one key, with its encodings; reference counted
                          */
struct skrfs_waiter;     /* one parked open */

#define SKRFS_STORE_VERSION_MAX 33

/* What a fetch brings. */
struct skrfs_fetched {
    struct skrfs_secret *plain;
    int type; /* the fetcher's own; handed to `encode` again */
    char version[SKRFS_STORE_VERSION_MAX];
    char kid[512];
    int64_t expires_s; /* 0: never */
    uint64_t release;  /* the fetcher's number of this release, 0: none */
};

/* How the store gets keys: implemented over `release` by the wiring. Called from the store's worker
 * threads. */
struct skrfs_fetch_ops {
    /* Blocking. `version` NULL: the current one. */
    int (*fetch)(void *context, size_t key, const char *version, uint64_t deadline_ns,
            struct skrfs_trace *trace, struct skrfs_fetched *ret_fetched, struct skrfs_error *err);
    /* Makes another format of a fetched key. */
    int (*encode)(void *context, const struct skrfs_fetched *fetched, enum skrfs_format format,
            struct skrfs_secret **ret_encoded, struct skrfs_error *err);
    /* A public format without a release. Blocking. */
    int (*fetch_public)(void *context, size_t key, const char *version, enum skrfs_format format,
            uint64_t deadline_ns, struct skrfs_secret **ret_encoded, struct skrfs_error *err);
};

struct skrfs_store_key {
    const char *name;     /* for messages; borrowed */
    const char *version;  /* pinned version or NULL; borrowed */
    uint64_t refresh_ns;  /* age at which a new version is looked for */
    uint64_t stale_ns;    /* how long past refresh_ns it may be served while fetching fails */
    uint64_t deadline_ns; /* longest wait of an open */
    bool limited;         /* may be taken back: its public formats do not depend on a release */
};

struct skrfs_store_options {
    const struct skrfs_store_key *keys;
    size_t key_count;
    const struct skrfs_fetch_ops *ops;
    void *context;
    unsigned workers; /* most fetches at once (0: 16) */
};

int skrfs_store_new(const struct skrfs_store_options *options, struct skrfs_store **ret_store,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Answers every waiter with INTERRUPTED, stops the workers, wipes all. */
void skrfs_store_free(struct skrfs_store *store);
SKRFS_DEFINE_CLEANUP(struct skrfs_store, skrfs_store_free)

/* Which bytes are wanted. */
struct skrfs_store_want {
    size_t key;
    const char *version; /* NULL: the key's current one */
    enum skrfs_format format;
};

/* Called once for a parked open, from a thread of the store, never under its locks and never from
 * inside skrfs_store_open, whose *ret_waiter is written before: with a generation reference and the
 * bytes' reference, or with an error. */
typedef void skrfs_opened_fn(void *context, struct skrfs_generation *generation,
        struct skrfs_secret *bytes, const struct skrfs_error *err);

/* Opens. 0: ready, *ret_generation and *ret_bytes are new references. 1: parked, `opened` will be
 * called, unless skrfs_waiter_cancel() comes first; *ret_waiter is valid until then. -1: failed at
 * once. */
int skrfs_store_open(struct skrfs_store *store, const struct skrfs_store_want *want,
        skrfs_opened_fn *opened, void *context, struct skrfs_generation **ret_generation,
        struct skrfs_secret **ret_bytes, struct skrfs_waiter **ret_waiter,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Gives up a parked open. True: `opened` will not be called any more, and the waiter is gone.
 * False: `opened` is being called. The waiter lives until `opened` has returned: the caller makes
 * sure that it has not, by a lock that `opened` takes first. */
bool skrfs_waiter_cancel(struct skrfs_store *store, struct skrfs_waiter *waiter);

/* Whether an open generation may still be read: 0, or REVOKED/EXPIRED. */
int skrfs_generation_check(
        const struct skrfs_generation *generation, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A reference of its bytes in a format that it was opened in. The store alone keeps them: a wipe
 * leaves only what is being read at the moment. Fails like the check. */
int skrfs_generation_bytes(struct skrfs_generation *generation, enum skrfs_format format,
        struct skrfs_secret **ret_bytes, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_generation_unref(struct skrfs_generation *generation);
const char *skrfs_generation_version(const struct skrfs_generation *generation);
/* The number that the fetch gave it. */
uint64_t skrfs_generation_release(const struct skrfs_generation *generation);

/* Length of a format of the current generation when it is known; false when a release would be
 * needed. */
bool skrfs_store_size(
        struct skrfs_store *store, const struct skrfs_store_want *want, size_t *ret_len);
/* The current generation's version, "" when there is none. */
void skrfs_store_version(struct skrfs_store *store, size_t key, char out[SKRFS_STORE_VERSION_MAX]);
/* Wipes a key (or, with SIZE_MAX, all): open handles answer REVOKED, the next open fetches again.
 */
void skrfs_store_wipe(struct skrfs_store *store, size_t key);

/* From now on opens of a key fail with this error, and so do those that wait; its public formats
 * are served further on. NULL: it is served again. What is open stays as it is. */
void skrfs_store_refuse(struct skrfs_store *store, size_t key, const struct skrfs_error *why);
/* Wipes all of a key that is not public: open handles answer REVOKED with what it is refused with,
 * or with `reason` (a literal) where it is not refused. */
void skrfs_store_take_back(struct skrfs_store *store, size_t key, const char *reason);
/* Whether there is anything to take back, or on its way. */
bool skrfs_store_holds(struct skrfs_store *store, size_t key);

/* Makes the next open of a key (or, with SIZE_MAX, of any) look for a new version, whatever the age
 * of the one there is, and forgets a failure. Open handles stay as they are. */
void skrfs_store_refresh(struct skrfs_store *store, size_t key);

enum skrfs_key_state {
    SKRFS_KEY_EMPTY,
    SKRFS_KEY_FETCHING,
    SKRFS_KEY_READY,
    SKRFS_KEY_FAILED,
    SKRFS_KEY_EXPIRED,
    SKRFS_KEY_GONE /* refused, see skrfs_store_refuse */
};
struct skrfs_key_status {
    enum skrfs_key_state state;
    char version[SKRFS_STORE_VERSION_MAX];
    uint64_t age_ns; /* of the current generation */
    uint64_t releases, failures, waiters, handles;
    enum skrfs_class error_class;
    char error[SKRFS_ERROR_MESSAGE_MAX];   /* the last failure, "" after a success */
    char refusal[SKRFS_ERROR_MESSAGE_MAX]; /* why no open is served; "": they are */
};
const char *skrfs_key_state_name(enum skrfs_key_state state);
void skrfs_store_status(struct skrfs_store *store, size_t key, struct skrfs_key_status *ret_status);
/* The last attempt's steps; a zero count before the first. */
void skrfs_store_trace(struct skrfs_store *store, size_t key, struct skrfs_trace *ret_trace);

#endif
