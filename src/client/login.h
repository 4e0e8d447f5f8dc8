/* How a process logs in, from the configuration first and from the environment where that is
 * silent.
 */
#ifndef SKRFS_SRC_CLIENT_LOGIN_H
#define SKRFS_SRC_CLIENT_LOGIN_H

#include <skrfs/client/wiring.h>

/* A GUID on App Service, a token elsewhere. */
#define NETWORK_SECRET_MAX ((size_t)4 * 1024)

int network_environment_read(const struct skrfs_conf *conf, struct skrfs_network_environment *ret,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void network_environment_done(struct skrfs_network_environment *environment);

/* Tenant, client and token file of an identity that is an application's: CONFIG when one is missing
 * that it cannot log in without. */
int network_application(const struct skrfs_conf *conf, const struct skrfs_conf_vault *from,
        const struct skrfs_network_environment *environment, struct skrfs_cloud_vault *to,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* After the vaults. */
int network_login(const struct skrfs_conf *conf, struct skrfs_network *network,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
