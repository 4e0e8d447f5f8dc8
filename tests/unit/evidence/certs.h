/* Endorsement keys' certificates as AMD's are, made here: what no sample has. */
#ifndef SKRFS_TESTS_EVIDENCE_CERTS_H
#define SKRFS_TESTS_EVIDENCE_CERTS_H

#include "altered.h"

#include <skrfs/crypto/hash.h>
#include <skrfs/evidence/snp.h>

/* A root, what is below it, and the key of the leaves. */
struct family {
    struct skrfs_pkey *authority, *key;
    struct skrfs_chain *root, *between;
};

/* One extension of a leaf; contents of length 0 leave it out. */
struct claim {
    const char *oid;
    uint8_t contents[64];
    size_t len;
};

#define AMD "1.3.6.1.4.1.3704.1."

static inline void family_new(struct family *family) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &family->authority, &err), err);
    assert_ok(skrfs_pkey_new_ec(SKRFS_P384, &family->key, &err), err);
    struct skrfs_cert_spec spec = {.common_name = "ARK",
            .subject_key = family->authority,
            .issuer_key = family->authority,
            .authority = true,
            .pss = true,
            .days = 30};
    assert_ok(skrfs_cert_issue(&spec, &family->root, &err), err);
    spec.common_name = "SEV";
    spec.issuer = family->root;
    assert_ok(skrfs_cert_issue(&spec, &family->between, &err), err);
}

static inline void family_done(struct family *family) {
    skrfs_pkey_free(family->authority);
    skrfs_pkey_free(family->key);
    skrfs_chain_free(family->root);
    skrfs_chain_free(family->between);
}

static inline struct skrfs_chain *leaf_new(
        const struct family *family, const struct claim *claims, size_t count) {
    struct skrfs_error err = {0};
    struct skrfs_cert_extension extensions[16];
    struct skrfs_chain *chain = NULL;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (claims[i].len > 0)
            extensions[used++] = (struct skrfs_cert_extension){
                    claims[i].oid, {claims[i].contents, claims[i].len}};
    const struct skrfs_cert_spec spec = {.common_name = "SEV-VCEK",
            .subject_key = family->key,
            .issuer_key = family->authority,
            .issuer = family->between,
            .pss = true,
            .days = 7,
            .extensions = extensions,
            .extension_count = used};
    assert_ok(skrfs_cert_issue(&spec, &chain, &err), err);
    return chain;
}

#endif
