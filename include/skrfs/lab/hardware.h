/* The lab's processors: evidence as hardware gives it, made with the keys of a lab's own roots that
 * its attestation service believes. For doubles of devices in tests; nothing in the daemon knows
 * it. Thread safe. */
#ifndef SKRFS_LAB_HARDWARE_H
#define SKRFS_LAB_HARDWARE_H

#include <skrfs/base/buf.h>

struct skrfs_lab_hardware;

/* Reads DIR/hardware.json, which `skrfs lab up` writes (0600): keys and certificates of the lab's
 * chip. SYSTEM or BAD_ANSWER. */
int skrfs_lab_hardware_load(const char *lab_dir, struct skrfs_lab_hardware **ret_hardware,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_lab_hardware_free(struct skrfs_lab_hardware *hardware);
SKRFS_DEFINE_CLEANUP(struct skrfs_lab_hardware, skrfs_lab_hardware_free)

/* What the guest or enclave is. */
struct skrfs_lab_guest_facts {
    bool debug;
    unsigned vmpl;         /* SNP */
    uint8_t host_data[32]; /* SNP; the first octets of an enclave's config id */
};

/* Appends a SEV-SNP report of 1184 octets (version 3, Milan) over this report data, signed by the
 * lab's VCEK. */
int skrfs_lab_snp_report(const struct skrfs_lab_hardware *hardware, const uint8_t report_data[64],
        const struct skrfs_lab_guest_facts *facts, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the GHCB's certificate table: VCEK, ASK, ARK. */
int skrfs_lab_snp_table(const struct skrfs_lab_hardware *hardware, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the JSON of THIM and of host-amd-cert: vcekCert, tcbm, certificateChain, cacheControl. */
int skrfs_lab_snp_thim(const struct skrfs_lab_hardware *hardware, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the endorsement (COSE_Sign1) of the utility VM that the lab's reports are about: what a
 * security context has as reference-info. */
int skrfs_lab_snp_endorsement(const struct skrfs_lab_hardware *hardware, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends a TD quote (version 4) with the chain of the lab's quoting key. */
int skrfs_lab_td_quote(const struct skrfs_lab_hardware *hardware, const uint8_t report_data[64],
        const struct skrfs_lab_guest_facts *facts, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends an SGX quote (version 3) likewise. */
int skrfs_lab_sgx_quote(const struct skrfs_lab_hardware *hardware, const uint8_t report_data[64],
        const struct skrfs_lab_guest_facts *facts, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
