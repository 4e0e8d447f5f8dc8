#include "room.h"

#include <skrfs/base/encode.h>

enum skrfs_json_kind skrfs_json_kind(const struct skrfs_json *json) {
    static const enum skrfs_json_kind kinds[] = {
            [JSON_OBJECT] = SKRFS_JSON_OBJECT,
            [JSON_ARRAY] = SKRFS_JSON_ARRAY,
            [JSON_STRING] = SKRFS_JSON_STRING,
            [JSON_INTEGER] = SKRFS_JSON_INTEGER,
            [JSON_REAL] = SKRFS_JSON_REAL,
            [JSON_TRUE] = SKRFS_JSON_TRUE,
            [JSON_FALSE] = SKRFS_JSON_FALSE,
            [JSON_NULL] = SKRFS_JSON_NULL,
    };
    return json ? kinds[json_typeof(to_jansson(json))] : SKRFS_JSON_NULL;
}

const struct skrfs_json *skrfs_json_get(const struct skrfs_json *json, const char *name) {
    return from_jansson(json_object_get(to_jansson(json), name));
}

size_t skrfs_json_size(const struct skrfs_json *json) {
    json_t *value = to_jansson(json);
    return json_is_object(value) ? json_object_size(value) : json_array_size(value);
}

const struct skrfs_json *skrfs_json_at(const struct skrfs_json *json, size_t index) {
    return from_jansson(json_array_get(to_jansson(json), index));
}

bool skrfs_json_next(const struct skrfs_json *json, void **iterator, const char **ret_name,
        const struct skrfs_json **ret_value) {
    json_t *object = to_jansson(json);
    void *next = *iterator ? json_object_iter_next(object, *iterator) : json_object_iter(object);
    *iterator = next;
    if (!next)
        return false;
    *ret_name = json_object_iter_key(next);
    *ret_value = from_jansson(json_object_iter_value(next));
    return true;
}

const char *skrfs_json_string(const struct skrfs_json *json) {
    return json_string_value(to_jansson(json));
}

size_t skrfs_json_string_len(const struct skrfs_json *json) {
    return json_string_length(to_jansson(json));
}

int64_t skrfs_json_integer(const struct skrfs_json *json) {
    return (int64_t)json_integer_value(to_jansson(json));
}

static const char *describe(enum skrfs_json_kind kind) {
    switch (kind) {
    case SKRFS_JSON_OBJECT:
        return "an object";
    case SKRFS_JSON_ARRAY:
        return "an array";
    case SKRFS_JSON_STRING:
        return "a string";
    case SKRFS_JSON_INTEGER:
        return "an integer";
    default:
        return "of that kind";
    }
}

static int need(const struct skrfs_json *json, const char *name, enum skrfs_json_kind kind,
        const struct skrfs_json **ret_value, struct skrfs_error *err) {
    const struct skrfs_json *value = skrfs_json_get(json, name);
    if (!value)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "member '%s' is missing", name);
    if (skrfs_json_kind(value) != kind)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "member '%s' is not %s", name, describe(kind));
    *ret_value = value;
    return 0;
}

int skrfs_json_need_string(const struct skrfs_json *json, const char *name, const char **ret_text,
        struct skrfs_error *err) {
    const struct skrfs_json *value;
    if (need(json, name, SKRFS_JSON_STRING, &value, err))
        return -1;
    *ret_text = skrfs_json_string(value);
    return 0;
}

int skrfs_json_need_integer(const struct skrfs_json *json, const char *name, int64_t *ret_value,
        struct skrfs_error *err) {
    const struct skrfs_json *value;
    if (need(json, name, SKRFS_JSON_INTEGER, &value, err))
        return -1;
    *ret_value = skrfs_json_integer(value);
    return 0;
}

int skrfs_json_need_object(const struct skrfs_json *json, const char *name,
        const struct skrfs_json **ret_value, struct skrfs_error *err) {
    return need(json, name, SKRFS_JSON_OBJECT, ret_value, err);
}

int skrfs_json_need_array(const struct skrfs_json *json, const char *name,
        const struct skrfs_json **ret_value, struct skrfs_error *err) {
    return need(json, name, SKRFS_JSON_ARRAY, ret_value, err);
}

int skrfs_json_want_string(const struct skrfs_json *json, const char *name, const char **ret_text,
        struct skrfs_error *err) {
    const struct skrfs_json *value = skrfs_json_get(json, name);
    if (!value || skrfs_json_kind(value) == SKRFS_JSON_NULL) {
        *ret_text = NULL;
        return 0;
    }
    return skrfs_json_need_string(json, name, ret_text, err);
}

int skrfs_json_need_base64(const struct skrfs_json *json, const char *name, int kind,
        struct skrfs_buf *out, struct skrfs_error *err) {
    const struct skrfs_json *value;
    if (need(json, name, SKRFS_JSON_STRING, &value, err))
        return -1;
    if (skrfs_base64_decode((enum skrfs_base64)kind, skrfs_json_string(value),
                skrfs_json_string_len(value), out, err))
        return skrfs_wrap(err, "member '%s'", name);
    return 0;
}
