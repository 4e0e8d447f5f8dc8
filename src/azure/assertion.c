/* The assertion with which a certificate's holder logs in (RFC 7523; learn.microsoft.com,
 * "Microsoft identity platform application authentication certificate credentials"). */
#include "login.h"

#include <string.h>

#define LIFE_S 600
#define PEM_FILE_MAX ((size_t)48 * 1024)

/* Appends the certificates' blocks: the private key's stays in secret memory. */
static int take_certificates(
        const struct skrfs_secret *file, struct skrfs_buf *out, struct skrfs_error *err) {
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    static const char end[] = "-----END CERTIFICATE-----";
    const uint8_t *at = skrfs_secret_data(file);
    size_t left = skrfs_secret_len(file);
    for (;;) {
        const uint8_t *from = memmem(at, left, begin, strlen(begin));
        if (!from)
            return 0;
        left -= (size_t)(from - at);
        const uint8_t *to = memmem(from, left, end, strlen(end));
        if (!to)
            return skrfs_fail(err, SKRFS_CLASS_CONFIG, "a certificate has no end");
        size_t len = (size_t)(to - from) + strlen(end);
        if (skrfs_buf_append(out, from, len, err) < 0 || skrfs_buf_append_text(out, "\n", err) < 0)
            return -1;
        at = from + len;
        left -= len;
    }
}

static int read_chain(
        const struct skrfs_secret *file, struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    if (take_certificates(file, &pem, err) < 0)
        return -1;
    if (pem.len == 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "there is no certificate beside the key");
    return skrfs_chain_from_pem(skrfs_buf_text(&pem), pem.len, ret_chain, err);
}

/* The first certificate is the key's own. */
static int check_pair(
        const struct skrfs_chain *chain, const struct skrfs_pkey *key, struct skrfs_error *err) {
    skrfs_autopkey *leaf = NULL;
    struct skrfs_public theirs, ours;
    if (skrfs_chain_leaf_key(chain, &leaf, err) < 0 || skrfs_pkey_public(leaf, &theirs, err) < 0 ||
            skrfs_pkey_public(key, &ours, err) < 0)
        return -1;
    if (ours.type != SKRFS_KEY_RSA)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "Entra ID takes certificates of RSA keys alone");
    if (!skrfs_public_equal(&theirs, &ours))
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "the private key is not the first certificate's");
    return 0;
}

/* base64url of the certificate's SHA-256 (RFC 7515 section 4.1.8). */
static int append_thumbprint(
        const struct skrfs_chain *chain, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    uint8_t digest[SKRFS_HASH_MAX];
    if (skrfs_chain_der(chain, 0, &der, err) < 0 ||
            skrfs_hash(SKRFS_SHA256, der.data, der.len, digest, err) < 0)
        return -1;
    return skrfs_base64_encode(SKRFS_BASE64URL, digest, skrfs_hash_len(SKRFS_SHA256), out, err);
}

static int append_json(
        const struct skrfs_json *json, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(ASSERTION_MAX);
    if (skrfs_json_print(json, false, &text, err) < 0)
        return -1;
    return skrfs_base64_encode(SKRFS_BASE64URL, text.data, text.len, out, err);
}

static int append_header(
        const struct skrfs_chain *chain, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf thumbprint = SKRFS_BUF(64);
    skrfs_autojson *json = NULL;
    if (append_thumbprint(chain, &thumbprint, err) < 0 ||
            skrfs_json_pack(&json, err, "{s:s, s:s, s:s}", "alg", "PS256", "typ", "JWT", "x5t#S256",
                    skrfs_buf_text(&thumbprint)) < 0)
        return -1;
    return append_json(json, out, err);
}

static int append_payload(const char *client, const char *audience, int64_t now_s,
        struct skrfs_buf *out, struct skrfs_error *err) {
    uint8_t random[16];
    char id[2 * sizeof(random) + 1];
    skrfs_autojson *json = NULL;
    if (skrfs_random(random, sizeof(random), err) < 0)
        return -1;
    skrfs_hex_encode(random, sizeof(random), id);
    if (skrfs_json_pack(&json, err, "{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "aud", audience, "iss",
                client, "sub", client, "jti", id, "iat", now_s, "nbf", now_s, "exp",
                now_s + LIFE_S) < 0)
        return -1;
    return append_json(json, out, err);
}

static int sign(const struct skrfs_chain *chain, const struct skrfs_pkey *key, const char *client,
        const char *audience, int64_t now_s, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(ASSERTION_MAX), signature = SKRFS_BUF(SKRFS_RSA_MAX);
    if (append_header(chain, &text, err) < 0 || skrfs_buf_append_text(&text, ".", err) < 0 ||
            append_payload(client, audience, now_s, &text, err) < 0 ||
            skrfs_pss_sign(key, SKRFS_SHA256, skrfs_buf_bytes(&text), &signature, err) < 0 ||
            skrfs_buf_append_text(&text, ".", err) < 0 ||
            skrfs_base64_encode(SKRFS_BASE64URL, signature.data, signature.len, &text, err) < 0)
        return -1;
    return skrfs_buf_append(out, text.data, text.len, err);
}

int skrfs_assertion_make(const char *path, const char *client, const char *audience, int64_t now_s,
        struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autosecret *file = NULL;
    skrfs_autochain *chain = NULL;
    skrfs_autopkey *key = NULL;
    if (skrfs_secret_read(path, PEM_FILE_MAX, &file, err) < 0)
        return -1;
    if (read_chain(file, &chain, err) < 0 ||
            skrfs_pkey_from_pem(
                    (const char *)skrfs_secret_data(file), skrfs_secret_len(file), &key, err) < 0 ||
            check_pair(chain, key, err) < 0) {
        if (err->kind == SKRFS_CLASS_BAD_ANSWER)
            err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(err, "%s", path);
    }
    return sign(chain, key, client, audience, now_s, out, err);
}
