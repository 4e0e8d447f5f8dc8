/* The parts of the scribe: the file, the journal, and what it knows of its predecessor. */
#ifndef SKRFS_SRC_DAEMON_SCRIBE_H
#define SKRFS_SRC_DAEMON_SCRIBE_H

#include <skrfs/audit/audit.h>
#include <skrfs/daemon/process.h>
#include <stdatomic.h>

struct skrfs_scribe_page {
    struct skrfs_audit_head head; /* of what is written */
    uint64_t epoch, done;         /* a keeper, and the last of its numbers that is written */
    /* The record that is being written, so that a successor can finish that: valid while
     * pending_len is not 0. Written twice it would be another chain. */
    _Atomic uint32_t pending_len;
    uint64_t pending_epoch, pending_number; /* number 0: a record of the scribe's own */
    struct skrfs_audit_head pending_head;
    char pending[SKRFS_AUDIT_LINE_MAX];
};

/* The audit file and those put aside. */
struct audit_file {
    const char *path; /* NULL: there is no file */
    int fd;
    uint64_t size, max_size;
    unsigned keep;
    struct skrfs_audit_volume volume; /* of this file */
    uint64_t torn;                    /* octets of a half-written line that were cut off */
};
/* What the file ended with. */
struct audit_tail {
    bool found; /* false: no record at all */
    struct skrfs_audit_head head;
};
/* Opens, locks and repairs: a line without its end is cut off. CONFIG when another mount writes to
 * it, or when it is no audit file. */
int audit_file_open(struct audit_file *file, struct audit_tail *ret_tail,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends whole or not at all. */
int audit_file_append(struct audit_file *file, const char *line, size_t len,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int audit_file_sync(const struct audit_file *file, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Puts the file aside when it has its size. */
int audit_file_rotate(struct audit_file *file, struct skrfs_error *err) SKRFS_MUST_CHECK;
void audit_file_close(struct audit_file *file);

/* One record to the journal, its members as fields. */
int audit_journal_send(const char *line, size_t len, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
