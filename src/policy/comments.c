#include "tree.h"

struct scan {
    const char *text;
    size_t len, at;
    unsigned line, column;
};

static bool looking_at(const struct scan *scan, const char *two) {
    return scan->at + 1 < scan->len && scan->text[scan->at] == two[0] &&
           scan->text[scan->at + 1] == two[1];
}

/* Copies one octet, or a blank in its place; line ends stay, so that places do not move. */
static void step(struct scan *scan, uint8_t *out, bool blank) {
    char octet = scan->text[scan->at];
    bool line_end = octet == '\n' || octet == '\r';
    out[scan->at++] = (uint8_t)(blank && !line_end ? ' ' : octet);
    scan->column++;
    if (octet == '\n') {
        scan->line++;
        scan->column = 1;
    }
}

static void pass_string(struct scan *scan, uint8_t *out) {
    step(scan, out, false);
    while (scan->at < scan->len) {
        char octet = scan->text[scan->at];
        step(scan, out, false);
        if (octet == '"')
            return;
        if (octet == '\\' && scan->at < scan->len)
            step(scan, out, false);
    }
}

static void blank_line(struct scan *scan, uint8_t *out) {
    while (scan->at < scan->len && scan->text[scan->at] != '\n')
        step(scan, out, true);
}

static bool blank_block(struct scan *scan, uint8_t *out) {
    step(scan, out, true);
    step(scan, out, true);
    while (scan->at < scan->len && !looking_at(scan, "*/"))
        step(scan, out, true);
    if (scan->at >= scan->len)
        return false;
    step(scan, out, true);
    step(scan, out, true);
    return true;
}

int skrfs_policy_blank_comments(const char *text, size_t len, struct skrfs_buf *out,
        comment_fn *each, void *context, struct skrfs_error *err) {
    if (len == 0)
        return 0;
    size_t before = out->len;
    uint8_t *space = NULL;
    if (skrfs_buf_extend(out, len, &space, err) < 0)
        return -1;
    struct scan scan = {.text = text, .len = len, .line = 1, .column = 1};
    while (scan.at < len) {
        bool block = looking_at(&scan, "/*");
        if (!block && !looking_at(&scan, "//")) {
            if (text[scan.at] == '"')
                pass_string(&scan, space);
            else
                step(&scan, space, false);
            continue;
        }
        unsigned line = scan.line, column = scan.column;
        each(context, line, column);
        if (!block)
            blank_line(&scan, space);
        else if (!blank_block(&scan, space)) {
            skrfs_buf_truncate(out, before);
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                    "line %u, column %u: the comment that begins here has no end", line, column);
        }
    }
    return 0;
}

static void count_comment(void *context, unsigned line, unsigned column) {
    (void)line;
    (void)column;
    ++*(size_t *)context;
}

int skrfs_policy_strip_comments(const char *text, size_t len, struct skrfs_buf *out,
        size_t *ret_count, struct skrfs_error *err) {
    size_t count = 0;
    if (skrfs_policy_blank_comments(text, len, out, count_comment, &count, err) < 0)
        return -1;
    *ret_count = count;
    return 0;
}
