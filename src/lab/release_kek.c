#include "release.h"

#include <skrfs/base/encode.h>
#include <string.h>

/* RSA, and for encryption by its use or its operations. */
static bool may_encrypt(const struct skrfs_json *jwk) {
    const char *kty = skrfs_json_string(skrfs_json_get(jwk, "kty"));
    const char *use = skrfs_json_string(skrfs_json_get(jwk, "use"));
    const struct skrfs_json *ops = skrfs_json_get(jwk, "key_ops");
    if (!kty || strcmp(kty, "RSA") != 0 || !skrfs_json_string(skrfs_json_get(jwk, "kid")))
        return false;
    if (use && strcmp(use, "enc") == 0)
        return true;
    for (size_t i = 0; i < skrfs_json_size(ops); i++) {
        const char *op = skrfs_json_string(skrfs_json_at(ops, i));
        if (op && strcmp(op, "encrypt") == 0)
            return true;
    }
    return false;
}

static int number(const struct skrfs_json *jwk, const char *name, uint8_t *out, size_t size,
        size_t *ret_len, struct skrfs_error *err) {
    skrfs_autobuf octets = SKRFS_BUF(size);
    if (skrfs_json_need_base64(jwk, name, SKRFS_BASE64URL, &octets, err) < 0)
        return -1;
    if (octets.len == 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is empty", name);
    memcpy(out, octets.data, octets.len);
    *ret_len = octets.len;
    return 0;
}

int skrfs_lab_release_kek(const struct skrfs_json *claims, struct skrfs_pkey **ret_key,
        char *ret_id, size_t id_size, struct skrfs_error *err) {
    const struct skrfs_json *runtime = skrfs_json_get(claims, "x-ms-runtime");
    const struct skrfs_json *keys = skrfs_json_get(runtime, "keys");
    size_t i = 0;
    while (i < skrfs_json_size(keys) && !may_encrypt(skrfs_json_at(keys, i)))
        i++;
    const struct skrfs_json *jwk = skrfs_json_at(keys, i);
    if (!jwk)
        return skrfs_fail(
                err, SKRFS_CLASS_REJECTED, "the token's x-ms-runtime has no key to wrap to");
    struct skrfs_public public = {.type = SKRFS_KEY_RSA};
    if (number(jwk, "n", public.n, sizeof(public.n), &public.n_len, err) < 0 ||
            number(jwk, "e", public.e, sizeof(public.e), &public.e_len, err) < 0 ||
            skrfs_pkey_from_public(&public, ret_key, err) < 0)
        return skrfs_wrap(err, "the token's key to wrap to");
    const char *kid = skrfs_json_string(skrfs_json_get(jwk, "kid"));
    skrfs_text_clean(kid, strlen(kid), ret_id, id_size);
    return 0;
}
