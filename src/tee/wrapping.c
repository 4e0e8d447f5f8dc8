/* The wrapping key of TEEs without a TPM, and how the attestation service is told of it: runtime
 * data with a JWK Set, whose members are those that the vault looks for (key_ops must allow
 * encrypt; the name is the key's own thumbprint). */
#include "internal.h"

#include <skrfs/base/encode.h>
#include <string.h>

#define RSA_BITS 2048

static int append_number(
        const uint8_t *data, size_t len, struct skrfs_buf *out, struct skrfs_error *err) {
    while (len > 1 && *data == 0) {
        data++;
        len--;
    }
    return skrfs_base64_encode(SKRFS_BASE64URL, data, len, out, err);
}

/* RFC 7638, section 3: the required members alone, in the order of their names, without blanks. */
static int make_thumbprint(
        const char *e, const char *n, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_RUNTIME_DATA_MAX);
    uint8_t digest[32];
    if (skrfs_buf_printf(&text, err, "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", e, n) < 0 ||
            skrfs_hash(SKRFS_SHA256, text.data, text.len, digest, err) < 0)
        return -1;
    return skrfs_base64_encode(SKRFS_BASE64URL, digest, sizeof(digest), out, err);
}

static int describe(const struct skrfs_pkey *key, struct skrfs_buf *kid, struct skrfs_buf *runtime,
        struct skrfs_error *err) {
    struct skrfs_public public;
    skrfs_autobuf e = SKRFS_BUF(64), n = SKRFS_BUF((size_t)2 * SKRFS_RSA_MAX);
    if (skrfs_pkey_public(key, &public, err) < 0 ||
            append_number(public.e, public.e_len, &e, err) < 0 ||
            append_number(public.n, public.n_len, &n, err) < 0 ||
            make_thumbprint(skrfs_buf_text(&e), skrfs_buf_text(&n), kid, err) < 0)
        return -1;
    return skrfs_buf_printf(runtime, err,
            "{\"keys\":[{\"e\":\"%s\",\"key_ops\":[\"encrypt\"],\"kid\":\"%s\",\"kty\":\"RSA\","
            "\"n\":\"%s\"}]}",
            skrfs_buf_text(&e), skrfs_buf_text(kid), skrfs_buf_text(&n));
}

int skrfs_wrapping_make(struct skrfs_pkey **ret_key, char ret_kid[64], struct skrfs_buf *runtime,
        struct skrfs_error *err) {
    skrfs_autopkey *key = NULL;
    skrfs_autobuf kid = SKRFS_BUF(63), text = SKRFS_BUF(SKRFS_RUNTIME_DATA_MAX);
    if (skrfs_pkey_new_rsa(RSA_BITS, &key, err) < 0 || describe(key, &kid, &text, err) < 0)
        return skrfs_wrap(err, "make a wrapping key");
    skrfs_buf_done(runtime);
    skrfs_buf_move(runtime, &text);
    memcpy(ret_kid, skrfs_buf_text(&kid), kid.len + 1);
    *ret_key = skrfs_take(key);
    return 0;
}
