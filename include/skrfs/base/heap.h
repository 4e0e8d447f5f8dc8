/* An ordinary heap that wipes what it frees, for libraries that take an allocator: what passes
 * through them (tokens, requests, answers) does not stay behind. Not for plaintext key bytes, which
 * live in struct skrfs_secret. Thread safe. Blocks of this heap are freed by this heap only. */
#ifndef SKRFS_BASE_HEAP_H
#define SKRFS_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* As malloc, calloc, realloc, strdup and free of the C library; NULL when there is no memory. */
void *skrfs_heap_malloc(size_t size);
void *skrfs_heap_calloc(size_t count, size_t size);
void *skrfs_heap_realloc(void *block, size_t size);
char *skrfs_heap_strdup(const char *text);
void skrfs_heap_free(void *block);
/* Whether this heap had nothing for this thread since this was last asked: for libraries that do
 * not tell running out of memory from a fault of what they were given. */
bool skrfs_heap_starved(void);

#endif
