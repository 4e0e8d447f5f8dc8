/* What an attestation token claims, out of a file of people's. Thread safe: no state. */
#ifndef SKRFS_CLI_CLAIMS_H
#define SKRFS_CLI_CLAIMS_H

#include <skrfs/json/json.h>

#define SKRFS_CLAIMS_MAX ((size_t)256 * 1024)

/* The claims of a token (RFC 7519 in its compact form: three parts with dots between) or, where the
 * text is a JSON object, that object; white space around either is let pass. Nothing is verified.
 * BAD_ANSWER for any other text. The caller frees *ret_claims. */
int skrfs_claims_parse(const char *text, size_t len, struct skrfs_json **ret_claims,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
