#include "room.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <string.h>
#include <strings.h>

/* A server that asks for more patience than this is not waited for. */
#define LONGEST_WAIT_MS UINT64_C(86400000)

void skrfs_http_answer_done(struct skrfs_http_answer *answer) {
    skrfs_buf_done(&answer->body);
    memset(answer, 0, sizeof(*answer));
}

size_t http_take_body(char *data, size_t size, size_t count, void *context) {
    struct receiver *receiver = context;
    size_t len = size * count;
    if (skrfs_buf_append(&receiver->answer->body, data, len, &receiver->err)) {
        receiver->failed = true;
        return CURL_WRITEFUNC_ERROR;
    }
    return len;
}

static bool parse_number(const char *text, uint64_t *ret_number) {
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 12 || text[digits])
        return false;
    *ret_number = strtoull(text, NULL, 10);
    return true;
}

static void note_retry(struct skrfs_http_answer *answer, uint64_t wait_ms) {
    if (wait_ms > LONGEST_WAIT_MS)
        wait_ms = LONGEST_WAIT_MS;
    answer->retry_at_ns = skrfs_now_ns() + wait_ms * SKRFS_MILLISECOND_NS;
}

/* RFC 9110 section 10.2.3: seconds, or a date. */
static void take_retry_after(struct receiver *receiver, const char *value) {
    uint64_t seconds;
    if (receiver->exact)
        return;
    if (parse_number(value, &seconds)) {
        note_retry(receiver->answer, seconds * 1000);
        return;
    }
    time_t when = curl_getdate(value, NULL);
    if (when == -1)
        return;
    int64_t wait = (int64_t)when - skrfs_wall_s();
    note_retry(receiver->answer, wait > 0 ? (uint64_t)wait * 1000 : 0);
}

static void take_retry_after_ms(struct receiver *receiver, const char *value) {
    uint64_t wait_ms;
    if (!parse_number(value, &wait_ms))
        return;
    note_retry(receiver->answer, wait_ms);
    receiver->exact = true;
}

/* Several header lines of one name are one list (RFC 9110 section 5.3). */
static void take_challenge(struct skrfs_http_answer *answer, const char *value) {
    size_t len = strlen(answer->challenge);
    if (len > 0 && len + 3 < sizeof(answer->challenge)) {
        memcpy(answer->challenge + len, ", ", 3);
        len += 2;
    }
    skrfs_text_clean(
            value, strlen(value), answer->challenge + len, sizeof(answer->challenge) - len);
}

static void take_named(struct receiver *receiver, const char *name, const char *value) {
    struct skrfs_http_answer *answer = receiver->answer;
    if (strcasecmp(name, "x-ms-request-id") == 0)
        skrfs_text_clean(value, strlen(value), answer->request_id, sizeof(answer->request_id));
    else if (strcasecmp(name, "www-authenticate") == 0)
        take_challenge(answer, value);
    else if (strcasecmp(name, "retry-after") == 0)
        take_retry_after(receiver, value);
    else if (strcasecmp(name, "retry-after-ms") == 0 ||
             strcasecmp(name, "x-ms-retry-after-ms") == 0)
        take_retry_after_ms(receiver, value);
}

/* An interim answer (1xx) was not the answer. */
static void forget_interim(struct receiver *receiver) {
    receiver->answer->retry_at_ns = 0;
    receiver->answer->request_id[0] = '\0';
    receiver->answer->challenge[0] = '\0';
    receiver->exact = false;
}

size_t http_take_header(char *data, size_t size, size_t count, void *context) {
    struct receiver *receiver = context;
    size_t len = size * count;
    char line[SKRFS_HTTP_CHALLENGE_MAX + 64];
    size_t kept = len < sizeof(line) - 1 ? len : sizeof(line) - 1;
    memcpy(line, data, kept);
    while (kept && strchr(" \t\r\n", line[kept - 1]))
        kept--;
    line[kept] = '\0';
    char *value = strchr(line, ':');
    if (strncasecmp(line, "HTTP/", 5) == 0)
        forget_interim(receiver);
    else if (value) {
        *value++ = '\0';
        take_named(receiver, line, value + strspn(value, " \t"));
    }
    return len;
}
