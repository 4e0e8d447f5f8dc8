/* Who asks, in the words of the rules, and what the rules answer him: for `skrfs can`. */
#ifndef SKRFS_SRC_CLI_WHO_H
#define SKRFS_SRC_CLI_WHO_H

#include <skrfs/base/buf.h>
#include <skrfs/conf/conf.h>

struct who {
    struct skrfs_caller caller;
    unsigned said;        /* kinds of conditions, as bits, that were said or follow from what was */
    unsigned spaces;      /* namespaces, as bits, that were */
    size_t container_len; /* digits of the container's id that were; the rest is zeros */
    bool process;         /* one that is there: what could not be read is not merely unsaid */
};

/* From conditions joined by '&' or blanks. A user is needed; his groups are the system's, further
 * ones may be said. What the executable's file has is taken from it when it is there. CONFIG for
 * what is said twice or cannot be one caller's. */
int who_parse(const char *text, const struct skrfs_names *names, struct who *ret_who,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* From the words of a command line, which are joined. */
int who_join(char *const *words, int count, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* who_process.c: a process that is there, described as far as the keys of the configuration need
 * it. NOT_FOUND when there is none of that number. */
int who_process(pid_t pid, const struct skrfs_conf *conf, struct who *ret_who,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

enum who_verdict {
    WHO_MAY,
    WHO_MAY_NOT,
    WHO_DEPENDS, /* not as described: something that was not said would decide */
};
struct who_answer {
    enum who_verdict verdict;
    char rule[SKRFS_RULE_TEXT_MAX];
    char reason[SKRFS_ERROR_MESSAGE_MAX]; /* "" for WHO_MAY */
};
/* By the mount's own decision, at this time. */
void who_ask(const struct who *who, const struct skrfs_guard *guard, int64_t wall_s,
        struct who_answer *ret_answer);

/* "2026-01-31T08:15:00Z", or "08:15" of today, in UTC. */
int who_time(const char *text, int64_t *ret_wall_s, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
