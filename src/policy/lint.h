/* Lint's parts, inside this room only. */
#ifndef SKRFS_POLICY_LINT_H
#define SKRFS_POLICY_LINT_H

#include "known.h"

struct finding {
    enum skrfs_finding_level level;
    unsigned line, column;
    char *text;
};

struct lint {
    const char *text; /* comments blanked: places are those of the original */
    size_t len;
    struct finding *findings;
    size_t count, room;
    char path[PATH_MAX_LEN]; /* of the node that is looked at */
    bool refused;            /* a vault would not take it */
    bool no_memory;
    struct skrfs_error *err; /* why it is refused, the first reason */
};

void skrfs_lint_add(struct lint *lint, enum skrfs_finding_level level, unsigned line,
        unsigned column, const char *text);
/* A finding about a member of the node at lint->path, or (NULL) about the node. An error also
 * refuses the policy. */
void skrfs_lint_say(struct lint *lint, enum skrfs_finding_level level, const char *member,
        const char *format, ...) SKRFS_PRINTF(4, 5);

/* One claim by itself: its name, its operator, its value. */
void skrfs_lint_claim(struct lint *lint, const struct condition *claim);
/* One authority as a whole, at lint->path: combinations that no token has, and which machines meet
 * it. */
void skrfs_lint_authority(struct lint *lint, const struct authority *authority);
/* "equals", or "value" in the old form: the member that holds a claim's value. */
const char *skrfs_lint_value_member(const struct condition *claim);

#endif
