/* The steps of one attempt, for status/why/<name> and `skrfs why`: what was tried, how long it took
 * and which step failed. A plain value of fixed size; steps past the limit are counted, not kept.
 * Texts follow the log's rule: they may be published. Not thread safe. */
#ifndef SKRFS_BASE_TRACE_H
#define SKRFS_BASE_TRACE_H

#include <skrfs/base/buf.h>

#define SKRFS_TRACE_STEPS_MAX 32
#define SKRFS_TRACE_NAME_MAX 48
#define SKRFS_TRACE_NOTE_MAX 256

struct skrfs_trace_step {
    char name[SKRFS_TRACE_NAME_MAX]; /* "read the hcl report", "ask 'prod' for the release", ... */
    uint64_t begun_ns;
    uint64_t ended_ns; /* 0 while it runs */
    bool failed;
    char note[SKRFS_TRACE_NOTE_MAX]; /* what came of it, or the error's first words */
};

struct skrfs_trace {
    int64_t begun_wall_s;
    size_t count;   /* steps kept */
    size_t dropped; /* steps that had no room */
    struct skrfs_trace_step steps[SKRFS_TRACE_STEPS_MAX];
};

/* Empties it and notes the time. */
void skrfs_trace_start(struct skrfs_trace *trace);
/* Begins a step and returns its index for skrfs_trace_end. `trace` may be NULL here and below. */
size_t skrfs_trace_begin(struct skrfs_trace *trace, const char *name);
/* Ends it well, with a note (or NULL). */
void skrfs_trace_end(struct skrfs_trace *trace, size_t step, const char *format, ...)
        SKRFS_PRINTF(3, 4);
/* Ends it badly; the note is the error's message. Returns -1. */
int skrfs_trace_failed(struct skrfs_trace *trace, size_t step, const struct skrfs_error *err);
/* Appends the table for people, a line each step. */
int skrfs_trace_print(const struct skrfs_trace *trace, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the steps of `from` (times kept), as far as there is room. */
void skrfs_trace_merge(struct skrfs_trace *trace, const struct skrfs_trace *from);

#endif
