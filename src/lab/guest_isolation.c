/* The hardware's part of a confidential VM's evidence. */
#include "guest.h"
#include "refuse.h"
#include "verify.h"

/* sha256 of the claims fills the first half of the report data; the rest is zero. */
static int check_binding(
        const struct skrfs_buf *claims, const uint8_t report_data[64], struct skrfs_error *err) {
    uint8_t expected[64] = {0};
    if (skrfs_hash(SKRFS_SHA256, claims->data, claims->len, expected, err) < 0)
        return -1;
    if (!skrfs_equal(expected, report_data, sizeof(expected)))
        return skrfs_lab_rejected(
                err, "RunTimeData is not what the hardware's report was made over");
    return 0;
}

int skrfs_lab_snp_check(const struct skrfs_lab_guest *guest, const struct skrfs_chain *ark,
        struct skrfs_error *err) {
    struct skrfs_snp snp;
    bool real = false;
    if (skrfs_lab_snp_verify(skrfs_buf_bytes(&guest->report), skrfs_buf_bytes(&guest->chain), ark,
                &snp, &real, err) < 0)
        return -1;
    if (snp.debug)
        return skrfs_lab_rejected(err, "the SNP guest's policy allows debugging");
    if (snp.vmpl != 0)
        return skrfs_lab_rejected(err, "the SNP report was not asked for at VMPL 0");
    return check_binding(&guest->claims, snp.report_data, err);
}

int skrfs_lab_tdx_check(const struct skrfs_lab_guest *guest, const struct skrfs_chain *root,
        struct skrfs_error *err) {
    struct skrfs_td_quote quote;
    bool real = false;
    if (skrfs_lab_td_verify(skrfs_buf_bytes(&guest->report), root, &quote, &real, err) < 0)
        return -1;
    if (quote.attributes & 1)
        return skrfs_lab_rejected(err, "the trust domain allows debugging");
    return check_binding(&guest->claims, quote.report_data, err);
}
