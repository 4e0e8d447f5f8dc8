/* Between the files of json: what a struct skrfs_json is. */
#ifndef SKRFS_SRC_JSON_ROOM_H
#define SKRFS_SRC_JSON_ROOM_H

#include <jansson.h>
#include <skrfs/json/json.h>

/* A struct skrfs_json is jansson's value under another name; the cast away from const is jansson's
 * own habit, it changes reference counts only. */
static inline json_t *to_jansson(const struct skrfs_json *json) {
    return (json_t *)(uintptr_t)json;
}

static inline struct skrfs_json *from_jansson(json_t *json) {
    return (struct skrfs_json *)json;
}

/* Before a value is made: allocator and hash seed. */
void json_begin(void);
/* json_loadb, but for what it does without memory: NULL then, and skrfs_heap_starved(). */
json_t *json_load_or_leave(const char *text, size_t len, json_error_t *ret_where);
/* A failure of jansson's: NO_MEMORY when it had none, whatever it says. */
int json_fail(struct skrfs_error *err, enum skrfs_class kind, const char *format, ...)
        SKRFS_PRINTF(3, 4);

#endif
