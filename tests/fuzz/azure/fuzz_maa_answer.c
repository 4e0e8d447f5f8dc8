/* The attestation service's answer to AzureGuest. */
#include "../../../src/azure/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    int result = skrfs_maa_answer((struct skrfs_bytes){data, size}, &sealed, &err);
    bool whole = sealed.inner_key.len == 256 && sealed.iv.len == 12 && sealed.tag.len == 16;
    bool nothing = !sealed.inner_key.len && !sealed.iv.len && !sealed.tag.len && !sealed.cipher.len;
    if (result == 0 ? !whole : !nothing)
        abort();
    return 0;
}
