#include "server.h"

#include "support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

struct connection {
    int fd;
    SSL *ssl;
};

/* False when the test is over. */
static bool wait_readable(const struct server *server, int fd) {
    struct pollfd fds[2] = {
            {.fd = server->stop[0], .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    return poll(fds, 2, 30000) > 0 && !fds[0].revents;
}

static ssize_t receive(
        const struct server *server, struct connection *connection, char *out, size_t size) {
    if (connection->ssl) {
        if (!SSL_pending(connection->ssl) && !wait_readable(server, connection->fd))
            return -1;
        return SSL_read(connection->ssl, out, (int)size);
    }
    return wait_readable(server, connection->fd) ? read(connection->fd, out, size) : -1;
}

static size_t wanted_len(const char *request) {
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strcasestr(request, "\r\nContent-Length:");
    if (!end)
        return SIZE_MAX;
    size_t head = (size_t)(end - request) + 4;
    return length && length < end ? head + strtoul(length + 17, NULL, 10) : head;
}

static void keep_request(struct server *server, const char *request) {
    pthread_mutex_lock(&server->lock);
    snprintf(server->last, sizeof(server->last), "%s", request);
    pthread_mutex_unlock(&server->lock);
}

const char *server_last(struct server *server) {
    pthread_mutex_lock(&server->lock);
    memcpy(server->copy, server->last, sizeof(server->copy));
    pthread_mutex_unlock(&server->lock);
    return server->copy;
}

static bool read_request(struct server *server, struct connection *connection) {
    char request[sizeof(server->last)] = "";
    size_t len = 0;
    while (len + 1 < sizeof(request)) {
        ssize_t got = receive(server, connection, request + len, sizeof(request) - 1 - len);
        if (got <= 0)
            return false;
        len += (size_t)got;
        request[len] = '\0';
        if (len >= wanted_len(request)) {
            keep_request(server, request);
            return true;
        }
    }
    return false;
}

static const char *next_answer(struct server *server) {
    unsigned at = server->requests++;
    while (at && (at >= SERVER_ANSWERS_MAX || !server->answers[at]))
        at--;
    return server->answers[at];
}

/* False when the connection is to end. */
static bool answer(struct server *server, struct connection *connection) {
    const char *text = next_answer(server);
    if (strcmp(text, SERVER_CLOSE) == 0)
        return false;
    if (strcmp(text, SERVER_SILENCE) == 0)
        return wait_readable(server, server->stop[0]) && false;
    size_t len = strlen(text);
    ssize_t put = connection->ssl ? SSL_write(connection->ssl, text, (int)len)
                                  : write(connection->fd, text, len);
    return put == (ssize_t)len && !strstr(text, "Connection: close");
}

static void serve(struct server *server, int fd) {
    struct connection connection = {.fd = fd};
    server->connections++;
    if (server->tls) {
        connection.ssl = SSL_new(server->tls);
        SSL_set_fd(connection.ssl, fd);
    }
    if (!connection.ssl || SSL_accept(connection.ssl) == 1)
        while (read_request(server, &connection) && answer(server, &connection))
            continue;
    SSL_free(connection.ssl);
    close(fd);
}

static void *run(void *context) {
    struct server *server = context;
    while (wait_readable(server, server->listener)) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            serve(server, fd);
    }
    return NULL;
}

void server_start(struct server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pipe2(server->stop, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
}

void server_stop(struct server *server) {
    close(server->stop[1]);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    close(server->stop[0]);
    close(server->listener);
    pthread_mutex_destroy(&server->lock);
    SSL_CTX_free(server->tls);
    server->tls = NULL;
}

static X509 *make_certificate(EVP_PKEY *key) {
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_EXTENSION *alternative =
            X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(
            name, "CN", MBSTRING_ASC, (const unsigned char *)"skrfs test", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    X509_add_ext(certificate, alternative, -1);
    X509_EXTENSION_free(alternative);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

SSL_CTX *server_tls(char *pem, size_t size) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    X509 *certificate = make_certificate(key);
    BIO *memory = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(memory, certificate), 1);
    int len = BIO_read(memory, pem, (int)size - 1);
    assert_true(len > 0);
    pem[len] = '\0';
    BIO_free(memory);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(tls, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return tls;
}
