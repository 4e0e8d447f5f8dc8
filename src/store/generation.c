#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <string.h>

int generation_new(struct skrfs_store *store, struct entry *entry, struct skrfs_fetched *fetched,
        struct skrfs_generation **ret_generation, struct skrfs_error *err) {
    skrfs_autofree struct skrfs_generation *generation = calloc(1, sizeof *generation);
    skrfs_autofree char *kid = strndup(fetched->kid, sizeof fetched->kid);
    if (!generation || !kid)
        return skrfs_fail_memory(err);
    atomic_init(&generation->refs, 1);
    atomic_init(&generation->revoked, false);
    atomic_init(&generation->expires_s, fetched->expires_s);
    generation->store = store;
    generation->record = entry->record;
    generation->type = fetched->type;
    generation->is_public = entry->format != STORE_RELEASE;
    generation->release = fetched->release;
    memcpy(generation->version, fetched->version, sizeof generation->version);
    generation->version[sizeof generation->version - 1] = 0;
    generation->kid = skrfs_take(kid);
    if (entry->format == STORE_RELEASE)
        generation->plain = skrfs_take(fetched->plain);
    else
        generation->encodings[entry->format] = skrfs_take(fetched->plain);
    LIST_INSERT_HEAD(&entry->record->live, generation, live);
    atomic_fetch_add(&store->refs, 1);
    *ret_generation = skrfs_take(generation);
    return 0;
}

static void drop_secrets(struct skrfs_generation *generation) {
    skrfs_secret_unref(skrfs_take(generation->plain));
    for (size_t i = 0; i < SKRFS_FORMAT_COUNT; i++)
        skrfs_secret_unref(skrfs_take(generation->encodings[i]));
}

void generation_wipe(struct skrfs_generation *generation, const char *reason) {
    if (!atomic_load(&generation->revoked))
        generation->reason = reason;
    atomic_store(&generation->revoked, true);
    drop_secrets(generation);
}

void generation_drop(struct skrfs_generation *generation) {
    if (!generation || atomic_fetch_sub(&generation->refs, 1) != 1)
        return;
    LIST_REMOVE(generation, live);
    drop_secrets(generation);
    free(generation->kid);
    /* Whoever holds the lock holds a reference of the store too: this one is never the last. */
    atomic_fetch_sub(&generation->store->refs, 1);
    free(generation);
}

struct skrfs_generation *generation_hand_out(struct skrfs_generation *generation) {
    atomic_fetch_add(&generation->refs, 1);
    generation->record->handles++;
    return generation;
}

void skrfs_generation_unref(struct skrfs_generation *generation) {
    if (!generation)
        return;
    struct skrfs_store *store = generation->store;
    atomic_fetch_add(&store->refs, 1);
    pthread_mutex_lock(&store->lock);
    generation->record->handles--;
    generation_drop(generation);
    pthread_mutex_unlock(&store->lock);
    store_unref(store);
}

/* With the lock held. */
static int fail_revoked(const struct skrfs_generation *generation, struct skrfs_error *err) {
    if (!generation->is_public && record_refuses(generation->record, err))
        return -1;
    return skrfs_fail(err, SKRFS_CLASS_REVOKED, "%s", generation->reason);
}

int skrfs_generation_check(const struct skrfs_generation *generation, struct skrfs_error *err) {
    if (atomic_load(&generation->revoked)) {
        pthread_mutex_lock(&generation->store->lock);
        (void)fail_revoked(generation, err);
        pthread_mutex_unlock(&generation->store->lock);
        return -1;
    }
    int64_t expires_s = atomic_load(&generation->expires_s);
    if (expires_s && expires_s <= skrfs_wall_s()) {
        char when[32];
        skrfs_format_time(expires_s, when, sizeof when);
        return skrfs_fail(err, SKRFS_CLASS_EXPIRED, "version %s of the key expired at %s",
                generation->version, when);
    }
    return 0;
}

int skrfs_generation_bytes(struct skrfs_generation *generation, enum skrfs_format format,
        struct skrfs_secret **ret_bytes, struct skrfs_error *err) {
    int rc = 0;
    if (skrfs_generation_check(generation, err))
        return -1;
    pthread_mutex_lock(&generation->store->lock);
    if (atomic_load(&generation->revoked))
        rc = fail_revoked(generation, err);
    else if (!generation->encodings[format])
        rc = skrfs_fail(
                err, SKRFS_CLASS_BUG, "the key was never made as %s", skrfs_format_name(format));
    else
        *ret_bytes = skrfs_secret_ref(generation->encodings[format]);
    pthread_mutex_unlock(&generation->store->lock);
    return rc;
}

const char *skrfs_generation_version(const struct skrfs_generation *generation) {
    return generation->version;
}

uint64_t skrfs_generation_release(const struct skrfs_generation *generation) {
    return generation->release;
}

void fetched_done(struct skrfs_fetched *fetched) {
    skrfs_secret_unref(skrfs_take(fetched->plain));
}
