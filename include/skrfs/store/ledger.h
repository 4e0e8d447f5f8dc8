/* What of the keys' limits outlives a keeper: how often each was given, since when its time runs,
 * and that it is gone. Shared memory, made before the first fork; one process writes, the keeper of
 * the moment. No key and no name in it. Thread safe. */
#ifndef SKRFS_STORE_LEDGER_H
#define SKRFS_STORE_LEDGER_H

#include <skrfs/base/cleanup.h>
#include <skrfs/base/error.h>

struct skrfs_ledger;

/* Which limit took a key back. */
enum skrfs_gone {
    SKRFS_GONE_NOT,
    SKRFS_GONE_READS, /* it was opened as often as `reads` says */
    SKRFS_GONE_TIME,  /* the time of `until` came */
    SKRFS_GONE_UNIT,  /* the unit of `until` was active */
};

/* Every key untouched; time runs from now. */
int skrfs_ledger_new(size_t key_count, struct skrfs_ledger **ret_ledger,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same as a file without a name (memfd) for a process that comes after this one, of the same
 * configuration: `digest` is the configuration's (64 characters). */
int skrfs_ledger_create(size_t key_count, const char *digest, int *ret_fd,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Maps it; `fd` stays the caller's. CONFIG when it is none, or of another configuration or version
 * of skrfs. */
int skrfs_ledger_open(int fd, size_t key_count, const char *digest,
        struct skrfs_ledger **ret_ledger, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The calling process's mapping alone. NULL is allowed. */
void skrfs_ledger_free(struct skrfs_ledger *ledger);
SKRFS_DEFINE_CLEANUP(struct skrfs_ledger, skrfs_ledger_free)

/* Opens that were given, or are being answered. */
uint64_t skrfs_ledger_used(const struct skrfs_ledger *ledger, size_t key);
void skrfs_ledger_set_used(struct skrfs_ledger *ledger, size_t key, uint64_t used);
/* skrfs_now_ns() at the mount's beginning or the key's last renewal. */
uint64_t skrfs_ledger_begun_ns(const struct skrfs_ledger *ledger, size_t key);
/* *ret_wall_s: since when, in seconds since 1970. */
enum skrfs_gone skrfs_ledger_gone(
        const struct skrfs_ledger *ledger, size_t key, int64_t *ret_wall_s);
void skrfs_ledger_set_gone(
        struct skrfs_ledger *ledger, size_t key, enum skrfs_gone by, int64_t wall_s);
/* As a new mount has it. */
void skrfs_ledger_renew(struct skrfs_ledger *ledger, size_t key);

#endif
