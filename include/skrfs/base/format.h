/* The encodings in which a key can be served: the names of `format =` and of formats/<name>/. */
#ifndef SKRFS_BASE_FORMAT_H
#define SKRFS_BASE_FORMAT_H

#include <skrfs/base/error.h>
#include <stdbool.h>

enum skrfs_format {
    SKRFS_FORMAT_DER,     /* "der": PKCS#8 as it was released (RSA, EC) */
    SKRFS_FORMAT_PEM,     /* "pem": PKCS#8, RFC 7468 (RSA, EC) */
    SKRFS_FORMAT_JWK,     /* "jwk": RFC 7517 with the private members (RSA, EC, oct) */
    SKRFS_FORMAT_RAW,     /* "raw": the octets of an oct key */
    SKRFS_FORMAT_OPENSSH, /* "openssh": openssh-key-v1, not encrypted (RSA, EC but P-256K) */
    SKRFS_FORMAT_PUB_PEM, /* "pub.pem": SubjectPublicKeyInfo (RSA, EC) */
    SKRFS_FORMAT_PUB_DER, /* "pub.der" */
    SKRFS_FORMAT_PUB_JWK, /* "pub.jwk" */
    SKRFS_FORMAT_COUNT
};

SKRFS_API const char *skrfs_format_name(enum skrfs_format format);
SKRFS_API bool skrfs_format_parse(const char *name, enum skrfs_format *ret_format);
/* True for the three that hold no secret and need no release. */
bool skrfs_format_is_public(enum skrfs_format format);

#endif
