/* Everything that is asked of a document's members, of whatever types they are. */
#include <skrfs/base/encode.h>
#include <skrfs/json/json.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(const struct skrfs_json *json, const char *name) {
    struct skrfs_error err;
    const struct skrfs_json *value = NULL;
    const char *text = NULL, *wanted = NULL;
    int64_t number = 0;
    skrfs_autobuf octets = SKRFS_BUF(64);
    bool is_text = skrfs_json_need_string(json, name, &text, &err) == 0;
    bool is_wanted = skrfs_json_want_string(json, name, &wanted, &err) == 0;
    if (is_text && (!is_wanted || text != wanted || strlen(text) != strlen(wanted)))
        abort();
    (void)!skrfs_json_need_integer(json, name, &number, &err);
    bool object = skrfs_json_need_object(json, name, &value, &err) == 0;
    bool array = skrfs_json_need_array(json, name, &value, &err) == 0;
    if (object + array + is_text > 1)
        abort();
    for (int kind = SKRFS_BASE64; kind <= SKRFS_BASE64_ANY; kind++)
        if (skrfs_json_need_base64(json, name, kind, &octets, &err) == 0 && !is_text)
            abort();
}

static void visit(const struct skrfs_json *json, unsigned depth) {
    void *iterator = NULL;
    const char *name = NULL;
    const struct skrfs_json *value = NULL;
    if (skrfs_json_string(json) && strlen(skrfs_json_string(json)) > skrfs_json_string_len(json))
        abort();
    (void)skrfs_json_integer(json);
    need(json, "a");
    for (size_t i = 0; i <= skrfs_json_size(json) && depth < 8; i++)
        if (skrfs_json_at(json, i))
            visit(skrfs_json_at(json, i), depth + 1);
    while (skrfs_json_next(json, &iterator, &name, &value)) {
        if (skrfs_json_get(json, name) != value)
            abort();
        need(json, name);
        if (depth < 8)
            visit(value, depth + 1);
    }
}

static void alter(const struct skrfs_json *json) {
    struct skrfs_error err;
    skrfs_autojson *copy = NULL, *array = NULL;
    struct skrfs_json *child = NULL;
    if (skrfs_json_copy(json, &copy, &err) < 0 || skrfs_json_new_array(&array, &err) < 0 ||
            skrfs_json_copy(json, &child, &err) < 0 || skrfs_json_append(array, child, &err) < 0)
        abort();
    child = NULL;
    if (skrfs_json_kind(copy) != SKRFS_JSON_OBJECT ||
            skrfs_json_pack(&child, &err, "{s:s, s:i, s:I, s:s?}", "b", "text", "c", 7, "d",
                    (int64_t)-1, "e", NULL) < 0)
        return;
    if (skrfs_json_set(copy, "added", child, &err) < 0 || !skrfs_json_get(copy, "added"))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autojson *json = NULL;
    /* A document of the largest size that is taken, and one more. */
    if (skrfs_json_parse((const char *)data, size, 2048, &json, &err) < 0)
        return 0;
    visit(json, 0);
    alter(json);
    return 0;
}
