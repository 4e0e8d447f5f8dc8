/* The `claims` parameter of a token request (OpenID Connect Core section 5.5), as continuous access
 * evaluation uses it. */
#include "login.h"

#include <string.h>

/* learn.microsoft.com, "Claims challenges, claims requests and client capabilities". */
static int capability(struct skrfs_json *access_token, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    if (skrfs_json_pack(&value, err, "{s:[s]}", "values", "cp1") < 0)
        return -1;
    return skrfs_json_set(access_token, "xms_cc", value, err);
}

static int read_demand(
        const char *demanded, struct skrfs_json **ret_claims, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(CLAIMS_MAX);
    skrfs_autojson *claims = NULL;
    if (!demanded)
        return skrfs_json_pack(ret_claims, err, "{}");
    if (skrfs_base64_decode(SKRFS_BASE64_ANY, demanded, strlen(demanded), &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, CLAIMS_MAX, &claims, err) < 0)
        return -1;
    if (skrfs_json_kind(claims) != SKRFS_JSON_OBJECT)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "no JSON object");
    *ret_claims = skrfs_take(claims);
    return 0;
}

int skrfs_claims_merge(const char *demanded, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *claims = NULL;
    skrfs_autojson *access_token = NULL;
    if (read_demand(demanded, &claims, err) < 0)
        return skrfs_wrap(err, "the claims that are demanded");
    const struct skrfs_json *before = skrfs_json_get(claims, "access_token");
    if (before && skrfs_json_kind(before) != SKRFS_JSON_OBJECT)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the claims that are demanded: access_token is none");
    if (before ? skrfs_json_copy(before, &access_token, err) < 0
               : skrfs_json_pack(&access_token, err, "{}") < 0)
        return -1;
    if (capability(access_token, err) < 0 ||
            skrfs_json_set(claims, "access_token", skrfs_take(access_token), err) < 0)
        return -1;
    return skrfs_json_print(claims, false, out, err);
}
