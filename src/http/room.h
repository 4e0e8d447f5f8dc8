/* Between the files of http. */
#ifndef SKRFS_SRC_HTTP_ROOM_H
#define SKRFS_SRC_HTTP_ROOM_H

#include <curl/curl.h>
#include <pthread.h>
#include <skrfs/http/http.h>

/* Handles that wait with their connections open; one a concurrent transfer. */
#define IDLE_MAX 8
/* "host:port" for messages. */
#define HTTP_PEER_MAX 280

struct skrfs_http {
    char *ca_pem;
    size_t ca_len;
    char *proxy;
    long connect_timeout_ms;
    pthread_mutex_t lock;
    CURL *idle[IDLE_MAX];
    size_t idle_count;
};

/* What is kept of an answer while it arrives. */
struct receiver {
    struct skrfs_http_answer *answer;
    struct skrfs_error err; /* why receiving was given up */
    bool failed;
    bool exact; /* retry_at_ns comes from a header in milliseconds */
};

/* Before anything else of libcurl: its allocator cannot change once something was allocated. */
void http_begin(void);

/* An easy handle without settings, with the connections of the last that used it. */
CURL *http_take_handle(struct skrfs_http *http);
void http_give_handle(struct skrfs_http *http, CURL *handle);

/* libcurl's callbacks on a struct receiver. */
size_t http_take_header(char *data, size_t size, size_t count, void *context);
size_t http_take_body(char *data, size_t size, size_t count, void *context);

/* One attempt. `answer` is zeroed. Failures that may go away are retryable. */
int http_transfer(struct skrfs_http *http, const struct skrfs_http_request *request,
        struct skrfs_http_answer *answer, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The URL's parts checked and its "host:port" for messages. */
int http_peer(const char *url, bool plain, char *out, size_t size,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
