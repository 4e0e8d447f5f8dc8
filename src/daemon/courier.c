#include <linux/capability.h>
#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>

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

static int close_in(struct skrfs_error *err) {
    const uint64_t to_leave = UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID;

    if (skrfs_process_drop(to_leave, err) < 0 || skrfs_process_become_nobody(err) < 0 ||
            skrfs_process_harden("skrfs-courier", 0, err) < 0)
        return -1;
    return skrfs_sandbox_courier(readable, SKRFS_ARRAY_LEN(readable), err);
}

int skrfs_courier_main(const struct skrfs_child *child) {
    struct skrfs_network network = *child->network;
    struct skrfs_error err;

    skrfs_log_set_name("courier");
    skrfs_fs_handover_free(child->handover);
    if (close_in(&err) < 0 || skrfs_network_start(child->conf, &network, &err) < 0)
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
