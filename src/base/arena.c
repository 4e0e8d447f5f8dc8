#include "arena.h"

#include "lock.h"

#include <string.h>

#define CHUNK_MIN ((size_t)256 * 1024)
#define CHUNK_MAX ((size_t)4 * 1024 * 1024)

static int map_chunk(struct arena *arena, size_t size, uint8_t **ret_memory, bool *ret_missing,
        struct skrfs_error *err) {
    *ret_missing = false;
    if (arena->kind == SKRFS_SECRET_LOCKED)
        return skrfs_pages_map(size, ret_memory, err);
    return skrfs_pages_map_memfd(size, ret_memory, ret_missing, err);
}

/* The books first: nothing is mapped that could not be entered. Chunks are never given back, so the
 * arena is as large as it ever needed to be. */
static int add_chunk(struct arena *arena, size_t size, bool *ret_missing, struct skrfs_error *err) {
    *ret_missing = false;
    struct arena_chunk *chunks =
            realloc(arena->chunks, (arena->count + 1) * sizeof(*arena->chunks));
    if (!chunks)
        return skrfs_fail_memory(err);
    arena->chunks = chunks;
    struct arena_chunk chunk = {.granules = size / ARENA_GRANULE, .longest = size / ARENA_GRANULE};
    chunk.in_use = calloc(chunk.granules, 1);
    if (!chunk.in_use)
        return skrfs_fail_memory(err);
    if (map_chunk(arena, size, &chunk.memory, ret_missing, err)) {
        free(chunk.in_use);
        return -1;
    }
    arena->chunks[arena->count++] = chunk;
    arena->mapped += size;
    return 0;
}

int arena_setup(struct arena *arena, size_t reserve, bool force_locked, struct skrfs_error *err) {
    size_t size = skrfs_pages_round(reserve ? reserve : CHUNK_MIN);
    bool missing;
    arena->kind = force_locked ? SKRFS_SECRET_LOCKED : SKRFS_SECRET_MEMFD;
    if (add_chunk(arena, size, &missing, err)) {
        if (!missing)
            return -1;
        arena->kind = SKRFS_SECRET_LOCKED;
        if (add_chunk(arena, size, &missing, err))
            return -1;
    }
    arena->ready = true;
    return 0;
}

/* As much again as there is, and less of it where the limit on locked memory is near. */
static int grow(struct arena *arena, size_t needed, struct skrfs_error *err) {
    size_t least = skrfs_pages_round(needed);
    size_t size = arena->mapped < CHUNK_MIN ? CHUNK_MIN : arena->mapped;
    if (size > CHUNK_MAX)
        size = CHUNK_MAX;
    bool missing;
    for (; size > least; size /= 2)
        if (add_chunk(arena, skrfs_pages_round(size), &missing, err) == 0)
            return 0;
    return add_chunk(arena, least, &missing, err);
}

/* First fit. The index of the first of `wanted` free granules, or the chunk's end. */
static size_t find_run(struct arena_chunk *chunk, size_t wanted) {
    if (chunk->longest < wanted)
        return chunk->granules;
    size_t longest = 0;
    for (size_t at = 0; at < chunk->granules;) {
        const uint8_t *next = memchr(chunk->in_use + at, 0, chunk->granules - at);
        if (!next)
            break;
        size_t begin = (size_t)(next - chunk->in_use);
        const uint8_t *end = memchr(next, 1, chunk->granules - begin);
        size_t run = (end ? (size_t)(end - chunk->in_use) : chunk->granules) - begin;
        if (run >= wanted)
            return begin;
        longest = run > longest ? run : longest;
        at = begin + run;
    }
    chunk->longest = longest;
    return chunk->granules;
}

static bool take_from(
        struct arena *arena, size_t chunk_index, size_t wanted, uint8_t **ret_memory) {
    struct arena_chunk *chunk = &arena->chunks[chunk_index];
    size_t begin = find_run(chunk, wanted);
    if (begin == chunk->granules)
        return false;
    memset(chunk->in_use + begin, 1, wanted);
    *ret_memory = chunk->memory + begin * ARENA_GRANULE;
    return true;
}

int arena_take(struct arena *arena, size_t size, uint8_t **ret_memory, size_t *ret_chunk,
        struct skrfs_error *err) {
    size_t wanted = (size + ARENA_GRANULE - 1) / ARENA_GRANULE;
    for (size_t i = 0; i < arena->count; i++) {
        if (take_from(arena, i, wanted, ret_memory)) {
            *ret_chunk = i;
            return 0;
        }
    }
    if (grow(arena, wanted * ARENA_GRANULE, err))
        return -1;
    *ret_chunk = arena->count - 1;
    if (!take_from(arena, *ret_chunk, wanted, ret_memory))
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a new chunk of secret memory has no room");
    return 0;
}

void arena_release(struct arena *arena, size_t chunk_index, uint8_t *memory, size_t size) {
    struct arena_chunk *chunk = &arena->chunks[chunk_index];
    size_t granules = (size + ARENA_GRANULE - 1) / ARENA_GRANULE;
    memset(chunk->in_use + (size_t)(memory - chunk->memory) / ARENA_GRANULE, 0, granules);
    chunk->longest = chunk->granules;
}

void arena_forget(struct arena *arena) {
    for (size_t i = 0; i < arena->count; i++)
        free(arena->chunks[i].in_use);
    free(arena->chunks);
    *arena = (struct arena){0};
}
