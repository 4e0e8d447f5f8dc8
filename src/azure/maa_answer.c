/* What the attestation service answers: a sealed token to a confidential VM, a token as it is to
 * the others. */
#include "internal.h"

#include <string.h>

static int check_parameters(const struct skrfs_json *json, struct skrfs_error *err) {
    const struct skrfs_json *parameters = NULL;
    const char *cipher = NULL, *mode = NULL;
    if (skrfs_json_need_object(json, "EncryptionParams", &parameters, err) < 0 ||
            skrfs_json_need_string(parameters, "Cipher", &cipher, err) < 0 ||
            skrfs_json_need_string(parameters, "BlockMode", &mode, err) < 0)
        return -1;
    if (strcmp(cipher, "AES") != 0 || strcmp(mode, "ChainingModeGCM") != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "it is sealed with another cipher than AES-GCM");
    return 0;
}

static int read_sealed(
        const struct skrfs_json *json, struct skrfs_sealed_token *sealed, struct skrfs_error *err) {
    const int any = SKRFS_BASE64_ANY;
    if (check_parameters(json, err) < 0 ||
            skrfs_json_need_base64(json, "EncryptedInnerKey", any, &sealed->inner_key, err) < 0 ||
            skrfs_json_need_base64(
                    skrfs_json_get(json, "EncryptionParams"), "Iv", any, &sealed->iv, err) < 0 ||
            skrfs_json_need_base64(json, "AuthenticationData", any, &sealed->tag, err) < 0 ||
            skrfs_json_need_base64(json, "Jwt", any, &sealed->cipher, err) < 0)
        return -1;
    if (sealed->inner_key.len != 256 || sealed->iv.len != 12 || sealed->tag.len != 16 ||
            sealed->cipher.len == 0)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "a part of the sealed token has a wrong length");
    return 0;
}

int skrfs_maa_answer(
        struct skrfs_bytes body, struct skrfs_sealed_token *ret_sealed, struct skrfs_error *err) {
    skrfs_autojson *outer = NULL, *inner = NULL;
    skrfs_autobuf text = SKRFS_BUF(MAA_ANSWER_MAX);
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    if (skrfs_json_parse((const char *)body.data, body.len, MAA_ANSWER_MAX, &outer, err) < 0 ||
            skrfs_json_need_base64(outer, "token", SKRFS_BASE64_ANY, &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, MAA_ANSWER_MAX, &inner, err) < 0 ||
            read_sealed(inner, &sealed, err) < 0)
        return -1;
    skrfs_buf_move(&ret_sealed->inner_key, &sealed.inner_key);
    skrfs_buf_move(&ret_sealed->iv, &sealed.iv);
    skrfs_buf_move(&ret_sealed->tag, &sealed.tag);
    skrfs_buf_move(&ret_sealed->cipher, &sealed.cipher);
    return 0;
}

int skrfs_maa_clear_answer(
        struct skrfs_bytes body, struct skrfs_sealed_token *ret_sealed, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const char *token = NULL;
    if (skrfs_json_parse((const char *)body.data, body.len, MAA_ANSWER_MAX, &json, err) < 0 ||
            skrfs_json_need_string(json, "token", &token, err) < 0)
        return -1;
    if (!skrfs_token_has_form((struct skrfs_bytes){(const uint8_t *)token, strlen(token)}))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "member 'token' is no token");
    return skrfs_buf_append_text(&ret_sealed->clear, token, err);
}
