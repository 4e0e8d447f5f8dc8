/* What the policy verbs read: policy files, and the claims to hold them against. */
#ifndef SKRFS_SRC_CLI_POLICY_INPUT_H
#define SKRFS_SRC_CLI_POLICY_INPUT_H

#include "verbs.h"

#include <skrfs/policy/policy.h>

/* Reads a policy file ("-": stdin) into `out`. */
int policy_text_read(
        const char *path, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* "<stdin>" for "-". */
const char *policy_shown_path(const char *path);
/* Parses such a file, comments taken out, and the policy in a key import configuration too
 * (*ret_import then). Appends the text as it is to `ret_text` unless that is NULL. CONFIG with the
 * file's name in front when it is none. */
int policy_load(const char *path, struct skrfs_policy **ret_policy, bool *ret_import,
        struct skrfs_buf *ret_text, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Where claims come from: exactly one of token, claims and here. */
struct claims_source {
    const char *config, *token, *claims;
    unsigned timeout_ms;
    bool here;
};
/* A file of `token` or `claims` may be either: a token is three parts with dots between, claims are
 * a JSON object. */
int claims_read(const struct claims_source *source, struct skrfs_json **ret_claims,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* What of these is named, "--token FILE" and so on, is counted: 0 or 1 is fine, CONFIG for more. */
int claims_source_check(
        const struct claims_source *source, struct skrfs_error *err) SKRFS_MUST_CHECK;
bool claims_source_given(const struct claims_source *source);

#endif
