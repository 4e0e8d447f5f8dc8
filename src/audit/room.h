/* What the files of this room share. */
#ifndef SKRFS_SRC_AUDIT_ROOM_H
#define SKRFS_SRC_AUDIT_ROOM_H

#include <skrfs/audit/audit.h>

/* Printable ASCII as it is, other octets (and the backslash) as \xNN, cut so that it fits. */
void audit_escape(const char *text, char *out, size_t size);

/* One line of printable ASCII between braces. */
bool audit_is_object_line(const char *text, size_t len);

/* Sets a member that says something: "" and NULL, and 0, are left out. */
int audit_set_text(struct skrfs_json *object, const char *name, const char *text,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int audit_set_number(struct skrfs_json *object, const char *name, uint64_t number,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* What a release was, without its number. */
int audit_set_proof(struct skrfs_json *object, const struct skrfs_proof *proof,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Members of a document that may be of any kind: "" and 0 when they are not there or not so. */
const char *audit_text(const struct skrfs_json *object, const char *name);
int64_t audit_number(const struct skrfs_json *object, const char *name);

/* What is remembered of a line that was looked at. */
struct audit_line {
    uint64_t seq, number, oldest; /* number: of the line in its file, from 1 */
    uint32_t file, chain;         /* indices */
    uint8_t written[SKRFS_AUDIT_DIGEST], made[SKRFS_AUDIT_DIGEST], prev[SKRFS_AUDIT_DIGEST];
    bool readable; /* a record: seq, prev and chain are as it says, whoever wrote that */
    bool intact;   /* and its digest is that of its text */
    bool opens, ends;
    bool begins; /* a mount */
};

struct skrfs_audit_check {
    struct skrfs_audit_check_options options;
    const char **files;
    size_t file_count;
    char (*chains)[SKRFS_AUDIT_CHAIN];
    size_t chain_count;
    struct audit_line *lines;
    size_t line_count, line_cap;
    uint64_t next_number;
};

/* findings.c: all that is wrong with one chain's lines (of the check's, in their order). */
struct audit_report {
    const struct skrfs_audit_check *check;
    struct skrfs_buf *out;
    size_t findings;
    struct skrfs_error *err;
    bool failed; /* no room for more text */
};
void audit_find(struct audit_report *report, const struct audit_line *const *lines, size_t count);
/* "FILE:LINE: text"; a note when `note`. */
void audit_report(struct audit_report *report, const struct audit_line *line, bool note,
        const char *format, ...) SKRFS_PRINTF(4, 5);

#endif
