#include "source.h"

void source_init(struct source *source) {
    memset(source, 0, sizeof *source);
    pthread_mutex_init(&source->lock, NULL);
    pthread_cond_init(&source->moved, NULL);
    source->version = "v1";
    source->plain = "first";
}

void set_failure(struct source *source, enum skrfs_class kind, uint64_t not_before_ns) {
    pthread_mutex_lock(&source->lock);
    source->fails = true;
    (void)skrfs_fail(&source->error, kind, "the vault says no");
    source->error.not_before_ns = not_before_ns;
    pthread_mutex_unlock(&source->lock);
}

void set_key(struct source *source, const char *version, const char *plain, int64_t expires_s) {
    pthread_mutex_lock(&source->lock);
    source->fails = false;
    source->version = version;
    source->plain = plain;
    source->expires_s = expires_s;
    pthread_mutex_unlock(&source->lock);
}

void hold(struct source *source, bool held) {
    pthread_mutex_lock(&source->lock);
    source->held = held;
    pthread_cond_broadcast(&source->moved);
    pthread_mutex_unlock(&source->lock);
}

void wait_running(struct source *source, unsigned running) {
    pthread_mutex_lock(&source->lock);
    while (source->running != running)
        pthread_cond_wait(&source->moved, &source->lock);
    pthread_mutex_unlock(&source->lock);
}

unsigned count_of(struct source *source, const unsigned *counter) {
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
        source->fails = source->failures == 0 || --source->failures > 0;
        return -1;
    }
    snprintf(ret_fetched->version, sizeof ret_fetched->version, "%s",
            version ? version : source->version);
    snprintf(ret_fetched->kid, sizeof ret_fetched->kid, "https://vault/keys/k");
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

void begin(struct skrfs_store *store, const char *version, enum skrfs_format format,
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

void finish(struct reader *reader) {
    pthread_mutex_lock(&reader->lock);
    while (reader->rc == 1 && !reader->answers)
        pthread_cond_wait(&reader->answered, &reader->lock);
    assert_true(reader->answers <= 1);
    pthread_mutex_unlock(&reader->lock);
}

void close_reader(struct reader *reader) {
    skrfs_secret_unref(reader->bytes);
    skrfs_generation_unref(reader->generation);
    reader->bytes = NULL;
    reader->generation = NULL;
}

void assert_read(struct reader *reader, const char *wanted) {
    finish(reader);
    if (reader->failed)
        fail_msg("%s", reader->err.message);
    assert_int_equal(skrfs_secret_len(reader->bytes), strlen(wanted));
    assert_true(skrfs_secret_equal(reader->bytes, wanted, strlen(wanted)));
}

void assert_failed(struct reader *reader, enum skrfs_class kind, const char *text) {
    finish(reader);
    if (!reader->failed || reader->err.kind != kind || !strstr(reader->err.message, text))
        fail_msg("failed %d, class %s: %s", reader->failed, skrfs_class_name(reader->err.kind),
                reader->err.message);
    assert_null(reader->generation);
    assert_null(reader->bytes);
}

void open_and_read(struct skrfs_store *store, const char *wanted) {
    struct reader reader;
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_read(&reader, wanted);
    close_reader(&reader);
}

void open_and_fail(struct skrfs_store *store, enum skrfs_class kind, const char *text) {
    struct reader reader;
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_failed(&reader, kind, text);
}

struct skrfs_store *new_store(
        struct source *source, const struct skrfs_store_key *key, unsigned workers) {
    struct skrfs_store_options options = {
            .keys = key, .key_count = 1, .ops = &ops, .context = source, .workers = workers};
    struct skrfs_store *store = NULL;
    struct skrfs_error err;
    source_init(source);
    assert_ok(skrfs_store_new(&options, &store, &err), err);
    return store;
}

const struct skrfs_store_key lasting = {
        .name = "k", .refresh_ns = SKRFS_NEVER_NS, .deadline_ns = 20 * SKRFS_SECOND_NS};
const struct skrfs_store_key always_due = {
        .name = "k", .refresh_ns = 0, .deadline_ns = 20 * SKRFS_SECOND_NS};

enum skrfs_key_state state_of(struct skrfs_store *store) {
    struct skrfs_key_status status;
    skrfs_store_status(store, 0, &status);
    return status.state;
}
