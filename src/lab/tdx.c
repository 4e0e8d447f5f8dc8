/* TD reports (Intel TDX module ABI, TDREPORT_STRUCT) and quotes of version 4 (Intel TDX DCAP
 * quoting library). Little endian. */
#include "platform.h"

#include <string.h>

#define MAC_AT 224
#define MACED_LEN 224
#define ATTRIBUTES_AT 512
#define HEADER_LEN 48
#define BODY_LEN 584

/* The CPU's MAC over the report, keyed by a secret that only the lab's CPU has. The real one is an
 * AES-CMAC inside the CPU; nobody outside can tell. */
static int mac(const struct skrfs_lab_pki *pki, const uint8_t *report, uint8_t ret_mac[32],
        struct skrfs_error *err) {
    uint8_t text[32 + MACED_LEN + SKRFS_LAB_TD_REPORT_LEN - 256];
    memcpy(text, pki->td_secret, 32);
    memcpy(text + 32, report, MACED_LEN);
    memcpy(text + 32 + MACED_LEN, report + 256, SKRFS_LAB_TD_REPORT_LEN - 256);
    int rc = skrfs_hash(SKRFS_SHA256, text, sizeof(text), ret_mac, err);
    skrfs_wipe(text, sizeof(text));
    return rc;
}

int skrfs_lab_make_td_report(const struct skrfs_lab_pki *pki, const uint8_t report_data[64],
        uint64_t attributes, uint8_t ret_report[SKRFS_LAB_TD_REPORT_LEN], struct skrfs_error *err) {
    uint8_t report[SKRFS_LAB_TD_REPORT_LEN] = {0};
    report[0] = 0x81; /* TDX */
    memcpy(report + 128, report_data, 64);
    skrfs_lab_put(report + 256, 0x301ff, 8); /* which members of TEE_TCB_INFO are valid */
    report[264] = 2;                         /* TEE TCB SVN */
    report[265] = 1;
    report[266] = 6;
    skrfs_lab_put(report + ATTRIBUTES_AT, attributes, 8);
    skrfs_lab_put(report + ATTRIBUTES_AT + 8, 0x618e7, 8); /* XFAM */
    if (skrfs_hash(SKRFS_SHA384, "skrfs lab TDX module", 20, report + 280, err) < 0 ||
            skrfs_hash(SKRFS_SHA384, "skrfs lab paravisor", 19, report + 528, err) < 0 ||
            mac(pki, report, report + MAC_AT, err) < 0)
        return skrfs_wrap(err, "make a TD report");
    memcpy(ret_report, report, sizeof(report));
    return 0;
}

/* The quote's header and body, out of the report's three parts. */
static void fill(const uint8_t *report, uint8_t quote[HEADER_LEN + BODY_LEN]) {
    static const uint8_t intel[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a,
            0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
    uint8_t *body = quote + HEADER_LEN;
    memset(quote, 0, HEADER_LEN + BODY_LEN);
    skrfs_lab_put(quote, 4, 2);        /* version */
    skrfs_lab_put(quote + 2, 2, 2);    /* ECDSA P-256 */
    skrfs_lab_put(quote + 4, 0x81, 4); /* TDX */
    memcpy(quote + 12, intel, sizeof(intel));
    memcpy(body, report + 264, 16 + 48 + 48 + 8); /* TCB SVN, SEAM measurements, attributes */
    memcpy(body + 120, report + ATTRIBUTES_AT, 8 + 8 + 4 * 48 + 4 * 48); /* attributes to RTMR 3 */
    memcpy(body + 520, report + 128, 64);
}

int skrfs_lab_quote_td(const struct skrfs_lab_pki *pki, struct skrfs_bytes report,
        struct skrfs_buf *out, struct skrfs_error *err) {
    uint8_t expected[32];
    uint8_t quote[HEADER_LEN + BODY_LEN];
    uint8_t size[4];
    if (report.len != SKRFS_LAB_TD_REPORT_LEN)
        return skrfs_fail(
                err, SKRFS_CLASS_REJECTED, "a TD report has 1024 octets, this has %zu", report.len);
    if (mac(pki, report.data, expected, err) < 0)
        return -1;
    if (!skrfs_equal(expected, report.data + MAC_AT, sizeof(expected)))
        return skrfs_fail(err, SKRFS_CLASS_REJECTED, "the TD report was not made on this machine");
    skrfs_autobuf data = SKRFS_BUF(SKRFS_LAB_PROOF_MAX);
    fill(report.data, quote);
    if (skrfs_lab_quote_proof(pki, true, (struct skrfs_bytes){quote, sizeof(quote)}, &data, err) <
            0)
        return skrfs_wrap(err, "make a TD quote");
    skrfs_lab_put(size, data.len, 4);
    if (skrfs_buf_append(out, quote, sizeof(quote), err) < 0 ||
            skrfs_buf_append(out, size, sizeof(size), err) < 0)
        return -1;
    return skrfs_buf_append(out, data.data, data.len, err);
}
