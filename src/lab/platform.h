/* The confidential machine that the lab plays: its hardware reports, HCL report, boot log.
 * Functions are pure but for random numbers; thread safe. */
#ifndef SKRFS_LAB_PLATFORM_H
#define SKRFS_LAB_PLATFORM_H

#include "pki.h"

/* A number in `size` octets, little endian. */
void skrfs_lab_put(uint8_t *place, uint64_t value, size_t size);

#define SKRFS_LAB_SNP_REPORT_LEN ((size_t)1184)
#define SKRFS_LAB_TD_REPORT_LEN ((size_t)1024)
#define SKRFS_LAB_HCL_NV_LEN ((size_t)2048) /* swtpm's largest index; Azure's is 2600 */
#define SKRFS_LAB_HCL_FULL_LEN ((size_t)2600)
#define SKRFS_LAB_SNP_POLICY UINT64_C(0x3001f) /* as Azure sets it; bit 19 would be debug */
#define SKRFS_LAB_EVENT_LOG_MAX ((size_t)1024 * 1024)

struct skrfs_lab_snp_wish {
    uint8_t report_data[64];
    uint8_t host_data[32];
    uint64_t policy;
    unsigned vmpl;
    bool names_processor; /* version 3; version 2 otherwise */
};
/* An SNP report (Milan) signed by the lab's VCEK. */
int skrfs_lab_make_snp_report(const struct skrfs_lab_pki *pki,
        const struct skrfs_lab_snp_wish *wish, uint8_t ret_report[SKRFS_LAB_SNP_REPORT_LEN],
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A TD report with the CPU's MAC. */
int skrfs_lab_make_td_report(const struct skrfs_lab_pki *pki, const uint8_t report_data[64],
        uint64_t attributes, uint8_t ret_report[SKRFS_LAB_TD_REPORT_LEN],
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Makes a version 4 quote of a TD report after checking its MAC: REJECTED when it is not this
 * CPU's. */
int skrfs_lab_quote_td(const struct skrfs_lab_pki *pki, struct skrfs_bytes report,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

#define SKRFS_LAB_PROOF_MAX ((size_t)64 * 1024)
/* Signature of `signed_part`, attestation key, quoting enclave's report and PCK chain; in a TD
 * quote the latter two are nested (certification data of type 6). */
int skrfs_lab_quote_proof(const struct skrfs_lab_pki *pki, bool nested,
        struct skrfs_bytes signed_part, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

struct skrfs_lab_sgx_wish {
    uint8_t report_data[64];
    uint8_t config_id[64];
    bool debug;
};
/* Appends an enclave's quote of version 3. */
int skrfs_lab_make_sgx_quote(const struct skrfs_lab_pki *pki, const struct skrfs_lab_sgx_wish *wish,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Runtime claims as the paravisor writes them; `ek` NULL: the attestation key alone. */
int skrfs_lab_claims(const struct skrfs_pkey *ak, const struct skrfs_pkey *ek,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A whole HCL report over the claims, zero padded to `size` octets. */
int skrfs_lab_hcl_report(const struct skrfs_lab_pki *pki, bool tdx, struct skrfs_bytes claims,
        size_t size, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A measured boot log (TCG PC Client Platform Firmware Profile, crypto agile, SHA-256) and the
 * values that PCR 0 to 7 have after it. */
int skrfs_lab_event_log(struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Called for each measurement of a log, in order. */
typedef int skrfs_lab_measure_fn(
        void *context, unsigned pcr, const uint8_t digest[32], struct skrfs_error *err);
/* Walks a log to its exact end; BAD_ANSWER when it is malformed. *ret_locality is the locality the
 * firmware started in (PCR 0 begins with it). */
int skrfs_lab_event_log_walk(struct skrfs_bytes log, skrfs_lab_measure_fn *measure, void *context,
        uint8_t *ret_locality, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The values of PCR 0 to 7 that a log leads to. */
int skrfs_lab_event_log_replay(
        struct skrfs_bytes log, uint8_t ret_pcrs[8][32], struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
