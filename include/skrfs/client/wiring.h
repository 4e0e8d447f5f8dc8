/* From a configuration to the halves that do the work: shared by the daemon, the verbs and libskrfs. */
#ifndef SKRFS_CLIENT_WIRING_H
#define SKRFS_CLIENT_WIRING_H

#include <skrfs/conf/conf.h>
#include <skrfs/release/release.h>
#include <skrfs/store/store.h>

/* The network half. */
struct skrfs_network {
    struct skrfs_buf ca_pem;
    struct skrfs_cloud_vault *vaults;
    struct skrfs_cloud *cloud;
};
int skrfs_network_open(const struct skrfs_conf *conf, struct skrfs_network *ret_network,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_network_done(struct skrfs_network *network);

/* The keeper's half: TPM, TEE, trust anchors, release. The courier is borrowed. `tpm` is taken over. */
struct skrfs_keyside {
    struct skrfs_tpm *tpm;
    struct skrfs_tee *tee;
    struct skrfs_trust *trust;
    struct skrfs_courier *courier;
    struct skrfs_release *release;
    const struct skrfs_conf *conf;
};
int skrfs_keyside_open(const struct skrfs_conf *conf, struct skrfs_tpm *tpm, struct skrfs_courier *courier,
        struct skrfs_keyside *ret_keyside, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_keyside_done(struct skrfs_keyside *keyside);

/* Fills in the question for a configured key; `version` NULL: as configured. */
void skrfs_keyside_ask(const struct skrfs_conf *conf, size_t key, const char *version,
        struct skrfs_release_key *ret_ask);
/* The store's operations over a keyside (its context). */
extern const struct skrfs_fetch_ops skrfs_keyside_fetch_ops;

#endif
