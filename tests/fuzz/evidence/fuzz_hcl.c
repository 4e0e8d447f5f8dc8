#include <skrfs/evidence/hcl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_hcl hcl;
    uint8_t modulus[256];
    struct skrfs_bytes index = {data, size};
    if (skrfs_hcl_parse(index, &hcl, &err) < 0)
        return 0;
    if (skrfs_hcl_len(&hcl) > size)
        abort();
    (void)!skrfs_hcl_check_binding(&hcl, &err);
    (void)!skrfs_hcl_ak_modulus(&hcl, modulus, &err);
    return 0;
}
