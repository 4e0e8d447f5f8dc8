/* A key source that does as it is told, and readers that open and wait. */
#ifndef SKRFS_TESTS_STORE_SOURCE_H
#define SKRFS_TESTS_STORE_SOURCE_H

#include "support.h"

#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/store/store.h>

struct source {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool held; /* fetches wait until let go */
    unsigned running, fetches, encodes, publics;
    bool fails;
    unsigned failures; /* so many, then it is well; 0: no end to them */
    struct skrfs_error error;
    const char *version;
    const char *plain;
    int64_t expires_s;
    char asked[64]; /* the last fetch's version */
};

/* One open, waited for or not. */
struct reader {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    unsigned answers;
    int rc;
    struct skrfs_generation *generation;
    struct skrfs_secret *bytes;
    struct skrfs_waiter *waiter;
    struct skrfs_error err;
    bool failed;
};

/* One key that lasts, and one that is looked for anew at each open. */
extern const struct skrfs_store_key lasting, always_due;

void source_init(struct source *source);
void set_failure(struct source *source, enum skrfs_class kind, uint64_t not_before_ns);
void set_key(struct source *source, const char *version, const char *plain, int64_t expires_s);
void hold(struct source *source, bool held);
void wait_running(struct source *source, unsigned running);
unsigned count_of(struct source *source, const unsigned *counter);
void begin(struct skrfs_store *store, const char *version, enum skrfs_format format,
        struct reader *reader);
void finish(struct reader *reader);
void close_reader(struct reader *reader);
void assert_read(struct reader *reader, const char *wanted);
void assert_failed(struct reader *reader, enum skrfs_class kind, const char *text);
void open_and_read(struct skrfs_store *store, const char *wanted);
void open_and_fail(struct skrfs_store *store, enum skrfs_class kind, const char *text);
struct skrfs_store *new_store(
        struct source *source, const struct skrfs_store_key *key, unsigned workers);
enum skrfs_key_state state_of(struct skrfs_store *store);

#endif
