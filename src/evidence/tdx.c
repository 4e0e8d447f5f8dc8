#include "bytes.h"
#include "quote.h"

#include <skrfs/evidence/tdx.h>

/* Intel TDX DCAP quoting library: header, body descriptor of version 5, and fields inside the body.
 */
enum {
    TEE_TDX = 0x81,
    V5_BODY = 54, /* behind u16 type and u32 size */
    BODY_10_LEN = 584,
    BODY_15_LEN = 648,
    IN_ATTRIBUTES = 120,
    IN_MRTD = 136,
    IN_MRCONFIGID = 184,
    IN_RTMR = 328,
    IN_REPORT_DATA = 520,
};

int skrfs_td_report_data(struct skrfs_bytes report, uint8_t ret_data[64], struct skrfs_error *err) {
    static const uint8_t type[] = {TEE_TDX, 0, 0, 0};
    if (report.len != SKRFS_TD_REPORT_LEN)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TD report has %zu octets, not %d",
                report.len, SKRFS_TD_REPORT_LEN);
    if (memcmp(report.data, type, sizeof(type)) != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the TD report does not begin as TD reports do");
    memcpy(ret_data, report.data + 128, 64);
    return 0;
}

static int truncated(struct skrfs_error *err) {
    return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TD quote is truncated");
}

static int check_header(struct skrfs_bytes quote, struct skrfs_error *err) {
    if (quote.len > SKRFS_TD_QUOTE_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the TD quote is too long: %zu octets", quote.len);
    if (quote.len < V5_BODY)
        return truncated(err);
    unsigned version = get16(quote.data);
    if (version != 4 && version != 5)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the quote has version %u, not 4 or 5", version);
    if (get32(quote.data + QUOTE_AT_TEE) != TEE_TDX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the quote is not a TDX quote");
    if (get16(quote.data + QUOTE_AT_KEY_TYPE) != QUOTE_KEY_ECDSA_P256)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the quote's attestation key is not ECDSA P-256");
    return 0;
}

/* Where the body is: version 4 has one kind right behind the header, version 5 says which. */
static int find_body(
        struct skrfs_bytes quote, size_t *ret_at, size_t *ret_len, struct skrfs_error *err) {
    size_t at = QUOTE_HEADER_LEN, len = BODY_10_LEN;
    if (get16(quote.data) == 5) {
        unsigned type = get16(quote.data + QUOTE_HEADER_LEN);
        at = V5_BODY;
        len = type == 3 ? BODY_15_LEN : BODY_10_LEN;
        if ((type != 2 && type != 3) || get32(quote.data + QUOTE_HEADER_LEN + 2) != len)
            return skrfs_fail(
                    err, SKRFS_CLASS_BAD_ANSWER, "the quote's body is of unknown type %u", type);
    }
    if (quote.len < at + len + sizeof(uint32_t))
        return truncated(err);
    *ret_at = at;
    *ret_len = len;
    return 0;
}

static void read_body(const uint8_t *body, struct skrfs_td_quote *quote) {
    quote->attributes = get64(body + IN_ATTRIBUTES);
    memcpy(quote->mrtd, body + IN_MRTD, sizeof(quote->mrtd));
    memcpy(quote->mrconfigid, body + IN_MRCONFIGID, sizeof(quote->mrconfigid));
    memcpy(quote->rtmr, body + IN_RTMR, sizeof(quote->rtmr));
    memcpy(quote->report_data, body + IN_REPORT_DATA, sizeof(quote->report_data));
}

int skrfs_td_quote_parse(
        struct skrfs_bytes quote, struct skrfs_td_quote *ret_quote, struct skrfs_error *err) {
    size_t body = 0, len = 0;
    struct skrfs_quote_proof proof;
    if (check_header(quote, err) < 0 || find_body(quote, &body, &len, err) < 0)
        return -1;
    size_t signed_len = body + len, auth = signed_len + sizeof(uint32_t);
    uint32_t auth_len = get32(quote.data + signed_len);
    if (auth_len > quote.len - auth)
        return truncated(err);
    if (quote_proof_parse((struct skrfs_bytes){quote.data + auth, auth_len}, true, &proof, err) < 0)
        return -1;
    struct skrfs_td_quote parsed = {
            .version = get16(quote.data),
            .signed_len = signed_len,
            .total_len = auth + auth_len,
            .proof = proof,
    };
    read_body(quote.data + body, &parsed);
    *ret_quote = parsed;
    return 0;
}

int skrfs_td_quote_verify(
        struct skrfs_bytes quote, const struct skrfs_td_quote *parsed, struct skrfs_error *err) {
    struct skrfs_bytes body = {quote.data, parsed->signed_len};
    return quote_proof_check_body(body, &parsed->proof, err) < 0 ? skrfs_wrap(err, "the TD quote")
                                                                 : 0;
}

int skrfs_td_quote_verify_chain(struct skrfs_bytes quote, const struct skrfs_td_quote *parsed,
        struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    if (skrfs_td_quote_verify(quote, parsed, err) < 0)
        return -1;
    return quote_proof_check_chain(&parsed->proof, ret_chain, err);
}
