/* The lab: an emulated IMDS, THIM, MAA and vault/Managed HSM on loopback, and a software TPM set up
 * like a confidential VM's. Strict: it verifies everything it is sent, and refuses as the services
 * do.
 *
 * Its folder holds skrfs.conf (ready to use, with the drop-in folder skrfs.conf.d), ca.pem (the one
 * root of its TLS and its released keys), event-log, hcl-2600.bin (the HCL report in the size that
 * Azure's have, which no index of swtpm holds), hardware.json, lab.json (addresses, the
 * application's ids and where its credentials are), client-secret, client-certificate.pem,
 * federated-token (written anew each quarter of an hour), identity-header, arc/ (key files of Arc's
 * challenges), lab.log, pid and swtpm.pid. Keys are in memory alone: a lab that comes up is empty.
 *
 * What other clients need, and the interface for tests on the metadata service's port (counters,
 * faults, settings), is described in skrfs-lab(1).
 *
 * Both functions are for one thread; `up` forks, and the child is the lab. */
#ifndef SKRFS_LAB_LAB_H
#define SKRFS_LAB_LAB_H

#include <skrfs/base/error.h>

struct skrfs_lab_options {
    const char *dir; /* state, certificates, configuration, log */
    const char *tee; /* "snp" (default) or "tdx" */
    const char
            *tcti; /* an empty TPM to set up, at most 100 octets; NULL: a swtpm of the lab's own */
    bool foreground; /* be the lab, until SIGTERM, SIGINT or SIGHUP; lab.json is there once it
                        answers */
    bool throttle; /* 10 creations and releases in 10 s on the vault, as the service (default true)
                    */
};

/* Makes what is missing in `dir`, starts swtpm and the services, writes `dir`/skrfs.conf, returns
 * when they answer. Up already is an error (CONFIG), and so is a folder with anything else in it.
 * CONFIG also when swtpm is not installed. */
int skrfs_lab_up(const struct skrfs_lab_options *options, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Ends what `up` started and removes `dir`. Down already is no error. A folder that is no lab's,
 * and one where something is mounted at mnt, are left alone: CONFIG. */
int skrfs_lab_down(const char *dir, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
