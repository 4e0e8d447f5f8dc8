/* The hardware's part of the evidence. */
#include "guest.h"
#include "roots.h"

#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>
#include <string.h>

#define OID_TCB "1.3.6.1.4.1.3704.1.3."
#define OID_CHIP "1.3.6.1.4.1.3704.1.4"
#define SNP_SIGNED_LEN 0x2A0
#define QE_REPORT_LEN 384

static int refused(struct skrfs_error *err, const char *why) {
    return skrfs_fail(err, SKRFS_CLASS_REJECTED, "%s", why);
}

/* A failure of a parser or a signature is a refusal here. */
static int refuse_as(struct skrfs_error *err, const char *what) {
    err->kind = SKRFS_CLASS_REJECTED;
    return skrfs_wrap(err, "%s", what);
}

/* sha256 of the claims fills the first half of the report data; the rest is zero. */
static int check_binding(
        const struct skrfs_buf *claims, const uint8_t report_data[64], struct skrfs_error *err) {
    uint8_t expected[64] = {0};
    if (skrfs_hash(SKRFS_SHA256, claims->data, claims->len, expected, err) < 0)
        return -1;
    if (!skrfs_equal(expected, report_data, sizeof(expected)))
        return refused(err, "RunTimeData is not what the hardware's report was made over");
    return 0;
}

static int check_snp_chain(const struct skrfs_lab_guest *guest, const struct skrfs_chain *ark,
        struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    skrfs_autochain *chain = NULL;
    if (skrfs_chain_from_pem(skrfs_buf_text(&guest->chain), guest->chain.len, &chain, err) < 0 ||
            skrfs_chain_verify_links(chain, err) < 0)
        return refuse_as(err, "VcekCertChain");
    if (skrfs_chain_len(chain) != 3)
        return refused(err, "VcekCertChain is not VCEK, ASK and ARK");
    if (!skrfs_lab_root_is(chain, ark, SKRFS_LAB_AMD))
        return refused(err, "VcekCertChain does not end in the processor maker's root");
    *ret_chain = skrfs_take(chain);
    return 0;
}

/* r and s are 72-octet little-endian numbers, of which P-384 needs 48. */
static int check_snp_signature(
        const struct skrfs_buf *report, const struct skrfs_chain *chain, struct skrfs_error *err) {
    const uint8_t *given = report->data + SNP_SIGNED_LEN;
    uint8_t signature[96];
    static const uint8_t zeros[24];
    if (memcmp(given + 48, zeros, 24) != 0 || memcmp(given + 72 + 48, zeros, 24) != 0)
        return refused(err, "the SNP report's signature is out of range");
    for (size_t i = 0; i < 48; i++) {
        signature[i] = given[47 - i];
        signature[48 + i] = given[72 + 47 - i];
    }
    skrfs_autopkey *key = NULL;
    if (skrfs_chain_leaf_key(chain, &key, err) < 0 ||
            skrfs_ecdsa_verify(key, SKRFS_SHA384,
                    (struct skrfs_bytes){report->data, SNP_SIGNED_LEN},
                    (struct skrfs_bytes){signature, sizeof(signature)}, err) < 0)
        return refuse_as(err, "the SNP report is not signed by this VCEK");
    return 0;
}

static int check_tcb(
        const struct skrfs_snp *snp, const struct skrfs_chain *chain, struct skrfs_error *err) {
    struct skrfs_snp_tcb tcb;
    skrfs_snp_tcb_split(snp->product, snp->reported_tcb, &tcb);
    const struct {
        const char *oid;
        uint8_t value;
    } parts[] = {{OID_TCB "1", tcb.bootloader}, {OID_TCB "2", tcb.tee}, {OID_TCB "3", tcb.snp},
            {OID_TCB "8", tcb.microcode}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(parts); i++) {
        uint64_t value = 0;
        if (skrfs_chain_leaf_integer(chain, parts[i].oid, &value, err) < 0)
            return refuse_as(err, "the VCEK certificate");
        if (value != parts[i].value)
            return refused(err, "the VCEK is not for the report's reported TCB");
    }
    return 0;
}

static int check_chip(
        const struct skrfs_snp *snp, const struct skrfs_chain *chain, struct skrfs_error *err) {
    skrfs_autobuf chip = SKRFS_BUF(256);
    bool found = false;
    if (skrfs_chain_leaf_extension(chain, OID_CHIP, &chip, &found, err) < 0)
        return refuse_as(err, "the VCEK certificate");
    if (!found || chip.len != sizeof(snp->chip_id) ||
            memcmp(chip.data, snp->chip_id, chip.len) != 0)
        return refused(err, "the VCEK is not for the report's chip");
    return 0;
}

int skrfs_lab_snp_check(const struct skrfs_lab_guest *guest, const struct skrfs_chain *ark,
        struct skrfs_error *err) {
    struct skrfs_snp snp;
    skrfs_autochain *chain = NULL;
    if (skrfs_snp_parse(skrfs_buf_bytes(&guest->report), &snp, err) < 0)
        return refuse_as(err, "SnpReport");
    if (check_snp_chain(guest, ark, &chain, err) < 0 || check_tcb(&snp, chain, err) < 0 ||
            check_chip(&snp, chain, err) < 0 || check_snp_signature(&guest->report, chain, err) < 0)
        return -1;
    if (snp.debug)
        return refused(err, "the SNP guest's policy allows debugging");
    if (snp.vmpl != 0)
        return refused(err, "the SNP report was not asked for at VMPL 0");
    return check_binding(&guest->claims, snp.report_data, err);
}

struct reader {
    const uint8_t *data;
    size_t left;
};

static const uint8_t *take(struct reader *reader, size_t len) {
    if (len > reader->left)
        return NULL;
    const uint8_t *start = reader->data;
    reader->data += len;
    reader->left -= len;
    return start;
}

/* Two-octet type, four-octet length, data. */
static bool take_typed(struct reader *reader, unsigned type, struct reader *ret_data) {
    const uint8_t *head = take(reader, 6);
    if (!head || (unsigned)(head[0] | head[1] << 8) != type)
        return false;
    size_t len =
            (size_t)head[2] | (size_t)head[3] << 8 | (size_t)head[4] << 16 | (size_t)head[5] << 24;
    ret_data->data = take(reader, len);
    ret_data->left = len;
    return ret_data->data != NULL;
}

/* The quoting enclave's part of a quote's signature data. */
struct quoting_enclave {
    const uint8_t *report, *signature, *auth;
    size_t auth_len;
    struct skrfs_bytes pem;
};

/* Signature and key (64 octets each), then certification data of type 6 with the chain inside as
 * type 5. */
static int read_enclave(const struct skrfs_buf *quote, const struct skrfs_td_quote *parsed,
        struct quoting_enclave *ret_qe, struct skrfs_error *err) {
    struct reader rest = {quote->data, quote->len};
    struct reader data;
    struct reader chain;
    if (!take(&rest, parsed->signed_len) || !take(&rest, 4 + 64 + 64) ||
            !take_typed(&rest, 6, &data))
        return refused(err, "the TD quote has no quoting enclave's report");
    ret_qe->report = take(&data, QE_REPORT_LEN);
    ret_qe->signature = take(&data, 64);
    const uint8_t *size = take(&data, 2);
    ret_qe->auth_len = size ? (size_t)(size[0] | size[1] << 8) : 0;
    ret_qe->auth = size ? take(&data, ret_qe->auth_len) : NULL;
    if (!ret_qe->auth || !take_typed(&data, 5, &chain))
        return refused(err, "the TD quote has no quoting enclave's report");
    ret_qe->pem = (struct skrfs_bytes){chain.data, chain.left};
    return 0;
}

static int check_enclave(const struct quoting_enclave *qe, struct skrfs_bytes key,
        const struct skrfs_chain *root, struct skrfs_error *err) {
    skrfs_autochain *chain = NULL;
    skrfs_autopkey *pck = NULL;
    skrfs_autobuf bound = SKRFS_BUF((size_t)128 * 1024);
    uint8_t digest[32];
    if (skrfs_chain_from_pem((const char *)qe->pem.data, qe->pem.len, &chain, err) < 0 ||
            skrfs_chain_verify_links(chain, err) < 0)
        return refuse_as(err, "the TD quote's certificates");
    if (!skrfs_lab_root_is(chain, root, SKRFS_LAB_INTEL))
        return refused(err, "the TD quote's certificates do not end in the processor maker's root");
    if (skrfs_chain_leaf_key(chain, &pck, err) < 0 ||
            skrfs_ecdsa_verify(pck, SKRFS_SHA256, (struct skrfs_bytes){qe->report, QE_REPORT_LEN},
                    (struct skrfs_bytes){qe->signature, 64}, err) < 0)
        return refuse_as(err, "the quoting enclave's report is not signed by this platform");
    if (skrfs_buf_append(&bound, key.data, key.len, err) < 0 ||
            skrfs_buf_append(&bound, qe->auth, qe->auth_len, err) < 0 ||
            skrfs_hash(SKRFS_SHA256, bound.data, bound.len, digest, err) < 0)
        return -1;
    if (!skrfs_equal(digest, qe->report + 320, sizeof(digest)))
        return refused(err, "the TD quote's attestation key is not the quoting enclave's");
    return 0;
}

static int check_td_signature(const struct skrfs_buf *quote, const struct skrfs_td_quote *parsed,
        struct skrfs_error *err) {
    struct skrfs_public public = {.type = SKRFS_KEY_EC, .curve = SKRFS_P256, .xy_len = 32};
    skrfs_autopkey *key = NULL;
    if (parsed->key.len != 64)
        return refused(err, "the TD quote's attestation key is not P-256");
    memcpy(public.x, parsed->key.data, 32);
    memcpy(public.y, parsed->key.data + 32, 32);
    if (skrfs_pkey_from_public(&public, &key, err) < 0 ||
            skrfs_ecdsa_verify(key, SKRFS_SHA256,
                    (struct skrfs_bytes){quote->data, parsed->signed_len}, parsed->signature,
                    err) < 0)
        return refuse_as(err, "the TD quote is not signed by its attestation key");
    return 0;
}

int skrfs_lab_tdx_check(const struct skrfs_lab_guest *guest, const struct skrfs_chain *root,
        struct skrfs_error *err) {
    struct skrfs_td_quote quote;
    struct quoting_enclave qe;
    if (skrfs_td_quote_parse(skrfs_buf_bytes(&guest->report), &quote, err) < 0)
        return refuse_as(err, "the TD quote");
    if (quote.version != 4)
        return refused(err, "the TD quote is not of version 4");
    if (read_enclave(&guest->report, &quote, &qe, err) < 0 ||
            check_enclave(&qe, quote.key, root, err) < 0 ||
            check_td_signature(&guest->report, &quote, err) < 0)
        return -1;
    if (quote.attributes & 1)
        return refused(err, "the trust domain allows debugging");
    return check_binding(&guest->claims, quote.report_data, err);
}
