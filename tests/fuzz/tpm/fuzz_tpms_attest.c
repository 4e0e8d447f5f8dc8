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
    struct skrfs_attest attest;
    if (skrfs_attest_parse((struct skrfs_bytes){data, size}, &attest, &err) < 0)
        return 0;
    if (attest.extra_len > sizeof(attest.extra) || attest.digest_len > sizeof(attest.digest) ||
            attest.name_len > sizeof(attest.name))
        abort();
    return 0;
}
