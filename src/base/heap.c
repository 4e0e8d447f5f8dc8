#include <skrfs/base/heap.h>

#include <skrfs/base/buf.h>
#include <string.h>

/* In front of each block, so that free knows what to wipe; keeps malloc's alignment. */
union header {
    size_t size;
    max_align_t align;
};

static _Thread_local bool starved;

void *skrfs_heap_malloc(size_t size) {
    union header *header = NULL;
    if (size <= SIZE_MAX - sizeof(*header))
        header = malloc(sizeof(*header) + size);
    if (!header) {
        starved = true;
        return NULL;
    }
    header->size = size;
    return header + 1;
}

void *skrfs_heap_calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *block = skrfs_heap_malloc(total);
    if (block)
        memset(block, 0, total);
    return block;
}

void *skrfs_heap_realloc(void *block, size_t size) {
    void *moved = skrfs_heap_malloc(size);
    if (!moved || !block)
        return moved;
    size_t old = ((union header *)block - 1)->size;
    memcpy(moved, block, old < size ? old : size);
    skrfs_heap_free(block);
    return moved;
}

char *skrfs_heap_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = skrfs_heap_malloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

bool skrfs_heap_starved(void) {
    bool was = starved;
    starved = false;
    return was;
}

void skrfs_heap_free(void *block) {
    if (!block)
        return;
    union header *header = (union header *)block - 1;
    skrfs_wipe(header, sizeof(*header) + header->size);
    free(header);
}
