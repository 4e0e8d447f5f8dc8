#include <skrfs/evidence/sgx.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_bytes quote, claims;
    struct skrfs_sgx_quote parsed;
    struct skrfs_bytes bytes = {data, size};
    if (skrfs_oe_unwrap(bytes, &quote, &claims, &err) < 0)
        return 0;
    if (quote.data < data || quote.data + quote.len > data + size)
        abort();
    if (claims.len > 0 &&
            (claims.data != quote.data + quote.len || claims.data + claims.len > data + size))
        abort();
    if (skrfs_sgx_quote_parse(quote, &parsed, &err) < 0 || parsed.total_len != quote.len)
        abort();
    return 0;
}
