#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/trace.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void skrfs_trace_start(struct skrfs_trace *trace) {
    if (!trace)
        return;
    memset(trace, 0, sizeof(*trace));
    trace->begun_wall_s = skrfs_wall_s();
}

size_t skrfs_trace_begin(struct skrfs_trace *trace, const char *name) {
    if (!trace || trace->count >= SKRFS_TRACE_STEPS_MAX) {
        if (trace)
            trace->dropped++;
        return SKRFS_TRACE_STEPS_MAX;
    }
    struct skrfs_trace_step *step = &trace->steps[trace->count];
    memset(step, 0, sizeof(*step));
    skrfs_text_clean(name, strlen(name), step->name, sizeof(step->name));
    step->begun_ns = skrfs_now_ns();
    return trace->count++;
}

static struct skrfs_trace_step *open_step(struct skrfs_trace *trace, size_t index) {
    if (!trace || index >= trace->count)
        return NULL;
    trace->steps[index].ended_ns = skrfs_now_ns();
    return &trace->steps[index];
}

void skrfs_trace_end(struct skrfs_trace *trace, size_t step, const char *format, ...) {
    struct skrfs_trace_step *ended = open_step(trace, step);
    if (!ended || !format)
        return;
    char note[SKRFS_TRACE_NOTE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(note, sizeof(note), format, args);
    va_end(args);
    if (len >= 0)
        skrfs_text_clean(note, strlen(note), ended->note, sizeof(ended->note));
}

int skrfs_trace_failed(struct skrfs_trace *trace, size_t step, const struct skrfs_error *err) {
    struct skrfs_trace_step *ended = open_step(trace, step);
    if (ended) {
        ended->failed = true;
        skrfs_text_clean(err->message, strnlen(err->message, sizeof(err->message)), ended->note,
                sizeof(ended->note));
    }
    return -1;
}

static const char *outcome(const struct skrfs_trace_step *step) {
    if (step->failed)
        return "failed";
    return step->ended_ns ? "ok" : "running";
}

/* Whether `part` ran while `whole` did: what a step asked for is a part of it. */
static bool within(const struct skrfs_trace_step *part, const struct skrfs_trace_step *whole) {
    if (part->begun_ns < whole->begun_ns)
        return false;
    return !whole->ended_ns || (part->begun_ns < whole->ended_ns && part->ended_ns &&
                                       part->ended_ns <= whole->ended_ns);
}

static int depth(const struct skrfs_trace *trace, size_t index) {
    int found = 0;
    for (size_t i = 0; i < index; i++)
        found += within(&trace->steps[index], &trace->steps[i]);
    return found;
}

/* A failure climbs: it is told where it happened, not again at each step around that. */
static bool told_within(const struct skrfs_trace *trace, size_t index) {
    const struct skrfs_trace_step *step = &trace->steps[index];
    for (size_t i = index + 1; step->failed && i < trace->count; i++) {
        const struct skrfs_trace_step *later = &trace->steps[i];
        if (later->failed && within(later, step) && strcmp(later->note, step->note) == 0)
            return true;
    }
    return false;
}

static int print_step(const struct skrfs_trace *trace, size_t index, struct skrfs_buf *out,
        struct skrfs_error *err) {
    const struct skrfs_trace_step *step = &trace->steps[index];
    uint64_t end = step->ended_ns ? step->ended_ns : skrfs_now_ns();
    uint64_t us = end > step->begun_ns ? (end - step->begun_ns) / 1000 : 0;
    const char *note = told_within(trace, index) ? "" : step->note;
    return skrfs_buf_printf(out, err, "  %-7s %8" PRIu64 ".%" PRIu64 " ms  %*s%s%s%s\n",
            outcome(step), us / 1000, us % 1000 / 100, 2 * depth(trace, index), "", step->name,
            note[0] ? ": " : "", note);
}

int skrfs_trace_print(
        const struct skrfs_trace *trace, struct skrfs_buf *out, struct skrfs_error *err) {
    char when[24];
    skrfs_format_time(trace->begun_wall_s, when, sizeof(when));
    if (skrfs_buf_printf(out, err, "begun %s\n", when))
        return -1;
    for (size_t i = 0; i < trace->count; i++)
        if (print_step(trace, i, out, err))
            return -1;
    if (trace->dropped)
        return skrfs_buf_printf(out, err, "  and %zu more steps\n", trace->dropped);
    return 0;
}

void skrfs_trace_merge(struct skrfs_trace *trace, const struct skrfs_trace *from) {
    if (!trace)
        return;
    for (size_t i = 0; i < from->count; i++) {
        if (trace->count < SKRFS_TRACE_STEPS_MAX)
            trace->steps[trace->count++] = from->steps[i];
        else
            trace->dropped++;
    }
    trace->dropped += from->dropped;
}
