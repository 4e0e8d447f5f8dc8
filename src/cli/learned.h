/* From what a mount saw to rules: for `skrfs learn`. */
#ifndef SKRFS_SRC_CLI_LEARNED_H
#define SKRFS_SRC_CLI_LEARNED_H

#include <skrfs/json/json.h>

struct learned_options {
    bool digest;     /* sha256: beside exe: */
    bool containers; /* container:, of which each has another number */
};

/* Makes of status/learned, and of the names in the "keys" of status/status.json, an array of a
 * {"key", "allow", "left_out", "refused"} for each key, the last three arrays of texts: the
 * tightest rules that are met by who was let in; what of a caller is in no rule, and why; who was
 * refused, and why. A key whose callers are more than a configuration takes rules has none.
 * BAD_ANSWER when the documents are not those of a mount. */
int learned_rules(const struct skrfs_json *learned, const struct skrfs_json *status,
        const struct learned_options *options, struct skrfs_json **ret_rules,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the same as a drop-in of the configuration. */
int learned_print(const struct skrfs_json *rules, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* How many texts of this member all keys have together. */
size_t learned_count(const struct skrfs_json *rules, const char *member);

/* learned_rule.c */
/* Arrays of texts. */
struct learned_lists {
    struct skrfs_json *allow, *left_out, *refused;
};
/* Adds what comes of one entry of "seen": its rule, or why there is none, or its refusal. */
int learned_seen(const struct skrfs_json *seen, const struct learned_options *options,
        struct learned_lists *lists, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends a text that is not in the array yet. */
int learned_append(
        struct skrfs_json *array, const char *text, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The text of a member, NULL when it is none. */
const char *learned_text(const struct skrfs_json *object, const char *name);

#endif
