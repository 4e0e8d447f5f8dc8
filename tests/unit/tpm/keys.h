/* The wrapping key of the tests, and what is encrypted to it. */
#ifndef SKRFS_TESTS_KEYS_H
#define SKRFS_TESTS_KEYS_H

#include "support.h"

#include <skrfs/crypto/wrap.h>
#include <skrfs/tpm/tpm.h>

static inline struct skrfs_pkey *rsa_key(const uint8_t modulus[256]) {
    struct skrfs_error err = {0};
    struct skrfs_pkey *key = NULL;
    struct skrfs_public public = {.type = SKRFS_KEY_RSA, .n_len = 256, .e = {1, 0, 1}, .e_len = 3};
    memcpy(public.n, modulus, 256);
    assert_ok(skrfs_pkey_from_public(&public, &key, &err), err);
    return key;
}

static inline void encrypt(const struct skrfs_tpm_ephemeral *key, enum skrfs_tpm_scheme scheme,
        struct skrfs_bytes plain, struct skrfs_buf *out) {
    static const enum skrfs_hash hashes[] = {[SKRFS_TPM_OAEP_SHA1] = SKRFS_SHA1,
            [SKRFS_TPM_OAEP_SHA256] = SKRFS_SHA256,
            [SKRFS_TPM_OAEP_SHA384] = SKRFS_SHA384};
    struct skrfs_error err = {0};
    skrfs_autopkey *public = rsa_key(key->modulus);
    if (scheme == SKRFS_TPM_RSAES)
        assert_ok(skrfs_pkcs1_encrypt(public, plain, out, &err), err);
    else
        assert_ok(skrfs_oaep_encrypt(public, hashes[scheme], plain, out, &err), err);
}

static inline void make_key(struct skrfs_tpm *tpm, struct skrfs_tpm_ephemeral *key) {
    struct skrfs_error err = {0};
    static struct skrfs_tpm_attestation certified;
    uint8_t pcrs[8][32];
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    assert_ok(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, NULL, key, &certified, &err), err);
}

#endif
