/* A server on loopback that reads requests and gives prepared answers, one after the other, in a
 * thread. */
#ifndef SKRFS_TESTS_HTTP_SERVER_H
#define SKRFS_TESTS_HTTP_SERVER_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define SERVER_ANSWERS_MAX 8

/* An answer that never comes, and one that is the end of the connection. */
#define SERVER_SILENCE "silence"
#define SERVER_CLOSE "close"

struct server {
    const char *answers[SERVER_ANSWERS_MAX]; /* NULL behind the last: the last is repeated */
    SSL_CTX *tls;                            /* NULL: plain */
    /* Filled in: */
    unsigned port;
    int listener;
    int stop[2];
    pthread_t thread;
    atomic_uint connections;
    atomic_uint requests;
    pthread_mutex_t lock; /* over `last` */
    char last[8192];      /* the last request whole */
    char copy[8192];
};

void server_start(struct server *server);
void server_stop(struct server *server);
/* The last request, valid until the next call. */
const char *server_last(struct server *server);

/* A self-signed certificate for 127.0.0.1 alone, and a TLS context with it. `pem` gets the
 * certificate. */
SSL_CTX *server_tls(char *pem, size_t size);

#endif
