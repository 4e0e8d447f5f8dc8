/* A chain of records for the tests. */
#ifndef SKRFS_TESTS_AUDIT_CHAIN_H
#define SKRFS_TESTS_AUDIT_CHAIN_H

#include "support.h"

#include <skrfs/audit/audit.h>

#define TEST_CHAIN "0123456789abcdef"
#define LINES_MAX 64

struct lines {
    char *lines[LINES_MAX]; /* with their newlines */
    size_t count;
};

/* A head before the first record. */
struct skrfs_audit_head test_head(void);
/* Adds a record of this kind. */
void lines_add(struct lines *lines, struct skrfs_audit_head *head,
        const struct skrfs_audit_volume *volume, enum skrfs_audit_kind kind);
/* begin, opens, end: `count` of them. */
void lines_make(struct lines *lines, size_t count, struct skrfs_audit_head *ret_head);
void lines_done(struct lines *lines);
/* All of them as one text. */
void lines_join(const struct lines *lines, struct skrfs_buf *out);
/* Checks texts as files "a", "b", ...; appends what was found to `out`, returns how many findings.
 */
size_t check_texts(const struct skrfs_buf *texts, size_t count,
        const struct skrfs_audit_check_options *options, struct skrfs_buf *out);

#endif
