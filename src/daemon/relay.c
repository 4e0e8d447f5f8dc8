#include "ports.h"

#include <dlfcn.h>
#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>
#include <skrfs/tpm/relay.h>
#include <stdio.h>
#include <string.h>

/* The TCTI's library stays, so that its loader, which may want it again after a failure, finds it
 * while nothing executable can be mapped any more. */
static void keep_library(const char *tcti) {
    char name[64];

    (void)snprintf(name, sizeof(name), "libtss2-tcti-%.*s.so.0", (int)strcspn(tcti, ":"), tcti);
    if (!dlopen(name, RTLD_NOW))
        skrfs_log_warning("%s", dlerror());
}

/* Other TCTIs have needs that are not known (a bus, a program): they are left to the sandbox that
 * the parent gives to all. */
static int close_in(const char *tcti, struct skrfs_error *err) {
    /* Files, not their folder: this process may own what others there may not read. */
    static const struct skrfs_sandbox_path readable[] = {{"/etc/hosts"}, {"/etc/resolv.conf"},
            {"/etc/nsswitch.conf"}, {"/etc/host.conf"}, {"/etc/gai.conf"}, {"/etc/services"}};
    struct skrfs_ports ports;

    if (skrfs_process_harden("skrfs-relay", 0, err) < 0)
        return -1;
    if (!skrfs_ports_of_relay(tcti, &ports))
        return 0;
    keep_library(tcti);
    return skrfs_sandbox_relay(readable, SKRFS_ARRAY_LEN(readable), ports.ports, ports.count, err);
}

/* It holds no key and no name of one, and must connect anew for each command. It is used with a
 * software TPM alone. */
int skrfs_relay_main(const struct skrfs_child *child) {
    struct skrfs_error err;

    skrfs_log_set_name("relay");
    skrfs_fs_handover_free(child->handover);
    if (close_in(child->conf->tcti, &err) < 0)
        return skrfs_notice_failed(child, SKRFS_ROLE_RELAY, &err);
    close(child->notices);
    if (skrfs_tpm_relay(child->conf->tcti, child->relay, &err) < 0) {
        skrfs_log_error("%s", err.message);
        return 1;
    }
    return 0;
}
