#include "internal.h"

#include <string.h>

static size_t known_len(struct record *record, const struct skrfs_store_want *want, int kind) {
    const struct entry *entry = entry_find(record, want->version, kind);
    if (!entry || !entry->current || !entry->current->encodings[want->format])
        return 0;
    return skrfs_secret_len(entry->current->encodings[want->format]);
}

bool skrfs_store_size(
        struct skrfs_store *store, const struct skrfs_store_want *want, size_t *ret_len) {
    size_t len = 0;
    if (want->key >= store->key_count || want->format >= SKRFS_FORMAT_COUNT)
        return false;
    pthread_mutex_lock(&store->lock);
    struct record *record = &store->records[want->key];
    len = known_len(record, want, STORE_RELEASE);
    if (!len && skrfs_format_is_public(want->format))
        len = known_len(record, want, (int)want->format);
    pthread_mutex_unlock(&store->lock);
    if (len)
        *ret_len = len;
    return len != 0;
}

void skrfs_store_version(struct skrfs_store *store, size_t key, char out[SKRFS_STORE_VERSION_MAX]) {
    out[0] = 0;
    if (key >= store->key_count)
        return;
    pthread_mutex_lock(&store->lock);
    const struct skrfs_generation *current = store->records[key].current.current;
    if (current)
        memcpy(out, current->version, SKRFS_STORE_VERSION_MAX);
    pthread_mutex_unlock(&store->lock);
}

static enum skrfs_key_state state_of(const struct entry *entry) {
    struct skrfs_error ignored;
    enum verdict verdict = entry_judge(entry, &ignored);
    if (verdict == VERDICT_SERVE)
        return SKRFS_KEY_READY;
    if (entry->current && entry_may_be_stale(entry, SKRFS_CLASS_TIMEOUT) &&
            verdict == VERDICT_FETCH)
        return SKRFS_KEY_READY;
    if (entry->fetching || entry->fetch_wanted)
        return SKRFS_KEY_FETCHING;
    if (entry->current)
        return SKRFS_KEY_EXPIRED;
    return entry->failure ? SKRFS_KEY_FAILED : SKRFS_KEY_EMPTY;
}

void skrfs_store_status(
        struct skrfs_store *store, size_t key, struct skrfs_key_status *ret_status) {
    struct skrfs_key_status status = {0};
    if (key < store->key_count) {
        pthread_mutex_lock(&store->lock);
        const struct record *record = &store->records[key];
        const struct entry *entry = &record->current;
        uint64_t now = skrfs_now_ns();
        struct skrfs_error refusal;
        status.state = state_of(entry);
        if (record_refuses(record, &refusal)) {
            status.state = SKRFS_KEY_GONE;
            memcpy(status.refusal, refusal.message, sizeof status.refusal);
        }
        status.releases = record->releases;
        status.failures = record->failures;
        status.waiters = record->waiters;
        status.handles = record->handles;
        if (entry->current) {
            memcpy(status.version, entry->current->version, sizeof status.version);
            status.age_ns = now > entry->fetched_ns ? now - entry->fetched_ns : 0;
        }
        if (record->last) {
            status.error_class = record->last->error.kind;
            memcpy(status.error, record->last->error.message, sizeof status.error);
        }
        pthread_mutex_unlock(&store->lock);
    }
    *ret_status = status;
}

void skrfs_store_trace(struct skrfs_store *store, size_t key, struct skrfs_trace *ret_trace) {
    struct skrfs_buf none = SKRFS_BUF(0);
    if (key >= store->key_count) {
        trace_unpack(&none, ret_trace);
        return;
    }
    pthread_mutex_lock(&store->lock);
    trace_unpack(&store->records[key].trace, ret_trace);
    pthread_mutex_unlock(&store->lock);
}

const char *skrfs_key_state_name(enum skrfs_key_state state) {
    static const char *const names[] = {"empty", "fetching", "ready", "failed", "expired", "gone"};
    return (size_t)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}
