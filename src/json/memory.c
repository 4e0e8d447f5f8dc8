#include "room.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

/* In front of each block, so that free knows what to wipe; keeps malloc's alignment. */
union header {
    size_t size;
    max_align_t align;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *allocate(size_t size) {
    if (size > SIZE_MAX - sizeof(union header))
        return NULL;
    union header *header = malloc(sizeof(*header) + size);
    if (!header)
        return NULL;
    header->size = size;
    return header + 1;
}

static void release(void *block) {
    if (!block)
        return;
    union header *header = (union header *)block - 1;
    skrfs_wipe(header, sizeof(*header) + header->size);
    free(header);
}

/* The seed keeps an answer from choosing names that collide. jansson would read /dev/urandom for
 * it, which a sandboxed process cannot open, and then fall back to the time. */
static void set_up(void) {
    json_set_alloc_funcs(allocate, release);
    size_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) || !seed)
        seed = 1;
    json_object_seed(seed);
}

void json_begin(void) {
    (void)pthread_once(&once, set_up);
}
