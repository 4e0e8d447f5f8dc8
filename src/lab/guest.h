/* AzureGuest: what a confidential VM sends to the attestation service, taken apart, checked, and
 * answered. Decoding and checking are pure, so that each refusal can be shown alone. */
#ifndef SKRFS_LAB_GUEST_H
#define SKRFS_LAB_GUEST_H

#include "pki.h"
#include <skrfs/json/json.h>

enum skrfs_lab_isolation { SKRFS_LAB_SNP, SKRFS_LAB_TDX };

struct skrfs_lab_guest {
    enum skrfs_lab_isolation isolation;
    char os_type[64], os_distro[128], os_build[64];
    int64_t os_major, os_minor;
    struct skrfs_json *client_payload; /* as sent: values in base64 */
    struct skrfs_buf event_log, ak_cert, ak_public, quote, quote_signature;
    struct skrfs_buf key_public, key_certify, key_certify_signature;
    uint8_t pcrs[8][32];
    struct skrfs_buf claims; /* RunTimeData */
    struct skrfs_buf report; /* SNP report or TD quote */
    struct skrfs_buf chain;  /* SNP: VCEK, ASK and ARK as PEM */
};

void skrfs_lab_guest_init(struct skrfs_lab_guest *guest);
void skrfs_lab_guest_done(struct skrfs_lab_guest *guest);
#define skrfs_autoguest SKRFS_CLEANUP(skrfs_lab_guest_done) struct skrfs_lab_guest

/* Takes the body of POST /attest/AzureGuest apart. BAD_ANSWER says which field is wrong. */
int skrfs_lab_guest_decode(struct skrfs_bytes body, struct skrfs_lab_guest *guest,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Whom the service believes: chains whose last certificates are the roots. */
struct skrfs_lab_anchors {
    const struct skrfs_chain *ark, *vtpm, *tdx, *uvm;
};
struct skrfs_lab_anchors skrfs_lab_pki_anchors(const struct skrfs_lab_pki *pki);

/* Every check the service makes. Refused evidence is REJECTED with the reason. */
int skrfs_lab_guest_check(const struct skrfs_lab_guest *guest,
        const struct skrfs_lab_anchors *anchors, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Its parts, in the order in which they are made. */
int skrfs_lab_snp_check(const struct skrfs_lab_guest *guest, const struct skrfs_chain *ark,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_lab_tdx_check(const struct skrfs_lab_guest *guest, const struct skrfs_chain *root,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_lab_vtpm_check(const struct skrfs_lab_guest *guest, const struct skrfs_chain *vtpm,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* What the token says besides the evidence. */
struct skrfs_lab_token_wish {
    const char *issuer;
    int64_t now_s, life_s;
    const char *compliance; /* "azure-compliant-cvm", or what a test wants */
    const char *nonce;      /* a lie about the client's nonce, in plain text; NULL: the truth */
    const struct skrfs_pkey *key; /* a lie about the wrapping key; NULL: the truth */
};
int skrfs_lab_guest_claims(const struct skrfs_lab_guest *guest,
        const struct skrfs_lab_token_wish *wish, struct skrfs_json **ret_claims,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The isolation part of the claims. */
int skrfs_lab_isolation_claims(const struct skrfs_lab_guest *guest, const char *compliance,
        struct skrfs_json **ret_claims, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* How the sealing goes wrong when a test asks for it. */
enum skrfs_lab_seal { SKRFS_LAB_SEALED_WELL, SKRFS_LAB_SEALED_BAD_TAG, SKRFS_LAB_SEALED_OTHER_KEY };
/* Seals a token to the guest's key; appends the answer's JSON, {"token": ...}. */
int skrfs_lab_guest_seal(const struct skrfs_lab_guest *guest, struct skrfs_bytes token,
        enum skrfs_lab_seal how, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
