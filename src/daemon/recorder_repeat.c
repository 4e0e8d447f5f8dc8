#include "recorder.h"

#include <skrfs/base/log.h>
#include <string.h>

static uint64_t mix(uint64_t hash, const void *data, size_t len) {
    const uint8_t *octets = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ octets[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Who, what, and why not. The process is none of it: a loop of short-lived ones is one caller. */
uint64_t repeat_hash(const struct skrfs_fs_event *event) {
    const struct skrfs_caller *caller = event->caller;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    hash = mix(hash, &event->kind, sizeof(event->kind));
    hash = mix(hash, &event->key, sizeof(event->key));
    hash = mix(hash, &event->err->kind, sizeof(event->err->kind));
    hash = mix(hash, event->what, strlen(event->what));
    if (caller) {
        hash = mix(hash, &caller->uid, sizeof(caller->uid));
        hash = mix(hash, &caller->gid, sizeof(caller->gid));
        if (caller->known & SKRFS_FACT_EXE)
            hash = mix(hash, caller->exe, strlen(caller->exe));
    }
    return hash ? hash : 1;
}

static void record(struct skrfs_recorder *recorder, struct repeat *repeat) {
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_error err;
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (skrfs_audit_body_repeat(repeat->body, &now, repeat->count, &body, &err) < 0)
        skrfs_log_error("refusals cannot be recorded: %s", err.message);
    else
        (void)recorder_take(recorder, skrfs_buf_text(&body), body.len, NULL, NULL, 0, SIZE_MAX);
    repeat->count = 0;
}

static void drop(struct repeat *repeat) {
    free(repeat->body);
    *repeat = (struct repeat){.hash = 0};
}

bool repeat_counts(struct skrfs_recorder *recorder, uint64_t hash, const char *body) {
    struct repeat *repeat = &recorder->repeats[(hash >> 32) % REPEATS];
    uint64_t now = skrfs_now_ns();

    if (repeat->hash == hash && now < repeat->until_ns) {
        repeat->count++;
        return true;
    }
    if (repeat->count)
        record(recorder, repeat);
    drop(repeat);
    repeat->body = strdup(body);
    if (repeat->body)
        *repeat = (struct repeat){.hash = hash,
                .until_ns = now + REPEAT_FIRST_NS,
                .span_ns = REPEAT_FIRST_NS,
                .body = repeat->body};
    return false;
}

static void flush(struct skrfs_recorder *recorder, struct repeat *repeat) {
    if (!repeat->count) {
        drop(repeat);
        return;
    }
    record(recorder, repeat);
    if (repeat->span_ns < REPEAT_LAST_NS)
        repeat->span_ns *= 2;
    repeat->until_ns = skrfs_now_ns() + repeat->span_ns;
}

uint64_t repeat_flush(struct skrfs_recorder *recorder, bool all) {
    uint64_t now = skrfs_now_ns(), next = SKRFS_NEVER_NS;

    for (size_t i = 0; i < REPEATS; i++) {
        struct repeat *repeat = &recorder->repeats[i];
        if (repeat->hash && (all || repeat->until_ns <= now))
            flush(recorder, repeat);
        if (repeat->hash && repeat->until_ns < next)
            next = repeat->until_ns;
    }
    return next;
}

void repeat_done(struct skrfs_recorder *recorder) {
    for (size_t i = 0; i < REPEATS; i++)
        drop(&recorder->repeats[i]);
}
