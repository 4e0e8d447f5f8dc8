/* Where the records come from that an audit verb looks at. */
#ifndef SKRFS_SRC_CLI_AUDIT_INPUT_H
#define SKRFS_SRC_CLI_AUDIT_INPUT_H

#include "verbs.h"

#include <skrfs/audit/audit.h>

#define AUDIT_FILES_MAX 1024

struct audit_input {
    bool journal;
    char *files[AUDIT_FILES_MAX]; /* the oldest first; "-": standard input */
    size_t count;
    struct skrfs_audit_head head; /* as a mount knows it; seq 0: there is none */
};
void audit_input_done(struct audit_input *input);
#define auto_audit_input SKRFS_CLEANUP(audit_input_done) struct audit_input

/* The files that are named; of one alone, those that were put aside before it too. Without any, the
 * file of the mount (`mount`, or the one there is), whose head is noted, or of the configuration.
 */
int audit_input_find(const struct skrfs_call *call, const char *config, const char *mount,
        bool journal, struct audit_input *ret_input, struct skrfs_error *err) SKRFS_MUST_CHECK;

typedef int audit_file_fn(void *context, const char *name, struct skrfs_error *err);
/* A line without its newline; `whole`: there was one. A line that is longer than any record's comes
 * cut. */
typedef int audit_line_fn(
        void *context, const char *line, size_t len, bool whole, struct skrfs_error *err);
/* Calls back at the beginning of each file (or the journal) and for each line. */
int audit_input_read(const struct audit_input *input, audit_file_fn *file, audit_line_fn *line,
        void *context, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
