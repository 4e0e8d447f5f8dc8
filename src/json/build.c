#include "room.h"

#include <stdarg.h>

static int fail_build(struct skrfs_error *err, const json_error_t *where) {
    switch (json_error_code(where)) {
    case json_error_out_of_memory:
        return skrfs_fail_memory(err);
    case json_error_invalid_utf8:
        return json_fail(err, SKRFS_CLASS_BAD_ANSWER, "a text for JSON is not valid UTF-8");
    default:
        return json_fail(
                err, SKRFS_CLASS_BUG, "JSON cannot be built (format column %d)", where->column);
    }
}

int skrfs_json_pack(
        struct skrfs_json **ret_json, struct skrfs_error *err, const char *format, ...) {
    json_begin();
    json_error_t where;
    va_list args;
    va_start(args, format);
    json_t *json = json_vpack_ex(&where, 0, format, args);
    va_end(args);
    if (!json)
        return fail_build(err, &where);
    *ret_json = from_jansson(json);
    return 0;
}

int skrfs_json_new_array(struct skrfs_json **ret_json, struct skrfs_error *err) {
    json_begin();
    json_t *array = json_array();
    if (!array)
        return skrfs_fail_memory(err);
    *ret_json = from_jansson(array);
    return 0;
}

int skrfs_json_append(struct skrfs_json *array, struct skrfs_json *value, struct skrfs_error *err) {
    json_begin();
    if (json_array_append_new(to_jansson(array), to_jansson(value)))
        return json_fail(err, SKRFS_CLASS_BUG, "a JSON array cannot be appended to");
    return 0;
}

int skrfs_json_set(struct skrfs_json *object, const char *name, struct skrfs_json *value,
        struct skrfs_error *err) {
    json_begin();
    if (json_object_set_new(to_jansson(object), name, to_jansson(value)))
        return json_fail(err, SKRFS_CLASS_BUG, "a JSON member cannot be set");
    return 0;
}

int skrfs_json_copy(
        const struct skrfs_json *json, struct skrfs_json **ret_json, struct skrfs_error *err) {
    json_t *copy = json_deep_copy(to_jansson(json));
    if (!copy)
        return skrfs_fail_memory(err);
    *ret_json = from_jansson(copy);
    return 0;
}

struct sink {
    struct skrfs_buf *out;
    struct skrfs_error *err;
    bool failed;
};

static int take(const char *text, size_t len, void *context) {
    struct sink *sink = context;
    if (skrfs_buf_append(sink->out, text, len, sink->err)) {
        sink->failed = true;
        return -1;
    }
    return 0;
}

int skrfs_json_print(const struct skrfs_json *json, bool pretty, struct skrfs_buf *out,
        struct skrfs_error *err) {
    json_begin();
    struct sink sink = {.out = out, .err = err};
    size_t before = out->len;
    size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);
    if (json_dump_callback(to_jansson(json), take, &sink, flags) == 0)
        return 0;
    skrfs_buf_truncate(out, before);
    return sink.failed ? -1 : json_fail(err, SKRFS_CLASS_BUG, "JSON cannot be printed");
}
