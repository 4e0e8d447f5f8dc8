/* What the files of this room share. Nothing here is seen by other rooms. */
#ifndef SKRFS_SRC_CRYPTO_INTERNAL_H
#define SKRFS_SRC_CRYPTO_INTERNAL_H

#include "memory.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509v3.h>
#include <skrfs/crypto/encoding.h>
#include <skrfs/crypto/wrap.h>
#include <skrfs/crypto/x509.h>
#include <stdatomic.h>

struct skrfs_pkey {
    EVP_PKEY *evp;
    atomic_uint further_owners;
};

struct skrfs_chain {
    STACK_OF(X509) * certs;
};

struct skrfs_trust {
    X509_STORE *store;
};

SKRFS_DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
SKRFS_DEFINE_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
SKRFS_DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)
SKRFS_DEFINE_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
SKRFS_DEFINE_CLEANUP(ECDSA_SIG, ECDSA_SIG_free)
SKRFS_DEFINE_CLEANUP(BIGNUM, BN_free)
SKRFS_DEFINE_CLEANUP(BIO, BIO_free_all)
SKRFS_DEFINE_CLEANUP(X509, X509_free)
SKRFS_DEFINE_CLEANUP(X509_STORE_CTX, X509_STORE_CTX_free)
SKRFS_DEFINE_CLEANUP(ASN1_OBJECT, ASN1_OBJECT_free)
SKRFS_DEFINE_CLEANUP(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
SKRFS_DEFINE_CLEANUP(X509_EXTENSION, X509_EXTENSION_free)

#define auto_evp SKRFS_CLEANUP(EVP_PKEY_free_p) EVP_PKEY
#define auto_pkey_ctx SKRFS_CLEANUP(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX
#define auto_md_ctx SKRFS_CLEANUP(EVP_MD_CTX_free_p) EVP_MD_CTX
#define auto_cipher_ctx SKRFS_CLEANUP(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX
#define auto_ecdsa_sig SKRFS_CLEANUP(ECDSA_SIG_free_p) ECDSA_SIG
#define auto_bn SKRFS_CLEANUP(BN_free_p) BIGNUM
#define auto_bio SKRFS_CLEANUP(BIO_free_all_p) BIO
#define auto_x509 SKRFS_CLEANUP(X509_free_p) X509

/* Sets the room up when main did not; failures are skrfs_crypto_setup's to tell. */
void skrfs_crypto_ready(void);
/* The same before a private key is touched: without a locked secure heap it fails. */
int skrfs_crypto_ready_private(struct skrfs_error *err) SKRFS_MUST_CHECK;
/* States a failure with OpenSSL's own reason behind it, and empties OpenSSL's queue. Returns -1. */
int skrfs_crypto_fail(struct skrfs_error *err, enum skrfs_class kind, const char *what);
/* The same without OpenSSL's reason. Either is NO_MEMORY when OpenSSL got no memory in this thread
 * since it last failed: whatever it says of a key or a signature then, it has not judged it. */
int skrfs_crypto_refuse(struct skrfs_error *err, enum skrfs_class kind, const char *format, ...)
        SKRFS_PRINTF(3, 4);
/* As with skrfs_fail: the compiler is told that each is -1. */
#define skrfs_crypto_fail(...) skrfs_minus_one((skrfs_crypto_fail)(__VA_ARGS__))
#define skrfs_crypto_refuse(...) skrfs_minus_one((skrfs_crypto_refuse)(__VA_ARGS__))
const EVP_MD *skrfs_crypto_md(enum skrfs_hash hash);

/* Takes `*evp` over into a new key. */
int skrfs_crypto_wrap_evp(
        EVP_PKEY **evp, struct skrfs_pkey **ret_key, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Octets of a coordinate of the curve. */
size_t skrfs_crypto_curve_len(enum skrfs_curve curve);
/* OpenSSL's name of it. */
const char *skrfs_crypto_curve_group(enum skrfs_curve curve);
/* The curve of an EC key; BAD_ANSWER when it is none of the four. */
int skrfs_crypto_curve_of(
        const EVP_PKEY *evp, enum skrfs_curve *ret_curve, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* One number of a key, big endian in all `len` octets at `space`. BAD_ANSWER when the key has none.
 */
int skrfs_crypto_number(const EVP_PKEY *evp, const char *param, uint8_t *space, size_t len,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A view of it without leading zeros (of at least one octet). */
struct skrfs_bytes skrfs_crypto_trim(const uint8_t *data, size_t len);

/* The numbers of a private key; the views point into `space`, which is owned. */
struct skrfs_numbers {
    struct skrfs_secret *space;
    enum skrfs_key_type type;
    enum skrfs_curve curve;
    struct skrfs_bytes n, e, d, p, q, dp, dq, qi; /* RSA, without leading zeros; d of EC, padded */
    struct skrfs_bytes x, y;                      /* EC, padded to the curve's size */
};
int skrfs_crypto_numbers(const struct skrfs_pkey *key, struct skrfs_numbers *ret_numbers,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_crypto_numbers_done(struct skrfs_numbers *numbers);
#define auto_numbers SKRFS_CLEANUP(skrfs_crypto_numbers_done) struct skrfs_numbers

/* Where encoders write to: they run twice, first with `out` NULL to learn the length, then into
 * memory of exactly that length, so that no intermediate copy of a secret is ever made. */
struct skrfs_sink {
    uint8_t *out;
    size_t len;
};
typedef void skrfs_encoder(struct skrfs_sink *sink, const void *context);
void skrfs_sink_put(struct skrfs_sink *sink, const void *data, size_t len);
void skrfs_sink_text(struct skrfs_sink *sink, const char *text);
void skrfs_sink_u32(struct skrfs_sink *sink, uint32_t value);
/* base64url without padding. */
void skrfs_sink_base64url(struct skrfs_sink *sink, struct skrfs_bytes data);
/* PEM armour in lines of at most `columns`. */
void skrfs_sink_pem(
        struct skrfs_sink *sink, const char *label, struct skrfs_bytes der, size_t columns);
int skrfs_sink_to_secret(skrfs_encoder *encoder, const void *context,
        struct skrfs_secret **ret_secret, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_sink_to_buf(skrfs_encoder *encoder, const void *context, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A JWK about to be written (RFC 7517, RFC 7518 section 6). */
struct skrfs_jwk {
    const char *kty, *crv, *kid; /* crv and kid may be NULL */
    size_t count;
    struct {
        const char *name;
        struct skrfs_bytes value;
    } members[8];
};
void skrfs_jwk_encoder(struct skrfs_sink *sink, const void *jwk);
void skrfs_jwk_of_numbers(
        const struct skrfs_numbers *numbers, const char *kid, struct skrfs_jwk *ret_jwk);
/* Views into `public`. */
void skrfs_jwk_of_public(
        const struct skrfs_public *public, const char *kid, struct skrfs_jwk *ret_jwk);

/* A private key out of a JWK (RFC 7517): PKCS#8 of RSA and EC, the octets of oct. */
int skrfs_jwk_read(const struct skrfs_secret *text, struct skrfs_secret **ret_plain,
        enum skrfs_key_type *ret_type, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Runs EVP_PKEY_fromdata over what was pushed into `builder`; `selection` as there. */
int skrfs_crypto_from_builder(const char *type, OSSL_PARAM_BLD *builder, int selection,
        EVP_PKEY **ret_evp, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The numbers of a private key belong together. */
int skrfs_crypto_check_private(
        const struct skrfs_pkey *key, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* openssh-key-v1 of a private key. */
int skrfs_openssh_encode(const struct skrfs_numbers *numbers, const char *comment,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Certificates from PEM, at most `max` of them. */
int skrfs_crypto_certs_from_pem(const char *text, size_t len, int max, STACK_OF(X509) * *ret_certs,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_crypto_certs_free(STACK_OF(X509) * certs);

#endif
