/* What is known of tokens and of those who sign them, inside this room only. */
#ifndef SKRFS_POLICY_KNOWN_H
#define SKRFS_POLICY_KNOWN_H

#include "tree.h"

#define INNER "x-ms-isolation-tee."

/* Kinds of tokens, as a set. */
#define TOKEN_SNP (1u << SKRFS_POLICY_SNP)         /* SevSnpVm */
#define TOKEN_TDX (1u << SKRFS_POLICY_TDX)         /* TdxVm */
#define TOKEN_SGX (1u << SKRFS_POLICY_SGX)         /* SgxEnclave, OpenEnclave */
#define TOKEN_CVM_SNP (1u << SKRFS_POLICY_CVM_SNP) /* AzureGuest on SEV-SNP */
#define TOKEN_CVM_TDX (1u << SKRFS_POLICY_CVM_TDX) /* AzureGuest on TDX */
#define TOKEN_VM (1u << SKRFS_POLICY_TEE_COUNT)    /* AzureGuest of no TEE */
#define TOKEN_GUEST (TOKEN_CVM_SNP | TOKEN_CVM_TDX | TOKEN_VM)
#define TOKEN_DIRECT (TOKEN_SNP | TOKEN_TDX | TOKEN_SGX)
#define TOKEN_ANY (TOKEN_GUEST | TOKEN_DIRECT)

enum claim_shape {
    SHAPE_ANY,
    SHAPE_HEX,
    SHAPE_BOOLEAN,
    SHAPE_NUMBER,
    SHAPE_TYPE,
    SHAPE_STATUS,
    SHAPE_DEBUG, /* "enabled", "disabled", ... of EAT */
};
/* Which guests a claim singles out. */
enum claim_role {
    ROLE_NONE,
    ROLE_TEE,      /* which TEE, not which guest in it */
    ROLE_CODE,     /* what runs in it, measured */
    ROLE_CHOICE,   /* what whoever starts it chose to say */
    ROLE_SIGNER,   /* who signed what runs in it */
    ROLE_PRODUCT,  /* which of the signer's programs */
    ROLE_DEBUG,    /* whether it can be debugged */
    ROLE_INSTANCE, /* one guest */
};
struct known_claim {
    const char *name; /* without x-ms-isolation-tee. */
    enum claim_shape shape;
    size_t digits; /* HEX */
    enum claim_role role;
    unsigned tokens;   /* that have it at their top */
    const char *words; /* for people; of a BOOLEAN what true and false say: "yes|no" */
    const char *bind;  /* the short word for `policy new --bind`, or NULL */
};
/* NULL when it is unknown. Families (x-ms-runtime. and the like) count as known. */
const struct known_claim *skrfs_policy_known_claim(const char *name);
/* The known name, without x-ms-isolation-tee., that an unknown one nearly is, or NULL. */
const char *skrfs_policy_near_claim(const char *name);
/* The known claim that a short word means in a kind of token, and whether it is below
 * x-ms-isolation-tee there; NULL when none. */
const struct known_claim *skrfs_policy_known_word(
        enum skrfs_policy_tee tee, const char *word, bool *ret_inner);
/* The n-th known claim, NULL past the last. */
const struct known_claim *skrfs_policy_known_at(size_t n);
/* The tokens that can have a claim of this name. */
unsigned skrfs_policy_claim_tokens(const char *name);
/* The tokens that can meet this one condition. */
unsigned skrfs_policy_condition_tokens(const struct condition *claim);
/* "a confidential container's token (SEV-SNP)": one kind, for a sentence. Static. */
const char *skrfs_policy_token_text(unsigned token);

/* Says what is wrong with an authority's URL, at most one thing. */
typedef void host_fn(void *context, enum skrfs_finding_level level, const char *text);
void skrfs_policy_check_host(const char *url, host_fn *say, void *context);
/* "Azure Attestation in West Europe" for a known address, NULL for another; into `out`. */
const char *skrfs_policy_host_text(const char *url, char *out, size_t size);

#endif
