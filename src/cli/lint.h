/* What is wrong with rules that can be read: for `skrfs lint`. */
#ifndef SKRFS_SRC_CLI_LINT_H
#define SKRFS_SRC_CLI_LINT_H

#include <skrfs/conf/conf.h>
#include <skrfs/json/json.h>

enum lint_level {
    LINT_NOTE,
    LINT_WARNING, /* does not do what it seems to, or lets in more than it seems to */
    LINT_ERROR,   /* cannot work at all */
    LINT_LEVELS,
};
extern const char *const lint_levels[LINT_LEVELS];

/* One run. */
struct lint {
    const struct skrfs_conf *conf;
    const struct skrfs_conf_map *map;
    int64_t wall_s;
    struct skrfs_buf *out;
    struct skrfs_json *json; /* NULL: as compilers write */
    size_t counts[LINT_LEVELS];
    gid_t *primary; /* of all users there are */
    size_t primary_count;
    char **units; /* that systemd has files of, sorted */
    size_t unit_count;
    bool failed; /* something could not be written, for `err` */
    struct skrfs_error err;
};

/* A place in a key's section: the value of `name` (NULL: the section) at `column` of its text. */
struct lint_at {
    size_t key;
    const char *name;
    size_t column;
};

/* A rule, and where it stands. */
struct lint_rule {
    const struct skrfs_guard *guard;
    const struct skrfs_rule *rule;
    struct lint_at at; /* `name`: "allow" or "deny" */
    char text[SKRFS_RULE_TEXT_MAX];
};
bool lint_is_allow(const struct lint_rule *rule);
/* The first condition of a kind, or NULL. */
const struct skrfs_condition *lint_condition(
        const struct skrfs_rule *rule, enum skrfs_condition_kind kind);

/* lint_find.c: writes a finding. `id` never changes; the text says why, and what to write instead.
 */
void lint_find(struct lint *lint, const struct lint_at *at, enum lint_level level, const char *id,
        const char *format, ...) SKRFS_PRINTF(5, 6);

/* lint_compare.c, pure: whether whoever meets `narrow` meets `wide`. */
bool lint_covers(const struct skrfs_rule *wide, const struct skrfs_rule *narrow);
/* Two conditions of one rule that nobody meets together. False: there are none. */
bool lint_contradiction(const struct skrfs_rule *rule, const struct skrfs_condition **ret_one,
        const struct skrfs_condition **ret_other);

/* lint_key.c: mode, hide, hours and the like. True when the mode keeps out all who meet the rule.
 */
void lint_key(struct lint *lint, size_t key);
bool lint_mode(struct lint *lint, const struct lint_rule *rule);
void lint_same_keys(struct lint *lint);
/* lint_list.c: all rules of a key, each and together. */
void lint_lists(struct lint *lint, size_t key);
/* lint_exe.c: programs as they are on this machine. */
void lint_exe(struct lint *lint, const struct lint_rule *rule);
/* lint_names.c: users, groups and units as this machine knows them. */
void lint_names(struct lint *lint, const struct lint_rule *rule);
void lint_names_read(struct lint *lint);
void lint_names_done(struct lint *lint);

#endif
