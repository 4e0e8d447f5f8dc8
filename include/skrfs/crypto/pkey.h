/* Asymmetric keys. Private halves live in OpenSSL's secure heap. A key is immutable and may be used
 * by several threads. */
#ifndef SKRFS_CRYPTO_PKEY_H
#define SKRFS_CRYPTO_PKEY_H

#include <skrfs/base/secret.h>
#include <skrfs/crypto/hash.h>

/* Largest RSA modulus taken from outside, in octets (RSA-4096). */
#define SKRFS_RSA_MAX 512
/* Largest EC coordinate in octets (P-521). */
#define SKRFS_EC_MAX 66

struct skrfs_pkey;

enum skrfs_key_type { SKRFS_KEY_RSA, SKRFS_KEY_EC, SKRFS_KEY_OCT };
enum skrfs_curve { SKRFS_P256, SKRFS_P384, SKRFS_P521, SKRFS_P256K };

/* The public members of a key as JWKs carry them: big endian, as many octets as given. Leading
 * zeros of n, e, x and y do not matter in comparisons. */
struct skrfs_public {
    enum skrfs_key_type type;
    enum skrfs_curve curve;   /* EC */
    uint8_t n[SKRFS_RSA_MAX]; /* RSA */
    size_t n_len;
    uint8_t e[8];
    size_t e_len;
    uint8_t x[SKRFS_EC_MAX], y[SKRFS_EC_MAX]; /* EC, padded to the curve's size */
    size_t xy_len;
};

/* "P-256", "P-384", "P-521", "P-256K" (also "SECP256K1"). */
const char *skrfs_curve_name(enum skrfs_curve curve);
bool skrfs_curve_parse(const char *name, enum skrfs_curve *ret_curve);
/* True when both are the same public key. */
bool skrfs_public_equal(const struct skrfs_public *a, const struct skrfs_public *b);

/* One more owner of the same key. */
struct skrfs_pkey *skrfs_pkey_ref(struct skrfs_pkey *key);
void skrfs_pkey_free(struct skrfs_pkey *key);
SKRFS_DEFINE_CLEANUP(struct skrfs_pkey, skrfs_pkey_free)
#define skrfs_autopkey SKRFS_CLEANUP(skrfs_pkey_free_p) struct skrfs_pkey

/* A public key from its members. */
int skrfs_pkey_from_public(const struct skrfs_public *public, struct skrfs_pkey **ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A private key from PKCS#8 DER; trailing octets are refused. */
int skrfs_pkey_from_pkcs8(const void *der, size_t len, struct skrfs_pkey **ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A private key as people keep them: DER of PKCS#8, PKCS#1 (RSA) or SEC 1 (EC). */
int skrfs_pkey_from_der(const void *der, size_t len, struct skrfs_pkey **ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The first private key in PEM text, whatever else is in it. CONFIG for one under a password and
 * for text without one. */
int skrfs_pkey_from_pem(const char *text, size_t len, struct skrfs_pkey **ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The public members of a key (RSA, or EC on one of the four curves). */
int skrfs_pkey_public(const struct skrfs_pkey *key, struct skrfs_public *ret_public,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* PKCS#8 DER of a private key, in secret memory. */
int skrfs_pkey_pkcs8(const struct skrfs_pkey *key, struct skrfs_secret **ret_der,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* PEM "PUBLIC KEY" appended. */
int skrfs_pkey_public_pem(const struct skrfs_pkey *key, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* New keys: RSA of 2048, 3072 or 4096 bits with exponent 65537; EC on a curve. */
int skrfs_pkey_new_rsa(
        unsigned bits, struct skrfs_pkey **ret_key, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_pkey_new_ec(enum skrfs_curve curve, struct skrfs_pkey **ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* RSASSA-PKCS1-v1_5 (RS256 and the AK's scheme). A wrong signature is BAD_ANSWER. */
int skrfs_rsa_verify(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_bytes signature, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_rsa_sign(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* RSASSA-PSS with MGF1 of the same hash and a salt of its length (PS256 and its like, RFC 7518
 * section 3.5). */
int skrfs_pss_verify(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_bytes signature, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_pss_sign(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* ECDSA with r and s as big-endian numbers of equal length, r first. */
int skrfs_ecdsa_verify(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_bytes signature, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Writes r || s, each of the curve's size. */
int skrfs_ecdsa_sign(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes data,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
