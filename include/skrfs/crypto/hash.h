/* Digests and random octets. Thread safe. */
#ifndef SKRFS_CRYPTO_HASH_H
#define SKRFS_CRYPTO_HASH_H

#include <skrfs/base/buf.h>
#include <skrfs/base/cleanup.h>

enum skrfs_hash { SKRFS_SHA1, SKRFS_SHA256, SKRFS_SHA384, SKRFS_SHA512 };
#define SKRFS_HASH_MAX 64

/* Once, before any other use of OpenSSL in the process: freed memory is wiped
 * (CRYPTO_set_mem_functions), the secure heap is made (locked, guarded, not dumped). Calling it
 * again does nothing. */
int skrfs_crypto_setup(struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Moves the secure heap, while it is empty, into memory that cannot be read from outside the
 * process (memfd_secret), for a process that does not fork any more: a child has no such heap.
 * Before a sandbox closes. Where the kernel lacks it, or secret memory is locked pages, the heap
 * stays what it is. NO_MEMORY names RLIMIT_MEMLOCK, BUG when the heap is in use. */
int skrfs_crypto_hide(struct skrfs_error *err) SKRFS_MUST_CHECK;

size_t skrfs_hash_len(enum skrfs_hash hash);
/* Digest of `data` into `out`, which has skrfs_hash_len octets. */
int skrfs_hash(enum skrfs_hash hash, const void *data, size_t len, uint8_t *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same in pieces: any number of skrfs_hasher_add, then skrfs_hasher_end, once. One thread at a
 * time. */
struct skrfs_hasher;
int skrfs_hasher_new(enum skrfs_hash hash, struct skrfs_hasher **ret_hasher,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_hasher_add(struct skrfs_hasher *hasher, const void *data, size_t len,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_hasher_end(
        struct skrfs_hasher *hasher, uint8_t *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_hasher_free(struct skrfs_hasher *hasher);
SKRFS_DEFINE_CLEANUP(struct skrfs_hasher, skrfs_hasher_free)
int skrfs_random(void *out, size_t len, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Constant-time comparison. */
bool skrfs_equal(const void *a, const void *b, size_t len);

#endif
