/* What the files of this room share. */
#ifndef SKRFS_SRC_ACCESS_INTERNAL_H
#define SKRFS_SRC_ACCESS_INTERNAL_H

#include <skrfs/access/access.h>
#include <skrfs/base/cleanup.h>

enum answer { NO, YES, UNKNOWN };

/* condition.c */
/* "exe:/usr/bin/cat", its quotes taken off. */
int condition_parse(const char *text, const struct skrfs_names *names,
        struct skrfs_condition *ret_condition, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* holds.c */
enum answer group_holds(const struct skrfs_caller *caller, gid_t group);
enum answer condition_holds(
        const struct skrfs_condition *condition, const struct skrfs_caller *caller);
enum answer rule_holds(const struct skrfs_rule *rule, const struct skrfs_caller *caller);
/* What of a caller a condition asks for; 0: what the kernel's request says is enough. */
unsigned condition_fact(const struct skrfs_condition *condition);

#endif
