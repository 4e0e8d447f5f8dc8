/* The parsed policy, inside this room only: a tree that nobody changes once skrfs_policy_parse gave
 * it out. */
#ifndef SKRFS_POLICY_TREE_H
#define SKRFS_POLICY_TREE_H

#include <skrfs/policy/policy.h>

enum condition_kind { CONDITION_CLAIM, CONDITION_ANY, CONDITION_ALL };
enum comparison {
    COMPARE_EQUALS,
    COMPARE_NOT_EQUALS,
    COMPARE_LESS,
    COMPARE_LESS_OR_EQUALS,
    COMPARE_GREATER,
    COMPARE_GREATER_OR_EQUALS,
    COMPARE_EXISTS,
    COMPARE_COUNT
};

struct condition {
    enum condition_kind kind;
    char *claim;                /* CLAIM */
    enum comparison comparison; /* CLAIM */
    char *value;                /* CLAIM: as text, the way the service compares */
    bool old_form;              /* CLAIM: written as condition and value */
    bool lower;                 /* ANY, ALL: written as anyof or allof */
    struct condition *children; /* ANY, ALL */
    size_t count;
};

struct authority {
    char *url;
    struct condition root;
};

struct skrfs_policy {
    struct authority *authorities;
    size_t count;
    bool old_version; /* "1.0", "0.2" */
};

/* "equals", ... as the grammar writes them. */
extern const char *const skrfs_policy_comparisons[COMPARE_COUNT];
/* The name of the member that holds a list. */
const char *skrfs_policy_list_name(const struct condition *list);

/* Where a reader stands in the document: "anyOf[0].allOf[2]". */
#define PATH_MAX_LEN 512
size_t skrfs_path_member(char path[PATH_MAX_LEN], const char *name);
size_t skrfs_path_element(char path[PATH_MAX_LEN], size_t index);

/* Reads a document into a tree. It goes on after an error, so that lint tells of all of them. */
struct reader {
    char path[PATH_MAX_LEN];
    bool failed;
    struct skrfs_error *err; /* the first error */
    /* Told about each error; NULL when parsing only. */
    void (*on_error)(void *context, const char *path, const char *text);
    void *context;
};
void skrfs_reader_refuse(struct reader *reader, const char *member, const char *format, ...)
        SKRFS_PRINTF(3, 4);
/* strdup and calloc that fail into the reader. */
char *skrfs_reader_copy(struct reader *reader, const char *text);
void *skrfs_reader_list(struct reader *reader, size_t count, size_t size);

/* What could be read is in `policy` even when reader->failed; the caller frees it. */
void skrfs_policy_read(
        struct reader *reader, const struct skrfs_json *json, struct skrfs_policy *policy);
void skrfs_policy_read_import(
        struct reader *reader, const struct skrfs_json *json, struct skrfs_policy *policy);
/* A list of conditions, and one {"claim", "equals"}. */
void skrfs_policy_read_list(
        struct reader *reader, const struct skrfs_json *array, struct condition *list);
void skrfs_policy_read_claim(
        struct reader *reader, const struct skrfs_json *json, struct condition *claim);
/* Refuses each member that is not among `allowed` (ends with NULL); false when there was one. */
bool skrfs_policy_check_members(
        struct reader *reader, const struct skrfs_json *object, const char *const *allowed);

/* Line and column (from 1) of the member or element with this path in well-formed JSON text; false
 * when there is none. A member's place is that of its name. */
bool skrfs_policy_locate(
        const char *text, size_t len, const char *path, unsigned *ret_line, unsigned *ret_column);

/* Whether one condition holds, and whether text is a number. */
bool skrfs_policy_holds(const struct condition *condition, const struct skrfs_json *claims);
bool skrfs_policy_is_number(const char *text);
/* The path under which the token has a claim that is absent under its own: inside or outside
 * x-ms-isolation-tee; into `out`, false when there is none. */
bool skrfs_policy_elsewhere(
        const char *claim, const struct skrfs_json *claims, char *out, size_t size);
bool skrfs_policy_same_issuer(const char *authority, const char *issuer);
/* "'x'", "less than '3'", "any value": what a condition wants, for a sentence. */
void skrfs_policy_wish_text(const struct condition *claim, char *out, size_t size);

/* Like skrfs_policy_strip_comments, also telling where each comment begins. */
typedef void comment_fn(void *context, unsigned line, unsigned column);
int skrfs_policy_blank_comments(const char *text, size_t len, struct skrfs_buf *out,
        comment_fn *each, void *context, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
