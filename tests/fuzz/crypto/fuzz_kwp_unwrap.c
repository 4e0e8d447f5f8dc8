/* A key wrapped with AES-KWP: the length of the wrapping key, the key, the wrapped octets. */
#include <skrfs/crypto/wrap.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t lengths[] = {16, 24, 32, 7};
    struct skrfs_error err;
    skrfs_autosecret *kek = NULL;
    skrfs_autosecret *plain = NULL;
    if (size < 1)
        return 0;
    size_t len = lengths[data[0] % 4];
    if (size < 1 + len || skrfs_secret_copy(data + 1, len, &kek, &err) < 0)
        return 0;
    (void)!skrfs_kwp_unwrap(
            kek, (struct skrfs_bytes){data + 1 + len, size - 1 - len}, &plain, &err);
    return 0;
}
