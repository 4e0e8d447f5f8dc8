#include <skrfs/tpm/attest.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libtss2 would write a line for each malformed input. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    return setenv("TSS2_LOG", "all+NONE", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_tpm_rsa_public public;
    if (skrfs_tpm_public_parse((struct skrfs_bytes){data, size}, &public, &err) == 0 &&
            public.policy_len > sizeof(public.policy))
        abort();
    return 0;
}
