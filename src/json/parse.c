#include "room.h"

#include <skrfs/base/heap.h>

/* jansson's own texts quote the document ("near '...'"), which may be a token. */
static const char *reason(enum json_error_code code) {
    switch (code) {
    case json_error_premature_end_of_input:
        return "the text ends too early";
    case json_error_end_of_input_expected:
        return "something follows the document";
    case json_error_duplicate_key:
        return "a member's name is there twice";
    case json_error_invalid_utf8:
        return "not valid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a NUL character in a string";
    case json_error_numeric_overflow:
        return "a number that does not fit into 64 bits";
    case json_error_stack_overflow:
        return "nested too deeply";
    default:
        return "not valid JSON";
    }
}

static bool deeper_than(json_t *json, unsigned levels) {
    if (!json_is_object(json) && !json_is_array(json))
        return false;
    if (!levels)
        return true;
    const char *name;
    size_t index;
    json_t *value;
    json_object_foreach(json, name, value) {
        if (deeper_than(value, levels - 1))
            return true;
    }
    json_array_foreach(json, index, value) {
        if (deeper_than(value, levels - 1))
            return true;
    }
    return false;
}

int skrfs_json_parse(const char *text, size_t len, size_t max_len, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    json_begin();
    if (len > max_len)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "JSON of %zu octets, more than the %zu that are allowed", len, max_len);
    json_error_t where;
    json_t *json = json_load_or_leave(text, len, &where);
    if (!json && skrfs_heap_starved())
        return skrfs_fail_memory(err);
    if (!json)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "JSON, line %d column %d: %s", where.line,
                where.column, reason(json_error_code(&where)));
    if (deeper_than(json, SKRFS_JSON_DEPTH_MAX)) {
        json_decref(json);
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "JSON nested deeper than %d levels",
                SKRFS_JSON_DEPTH_MAX);
    }
    *ret_json = from_jansson(json);
    return 0;
}

void skrfs_json_free(struct skrfs_json *json) {
    json_decref(to_jansson(json));
}
