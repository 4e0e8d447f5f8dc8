#include "room.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/heap.h>
#include <string.h>

/* One attempt while it lasts. */
struct transfer {
    struct skrfs_http *http;
    const struct skrfs_http_request *request;
    CURL *handle;
    struct curl_slist *headers;
    struct receiver receiver;
    CURLcode refused; /* the first option that libcurl did not take */
    char peer[HTTP_PEER_MAX];
    char reason[CURL_ERROR_SIZE];
};

#define SET(transfer, option, value)                                                               \
    note_refusal((transfer), curl_easy_setopt((transfer)->handle, (option), (value)))

static void note_refusal(struct transfer *transfer, CURLcode code) {
    if (code != CURLE_OK && transfer->refused == CURLE_OK)
        transfer->refused = code;
}

static int add_header(struct transfer *transfer, const char *header, struct skrfs_error *err) {
    if (strpbrk(header, "\r\n"))
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a request header of two lines");
    struct curl_slist *longer = curl_slist_append(transfer->headers, header);
    if (!longer)
        return skrfs_fail_memory(err);
    transfer->headers = longer;
    return 0;
}

static int set_headers(struct transfer *transfer, struct skrfs_error *err) {
    const struct skrfs_http_request *request = transfer->request;
    for (size_t i = 0; i < SKRFS_HTTP_HEADERS_MAX && request->headers[i]; i++)
        if (add_header(transfer, request->headers[i], err))
            return -1;
    if (request->plain && add_header(transfer, "Metadata: true", err))
        return -1;
    /* Waiting for "100 Continue" costs a second with servers that never send it. */
    if (add_header(transfer, "Expect:", err))
        return -1;
    SET(transfer, CURLOPT_HTTPHEADER, transfer->headers);
    return 0;
}

static void set_trust(struct transfer *transfer) {
    const struct skrfs_http *http = transfer->http;
    SET(transfer, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(transfer, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(transfer, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(transfer, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!http->ca_pem)
        return;
    struct curl_blob blob = {.data = http->ca_pem, .len = http->ca_len, .flags = CURL_BLOB_NOCOPY};
    SET(transfer, CURLOPT_CAINFO_BLOB, &blob);
    /* The blob replaces the system's file but not its folder. */
    SET(transfer, CURLOPT_CAPATH, (char *)NULL);
    SET(transfer, CURLOPT_PROXY_CAINFO_BLOB, &blob);
    SET(transfer, CURLOPT_PROXY_CAPATH, (char *)NULL);
}

/* The environment's proxies are not consulted: what is not in the configuration is not used. */
static void set_route(struct transfer *transfer) {
    const struct skrfs_http *http = transfer->http;
    bool plain = transfer->request->plain;
    SET(transfer, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
    SET(transfer, CURLOPT_FOLLOWLOCATION, 0L);
    SET(transfer, CURLOPT_PROXY, plain || !http->proxy ? "" : http->proxy);
    SET(transfer, CURLOPT_NOPROXY, plain ? "*" : "");
    SET(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static void set_times(struct transfer *transfer) {
    SET(transfer, CURLOPT_NOSIGNAL, 1L);
    if (transfer->http->connect_timeout_ms)
        SET(transfer, CURLOPT_CONNECTTIMEOUT_MS, transfer->http->connect_timeout_ms);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Without it a name server that does not answer holds the caller beyond its deadline. */
    SET(transfer, CURLOPT_QUICK_EXIT, 1L);
#endif
    uint64_t left = skrfs_until_ns(transfer->request->deadline_ns);
    if (left == SKRFS_NEVER_NS)
        return;
    uint64_t left_ms = left / SKRFS_MILLISECOND_NS + 1;
    SET(transfer, CURLOPT_TIMEOUT_MS, left_ms > INT32_MAX ? INT32_MAX : (long)left_ms);
}

static void set_method(struct transfer *transfer) {
    const struct skrfs_http_request *request = transfer->request;
    bool sends = request->body.data || strcmp(request->method, "POST") == 0 ||
                 strcmp(request->method, "PUT") == 0;
    if (sends) {
        SET(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        SET(transfer, CURLOPT_POSTFIELDS,
                request->body.data ? (const char *)request->body.data : "");
    } else if (strcmp(request->method, "HEAD") == 0) {
        SET(transfer, CURLOPT_NOBODY, 1L);
    }
    SET(transfer, CURLOPT_CUSTOMREQUEST, request->method);
}

static int set_up(struct transfer *transfer, struct skrfs_error *err) {
    SET(transfer, CURLOPT_URL, transfer->request->url);
    SET(transfer, CURLOPT_USERAGENT, "skrfs");
    SET(transfer, CURLOPT_ERRORBUFFER, transfer->reason);
    SET(transfer, CURLOPT_HEADERFUNCTION, http_take_header);
    SET(transfer, CURLOPT_HEADERDATA, &transfer->receiver);
    SET(transfer, CURLOPT_WRITEFUNCTION, http_take_body);
    SET(transfer, CURLOPT_WRITEDATA, &transfer->receiver);
    set_trust(transfer);
    set_route(transfer);
    set_times(transfer);
    set_method(transfer);
    if (set_headers(transfer, err))
        return -1;
    if (transfer->refused == CURLE_OUT_OF_MEMORY)
        return skrfs_fail_memory(err);
    if (transfer->refused != CURLE_OK)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s: libcurl refuses an option: %s",
                transfer->peer, curl_easy_strerror(transfer->refused));
    return 0;
}

static enum skrfs_class class_of(CURLcode code, uint64_t deadline_ns) {
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return skrfs_until_ns(deadline_ns) ? SKRFS_CLASS_UNAVAILABLE : SKRFS_CLASS_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return SKRFS_CLASS_NO_MEMORY;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return SKRFS_CLASS_CONFIG;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return SKRFS_CLASS_BAD_ANSWER;
    default:
        return SKRFS_CLASS_UNAVAILABLE;
    }
}

/* libcurl's reason names hosts, ports and TLS alerts; nothing of paths, headers or bodies. */
static int fail_transfer(const struct transfer *transfer, CURLcode code, struct skrfs_error *err) {
    const char *reason = transfer->reason[0] ? transfer->reason : curl_easy_strerror(code);
    enum skrfs_class kind = class_of(code, transfer->request->deadline_ns);
    char clean[CURL_ERROR_SIZE];
    skrfs_text_clean(reason, strlen(reason), clean, sizeof(clean));
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return skrfs_fail(err, kind, "%s is not trusted: %s", transfer->peer, clean);
    if (kind == SKRFS_CLASS_TIMEOUT)
        skrfs_fail(err, kind, "%s did not answer in time: %s", transfer->peer, clean);
    else
        skrfs_fail(err, kind, "%s: %s", transfer->peer, clean);
    if (kind == SKRFS_CLASS_UNAVAILABLE || kind == SKRFS_CLASS_TIMEOUT)
        return skrfs_fail_retryable(err, 0);
    return -1;
}

/* libcurl goes on without some things for which it gets no memory: it has asked without the URL's
 * query. What comes of that is no answer to what was asked. */
static int run(struct transfer *transfer, struct skrfs_error *err) {
    CURLcode code = curl_easy_perform(transfer->handle);
    if (skrfs_heap_starved()) {
        skrfs_fail_memory(err);
        return skrfs_wrap(err, "ask %s", transfer->peer);
    }
    if (transfer->receiver.failed) {
        *err = transfer->receiver.err;
        return skrfs_wrap(err, "the answer of %s", transfer->peer);
    }
    if (code != CURLE_OK)
        return fail_transfer(transfer, code, err);
    (void)curl_easy_getinfo(
            transfer->handle, CURLINFO_RESPONSE_CODE, &transfer->receiver.answer->status);
    return 0;
}

int http_transfer(struct skrfs_http *http, const struct skrfs_http_request *request,
        struct skrfs_http_answer *answer, struct skrfs_error *err) {
    struct transfer transfer = {.http = http, .request = request, .receiver.answer = answer};
    if (http_peer(request->url, request->plain, transfer.peer, sizeof(transfer.peer), err))
        return -1;
    if (!skrfs_until_ns(request->deadline_ns)) {
        skrfs_fail(err, SKRFS_CLASS_TIMEOUT, "%s was not asked: the deadline has passed",
                transfer.peer);
        return skrfs_fail_retryable(err, 0);
    }
    answer->body = SKRFS_BUF(request->answer_max);
    (void)skrfs_heap_starved();
    transfer.handle = http_take_handle(http);
    if (!transfer.handle)
        return skrfs_fail_memory(err);
    int failed = set_up(&transfer, err) || run(&transfer, err) ? -1 : 0;
    http_give_handle(http, transfer.handle);
    curl_slist_free_all(transfer.headers);
    return failed;
}
