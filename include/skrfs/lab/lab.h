/* The lab: an emulated IMDS, THIM, MAA and vault/Managed HSM on loopback, and a software TPM set up
 * like a confidential VM's. Strict: it verifies everything it is sent, and refuses as the services
 * do.
 *
 * Its folder holds skrfs.conf (ready to use, with the drop-in folder skrfs.conf.d), ca.pem (the one
 * root of its TLS and its released keys), event-log, hcl-2600.bin (the HCL report in the size that
 * Azure's have, which no index of swtpm holds), lab.json (addresses for programs), lab.log, pid and
 * swtpm.pid. Keys are in memory alone: a lab that comes up is empty.
 *
 * Identities: the machine's own; user-assigned ones by client id
 * 1ab00000-0000-4000-8000-0000000000b2 (may release) and ...d2 (may read only).
 *
 * For tests the lab can be asked and told, on the metadata service's port, and only there:
 *
 *   GET /lab/counters      {"imds-token": n, "thim": n, "tdquote": n, "attest": n, "release": n,
 * "get": n, "create": n, "import": n, "update": n, "list": n, "versions": n, "rotate": n}: requests
 * seen at each place, refused ones too. POST /lab/faults       one fault, put behind those that
 * wait: {"at": place, "times": how often (1; -1: for ever), "status": HTTP status, "code": "...",
 * "message": "...", "retry_after": s, "delay_ms": ms before the answer, "do": "..."}. Without
 * "status" the request is answered, late or wrongly. "do" is one of: the transport's: reset,
 * half-body, garbage, oversize, no-answer; of a release: other-key, other-version, other-nonce,
 * other-enc, other-kek, other-public, wrong-inner-key, short-cipher (all rightly signed),
 * other-signer (an unknown authority's), expired-leaf, other-host, bad-signature; of an
 * attestation: other-nonce, other-kek, other-signer, bad-signature (in the sealed token), bad-tag,
 * wrong-inner-key (of the seal); of THIM: stale-vcek (the same chip's, for older firmware). DELETE
 * /lab/faults     takes all waiting faults away. POST /lab/settings     any of {"token_life_s": s,
 * "access_life_s": s, "throttle": b, "release_role": b (of the machine's identities), "identity": b
 * (whether there is one of the machine's own), "compliance": "azure-compliant-cvm" or what the
 * token shall say instead, "reset": b (begin with what the lab came up with)}. Other members are
 * refused.
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
