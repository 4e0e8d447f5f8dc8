#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <string.h>

#define REMEMBER_MAX_NS (600 * SKRFS_SECOND_NS)

static uint64_t age_ns(const struct entry *entry) {
    uint64_t now = skrfs_now_ns();
    return now > entry->fetched_ns ? now - entry->fetched_ns : 0;
}

static bool past_own_expiry(const struct skrfs_generation *generation) {
    int64_t expires_s = atomic_load(&generation->expires_s);
    return expires_s && expires_s <= skrfs_wall_s();
}

static bool is_fresh(const struct entry *entry) {
    return entry->current && !past_own_expiry(entry->current) && !entry->due &&
           age_ns(entry) < entry->record->key->refresh_ns;
}

/* A refusal says that this machine may not have the key now: what was released before is no excuse.
 */
static bool is_refusal(enum skrfs_class kind) {
    return kind == SKRFS_CLASS_REJECTED || kind == SKRFS_CLASS_DENIED ||
           kind == SKRFS_CLASS_NOT_FOUND || kind == SKRFS_CLASS_EXPIRED ||
           kind == SKRFS_CLASS_REVOKED;
}

bool entry_may_be_stale(const struct entry *entry, enum skrfs_class kind) {
    const struct skrfs_store_key *key = entry->record->key;
    uint64_t limit;
    if (!entry->current || past_own_expiry(entry->current) || is_refusal(kind))
        return false;
    if (__builtin_add_overflow(key->refresh_ns, key->stale_ns, &limit))
        return true;
    return age_ns(entry) < limit;
}

void entry_refusal(
        const struct entry *entry, const struct skrfs_error *cause, struct skrfs_error *ret_error) {
    *ret_error = *cause;
    if (!entry->current ||
            (cause->kind != SKRFS_CLASS_UNAVAILABLE && cause->kind != SKRFS_CLASS_TIMEOUT))
        return;
    ret_error->kind = SKRFS_CLASS_EXPIRED;
    (void)skrfs_wrap(ret_error,
            "version %s may not be served any longer and no newer one could be fetched",
            entry->current->version);
}

static uint64_t pause_ns(enum skrfs_class kind) {
    switch (kind) {
    case SKRFS_CLASS_REJECTED:
    case SKRFS_CLASS_NOT_FOUND:
    case SKRFS_CLASS_CONFIG:
    case SKRFS_CLASS_DENIED:
    case SKRFS_CLASS_EXPIRED:
        return 5 * SKRFS_SECOND_NS;
    case SKRFS_CLASS_INTERRUPTED:
        return 0;
    default:
        return SKRFS_SECOND_NS;
    }
}

static void keep_failure(struct failure **slot, const struct skrfs_error *err, uint64_t until_ns) {
    if (!*slot)
        *slot = malloc(sizeof **slot);
    if (*slot)
        **slot = (struct failure){.error = *err, .until_ns = until_ns};
}

void entry_remember(struct entry *entry, const struct skrfs_error *err) {
    uint64_t now = skrfs_now_ns(), until = now + pause_ns(err->kind);
    if (err->not_before_ns > now) {
        uint64_t limit = now + REMEMBER_MAX_NS;
        until = err->not_before_ns < limit ? err->not_before_ns : limit;
    }
    entry->record->failures++;
    keep_failure(&entry->failure, err, until);
    keep_failure(&entry->record->last, err, until);
}

void entry_forget_failure(struct entry *entry) {
    free(skrfs_take(entry->failure));
}

enum verdict entry_judge(const struct entry *entry, struct skrfs_error *err) {
    if (is_fresh(entry))
        return VERDICT_SERVE;
    if (!entry->failure || skrfs_now_ns() >= entry->failure->until_ns)
        return VERDICT_FETCH;
    if (entry_may_be_stale(entry, entry->failure->error.kind))
        return VERDICT_SERVE;
    entry_refusal(entry, &entry->failure->error, err);
    return VERDICT_REFUSE;
}

static bool same_secret(const struct skrfs_secret *one, const struct skrfs_secret *other) {
    return one && other &&
           skrfs_secret_equal(one, skrfs_secret_data(other), skrfs_secret_len(other));
}

static bool is_same(const struct entry *entry, const struct skrfs_fetched *fetched) {
    const struct skrfs_generation *current = entry->current;
    if (!current || current->type != fetched->type ||
            strcmp(current->version, fetched->version) != 0)
        return false;
    return same_secret(
            entry->format == STORE_RELEASE ? current->plain : current->encodings[entry->format],
            fetched->plain);
}

static int check_expiry(const struct skrfs_fetched *fetched, struct skrfs_error *err) {
    char when[32];
    if (!fetched->expires_s || fetched->expires_s > skrfs_wall_s())
        return 0;
    skrfs_format_time(fetched->expires_s, when, sizeof when);
    return skrfs_fail(err, SKRFS_CLASS_EXPIRED,
            "version %s in the vault expired at %s; make a newer version", fetched->version, when);
}

int entry_install(struct skrfs_store *store, struct entry *entry, struct skrfs_fetched *fetched,
        struct skrfs_error *err) {
    struct skrfs_generation *generation = NULL;
    if (!fetched->plain)
        return skrfs_fail(
                err, SKRFS_CLASS_BUG, "a release of '%s' brought no key", entry->record->key->name);
    if (check_expiry(fetched, err))
        return -1;
    if (is_same(entry, fetched)) {
        atomic_store(&entry->current->expires_s, fetched->expires_s);
    } else {
        if (generation_new(store, entry, fetched, &generation, err))
            return -1;
        generation_drop(entry->current);
        entry->current = generation;
    }
    entry->fetched_ns = skrfs_now_ns();
    entry->due = false;
    entry_forget_failure(entry);
    free(skrfs_take(entry->record->last));
    return 0;
}
