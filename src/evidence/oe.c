/* Open Enclave's wrappings of an SGX quote (openenclave: include/openenclave/bits/attestation.h and
 * common/attest_plugin.h). */
#include "bytes.h"

#include <skrfs/evidence/sgx.h>

enum {
    REPORT_HEADER_LEN = 16, /* u32 version 1, u32 type, u64 size */
    REPORT_VERSION = 1,
    REPORT_REMOTE = 2,
    AT_REPORT_SIZE = 8,
    EVIDENCE_HEADER_LEN = 28, /* u32 version, format's UUID, u64 size */
    AT_UUID = 4,
    AT_EVIDENCE_SIZE = 20,
};

static const uint8_t sgx_ecdsa[16] = {0xa3, 0xa2, 0x1e, 0x87, 0x1b, 0x4d, 0x40, 0x14, 0xb7, 0x0a,
        0xa1, 0x25, 0xd2, 0xfb, 0xcd, 0x8c};

static bool is_quote(struct skrfs_bytes data) {
    return data.len >= 4 && get16(data.data) == 3 && get16(data.data + 2) == 2;
}

static bool is_report(struct skrfs_bytes data) {
    return data.len >= REPORT_HEADER_LEN && get32(data.data) == REPORT_VERSION &&
           get32(data.data + 4) == REPORT_REMOTE;
}

static bool is_evidence(struct skrfs_bytes data) {
    return data.len >= EVIDENCE_HEADER_LEN &&
           memcmp(data.data + AT_UUID, sgx_ecdsa, sizeof(sgx_ecdsa)) == 0;
}

int skrfs_oe_unwrap(struct skrfs_bytes data, struct skrfs_bytes *ret_quote,
        struct skrfs_bytes *ret_claims, struct skrfs_error *err) {
    size_t header = 0;
    uint64_t size = data.len;
    struct skrfs_sgx_quote quote;
    bool evidence = is_evidence(data);
    if (is_report(data)) {
        header = REPORT_HEADER_LEN;
        size = get64(data.data + AT_REPORT_SIZE);
    } else if (evidence) {
        header = EVIDENCE_HEADER_LEN;
        size = get64(data.data + AT_EVIDENCE_SIZE);
    } else if (!is_quote(data)) {
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "neither an Open Enclave report or evidence nor an SGX quote");
    }
    if (size > data.len - header)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the Open Enclave report is truncated");
    struct skrfs_bytes inner = {data.data + header, (size_t)size};
    if (skrfs_sgx_quote_parse(inner, &quote, err) < 0)
        return header ? skrfs_wrap(err, "the Open Enclave report") : -1;
    *ret_quote = (struct skrfs_bytes){inner.data, quote.total_len};
    /* An evidence's claims follow its quote, which says how long it is. */
    if (ret_claims && evidence)
        *ret_claims =
                (struct skrfs_bytes){inner.data + quote.total_len, inner.len - quote.total_len};
    else if (ret_claims)
        *ret_claims = (struct skrfs_bytes){0};
    return 0;
}
