/* Secret memory: the only place for plaintext key bytes.
 *
 * Secrets are packed into one arena of memfd_secret(2) memory, which is not in the kernel's direct
 * map and cannot be read by other processes (Linux 5.14 and later); where the kernel lacks it, into
 * locked pages between guard pages. Either is left out of core dumps (MADV_DONTDUMP) and of
 * children (MADV_DONTFORK), and a secret is wiped when its last reference goes.
 *
 * Pages of memfd_secret cannot be the source of a write to the FUSE device (EFAULT): a reply passes
 * through a stage, one small locked page run per worker that is wiped after the reply.
 *
 * All functions are thread safe; the bytes of one secret are written by one thread before it is
 * shared, and only read afterwards. */
#ifndef SKRFS_BASE_SECRET_H
#define SKRFS_BASE_SECRET_H

#include <skrfs/base/buf.h>

/* Longest secret in octets: an RSA-4096 PKCS#8 key as JWK is below 4 KiB. */
#define SKRFS_SECRET_MAX ((size_t)64 * 1024)

struct skrfs_secret;
struct skrfs_stage;

/* What the arena is made of. */
enum skrfs_secret_kind { SKRFS_SECRET_MEMFD, SKRFS_SECRET_LOCKED };

struct skrfs_secret_stats {
    enum skrfs_secret_kind kind;
    size_t arena;   /* octets mapped and locked for secrets */
    size_t used;    /* octets of them in use */
    size_t secrets; /* secrets alive */
};

/* Sets the arena up before the process's sandbox closes; without it the first secret does.
 * `reserve` octets are mapped at once (0: a default of 256 KiB), more when needed. `force_locked`
 * takes the way of kernels without memfd_secret. May be called once. Fails with NO_MEMORY, naming
 * RLIMIT_MEMLOCK, when memory cannot be locked: secrets are never kept in memory that is not. */
int skrfs_secret_setup(size_t reserve, bool force_locked, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Puts memory of a memfd_secret in the place of `size` octets of locked pages, with their content:
 * for a library that has an allocator of its own. Nobody may use the pages meanwhile; they are not
 * in a child afterwards. Does nothing where secrets are in locked memory. NO_MEMORY as above. */
int skrfs_secret_hide(void *pages, size_t size, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A new secret of `len` zero octets (1 to SKRFS_SECRET_MAX) with one reference. */
int skrfs_secret_new(
        size_t len, struct skrfs_secret **ret_secret, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A new secret with a copy of `data`. */
int skrfs_secret_copy(const void *data, size_t len, struct skrfs_secret **ret_secret,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A new secret with the contents of a file, or of a descriptor to its end: from 1 to `max` octets
 * (below SKRFS_SECRET_MAX). CONFIG for a file that is empty or longer, SYSTEM when it cannot be
 * read. */
int skrfs_secret_read(const char *path, size_t max, struct skrfs_secret **ret_secret,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_secret_read_fd(int fd, size_t max, struct skrfs_secret **ret_secret,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

SKRFS_API struct skrfs_secret *skrfs_secret_ref(struct skrfs_secret *secret);
/* Drops one reference (NULL is allowed); the last one wipes the bytes. */
SKRFS_API void skrfs_secret_unref(struct skrfs_secret *secret);
SKRFS_DEFINE_CLEANUP(struct skrfs_secret, skrfs_secret_unref)
#define skrfs_autosecret SKRFS_CLEANUP(skrfs_secret_unref_p) struct skrfs_secret

/* The bytes: valid while a reference is held. */
SKRFS_API const uint8_t *skrfs_secret_data(const struct skrfs_secret *secret);
uint8_t *skrfs_secret_space(struct skrfs_secret *secret);
SKRFS_API size_t skrfs_secret_len(const struct skrfs_secret *secret);
/* Shortens to `len` octets (no more than it has), wiping the rest. */
void skrfs_secret_shorten(struct skrfs_secret *secret, size_t len);
/* Compares in constant time. */
bool skrfs_secret_equal(const struct skrfs_secret *secret, const void *data, size_t len);

/* Clears this thread's vector registers, in which copying and ciphers leave octets of what they
 * worked on. skrfs_wipe() does it too. */
void skrfs_registers_wipe(void);

void skrfs_secret_get_stats(struct skrfs_secret_stats *ret_stats);
/* "memfd_secret" or "locked memory". */
const char *skrfs_secret_kind_name(enum skrfs_secret_kind kind);

/* A stage of `size` octets for one thread. */
int skrfs_stage_new(
        size_t size, struct skrfs_stage **ret_stage, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_stage_free(struct skrfs_stage *stage);
SKRFS_DEFINE_CLEANUP(struct skrfs_stage, skrfs_stage_free)
/* Copies up to `len` octets from `offset` of the secret into the stage. Returns where they are;
 * *ret_len is how many (0 at or past the end, never more than the stage holds). */
const uint8_t *skrfs_stage_fill(struct skrfs_stage *stage, const struct skrfs_secret *secret,
        uint64_t offset, size_t len, size_t *ret_len);
/* Wipes what the last fill put there. */
void skrfs_stage_wipe(struct skrfs_stage *stage);

#endif
