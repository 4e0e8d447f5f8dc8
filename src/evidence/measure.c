/* What was measured of the machine that evidence is of. */
#include <skrfs/base/encode.h>
#include <skrfs/evidence/evidence.h>
#include <skrfs/evidence/sgx.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>

/* MRTD in a TD report: behind its MAC structure and TCB information begins TDINFO_STRUCT, with the
 * attributes and XFAM in front (Intel TDX module, TDREPORT_STRUCT). */
#define TD_REPORT_MRTD 528
#define MRTD_LEN 48

static void measure_snp(struct skrfs_bytes report, struct skrfs_measurement *measurement) {
    struct skrfs_error ignored;
    struct skrfs_snp snp;

    if (skrfs_snp_parse(report, &snp, &ignored) == 0)
        skrfs_hex_encode(snp.measurement, sizeof(snp.measurement), measurement->tee);
}

static void measure_tdx(struct skrfs_bytes quote, struct skrfs_measurement *measurement) {
    struct skrfs_error ignored;
    struct skrfs_td_quote parsed;

    if (skrfs_td_quote_parse(quote, &parsed, &ignored) == 0)
        skrfs_hex_encode(parsed.mrtd, sizeof(parsed.mrtd), measurement->tee);
}

static void measure_sgx(struct skrfs_bytes quote, struct skrfs_measurement *measurement) {
    struct skrfs_error ignored;
    struct skrfs_sgx_quote parsed;

    if (skrfs_sgx_quote_parse(quote, &parsed, &ignored) == 0)
        skrfs_hex_encode(parsed.mrenclave, sizeof(parsed.mrenclave), measurement->tee);
}

/* The digest of the quote is that of the values one behind the other (TCG TPM 2.0,
 * TPMS_QUOTE_INFO).
 */
static void measure_cvm(
        const struct skrfs_evidence *evidence, struct skrfs_measurement *measurement) {
    struct skrfs_error ignored;
    struct skrfs_hcl hcl;
    uint8_t digest[32];

    if (skrfs_hash(SKRFS_SHA256, evidence->pcrs, sizeof(evidence->pcrs), digest, &ignored) == 0)
        skrfs_hex_encode(digest, sizeof(digest), measurement->pcrs_sha256);
    if (skrfs_hcl_parse(skrfs_buf_bytes(&evidence->hcl_report), &hcl, &ignored) < 0)
        return;
    if (hcl.kind == SKRFS_HCL_SNP)
        measure_snp(hcl.hardware, measurement);
    else if (hcl.hardware.len >= TD_REPORT_MRTD + MRTD_LEN)
        skrfs_hex_encode(hcl.hardware.data + TD_REPORT_MRTD, MRTD_LEN, measurement->tee);
}

void skrfs_evidence_measure(
        const struct skrfs_evidence *evidence, struct skrfs_measurement *ret_measurement) {
    struct skrfs_bytes report = skrfs_buf_bytes(&evidence->report);

    *ret_measurement = (struct skrfs_measurement){.tee = ""};
    switch (evidence->kind) {
    case SKRFS_EVIDENCE_CVM:
        measure_cvm(evidence, ret_measurement);
        break;
    case SKRFS_EVIDENCE_SNP:
        measure_snp(report, ret_measurement);
        break;
    case SKRFS_EVIDENCE_TDX:
        measure_tdx(report, ret_measurement);
        break;
    case SKRFS_EVIDENCE_SGX:
        measure_sgx(report, ret_measurement);
        break;
    }
}
