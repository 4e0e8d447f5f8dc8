/* Which TCP ports a process has to connect to: what its configuration names, and no other. */
#include "ports.h"

#include <skrfs/base/log.h>
#include <stdlib.h>
#include <string.h>

#define HTTP 80
#define HTTPS 443
#define DNS 53     /* an answer that is too long for UDP */
#define PROXY 1080 /* libcurl's, where none is given */
#define SWTPM 2321

static uint16_t port_of_scheme(const char *url, size_t len) {
    if (len == 5 && strncmp(url, "https", len) == 0)
        return HTTPS;
    return len == 4 && strncmp(url, "http", len) == 0 ? HTTP : PROXY;
}

uint16_t skrfs_port_of(const char *url, bool proxy) {
    const char *host = strstr(url, "://");
    uint16_t otherwise = !host || proxy ? PROXY : port_of_scheme(url, (size_t)(host - url));

    host = host ? host + 3 : url;
    size_t len = strcspn(host, "/?#");
    /* Behind the last bracket of an IPv6 address. */
    for (size_t i = len; i > 0 && host[i - 1] != ']' && host[i - 1] != '@'; i--)
        if (host[i - 1] == ':') {
            unsigned long port = strtoul(host + i, NULL, 10);
            return port > 0 && port <= UINT16_MAX ? (uint16_t)port : otherwise;
        }
    return otherwise;
}

static void add(struct skrfs_ports *ports, uint16_t port) {
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i] == port)
            return;
    if (ports->count < SKRFS_PORTS_MAX)
        ports->ports[ports->count++] = port;
}

static void add_url(struct skrfs_ports *ports, const char *url) {
    if (url)
        add(ports, skrfs_port_of(url, false));
}

void skrfs_ports_of_courier(const struct skrfs_conf *conf, const struct skrfs_network *network,
        struct skrfs_ports *ret_ports) {
    *ret_ports = (struct skrfs_ports){.count = 0};
    add(ret_ports, HTTPS);
    add(ret_ports, HTTP);
    add(ret_ports, DNS);
    add_url(ret_ports, conf->attestation_url);
    add_url(ret_ports, conf->imds_url);
    add_url(ret_ports, conf->tee.cache_url);
    add_url(ret_ports, conf->tee.kds_url);
    add_url(ret_ports, network->login.endpoint);
    add_url(ret_ports, network->login.authority);
    for (size_t i = 0; i < conf->vault_count; i++)
        add_url(ret_ports, conf->vaults[i].url);
    if (conf->proxy)
        add(ret_ports, skrfs_port_of(conf->proxy, true));
}

/* swtpm and mssim listen on two ports next to each other: commands, and control. */
bool skrfs_ports_of_relay(const char *tcti, struct skrfs_ports *ret_ports) {
    size_t name = strcspn(tcti, ":");

    *ret_ports = (struct skrfs_ports){.count = 0};
    if (name != 5 || (strncmp(tcti, "swtpm", name) != 0 && strncmp(tcti, "mssim", name) != 0))
        return false;
    const char *given = strstr(tcti, "port=");
    unsigned long port = given ? strtoul(given + 5, NULL, 10) : SWTPM;
    if (port == 0 || port >= UINT16_MAX)
        return true;
    add(ret_ports, (uint16_t)port);
    add(ret_ports, (uint16_t)(port + 1));
    return true;
}
