#include "ports.h"

#include <linux/capability.h>
#include <skrfs/base/log.h>
#include <skrfs/base/secret.h>
#include <skrfs/daemon/process.h>
#include <string.h>

/* What name resolution and TLS read. Folders rather than files: /etc/resolv.conf and the like are
 * replaced while this process lives, and a rule for a file is lost with the file. */
static const struct skrfs_sandbox_path readable[] = {
        {"/etc"},
        {"/run/systemd/resolve"},
        {"/run/resolvconf"},
        {"/run/NetworkManager"},
        {"/usr/share/ca-certificates"},
        {"/usr/local/share/ca-certificates"},
        {"/usr/share/zoneinfo"},
        {"/usr/lib"},
        {"/usr/lib64"},
        {"/lib"},
        {"/lib64"},
};

static int close_sandbox(const struct skrfs_credentials *credentials,
        const struct skrfs_ports *ports, struct skrfs_error *err) {
    struct skrfs_sandbox_path paths[SKRFS_ARRAY_LEN(readable) + SKRFS_CONF_VAULTS_MAX + 1];
    size_t count = SKRFS_ARRAY_LEN(readable);

    memcpy(paths, readable, sizeof(readable));
    for (size_t i = 0; i < credentials->count; i++)
        paths[count++] = (struct skrfs_sandbox_path){credentials->folders[i]};
    return skrfs_sandbox_courier(paths, count, ports->ports, ports->count, err);
}

static int close_in(const struct skrfs_credentials *credentials, const struct skrfs_ports *ports,
        struct skrfs_error *err) {
    const uint64_t to_leave = UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID;

    /* While its system calls are allowed; a courier without a private key needs none. */
    if (credentials->secret &&
            (skrfs_secret_setup(credentials->secret, false, err) < 0 || skrfs_crypto_hide(err) < 0))
        return -1;
    if (skrfs_process_drop(to_leave, err) < 0 ||
            skrfs_process_become_nobody(credentials->groups, credentials->group_count, err) < 0 ||
            skrfs_process_harden("skrfs-courier", 0, err) < 0)
        return -1;
    return close_sandbox(credentials, ports, err);
}

static int begin(
        const struct skrfs_child *child, struct skrfs_network *network, struct skrfs_error *err) {
    struct skrfs_credentials credentials = {.count = 0};
    struct skrfs_ports ports;

    if (skrfs_credentials_find(network, child->conf->vault_count, &credentials, err) < 0)
        return -1;
    skrfs_ports_of_courier(child->conf, network, &ports);
    int result = close_in(&credentials, &ports, err);
    skrfs_credentials_done(&credentials);
    return result < 0 ? -1 : skrfs_network_start(child->conf, network, err);
}

int skrfs_courier_main(const struct skrfs_child *child) {
    struct skrfs_network network = *child->network;
    struct skrfs_error err;

    skrfs_log_set_name("courier");
    skrfs_fs_handover_free(child->handover);
    if (begin(child, &network, &err) < 0)
        return skrfs_notice_failed(child, SKRFS_ROLE_COURIER, &err);
    /* The parent listens to its other end; who speaks to the network has nothing more to tell it.
     */
    close(child->notices);
    if (skrfs_courier_serve(child->courier, network.cloud, &err) < 0) {
        skrfs_log_error("%s", err.message);
        return 1;
    }
    return 0;
}
