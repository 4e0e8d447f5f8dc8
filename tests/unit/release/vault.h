/* A vault of the test's own: certificates, and released JWS signed by it, right ones and every
 * wrong kind. */
#ifndef SKRFS_TESTS_RELEASE_VAULT_H
#define SKRFS_TESTS_RELEASE_VAULT_H

#include "support.h"

#include <skrfs/release/release.h>

#define TEST_HOST "prod.vault.azure.net"
#define TEST_VERSION "0123456789abcdef0123456789abcdef"
#define TEST_KEK "TpmEphemeralEncryptionKey"

struct test_vault {
    struct skrfs_pkey *root_key, *leaf_key;
    struct skrfs_chain *root, *leaf;
    struct skrfs_trust *trust;
};
void test_vault_init(struct test_vault *vault);
void test_vault_done(struct test_vault *vault);

/* What a JWS says; test_answer_init fills in a right one. */
struct test_answer {
    const char *alg;
    size_t chain_from, chain_to; /* certificates of the leaf's chain that are sent: [from, to) */
    const char *request_kid, *nonce, *enc;
    const char *kid, *kty;
    const char *schema, *kek_kid, *wrap_alg, *wrap_enc;
    const struct skrfs_public *public; /* of an RSA key */
    struct skrfs_bytes wrapped;
    int64_t expires_s;
    bool no_signature, critical;
};
void test_answer_init(
        struct test_answer *answer, const struct skrfs_public *public, struct skrfs_bytes wrapped);
void test_answer_jws(
        const struct test_vault *vault, const struct test_answer *answer, struct skrfs_buf *out);

/* RSA-OAEP over an AES key and AES-KWP over `plain`, as the service wraps. */
void test_wrap(const struct skrfs_pkey *kek, enum skrfs_hash hash, const struct skrfs_secret *plain,
        struct skrfs_buf *out);

#endif
