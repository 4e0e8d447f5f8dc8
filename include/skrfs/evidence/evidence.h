/* What a TEE hands to the attestation service: made by `tee` in the keeper, carried by the
 * courier's protocol, put into the request by `azure`. Nothing in it is secret. */
#ifndef SKRFS_EVIDENCE_EVIDENCE_H
#define SKRFS_EVIDENCE_EVIDENCE_H

#include <skrfs/evidence/hcl.h>

/* Which request the evidence is for. */
enum skrfs_evidence_kind {
    SKRFS_EVIDENCE_CVM = 1, /* AzureGuest: HCL report and vTPM */
    SKRFS_EVIDENCE_SNP,     /* SevSnpVm: a report that the guest asked for itself */
    SKRFS_EVIDENCE_TDX,     /* TdxVm: a TD quote likewise */
    SKRFS_EVIDENCE_SGX,     /* SgxEnclave: an enclave's quote */
};

/* Where certificates of an SNP report may come from. The first ones are found on the machine, by
 * `tee`; the others are asked for, by `azure`. */
enum skrfs_cert_source {
    SKRFS_CERTS_CONTEXT, /* "context": the UVM security context's host-amd-cert */
    SKRFS_CERTS_REPORT,  /* "report": the table that the host gives with an extended report */
    SKRFS_CERTS_FILE,    /* "file" */
    SKRFS_CERTS_LOCAL,   /* how many of these there are */
    SKRFS_CERTS_THIM = SKRFS_CERTS_LOCAL, /* "thim" */
    SKRFS_CERTS_CACHE,                    /* "cache": Azure's own cache of AMD's service */
    SKRFS_CERTS_KDS,                      /* "kds": AMD's service */
    SKRFS_CERTS_SOURCES
};
const char *skrfs_cert_source_name(enum skrfs_cert_source source);
bool skrfs_cert_source_parse(const char *name, size_t len, enum skrfs_cert_source *ret_source);

#define SKRFS_EVENT_LOG_MAX ((size_t)512 * 1024)
#define SKRFS_AK_CERT_MAX ((size_t)16 * 1024)
#define SKRFS_EVIDENCE_BLOB_MAX ((size_t)1024) /* a public area, an attestation or a signature */
#define SKRFS_NONCE_LEN 32
#define SKRFS_HARDWARE_REPORT_MAX ((size_t)64 * 1024) /* an SNP report, a TD or SGX quote */
#define SKRFS_RUNTIME_DATA_MAX ((size_t)4 * 1024)
#define SKRFS_INIT_DATA_MAX ((size_t)64 * 1024)
#define SKRFS_ENDORSEMENT_MAX ((size_t)64 * 1024)
#define SKRFS_ENDORSEMENTS 4 /* of one machine, at most */
#define SKRFS_CERTIFICATES_MAX ((size_t)64 * 1024)

/* Every member but `kind`, `nonce` and `pcrs` is owned octets. What the kind has no use for is
 * empty. */
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
    /* SNP, TDX, SGX */
    struct skrfs_buf report;       /* SNP report, TD quote or SGX quote, of its declared length */
    struct skrfs_buf runtime_data; /* JSON whose SHA-256 begins the report data: the wrapping key */
    struct skrfs_buf init_data;    /* JSON whose SHA-256 is host data or config id; often empty */
    struct skrfs_buf certificates[SKRFS_CERTS_LOCAL];  /* SNP: by its source and as found there, so
             that the keeper takes nothing apart that comes from the host: CONTEXT a host-amd-cert
             document (JSON), REPORT a certificate table, FILE PEM or DER; each may be empty */
    struct skrfs_buf endorsements[SKRFS_ENDORSEMENTS]; /* SNP: COSE_Sign1 of the utility VM */
};

/* An empty value with every buffer's limit set; _done wipes and frees, and leaves it empty again.
 */
void skrfs_evidence_init(struct skrfs_evidence *evidence);
void skrfs_evidence_done(struct skrfs_evidence *evidence);
#define skrfs_autoevidence SKRFS_CLEANUP(skrfs_evidence_done) struct skrfs_evidence

/* What was measured of the machine, in hexadecimal; "" where the evidence does not say. */
struct skrfs_measurement {
    char tee[129];        /* SNP: the launch measurement; TDX: MRTD; SGX: MRENCLAVE */
    char pcrs_sha256[65]; /* azure-cvm: the PCR digest of the quote (SHA-256 of PCR 0 to 7) */
};
/* As the evidence has it: nothing is verified. */
void skrfs_evidence_measure(
        const struct skrfs_evidence *evidence, struct skrfs_measurement *ret_measurement);

/* The attestation service's answer. To a confidential VM: a token that only the wrapping key opens.
 * To hardware that the guest asked itself: the token as it is, and nothing else here. */
struct skrfs_sealed_token {
    struct skrfs_buf clear;     /* SNP, TDX, SGX: the token's text */
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
