#include "server.h"

#include "server_answer.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/log.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 512
#define IDLE_S 120

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

static void log_answer(
        const struct skrfs_lab_request *request, const struct skrfs_lab_answer *answer) {
    static const char *const names[] = {"imds", "maa", "vault", "hsm", "login", "nowhere"};
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
    answer.skew_s = skrfs_lab_settings_get(server->lab).clock_skew_s;
    enum MHD_Result result = skrfs_lab_answer_send(&server->stopping, connection, &answer);
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
