/* The file system: FUSE operations, names and inodes, the caller's description, errno at the edge.
 */
#ifndef SKRFS_FS_FS_H
#define SKRFS_FS_FS_H

#include <skrfs/access/limits.h>
#include <skrfs/store/ledger.h>
#include <skrfs/store/store.h>
#include <sys/ioctl.h>

struct skrfs_fs;

/* ioctl(2) on an open file of status/, for root and the mount's owner: on why/<name> it wipes that
 * key, on status.json every key. Open handles answer EKEYREVOKED from then on; the next open
 * releases again. A read-only descriptor is enough: the mount itself is read-only. */
#define SKRFS_IOC_WIPE _IO('s', 0x51)
/* The same way, on the same files: a key that its limits took back (reads =, until =) may be opened
 * again, its budget whole. EKEYREVOKED: its `until` lies behind us, or its unit is active: it would
 * be gone again at once. EINVAL: it has no limits (of every key, those are passed over). */
#define SKRFS_IOC_RENEW _IO('s', 0x52)
/* On status.json: for so many seconds (0: no longer) every caller is described whole and noted, for
 * status/learned. Beginning forgets what was noted before. */
#define SKRFS_IOC_LEARN _IOW('s', 0x53, uint32_t)

/* A key as the tree shows it; strings borrowed. */
struct skrfs_fs_key {
    const char *file;
    enum skrfs_format format;
    struct skrfs_guard guard;
    bool hide; /* whoever may not open it does not find it: not by name, not in a listing */
    struct skrfs_limits limits; /* `until_unit` borrowed */
};

/* Describes a caller by its thread id, as far as `facts` (of enum skrfs_fact) says. Asked of the
 * witness process in the daemon, since the keeper's sandbox sees no /proc. Never fails: what could
 * not be read is said to be unknown in *caller. */
typedef void skrfs_describe_fn(void *context, unsigned facts, struct skrfs_caller *caller);

/* Whether a systemd unit is active: 0 and *ret_active, or UNAVAILABLE with why that could not be
 * learned. Waits, a second at most. Thread safe. */
typedef int skrfs_unit_fn(
        void *context, const char *unit, bool *ret_active, struct skrfs_error *err);

/* How far a key's limits are. */
struct skrfs_fs_limits {
    struct skrfs_limits limits; /* as configured; `until_unit` borrowed */
    uint64_t used;              /* opens that were given */
    int64_t until_s;            /* when its time is over, in seconds since 1970; 0: not by time */
    enum skrfs_gone gone;       /* what took it back */
    int64_t gone_s;             /* since when */
};

/* What the audit hears. */
enum skrfs_fs_event_kind {
    SKRFS_EVENT_OPEN,  /* of a key file, when it is answered */
    SKRFS_EVENT_READ,  /* by another than who opened, or refused: once for each reader and handle */
    SKRFS_EVENT_WIPE,  /* by an operator */
    SKRFS_EVENT_RENEW, /* by an operator */
    SKRFS_EVENT_GONE,  /* its limits took the key back; no caller */
};
struct skrfs_fs_event {
    enum skrfs_fs_event_kind kind;
    size_t key;                        /* SIZE_MAX: every key */
    const char *what;                  /* the path in the tree: "keys/tls" */
    const struct skrfs_caller *caller; /* or NULL */
    const char *rule;                  /* what decided, as skrfs_access_decide says it; or NULL */
    const char *version;               /* that was given; "" otherwise */
    uint64_t release;                  /* number of the release whose bytes were given, or 0 */
    const struct skrfs_error *err;     /* NULL: granted */
    uint64_t since_ns;                 /* when the request came; 0: now */
};
/* Called once for an event that was waited for, from a thread of the audit's: `err` NULL when it is
 * recorded. */
typedef void skrfs_fs_recorded_fn(void *context, const struct skrfs_error *err);
/* Records one; refusals that are alike may share a record. Never waits. 0: taken, and that is
 * enough. 1: `recorded` will be called, within half a second; never when it is NULL. -1: it cannot
 * be recorded and is required to be: the answer is then `err`'s. Thread safe. */
typedef int skrfs_fs_audit_fn(void *context, const struct skrfs_fs_event *event,
        skrfs_fs_recorded_fn *recorded, void *recorded_context, struct skrfs_error *err);

/* The generated files below status/. */
enum skrfs_fs_report {
    SKRFS_REPORT_HEALTH,  /* status/health: one word and a newline */
    SKRFS_REPORT_STATUS,  /* status/status.json */
    SKRFS_REPORT_METRICS, /* status/metrics: OpenMetrics text */
    SKRFS_REPORT_WHY,     /* status/why/<file> of `key` */
    SKRFS_REPORT_RECEIPT, /* status/receipts/<file> of `key`: JSON */
    SKRFS_REPORT_LEARNED, /* status/learned: JSON; written by the file system itself */
};
/* Appends the text of one of them to `out` (limit SKRFS_FS_REPORT_MAX). `key` counts for WHY and
 * RECEIPT. Called on each open of such a file by a thread that reads the device: it must not block
 * and never release. */
typedef int skrfs_report_fn(void *context, enum skrfs_fs_report which, size_t key,
        struct skrfs_buf *out, struct skrfs_error *err);
#define SKRFS_FS_REPORT_MAX ((size_t)64 * 1024 * 1024)

/* Totals since this keeper began. */
struct skrfs_fs_stats {
    uint64_t requests;       /* read from the device */
    uint64_t opens;          /* of key files, that were granted and answered with a handle */
    uint64_t reads;          /* of key files */
    uint64_t denied;         /* opens and reads refused by the rules */
    uint64_t failed;         /* opens that ended in any other error */
    uint64_t interrupted;    /* opens given up by their callers */
    uint64_t reply_failures; /* answers that the kernel did not take */
    bool adopted;            /* took a mount over from an earlier keeper */
};

/* What the parent keeps for a keeper that comes after: shared memory, made by skrfs_fs_handover_new
 * before the first fork. Holds the kernel's FUSE_INIT request and the requests in flight; no key,
 * no name. */
struct skrfs_fs_handover;
int skrfs_fs_handover_new(
        struct skrfs_fs_handover **ret_handover, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same memory as a file without a name (memfd), whose size is sealed, for a parent that comes
 * after this process: who holds it, with the FUSE descriptor, can serve the mount. It belongs to
 * the user that makes it. `below` is the device of the mount point's folder before it was mounted
 * over. */
int skrfs_fs_handover_create(dev_t below, int *ret_fd, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Maps it; `fd` stays the caller's. CONFIG when it is none, or of another version of skrfs. */
int skrfs_fs_handover_open(int fd, struct skrfs_fs_handover **ret_handover, dev_t *ret_below,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_fs_handover_free(struct skrfs_fs_handover *handover);
SKRFS_DEFINE_CLEANUP(struct skrfs_fs_handover, skrfs_fs_handover_free)

struct skrfs_fs_options {
    const struct skrfs_fs_key *keys;
    size_t key_count;
    struct skrfs_store *store;
    skrfs_describe_fn *describe;
    void *describe_context;
    skrfs_report_fn *report;
    void *report_context;
    skrfs_unit_fn *unit; /* for keys with limits.until_unit */
    void *unit_context;
    struct skrfs_ledger
            *ledger; /* borrowed; for keys with limits. NULL: they begin with this keeper */
    skrfs_fs_audit_fn *audit; /* NULL: none */
    void *audit_context;
    bool audit_who;   /* describe every opener by SKRFS_FACTS_WHO, whatever the rules need */
    uid_t owner;      /* who mounted: may use status/ and, without allow_other, all there is */
    bool lab;         /* status says that this is a lab */
    unsigned threads; /* that read the device (0: 2) */
};

/* Mounts: opens /dev/fuse and mounts it at `path` with these comma separated options (those of
 * mount.fuse3(8) that make sense for a read-only tree; unknown ones are CONFIG), by mount(2) as
 * root, by fusermount3 otherwise. `ro,nosuid,nodev,noexec` always. *ret_fd is the device. Called by
 * the parent. */
int skrfs_fs_mount(const char *path, const char *options, bool allow_other, int *ret_fd,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Unmounts (lazily when busy). */
int skrfs_fs_unmount(const char *path, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Serves the device until the file system is unmounted (0) or `fd` fails. `handover` may hold an
 * earlier keeper's state, which is then replayed. New: takes the options by pointer for its life.
 */
int skrfs_fs_new(const struct skrfs_fs_options *options, int fd, struct skrfs_fs_handover *handover,
        struct skrfs_fs **ret_fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_fs_serve(struct skrfs_fs *fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Ends what is parked with EINTR and frees; `fd` stays open, it is the caller's. The store must
 * still be alive. */
void skrfs_fs_free(struct skrfs_fs *fs);
SKRFS_DEFINE_CLEANUP(struct skrfs_fs, skrfs_fs_free)

/* Thread safe, while the file system is served too. */
void skrfs_fs_get_stats(struct skrfs_fs *fs, struct skrfs_fs_stats *ret_stats);

/* False: the key has no limits. Thread safe. */
bool skrfs_fs_get_limits(struct skrfs_fs *fs, size_t key, struct skrfs_fs_limits *ret_limits);

#endif
