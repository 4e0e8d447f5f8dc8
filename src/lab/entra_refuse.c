/* Entra ID's refusals (learn.microsoft.com, "Microsoft Entra authentication and authorization error
 * codes"; the shape is RFC 6749 section 5.2 with members of Entra ID's own). */
#include "entra.h"

#include <skrfs/base/encode.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct word {
    unsigned number, status;
    const char *error;
} words[] = {
        {50027, 401, "invalid_client"},
        {50034, 400, "invalid_grant"},
        {50196, 400, "invalid_grant"},
        {70003, 400, "unsupported_grant_type"},
        {70011, 400, "invalid_scope"},
        {90002, 400, "invalid_request"},
        {90033, 503, "temporarily_unavailable"},
        {90100, 400, "invalid_request"},
        {500011, 400, "invalid_resource"},
        {700016, 400, "unauthorized_client"},
        {700021, 401, "invalid_client"},
        {700023, 401, "invalid_client"},
        {700024, 401, "invalid_client"},
        {700027, 401, "invalid_client"},
        {700211, 401, "invalid_client"},
        {700212, 401, "invalid_client"},
        {700213, 401, "invalid_client"},
        {900023, 400, "invalid_request"},
        {900144, 400, "invalid_request"},
        {1002012, 400, "invalid_scope"},
        {7000112, 400, "unauthorized_client"},
        {7000215, 401, "invalid_client"},
        {7000216, 401, "invalid_client"},
        {7000222, 401, "invalid_client"},
        {7000229, 400, "unauthorized_client"},
};

static const struct word *word_of(unsigned number) {
    static const struct word other = {0, 400, "invalid_request"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(words); i++)
        if (words[i].number == number)
            return &words[i];
    return &other;
}

/* "2026-11-25 07:12:00Z", with a blank where others have a T. */
static void stamp(int64_t wall_s, char out[32]) {
    time_t time = (time_t)wall_s;
    struct tm tm;
    out[0] = '\0';
    if (gmtime_r(&time, &tm))
        (void)strftime(out, 32, "%Y-%m-%d %H:%M:%SZ", &tm);
}

static int error_json(struct skrfs_lab *lab, unsigned number, const char *message,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    char trace[37];
    char correlation[37];
    char when[32];
    char uri[SKRFS_LAB_URL_MAX + 32];
    skrfs_autobuf text = SKRFS_BUF((size_t)4096);
    skrfs_lab_new_id(trace);
    skrfs_lab_new_id(correlation);
    stamp(skrfs_lab_wall_s(lab), when);
    (void)snprintf(uri, sizeof(uri), "%s/error?code=%u", lab->authority, number);
    if (skrfs_buf_printf(&text, err, "AADSTS%u: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
                number, message, trace, correlation, when) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:[I],s:s,s:s,s:s,s:s}", "error",
            word_of(number)->error, "error_description", skrfs_buf_text(&text), "error_codes",
            (int64_t)number, "timestamp", when, "trace_id", trace, "correlation_id", correlation,
            "error_uri", uri);
}

int(skrfs_lab_aadsts)(struct skrfs_lab *lab, struct skrfs_lab_answer *answer, unsigned number,
        const char *format, ...) {
    char text[1024], message[1024];
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* It quotes what was sent, which need not be text. */
    skrfs_text_clean(text, strlen(text), message, sizeof(message));
    if (error_json(lab, number, message, &json, &err) < 0)
        return skrfs_lab_broken(answer, &err);
    if (skrfs_lab_reply(answer, json) < 0)
        return -1;
    answer->status = word_of(number)->status;
    (void)snprintf(answer->note, sizeof(answer->note), "AADSTS%u: %.200s", number, message);
    return -1;
}
