/* The release policy (Azure's key management policy grammar, version 1.0.0): parse, lint, evaluate
 * against a token's claims, explain, write. Pure; immutable once parsed; thread safe.
 *
 * Source of the grammar: "Azure Key Vault secure key release policy grammar" of the product's
 * documentation. Where it leaves something open, this is what is done here:
 *  - Values are compared as text: the service stores them as strings, and policies in the wild ask
 *    booleans and numbers for "false" and "0".
 *  - A claim that the token lacks meets no condition but {"exists": false}.
 *  - A claim that is an object, a list or null has no text: it exists and equals nothing.
 *  - The four orderings compare decimal numbers, exactly where both fit 64 bits; anything that is
 *    no number is neither less nor greater.
 *  - The documentation writes "anyof" and "allof" in its grammar and "anyOf" and "allOf" in its
 *    examples: both are read, the latter is written. */
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

/* Parses strict JSON of the whole grammar: every operator, conditions nested as deep as JSON may,
 * and the old form of the preview ({"claim", "condition": "equals", "value"} under version "1.0" or
 * "0.2"). BAD_ANSWER for anything outside of it, with the path of the place; a file of another kind
 * is named for what it is (skrfs_policy_kind_of). */
int skrfs_policy_parse(const char *text, size_t len, struct skrfs_policy **ret_policy,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_policy_free(struct skrfs_policy *policy);
SKRFS_DEFINE_CLEANUP(struct skrfs_policy, skrfs_policy_free)
/* Whether the service of today takes it: version "1.0.0" and `equals` alone. BAD_ANSWER naming the
 * first thing that it does not take. */
int skrfs_policy_served(
        const struct skrfs_policy *policy, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* What a JSON document that is no release policy is, as far as it can be told. */
enum skrfs_policy_kind {
    SKRFS_POLICY_KIND_POLICY,     /* a policy, or an attempt at one */
    SKRFS_POLICY_KIND_IMPORT,     /* key import configuration of the confidential container tools:
                                     its `claims` become a policy (skrfs_policy_parse_import) */
    SKRFS_POLICY_KIND_FILESYSTEM, /* arguments of their encrypted file system: no policy in it */
    SKRFS_POLICY_KIND_ENVELOPE,   /* a policy in its REST wrapping: contentType and data */
    SKRFS_POLICY_KIND_KEY,        /* a vault's answer about a key */
    SKRFS_POLICY_KIND_CLAIMS,     /* an attestation token's claims */
};
enum skrfs_policy_kind skrfs_policy_kind_of(const struct skrfs_json *json);
/* A sentence about that kind and what to do with it, "" for a policy. Static. */
const char *skrfs_policy_kind_text(enum skrfs_policy_kind kind);
/* The policy that the tools make of a key import configuration: one authority (key.authority
 * .endpoint), any of the lists in `claims`, all of the conditions in each. BAD_ANSWER likewise. */
int skrfs_policy_parse_import(const char *text, size_t len, struct skrfs_policy **ret_policy,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Removes // and block comments outside strings, keeping line numbers; appends to `out`. *ret_count
 * is how many. */
int skrfs_policy_strip_comments(const char *text, size_t len, struct skrfs_buf *out,
        size_t *ret_count, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Tells everything about a policy's text through `finding`. Errors are what a vault refuses:
 * syntax, duplicate and unknown members, operators that are not served, the old form, authorities
 * that are no https URL, files of another kind. Warnings are what does something else than is
 * likely wanted: authorities and claims that are misspelt, values and combinations that no token
 * can have, policies that any machine meets or a debuggable one. Notes are the rest (comments,
 * repetitions). Returns 0 when the vault would take it (with comments removed), -1 with `err`
 * (BAD_ANSWER) otherwise. */
int skrfs_policy_lint(const char *text, size_t len, skrfs_finding_fn *finding, void *context,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* True when a token with these claims (its payload) meets the policy: an authority equals `iss`
 * (one trailing slash apart) and its conditions hold. */
bool skrfs_policy_meets(const struct skrfs_policy *policy, const struct skrfs_json *claims);
/* The first reason why not, as a sentence: "claim a.b is 'x', wants 'y'", "claim a.b is absent,
 * wants 'y'", "issuer 'https://...' is none of the policy's authorities". False when the policy is
 * met. Shown values are cut at 100 characters and cleaned of control characters. */
bool skrfs_policy_explain(
        const struct skrfs_policy *policy, const struct skrfs_json *claims, char *out, size_t size);

/* One node of a policy held against claims, in the document's order: an authority, then its
 * conditions, each list before its members. The texts live until the callback returns. */
enum skrfs_step_kind {
    SKRFS_STEP_AUTHORITY,
    SKRFS_STEP_ANY,
    SKRFS_STEP_ALL,
    SKRFS_STEP_CLAIM,
};
struct skrfs_policy_step {
    enum skrfs_step_kind kind;
    unsigned depth;        /* 0 an authority, 1 its list, ... */
    const char *name;      /* the authority's URL, the claim's path; NULL for a list */
    const char *condition; /* CLAIM: "equals", "notEquals", ...; NULL otherwise */
    const char *wanted;    /* CLAIM: the policy's value as text */
    const char *actual;    /* CLAIM: the token's value as text, "{...}" for an object, "[...]" for
                              a list, "null"; NULL when it is absent */
    const char *elsewhere; /* CLAIM: absent, but the token has it under this path; else NULL */
    bool issuer;           /* AUTHORITY: it is the token's issuer */
    bool holds;            /* AUTHORITY: issuer and conditions hold */
};
typedef void skrfs_step_fn(void *context, const struct skrfs_policy_step *step);
/* Tells every node through `step`; returns what skrfs_policy_meets returns. */
bool skrfs_policy_test(const struct skrfs_policy *policy, const struct skrfs_json *claims,
        skrfs_step_fn *step, void *context);

/* Appends what the policy says, in words for people who do not read JSON: numbered authorities, one
 * line a condition, lists indented, the claim in brackets behind its meaning. Authorities with the
 * same conditions share them. */
int skrfs_policy_tell(const struct skrfs_policy *policy, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Appends the policy as compact JSON in the service's own order, in the form of version 1.0.0,
 * values as strings as the service stores them. */
int skrfs_policy_print(const struct skrfs_policy *policy, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* What a new policy is for: which token its keys are released to. */
enum skrfs_policy_tee {
    SKRFS_POLICY_CVM_SNP, /* "sevsnpvm": confidential VM on SEV-SNP, attested as AzureGuest */
    SKRFS_POLICY_CVM_TDX, /* "tdxvm": the same on TDX */
    SKRFS_POLICY_SNP,     /* "snp": confidential containers and other SNP guests (SevSnpVm) */
    SKRFS_POLICY_TDX,     /* "tdx": a trust domain that owns its report (TdxVm) */
    SKRFS_POLICY_SGX,     /* "sgx": an enclave (SgxEnclave) */
    SKRFS_POLICY_TEE_COUNT
};
/* "sevsnpvm", "tdxvm", "snp", "tdx", "sgx"; "cvm-snp", "cvm-tdx" and "gramine" are read too. False
 * for anything else. */
bool skrfs_policy_tee_parse(const char *text, enum skrfs_policy_tee *ret_tee);
const char *skrfs_policy_tee_name(enum skrfs_policy_tee tee);
/* The TEE that a token with these claims is of; false when it is none that is known. */
bool skrfs_policy_tee_of(const struct skrfs_json *claims, enum skrfs_policy_tee *ret_tee);
/* The claim that a short word names in that TEE's tokens ("hostdata", "measurement", "mrenclave",
 * "mrsigner", "product-id", "svn", "mrtd", "rtmr0", "vmid", "secureboot", ...) into `out`; false
 * (and `out` untouched) when it names none. */
bool skrfs_policy_word(enum skrfs_policy_tee tee, const char *word, char out[SKRFS_CLAIM_MAX]);
/* Appends those words of a TEE, with commas between. */
int skrfs_policy_words(
        enum skrfs_policy_tee tee, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

struct skrfs_claim_wish {
    const char *name, *value;
};
/* Appends a policy, indented for people, with the same conditions for each authority (the
 * attestation service's URL): the TEE's type, that nobody can debug it, its compliance status where
 * it has one (an SNP guest whose launch measurement is asked for needs none), and `claims`. A claim
 * among them that the policy asks for anyway replaces that. CONFIG for no authority, one that is no
 * https URL, and where any guest would do: an SNP guest wants a host data or a measurement, a trust
 * domain an mrtd or an rtmr, an enclave an mrenclave, or mrsigner and product-id. */
int skrfs_policy_new(enum skrfs_policy_tee tee, const char *const *authorities,
        size_t authority_count, const struct skrfs_claim_wish *claims, size_t claim_count,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same for a confidential VM ("sevsnpvm", "tdxvm") and one authority. */
int skrfs_policy_new_cvm(const char *authority, const char *tee,
        const struct skrfs_claim_wish *more, size_t more_count, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A claim by its dotted path through objects, NULL when absent. A member whose own name has dots
 * wins. */
const struct skrfs_json *skrfs_claim(const struct skrfs_json *claims, const char *path);
/* Appends the text by which the service compares a claim's value; false (and nothing appended) for
 * one that has none. */
bool skrfs_claim_text(const struct skrfs_json *value, struct skrfs_buf *out);

#endif
