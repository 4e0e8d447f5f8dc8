/* Strict, bounded JSON over jansson: duplicate members, trailing octets, NUL in strings, more than
 * 32 levels and more than the given size are refused, and so are integers that do not fit into
 * int64_t (rounding one silently would be worse). A document is an object or an array. Everything
 * jansson allocates is wiped when it is freed, since documents carry tokens. A `const struct
 * skrfs_json *` inside a document is borrowed and lives as long as its root. One document is used
 * by one thread at a time; the functions are otherwise thread safe. */
#ifndef SKRFS_JSON_JSON_H
#define SKRFS_JSON_JSON_H

#include <skrfs/base/buf.h>

#define SKRFS_JSON_DEPTH_MAX 32

struct skrfs_json;

enum skrfs_json_kind {
    SKRFS_JSON_OBJECT,
    SKRFS_JSON_ARRAY,
    SKRFS_JSON_STRING,
    SKRFS_JSON_INTEGER,
    SKRFS_JSON_REAL,
    SKRFS_JSON_TRUE,
    SKRFS_JSON_FALSE,
    SKRFS_JSON_NULL,
};

/* Parses one document. BAD_ANSWER names line and column on malformed text, never the text. */
int skrfs_json_parse(const char *text, size_t len, size_t max_len, struct skrfs_json **ret_json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_json_free(struct skrfs_json *json);
SKRFS_DEFINE_CLEANUP(struct skrfs_json, skrfs_json_free)
#define skrfs_autojson SKRFS_CLEANUP(skrfs_json_free_p) struct skrfs_json

enum skrfs_json_kind skrfs_json_kind(const struct skrfs_json *json);
/* A member of an object, NULL when absent or when `json` is NULL or no object. */
const struct skrfs_json *skrfs_json_get(const struct skrfs_json *json, const char *name);
/* Elements of an array or members of an object. */
size_t skrfs_json_size(const struct skrfs_json *json);
/* An element of an array, NULL past the end. */
const struct skrfs_json *skrfs_json_at(const struct skrfs_json *json, size_t index);
/* Members in the document's order: begin with `iterator` NULL; false at the end. */
bool skrfs_json_next(const struct skrfs_json *json, void **iterator, const char **ret_name,
        const struct skrfs_json **ret_value);
/* Text of a string, NULL for other kinds. */
const char *skrfs_json_string(const struct skrfs_json *json);
size_t skrfs_json_string_len(const struct skrfs_json *json);
int64_t skrfs_json_integer(const struct skrfs_json *json);

/* Required members: absent or of another kind is BAD_ANSWER naming the member. */
int skrfs_json_need_string(const struct skrfs_json *json, const char *name, const char **ret_text,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_json_need_integer(const struct skrfs_json *json, const char *name, int64_t *ret_value,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_json_need_object(const struct skrfs_json *json, const char *name,
        const struct skrfs_json **ret_value, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_json_need_array(const struct skrfs_json *json, const char *name,
        const struct skrfs_json **ret_value, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Optional: *ret_text is NULL when the member is absent or null; another kind is BAD_ANSWER. */
int skrfs_json_want_string(const struct skrfs_json *json, const char *name, const char **ret_text,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A required string member in base64 of the given kind (enum skrfs_base64), decoded into `out`. */
int skrfs_json_need_base64(const struct skrfs_json *json, const char *name, int kind,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Builds a value from a format of jansson's json_pack, e.g. skrfs_json_pack(&value, err, "{s:s,
 * s:i, s:o}", "a", "text", "b", 7, "c", child): `o` takes the child over (a struct skrfs_json *),
 * also when the call fails; `s*` leaves out a NULL string; `s%` takes text and size_t length; `I`
 * an int64_t. */
int skrfs_json_pack(struct skrfs_json **ret_json, struct skrfs_error *err, const char *format,
        ...) SKRFS_MUST_CHECK;
int skrfs_json_new_array(struct skrfs_json **ret_json, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends `value`, taking it over also when it fails. */
int skrfs_json_append(struct skrfs_json *array, struct skrfs_json *value,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Sets a member, taking `value` over also when it fails. */
int skrfs_json_set(struct skrfs_json *object, const char *name, struct skrfs_json *value,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A deep copy. */
int skrfs_json_copy(const struct skrfs_json *json, struct skrfs_json **ret_json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Appends the compact text; members keep their order. `pretty` indents by two for people. */
int skrfs_json_print(const struct skrfs_json *json, bool pretty, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
