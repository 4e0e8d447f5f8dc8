#include "protocol.h"

#include <skrfs/base/encode.h>
#include <string.h>

static const uint8_t *need(struct wire *wire, size_t len) {
    if (wire->broken || len > wire->len - wire->at) {
        wire->broken = true;
        return NULL;
    }
    const uint8_t *found = wire->data + wire->at;
    wire->at += len;
    return found;
}

static uint64_t number(struct wire *wire, size_t octets) {
    const uint8_t *bytes = need(wire, octets);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < octets; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

uint8_t skrfs_wire_u8(struct wire *wire) {
    return (uint8_t)number(wire, 1);
}

uint32_t skrfs_wire_u32(struct wire *wire) {
    return (uint32_t)number(wire, 4);
}

uint64_t skrfs_wire_u64(struct wire *wire) {
    return number(wire, 8);
}

struct skrfs_bytes skrfs_wire_bytes(struct wire *wire, size_t max) {
    size_t len = skrfs_wire_u32(wire);
    if (len > max)
        wire->broken = true;
    const uint8_t *data = need(wire, len);
    return (struct skrfs_bytes){data, data ? len : 0};
}

void skrfs_wire_buf(struct wire *wire, struct skrfs_buf *out) {
    struct skrfs_error ignored;
    struct skrfs_bytes bytes = skrfs_wire_bytes(wire, out->max - out->len);
    if (bytes.len && skrfs_buf_append(out, bytes.data, bytes.len, &ignored) < 0)
        wire->broken = true;
}

void skrfs_wire_text(struct wire *wire, char *out, size_t size) {
    struct skrfs_bytes bytes = skrfs_wire_bytes(wire, MESSAGE_MAX);
    skrfs_text_clean(bytes.data ? (const char *)bytes.data : "", bytes.len, out, size);
}

bool skrfs_wire_ended(const struct wire *wire) {
    return !wire->broken && wire->at == wire->len;
}

static void append(struct pen *pen, const void *data, size_t len) {
    if (!pen->failed && len && skrfs_buf_append(pen->out, data, len, pen->err) < 0)
        pen->failed = true;
}

static void put_number(struct pen *pen, uint64_t value, size_t octets) {
    uint8_t bytes[8];
    for (size_t i = 0; i < octets; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    append(pen, bytes, octets);
}

void skrfs_pen_u8(struct pen *pen, uint8_t value) {
    put_number(pen, value, 1);
}

void skrfs_pen_u32(struct pen *pen, uint32_t value) {
    put_number(pen, value, 4);
}

void skrfs_pen_u64(struct pen *pen, uint64_t value) {
    put_number(pen, value, 8);
}

void skrfs_pen_bytes(struct pen *pen, const void *data, size_t len) {
    if (len > MESSAGE_MAX && !pen->failed) {
        skrfs_fail(pen->err, SKRFS_CLASS_BUG, "a message's member is too long");
        pen->failed = true;
    }
    skrfs_pen_u32(pen, (uint32_t)len);
    append(pen, data, len);
}

void skrfs_pen_text(struct pen *pen, const char *text) {
    skrfs_pen_bytes(pen, text, strlen(text));
}

bool skrfs_fragment_parse(struct skrfs_bytes packet, struct fragment *ret_fragment) {
    struct wire wire = {.data = packet.data, .len = packet.len};
    uint32_t magic = skrfs_wire_u32(&wire);
    struct fragment fragment = {.kind = skrfs_wire_u32(&wire)};
    fragment.id = skrfs_wire_u64(&wire);
    fragment.total = skrfs_wire_u32(&wire);
    fragment.offset = skrfs_wire_u32(&wire);
    if (wire.broken || magic != FRAGMENT_MAGIC || packet.len > PACKET_MAX ||
            fragment.total > MESSAGE_MAX)
        return false;
    fragment.part = (struct skrfs_bytes){packet.data + wire.at, packet.len - wire.at};
    if (fragment.offset > fragment.total || fragment.part.len > fragment.total - fragment.offset ||
            (fragment.part.len == 0 && fragment.total > 0))
        return false;
    *ret_fragment = fragment;
    return true;
}

int skrfs_fragment_build(uint64_t id, uint32_t kind, struct skrfs_bytes message, size_t offset,
        struct skrfs_buf *packet, struct skrfs_error *err) {
    struct pen pen = {.out = packet, .err = err};
    size_t len = message.len - offset < FRAGMENT_MAX ? message.len - offset : FRAGMENT_MAX;
    skrfs_buf_truncate(packet, 0);
    skrfs_pen_u32(&pen, FRAGMENT_MAGIC);
    skrfs_pen_u32(&pen, kind);
    skrfs_pen_u64(&pen, id);
    skrfs_pen_u32(&pen, (uint32_t)message.len);
    skrfs_pen_u32(&pen, (uint32_t)offset);
    if (len)
        append(&pen, message.data + offset, len);
    return pen.failed ? -1 : 0;
}

bool skrfs_fragment_join(
        const struct fragment *fragment, struct skrfs_buf *message, bool *ret_whole) {
    struct skrfs_error ignored;
    /* From the start again: whoever sent the first part was replaced. */
    if (fragment->offset == 0)
        skrfs_buf_truncate(message, 0);
    if (fragment->offset != message->len)
        return false;
    if (fragment->part.len &&
            skrfs_buf_append(message, fragment->part.data, fragment->part.len, &ignored) < 0)
        return false;
    *ret_whole = message->len == fragment->total;
    return true;
}
