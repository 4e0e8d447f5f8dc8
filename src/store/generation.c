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

void generation_wipe(struct skrfs_generation *generation) {
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

int skrfs_generation_check(const struct skrfs_generation *generation, struct skrfs_error *err) {
    if (atomic_load(&generation->revoked))
        return skrfs_fail(
                err, SKRFS_CLASS_REVOKED, "the key was wiped by an operator; open it again");
    int64_t expires_s = atomic_load(&generation->expires_s);
    if (expires_s && expires_s <= skrfs_wall_s()) {
        char when[32];
        skrfs_format_time(expires_s, when, sizeof when);
        return skrfs_fail(err, SKRFS_CLASS_EXPIRED, "version %s of the key expired at %s",
                generation->version, when);
    }
    return 0;
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
