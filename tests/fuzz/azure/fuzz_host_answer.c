/* What the host says through the metadata service: certificates, and the TD quote of some report.
 */
#include "../../../src/azure/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_bytes body = {data, size};
    static uint8_t td_report[SKRFS_TD_REPORT_LEN] = {0x81};
    static const uint8_t snp_report[SKRFS_SNP_REPORT_LEN] = {2};
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX), quote = SKRFS_BUF(SKRFS_TD_QUOTE_MAX);
    char tcbm[17];
    if (skrfs_thim_answer(body, &pem, tcbm, &err) == 0 &&
            skrfs_certs_fit((struct skrfs_bytes){snp_report, sizeof(snp_report)},
                    skrfs_buf_bytes(&pem), &err) == 0)
        abort(); /* an empty report has no signature */
    (void)(skrfs_tdquote_answer(
                   body, (struct skrfs_bytes){td_report, sizeof(td_report)}, &quote, &err) < 0);
    return 0;
}
