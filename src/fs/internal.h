/* What the files of fs share. Locks, outermost first: fs->lock, opening->lock, the store's own. */
#ifndef SKRFS_FS_INTERNAL_H
#define SKRFS_FS_INTERNAL_H

#define FUSE_USE_VERSION 314

#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <skrfs/fs/fs.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/stat.h>

/* Most octets of one READ (a secret fits) and, in the kernel's arithmetic, of one READDIR. */
#define FS_MAX_WRITE 65536
#define FS_BUFFER ((size_t)FS_MAX_WRITE + 4096)
#define FS_THREADS_DEFAULT 2
#define FS_THREADS_MAX 64
#define FS_STACK ((size_t)256 * 1024)
#define FS_VERSIONS_BITS 12
#define FS_VERSIONS (1U << FS_VERSIONS_BITS) /* pinned versions that have an inode at a time */
#define FS_LONG_TIMEOUT 3600.0

enum node_kind {
    NODE_ROOT,
    NODE_KEYS,
    NODE_VERSIONS,
    NODE_FORMATS,
    NODE_STATUS,
    NODE_WHYS,
    NODE_HEALTH,
    NODE_STATUS_JSON,
    NODE_METRICS,
    NODE_LEARNED,
    NODE_RECEIPTS,
    NODE_FIXED_COUNT,
    NODE_KEY = NODE_FIXED_COUNT, /* keys/<file> */
    NODE_VERSIONS_OF,            /* versions/<file> */
    NODE_FORMATS_OF,             /* formats/<file> */
    NODE_FORMAT,                 /* formats/<file>/<format> */
    NODE_WHY,                    /* status/why/<file> */
    NODE_VERSION,                /* versions/<file>/<version> */
    NODE_RECEIPT,                /* status/receipts/<file> */
    NODE_KIND_END,
};

struct node {
    fuse_ino_t ino;
    enum node_kind kind;
    size_t key;
    enum skrfs_format format;
    char version[SKRFS_STORE_VERSION_MAX]; /* "": the current one */
};

struct name_index {
    uint64_t hash;
    size_t key;
};

struct version_slot {
    uint64_t serial; /* 0: free */
    uint64_t used;
    size_t key;
    char version[SKRFS_STORE_VERSION_MAX];
};

/* Who read through a handle: a thread, and as whom. */
struct reader {
    pid_t tid; /* 0: nobody */
    uid_t uid;
    gid_t gid;
    bool refused;
};
#define HANDLE_READERS 8 /* that are remembered at a time, beside the opener */

struct handle {
    atomic_uint refs; /* the table, and each request that uses it */
    struct node node;
    bool counted;                        /* against `reads` */
    struct skrfs_generation *generation; /* of a key's file; its bytes are asked of the store */
    struct skrfs_buf text;               /* of a status file */
    struct reader opener;
    struct reader readers[HANDLE_READERS]; /* the table's lock */
    unsigned reader_next;
};

struct handles {
    pthread_mutex_t lock;
    uint32_t epoch; /* this keeper's: handles of an earlier one are stale */
    struct handle **slots;
    size_t count, cap, first_free;
};

/* Lines about one caller and key are limited to one a second. */
#define FS_AUDIT_SLOTS 256
struct audit_slot {
    size_t key;
    uid_t uid;
    uint64_t last_ns;
    uint64_t suppressed;
    uint64_t failures;
};

/* The last denial of each key, for status/why/: of many keys, of those that were denied last. */
#define FS_DENIALS 64
struct denial {
    size_t key;
    int64_t wall_s; /* 0: free */
    char text[512];
};

/* Threads whose open was answered with "look the name up again". */
#define FS_AGAIN_SLOTS 1024
struct again_slot {
    pid_t tid; /* 0: free */
    fuse_ino_t ino;
    uint64_t until_ns;
    struct skrfs_buf text; /* of a status file: what its second open will give */
};

/* What `skrfs learn` asked for. Kinds of callers that are remembered at a time: */
#define FS_LEARN_MAX 1024
struct observation;
struct learning {
    pthread_mutex_t lock;
    _Atomic uint64_t until_ns; /* skrfs_now_ns() */
    int64_t began_s;
    struct observation *seen[FS_LEARN_MAX];
    size_t count;
    uint64_t lost; /* that found no room */
};

/* Of one key with limits, what need not outlive this keeper; the rest is in the ledger. */
struct limit_state {
    uint32_t epoch;            /* counts renewals */
    unsigned open;             /* handles that count against `reads`, or are being answered */
    _Atomic bool watched;      /* its unit is asked for from time to time */
    _Atomic uint64_t heard_ns; /* when it was last told that its unit is not active */
};
/* One thread that waits for the next thing to do, and is there only when a key wants it. */
struct clockwork {
    pthread_t thread;
    pthread_cond_t moved;
    bool running, woken;
};
struct limits {
    struct limit_state *states; /* by key; NULL: no key has limits, nor hours */
    struct skrfs_ledger *ledger, *own;
    pthread_mutex_t lock;       /* states and clockworks; nothing else is locked under it */
    pthread_mutex_t transition; /* held while a key goes or comes; before `lock` and the store's */
    struct clockwork wall, boot, units;
    bool stop;
};

struct opening;
struct doomed;
TAILQ_HEAD(opening_list, opening);

struct skrfs_fs {
    struct skrfs_fs_options options;
    struct fuse_session *session;
    struct skrfs_fs_handover *handover;
    struct timespec started;
    struct name_index *index;
    bool hides;           /* some key is hidden from some */
    pthread_mutex_t lock; /* openings, versions and audit */
    pthread_cond_t no_openings;
    struct opening_list openings;
    struct version_slot *versions;
    uint64_t version_serial, version_clock;
    struct audit_slot audit[FS_AUDIT_SLOTS];
    struct denial denials[FS_DENIALS];
    struct learning learning;
    struct limits limits;
    struct handles handles;
    pthread_mutex_t again_lock;
    struct again_slot again[FS_AGAIN_SLOTS];
    _Atomic uint32_t *told_sizes; /* of keys/<file>: what the kernel may still believe */
    _Atomic uint32_t *why_sizes, *receipt_sizes;
    _Atomic uint32_t report_sizes[NODE_FIXED_COUNT];
    atomic_uint dropping; /* threads inside a page invalidation */
    unsigned threads;
    pthread_t janitor;
    bool has_janitor;
    pthread_mutex_t janitor_lock;
    pthread_cond_t janitor_work;
    SLIST_HEAD(doomed_list, doomed) doomed;
    bool janitor_stop;
    uint64_t swallowed; /* unique of a replayed FUSE_INIT, whose answer the kernel must not see */
    atomic_int device_errno;
    _Atomic uint64_t requests, opens, reads, denied, failed, interrupted, reply_failures;
    bool adopted;
};

/* names.c */
int names_init(struct skrfs_fs *fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
bool names_find(const struct skrfs_fs *fs, const char *file, size_t *ret_key);
/* Keys are listed in the order of their names' hashes: the first place whose cookie, the place in a
 * listing that the kernel is told, comes after this one. Cookies say nothing of the keys between,
 * which may be hidden. From 3 on. */
size_t names_after(const struct skrfs_fs *fs, uint64_t cookie);
uint64_t names_cookie(const struct skrfs_fs *fs, size_t place);
/* A number's bits for one of the kinds that are not fixed. */
#define NODE_INO_KIND(kind) ((uint64_t)((kind)-NODE_FIXED_COUNT) << 4)
fuse_ino_t node_ino(
        const struct skrfs_fs *fs, enum node_kind kind, size_t key, enum skrfs_format format);
/* False: no such inode, or one of an earlier keeper. */
bool node_resolve(struct skrfs_fs *fs, fuse_ino_t ino, struct node *ret_node);
/* 0, or the errno. */
int node_lookup(
        struct skrfs_fs *fs, const struct node *parent, const char *name, struct node *ret_node);
bool node_is_dir(const struct node *node);
bool node_is_key(const struct node *node);
/* "keys/tls", "formats/tls/pem"... for messages; a key's own file is just its name. */
void node_label(const struct skrfs_fs *fs, const struct node *node, char *out, size_t size);
struct skrfs_store_want node_want(const struct node *node);

/* versions.c */
int versions_init(struct skrfs_fs *fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
bool version_is_well_formed(const char *name);
uint64_t versions_get(struct skrfs_fs *fs, size_t key, const char *version);
bool versions_find(struct skrfs_fs *fs, uint64_t id, struct node *node);
/* The inode in the table's slot `index` below FS_VERSIONS; false when that is none of this key's
 * (SIZE_MAX: of no key's). */
bool versions_ino(struct skrfs_fs *fs, size_t index, size_t key, fuse_ino_t *ret_ino);

/* attr.c */
void attr_fill(
        struct skrfs_fs *fs, const struct node *node, struct stat *ret_attr, double *ret_timeout);
/* Before an open is answered: makes the kernel forget a size that is not this one. */
void attr_settle(struct skrfs_fs *fs, const struct node *node, size_t len);
void attr_set_report_size(struct skrfs_fs *fs, const struct node *node, size_t len);
/* After an adoption: whatever an earlier keeper told may be wrong. */
void attr_distrust(struct skrfs_fs *fs);

/* Whether the kernel was told this size of a key's file. */
bool attr_is_told(struct skrfs_fs *fs, const struct node *node, size_t len);

/* again.c */
/* True: answer this open with ESTALE, the kernel comes back with the size looked up. `text`, if
 * given, is moved and kept for that. False: this is the second time, or there is no room to
 * remember. */
bool again_ask(struct skrfs_fs *fs, pid_t tid, fuse_ino_t ino, struct skrfs_buf *text);
/* The text that was kept for this thread's second open. */
bool again_take_text(struct skrfs_fs *fs, pid_t tid, fuse_ino_t ino, struct skrfs_buf *ret_text);
/* The thread's open is answered with the file. */
void again_forget(struct skrfs_fs *fs, pid_t tid);
void again_end(struct skrfs_fs *fs);

/* handles.c */
int handles_init(struct handles *handles, struct skrfs_error *err) SKRFS_MUST_CHECK;
void handles_done(struct handles *handles);
int handle_add(struct handles *handles, struct handle *handle, uint64_t *ret_fh);
struct handle *handle_new(const struct node *node);              /* with one reference */
struct handle *handle_get(struct handles *handles, uint64_t fh); /* a reference, or NULL */
/* The table's reference; the number means nothing any more. */
struct handle *handle_take(struct handles *handles, uint64_t fh);
void handle_unref(struct handle *handle);

/* audit.c */
/* The caller of a request as far as this key's rules, and these facts, want to know. */
void audit_describe(struct skrfs_fs *fs, fuse_req_t req, const struct skrfs_guard *guard,
        unsigned facts, struct skrfs_caller *ret_caller);
/* What a record wants to know of a caller; 0 when none is made. */
unsigned audit_facts(const struct skrfs_fs *fs);
/* 0 or DENIED, which is counted and logged as "denied: <verb> ...". */
int audit_decide(struct skrfs_fs *fs, const struct node *node, const struct skrfs_caller *caller,
        const char *verb, char rule[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) SKRFS_MUST_CHECK;
void audit_denied(struct skrfs_fs *fs, const struct node *node, const struct skrfs_caller *caller,
        const char *verb, const struct skrfs_error *err);
/* Appends what of this key was last denied, if anything was. */
int audit_print(struct skrfs_fs *fs, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void audit_opened(
        struct skrfs_fs *fs, const struct node *node, const char *version, const char *who);
/* Once for each failed fetch, however many waited for it. */
void audit_failed(struct skrfs_fs *fs, const struct node *node, const struct skrfs_error *err);

/* record.c */
struct who; /* who opened, kept until that is answered; freed by free() */
struct who *record_who_new(const struct skrfs_caller *caller, const char *rule);
/* An event that nobody waits for: `refusal` NULL when it was done. */
void record_event(struct skrfs_fs *fs, enum skrfs_fs_event_kind kind, const struct node *node,
        const struct skrfs_caller *caller, const char *rule, const struct skrfs_error *refusal);
void record_refused(struct skrfs_fs *fs, const struct node *node, const struct who *who,
        const struct skrfs_error *refusal);
/* Before an open is granted: as the audit's function. */
int record_granted(struct skrfs_fs *fs, const struct node *node, const struct who *who,
        const struct skrfs_generation *generation, uint64_t since_ns,
        skrfs_fs_recorded_fn *recorded, void *context, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Before another than who opened reads; waits where the record is required. */
int record_read(struct skrfs_fs *fs, const struct handle *handle, const struct skrfs_caller *caller,
        const char *rule, struct skrfs_error *err) SKRFS_MUST_CHECK;
void reader_set(struct reader *reader, const struct fuse_ctx *ctx);
bool reader_opened(const struct handle *handle, const struct fuse_ctx *ctx);
/* Whether there is a record of this reader and handle: of a read, or of a refusal. */
bool reader_is_known(
        struct skrfs_fs *fs, struct handle *handle, const struct fuse_ctx *ctx, bool refused);
void reader_note(
        struct skrfs_fs *fs, struct handle *handle, const struct fuse_ctx *ctx, bool refused);

/* learn.c */
bool learn_is_on(struct skrfs_fs *fs);
/* Notes a decision on a key's file while that is asked for; `err` is the refusal or NULL. */
void learn_note(struct skrfs_fs *fs, const struct node *node, const struct skrfs_caller *caller,
        bool reads, const struct skrfs_error *err);
/* SKRFS_IOC_LEARN: 0 or the errno. */
int learn_ioctl(struct skrfs_fs *fs, fuse_req_t req, const struct node *node, const void *in,
        size_t in_size);
int learn_print(
        struct skrfs_fs *fs, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
void learn_end(struct skrfs_fs *fs);

/* hide.c */
bool hide_is_on(const struct skrfs_fs *fs, const struct node *node);
size_t hide_count(const struct skrfs_fs *fs); /* of keys that are hidden from some */
/* Whoever asks what there is; described once, when the first hidden key wants it. */
struct viewer {
    struct skrfs_fs *fs;
    unsigned asked;
    bool ready;
    struct skrfs_caller caller;
};
void viewer_init(struct viewer *viewer, struct skrfs_fs *fs, fuse_req_t req);
void viewer_describe(struct viewer *viewer);
/* Whether there is such a node for him. */
bool viewer_finds(struct viewer *viewer, const struct node *node);
/* The same for a request that asks for one node. */
bool hide_finds(struct skrfs_fs *fs, fuse_req_t req, const struct node *node);

/* limits.c: keys that are taken back by themselves */
int limits_init(struct skrfs_fs *fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
void limits_done(struct skrfs_fs *fs);
/* Before an open asks the store: a key whose time is over is gone by then, and the store refuses
 * it. -1: whether it is cannot be learned. */
int limits_enter(
        struct skrfs_fs *fs, const struct node *node, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The store was asked for it: its unit is watched while there is anything to take back. */
void limits_watch(struct skrfs_fs *fs, const struct node *node);
/* Before an open is answered with a handle; *ret_ticket is then handed to limits_settle with what
 * became of the answer. Never waits. */
#define LIMITS_NOT_COUNTED UINT64_MAX
int limits_take(struct skrfs_fs *fs, const struct node *node, uint64_t *ret_ticket,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void limits_settle(struct skrfs_fs *fs, const struct node *node, uint64_t ticket, bool taken);
/* A handle that counted is closed. */
void limits_closed(struct skrfs_fs *fs, const struct node *node);
/* At a read: whether the key's time is over. It takes nothing back: a page that this read is for is
 * locked. */
int limits_check(
        struct skrfs_fs *fs, const struct node *node, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* One key, or every one (SIZE_MAX): 0 or the errno. */
int limits_renew(struct skrfs_fs *fs, size_t key);
/* Whether the key's time of `until` has come. */
bool limits_time_is_over(const struct skrfs_fs *fs, size_t key);
void limits_take_back(struct skrfs_fs *fs, size_t key, enum skrfs_gone by);
/* Without being gone: it may be opened again when its rules and limits let it. */
void limits_wipe(struct skrfs_fs *fs, size_t key, const char *reason);
/* Asks for a key's unit; one that is active takes the key back. */
int limits_ask_unit(struct skrfs_fs *fs, size_t key, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* clockwork.c */
int clockworks_start(struct skrfs_fs *fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
void clockworks_end(struct skrfs_fs *fs);
/* Something changed that it may be waiting for. */
void clockwork_wake(struct skrfs_fs *fs, struct clockwork *clockwork);

/* open.c, read.c, poll.c, dir.c, status.c: the operations */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_access(fuse_req_t req, fuse_ino_t ino, int mask);
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(
        fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_readdirplus(
        fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void status_open(
        struct skrfs_fs *fs, fuse_req_t req, const struct node *node, struct fuse_file_info *fi);
int status_may(struct skrfs_fs *fs, const struct node *node, uid_t uid,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Answers an open with a handle, which is taken over; true when the kernel took it. */
bool open_reply(struct skrfs_fs *fs, fuse_req_t req, struct handle *handle,
        const struct fuse_file_info *fi);
void op_poll(
        fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *waiter);
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi,
        unsigned flags, const void *in, size_t in_size, size_t out_size);
void openings_end(struct skrfs_fs *fs);
/* The locked page run of the calling thread, through which a reply goes. */
struct skrfs_stage *read_stage(void);
void read_set_stage(struct skrfs_stage *stage);

/* janitor.c: drops a closed file's pages from the kernel's cache */
int janitor_start(struct skrfs_fs *fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
void janitor_end(struct skrfs_fs *fs);
void janitor_drop_pages(struct skrfs_fs *fs, fuse_ino_t ino);
/* Those of every file of a key, or of all keys (SIZE_MAX), mapped ones too. */
void janitor_drop_key(struct skrfs_fs *fs, size_t key);

/* handover.c */
#define HANDOVER_SLOTS 4096
void handover_save_init(struct skrfs_fs_handover *handover, const void *request, size_t len);
void handover_init_answered(struct skrfs_fs_handover *handover);
/* Copies the saved FUSE_INIT; 0 when there is none. */
size_t handover_load_init(
        const struct skrfs_fs_handover *handover, void *out, size_t size, bool *ret_answered);
/* Whether the kernel of a FUSE_INIT request sends unanswered requests again when told to. */
bool handover_can_resend(const void *init, size_t len);
void handover_begin(struct skrfs_fs_handover *handover, const void *request, size_t len);
void handover_end(struct skrfs_fs_handover *handover, uint64_t unique);
/* Has the kernel send again, or answers with an error, what an earlier keeper left unanswered. */
int handover_adopt(struct skrfs_fs_handover *handover, int fd, bool can_resend,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* device.c */
ssize_t device_writev(int fd, struct iovec *iov, int count, void *userdata);
ssize_t device_read(int fd, void *buf, size_t len, void *userdata);
/* Reads and answers FUSE_INIT, or replays an earlier keeper's. */
int device_begin(struct skrfs_fs *fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Serves until the device says that the file system is gone. */
int device_serve(struct skrfs_fs *fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A joinable thread with a small stack and all signals blocked. */
int device_thread(pthread_t *ret_thread, void *(*work)(void *), void *arg,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
