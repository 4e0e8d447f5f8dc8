/* Compact JWS with RS256. Pure. */
#ifndef SKRFS_LAB_JWT_H
#define SKRFS_LAB_JWT_H

#include <skrfs/crypto/pkey.h>
#include <skrfs/json/json.h>

#define SKRFS_LAB_JWT_MAX ((size_t)256 * 1024)

/* Appends header.payload.signature. */
int skrfs_lab_jwt_sign(const struct skrfs_pkey *key, const struct skrfs_json *header,
        const struct skrfs_json *payload, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same without a signature ("none", RFC 7519 section 6): for tokens of a caller's own policy.
 */
int skrfs_lab_jwt_unsigned(const struct skrfs_json *payload, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Checks alg, signature, issuer, nbf and exp. REJECTED says which is wrong. */
int skrfs_lab_jwt_verify(const struct skrfs_pkey *key, const char *issuer, struct skrfs_bytes token,
        int64_t now_s, struct skrfs_json **ret_claims, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Alters the signature of a token in place; it stays well-formed. */
void skrfs_lab_jwt_spoil(struct skrfs_buf *token, size_t start);
/* JWK members of a public key with base64url numbers: kty, and n and e or crv, x and y. `kty` NULL:
 * "RSA" or "EC". `long_exponent` writes e as the HSM-backed vault does, with a leading zero octet.
 */
int skrfs_lab_jwk(const struct skrfs_public *public, const char *kty, bool long_exponent,
        struct skrfs_json **ret_jwk, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A JSON string of octets in base64 of the given kind (enum skrfs_base64). */
int skrfs_lab_base64_json(int kind, struct skrfs_bytes data, struct skrfs_json **ret_json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
