/* The plaintext of a release, into every format: type, format, then the octets. */
#include <skrfs/crypto/encoding.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autosecret *plain = NULL;
    skrfs_autosecret *encoded = NULL;
    if (size < 3 || skrfs_secret_copy(data + 2, size - 2, &plain, &err) < 0)
        return 0;
    enum skrfs_key_type type = (enum skrfs_key_type)(data[0] % 3);
    enum skrfs_format format = (enum skrfs_format)(data[1] % SKRFS_FORMAT_COUNT);
    (void)!skrfs_key_encode(plain, type, format, "kid", &encoded, &err);
    const struct skrfs_public expected = {.type = type};
    (void)!skrfs_key_check_public(plain, &expected, &err);
    return 0;
}
