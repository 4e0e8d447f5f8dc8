/* A login, and the answer that all endpoints give to it. */
#include "login.h"

#include <string.h>

void skrfs_access_token_done(struct access_token *token) {
    skrfs_buf_done(&token->text);
}

/* The metadata service writes numbers as strings; others write numbers. */
static bool number_member(const struct skrfs_json *json, const char *name, int64_t *ret_number) {
    const struct skrfs_json *value = skrfs_json_get(json, name);
    if (value && skrfs_json_kind(value) == SKRFS_JSON_INTEGER) {
        *ret_number = skrfs_json_integer(value);
        return *ret_number > 0;
    }
    const char *text = skrfs_json_string(value);
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len > 12 || strspn(text, "0123456789") != len)
        return false;
    *ret_number = strtoll(text, NULL, 10);
    return *ret_number > 0;
}

/* A time, told as such (`absolute`) or as seconds from now. What is beyond all years is not
 * believed. */
static bool time_member(const struct skrfs_json *json, const char *absolute, const char *relative,
        int64_t *ret_time_s) {
    int64_t number = 0;
    if (number_member(json, absolute, &number)) {
        *ret_time_s = number;
        return true;
    }
    if (!number_member(json, relative, &number) || number > INT64_C(1) << 40)
        return false;
    *ret_time_s = number + skrfs_wall_s();
    return true;
}

/* It goes into a header line: RFC 6750 section 2.1 allows no more than these. */
static bool is_token_text(const char *text) {
    static const char allowed[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    return *text && strspn(text, allowed) == strlen(text);
}

int skrfs_identity_answer(
        struct skrfs_bytes body, struct access_token *ret_token, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const char *text = NULL;
    int64_t expires = 0, refresh = 0;
    if (skrfs_json_parse((const char *)body.data, body.len, SMALL_ANSWER_MAX, &json, err) < 0 ||
            skrfs_json_need_string(json, "access_token", &text, err) < 0)
        return -1;
    if (!is_token_text(text))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "access_token has characters that no token has");
    if (!time_member(json, "expires_on", "expires_in", &expires))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "neither expires_on nor expires_in is a time");
    if (!time_member(json, "refresh_on", "refresh_in", &refresh) || refresh >= expires)
        refresh = 0;
    if (skrfs_buf_append_text(&ret_token->text, text, err) < 0)
        return -1;
    ret_token->expires_s = expires;
    ret_token->refresh_s = refresh;
    return 0;
}

int skrfs_login(struct skrfs_cloud *cloud, const struct token_slot *slot, uint64_t deadline_ns,
        struct access_token *ret_token, struct skrfs_error *err) {
    if (skrfs_identity_is_managed(slot->identity))
        return skrfs_managed_login(cloud, slot, deadline_ns, ret_token, err);
    return skrfs_entra_login(cloud, slot, deadline_ns, ret_token, err);
}
