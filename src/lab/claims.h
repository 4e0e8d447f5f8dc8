/* Claims that several kinds of tokens have: each function sets members of `claims`. */
#ifndef SKRFS_LAB_CLAIMS_H
#define SKRFS_LAB_CLAIMS_H

#include "guest.h"

/* Of an SNP report and of a TD quote. */
int skrfs_lab_snp_claims(struct skrfs_bytes report, struct skrfs_json *claims,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_lab_tdx_claims(struct skrfs_bytes report, struct skrfs_json *claims,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* exp, iat, nbf, iss: all that the interface of 2018 had of these. */
int skrfs_lab_time_claims(const struct skrfs_lab_token_wish *wish, struct skrfs_json *claims,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Those, jti and the service's own. */
int skrfs_lab_registered_claims(const struct skrfs_lab_token_wish *wish, struct skrfs_json *claims,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* An array of one key to wrap to. */
int skrfs_lab_key_claims(const struct skrfs_pkey *key, const char *kid,
        struct skrfs_json **ret_keys, struct skrfs_error *err) SKRFS_MUST_CHECK;

struct hex_claim {
    const char *name;
    const uint8_t *data;
    size_t len; /* at most 64 */
};
int skrfs_lab_hex_claims(struct skrfs_json *claims, const struct hex_claim *list, size_t count,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
