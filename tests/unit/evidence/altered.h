/* Evidence whose octets are bound to something: each one altered is refused, for a reason that has
 * to do with where it is. */
#ifndef SKRFS_TESTS_EVIDENCE_ALTERED_H
#define SKRFS_TESTS_EVIDENCE_ALTERED_H

#include "support.h"

#include <skrfs/base/encode.h>
#include <skrfs/json/json.h>

#define SAMPLES "containers-sgx-tdx/"
#define SAMPLE_MAX ((size_t)1024 * 1024)

/* 0 when the evidence is taken. */
typedef int verdict(struct skrfs_bytes evidence, void *with, struct skrfs_error *err);

/* Octets [begin, end), every `stride`th, and what the refusals may speak of, with '|' between. */
struct region {
    size_t begin, end, stride;
    const char *reasons;
};

static inline bool speaks_of(const char *message, const char *reasons) {
    char text[256];
    (void)snprintf(text, sizeof(text), "%s", reasons);
    for (char *rest = text, *reason; (reason = strsep(&rest, "|"));)
        if (strstr(message, reason))
            return true;
    return false;
}

static inline void each_octet_counts(
        struct skrfs_buf *evidence, struct region region, verdict *judge, void *with) {
    struct skrfs_error err = {0};
    assert_true(region.begin < region.end && region.end <= evidence->len);
    for (size_t i = region.begin; i < region.end; i += region.stride) {
        evidence->data[i] ^= 0x10;
        if (judge(skrfs_buf_bytes(evidence), with, &err) == 0)
            fail_msg("octet %zu can be altered", i);
        evidence->data[i] ^= 0x10;
        if (err.kind != SKRFS_CLASS_BAD_ANSWER || !speaks_of(err.message, region.reasons))
            fail_msg("octet %zu: %s: %s", i, skrfs_class_name(err.kind), err.message);
    }
    assert_ok(judge(skrfs_buf_bytes(evidence), with, &err), err);
}

static inline void assert_hex(const uint8_t *data, const char *hex) {
    char text[2 * 64 + 1];
    skrfs_hex_encode(data, strlen(hex) / 2, text);
    assert_string_equal(text, hex);
}

static inline void read_json(const char *name, struct skrfs_json **ret_json) {
    struct skrfs_error err = {0};
    skrfs_autobuf text = {0};
    vector_read(name, &text);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, SAMPLE_MAX, ret_json, &err), err);
}

static inline void base64_of(
        const struct skrfs_json *json, const char *name, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_json_need_base64(json, name, SKRFS_BASE64_ANY, out, &err), err);
}

#endif
