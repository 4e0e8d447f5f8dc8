#include "http.h"

#include <skrfs/base/encode.h>
#include <skrfs/crypto/hash.h>
#include <skrfs/json/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *skrfs_lab_header(const struct skrfs_lab_request *request, const char *name) {
    return request->header ? request->header(request->context, name) : NULL;
}

const char *skrfs_lab_query(const struct skrfs_lab_request *request, const char *name) {
    return request->query ? request->query(request->context, name) : NULL;
}

void skrfs_lab_answer_init(struct skrfs_lab_answer *answer, enum skrfs_lab_service service) {
    *answer = (struct skrfs_lab_answer){.service = service,
            .body = SKRFS_BUF(SKRFS_LAB_BODY_MAX),
            .delivery = {.stall_at = -1, .cut_at = -1}};
}

void skrfs_lab_answer_done(struct skrfs_lab_answer *answer) {
    skrfs_buf_done(&answer->body);
}

void skrfs_lab_new_id(char out[37]) {
    struct skrfs_error err;
    uint8_t id[16];
    char hex[33] = "00000000000000000000000000000000";
    if (skrfs_random(id, sizeof(id), &err) == 0)
        skrfs_hex_encode(id, sizeof(id), hex);
    (void)snprintf(
            out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* IMDS and Entra ID speak OAuth's errors (RFC 6749 section 5.2), the others Azure's. */
static int error_json(const struct skrfs_lab_answer *answer, const char *code, const char *inner,
        const char *message, struct skrfs_json **ret_json, struct skrfs_error *err) {
    if (answer->service == SKRFS_LAB_IMDS || answer->service == SKRFS_LAB_LOGIN)
        return skrfs_json_pack(
                ret_json, err, "{s:s,s:s}", "error", code, "error_description", message);
    if (inner)
        return skrfs_json_pack(ret_json, err, "{s:{s:s,s:s,s:{s:s}}}", "error", "code", code,
                "message", message, "innererror", "code", inner);
    return skrfs_json_pack(
            ret_json, err, "{s:{s:s,s:s}}", "error", "code", code, "message", message);
}

static int refuse(struct skrfs_lab_answer *answer, unsigned status, const char *code,
        const char *inner, const char *text) {
    char message[SKRFS_ERROR_MESSAGE_MAX];
    struct skrfs_error err;
    skrfs_autojson *json = NULL;
    answer->status = status;
    /* It quotes what was sent, which need not be text. */
    skrfs_text_clean(text, strlen(text), message, sizeof(message));
    (void)snprintf(
            answer->note, sizeof(answer->note), "%.*s", (int)sizeof(answer->note) - 1, message);
    skrfs_buf_truncate(&answer->body, 0);
    if (error_json(answer, code, inner, message, &json, &err) < 0 ||
            skrfs_json_print(json, false, &answer->body, &err) < 0)
        answer->status = 500; /* an empty 500 is all that is left to say */
    return -1;
}

int(skrfs_lab_refuse)(struct skrfs_lab_answer *answer, unsigned status, const char *code,
        const char *format, ...) {
    char message[SKRFS_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return refuse(answer, status, code, NULL, message);
}

int(skrfs_lab_refuse_inner)(struct skrfs_lab_answer *answer, unsigned status, const char *code,
        const char *inner, const char *format, ...) {
    char message[SKRFS_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return refuse(answer, status, code, inner, message);
}

int(skrfs_lab_broken)(struct skrfs_lab_answer *answer, const struct skrfs_error *err) {
    return refuse(answer, 500, "InternalServerError", NULL, err->message);
}

int skrfs_lab_reply(struct skrfs_lab_answer *answer, struct skrfs_json *json) {
    struct skrfs_error err;
    skrfs_autojson *owned = json;
    skrfs_buf_truncate(&answer->body, 0);
    if (skrfs_json_print(owned, false, &answer->body, &err) < 0)
        return skrfs_lab_broken(answer, &err);
    answer->status = 200;
    return 0;
}
