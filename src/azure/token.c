/* Attestation tokens (RFC 7519), read and not verified: that is the vault's part. */
#include "internal.h"

#include <string.h>

void skrfs_token_info_done(struct skrfs_token_info *info) {
    skrfs_buf_done(&info->claims);
}

bool skrfs_token_has_form(struct skrfs_bytes token) {
    static const char letters[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t part_len = 0, dots = 0;
    if (token.len == 0 || token.len > SKRFS_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < token.len; i++) {
        bool dot = token.data[i] == '.';
        if (dot ? part_len == 0 || ++dots > 2
                : !memchr(letters, token.data[i], sizeof(letters) - 1))
            return false;
        part_len = dot ? 0 : part_len + 1;
    }
    return dots == 2 && part_len > 0;
}

/* The middle one of exactly three parts. */
static bool payload_of(struct skrfs_bytes token, struct skrfs_bytes *ret_payload) {
    const uint8_t *first = token.len ? memchr(token.data, '.', token.len) : NULL;
    if (!first)
        return false;
    size_t rest = token.len - (size_t)(first - token.data) - 1;
    const uint8_t *second = rest ? memchr(first + 1, '.', rest) : NULL;
    if (!second)
        return false;
    size_t len = (size_t)(second - first) - 1;
    *ret_payload = (struct skrfs_bytes){first + 1, len};
    return first != token.data && len > 0 && !memchr(second + 1, '.', rest - len - 1);
}

int skrfs_token_inspect(
        struct skrfs_bytes token, struct skrfs_token_info *ret_info, struct skrfs_error *err) {
    struct skrfs_bytes payload;
    skrfs_autobuf claims = SKRFS_BUF(SKRFS_TOKEN_MAX);
    skrfs_autojson *json = NULL;
    int64_t expires = 0;
    if (token.len > SKRFS_TOKEN_MAX || !payload_of(token, &payload))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the attestation token is no JWT");
    if (skrfs_base64_decode(
                SKRFS_BASE64URL, (const char *)payload.data, payload.len, &claims, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&claims), claims.len, SKRFS_TOKEN_MAX, &json, err) <
                    0 ||
            skrfs_json_need_integer(json, "exp", &expires, err) < 0)
        return skrfs_wrap(err, "the attestation token");
    if (expires <= 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the attestation token's exp is no time");
    ret_info->not_after_s = expires;
    ret_info->claims = SKRFS_BUF(SKRFS_TOKEN_MAX);
    skrfs_buf_move(&ret_info->claims, &claims);
    return 0;
}
