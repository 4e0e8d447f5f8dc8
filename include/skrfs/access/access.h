/* Who may read which key: a pure decision over a caller's description, and its record for the audit
 * log.
 *
 * The decision, in this order, each step able only to refuse:
 *   1. owner, group and mode, as on any file system (uid 0 passes this step, and only this one);
 *   2. `deny`: a rule that matches refuses;
 *   3. `allow`: when given, one of its rules must match. It narrows and never widens.
 * A description that a rule needs and that could not be had refuses (fail closed). No I/O. Thread
 * safe. */
#ifndef SKRFS_ACCESS_ACCESS_H
#define SKRFS_ACCESS_ACCESS_H

#include <skrfs/base/error.h>
#include <sys/types.h>

#define SKRFS_RULES_MAX 64   /* rules of one key and list */
#define SKRFS_GROUPS_MAX 256 /* supplementary groups of a caller that are looked at */
#define SKRFS_PATH_MAX 4096

enum skrfs_rule_kind {
    SKRFS_RULE_USER,  /* user:NAME or user:UID */
    SKRFS_RULE_GROUP, /* group:NAME or group:GID, primary or supplementary */
    SKRFS_RULE_EXE,   /* exe:/absolute/path, or with a final "/\*" everything below a folder */
};

struct skrfs_rule {
    enum skrfs_rule_kind kind;
    uint32_t id;
    char *path;
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

/* Parses "user:nginx exe:/usr/sbin/nginx ..." (separated by blanks). On failure CONFIG and
 * *ret_column is where in `text` (from 0) the wrong rule begins. */
int skrfs_rules_parse(const char *text, const struct skrfs_names *names,
        struct skrfs_rules *ret_rules, size_t *ret_column,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_rules_done(struct skrfs_rules *rules);

/* Who asks. What is not known is said so, not guessed. */
struct skrfs_caller {
    uid_t uid;
    gid_t gid;
    pid_t pid;       /* thread id in the daemon's namespace, 0: unknown, refused */
    bool has_groups; /* supplementary groups were read */
    size_t group_count;
    gid_t groups[SKRFS_GROUPS_MAX];
    bool has_exe; /* the executable's path was read; a file that is deleted, or in another mount
                     namespace and not the one at that path here, counts as unknown */
    char exe[SKRFS_PATH_MAX];
};

struct skrfs_guard {
    uid_t owner;
    gid_t group;
    mode_t mode; /* 0400 to 0777, read bits count */
    struct skrfs_rules allow, deny;
};

/* What must be known of a caller for this guard: so that the common case reads no /proc. */
struct skrfs_access_needs {
    bool groups, exe;
};
struct skrfs_access_needs skrfs_guard_needs(const struct skrfs_guard *guard, uid_t uid, gid_t gid);

/* 0 when the caller may read; DENIED with the reason otherwise ("mode 0400 of owner 0 does not let
 * uid 33 read", "no allow rule matches uid 33, exe /usr/bin/cat"). */
int skrfs_access_decide(const struct skrfs_guard *guard, const struct skrfs_caller *caller,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The caller for a log line: "uid 33 gid 33 pid 812 exe /usr/bin/cat", cleaned. */
void skrfs_caller_print(const struct skrfs_caller *caller, char *out, size_t size);

#endif
