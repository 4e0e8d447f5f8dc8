#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <string.h>

void entry_init(struct entry *entry, struct record *record, const char *version, int format) {
    memset(entry, 0, sizeof *entry);
    entry->record = record;
    entry->format = format;
    if (version)
        memcpy(entry->version, version, strnlen(version, sizeof entry->version - 1));
    TAILQ_INIT(&entry->waiters);
}

void entry_done(struct entry *entry) {
    generation_drop(skrfs_take(entry->current));
    entry_forget_failure(entry);
}

const char *entry_version(const struct entry *entry) {
    return entry->version[0] ? entry->version : entry->record->key->version;
}

/* The configured version asked for by its name is the configured version. */
static const char *normal_version(const struct record *record, const char *version) {
    if (version && record->key->version && !strcmp(version, record->key->version))
        return "";
    return version ? version : "";
}

static struct entry *find_other(struct record *record, const char *wanted, int format) {
    struct entry *entry;
    for (entry = LIST_FIRST(&record->others); entry; entry = LIST_NEXT(entry, beside)) {
        if (entry->format == format && !strcmp(entry->version, wanted))
            return entry;
    }
    return NULL;
}

struct entry *entry_find(struct record *record, const char *version, int format) {
    const char *wanted = normal_version(record, version);
    if (format == STORE_RELEASE && !*wanted)
        return &record->current;
    return find_other(record, wanted, format);
}

static bool is_idle(const struct entry *entry) {
    return !entry->busy && TAILQ_EMPTY(&entry->waiters) &&
           (!entry->current || atomic_load(&entry->current->refs) == 1);
}

static void remove_other(struct entry *entry) {
    LIST_REMOVE(entry, beside);
    entry->record->other_count--;
    entry_done(entry);
    free(entry);
}

static int make_room(struct record *record, struct skrfs_error *err) {
    struct entry *entry, *oldest = NULL;
    if (record->other_count < STORE_OTHERS_MAX)
        return 0;
    for (entry = LIST_FIRST(&record->others); entry; entry = LIST_NEXT(entry, beside)) {
        if (is_idle(entry) && (!oldest || entry->used_ns < oldest->used_ns))
            oldest = entry;
    }
    if (!oldest)
        return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE,
                "%d other versions of '%s' are in use; close some first", STORE_OTHERS_MAX,
                record->key->name);
    remove_other(oldest);
    return 0;
}

static int new_other(struct record *record, const char *wanted, int format,
        struct entry **ret_entry, struct skrfs_error *err) {
    if (make_room(record, err))
        return -1;
    struct entry *entry = malloc(sizeof *entry);
    if (!entry)
        return skrfs_fail_memory(err);
    entry_init(entry, record, wanted, format);
    LIST_INSERT_HEAD(&record->others, entry, beside);
    record->other_count++;
    *ret_entry = entry;
    return 0;
}

int entry_get(struct record *record, const char *version, int format, struct entry **ret_entry,
        struct skrfs_error *err) {
    const char *wanted = normal_version(record, version);
    struct entry *entry = &record->current;
    if (format != STORE_RELEASE || *wanted) {
        entry = find_other(record, wanted, format);
        if (!entry && new_other(record, wanted, format, &entry, err))
            return -1;
    }
    entry->used_ns = skrfs_now_ns();
    *ret_entry = entry;
    return 0;
}

void entry_wipe(struct entry *entry) {
    entry->epoch++;
    generation_drop(skrfs_take(entry->current));
    entry_forget_failure(entry);
    if (!TAILQ_EMPTY(&entry->waiters) && !entry->fetching)
        entry->fetch_wanted = true;
    if (entry != &entry->record->current && is_idle(entry))
        remove_other(entry);
}
