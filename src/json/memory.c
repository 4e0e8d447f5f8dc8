#include "room.h"

#include <pthread.h>
#include <setjmp.h>
#include <skrfs/base/heap.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/random.h>

/* Where jansson's reader gets no memory it goes on without the character in question (load.c,
 * lex_save), and what it reads then is another text, or ends the process by an assertion. So it is
 * left where it stands, and what it has allocated since it began is freed behind it. */
struct rescue {
    jmp_buf out;
    union header *blocks;
};
static _Thread_local struct rescue *rescue;

/* In front of each block; linked while a reader is at work in the block's thread. */
union header {
    struct {
        union header *before, *behind;
    } links;
    max_align_t align;
};

static void *take(size_t size) {
    union header *header = NULL;
    if (size <= SIZE_MAX - sizeof(*header))
        header = skrfs_heap_malloc(sizeof(*header) + size);
    if (!header && rescue)
        longjmp(rescue->out, 1);
    if (!header)
        return NULL;
    header->links.before = NULL;
    header->links.behind = rescue ? rescue->blocks : NULL;
    if (header->links.behind)
        header->links.behind->links.before = header;
    if (rescue)
        rescue->blocks = header;
    return header + 1;
}

static void give(void *block) {
    if (!block)
        return;
    union header *header = (union header *)block - 1;
    union header *before = header->links.before, *behind = header->links.behind;
    if (before)
        before->links.behind = behind;
    else if (rescue && rescue->blocks == header)
        rescue->blocks = behind;
    if (behind)
        behind->links.before = before;
    skrfs_heap_free(header);
}

/* The blocks stay, and belong to nobody's reading any more; or they go. */
static void end_rescue(struct rescue *mine, bool failed) {
    rescue = NULL;
    for (union header *block = mine->blocks, *next; block; block = next) {
        next = block->links.behind;
        block->links.before = block->links.behind = NULL;
        if (failed)
            skrfs_heap_free(block);
    }
}

json_t *json_load_or_leave(const char *text, size_t len, json_error_t *ret_where) {
    struct rescue mine = {.blocks = NULL};
    json_t *volatile json = NULL;
    rescue = &mine;
    if (setjmp(mine.out) == 0) {
        json = json_loadb(text, len, JSON_REJECT_DUPLICATES, ret_where);
        end_rescue(&mine, false);
    } else {
        end_rescue(&mine, true);
    }
    return json;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The seed keeps an answer from choosing names that collide. jansson would read /dev/urandom for
 * it, which a sandboxed process cannot open, and then fall back to the time. */
static void set_up(void) {
    json_set_alloc_funcs(take, give);
    size_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) || !seed)
        seed = 1;
    json_object_seed(seed);
}

void json_begin(void) {
    (void)pthread_once(&once, set_up);
    (void)skrfs_heap_starved();
}

int json_fail(struct skrfs_error *err, enum skrfs_class kind, const char *format, ...) {
    char text[SKRFS_ERROR_MESSAGE_MAX];
    va_list arguments;
    if (skrfs_heap_starved())
        return skrfs_fail_memory(err);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return skrfs_fail(err, kind, "%s", text);
}
