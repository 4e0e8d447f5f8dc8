/* An attestation token's payload. */
#include "../../../src/azure/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    SKRFS_CLEANUP(skrfs_token_info_done) struct skrfs_token_info info = {0};
    if (skrfs_token_inspect((struct skrfs_bytes){data, size}, &info, &err) == 0 &&
            (info.not_after_s <= 0 || info.claims.len == 0))
        abort();
    return 0;
}
