/* openssh-key-v1, as PROTOCOL.key of OpenSSH and RFC 4253, 5656 describe it; not encrypted. */
#include "internal.h"

#include <string.h>

struct parts {
    const struct skrfs_numbers *numbers;
    const char *comment;
    const char *algorithm; /* "ecdsa-sha2-nistp256" */
    const char *curve;     /* "nistp256", NULL for RSA */
    uint32_t check;
};

static void put_string(struct skrfs_sink *sink, const void *data, size_t len) {
    skrfs_sink_u32(sink, (uint32_t)len);
    skrfs_sink_put(sink, data, len);
}

static void put_text(struct skrfs_sink *sink, const char *text) {
    put_string(sink, text, strlen(text));
}

/* RFC 4251 section 5: two's complement, so a set top bit wants a zero octet in front. */
static void put_mpint(struct skrfs_sink *sink, struct skrfs_bytes number) {
    struct skrfs_bytes trimmed = skrfs_crypto_trim(number.data, number.len);
    bool pad = trimmed.data[0] >= 0x80;
    skrfs_sink_u32(sink, (uint32_t)(trimmed.len + pad));
    skrfs_sink_put(sink, "", pad);
    skrfs_sink_put(sink, trimmed.data, trimmed.len);
}

static void put_point(struct skrfs_sink *sink, const struct skrfs_numbers *numbers) {
    skrfs_sink_u32(sink, (uint32_t)(1 + numbers->x.len + numbers->y.len));
    skrfs_sink_put(sink, "\x04", 1);
    skrfs_sink_put(sink, numbers->x.data, numbers->x.len);
    skrfs_sink_put(sink, numbers->y.data, numbers->y.len);
}

static void put_public(struct skrfs_sink *sink, const void *context) {
    const struct parts *parts = context;
    put_text(sink, parts->algorithm);
    if (parts->curve) {
        put_text(sink, parts->curve);
        put_point(sink, parts->numbers);
    } else {
        put_mpint(sink, parts->numbers->e);
        put_mpint(sink, parts->numbers->n);
    }
}

static void put_private(struct skrfs_sink *sink, const void *context) {
    const struct parts *parts = context;
    const struct skrfs_numbers *numbers = parts->numbers;
    size_t begun = sink->len;
    skrfs_sink_u32(sink, parts->check);
    skrfs_sink_u32(sink, parts->check);
    put_text(sink, parts->algorithm);
    if (parts->curve) {
        put_text(sink, parts->curve);
        put_point(sink, numbers);
        put_mpint(sink, numbers->d);
    } else {
        put_mpint(sink, numbers->n);
        put_mpint(sink, numbers->e);
        put_mpint(sink, numbers->d);
        put_mpint(sink, numbers->qi);
        put_mpint(sink, numbers->p);
        put_mpint(sink, numbers->q);
    }
    put_text(sink, parts->comment);
    /* 1, 2, 3, ... up to the block size of the cipher "none", which is 8. */
    for (uint8_t i = 1; (sink->len - begun) % 8 != 0; i++)
        skrfs_sink_put(sink, &i, 1);
}

/* A part behind its own length, which a counting run finds. */
static void put_nested(struct skrfs_sink *sink, skrfs_encoder *encoder, const void *context) {
    struct skrfs_sink count = {0};
    encoder(&count, context);
    skrfs_sink_u32(sink, (uint32_t)count.len);
    encoder(sink, context);
}

static void put_key(struct skrfs_sink *sink, const void *context) {
    skrfs_sink_put(sink, "openssh-key-v1", sizeof("openssh-key-v1"));
    put_text(sink, "none"); /* cipher */
    put_text(sink, "none"); /* key derivation */
    put_text(sink, "");
    skrfs_sink_u32(sink, 1); /* keys */
    put_nested(sink, put_public, context);
    put_nested(sink, put_private, context);
}

static void put_armoured(struct skrfs_sink *sink, const void *context) {
    const struct skrfs_secret *binary = context;
    struct skrfs_bytes der = {skrfs_secret_data(binary), skrfs_secret_len(binary)};
    skrfs_sink_pem(sink, "OPENSSH PRIVATE KEY", der, 70);
}

/* The check number tells a wrong passphrase from a right one. There is none here, so it is taken
 * from the public half: the same key then always gives the same file. */
static int find_check(struct parts *parts, struct skrfs_error *err) {
    uint8_t digest[SKRFS_HASH_MAX];
    skrfs_autobuf blob = SKRFS_BUF(4096);
    if (skrfs_sink_to_buf(put_public, parts, &blob, err) < 0 ||
            skrfs_hash(SKRFS_SHA256, blob.data, blob.len, digest, err) < 0)
        return -1;
    memcpy(&parts->check, digest, sizeof(parts->check));
    return 0;
}

int skrfs_openssh_encode(const struct skrfs_numbers *numbers, const char *comment,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    static const char *const algorithms[] = {
            [SKRFS_P256] = "ecdsa-sha2-nistp256",
            [SKRFS_P384] = "ecdsa-sha2-nistp384",
            [SKRFS_P521] = "ecdsa-sha2-nistp521",
    };
    struct parts parts = {
            .numbers = numbers, .comment = comment ? comment : "", .algorithm = "ssh-rsa"};
    if (numbers->type == SKRFS_KEY_EC) {
        if ((size_t)numbers->curve >= SKRFS_ARRAY_LEN(algorithms))
            return skrfs_fail(err, SKRFS_CLASS_CONFIG, "OpenSSH knows no keys on the curve %s",
                    skrfs_curve_name(numbers->curve));
        parts.algorithm = algorithms[numbers->curve];
        parts.curve = parts.algorithm + strlen("ecdsa-sha2-");
    }
    if (find_check(&parts, err) < 0)
        return -1;
    skrfs_autosecret *binary = NULL;
    if (skrfs_sink_to_secret(put_key, &parts, &binary, err) < 0)
        return -1;
    return skrfs_sink_to_secret(put_armoured, binary, ret_encoded, err);
}
