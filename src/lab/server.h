/* The network's side: two listeners on loopback, one plain for the metadata service, one with TLS
 * for the others. */
#ifndef SKRFS_LAB_SERVER_H
#define SKRFS_LAB_SERVER_H

#include "state.h"

struct skrfs_lab_server;

/* Sockets that listen on 127.0.0.1, on ports of the system's choice. */
struct skrfs_lab_sockets {
    int imds, https;
    struct skrfs_lab_ports ports;
};
int skrfs_lab_listen(
        struct skrfs_lab_sockets *ret_sockets, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Serves the lab on the sockets, which are taken over, in threads of its own. */
int skrfs_lab_server_start(struct skrfs_lab *lab, struct skrfs_lab_sockets *sockets,
        struct skrfs_lab_server **ret_server, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Ends it: requests in flight are answered or dropped. */
void skrfs_lab_server_stop(struct skrfs_lab_server *server);
SKRFS_DEFINE_CLEANUP(struct skrfs_lab_server, skrfs_lab_server_stop)

#endif
