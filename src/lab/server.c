#include "server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/log.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 512
#define IDLE_S 120
#define NO_ANSWER_MS 600000U
#define OVERSIZE_LEN ((size_t)8 * 1024 * 1024)

struct skrfs_lab_server {
    struct skrfs_lab *lab;
    struct MHD_Daemon *imds, *https;
    atomic_bool stopping;
};

/* A request whose body is still coming in. */
struct pending {
    struct skrfs_buf body;
    bool too_long;
};

static int listen_on_loopback(int *ret_fd, unsigned *ret_port, struct skrfs_error *err) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    skrfs_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(fd, SOMAXCONN) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return skrfs_fail_errno(err, errno, "listen on loopback");
    *ret_port = ntohs(address.sin_port);
    *ret_fd = skrfs_take_fd(&fd);
    return 0;
}

int skrfs_lab_listen(struct skrfs_lab_sockets *ret_sockets, struct skrfs_error *err) {
    struct skrfs_lab_sockets sockets = {.imds = -1, .https = -1};
    if (listen_on_loopback(&sockets.imds, &sockets.ports.imds, err) < 0)
        return -1;
    if (listen_on_loopback(&sockets.https, &sockets.ports.https, err) < 0) {
        close(sockets.imds);
        return -1;
    }
    *ret_sockets = sockets;
    return 0;
}

static const char *header_of(const void *context, const char *name) {
    return MHD_lookup_connection_value(
            (struct MHD_Connection *)(uintptr_t)context, MHD_HEADER_KIND, name);
}

static const char *query_of(const void *context, const char *name) {
    return MHD_lookup_connection_value(
            (struct MHD_Connection *)(uintptr_t)context, MHD_GET_ARGUMENT_KIND, name);
}

/* Waits in pieces, so that the end of the lab does not wait for it. */
static void wait_ms(struct skrfs_lab_server *server, unsigned ms) {
    uint64_t until = skrfs_now_ns() + ms * SKRFS_MILLISECOND_NS;
    while (!atomic_load(&server->stopping) && skrfs_until_ns(until) > 0) {
        uint64_t left = skrfs_until_ns(until) / SKRFS_MILLISECOND_NS + 1;
        (void)poll(NULL, 0, left < 50 ? (int)left : 50);
    }
}

/* Delivers half of a body that was announced whole, then breaks off. */
struct half {
    struct skrfs_buf body;
};

static ssize_t half_read(void *context, uint64_t pos, char *out, size_t max) {
    const struct half *half = context;
    size_t end = half->body.len / 2;
    if (pos >= end)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t len = end - (size_t)pos < max ? end - (size_t)pos : max;
    memcpy(out, half->body.data + pos, len);
    return (ssize_t)len;
}

static void half_free(void *context) {
    struct half *half = context;
    skrfs_buf_done(&half->body);
    free(half);
}

static struct MHD_Response *half_response(struct skrfs_lab_answer *answer) {
    struct half *half = calloc(1, sizeof(*half));
    if (!half)
        return NULL;
    half->body = SKRFS_BUF(answer->body.max);
    size_t len = answer->body.len;
    skrfs_buf_move(&half->body, &answer->body);
    return MHD_create_response_from_callback(len, 4096, half_read, half, half_free);
}

static struct MHD_Response *oversize_response(void) {
    char *text = malloc(OVERSIZE_LEN);
    if (!text)
        return NULL;
    memset(text, ' ', OVERSIZE_LEN);
    return MHD_create_response_from_buffer(OVERSIZE_LEN, text, MHD_RESPMEM_MUST_FREE);
}

static struct MHD_Response *make_response(struct skrfs_lab_answer *answer) {
    static char garbage[] = "\x01\xff{\"token\": not JSON";
    switch (answer->deed) {
    case SKRFS_LAB_HALF_BODY:
        return half_response(answer);
    case SKRFS_LAB_GARBAGE:
        return MHD_create_response_from_buffer(
                sizeof(garbage) - 1, garbage, MHD_RESPMEM_PERSISTENT);
    case SKRFS_LAB_OVERSIZE:
        return oversize_response();
    default:
        return MHD_create_response_from_buffer(
                answer->body.len, answer->body.data, MHD_RESPMEM_MUST_COPY);
    }
}

static void new_request_id(char out[37]) {
    struct skrfs_error err;
    uint8_t id[16];
    char hex[33] = "00000000000000000000000000000000";
    if (skrfs_random(id, sizeof(id), &err) == 0)
        skrfs_hex_encode(id, sizeof(id), hex);
    (void)snprintf(
            out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void add(struct MHD_Response *response, const char *name, const char *value) {
    (void)MHD_add_response_header(response, name, value);
}

/* The headers that the services were recorded with. */
static void add_headers(struct MHD_Connection *connection, struct MHD_Response *response,
        const struct skrfs_lab_answer *answer) {
    char text[40];
    const char *client = header_of(connection, "x-ms-client-request-id");
    const char *wanted = header_of(connection, "x-ms-return-client-request-id");
    add(response, "Content-Type", "application/json; charset=utf-8");
    new_request_id(text);
    if (answer->service != SKRFS_LAB_IMDS)
        add(response, "x-ms-request-id", text);
    if (client && wanted && strcasecmp(wanted, "true") == 0)
        add(response, "x-ms-client-request-id", client);
    if (answer->service == SKRFS_LAB_VAULT) {
        add(response, "x-ms-keyvault-region", "lab");
        add(response, "x-ms-keyvault-service-version", "1.9.0.0");
    }
    if (answer->service == SKRFS_LAB_HSM && answer->status != 401) {
        add(response, "x-ms-keyvault-region", "lab");
        add(response, "x-ms-server-latency", "1");
    }
    if (*answer->challenge)
        add(response, "WWW-Authenticate", answer->challenge);
    if (answer->retry_after_s > 0) {
        (void)snprintf(text, sizeof(text), "%u", answer->retry_after_s);
        add(response, "Retry-After", text);
    }
}

static enum MHD_Result reset(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (info)
        (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    return MHD_NO;
}

static enum MHD_Result send_answer(struct skrfs_lab_server *server,
        struct MHD_Connection *connection, struct skrfs_lab_answer *answer) {
    if (answer->delay_ms > 0)
        wait_ms(server, answer->delay_ms);
    if (answer->deed == SKRFS_LAB_NO_ANSWER)
        wait_ms(server, NO_ANSWER_MS);
    if (answer->deed == SKRFS_LAB_RESET || answer->deed == SKRFS_LAB_NO_ANSWER)
        return reset(connection);
    struct MHD_Response *response = make_response(answer);
    if (!response)
        return MHD_NO;
    add_headers(connection, response, answer);
    enum MHD_Result queued = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return queued;
}

static void log_answer(
        const struct skrfs_lab_request *request, const struct skrfs_lab_answer *answer) {
    static const char *const names[] = {"imds", "maa", "vault", "hsm", "nowhere"};
    char path[128];
    skrfs_text_clean(request->path, strlen(request->path), path, sizeof(path));
    skrfs_log_info("%s: %s %s: %u%s%s", names[request->service], request->method, path,
            answer->status, *answer->note ? " " : "", answer->note);
}

static enum MHD_Result answer_request(struct skrfs_lab_server *server,
        struct MHD_Connection *connection, const struct skrfs_lab_request *request, bool too_long) {
    struct skrfs_lab_answer answer;
    skrfs_lab_answer_init(&answer, request->service);
    if (too_long)
        (void)skrfs_lab_refuse(
                &answer, 413, "RequestBodyTooLarge", "The request body is too large");
    else
        skrfs_lab_serve(server->lab, request, &answer);
    log_answer(request, &answer);
    enum MHD_Result result = send_answer(server, connection, &answer);
    skrfs_lab_answer_done(&answer);
    return result;
}

static enum MHD_Result begin(void **state) {
    struct pending *pending = calloc(1, sizeof(*pending));
    if (!pending)
        return MHD_NO;
    pending->body = SKRFS_BUF(SKRFS_LAB_BODY_MAX);
    *state = pending;
    return MHD_YES;
}

static enum MHD_Result take_body(struct pending *pending, const char *data, size_t *len) {
    struct skrfs_error err;
    if (!pending->too_long && skrfs_buf_append(&pending->body, data, *len, &err) < 0)
        pending->too_long = true;
    *len = 0;
    return MHD_YES;
}

static enum MHD_Result handle(struct skrfs_lab_server *server, bool imds,
        struct MHD_Connection *connection, const char *url, const char *method, const char *data,
        size_t *len, void **state) {
    struct pending *pending = *state;
    if (!pending)
        return begin(state);
    if (*len > 0)
        return take_body(pending, data, len);
    struct skrfs_lab_request request = {.method = method,
            .path = url,
            .body = skrfs_buf_bytes(&pending->body),
            .header = header_of,
            .query = query_of,
            .context = connection,
            .service = imds ? SKRFS_LAB_IMDS : skrfs_lab_service_of(header_of(connection, "Host"))};
    return answer_request(server, connection, &request, pending->too_long);
}

static enum MHD_Result handle_imds(void *server, struct MHD_Connection *connection, const char *url,
        const char *method, const char *version, const char *data, size_t *len, void **state) {
    (void)version;
    return handle(server, true, connection, url, method, data, len, state);
}

static enum MHD_Result handle_https(void *server, struct MHD_Connection *connection,
        const char *url, const char *method, const char *version, const char *data, size_t *len,
        void **state) {
    (void)version;
    return handle(server, false, connection, url, method, data, len, state);
}

static void completed(void *server, struct MHD_Connection *connection, void **state,
        enum MHD_RequestTerminationCode code) {
    struct pending *pending = *state;
    (void)server;
    (void)connection;
    (void)code;
    if (!pending)
        return;
    skrfs_buf_done(&pending->body);
    free(pending);
    *state = NULL;
}

#define FLAGS (MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL)

static struct MHD_Daemon *start_imds(struct skrfs_lab_server *server, int fd) {
    return MHD_start_daemon(FLAGS, 0, NULL, NULL, handle_imds, server, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_NOTIFY_COMPLETED, completed, server, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
            MHD_OPTION_END);
}

static struct MHD_Daemon *start_https(
        struct skrfs_lab_server *server, int fd, const char *key, const char *cert) {
    return MHD_start_daemon(FLAGS | MHD_USE_TLS, 0, NULL, NULL, handle_https, server,
            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_HTTPS_MEM_CERT,
            cert, MHD_OPTION_NOTIFY_COMPLETED, completed, server, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
            MHD_OPTION_END);
}

/* Sockets belong to the daemons from their start on. */
static int start_both(struct skrfs_lab_server *server, struct skrfs_lab_sockets *sockets,
        const char *key, const char *cert, struct skrfs_error *err) {
    server->imds = start_imds(server, sockets->imds);
    if (!server->imds)
        return skrfs_fail(err, SKRFS_CLASS_SYSTEM, "the metadata service's listener did not start");
    sockets->imds = -1;
    server->https = start_https(server, sockets->https, key, cert);
    if (!server->https)
        return skrfs_fail(err, SKRFS_CLASS_SYSTEM, "the TLS listener did not start");
    sockets->https = -1;
    return 0;
}

int skrfs_lab_server_start(struct skrfs_lab *lab, struct skrfs_lab_sockets *sockets,
        struct skrfs_lab_server **ret_server, struct skrfs_error *err) {
    skrfs_autobuf key = SKRFS_BUF(SKRFS_PEM_MAX);
    skrfs_autobuf cert = SKRFS_BUF(SKRFS_PEM_MAX);
    SKRFS_CLEANUP(skrfs_lab_server_stop_p)
    struct skrfs_lab_server *server = calloc(1, sizeof(*server));
    if (!server)
        return skrfs_fail_memory(err);
    server->lab = lab;
    if (skrfs_lab_key_pem(lab->pki->server.key, &key, err) < 0 ||
            skrfs_chain_pem(lab->pki->server.chain, &cert, err) < 0 ||
            start_both(server, sockets, skrfs_buf_text(&key), skrfs_buf_text(&cert), err) < 0)
        return -1;
    *ret_server = skrfs_take(server);
    return 0;
}

void skrfs_lab_server_stop(struct skrfs_lab_server *server) {
    if (!server)
        return;
    atomic_store(&server->stopping, true);
    if (server->imds)
        MHD_stop_daemon(server->imds);
    if (server->https)
        MHD_stop_daemon(server->https);
    free(server);
}
