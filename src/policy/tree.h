/* The parsed policy, inside this room only: a tree that nobody changes once skrfs_policy_parse gave
 * it out. */
#ifndef SKRFS_POLICY_TREE_H
#define SKRFS_POLICY_TREE_H

#include <skrfs/policy/policy.h>

enum condition_kind { CONDITION_CLAIM, CONDITION_ANY, CONDITION_ALL };

struct condition {
    enum condition_kind kind;
    char *claim;                /* CLAIM */
    char *value;                /* CLAIM: as text, the way the service compares */
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
};

/* Where a reader stands in the document: "anyOf[0].allOf[2]". */
#define PATH_MAX_LEN 512

/* Reads a document into a tree. It goes on after an error, so that lint tells of all of them. */
struct reader {
    char path[PATH_MAX_LEN];
    bool failed;
    struct skrfs_error *err; /* the first error */
    /* Told about each error and about each well-formed part; NULL when parsing only. */
    void (*on_error)(struct reader *reader, const char *path, const char *text);
    void (*on_claim)(struct reader *reader, const struct condition *claim);
    void (*on_authority)(struct reader *reader, const struct authority *authority);
    void *context;
};

/* What could be read is in `policy` even when reader->failed; the caller frees it. */
void skrfs_policy_read(
        struct reader *reader, const struct skrfs_json *json, struct skrfs_policy *policy);

/* Line and column (from 1) of the member or element with this path in well-formed JSON text; false
 * when there is none. A member's place is that of its name. */
bool skrfs_policy_locate(
        const char *text, size_t len, const char *path, unsigned *ret_line, unsigned *ret_column);

/* The text by which the service compares a string, number or boolean; false for anything else. */
bool skrfs_policy_value_text(const struct skrfs_json *value, struct skrfs_buf *out);

/* Like skrfs_policy_strip_comments, also telling where each comment begins. */
typedef void comment_fn(void *context, unsigned line, unsigned column);
int skrfs_policy_blank_comments(const char *text, size_t len, struct skrfs_buf *out,
        comment_fn *each, void *context, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Whether the claim is known to tokens of some TEE, and what its values look like. */
enum claim_shape { SHAPE_ANY, SHAPE_HEX, SHAPE_BOOLEAN, SHAPE_NUMBER, SHAPE_TYPE, SHAPE_STATUS };
struct known_claim {
    const char *name; /* without x-ms-isolation-tee. */
    enum claim_shape shape;
    size_t digits; /* HEX */
    bool pins;     /* by itself says which guests or which TEE */
};
/* NULL when it is unknown; *ret_near is then a name that differs only in case, or NULL. */
const struct known_claim *skrfs_policy_known_claim(const char *name, const char **ret_near);

#endif
