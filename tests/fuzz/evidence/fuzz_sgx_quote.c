#include <skrfs/evidence/sgx.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_sgx_quote quote;
    skrfs_autochain *chain = NULL;
    struct skrfs_bytes bytes = {data, size};
    if (skrfs_sgx_quote_parse(bytes, &quote, &err) < 0)
        return 0;
    if (quote.total_len > size || quote.signed_len > quote.total_len ||
            quote.proof.certs.data + quote.proof.certs.len > data + quote.total_len)
        abort();
    (void)!skrfs_sgx_quote_verify(bytes, &quote, &chain, &err);
    return 0;
}
