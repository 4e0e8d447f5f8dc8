/* A certificate chain as PEM, and all that is asked of one. */
#include <skrfs/crypto/x509.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct skrfs_chain *chain) {
    struct skrfs_error err;
    struct skrfs_public public;
    skrfs_autopkey *key = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_PEM_MAX);
    char name[64];
    bool found = false;
    uint64_t value = 0;
    if (skrfs_chain_leaf_key(chain, &key, &err) == 0)
        (void)!skrfs_pkey_public(key, &public, &err);
    (void)!skrfs_chain_leaf_name(chain, name, sizeof(name), &err);
    (void)!skrfs_chain_leaf_integer(chain, "1.3.6.1.4.1.3704.1.3.8", &value, &err);
    (void)!skrfs_chain_leaf_extension(chain, "1.3.6.1.4.1.3704.1.4", &out, &found, &err);
    (void)!skrfs_chain_verify_links(chain, &err);
    (void)skrfs_chain_same_root(chain, chain);
    (void)!skrfs_chain_pem(chain, &out, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autochain *chain = NULL;
    if (skrfs_chain_from_pem((const char *)data, size, &chain, &err) == 0)
        ask(chain);
    return 0;
}
