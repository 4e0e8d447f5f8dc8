#ifndef SKRFS_SRC_DAEMON_PORTS_H
#define SKRFS_SRC_DAEMON_PORTS_H

#include <skrfs/client/wiring.h>

/* One for each server that a configuration can name, and what all need. */
#define SKRFS_PORTS_MAX (SKRFS_CONF_VAULTS_MAX + 16)

struct skrfs_ports {
    uint16_t ports[SKRFS_PORTS_MAX];
    size_t count;
};
/* The port of a URL, its scheme's where it names none; a proxy's is 1080 then, whatever its scheme.
 */
uint16_t skrfs_port_of(const char *url, bool proxy);
void skrfs_ports_of_courier(const struct skrfs_conf *conf, const struct skrfs_network *network,
        struct skrfs_ports *ret_ports);
/* False for a TCTI whose needs are not known; true with no ports for one behind a path. */
bool skrfs_ports_of_relay(const char *tcti, struct skrfs_ports *ret_ports);

#endif
