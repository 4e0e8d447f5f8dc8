#include "chain.h"

#include <stdlib.h>

struct skrfs_audit_head test_head(void) {
    return (struct skrfs_audit_head){.chain = TEST_CHAIN};
}

void lines_add(struct lines *lines, struct skrfs_audit_head *head,
        const struct skrfs_audit_volume *volume, enum skrfs_audit_kind kind) {
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    skrfs_autobuf line = SKRFS_BUF(SKRFS_AUDIT_LINE_MAX);
    struct skrfs_error err;
    struct skrfs_caller *who = calloc(1, sizeof(*who));
    who->uid = 33;
    who->pid = 100 + (pid_t)head->seq;
    const struct skrfs_audit_entry entry = {.kind = kind,
            .when = {.tv_sec = 1700000000 + (time_t)head->seq, .tv_nsec = 5000},
            .key = kind == SKRFS_AUDIT_OPEN ? "tls" : NULL,
            .caller = kind == SKRFS_AUDIT_OPEN ? who : NULL};
    assert_ok(skrfs_audit_body(&entry, &body, &err), err);
    assert_ok(skrfs_audit_seal(head, volume, skrfs_buf_text(&body), body.len, &line, &err), err);
    assert_true(lines->count < LINES_MAX);
    lines->lines[lines->count++] = strdup(skrfs_buf_text(&line));
    free(who);
}

void lines_make(struct lines *lines, size_t count, struct skrfs_audit_head *ret_head) {
    struct skrfs_audit_head head = test_head();
    const struct skrfs_audit_volume first = {.number = 1};
    *lines = (struct lines){.count = 0};
    for (size_t i = 0; i < count; i++)
        lines_add(lines, &head, i == 0 ? &first : NULL,
                i == 0           ? SKRFS_AUDIT_BEGIN
                : i + 1 == count ? SKRFS_AUDIT_END
                                 : SKRFS_AUDIT_OPEN);
    *ret_head = head;
}

void lines_done(struct lines *lines) {
    for (size_t i = 0; i < lines->count; i++)
        free(lines->lines[i]);
    lines->count = 0;
}

void lines_join(const struct lines *lines, struct skrfs_buf *out) {
    struct skrfs_error err;
    for (size_t i = 0; i < lines->count; i++)
        if (lines->lines[i])
            assert_ok(skrfs_buf_append_text(out, lines->lines[i], &err), err);
}

static void check_text(
        struct skrfs_audit_check *check, const struct skrfs_buf *text, struct skrfs_error *err) {
    const char *at = skrfs_buf_text(text), *end = at + text->len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        assert_ok(
                skrfs_audit_check_line(check, at, (size_t)(stop - at), newline != NULL, err), *err);
        at = newline ? newline + 1 : end;
    }
}

size_t check_texts(const struct skrfs_buf *texts, size_t count,
        const struct skrfs_audit_check_options *options, struct skrfs_buf *out) {
    static const char *const names[] = {"a", "b", "c"};
    struct skrfs_audit_check *check = NULL;
    size_t findings = 0, records = 0;
    struct skrfs_error err;
    assert_ok(skrfs_audit_check_new(options, &check, &err), err);
    for (size_t i = 0; i < count; i++) {
        assert_ok(skrfs_audit_check_file(check, names[i], &err), err);
        check_text(check, &texts[i], &err);
    }
    assert_ok(skrfs_audit_check_end(check, out, &findings, &records, &err), err);
    skrfs_audit_check_free(check);
    return findings;
}
