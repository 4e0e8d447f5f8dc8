#include "room.h"

#include <pthread.h>
#include <skrfs/base/heap.h>
#include <sys/random.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The seed keeps an answer from choosing names that collide. jansson would read /dev/urandom for
 * it, which a sandboxed process cannot open, and then fall back to the time. */
static void set_up(void) {
    json_set_alloc_funcs(skrfs_heap_malloc, skrfs_heap_free);
    size_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) || !seed)
        seed = 1;
    json_object_seed(seed);
}

void json_begin(void) {
    (void)pthread_once(&once, set_up);
}
