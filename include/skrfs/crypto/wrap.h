/* Key wrapping as Secure Key Release does it: RSA-OAEP over an AES key, AES-KWP (RFC 5649) over the
 * key; and the AES-GCM of the sealed attestation token. Thread safe. */
#ifndef SKRFS_CRYPTO_WRAP_H
#define SKRFS_CRYPTO_WRAP_H

#include <skrfs/crypto/pkey.h>

/* The service's names of `enc`. MGF1 uses the same hash as OAEP; the label is empty. */
enum skrfs_enc {
    SKRFS_ENC_SHA256, /* RSA_AES_KEY_WRAP_256, what skrfs asks for */
    SKRFS_ENC_SHA384, /* RSA_AES_KEY_WRAP_384 */
    SKRFS_ENC_SHA1,   /* CKM_RSA_AES_KEY_WRAP */
};
const char *skrfs_enc_name(enum skrfs_enc enc);
bool skrfs_enc_parse(const char *name, enum skrfs_enc *ret_enc);
enum skrfs_hash skrfs_enc_hash(enum skrfs_enc enc);

/* AES-KWP unwrap straight into secret memory; kek of 16, 24 or 32 octets; plaintexts of up to 8
 * octets (single-block case) too. A failed integrity check is CRYPTO. */
int skrfs_kwp_unwrap(const struct skrfs_secret *kek, struct skrfs_bytes wrapped,
        struct skrfs_secret **ret_plain, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_kwp_wrap(const struct skrfs_secret *kek, const struct skrfs_secret *plain,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

int skrfs_oaep_encrypt(const struct skrfs_pkey *key, enum skrfs_hash hash, struct skrfs_bytes plain,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* RSAES-PKCS1-v1_5 encryption, as the attestation service seals the token's inner key. */
int skrfs_pkcs1_encrypt(const struct skrfs_pkey *key, struct skrfs_bytes plain,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* OAEP decryption with a software key, straight into secret memory. */
int skrfs_oaep_decrypt(const struct skrfs_pkey *key, enum skrfs_hash hash,
        struct skrfs_bytes cipher, struct skrfs_secret **ret_plain,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* AES-GCM, key of 16, 24 or 32 octets, tag of 16, any IV length from 12. A wrong tag is CRYPTO and
 * nothing of the plaintext is given out. */
int skrfs_gcm_open(const struct skrfs_secret *key, struct skrfs_bytes iv, struct skrfs_bytes aad,
        struct skrfs_bytes cipher, struct skrfs_bytes tag, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_gcm_seal(const struct skrfs_secret *key, struct skrfs_bytes iv, struct skrfs_bytes aad,
        struct skrfs_bytes plain, struct skrfs_buf *out, uint8_t ret_tag[16],
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
