/* The keeper's end of the audit, between its files. */
#ifndef SKRFS_SRC_DAEMON_RECORDER_H
#define SKRFS_SRC_DAEMON_RECORDER_H

#include <pthread.h>
#include <skrfs/audit/audit.h>
#include <skrfs/base/clock.h>
#include <skrfs/daemon/process.h>
#include <sys/queue.h>

/* One record on its way, in the form in which it is sent. */
struct item {
    STAILQ_ENTRY(item) links;
    uint64_t number;
    uint64_t deadline_ns; /* of who waits for it */
    skrfs_fs_recorded_fn *recorded;
    void *context;
    size_t receipt; /* the key whose receipt it vouches for; SIZE_MAX: none */
    bool sent;
    uint32_t size;
    char message[];
};
STAILQ_HEAD(item_list, item);

/* Refusals of one caller and key that are alike: the first has a record of its own, those of the
 * following second another one together. Who goes on is counted over longer and longer times, so
 * that no disk can be filled by being refused. */
#define REPEATS 256
#define REPEAT_FIRST_NS SKRFS_SECOND_NS
#define REPEAT_LAST_NS (64 * SKRFS_SECOND_NS)
struct repeat {
    uint64_t hash; /* 0: free */
    uint64_t until_ns, span_ns;
    uint64_t count;
    char *body; /* of the first */
};

struct receipt {
    struct skrfs_proof proof;
    struct skrfs_audit_head record; /* that vouches for it; seq 0: not written yet */
};

struct skrfs_recorder {
    struct skrfs_recorder_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* an item went */
    pthread_t thread;
    int wake;
    bool stop, stuck;
    char trouble[256];
    struct item_list items;
    size_t count, octets;
    uint64_t epoch, number;
    uint64_t lost, lost_total; /* not told yet; all of them */
    uint64_t releases;
    struct skrfs_audit_head head;
    struct repeat repeats[REPEATS];
    struct receipt **receipts; /* by key */
};

/* recorder_repeat.c, with the lock held */
/* True when a refusal is counted with one that went before; otherwise it is to be recorded, and its
 * body is kept for those that follow. */
bool repeat_counts(struct skrfs_recorder *recorder, uint64_t hash, const char *body);
/* Records counts whose time is over (all of them when `all`); when the next one is due. */
uint64_t repeat_flush(struct skrfs_recorder *recorder, bool all);
uint64_t repeat_hash(const struct skrfs_fs_event *event);
void repeat_done(struct skrfs_recorder *recorder);

/* Takes a record into the queue, and counts it as lost when there is no room. With the lock held.
 */
bool recorder_take(struct skrfs_recorder *recorder, const char *body, size_t len,
        skrfs_fs_recorded_fn *recorded, void *context, uint64_t deadline_ns, size_t receipt);

#endif
