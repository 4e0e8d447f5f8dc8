#include <skrfs/tpm/attest.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_tpm_rsa_public public;
    if (skrfs_tpm_public_parse((struct skrfs_bytes){data, size}, &public, &err) == 0 &&
            public.policy_len > sizeof(public.policy))
        abort();
    return 0;
}
