/* SevSnpVm, TdxVm, SgxEnclave and OpenEnclave: evidence of hardware whose report data the guest or
 * enclave chose, taken apart, checked, and answered. Pure but for a token's random id, so that each
 * refusal can be shown alone. */
#ifndef SKRFS_LAB_PROOF_H
#define SKRFS_LAB_PROOF_H

#include "guest.h"

#define SKRFS_LAB_UVM_MAX 4
#define SKRFS_LAB_PROOF_BODY_MAX ((size_t)1024 * 1024)
#define SKRFS_LAB_NONCE_MAX ((size_t)1024)

enum skrfs_lab_proof_kind {
    SKRFS_LAB_SEVSNPVM,
    SKRFS_LAB_TDXVM,
    SKRFS_LAB_SGXENCLAVE,
    SKRFS_LAB_OPENENCLAVE,
    SKRFS_LAB_PROOF_KINDS
};
/* "SevSnpVm" and so on, as in the request's path; letters of either case. False: no such kind. */
bool skrfs_lab_proof_kind(const char *name, enum skrfs_lab_proof_kind *ret_kind);

enum skrfs_lab_data_type { SKRFS_LAB_NO_DATA, SKRFS_LAB_BINARY, SKRFS_LAB_JSON };
struct skrfs_lab_data {
    enum skrfs_lab_data_type type;
    struct skrfs_buf octets;
};

struct skrfs_lab_proof {
    enum skrfs_lab_proof_kind kind;
    struct skrfs_buf report;                 /* SNP report, TD quote or SGX quote */
    struct skrfs_buf chain;                  /* SNP: PEM */
    struct skrfs_buf uvm[SKRFS_LAB_UVM_MAX]; /* SNP: COSE_Sign1 */
    size_t uvm_count;
    struct skrfs_lab_data runtime, init;
    struct skrfs_buf nonce; /* text; a number's digits as they were sent */
    bool draft;             /* asked with a policy of its own: the token is unsigned */
    bool preview;           /* in the shape of 2018-09-01-preview, which had its own claims */
    int64_t uvm_svn;        /* found by the check: of the endorsed utility VM; -1: none */
    bool real;              /* found by the check: made by real hardware, not by the lab's */
};
void skrfs_lab_proof_init(struct skrfs_lab_proof *proof);
void skrfs_lab_proof_done(struct skrfs_lab_proof *proof);
#define skrfs_autoproof SKRFS_CLEANUP(skrfs_lab_proof_done) struct skrfs_lab_proof

/* Takes a body apart; `preview` is the shape of 2018-09-01-preview. BAD_ANSWER says which member is
 * wrong. */
int skrfs_lab_proof_decode(enum skrfs_lab_proof_kind kind, bool preview, struct skrfs_bytes body,
        struct skrfs_lab_proof *proof, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A copy of the body whose "nonce", where it is a number, is text: the side-car sends numbers of 64
 * bits without a sign, which no JSON reader of int64_t or double keeps. */
int skrfs_lab_nonce_quote(
        struct skrfs_bytes body, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Every check the service makes; REJECTED with the reason. */
int skrfs_lab_proof_check(struct skrfs_lab_proof *proof, const struct skrfs_lab_anchors *anchors,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The token's claims. wish->compliance is what is said of a machine that complies. */
int skrfs_lab_proof_claims(const struct skrfs_lab_proof *proof,
        const struct skrfs_lab_token_wish *wish, struct skrfs_json **ret_claims,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* endorsement.c: what a utility VM's endorsement (COSE_Sign1) says. REJECTED unless its signature
 * holds, by a key for that purpose whose chain ends in the lab's or Microsoft's root and has the
 * certificate that its issuer (did:x509) names. */
struct skrfs_lab_endorsement {
    bool real;   /* Microsoft's own, not the lab's */
    bool is_uvm; /* in the feed of utility VMs; otherwise the rest is not set */
    uint8_t measurement[48];
    int64_t svn;
};
int skrfs_lab_endorsement_read(struct skrfs_bytes cose, const struct skrfs_chain *own,
        struct skrfs_lab_endorsement *ret_endorsement, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends one made by `signer` (EC P-384). */
int skrfs_lab_endorsement_make(const struct skrfs_lab_signer *signer,
        const struct skrfs_lab_endorsement *endorsement, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
