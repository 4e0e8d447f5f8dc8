/* Between the files of conf: what was read, before it is checked (struct raw), and the steps that
 * check. */
#ifndef SKRFS_SRC_CONF_ROOM_H
#define SKRFS_SRC_CONF_ROOM_H

#include <skrfs/base/buf.h>
#include <skrfs/conf/conf.h>

/* inih cuts longer names off. */
#define WORD_MAX 50

enum section_kind {
    SECTION_ATTESTATION,
    SECTION_VAULT,
    SECTION_KEY,
    SECTION_NETWORK,
    SECTION_IMDS,
    SECTION_LOGIN,
    SECTION_TEE,
    SECTION_TPM,
    SECTION_MOUNT,
    SECTION_LAB,
    SECTION_AUDIT,
    SECTION_COUNT
};

/* Where something stands; lines and columns from 1. */
struct place {
    const char *file;
    unsigned line;
    unsigned column;
};

/* A line that continues a list, and where in the list's text it begins. */
struct segment {
    size_t offset;
    struct place place;
};

struct value {
    const char *name; /* the schema's */
    char *text;
    struct place place;
    struct segment *segments;
    size_t segment_count;
};

struct section {
    enum section_kind kind;
    char *name; /* "" for sections without one */
    struct place place;
    struct value *values;
    size_t value_count;
};

struct raw {
    char **files;
    size_t file_count;
    struct section **sections; /* in order of appearance */
    size_t section_count;
    void *tree; /* the same by kind and name, of tsearch(3) */
    size_t counts[SECTION_COUNT];
    struct skrfs_buf text; /* of all files */
};

/* CONFIG, "file:line:column: ...". */
int conf_fail_at(struct skrfs_error *err, const struct place *place, const char *format, ...)
        SKRFS_PRINTF(3, 4);
#define conf_fail_at(...) skrfs_minus_one((conf_fail_at)(__VA_ARGS__))

/* schema.c: which sections and names there are. */
bool conf_find_kind(const char *word, enum section_kind *ret_kind);
const char *conf_kind_word(enum section_kind kind);
bool conf_kind_is_named(enum section_kind kind);
/* The schema's own copy of the name, NULL when the section has no such name. */
const char *conf_find_name(enum section_kind kind, const char *name);
bool conf_name_is_list(const char *name);
/* Which of these (ends with a NULL) `word` was meant to be; NULL when none is near. */
const char *conf_nearest(const char *word, const char *const *candidates);
int conf_fail_unknown_kind(
        struct skrfs_error *err, const struct place *place, const char *word) SKRFS_MUST_CHECK;
int conf_fail_unknown_name(struct skrfs_error *err, const struct place *place,
        enum section_kind kind, const char *name) SKRFS_MUST_CHECK;
int conf_fail_unknown_vault(
        struct skrfs_error *err, const struct value *value, const struct skrfs_conf *conf);

/* raw.c: what was read. */
int raw_add_file(struct raw *raw, const char *name, const char **ret_name, struct skrfs_error *err);
/* The section, new or met before; twice in one file is an error. */
int raw_open_section(struct raw *raw, enum section_kind kind, const char *name,
        const struct place *place, struct section **ret_section, struct skrfs_error *err);
/* Sets a name; twice in one file is an error, a later file replaces. */
int raw_set(struct section *section, const char *name, const char *text, const struct place *place,
        struct skrfs_error *err);
/* Continues a list that was set. */
int raw_extend(struct section *section, const char *name, const char *text,
        const struct place *place, struct skrfs_error *err);
/* Where the word that begins at this offset of a list's text stands. */
struct place raw_place_of(const struct value *value, size_t offset);
/* NULL when it was not set. */
const struct value *raw_get(const struct section *section, const char *name);
const struct section *raw_find(const struct raw *raw, enum section_kind kind, const char *name);
void raw_done(struct raw *raw);

/* text.c: UTF-8 without control characters. */
int conf_check_text(const char *name, const char *text, size_t len, struct skrfs_error *err);
/* ini.c: one file's text into `raw`. */
int conf_read_text(
        struct raw *raw, const char *name, const char *text, size_t len, struct skrfs_error *err);

/* value.c: one value each; the message says what is expected. A NULL value leaves the output alone.
 */
int conf_take_text(const struct value *value, char **ret_text, struct skrfs_error *err);
int conf_take_path(const struct value *value, char **ret_path, struct skrfs_error *err);
int conf_take_duration(const struct value *value, uint64_t *ret_ns, struct skrfs_error *err);
int conf_take_bool(const struct value *value, bool *ret_bool, struct skrfs_error *err);
int conf_take_mode(const struct value *value, mode_t *ret_mode, struct skrfs_error *err);
/* One of these words (ends with a NULL). */
int conf_take_word(const struct value *value, const char *const *words, char **ret_text,
        struct skrfs_error *err);
/* A tenant's or a client's identifier, or a tenant's domain. */
int conf_take_id(const struct value *value, char **ret_text, struct skrfs_error *err);
/* Non-empty, of these characters, at most `max` of them. */
bool conf_is_word(const char *text, const char *allowed, size_t max);
#define LETTERS_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* url.c */
/* "https://host[:port]" without a path; `ret_host` (may be NULL) gets the host alone. */
int conf_take_https(
        const struct value *value, char **ret_url, char **ret_host, struct skrfs_error *err);
/* "http://" to this machine or its link, as the instance metadata service is. */
int conf_take_imds(const struct value *value, char **ret_url, struct skrfs_error *err);
/* A proxy: http or https, host and port. */
int conf_take_proxy(const struct value *value, char **ret_url, struct skrfs_error *err);

/* names.c: users and groups, the last answers kept (context of struct skrfs_names). */
struct names_memo {
    char user[64];
    uid_t uid;
    char group[64];
    gid_t gid;
};
void names_use(struct skrfs_names *names, struct names_memo *memo);

/* vault.c, key.c, login.c, tee.c: sections into the configuration. */
int conf_take_vault(
        const struct section *section, struct skrfs_conf_vault *vault, struct skrfs_error *err);
/* Managed identities, the first kinds that 'identity' can be. */
bool conf_identity_is_managed(const char *identity);
int conf_take_login(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err);
/* After vaults and login: what of them cannot work together. */
int conf_check_login(const struct raw *raw, const struct skrfs_conf *conf, struct skrfs_error *err);
int conf_take_audit(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err);
int conf_take_tee(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err);
int conf_take_key(const struct section *section, const struct skrfs_conf *conf,
        const struct skrfs_names *names, struct skrfs_conf_key *key, struct skrfs_error *err);
/* build.c: everything. */
int conf_build(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err);

#endif
