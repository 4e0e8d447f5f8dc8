#include "cbor_item.h"

#include <cbor.h>

#define DEPTH_MAX 16

static void set_number(void *context, uint64_t value) {
    struct skrfs_lab_cbor_item *item = context;
    item->kind = SKRFS_LAB_CBOR_INTEGER;
    item->number = value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* The argument n of a negative integer means -1 - n. */
static void set_negative(void *context, uint64_t value) {
    struct skrfs_lab_cbor_item *item = context;
    item->kind = SKRFS_LAB_CBOR_INTEGER;
    item->number = value > INT64_MAX ? INT64_MIN : -1 - (int64_t)value;
}

static void on_uint8(void *context, uint8_t value) {
    set_number(context, value);
}
static void on_uint16(void *context, uint16_t value) {
    set_number(context, value);
}
static void on_uint32(void *context, uint32_t value) {
    set_number(context, value);
}
static void on_negative8(void *context, uint8_t value) {
    set_negative(context, value);
}
static void on_negative16(void *context, uint16_t value) {
    set_negative(context, value);
}
static void on_negative32(void *context, uint32_t value) {
    set_negative(context, value);
}

static void on_octets(void *context, cbor_data data, size_t len) {
    struct skrfs_lab_cbor_item *item = context;
    item->kind = SKRFS_LAB_CBOR_OCTETS;
    item->bytes = (struct skrfs_bytes){data, len};
}

static void on_text(void *context, cbor_data data, size_t len) {
    on_octets(context, data, len);
    ((struct skrfs_lab_cbor_item *)context)->kind = SKRFS_LAB_CBOR_TEXT;
}

static void on_array(void *context, size_t count) {
    struct skrfs_lab_cbor_item *item = context;
    item->kind = SKRFS_LAB_CBOR_ARRAY;
    item->count = count;
}

static void on_map(void *context, size_t count) {
    on_array(context, count);
    ((struct skrfs_lab_cbor_item *)context)->kind = SKRFS_LAB_CBOR_MAP;
}

static void on_tag(void *context, uint64_t value) {
    set_number(context, value);
    ((struct skrfs_lab_cbor_item *)context)->kind = SKRFS_LAB_CBOR_TAG;
}

bool skrfs_lab_cbor_next(struct skrfs_bytes *left, struct skrfs_lab_cbor_item *ret_item) {
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    callbacks.uint8 = on_uint8;
    callbacks.uint16 = on_uint16;
    callbacks.uint32 = on_uint32;
    callbacks.uint64 = set_number;
    callbacks.negint8 = on_negative8;
    callbacks.negint16 = on_negative16;
    callbacks.negint32 = on_negative32;
    callbacks.negint64 = set_negative;
    callbacks.byte_string = on_octets;
    callbacks.string = on_text;
    callbacks.array_start = on_array;
    callbacks.map_start = on_map;
    callbacks.tag = on_tag;
    *ret_item = (struct skrfs_lab_cbor_item){.kind = SKRFS_LAB_CBOR_OTHER};
    if (left->len == 0)
        return false;
    /* Of one-octet tags libcbor 0.8 knows only those of RFC 7049. */
    if (left->data[0] >= 0xc0 && left->data[0] <= 0xd7) {
        on_tag(ret_item, left->data[0] - UINT64_C(0xc0));
        left->data++;
        left->len--;
        return true;
    }
    struct cbor_decoder_result result =
            cbor_stream_decode(left->data, left->len, &callbacks, ret_item);
    if (result.status != CBOR_DECODER_FINISHED || result.read > left->len)
        return false;
    left->data += result.read;
    left->len -= result.read;
    return true;
}

bool skrfs_lab_cbor_skip(struct skrfs_bytes *left) {
    uint64_t waiting[DEPTH_MAX] = {1}; /* how many items each level still wants */
    size_t depth = 0;
    for (;;) {
        struct skrfs_lab_cbor_item item;
        while (waiting[depth] == 0) {
            if (depth-- == 0)
                return true;
        }
        waiting[depth]--;
        if (!skrfs_lab_cbor_next(left, &item))
            return false;
        uint64_t inside = item.kind == SKRFS_LAB_CBOR_TAG ? 1 : item.count;
        if (item.kind == SKRFS_LAB_CBOR_MAP && inside <= UINT64_MAX / 2)
            inside *= 2;
        if (inside > left->len || (inside > 0 && depth + 1 == DEPTH_MAX))
            return false;
        if (inside > 0)
            waiting[++depth] = inside;
    }
}

bool skrfs_lab_cbor_need(struct skrfs_bytes *left, enum skrfs_lab_cbor_kind kind,
        struct skrfs_lab_cbor_item *ret_item) {
    return skrfs_lab_cbor_next(left, ret_item) && ret_item->kind == kind;
}
