/* A released key in the format that its reader wants, from secret memory into secret memory. Thread
 * safe. */
#ifndef SKRFS_CRYPTO_ENCODING_H
#define SKRFS_CRYPTO_ENCODING_H

#include <skrfs/base/format.h>
#include <skrfs/crypto/pkey.h>

/* Encodes the plaintext of a release (PKCS#8 DER of an RSA or EC key, or the octets of an oct key)
 * as `format`. `kid` (may be NULL) goes into JWKs and, as the comment, into OpenSSH keys. The der
 * format is the plaintext octet for octet. A format that this type of key cannot have is CONFIG and
 * names those it can. The result is a secret also for public formats. */
int skrfs_key_encode(const struct skrfs_secret *plain, enum skrfs_key_type type,
        enum skrfs_format format, const char *kid, struct skrfs_secret **ret_encoded,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The way back, for a key that somebody brings: `encoded` in the private format `format` (pem and
 * der of PKCS#8, PKCS#1 or SEC 1; jwk with all private members; raw) becomes the plaintext that a
 * release would have, and its type. Its numbers are checked to belong together. CONFIG for text
 * that is none, for openssh and for public formats. */
int skrfs_key_decode(const struct skrfs_secret *encoded, enum skrfs_format format,
        struct skrfs_secret **ret_plain, enum skrfs_key_type *ret_type,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The plaintext's public half equals `expected`; oct keys have none and only the type is compared.
 * A difference is BAD_ANSWER. */
int skrfs_key_check_public(const struct skrfs_secret *plain, const struct skrfs_public *expected,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same public formats from the public members alone. */
int skrfs_public_encode(const struct skrfs_public *public, enum skrfs_format format,
        const char *kid, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* True when a key of this type (and curve, for EC) can be served as `format`. */
bool skrfs_format_fits(enum skrfs_format format, enum skrfs_key_type type, enum skrfs_curve curve);

#endif
