/* The audit: records, their chain, and what can be said of a file of them afterwards. Pure: the
 * daemon's scribe process writes (daemon/scribe.c), the verbs read.
 *
 * A record is one line of a file, or one entry of the journal (field SKRFS_RECORD):
 *
 *     <64 hexadecimal digits> <JSON object without blanks outside of strings>\n
 *
 * The digits are the SHA-256 of the JSON text's octets; its member "prev" is the digits of the
 * record before, "seq" counts from 1, "chain" is the same in all of them. So that a stranger can
 * verify it with sha256sum alone. The first record of a chain has 64 zeros in "prev"; a file that
 * was begun after others were put aside goes on with theirs, and its first record has a member
 * "file" that says which record is the oldest that is kept. No record holds a key byte, a token or
 * an answer. Texts that came from outside are printable ASCII; other octets are written as \xNN.
 * Thread safe: no state. */
#ifndef SKRFS_AUDIT_AUDIT_H
#define SKRFS_AUDIT_AUDIT_H

#include <skrfs/access/access.h>
#include <skrfs/base/buf.h>
#include <skrfs/json/json.h>
#include <time.h>

#define SKRFS_AUDIT_RECORD_MAX ((size_t)16 * 1024)
/* Of a record that is not in the chain yet. */
#define SKRFS_AUDIT_BODY_MAX (SKRFS_AUDIT_RECORD_MAX - 512)
#define SKRFS_AUDIT_DIGEST 32
#define SKRFS_AUDIT_HEX (2 * SKRFS_AUDIT_DIGEST + 1)
#define SKRFS_AUDIT_CHAIN 17 /* 16 hexadecimal digits and a NUL */
/* A line: digits, blank, record, newline. */
#define SKRFS_AUDIT_LINE_MAX (SKRFS_AUDIT_RECORD_MAX + SKRFS_AUDIT_HEX + 1)

enum skrfs_audit_kind {
    SKRFS_AUDIT_BEGIN,   /* a scribe or a keeper begins: boot id, version, configuration's digest,
                            policy of audit */
    SKRFS_AUDIT_OPEN,    /* one decision */
    SKRFS_AUDIT_READ,    /* by another than who opened, or refused */
    SKRFS_AUDIT_RELEASE, /* the vault was asked: key, version, digests, measurement, or the failure
                          */
    SKRFS_AUDIT_WIPE,
    SKRFS_AUDIT_RENEW,
    SKRFS_AUDIT_GONE, /* its limits took a key back */
    SKRFS_AUDIT_LOST, /* so many records could not be written (audit not required) */
    SKRFS_AUDIT_END,  /* an orderly end */
    SKRFS_AUDIT_KIND_COUNT
};
/* "begin", "open", ... */
const char *skrfs_audit_kind_name(enum skrfs_audit_kind kind);

/* What one release was, for the record and for the receipt. Hexadecimal texts; "" where unknown. */
struct skrfs_proof {
    uint64_t release; /* number since this keeper began, from 1 */
    int64_t wall_s;
    char vault[128], name[128], kid[512], version[33];
    char enc[32];          /* how it was wrapped: "RSA_AES_KEY_WRAP_256", ... */
    char token_sha256[65]; /* of the attestation token's octets */
    char jws_sha256[65];   /* of the released JWS's octets */
    char tee[32];          /* "azure-cvm", ... */
    char measurement[129]; /* of the TEE: SNP measurement, MRTD, MRENCLAVE */
    char pcrs_sha256[65];  /* of an azure-cvm: the quote's PCR digest */
    char boot_id[37];
};

/* What begins. Strings borrowed. */
struct skrfs_audit_begin {
    const char *process; /* "scribe" or "keeper" */
    const char *version; /* of skrfs */
    const char *config, *config_sha256;
    const char *mount, *boot_id;
    bool journal, required;
    bool restart;            /* the mount itself goes on */
    const char *file;        /* NULL: none */
    uint64_t torn;           /* octets of a half-written line that were cut off */
    uint64_t head_seq;       /* 0, or what this mount knew to be the last record, and is not: ... */
    const char *head_digest; /* ... the end of the file was cut off */
};

/* One record before it is in the chain. Strings borrowed; what the kind has no use for is zero. */
struct skrfs_audit_entry {
    enum skrfs_audit_kind kind;
    struct timespec when; /* CLOCK_REALTIME */
    const char *key;      /* the file's name below keys/; NULL: every key */
    const char *path;     /* in the tree */
    const struct skrfs_caller *caller;
    const char *rule, *version;
    uint64_t release;
    const struct skrfs_error *err; /* NULL: granted, released, done */
    uint64_t repeated;             /* more of the kind that this one counts */
    uint64_t lost;
    const struct skrfs_proof *proof;
    const struct skrfs_audit_begin *begin;
};
/* Appends the record's JSON text as it is before it is in the chain: at most SKRFS_AUDIT_BODY_MAX
 * octets. */
int skrfs_audit_body(const struct skrfs_audit_entry *entry, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same body, counting so many more. */
int skrfs_audit_body_repeat(const char *body, const struct timespec *when, uint64_t repeated,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The end of a chain: seq 0 and zeros before its first record. */
struct skrfs_audit_head {
    uint64_t seq;
    uint8_t digest[SKRFS_AUDIT_DIGEST];
    char chain[SKRFS_AUDIT_CHAIN];
};
/* What the first record of a file says of the files before it. */
struct skrfs_audit_volume {
    uint64_t number; /* of the file, from 1; 0: this is not a file's first record */
    uint64_t oldest; /* the first record of the oldest file that is kept */
};
/* Appends the line of the record that follows `head` with this body, and moves `head` on to it. A
 * body that is no JSON object on one line is BAD_ANSWER. */
int skrfs_audit_seal(struct skrfs_audit_head *head, const struct skrfs_audit_volume *volume,
        const char *body, size_t len, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A line taken apart. */
struct skrfs_audit_record {
    uint64_t seq;
    uint8_t written[SKRFS_AUDIT_DIGEST]; /* as the line has it */
    uint8_t made[SKRFS_AUDIT_DIGEST];    /* of its text */
    uint8_t prev[SKRFS_AUDIT_DIGEST];
    char chain[SKRFS_AUDIT_CHAIN];
    enum skrfs_audit_kind kind;
    bool restart; /* a begin, of a process whose mount goes on */
    struct skrfs_audit_volume volume;
    struct skrfs_json *json; /* owned */
};
/* `line` without its newline. BAD_ANSWER when it is none; that `written` and `made` are alike is
 * not looked at. */
int skrfs_audit_parse(const char *line, size_t len, struct skrfs_audit_record *ret_record,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_audit_record_done(struct skrfs_audit_record *record);
#define skrfs_autorecord SKRFS_CLEANUP(skrfs_audit_record_done) struct skrfs_audit_record

/* Appends one sentence for people: "keys/tls opened by uid 33 ...". Members that are missing or of
 * another kind are passed over. */
int skrfs_audit_tell(const struct skrfs_json *record, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Calls back for each member that is a text, a number or a truth as a field of the journal:
 * "SKRFS_WHO_UID", "33". */
typedef int skrfs_audit_field_fn(
        void *context, const char *name, const char *value, struct skrfs_error *err);
int skrfs_audit_fields(const struct skrfs_json *record, skrfs_audit_field_fn *field, void *context,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A receipt: what was released on which measured boot, and the record that vouches for it (seq 0:
 * none yet). Appends JSON. */
int skrfs_receipt_print(const char *key, const struct skrfs_proof *proof,
        const struct skrfs_audit_head *record, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same for people, from that JSON. */
int skrfs_receipt_tell(const struct skrfs_json *receipt, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Looks for what was done to records afterwards. */
struct skrfs_audit_check;
struct skrfs_audit_check_options {
    /* Entries of a journal: several chains may be mixed, an entry may be there twice (sent again by
     * a scribe that was killed), and old ones go when the journal is cleaned. */
    bool journal;
    /* What the last record must be, from elsewhere: a later one may follow. seq 0: not known, and
     * then an end without a record `end` is a finding. */
    struct skrfs_audit_head head;
};
int skrfs_audit_check_new(const struct skrfs_audit_check_options *options,
        struct skrfs_audit_check **ret_check, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_audit_check_free(struct skrfs_audit_check *check);
SKRFS_DEFINE_CLEANUP(struct skrfs_audit_check, skrfs_audit_check_free)
/* The following lines are of this file (kept by pointer), the oldest first. */
int skrfs_audit_check_file(struct skrfs_audit_check *check, const char *name,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* One line; `whole`: a newline was behind it. Only memory can fail. */
int skrfs_audit_check_line(struct skrfs_audit_check *check, const char *line, size_t len,
        bool whole, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends one line a finding, "FILE:LINE: what". *ret_findings: how many; notes, which are no
 * findings, begin with "note: ". */
int skrfs_audit_check_end(struct skrfs_audit_check *check, struct skrfs_buf *out,
        size_t *ret_findings, size_t *ret_records, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Between the keeper and the scribe, over a pair of SOCK_SEQPACKET sockets that outlives either.
 * The keeper numbers what it sends, from 1; its epoch tells it from the keepers before. What was
 * not acknowledged is sent again when the scribe says HELLO, and is written once. */
enum skrfs_audit_post_type { SKRFS_POST_HELLO = 1, SKRFS_POST_RECORD = 2 };
struct skrfs_audit_post {
    uint32_t type;
    uint32_t len; /* of the text */
    uint64_t epoch, number;
    char text[SKRFS_AUDIT_BODY_MAX]; /* a body; only `len` octets are sent */
};
#define SKRFS_AUDIT_POST_HEAD offsetof(struct skrfs_audit_post, text)
/* False for what is no such message: a length that is not that of its text, a body that is no
 * single line of printable ASCII between braces. */
bool skrfs_audit_post_check(const struct skrfs_audit_post *post, size_t size);

#define SKRFS_AUDIT_ACKS_MAX 64
struct skrfs_audit_ack {
    uint64_t number, seq; /* seq 0: written before, by another scribe */
    uint8_t digest[SKRFS_AUDIT_DIGEST];
};
enum skrfs_audit_answer_type {
    SKRFS_ANSWER_HELLO = 1,   /* a scribe began */
    SKRFS_ANSWER_ACK = 2,     /* these are written */
    SKRFS_ANSWER_TROUBLE = 3, /* nothing can be written, for this reason; it is tried on */
};
struct skrfs_audit_answer {
    uint32_t type;
    uint32_t count;
    uint64_t epoch; /* whose numbers these are */
    struct skrfs_audit_head head;
    char trouble[256];
    struct skrfs_audit_ack acks[SKRFS_AUDIT_ACKS_MAX]; /* only `count` are sent */
};
#define SKRFS_AUDIT_ANSWER_HEAD offsetof(struct skrfs_audit_answer, acks)
bool skrfs_audit_answer_check(const struct skrfs_audit_answer *answer, size_t size);

#endif
