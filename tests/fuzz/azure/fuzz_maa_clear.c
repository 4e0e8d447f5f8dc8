/* The attestation service's answer to evidence of hardware that was asked directly. */
#include "../../../src/azure/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    int result = skrfs_maa_clear_answer((struct skrfs_bytes){data, size}, &sealed, &err);
    if (result == 0 ? !skrfs_token_has_form(skrfs_buf_bytes(&sealed.clear)) : sealed.clear.len > 0)
        abort();
    (void)skrfs_token_has_form((struct skrfs_bytes){data, size});
    return 0;
}
