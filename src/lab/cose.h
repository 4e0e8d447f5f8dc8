/* COSE_Sign1 (RFC 9052 section 4.2) with PS256, PS384, PS512 or ES384, and its certificates in the
 * protected header (x5chain, RFC 9360), read with libcbor. Pure; thread safe. */
#ifndef SKRFS_LAB_COSE_H
#define SKRFS_LAB_COSE_H

#include <skrfs/crypto/x509.h>

#define SKRFS_LAB_COSE_MAX ((size_t)64 * 1024)

/* Views into the document. */
struct skrfs_lab_cose {
    struct skrfs_bytes protected, payload, signature;
    int64_t algorithm;                         /* by its number in IANA's registry */
    struct skrfs_bytes certs[SKRFS_CHAIN_MAX]; /* leaf first */
    size_t cert_count;
    struct skrfs_bytes thumbprint;   /* x5t by SHA-256; empty when there is none */
    struct skrfs_bytes issuer, feed; /* text members "iss" and "feed"; empty when absent */
};

/* Takes a document apart, definite lengths alone, to its exact end. BAD_ANSWER for one that is
 * malformed, marks a header as critical, or has another algorithm. */
int skrfs_lab_cose_parse(struct skrfs_bytes document, struct skrfs_lab_cose *ret_cose,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The leaf's key signed it. *ret_chain are its certificates; whose they are is for the caller. */
int skrfs_lab_cose_verify(const struct skrfs_lab_cose *cose, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* What goes into a document's protected header. */
struct skrfs_lab_cose_wish {
    const char *issuer, *feed;
    struct skrfs_bytes payload;
    const struct skrfs_pkey *key;
    const struct skrfs_chain *chain;
};
/* Appends a document signed with ES384 (the key is on P-384). */
int skrfs_lab_cose_sign(const struct skrfs_lab_cose_wish *wish, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
