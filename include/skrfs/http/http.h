/* One HTTPS request, one bounded answer, over libcurl.
 *
 * HTTPS only, TLS 1.2 or later, no redirects, no cookies, answers never larger than asked for;
 * plain HTTP only for requests that say `plain`, which also bypass every proxy (the instance
 * metadata service). The total deadline covers name resolution, connecting and all retries.
 * Connections are kept and used again. A client is thread safe: each thread's transfer is its own.
 */
#ifndef SKRFS_HTTP_HTTP_H
#define SKRFS_HTTP_HTTP_H

#include <skrfs/base/buf.h>

#define SKRFS_HTTP_HEADERS_MAX 8
#define SKRFS_HTTP_ID_MAX 80
#define SKRFS_HTTP_CHALLENGE_MAX 2048

struct skrfs_http;

struct skrfs_http_options {
    const char *ca_pem;          /* the only trust anchors, as PEM text; NULL: the system's store */
    const char *proxy;           /* URL; NULL: none (the environment is not consulted) */
    uint64_t connect_timeout_ns; /* for each connection attempt */
};

struct skrfs_http_request {
    const char *method; /* "GET", "POST", "PUT", ... */
    const char *url;
    const char *headers[SKRFS_HTTP_HEADERS_MAX]; /* "Name: value", up to the first NULL */
    struct skrfs_bytes body;                     /* data NULL: none */
    size_t answer_max;                           /* longest body in octets */
    uint64_t deadline_ns;                        /* absolute, see base/clock.h */
    bool plain;                                  /* plain HTTP, no proxy, sends "Metadata: true" */
};

struct skrfs_http_answer {
    long status;
    struct skrfs_buf body;
    uint64_t retry_at_ns; /* from Retry-After and its ms forms, absolute; 0 when there was none */
    char request_id[SKRFS_HTTP_ID_MAX];       /* x-ms-request-id, cleaned; "" when none */
    char challenge[SKRFS_HTTP_CHALLENGE_MAX]; /* WWW-Authenticate, cleaned; "" when none */
};

/* When an answer or a broken transfer is tried again: exponential from `base_ns`, with jitter, at
 * most `attempts` tries in all, never past the deadline; Retry-After is honoured when it is later.
 * One that is further away than `max_ns` or the deadline ends the tries at once: the caller is told
 * now. */
struct skrfs_http_retry {
    unsigned attempts;
    uint64_t base_ns;
    uint64_t max_ns;      /* longest single pause */
    const long *statuses; /* zero-terminated; each 5xx but 501 and 505 counts too, unless */
    bool strict;          /* these alone: for what is not to be done twice */
    bool transport;       /* retry when no answer arrived (refused, reset, half a body) */
    /* A status with a rhythm of its own: tried again so many times, such a pause apart. When that
     * ends on it and the answer did not tell, retry_at_ns is a pause from then. 0: there is none.
     */
    long steady_status;
    unsigned steady_times;
    uint64_t steady_ns;
};

/* The options are copied. The first client takes SSLKEYLOGFILE out of the environment: libcurl
 * would write the session secrets of all connections there. NO_MEMORY, or BUG when libcurl cannot
 * start. */
int skrfs_http_new(const struct skrfs_http_options *options, struct skrfs_http **ret_http,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_http_free(struct skrfs_http *http);
SKRFS_DEFINE_CLEANUP(struct skrfs_http, skrfs_http_free)

void skrfs_http_answer_done(struct skrfs_http_answer *answer);
#define skrfs_autoanswer SKRFS_CLEANUP(skrfs_http_answer_done) struct skrfs_http_answer

/* Sends and waits. 0 when a whole answer arrived, whatever its status; `ret_answer` must be zeroed
 * or an answer of before, which is done then. `retry` may be NULL: one attempt. When retries end on
 * a listed status the last answer is returned. No answer is UNAVAILABLE (TIMEOUT when the deadline
 * passed, retryable either way; a certificate that is not trusted is BAD_ANSWER and is not
 * retried); a body over the limit is BAD_ANSWER; trust anchors that cannot be read and a proxy that
 * does not exist are CONFIG. A URL that is not https (http when `plain`) is BAD_ANSWER. Messages
 * name host and port, never the path's query. */
int skrfs_http_send(struct skrfs_http *http, const struct skrfs_http_request *request,
        const struct skrfs_http_retry *retry, struct skrfs_http_answer *ret_answer,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The host of an https URL without port, lower-cased, into `out`; BAD_ANSWER when it is none. Read
 * one way only: "https://" in lower case, no user, no percent-encoding in the host. Thread safe. */
int skrfs_url_host(
        const char *url, char *out, size_t size, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends percent-encoded text (RFC 3986 unreserved characters stay). */
int skrfs_url_escape(
        const char *text, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
