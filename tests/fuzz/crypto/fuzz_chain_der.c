/* One certificate as DER, held against itself as the trust anchor. */
#include <skrfs/crypto/x509.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autochain *chain = NULL;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    SKRFS_CLEANUP(skrfs_trust_free_p) struct skrfs_trust *trust = NULL;
    const struct skrfs_bytes cert = {data, size};
    if (skrfs_chain_from_der(&cert, 1, &chain, &err) < 0 || skrfs_chain_pem(chain, &pem, &err) < 0)
        return 0;
    if (skrfs_trust_from_pem(skrfs_buf_text(&pem), pem.len, &trust, &err) == 0)
        (void)!skrfs_chain_verify_server(chain, trust, "vault.example", 1700000000, &err);
    return 0;
}
