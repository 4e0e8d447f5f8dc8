#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORDS_MAX 240 /* of a service, in a message */

static const char *either(const struct skrfs_json *json, const char *one, const char *other) {
    const char *text = skrfs_json_string(skrfs_json_get(json, one));
    return text ? text : skrfs_json_string(skrfs_json_get(json, other));
}

/* A service may repeat what it was sent; this text ends up in logs. JWTs begin with '{"' in
 * base64url. */
void skrfs_tokens_hide(char *text) {
    static const char stands_for[] = "(a token)";
    const size_t instead = sizeof(stands_for) - 1;
    for (char *at = strstr(text, "eyJ"); at; at = strstr(at + 1, "eyJ")) {
        size_t len =
                strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");
        if (len < 2 * instead)
            continue;
        memmove(at + instead, at + len, strlen(at + len) + 1);
        memcpy(at, stands_for, instead);
    }
}

void skrfs_refusal_text(struct skrfs_bytes body, char *out, size_t size) {
    struct skrfs_error ignored;
    skrfs_autojson *json = NULL;
    out[0] = '\0';
    if (!body.len || skrfs_json_parse((const char *)body.data, body.len, SMALL_ANSWER_MAX, &json,
                             &ignored) < 0)
        return;
    const struct skrfs_json *error = skrfs_json_get(json, "error");
    if (!error)
        error = skrfs_json_get(json, "Error");
    /* Entra ID and the metadata service: {"error": "code", "error_description": "..."}. */
    const char *code = skrfs_json_string(error);
    const char *message =
            code ? skrfs_json_string(skrfs_json_get(json, "error_description")) : NULL;
    if (!code) {
        code = either(error, "code", "Code");
        message = either(error, "message", "Message");
    }
    /* App Service: {"statusCode": 400, "message": "..."}. */
    if (!code && !message)
        message = either(json, "message", "Message");
    char clean_code[64] = "", clean_message[WORDS_MAX] = "";
    if (code)
        skrfs_text_clean(code, strlen(code), clean_code, sizeof(clean_code));
    if (message)
        skrfs_text_clean(message, strlen(message), clean_message, sizeof(clean_message));
    skrfs_tokens_hide(clean_code);
    skrfs_tokens_hide(clean_message);
    snprintf(out, size, "%s%s%s", clean_code, *clean_code && *clean_message ? ": " : "",
            clean_message);
}

enum skrfs_class skrfs_status_class(long status) {
    if (status == 404)
        return SKRFS_CLASS_NOT_FOUND;
    if (status == 408 || status == 429 || status >= 500)
        return SKRFS_CLASS_UNAVAILABLE;
    if (status >= 400)
        return SKRFS_CLASS_REJECTED;
    return SKRFS_CLASS_BAD_ANSWER;
}

/* ", again in 30 s" when the service said so, or nothing. */
static void tell_wait(const struct skrfs_http_answer *answer, char *out, size_t size) {
    uint64_t left = answer->retry_at_ns ? skrfs_until_ns(answer->retry_at_ns) : 0;
    *out = '\0';
    if (left > 0)
        snprintf(out, size, ", again in %llu s",
                (unsigned long long)((left + SKRFS_SECOND_NS - 1) / SKRFS_SECOND_NS));
}

int skrfs_refusal_fail(const struct skrfs_http_answer *answer, enum skrfs_class kind,
        struct skrfs_error *err, const char *format, ...) {
    char text[600], words[WORDS_MAX + 70], wait[48];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    skrfs_refusal_text(skrfs_buf_bytes(&answer->body), words, sizeof(words));
    tell_wait(answer, wait, sizeof(wait));
    skrfs_fail(err, kind, "%s%s%s (HTTP %ld%s%s%s)", text, *words ? ": " : "", words,
            answer->status, wait, *answer->request_id ? ", request id " : "", answer->request_id);
    err->upstream = (uint32_t)answer->status;
    if (kind == SKRFS_CLASS_UNAVAILABLE)
        skrfs_fail_retryable(err, answer->retry_at_ns);
    return -1;
}
