/* A private key out of PEM text (RFC 7468, and the older blocks of OpenSSL), through OpenSSL's
 * secure heap. */
#include "internal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* There is nobody to ask for a password. */
static int no_password(char *buf, int size, int writing, void *context) {
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)context = true;
    return -1;
}

static int fail_password(struct skrfs_error *err) {
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "the private key is under a password: take it off ('openssl pkey' does) into a file "
            "that only its owner may read");
}

int skrfs_pkey_from_pem(
        const char *text, size_t len, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    if (skrfs_crypto_ready_private(err) < 0)
        return -1;
    PRIVATE_WORK;
    auto_bio *bio = len <= INT_MAX ? BIO_new_mem_buf(text, (int)len) : NULL;
    if (!bio)
        return skrfs_fail_memory(err);
    unsigned char *der = NULL;
    long der_len = 0;
    char *name = NULL;
    bool wanted_password = false;
    int read = PEM_bytes_read_bio_secmem(
            &der, &der_len, &name, PEM_STRING_EVP_PKEY, bio, no_password, &wanted_password);
    if (read != 1 && !wanted_password)
        return skrfs_crypto_refuse(err, SKRFS_CLASS_CONFIG, "there is no private key in the text");
    ERR_clear_error();
    if (read != 1)
        return fail_password(err);
    bool encrypted = strcmp(name, PEM_STRING_PKCS8) == 0;
    int result = encrypted ? fail_password(err)
                           : skrfs_pkey_from_der(der, (size_t)der_len, ret_key, err);
    OPENSSL_secure_free(name);
    OPENSSL_secure_clear_free(der, (size_t)der_len);
    return result;
}
