/* A private key that somebody brings: format, then the octets. What is taken can be written again.
 */
#include <skrfs/crypto/encoding.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autosecret *encoded = NULL;
    skrfs_autosecret *plain = NULL;
    skrfs_autosecret *again = NULL;
    enum skrfs_key_type type = SKRFS_KEY_OCT;
    if (size < 2 || skrfs_secret_copy(data + 1, size - 1, &encoded, &err) < 0)
        return 0;
    enum skrfs_format format = (enum skrfs_format)(data[0] % SKRFS_FORMAT_COUNT);
    if (skrfs_key_decode(encoded, format, &plain, &type, &err) < 0)
        return 0;
    if (skrfs_key_encode(plain, type, SKRFS_FORMAT_JWK, NULL, &again, &err) < 0)
        abort();
    return 0;
}
