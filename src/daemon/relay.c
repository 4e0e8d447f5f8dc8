#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>
#include <skrfs/tpm/relay.h>

/* It holds no key and no name of one, and must connect anew for each command: no sandbox but the
 * lost privileges. It is used with a software TPM alone. */
int skrfs_relay_main(const struct skrfs_child *child) {
    struct skrfs_error err;

    skrfs_log_set_name("relay");
    skrfs_fs_handover_free(child->handover);
    if (skrfs_process_harden("skrfs-relay", 0, &err) < 0)
        return skrfs_notice_failed(child, SKRFS_ROLE_RELAY, &err);
    if (skrfs_tpm_relay(child->conf->tcti, child->relay, &err) < 0) {
        skrfs_log_error("%s", err.message);
        return 1;
    }
    return 0;
}
