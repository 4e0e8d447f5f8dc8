#include "internal.h"

#include <string.h>

/* Layout: the head, then for each step its times and flag, and its two texts with their NULs. The
 * full struct is 10 KiB a key, this is some hundred octets. */
struct head {
    int64_t begun_wall_s;
    uint32_t count, dropped;
};
struct step {
    uint64_t begun_ns, ended_ns;
    uint8_t failed;
};

static int append_text(
        struct skrfs_buf *packed, const char *text, size_t max, struct skrfs_error *err) {
    if (skrfs_buf_append(packed, text, strnlen(text, max - 1), err))
        return -1;
    return skrfs_buf_append(packed, "", 1, err);
}

static int append_step(
        struct skrfs_buf *packed, const struct skrfs_trace_step *step, struct skrfs_error *err) {
    struct step times;
    memset(&times, 0, sizeof times);
    times.begun_ns = step->begun_ns;
    times.ended_ns = step->ended_ns;
    times.failed = step->failed;
    if (skrfs_buf_append(packed, &times, sizeof times, err))
        return -1;
    if (append_text(packed, step->name, sizeof step->name, err))
        return -1;
    return append_text(packed, step->note, sizeof step->note, err);
}

void trace_pack(const struct skrfs_trace *trace, struct skrfs_buf *packed) {
    struct head head = {.begun_wall_s = trace->begun_wall_s, .dropped = (uint32_t)trace->dropped};
    struct skrfs_error err;
    size_t count = trace->count < SKRFS_TRACE_STEPS_MAX ? trace->count : SKRFS_TRACE_STEPS_MAX;
    skrfs_buf_done(packed);
    packed->max = sizeof *trace + sizeof head;
    head.count = (uint32_t)count;
    int rc = skrfs_buf_append(packed, &head, sizeof head, &err);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = append_step(packed, &trace->steps[i], &err);
    /* Half a trace would mislead more than none. */
    if (rc)
        skrfs_buf_done(packed);
}

static const uint8_t *take_text(const uint8_t *at, char *out, size_t size) {
    size_t len = strnlen((const char *)at, size - 1);
    memcpy(out, at, len);
    out[len] = 0;
    return at + len + 1;
}

void trace_unpack(const struct skrfs_buf *packed, struct skrfs_trace *ret_trace) {
    struct head head;
    struct step times;
    const uint8_t *at = packed->data;
    memset(ret_trace, 0, sizeof *ret_trace);
    if (packed->len < sizeof head)
        return;
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    ret_trace->begun_wall_s = head.begun_wall_s;
    ret_trace->dropped = head.dropped;
    for (ret_trace->count = 0; ret_trace->count < head.count; ret_trace->count++) {
        struct skrfs_trace_step *step = &ret_trace->steps[ret_trace->count];
        memcpy(&times, at, sizeof times);
        step->begun_ns = times.begun_ns;
        step->ended_ns = times.ended_ns;
        step->failed = times.failed;
        at = take_text(at + sizeof times, step->name, sizeof step->name);
        at = take_text(at, step->note, sizeof step->note);
    }
}
