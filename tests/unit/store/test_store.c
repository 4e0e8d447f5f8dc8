#include "support.h"

#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/store/store.h>

/* A key source that does as it is told. */
struct source {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool held; /* fetches wait until let go */
    unsigned running, fetches, encodes, publics;
    bool fails;
    struct skrfs_error error;
    const char *version;
    const char *plain;
    int64_t expires_s;
    char asked[64]; /* the last fetch's version */
};

static void source_init(struct source *source) {
    memset(source, 0, sizeof *source);
    pthread_mutex_init(&source->lock, NULL);
    pthread_cond_init(&source->moved, NULL);
    source->version = "v1";
    source->plain = "first";
}

static void set_failure(struct source *source, enum skrfs_class kind, uint64_t not_before_ns) {
    pthread_mutex_lock(&source->lock);
    source->fails = true;
    (void)skrfs_fail(&source->error, kind, "the vault says no");
    source->error.not_before_ns = not_before_ns;
    pthread_mutex_unlock(&source->lock);
}

static void set_key(
        struct source *source, const char *version, const char *plain, int64_t expires_s) {
    pthread_mutex_lock(&source->lock);
    source->fails = false;
    source->version = version;
    source->plain = plain;
    source->expires_s = expires_s;
    pthread_mutex_unlock(&source->lock);
}

static void hold(struct source *source, bool held) {
    pthread_mutex_lock(&source->lock);
    source->held = held;
    pthread_cond_broadcast(&source->moved);
    pthread_mutex_unlock(&source->lock);
}

static void wait_running(struct source *source, unsigned running) {
    pthread_mutex_lock(&source->lock);
    while (source->running != running)
        pthread_cond_wait(&source->moved, &source->lock);
    pthread_mutex_unlock(&source->lock);
}

static unsigned count_of(struct source *source, const unsigned *counter) {
    pthread_mutex_lock(&source->lock);
    unsigned count = *counter;
    pthread_mutex_unlock(&source->lock);
    return count;
}

/* With the lock held. */
static int produce(struct source *source, const char *version, struct skrfs_fetched *ret_fetched,
        struct skrfs_error *err) {
    source->running++;
    pthread_cond_broadcast(&source->moved);
    while (source->held)
        pthread_cond_wait(&source->moved, &source->lock);
    source->running--;
    pthread_cond_broadcast(&source->moved);
    if (source->fails) {
        *err = source->error;
        return -1;
    }
    strcpy(ret_fetched->version, version ? version : source->version);
    strcpy(ret_fetched->kid, "https://vault/keys/k");
    ret_fetched->type = 7;
    ret_fetched->expires_s = source->expires_s;
    return skrfs_secret_copy(source->plain, strlen(source->plain), &ret_fetched->plain, err);
}

static int fetch(void *context, size_t key, const char *version, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_fetched *ret_fetched, struct skrfs_error *err) {
    struct source *source = context;
    (void)key, (void)deadline_ns;
    size_t step = skrfs_trace_begin(trace, "ask the vault");
    pthread_mutex_lock(&source->lock);
    source->fetches++;
    snprintf(source->asked, sizeof source->asked, "%s", version ? version : "-");
    int rc = produce(source, version, ret_fetched, err);
    pthread_mutex_unlock(&source->lock);
    if (rc)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "got it");
    return 0;
}

static int encode(void *context, const struct skrfs_fetched *fetched, enum skrfs_format format,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    struct source *source = context;
    char text[128];
    pthread_mutex_lock(&source->lock);
    source->encodes++;
    pthread_mutex_unlock(&source->lock);
    if (format == SKRFS_FORMAT_RAW)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "an RSA key has no raw form");
    if (fetched->type != 7 || strcmp(fetched->kid, "https://vault/keys/k") != 0)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "what was fetched came back changed");
    snprintf(text, sizeof text, "%s:%s:%.*s", skrfs_format_name(format), fetched->version,
            (int)skrfs_secret_len(fetched->plain), (const char *)skrfs_secret_data(fetched->plain));
    return skrfs_secret_copy(text, strlen(text), ret_encoded, err);
}

static int fetch_public(void *context, size_t key, const char *version, enum skrfs_format format,
        uint64_t deadline_ns, struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    struct source *source = context;
    (void)key, (void)version, (void)deadline_ns;
    if (format != SKRFS_FORMAT_PUB_PEM)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "only pub.pem");
    pthread_mutex_lock(&source->lock);
    source->publics++;
    bool fails = source->fails;
    pthread_mutex_unlock(&source->lock);
    if (fails)
        return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "the vault says no");
    return skrfs_secret_copy("public", 6, ret_encoded, err);
}

static const struct skrfs_fetch_ops ops = {
        .fetch = fetch, .encode = encode, .fetch_public = fetch_public};

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

static void on_opened(void *context, struct skrfs_generation *generation,
        struct skrfs_secret *bytes, const struct skrfs_error *err) {
    struct reader *reader = context;
    pthread_mutex_lock(&reader->lock);
    reader->generation = generation;
    reader->bytes = bytes;
    reader->failed = err;
    if (err)
        reader->err = *err;
    reader->answers++;
    pthread_cond_signal(&reader->answered);
    pthread_mutex_unlock(&reader->lock);
}

static void begin(struct skrfs_store *store, const char *version, enum skrfs_format format,
        struct reader *reader) {
    struct skrfs_store_want want = {.version = version, .format = format};
    memset(reader, 0, sizeof *reader);
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->answered, NULL);
    struct skrfs_generation *generation = NULL;
    struct skrfs_secret *bytes = NULL;
    struct skrfs_waiter *waiter = NULL;
    struct skrfs_error err = {0};
    int rc = skrfs_store_open(store, &want, on_opened, reader, &generation, &bytes, &waiter, &err);
    pthread_mutex_lock(&reader->lock);
    reader->rc = rc;
    reader->waiter = waiter;
    if (rc <= 0) {
        reader->generation = generation;
        reader->bytes = bytes;
        reader->err = err;
        reader->failed = rc < 0;
    }
    pthread_mutex_unlock(&reader->lock);
}

static void finish(struct reader *reader) {
    pthread_mutex_lock(&reader->lock);
    while (reader->rc == 1 && !reader->answers)
        pthread_cond_wait(&reader->answered, &reader->lock);
    assert_true(reader->answers <= 1);
    pthread_mutex_unlock(&reader->lock);
}

static void close_reader(struct reader *reader) {
    skrfs_secret_unref(reader->bytes);
    skrfs_generation_unref(reader->generation);
    reader->bytes = NULL;
    reader->generation = NULL;
}

static void assert_read(struct reader *reader, const char *wanted) {
    finish(reader);
    if (reader->failed)
        fail_msg("%s", reader->err.message);
    assert_int_equal(skrfs_secret_len(reader->bytes), strlen(wanted));
    assert_true(skrfs_secret_equal(reader->bytes, wanted, strlen(wanted)));
}

static void assert_failed(struct reader *reader, enum skrfs_class kind, const char *text) {
    finish(reader);
    if (!reader->failed || reader->err.kind != kind || !strstr(reader->err.message, text))
        fail_msg("failed %d, class %s: %s", reader->failed, skrfs_class_name(reader->err.kind),
                reader->err.message);
    assert_null(reader->generation);
    assert_null(reader->bytes);
}

static void open_and_read(struct skrfs_store *store, const char *wanted) {
    struct reader reader;
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_read(&reader, wanted);
    close_reader(&reader);
}

static void open_and_fail(struct skrfs_store *store, enum skrfs_class kind, const char *text) {
    struct reader reader;
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_failed(&reader, kind, text);
}

static struct skrfs_store *new_store(
        struct source *source, const struct skrfs_store_key *key, unsigned workers) {
    struct skrfs_store_options options = {
            .keys = key, .key_count = 1, .ops = &ops, .context = source, .workers = workers};
    struct skrfs_store *store = NULL;
    struct skrfs_error err;
    source_init(source);
    assert_ok(skrfs_store_new(&options, &store, &err), err);
    return store;
}

static const struct skrfs_store_key lasting = {
        .name = "k", .refresh_ns = SKRFS_NEVER_NS, .deadline_ns = 20 * SKRFS_SECOND_NS};
static const struct skrfs_store_key always_due = {
        .name = "k", .refresh_ns = 0, .deadline_ns = 20 * SKRFS_SECOND_NS};

static enum skrfs_key_state state_of(struct skrfs_store *store) {
    struct skrfs_key_status status;
    skrfs_store_status(store, 0, &status);
    return status.state;
}

static void test_first_open_fetches(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct skrfs_store_want want = {.format = SKRFS_FORMAT_PEM};
    char version[SKRFS_STORE_VERSION_MAX];
    size_t len = 0;
    (void)state;
    assert_int_equal(state_of(store), SKRFS_KEY_EMPTY);
    assert_false(skrfs_store_size(store, &want, &len));
    skrfs_store_version(store, 0, version);
    assert_string_equal(version, "");
    assert_int_equal(count_of(&source, &source.fetches), 0);
    open_and_read(store, "pem:v1:first");
    open_and_read(store, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    assert_int_equal(count_of(&source, &source.encodes), 1);
    assert_true(skrfs_store_size(store, &want, &len));
    assert_int_equal(len, strlen("pem:v1:first"));
    want.format = SKRFS_FORMAT_DER;
    assert_false(skrfs_store_size(store, &want, &len));
    skrfs_store_version(store, 0, version);
    assert_string_equal(version, "v1");
    assert_int_equal(state_of(store), SKRFS_KEY_READY);
    skrfs_store_free(store);
}

static void test_single_flight(void **state) {
    enum { READERS = 50 };
    static struct reader readers[READERS];
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 4);
    struct skrfs_key_status status;
    (void)state;
    hold(&source, true);
    for (size_t i = 0; i < READERS; i++) {
        begin(store, NULL, SKRFS_FORMAT_PEM, &readers[i]);
        assert_int_equal(readers[i].rc, 1);
    }
    wait_running(&source, 1);
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.state, SKRFS_KEY_FETCHING);
    assert_int_equal(status.waiters, READERS);
    hold(&source, false);
    for (size_t i = 0; i < READERS; i++)
        assert_read(&readers[i], "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    assert_int_equal(count_of(&source, &source.encodes), 1);
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.waiters, 0);
    assert_int_equal(status.handles, READERS);
    assert_int_equal(status.releases, 1);
    for (size_t i = 0; i < READERS; i++)
        close_reader(&readers[i]);
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.handles, 0);
    skrfs_store_free(store);
}

static void test_failure_reaches_all_and_is_remembered(void **state) {
    static struct reader readers[10];
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct skrfs_key_status status;
    (void)state;
    hold(&source, true);
    set_failure(&source, SKRFS_CLASS_REJECTED, 0);
    for (size_t i = 0; i < 10; i++)
        begin(store, NULL, SKRFS_FORMAT_PEM, &readers[i]);
    hold(&source, false);
    for (size_t i = 0; i < 10; i++)
        assert_failed(&readers[i], SKRFS_CLASS_REJECTED, "the vault says no");
    struct reader reader;
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_int_equal(reader.rc, -1);
    assert_failed(&reader, SKRFS_CLASS_REJECTED, "the vault says no");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.state, SKRFS_KEY_FAILED);
    assert_int_equal(status.failures, 1);
    assert_int_equal(status.error_class, SKRFS_CLASS_REJECTED);
    assert_string_equal(status.error, "the vault says no");
    skrfs_store_free(store);
}

static void test_failure_is_forgotten_at_its_time(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    uint64_t retry = skrfs_now_ns() + 150 * SKRFS_MILLISECOND_NS;
    struct skrfs_key_status status;
    (void)state;
    set_failure(&source, SKRFS_CLASS_UNAVAILABLE, retry);
    open_and_fail(store, SKRFS_CLASS_UNAVAILABLE, "the vault says no");
    open_and_fail(store, SKRFS_CLASS_UNAVAILABLE, "the vault says no");
    set_key(&source, "v1", "first", 0);
    assert_true(skrfs_sleep_until(retry + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS));
    open_and_read(store, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    skrfs_store_status(store, 0, &status);
    assert_string_equal(status.error, "");
    skrfs_store_free(store);
}

static void test_refresh_brings_a_new_generation(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 2);
    struct reader old, new;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &old);
    assert_read(&old, "pem:v1:first");
    set_key(&source, "v2", "second", 0);
    begin(store, NULL, SKRFS_FORMAT_PEM, &new);
    assert_read(&new, "pem:v2:second");
    /* The open handle stays with what it was opened on. */
    assert_read(&old, "pem:v1:first");
    assert_string_equal(skrfs_generation_version(old.generation), "v1");
    assert_string_equal(skrfs_generation_version(new.generation), "v2");
    assert_int_equal(skrfs_generation_check(old.generation, &old.err), 0);
    close_reader(&old);
    close_reader(&new);
    skrfs_store_free(store);
}

static void test_same_version_keeps_the_generation(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 2);
    struct reader old, new;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &old);
    finish(&old);
    begin(store, NULL, SKRFS_FORMAT_PEM, &new);
    finish(&new);
    assert_ptr_equal(old.generation, new.generation);
    assert_int_equal(count_of(&source, &source.fetches), 2);
    assert_int_equal(count_of(&source, &source.encodes), 1);
    close_reader(&old);
    close_reader(&new);
    skrfs_store_free(store);
}

static void test_operator_refresh(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    (void)state;
    open_and_read(store, "pem:v1:first");
    set_key(&source, "v2", "second", 0);
    open_and_read(store, "pem:v1:first");
    skrfs_store_refresh(store, SIZE_MAX);
    open_and_read(store, "pem:v2:second");
    open_and_read(store, "pem:v2:second");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    skrfs_store_free(store);
}

static void test_stale_while_unreachable(void **state) {
    struct skrfs_store_key key = {
            .name = "k", .stale_ns = 3600 * SKRFS_SECOND_NS, .deadline_ns = SKRFS_SECOND_NS};
    struct source source;
    struct skrfs_store *store = new_store(&source, &key, 2);
    (void)state;
    open_and_read(store, "pem:v1:first");
    set_failure(&source, SKRFS_CLASS_UNAVAILABLE, 0);
    open_and_read(store, "pem:v1:first");
    open_and_read(store, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    assert_int_equal(state_of(store), SKRFS_KEY_READY);
    /* A format not made before the outage is made from what is there. */
    struct reader der;
    begin(store, NULL, SKRFS_FORMAT_DER, &der);
    assert_read(&der, "der:v1:first");
    close_reader(&der);
    skrfs_store_free(store);
}

static void test_refusal_is_not_stale(void **state) {
    struct skrfs_store_key key = {
            .name = "k", .stale_ns = 3600 * SKRFS_SECOND_NS, .deadline_ns = SKRFS_SECOND_NS};
    struct source source;
    struct skrfs_store *store = new_store(&source, &key, 2);
    (void)state;
    open_and_read(store, "pem:v1:first");
    set_failure(&source, SKRFS_CLASS_REJECTED, 0);
    open_and_fail(store, SKRFS_CLASS_REJECTED, "the vault says no");
    skrfs_store_free(store);
}

static void test_past_stale_is_expired(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 2);
    (void)state;
    open_and_read(store, "pem:v1:first");
    set_failure(&source, SKRFS_CLASS_UNAVAILABLE, 0);
    open_and_fail(store, SKRFS_CLASS_EXPIRED, "the vault says no");
    assert_int_equal(state_of(store), SKRFS_KEY_EXPIRED);
    open_and_fail(store, SKRFS_CLASS_EXPIRED, "version v1 may not be served any longer");
    skrfs_store_free(store);
}

static void test_own_expiry(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader reader;
    (void)state;
    set_key(&source, "v1", "first", skrfs_wall_s() + 1);
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_read(&reader, "pem:v1:first");
    assert_int_equal(skrfs_generation_check(reader.generation, &reader.err), 0);
    (void)skrfs_sleep_until(skrfs_now_ns() + 1100 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    assert_fails(skrfs_generation_check(reader.generation, &reader.err), reader.err,
            SKRFS_CLASS_EXPIRED, "expired at");
    open_and_fail(store, SKRFS_CLASS_EXPIRED, "in the vault expired at");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    close_reader(&reader);
    skrfs_store_free(store);
}

static void test_deadline(void **state) {
    struct skrfs_store_key key = {
            .name = "k", .refresh_ns = SKRFS_NEVER_NS, .deadline_ns = 50 * SKRFS_MILLISECOND_NS};
    struct source source;
    struct skrfs_store *store = new_store(&source, &key, 1);
    struct reader reader;
    (void)state;
    hold(&source, true);
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_failed(&reader, SKRFS_CLASS_TIMEOUT,
            "no answer within 0.05 s: the release is still under way");
    begin(store, "other", SKRFS_FORMAT_PEM, &reader);
    assert_failed(&reader, SKRFS_CLASS_TIMEOUT, "workers are busy");
    hold(&source, false);
    wait_running(&source, 0);
    open_and_read(store, "pem:v1:first");
    skrfs_store_free(store);
}

static void test_deadline_serves_stale(void **state) {
    struct skrfs_store_key key = {
            .name = "k", .stale_ns = SKRFS_NEVER_NS, .deadline_ns = 100 * SKRFS_MILLISECOND_NS};
    struct source source;
    struct skrfs_store *store = new_store(&source, &key, 1);
    (void)state;
    open_and_read(store, "pem:v1:first");
    hold(&source, true);
    open_and_read(store, "pem:v1:first");
    hold(&source, false);
    skrfs_store_free(store);
}

static void test_cancel(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader gone, stays;
    (void)state;
    hold(&source, true);
    begin(store, NULL, SKRFS_FORMAT_PEM, &gone);
    begin(store, NULL, SKRFS_FORMAT_PEM, &stays);
    assert_true(skrfs_waiter_cancel(store, gone.waiter));
    hold(&source, false);
    assert_read(&stays, "pem:v1:first");
    assert_int_equal(gone.answers, 0);
    close_reader(&stays);
    skrfs_store_free(store);
}

static void test_wipe(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 2);
    struct reader first, second;
    struct skrfs_store_want want = {.format = SKRFS_FORMAT_PEM};
    size_t len;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &first);
    finish(&first);
    set_key(&source, "v2", "second", 0);
    begin(store, NULL, SKRFS_FORMAT_PEM, &second);
    finish(&second);
    skrfs_store_wipe(store, SIZE_MAX);
    assert_fails(skrfs_generation_check(first.generation, &first.err), first.err,
            SKRFS_CLASS_REVOKED, "wiped");
    assert_fails(skrfs_generation_check(second.generation, &second.err), second.err,
            SKRFS_CLASS_REVOKED, "wiped");
    assert_false(skrfs_store_size(store, &want, &len));
    assert_int_equal(state_of(store), SKRFS_KEY_EMPTY);
    close_reader(&first);
    close_reader(&second);
    struct skrfs_secret_stats stats;
    skrfs_secret_get_stats(&stats);
    assert_int_equal(stats.secrets, 0);
    open_and_read(store, "pem:v2:second");
    skrfs_store_free(store);
}

/* What was fetched before the wipe must not come back through it. */
static void test_wipe_during_fetch(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader reader;
    (void)state;
    hold(&source, true);
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    wait_running(&source, 1);
    skrfs_store_wipe(store, 0);
    hold(&source, false);
    assert_read(&reader, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    assert_int_equal(skrfs_generation_check(reader.generation, &reader.err), 0);
    close_reader(&reader);
    skrfs_store_free(store);
}

static void test_format_that_is_not(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader reader;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_RAW, &reader);
    assert_failed(&reader, SKRFS_CLASS_CONFIG, "has no raw form");
    open_and_read(store, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    skrfs_store_free(store);
}

static void test_public_needs_no_release(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct skrfs_store_want want = {.format = SKRFS_FORMAT_PUB_PEM};
    struct reader reader;
    size_t len;
    (void)state;
    assert_false(skrfs_store_size(store, &want, &len));
    begin(store, NULL, SKRFS_FORMAT_PUB_PEM, &reader);
    assert_read(&reader, "public");
    close_reader(&reader);
    begin(store, NULL, SKRFS_FORMAT_PUB_PEM, &reader);
    assert_int_equal(reader.rc, 0);
    assert_read(&reader, "public");
    close_reader(&reader);
    assert_true(skrfs_store_size(store, &want, &len));
    assert_int_equal(len, 6);
    assert_int_equal(count_of(&source, &source.fetches), 0);
    assert_int_equal(count_of(&source, &source.publics), 1);
    /* Once released, it is made from the key. */
    open_and_read(store, "pem:v1:first");
    begin(store, NULL, SKRFS_FORMAT_PUB_PEM, &reader);
    assert_read(&reader, "pub.pem:v1:first");
    close_reader(&reader);
    assert_int_equal(count_of(&source, &source.publics), 1);
    skrfs_store_free(store);
}

static void test_versions(void **state) {
    struct skrfs_store_key key = lasting;
    struct source source;
    struct reader reader;
    char version[SKRFS_STORE_VERSION_MAX];
    (void)state;
    key.version = "pinned";
    struct skrfs_store *store = new_store(&source, &key, 2);
    open_and_read(store, "pem:pinned:first");
    assert_string_equal(source.asked, "pinned");
    begin(store, "pinned", SKRFS_FORMAT_PEM, &reader);
    assert_int_equal(reader.rc, 0);
    close_reader(&reader);
    /* Many more than are kept: each is fetched, none is refused. */
    for (unsigned i = 0; i < 200; i++) {
        snprintf(version, sizeof version, "v%u", i);
        begin(store, version, SKRFS_FORMAT_DER, &reader);
        finish(&reader);
        assert_false(reader.failed);
        assert_string_equal(skrfs_generation_version(reader.generation), version);
        close_reader(&reader);
    }
    unsigned before = count_of(&source, &source.fetches);
    begin(store, "v199", SKRFS_FORMAT_DER, &reader);
    assert_int_equal(reader.rc, 0);
    close_reader(&reader);
    begin(store, "v1", SKRFS_FORMAT_DER, &reader);
    finish(&reader);
    assert_int_equal(count_of(&source, &source.fetches), before + 1);
    close_reader(&reader);
    skrfs_store_free(store);
}

static void test_versions_in_use_are_kept(void **state) {
    static struct reader readers[64];
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader reader;
    char version[SKRFS_STORE_VERSION_MAX];
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        snprintf(version, sizeof version, "v%u", i);
        begin(store, version, SKRFS_FORMAT_DER, &readers[i]);
        finish(&readers[i]);
        assert_false(readers[i].failed);
    }
    begin(store, "more", SKRFS_FORMAT_DER, &reader);
    assert_failed(&reader, SKRFS_CLASS_UNAVAILABLE, "in use");
    for (unsigned i = 0; i < 64; i++)
        close_reader(&readers[i]);
    begin(store, "more", SKRFS_FORMAT_DER, &reader);
    finish(&reader);
    assert_false(reader.failed);
    close_reader(&reader);
    begin(store, "0123456789012345678901234567890123", SKRFS_FORMAT_DER, &reader);
    assert_failed(&reader, SKRFS_CLASS_NOT_FOUND, "no version");
    skrfs_store_free(store);
}

static void test_trace(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    static struct skrfs_trace trace;
    (void)state;
    skrfs_store_trace(store, 0, &trace);
    assert_int_equal(trace.count, 0);
    set_failure(&source, SKRFS_CLASS_REJECTED, 0);
    open_and_fail(store, SKRFS_CLASS_REJECTED, "says no");
    skrfs_store_trace(store, 0, &trace);
    assert_int_equal(trace.count, 1);
    assert_string_equal(trace.steps[0].name, "ask the vault");
    assert_true(trace.steps[0].failed);
    assert_non_null(strstr(trace.steps[0].note, "the vault says no"));
    assert_true(trace.steps[0].ended_ns >= trace.steps[0].begun_ns);
    assert_true(trace.begun_wall_s > 0);
    set_key(&source, "v1", "first", 0);
    skrfs_store_refresh(store, 0);
    open_and_read(store, "pem:v1:first");
    skrfs_store_trace(store, 0, &trace);
    assert_int_equal(trace.count, 1);
    assert_false(trace.steps[0].failed);
    assert_string_equal(trace.steps[0].note, "got it");
    skrfs_store_free(store);
}

static void *let_go_later(void *arg) {
    struct source *source = arg;
    (void)skrfs_sleep_until(skrfs_now_ns() + 50 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    hold(source, false);
    return NULL;
}

static void test_free_answers_and_handles_outlive(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader waiting, handle;
    pthread_t thread;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &handle);
    assert_read(&handle, "pem:v1:first");
    hold(&source, true);
    begin(store, "other", SKRFS_FORMAT_PEM, &waiting);
    wait_running(&source, 1);
    assert_int_equal(pthread_create(&thread, NULL, let_go_later, &source), 0);
    skrfs_store_free(store);
    pthread_join(thread, NULL);
    assert_failed(&waiting, SKRFS_CLASS_INTERRUPTED, "closing");
    assert_fails(skrfs_generation_check(handle.generation, &handle.err), handle.err,
            SKRFS_CLASS_REVOKED, "wiped");
    close_reader(&handle);
    struct skrfs_secret_stats stats;
    skrfs_secret_get_stats(&stats);
    assert_int_equal(stats.secrets, 0);
}

struct storm {
    struct skrfs_store *store;
    unsigned seed;
    unsigned good, bad, revoked;
};

static void *storm(void *arg) {
    struct storm *storm = arg;
    struct reader reader;
    for (unsigned i = 0; i < 150; i++) {
        unsigned dice = storm->seed = storm->seed * 1103515245U + 12345U;
        enum skrfs_format format = dice >> 16 & 1 ? SKRFS_FORMAT_PEM : SKRFS_FORMAT_PUB_PEM;
        begin(storm->store, dice >> 17 & 3 ? NULL : "pinned", format, &reader);
        if ((dice >> 20 & 31) == 0)
            skrfs_store_wipe(storm->store, 0);
        if ((dice >> 25 & 15) == 0)
            skrfs_store_refresh(storm->store, 0);
        struct skrfs_key_status status;
        skrfs_store_status(storm->store, 0, &status);
        finish(&reader);
        storm->good += !reader.failed;
        storm->bad += reader.failed;
        if (reader.generation && skrfs_generation_check(reader.generation, &reader.err))
            storm->revoked++;
        close_reader(&reader);
    }
    return NULL;
}

/* For the race detector, and: nothing is lost, answered twice or left behind. */
static void test_storm(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 3);
    struct storm storms[4];
    pthread_t threads[4];
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        storms[i] = (struct storm){.store = store, .seed = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, storm, &storms[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(storms[i].good, 150);
        assert_int_equal(storms[i].bad, 0);
    }
    struct skrfs_key_status status;
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.handles, 0);
    assert_int_equal(status.waiters, 0);
    skrfs_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_first_open_fetches),
            cmocka_unit_test(test_single_flight),
            cmocka_unit_test(test_failure_reaches_all_and_is_remembered),
            cmocka_unit_test(test_failure_is_forgotten_at_its_time),
            cmocka_unit_test(test_refresh_brings_a_new_generation),
            cmocka_unit_test(test_same_version_keeps_the_generation),
            cmocka_unit_test(test_operator_refresh),
            cmocka_unit_test(test_stale_while_unreachable),
            cmocka_unit_test(test_refusal_is_not_stale),
            cmocka_unit_test(test_past_stale_is_expired),
            cmocka_unit_test(test_own_expiry),
            cmocka_unit_test(test_deadline),
            cmocka_unit_test(test_deadline_serves_stale),
            cmocka_unit_test(test_cancel),
            cmocka_unit_test(test_wipe),
            cmocka_unit_test(test_wipe_during_fetch),
            cmocka_unit_test(test_format_that_is_not),
            cmocka_unit_test(test_public_needs_no_release),
            cmocka_unit_test(test_versions),
            cmocka_unit_test(test_versions_in_use_are_kept),
            cmocka_unit_test(test_trace),
            cmocka_unit_test(test_free_answers_and_handles_outlive),
            cmocka_unit_test(test_storm),
    };
    return cmocka_run_group_tests_name("key store", tests, NULL, NULL);
}
