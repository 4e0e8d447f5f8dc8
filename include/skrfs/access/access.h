/* Who may read which key: a pure decision over a caller's description, and its record for the audit
 * log.
 *
 * The decision, in this order, each step able only to refuse:
 *   1. owner, group and mode, as on any file system (uid 0 passes this step, and only this one);
 *   2. `hours`: outside of them nobody reads;
 *   3. `deny`: a rule that matches refuses;
 *   4. `allow`: when given, one of its rules must match. It narrows and never widens.
 * The first rule that matches decides its list. A rule is one or more conditions, all of which must
 * hold. What a rule needs to know and could not be had refuses (fail closed): an unknown condition
 * of a `deny` rule counts as met, of an `allow` rule as not met. No I/O. Thread safe. */
#ifndef SKRFS_ACCESS_ACCESS_H
#define SKRFS_ACCESS_ACCESS_H

#include <skrfs/base/error.h>
#include <sys/types.h>

#define SKRFS_RULES_MAX 64      /* rules of one key and list */
#define SKRFS_CONDITIONS_MAX 16 /* conditions of one rule */
#define SKRFS_GROUPS_MAX 256    /* supplementary groups of a caller that are looked at */
#define SKRFS_PATH_MAX 4096
#define SKRFS_CGROUP_MAX 1024
#define SKRFS_UNIT_MAX 256 /* systemd's own limit (UNIT_NAME_MAX) */
#define SKRFS_CONTAINER_MAX 65
#define SKRFS_LABEL_MAX 256
#define SKRFS_VERITY_MAX 160    /* "sha512:" and 128 digits */
#define SKRFS_RULE_TEXT_MAX 512 /* a rule as text for people; longer ones are cut */

/* What may be known of a caller beyond what the kernel's request says of it. Bits. */
enum skrfs_fact {
    SKRFS_FACT_GROUPS = 1 << 0,
    SKRFS_FACT_EXE = 1 << 1,        /* the executable's path */
    SKRFS_FACT_SHA256 = 1 << 2,     /* the digest of the executable's contents */
    SKRFS_FACT_VERITY = 1 << 3,     /* its fs-verity digest */
    SKRFS_FACT_CGROUP = 1 << 4,     /* and from it the systemd unit and the container */
    SKRFS_FACT_NAMESPACES = 1 << 5, /* mount, pid and user namespace */
    SKRFS_FACT_LABEL = 1 << 6,      /* of the Linux security module */
};
#define SKRFS_FACTS_ALL 0x7fU
/* What an audit record says of a caller. */
#define SKRFS_FACTS_WHO ((unsigned)SKRFS_FACT_EXE | SKRFS_FACT_CGROUP)

enum skrfs_namespace { SKRFS_NS_MNT, SKRFS_NS_PID, SKRFS_NS_USER, SKRFS_NS_COUNT };

/* Each is written as WORD:VALUE; a value with blanks or '&' stands in double quotes. */
enum skrfs_condition_kind {
    SKRFS_CONDITION_USER,   /* user:NAME or user:UID */
    SKRFS_CONDITION_GROUP,  /* group:NAME or group:GID, primary or supplementary */
    SKRFS_CONDITION_EXE,    /* exe:/absolute/path, or with a final "/\*" all below a folder */
    SKRFS_CONDITION_SHA256, /* sha256:64 hexadecimal digits, of the executable */
    SKRFS_CONDITION_VERITY, /* verity:sha256:HEX or verity:sha512:HEX */
    SKRFS_CONDITION_UNIT, /* unit:NAME.service; one '*' stands for any part, as in foo@*.service */
    SKRFS_CONDITION_CGROUP,    /* cgroup:/path, or with a final "/\*" all below it */
    SKRFS_CONDITION_CONTAINER, /* container:ID, 12 to 64 hexadecimal digits from its beginning */
    SKRFS_CONDITION_HOST, /* host: mount, pid and user namespace are those of the mount itself */
    SKRFS_CONDITION_NAMESPACE, /* mnt-ns:, pid-ns:, user-ns: with a number, or `host` */
    SKRFS_CONDITION_LABEL,     /* label:TEXT; a final '*' stands for any rest */
};

struct skrfs_condition {
    enum skrfs_condition_kind kind;
    uint32_t id;                /* of a user or group */
    enum skrfs_namespace space; /* of a namespace */
    uint64_t inode;             /* its number; 0: `host` */
    char *text;                 /* path, unit, container, label, "sha256:..."; NULL otherwise */
    uint8_t sha256[32];
};

/* Conditions joined by '&': all must hold. */
struct skrfs_rule {
    struct skrfs_condition *conditions;
    size_t count;
    size_t column; /* where it begins in the text that was parsed, from 0 */
};

struct skrfs_rules {
    struct skrfs_rule *rules;
    size_t count;
};

/* Turns names into numbers; implemented by conf over the system's database. False: no such name. */
struct skrfs_names {
    bool (*user)(void *context, const char *name, uid_t *ret_uid);
    bool (*group)(void *context, const char *name, gid_t *ret_gid);
    void *context;
};

/* Parses "user:nginx & exe:/usr/sbin/nginx  unit:backup.service ...": rules separated by blanks,
 * the conditions of one joined by '&'. On failure CONFIG and *ret_column is where in `text` (from
 * 0) the wrong condition begins. */
int skrfs_rules_parse(const char *text, const struct skrfs_names *names,
        struct skrfs_rules *ret_rules, size_t *ret_column,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_rules_done(struct skrfs_rules *rules);
/* Whether a path is the one of an exe: or cgroup: condition: the same, or below its folder when it
 * ends in "/\*". */
bool skrfs_path_matches(const char *pattern, const char *path);
/* The rule as it would be written (names as numbers), cleaned and cut to `size`. */
void skrfs_rule_print(const struct skrfs_rule *rule, char *out, size_t size);

/* Who asks. What is not known is said so, not guessed. */
struct skrfs_caller {
    uid_t uid;
    gid_t gid;
    pid_t pid;      /* thread id in the daemon's namespace, 0: unknown, refused */
    unsigned known; /* of enum skrfs_fact: which of the following could be read */
    size_t group_count;
    gid_t groups[SKRFS_GROUPS_MAX];
    char exe[SKRFS_PATH_MAX]; /* a file that is deleted, or in another mount namespace and not the
                                 one at that path here, counts as unknown */
    uint8_t sha256[32];
    char verity[SKRFS_VERITY_MAX]; /* "sha256:HEX"; a file without fs-verity counts as unknown */
    char cgroup[SKRFS_CGROUP_MAX];
    char unit[SKRFS_UNIT_MAX];           /* from cgroup; "": in none */
    char container[SKRFS_CONTAINER_MAX]; /* from cgroup; "": in none */
    struct {
        uint64_t inode;
        bool host; /* the mount's own */
    } spaces[SKRFS_NS_COUNT];
    char label[SKRFS_LABEL_MAX];
    char lack[192]; /* why something that was asked for is not known, for people; "" otherwise */
};

/* A window that comes again each day (UTC): from `from_minute` up to, not including, `to_minute` of
 * the day; when the second is not after the first it reaches into the next day. */
struct skrfs_hours {
    uint8_t days; /* on which it begins: bit 0 Monday ... bit 6 Sunday; 0: there is no window */
    uint16_t from_minute, to_minute;
};

struct skrfs_guard {
    uid_t owner;
    gid_t group;
    mode_t mode; /* 0400 to 0777, read bits count */
    struct skrfs_hours hours;
    struct skrfs_rules allow, deny;
};

/* Which facts must be known of a caller for this guard: so that the common case reads no /proc. */
unsigned skrfs_guard_needs(const struct skrfs_guard *guard, uid_t uid, gid_t gid);

/* 0 when the caller may read at `wall_s`; DENIED with the reason otherwise ("mode 0400 of owner 0
 * does not let uid 33 read", "no allow rule matches uid 33, exe /usr/bin/cat"). `rule`, unless
 * NULL, gets what decided: "mode 0400", "deny user:0", "allow exe:/usr/sbin/nginx", "no allow
 * rule". */
int skrfs_access_decide(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        int64_t wall_s, char rule[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The caller for a log line: "uid 33 gid 33 pid 812 exe /usr/bin/cat unit nginx.service", cleaned.
 */
void skrfs_caller_print(const struct skrfs_caller *caller, char *out, size_t size);
/* "groups", "executable", ... */
const char *skrfs_fact_name(enum skrfs_fact fact);

#endif
