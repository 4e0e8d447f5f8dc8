/* Where secrets lie: chunks of locked memory cut into granules. Which are in use is noted in
 * ordinary memory, so that a damaged secret cannot damage the books. Private to base; not thread
 * safe. */
#ifndef SKRFS_SRC_BASE_ARENA_H
#define SKRFS_SRC_BASE_ARENA_H

#include <skrfs/base/secret.h>

#define ARENA_GRANULE ((size_t)16)

struct arena_chunk {
    uint8_t *memory;
    size_t granules;
    size_t longest;  /* no run of free granules is longer than this */
    uint8_t *in_use; /* one octet a granule */
};

struct arena {
    bool ready;
    enum skrfs_secret_kind kind;
    struct arena_chunk *chunks;
    size_t count;
    size_t mapped; /* octets */
};

int arena_setup(struct arena *arena, size_t reserve, bool force_locked,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Zero octets, `size` of them rounded up to granules; *ret_chunk is for arena_release. */
int arena_take(struct arena *arena, size_t size, uint8_t **ret_memory, size_t *ret_chunk,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Gives back what arena_take gave, already wiped. */
void arena_release(struct arena *arena, size_t chunk, uint8_t *memory, size_t size);
/* Empties the books in a child, where the memory they are about is not. */
void arena_forget(struct arena *arena);

#endif
