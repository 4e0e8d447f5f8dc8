/* What a TEE hands to the attestation service: made by `tee` in the keeper, carried by the
 * courier's protocol, put into the request by `azure`. Nothing in it is secret. */
#ifndef SKRFS_EVIDENCE_EVIDENCE_H
#define SKRFS_EVIDENCE_EVIDENCE_H

#include <skrfs/evidence/hcl.h>

/* Which request the evidence is for. */
enum skrfs_evidence_kind {
    SKRFS_EVIDENCE_CVM = 1, /* AzureGuest: HCL report and vTPM */
};

#define SKRFS_EVENT_LOG_MAX ((size_t)512 * 1024)
#define SKRFS_AK_CERT_MAX ((size_t)16 * 1024)
#define SKRFS_EVIDENCE_BLOB_MAX ((size_t)1024) /* a public area, an attestation or a signature */
#define SKRFS_NONCE_LEN 32

/* Every member but `kind`, `nonce` and `pcrs` is owned octets. */
struct skrfs_evidence {
    enum skrfs_evidence_kind kind;
    char nonce[2 * SKRFS_NONCE_LEN + 1]; /* client payload, hexadecimal text, made by the keeper */
    struct skrfs_buf hcl_report;         /* fixed part and claims, without padding */
    struct skrfs_buf event_log;          /* may be empty */
    struct skrfs_buf ak_cert;            /* as in NV, trimmed to its DER length */
    struct skrfs_buf ak_public;          /* TPM2B_PUBLIC */
    struct skrfs_buf quote, quote_signature;
    uint8_t pcrs[8][32];
    struct skrfs_buf key_public; /* TPM2B_PUBLIC of the wrapping key */
    struct skrfs_buf key_certify, key_certify_signature;
};

/* An empty value with every buffer's limit set; _done wipes and frees, and leaves it empty again.
 */
void skrfs_evidence_init(struct skrfs_evidence *evidence);
void skrfs_evidence_done(struct skrfs_evidence *evidence);
#define skrfs_autoevidence SKRFS_CLEANUP(skrfs_evidence_done) struct skrfs_evidence

/* The attestation service's answer to a confidential VM: a token that only the wrapping key opens.
 */
struct skrfs_sealed_token {
    struct skrfs_buf inner_key; /* RSAES-PKCS1-v1_5 to the wrapping key: 256 octets */
    struct skrfs_buf iv;        /* 12 octets */
    struct skrfs_buf tag;       /* 16 octets */
    struct skrfs_buf cipher;    /* AES-GCM; opens to the token's text */
};
#define SKRFS_TOKEN_MAX ((size_t)64 * 1024)
void skrfs_sealed_token_init(struct skrfs_sealed_token *token);
void skrfs_sealed_token_done(struct skrfs_sealed_token *token);
#define skrfs_autosealed SKRFS_CLEANUP(skrfs_sealed_token_done) struct skrfs_sealed_token

#endif
