#include <skrfs/json/json.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct skrfs_json *json, struct skrfs_buf *out) {
    struct skrfs_error err;
    if (skrfs_json_print(json, false, out, &err))
        abort();
}

/* What is taken can be printed, and what was printed is taken and prints the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autojson *json = NULL;
    skrfs_autojson *again = NULL;
    skrfs_autobuf text = SKRFS_BUF((size_t)8 << 20);
    skrfs_autobuf second = SKRFS_BUF((size_t)8 << 20);
    if (skrfs_json_parse((const char *)data, size, 1 << 20, &json, &err))
        return 0;
    print(json, &text);
    if (skrfs_json_parse(skrfs_buf_text(&text), text.len, text.len, &again, &err))
        abort();
    print(again, &second);
    if (text.len != second.len || memcmp(text.data, second.data, text.len) != 0)
        abort();
    return 0;
}
