/* The lab: an emulated IMDS, THIM, Entra ID, MAA and vault/Managed HSM on loopback, and a software TPM set up
 * like a confidential VM's. Strict: it verifies everything it is sent, and refuses as the services do. */
#ifndef SKRFS_LAB_LAB_H
#define SKRFS_LAB_LAB_H

#include <skrfs/base/error.h>

struct skrfs_lab_options {
    const char *dir;        /* state, certificates, configuration, log */
    const char *tee;        /* "snp" (default) or "tdx" */
    bool foreground;
    bool throttle;          /* 10 creations and releases in 10 s on the vault, as the service (default true) */
};

/* Makes what is missing in `dir`, starts swtpm and the services, writes `dir`/skrfs.conf, returns when they
 * answer. Up already is an error. */
int skrfs_lab_up(const struct skrfs_lab_options *options, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Ends what `up` started and removes `dir`. Down already is no error. */
int skrfs_lab_down(const char *dir, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
