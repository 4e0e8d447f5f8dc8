#include "server_answer.h"

#include <netinet/in.h>
#include <poll.h>
#include <skrfs/base/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define NO_ANSWER_MS 600000U
#define OVERSIZE_LEN ((size_t)8 * 1024 * 1024)

static const char *header_of(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Waits in pieces, so that the end of the lab does not wait for it. */
static void wait_ms(const atomic_bool *stopping, unsigned ms) {
    uint64_t until = skrfs_now_ns() + ms * SKRFS_MILLISECOND_NS;
    while (!atomic_load(stopping) && skrfs_until_ns(until) > 0) {
        uint64_t left = skrfs_until_ns(until) / SKRFS_MILLISECOND_NS + 1;
        (void)poll(NULL, 0, left < 50 ? (int)left : 50);
    }
}

/* A body that is announced whole and not delivered whole. */
struct partial {
    struct skrfs_buf body;
    size_t end;
    bool stalls; /* nothing more comes; otherwise the connection breaks off */
    const atomic_bool *stopping;
};

static ssize_t partial_read(void *context, uint64_t pos, char *out, size_t max) {
    const struct partial *partial = context;
    if (pos >= partial->end) {
        if (partial->stalls)
            wait_ms(partial->stopping, NO_ANSWER_MS);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t left = partial->end - (size_t)pos;
    size_t len = left < max ? left : max;
    memcpy(out, partial->body.data + pos, len);
    return (ssize_t)len;
}

static void partial_free(void *context) {
    struct partial *partial = context;
    skrfs_buf_done(&partial->body);
    free(partial);
}

static struct MHD_Response *partial_response(
        const atomic_bool *stopping, struct skrfs_lab_answer *answer) {
    const struct skrfs_lab_delivery *delivery = &answer->delivery;
    struct partial *partial = calloc(1, sizeof(*partial));
    size_t len = answer->body.len;
    if (!partial)
        return NULL;
    partial->stalls = delivery->stall_at >= 0;
    partial->stopping = stopping;
    partial->end = partial->stalls ? (size_t)delivery->stall_at : (size_t)delivery->cut_at;
    if (answer->deed == SKRFS_LAB_HALF_BODY)
        partial->end = len / 2;
    if (partial->end > len)
        partial->end = len;
    partial->body = SKRFS_BUF(answer->body.max);
    skrfs_buf_move(&partial->body, &answer->body);
    /* One octet more than there is: even behind the whole body the end is waited for. */
    return MHD_create_response_from_callback(
            partial->end == len ? len + 1 : len, 4096, partial_read, partial, partial_free);
}

static struct MHD_Response *oversize_response(void) {
    char *text = malloc(OVERSIZE_LEN);
    if (!text)
        return NULL;
    memset(text, ' ', OVERSIZE_LEN);
    return MHD_create_response_from_buffer(OVERSIZE_LEN, text, MHD_RESPMEM_MUST_FREE);
}

static struct MHD_Response *make_response(
        const atomic_bool *stopping, struct skrfs_lab_answer *answer) {
    static char garbage[] = "\x01\xff{\"token\": not JSON";
    if (answer->deed == SKRFS_LAB_HALF_BODY || answer->delivery.stall_at >= 0 ||
            answer->delivery.cut_at >= 0)
        return partial_response(stopping, answer);
    if (answer->deed == SKRFS_LAB_GARBAGE)
        return MHD_create_response_from_buffer(
                sizeof(garbage) - 1, garbage, MHD_RESPMEM_PERSISTENT);
    if (answer->deed == SKRFS_LAB_OVERSIZE)
        return oversize_response();
    return MHD_create_response_from_buffer(
            answer->body.len, answer->body.data, MHD_RESPMEM_MUST_COPY);
}

static void add(struct MHD_Response *response, const char *name, const char *value) {
    (void)MHD_add_response_header(response, name, value);
}

/* As HTTP writes times (RFC 9110 section 5.6.7). */
static const char *http_date(int64_t wall_s, char out[40]) {
    time_t time = (time_t)wall_s;
    struct tm tm;
    out[0] = '\0';
    if (gmtime_r(&time, &tm))
        (void)strftime(out, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return out;
}

static void add_retry_after(struct MHD_Response *response, const struct skrfs_lab_answer *answer) {
    char text[40];
    if (answer->delivery.retry_after_ms > 0) {
        (void)snprintf(text, sizeof(text), "%u", answer->delivery.retry_after_ms);
        add(response, "retry-after-ms", text);
    }
    if (answer->retry_after_s == 0)
        return;
    (void)snprintf(text, sizeof(text), "%u", answer->retry_after_s);
    if (answer->delivery.retry_after_date)
        (void)http_date(skrfs_wall_s() + answer->skew_s + answer->retry_after_s, text);
    add(response, "Retry-After", text);
}

/* The headers that the services were recorded with. */
static void add_headers(struct MHD_Connection *connection, struct MHD_Response *response,
        const struct skrfs_lab_answer *answer) {
    char text[40];
    const char *client = header_of(connection, "x-ms-client-request-id");
    const char *wanted = header_of(connection, "x-ms-return-client-request-id");
    if (answer->body.len > 0 || answer->status != 204)
        add(response, "Content-Type", "application/json; charset=utf-8");
    skrfs_lab_new_id(text);
    if (answer->service != SKRFS_LAB_IMDS)
        add(response, "x-ms-request-id", text);
    if (answer->service == SKRFS_LAB_LOGIN)
        add(response, "Cache-Control", "no-store, no-cache");
    if (client && wanted && strcasecmp(wanted, "true") == 0)
        add(response, "x-ms-client-request-id", client);
    if (answer->service == SKRFS_LAB_VAULT) {
        add(response, "x-ms-keyvault-region", "lab");
        add(response, "x-ms-keyvault-service-version", "1.9.0.0");
        add(response, "x-ms-keyvault-network-info",
                "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;");
        add(response, "x-ms-keyvault-rbac-cache", "ra_age=1;rd_age=1;ra_notif_age=1;");
    }
    if (answer->service == SKRFS_LAB_HSM && answer->status != 401) {
        add(response, "x-ms-keyvault-region", "lab");
        add(response, "x-ms-server-latency", "1");
    }
    if (*answer->challenge)
        add(response, "WWW-Authenticate", answer->challenge);
    if (*answer->delivery.location)
        add(response, "Location", answer->delivery.location);
    add_retry_after(response, answer);
    if (answer->skew_s != 0)
        add(response, "Date", http_date(skrfs_wall_s() + answer->skew_s, text));
}

static enum MHD_Result reset(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (info)
        (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    return MHD_NO;
}

enum MHD_Result skrfs_lab_answer_send(const atomic_bool *stopping,
        struct MHD_Connection *connection, struct skrfs_lab_answer *answer) {
    if (answer->delay_ms > 0)
        wait_ms(stopping, answer->delay_ms);
    if (answer->deed == SKRFS_LAB_NO_ANSWER)
        wait_ms(stopping, NO_ANSWER_MS);
    if (answer->deed == SKRFS_LAB_RESET || answer->deed == SKRFS_LAB_NO_ANSWER)
        return reset(connection);
    struct MHD_Response *response = make_response(stopping, answer);
    if (!response)
        return MHD_NO;
    add_headers(connection, response, answer);
    enum MHD_Result queued = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return queued;
}
