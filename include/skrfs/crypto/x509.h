/* X.509 certificates and chains (RFC 5280). Immutable once made; thread safe. */
#ifndef SKRFS_CRYPTO_X509_H
#define SKRFS_CRYPTO_X509_H

#include <skrfs/crypto/pkey.h>

#define SKRFS_CHAIN_MAX 8                  /* certificates in a chain from outside */
#define SKRFS_CERT_MAX ((size_t)16 * 1024) /* octets of one certificate's DER */
#define SKRFS_PEM_MAX ((size_t)64 * 1024)  /* octets of a chain's PEM */

struct skrfs_chain; /* an ordered list of certificates, leaf first */
struct skrfs_trust; /* a set of trust anchors */

void skrfs_chain_free(struct skrfs_chain *chain);
SKRFS_DEFINE_CLEANUP(struct skrfs_chain, skrfs_chain_free)
#define skrfs_autochain SKRFS_CLEANUP(skrfs_chain_free_p) struct skrfs_chain
void skrfs_trust_free(struct skrfs_trust *trust);
SKRFS_DEFINE_CLEANUP(struct skrfs_trust, skrfs_trust_free)

/* Certificates from PEM text, in its order; other PEM blocks and no certificate at all are
 * BAD_ANSWER. */
int skrfs_chain_from_pem(const char *text, size_t len, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Certificates from DER (the order of a JWS's x5c). Trailing octets are refused. */
int skrfs_chain_from_der(const struct skrfs_bytes *certs, size_t count,
        struct skrfs_chain **ret_chain, struct skrfs_error *err) SKRFS_MUST_CHECK;
size_t skrfs_chain_len(const struct skrfs_chain *chain);
/* Appends all certificates as PEM, leaf first. */
int skrfs_chain_pem(const struct skrfs_chain *chain, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the DER of certificate `index`. */
int skrfs_chain_der(const struct skrfs_chain *chain, size_t index, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The leaf's public key, a new object. */
int skrfs_chain_leaf_key(const struct skrfs_chain *chain, struct skrfs_pkey **ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Contents of the leaf's extension with this dotted OID (the octets inside its OCTET STRING);
 * *ret_found false when there is none. */
int skrfs_chain_leaf_extension(const struct skrfs_chain *chain, const char *oid,
        struct skrfs_buf *out, bool *ret_found, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* An extension whose contents are a DER INTEGER of up to 8 octets (two-octet forms of 0x80 and more
 * too). */
int skrfs_chain_leaf_integer(const struct skrfs_chain *chain, const char *oid, uint64_t *ret_value,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The leaf's subject common name. */
int skrfs_chain_leaf_name(const struct skrfs_chain *chain, char *out, size_t size,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The system's store (OpenSSL's default paths), or exactly the certificates in the PEM text. */
int skrfs_trust_system(struct skrfs_trust **ret_trust, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_trust_from_pem(const char *text, size_t len, struct skrfs_trust **ret_trust,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The leaf chains to an anchor (certificates sent along are helpers only), is for server
 * authentication, names `host` (subject alternative names, wildcards by RFC 6125), and is valid at
 * `wall_s`. Failures are BAD_ANSWER and say which of these. */
int skrfs_chain_verify_server(const struct skrfs_chain *chain, const struct skrfs_trust *trust,
        const char *host, int64_t wall_s, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Each certificate is signed by the next and the last by itself; says nothing of whether the root
 * is to be believed. Dates are not looked at. */
int skrfs_chain_verify_links(
        const struct skrfs_chain *chain, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* True when the last certificate of `chain` is, octet for octet, that of `root`'s last. */
bool skrfs_chain_same_root(const struct skrfs_chain *chain, const struct skrfs_chain *root);
/* SHA-256 of the last certificate's SubjectPublicKeyInfo (DER): what pins a root. */
int skrfs_chain_root_key_digest(const struct skrfs_chain *chain, uint8_t ret_digest[32],
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Making certificates: for the lab's authorities. */
struct skrfs_cert_extension {
    const char *oid;
    struct skrfs_bytes contents; /* goes inside the OCTET STRING */
};
struct skrfs_cert_spec {
    const char *common_name;
    const struct skrfs_pkey *subject_key;
    const struct skrfs_pkey *issuer_key;
    const struct skrfs_chain *issuer; /* its leaf signs; NULL: self-signed */
    const char *const
            *dns_names; /* NULL-terminated subject alternative names, "IP:127.0.0.1" too; or NULL */
    bool authority;     /* may sign others */
    const char *purpose; /* extended key usage of a leaf that is not `pss`, by name or dotted OID;
                            NULL: "serverAuth" */
    bool pss;            /* RSASSA-PSS with SHA-384, as AMD's certificates are */
    unsigned days;
    const struct skrfs_cert_extension *extensions;
    size_t extension_count;
};
/* A new chain: the certificate made, followed by the issuer's chain. */
int skrfs_cert_issue(const struct skrfs_cert_spec *spec, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
