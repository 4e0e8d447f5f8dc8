#include <skrfs/evidence/tdx.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_td_quote quote;
    uint8_t report_data[64];
    struct skrfs_bytes bytes = {data, size};
    (void)!skrfs_td_report_data(bytes, report_data, &err);
    if (skrfs_td_quote_parse(bytes, &quote, &err) < 0)
        return 0;
    if (quote.total_len > size || quote.signed_len > quote.total_len)
        abort();
    (void)!skrfs_td_quote_verify(bytes, &quote, &err);
    (void)!skrfs_td_quote_verify_chain(bytes, &quote, NULL, &err);
    return 0;
}
