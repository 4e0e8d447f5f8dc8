#include <skrfs/azure/cloud.h>
#include <skrfs/cli/claims.h>
#include <string.h>

static bool blank(char octet) {
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

static int token_claims(
        struct skrfs_bytes token, struct skrfs_json **ret_claims, struct skrfs_error *err) {
    struct skrfs_token_info info = {.not_after_s = 0};
    if (skrfs_token_inspect(token, &info, err) < 0) {
        return -1;
    }
    int result = skrfs_json_parse(
            skrfs_buf_text(&info.claims), info.claims.len, SKRFS_CLAIMS_MAX, ret_claims, err);
    skrfs_token_info_done(&info);
    return result;
}

static int object_parse(
        const char *text, size_t len, struct skrfs_json **ret_claims, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (skrfs_json_parse(text, len, SKRFS_CLAIMS_MAX, &json, err) < 0) {
        return -1;
    }
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT) {
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "claims are a JSON object");
    }
    *ret_claims = skrfs_take(json);
    return 0;
}

int skrfs_claims_parse(
        const char *text, size_t len, struct skrfs_json **ret_claims, struct skrfs_error *err) {
    while (len > 0 && blank(*text)) {
        text++;
        len--;
    }
    while (len > 0 && blank(text[len - 1])) {
        len--;
    }
    if (len > 0 && (*text == '{' || *text == '[')) {
        return object_parse(text, len, ret_claims, err);
    }
    return token_claims((struct skrfs_bytes){(const uint8_t *)text, len}, ret_claims, err);
}
