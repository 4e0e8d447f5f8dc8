/* The release policy (Azure's key management policy grammar, version 1.0.0): parse, lint, evaluate
 * against a token's claims, explain, write. Pure; immutable once parsed; thread safe. */
#ifndef SKRFS_POLICY_POLICY_H
#define SKRFS_POLICY_POLICY_H

#include <skrfs/json/json.h>

#define SKRFS_POLICY_MAX ((size_t)64 * 1024)
#define SKRFS_CLAIM_MAX 256 /* a claim's dotted path with its NUL */

struct skrfs_policy;

enum skrfs_finding_level { SKRFS_FINDING_NOTE, SKRFS_FINDING_WARNING, SKRFS_FINDING_ERROR };
/* One thing that lint has to say; line and column from 1, 0 when it is about the whole. */
typedef void skrfs_finding_fn(void *context, enum skrfs_finding_level level, unsigned line,
        unsigned column, const char *text);

/* Parses a policy as a vault stores it (strict JSON). BAD_ANSWER for anything outside the grammar:
 * `equals` alone among the operators; string, number and boolean values; anyOf/allOf nested as deep
 * as JSON may; claim names as dotted paths. */
int skrfs_policy_parse(const char *text, size_t len, struct skrfs_policy **ret_policy,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_policy_free(struct skrfs_policy *policy);
SKRFS_DEFINE_CLEANUP(struct skrfs_policy, skrfs_policy_free)

/* Removes // and block comments outside strings, keeping line numbers; appends to `out`. *ret_count
 * is how many. */
int skrfs_policy_strip_comments(const char *text, size_t len, struct skrfs_buf *out,
        size_t *ret_count, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Tells everything about a policy's text through `finding`: syntax errors with line and column,
 * unknown members and operators, comments (a note), authorities that are no https URL, claims
 * unknown to the TEEs, values that cannot match (an mrenclave that is not hexadecimal), policies
 * that any guest meets. Returns 0 when the vault would take it (with comments removed), -1 with
 * `err` otherwise. */
int skrfs_policy_lint(const char *text, size_t len, skrfs_finding_fn *finding, void *context,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* True when a token with these claims (its payload) meets the policy: an authority equals `iss`
 * (one trailing slash apart) and its conditions hold. Values are compared as the service does, as
 * text
 * ("true" equals true). */
bool skrfs_policy_meets(const struct skrfs_policy *policy, const struct skrfs_json *claims);
/* The first reason why not, as a sentence: "claim a.b is 'x', wants 'y'", "claim a.b is absent,
 * wants 'y'", "issuer 'https://...' is none of the policy's authorities". False when the policy is
 * met. */
bool skrfs_policy_explain(
        const struct skrfs_policy *policy, const struct skrfs_json *claims, char *out, size_t size);
/* Appends the policy as compact JSON in the service's own order, values as strings as it stores
 * them. */
int skrfs_policy_print(const struct skrfs_policy *policy, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Appends a policy for a confidential VM, indented for people: this authority (the attestation
 * URL), claims x-ms-isolation-tee.x-ms-attestation-type = `tee` ("sevsnpvm", "tdxvm") and
 * x-ms-compliance-status = azure-compliant-cvm, and the given further claims. */
struct skrfs_claim_wish {
    const char *name, *value;
};
int skrfs_policy_new_cvm(const char *authority, const char *tee,
        const struct skrfs_claim_wish *more, size_t more_count, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A claim by its dotted path through objects, NULL when absent. A member whose own name has dots
 * wins. */
const struct skrfs_json *skrfs_claim(const struct skrfs_json *claims, const char *path);

#endif
