#include "internal.h"

int skrfs_maa_encoded(enum skrfs_base64 kind, struct skrfs_bytes data, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(MAA_REQUEST_MAX);
    if (skrfs_base64_encode(kind, data.data, data.len, &text, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "s%", skrfs_buf_text(&text), text.len);
}

int skrfs_maa_set(struct skrfs_json *object, const char *name, enum skrfs_base64 kind,
        struct skrfs_bytes data, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    if (skrfs_maa_encoded(kind, data, &value, err) < 0)
        return -1;
    return skrfs_json_set(object, name, value, err);
}
