#include "network.h"

#include "../../../src/http/room.h"

#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>

int __wrap_http_transfer(struct skrfs_http *http, const struct skrfs_http_request *request,
        struct skrfs_http_answer *answer, struct skrfs_error *err);
bool __wrap_skrfs_sleep_until(uint64_t when_ns, uint64_t deadline_ns);

static struct script *answers;
static const char *arc_folder;

void network_begin(struct script *script, const char *arc) {
    answers = script;
    arc_folder = arc;
}

static void take_line(struct receiver *receiver, const char *line, size_t len) {
    static const char mark[] = "@arc@";
    char text[4096];
    const char *found = memmem(line, len, mark, sizeof(mark) - 1);
    size_t before = found ? (size_t)(found - line) : len;
    size_t after = found ? len - before - (sizeof(mark) - 1) : 0;
    int put = snprintf(text, sizeof(text), "%.*s%s%.*s\r\n", (int)before, line,
            found ? arc_folder : "", (int)after, found ? found + sizeof(mark) - 1 : "");
    size_t size = put < (int)sizeof(text) ? (size_t)put : sizeof(text) - 1;
    if (http_take_header(text, 1, size, receiver) != size)
        abort();
}

static int take_answer(struct skrfs_bytes part, struct receiver *receiver) {
    const char *at = (const char *)part.data, *end = at + part.len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        if (len == 0)
            break;
        take_line(receiver, at, len);
        at += len + (stop != NULL);
    }
    size_t body = at < end ? (size_t)(end - at - 1) : 0;
    /* libcurl hands it over in pieces. */
    char piece[1000];
    for (size_t done = 0; done < body;) {
        size_t len = body - done < sizeof(piece) ? body - done : sizeof(piece);
        memcpy(piece, at + 1 + done, len);
        if (http_take_body(piece, 1, len, receiver) != len)
            return -1;
        done += len;
    }
    return 0;
}

static int broken(struct skrfs_error *err) {
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "the connection broke");
    return skrfs_fail_retryable(err, 0);
}

int __wrap_http_transfer(struct skrfs_http *http, const struct skrfs_http_request *request,
        struct skrfs_http_answer *answer, struct skrfs_error *err) {
    char peer[HTTP_PEER_MAX];
    struct receiver receiver = {.answer = answer};
    (void)http;
    if (http_peer(request->url, request->plain, peer, sizeof(peer), err) < 0)
        return -1;
    struct skrfs_bytes part = script_next(answers);
    if (part.len < 12 || memcmp(part.data, "HTTP/", 5) != 0)
        return broken(err);
    answer->status = strtol(
            (const char[]){(char)part.data[9], (char)part.data[10], (char)part.data[11], '\0'},
            NULL, 10);
    answer->body = SKRFS_BUF(request->answer_max);
    if (take_answer(part, &receiver) == 0)
        return 0;
    skrfs_http_answer_done(answer);
    *err = receiver.err;
    return -1;
}

bool __wrap_skrfs_sleep_until(uint64_t when_ns, uint64_t deadline_ns) {
    return when_ns < deadline_ns;
}
