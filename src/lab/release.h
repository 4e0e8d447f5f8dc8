/* A release: the wrapped key and the signed answer around it. */
#ifndef SKRFS_LAB_RELEASE_H
#define SKRFS_LAB_RELEASE_H

#include "state.h"
#include <skrfs/crypto/wrap.h>

struct skrfs_lab_release {
    const struct skrfs_lab_pki *pki;
    const struct skrfs_lab_vault *vault;
    const struct skrfs_lab_key *key;
    const struct skrfs_lab_version *version;
    bool version_asked;
    const char *api_version;
    const char *nonce; /* NULL: none was given */
    enum skrfs_enc enc;
    const char *kek_id;
    const struct skrfs_pkey *kek;
    enum skrfs_lab_deed deed; /* how to lie, if at all */
};
/* Appends the JWS. */
int skrfs_lab_release_sign(const struct skrfs_lab_release *release, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The key that a release is wrapped to: the first of the token's own runtime keys that may encrypt.
 */
int skrfs_lab_release_kek(const struct skrfs_json *claims, struct skrfs_pkey **ret_key,
        char *ret_id, size_t id_size, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
