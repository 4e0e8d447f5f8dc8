/* The children of a mount, and what the parent gives to each. Every *_main runs in a child that was
 * just forked, hardens itself, closes its sandbox, works, and returns its exit status. */
#ifndef SKRFS_DAEMON_PROCESS_H
#define SKRFS_DAEMON_PROCESS_H

#include <skrfs/caller/caller.h>
#include <skrfs/client/wiring.h>
#include <skrfs/daemon/daemon.h>
#include <skrfs/fs/fs.h>
#include <sys/stat.h>

enum skrfs_role {
    SKRFS_ROLE_KEEPER,
    SKRFS_ROLE_COURIER,
    SKRFS_ROLE_WITNESS,
    SKRFS_ROLE_RELAY,
    SKRFS_ROLE_SCRIBE, /* writes the audit; only where one is wanted */
    SKRFS_ROLE_PROBE,  /* looks once whether the mount answers; may hang, so it is a process */
    SKRFS_ROLE_COUNT
};
const char *skrfs_role_name(enum skrfs_role role);

/* What a child says to the parent: one write to a pipe, shorter than PIPE_BUF and so whole. */
struct skrfs_notice {
    uint32_t role;
    uint32_t ready; /* 1: works; 0: could not start, for the reason in `err` */
    struct skrfs_error err;
};

/* A child's belongings. Descriptors that are not its own are -1 (and closed). */
struct skrfs_child {
    const struct skrfs_conf *conf;
    const char *path; /* the mount point */
    pid_t parent;
    pid_t host; /* whose namespaces are the host's; 0: this process's own. A service is in a mount
                   namespace of its own, and 1 is the host there */
    struct skrfs_network *network; /* prepared by the parent, not open; its secrets are the
                                      courier's alone */
    struct skrfs_fs_handover *handover;
    struct skrfs_ledger *ledger;    /* the keeper's alone: NULL in every other child */
    struct skrfs_scribe_page *page; /* the scribe's alone */
    bool journal;                   /* the audit goes to the journal */
    char boot_id[37];
    int fuse;
    int courier; /* the child's end of the socket pair */
    int witness;
    int relay;
    int scribe;
    int notices; /* writing end of the pipe */
};

int skrfs_keeper_main(const struct skrfs_child *child);
int skrfs_courier_main(const struct skrfs_child *child);
int skrfs_witness_main(const struct skrfs_child *child);
int skrfs_relay_main(const struct skrfs_child *child);
int skrfs_scribe_main(const struct skrfs_child *child);

/* Tells the parent. A parent that is gone is no concern of the child's. */
void skrfs_notice_ready(const struct skrfs_child *child, enum skrfs_role role);
/* Logs the error, tells the parent, returns the exit status. */
int skrfs_notice_failed(
        const struct skrfs_child *child, enum skrfs_role role, const struct skrfs_error *err);

/* That a file system can be mounted at `path`, and its device. A mount whose server is gone is
 * cleared away. CONFIG, SYSTEM. */
int skrfs_mount_point_check(
        const char *path, dev_t *ret_device, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The first steps of every child: signals as a fresh program has them (but SIGINT, SIGHUP, SIGQUIT
 * and SIGPIPE ignored: a terminal's go to the parent alone), death with the parent, and no
 * descriptor but the child's own, standard error, and /dev/null in place of standard input and
 * output. Ends the process when the parent is gone
 * already. */
void skrfs_child_begin(const struct skrfs_child *child);
/* Not dumpable, no core file; for the parent, whose other powers stay while it may have to unmount.
 */
int skrfs_process_seal(const char *name, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Keeps of the capabilities those in `keep`. */
int skrfs_process_drop(uint64_t keep, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* As root: becomes the user and group 65534 with no other groups than these; nothing otherwise. */
int skrfs_process_become_nobody(
        const gid_t *groups, size_t group_count, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Tells the system calls that a role may make, by name, with the conditions in words (NULL: none);
 * for SKRFS_ROLE_COUNT those that the parent, and with it all others, may not. The keeper's are
 * told with those of every TEE. */
typedef void skrfs_sandbox_tell_fn(void *context, const char *call, const char *when);
void skrfs_sandbox_tell(enum skrfs_role role, skrfs_sandbox_tell_fn *tell, void *context);

/* What the courier needs for logins with credentials from files. */
struct skrfs_credentials {
    char *folders[SKRFS_CONF_VAULTS_MAX + 1]; /* to be readable in its sandbox */
    size_t count;
    gid_t groups[SKRFS_CONF_VAULTS_MAX + 1]; /* to be joined by a process that was root */
    size_t group_count;
    /* Octets of secret memory that logins may want at the same time, for a private key of each
     * vault; 0: there is none among the files. The sandbox lets no more be mapped. */
    size_t secret;
};
/* Looks at the files of the vaults' logins. One that the courier will not be able to read is warned
 * of, with what to do. */
int skrfs_credentials_find(const struct skrfs_network *network, size_t vault_count,
        struct skrfs_credentials *ret_credentials, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_credentials_done(struct skrfs_credentials *credentials);
/* Whether nobody can read such a file; *ret_group: as a member of its group. */
bool skrfs_credential_open_to(const struct stat *status, bool *ret_group);

/* The keeper's end of its witness: one question at a time, a second's patience; silence means
 * unknown, and behind a question that was not answered the next wait a tenth of that. */
struct skrfs_witness;
int skrfs_witness_new(
        int fd, struct skrfs_witness **ret_witness, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_witness_free(struct skrfs_witness *witness);
SKRFS_DEFINE_CLEANUP(struct skrfs_witness, skrfs_witness_free)
/* A skrfs_describe_fn; the context is the struct skrfs_witness. Thread safe. */
void skrfs_witness_describe(void *context, unsigned facts, struct skrfs_caller *caller);
/* A skrfs_unit_fn over the same. */
int skrfs_witness_unit(void *context, const char *unit, bool *ret_active, struct skrfs_error *err);
/* Answers questions on `fd` by this describer until the other end closes: the witness process's
 * loop. */
struct units; /* NULL: no key asks for any */
int skrfs_witness_serve(int fd, struct skrfs_describer *describer, struct units *units,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Where the audit is written. */
#define SKRFS_JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SKRFS_AUDIT_MESSAGE_ID "fc1b51b25bf64faea355614099beeaa4"
/* Whether it goes to the journal: as configured, or when journald is there. */
bool skrfs_audit_journal(const struct skrfs_conf *conf);

/* What a scribe must know of the one before it: shared memory, made by the parent before the first
 * fork. The end of the chain, and the record that was being written. */
struct skrfs_scribe_page;
int skrfs_scribe_page_new(
        struct skrfs_scribe_page **ret_page, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_scribe_page_free(struct skrfs_scribe_page *page);

/* The keeper's end of the audit: a bounded queue of records that the scribe has not acknowledged
 * yet. */
struct skrfs_recorder;
struct skrfs_recorder_options {
    int fd;                        /* to the scribe; borrowed; does not block */
    const struct skrfs_conf *conf; /* borrowed */
    bool journal;
    const char *boot_id; /* borrowed */
};
int skrfs_recorder_new(const struct skrfs_recorder_options *options,
        struct skrfs_recorder **ret_recorder, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Waits up to a second for what is not acknowledged yet. Nobody may be waiting for a record any
 * more. */
void skrfs_recorder_free(struct skrfs_recorder *recorder);
SKRFS_DEFINE_CLEANUP(struct skrfs_recorder, skrfs_recorder_free)
/* A skrfs_fs_audit_fn, and a skrfs_tried_fn; the context is the struct skrfs_recorder. */
int skrfs_recorder_event(void *context, const struct skrfs_fs_event *event,
        skrfs_fs_recorded_fn *recorded, void *recorded_context, struct skrfs_error *err);
void skrfs_recorder_tried(
        void *context, size_t key, struct skrfs_proof *proof, const struct skrfs_error *err);
struct skrfs_recorder_stats {
    uint64_t written; /* the number of the chain's last record */
    uint64_t waiting; /* not acknowledged yet */
    uint64_t lost;    /* since this keeper began */
    bool stuck;       /* nothing can be written at present */
};
void skrfs_recorder_get_stats(
        struct skrfs_recorder *recorder, struct skrfs_recorder_stats *ret_stats);
/* How it is, for status.json. Thread safe. */
int skrfs_recorder_status(struct skrfs_recorder *recorder, struct skrfs_json **ret_json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the receipt of a key's last release; NOT_FOUND when there was none. Thread safe. */
int skrfs_recorder_receipt(struct skrfs_recorder *recorder, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Calls back with each record of the audit that the journal has, the oldest first. */
typedef int skrfs_journal_record_fn(
        void *context, const char *record, size_t len, struct skrfs_error *err);
int skrfs_journal_records(
        skrfs_journal_record_fn *record, void *context, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The texts below status/, from the store. */
struct skrfs_reporter {
    const struct skrfs_conf *conf;
    struct skrfs_store *store;
    struct skrfs_fs *fs;
    struct skrfs_recorder *recorder; /* NULL: there is no audit */
    int64_t since_s;                 /* when this keeper began */
};
int skrfs_report_status(const struct skrfs_reporter *reporter, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_report_metrics(const struct skrfs_reporter *reporter, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_report_why(const struct skrfs_reporter *reporter, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* "ok" when no key's last attempt failed and the audit is written; "failing" when every key that
 * was tried failed, or nobody is given one since the audit is required and cannot be written; else
 * "degraded". */
const char *skrfs_report_health(const struct skrfs_reporter *reporter);
/* A skrfs_report_fn over them; the context is the struct skrfs_reporter. */
int skrfs_report(void *context, enum skrfs_fs_report which, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err);

/* The parent: everything after the mount exists. Returns when the mount ended: 0, or why it did not
 * start. */
struct skrfs_parent;
struct skrfs_parent_options {
    const struct skrfs_conf *conf;
    const struct skrfs_mount_options *mount;
    struct skrfs_network *network;
    struct skrfs_fs_handover *handover;
    struct skrfs_ledger *ledger;  /* borrowed */
    int fuse;                     /* borrowed */
    dev_t below;                  /* device of the mount point before it was mounted over */
    void (*ready)(void *context); /* called once, when the mount answers */
    void *context;
};
int skrfs_parent_run(
        const struct skrfs_parent_options *options, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
