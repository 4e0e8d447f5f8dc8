#include "bytes.h"

#include <skrfs/evidence/snp.h>

/* AMD 56860, table 23. */
enum {
    AT_VERSION = 0x00,
    AT_GUEST_SVN = 0x04,
    AT_POLICY = 0x08,
    AT_VMPL = 0x30,
    AT_ALGORITHM = 0x34,
    AT_CURRENT_TCB = 0x38,
    AT_PLATFORM_INFO = 0x40,
    AT_FLAGS = 0x48,
    AT_REPORT_DATA = 0x50,
    AT_MEASUREMENT = 0x90,
    AT_HOST_DATA = 0xC0,
    AT_ID_KEY = 0xE0,
    AT_AUTHOR_KEY = 0x110,
    AT_REPORT_ID = 0x140,
    AT_REPORTED_TCB = 0x180,
    AT_FAMILY = 0x188,
    AT_MODEL = 0x189,
    AT_CHIP_ID = 0x1A0,
    AT_COMMITTED_TCB = 0x1E0,
    AT_LAUNCH_TCB = 0x1F0,
    AT_SIGNATURE = 0x2A0, /* also how much is signed */
    SIGNATURE_PART = 72,
    P384_LEN = 48,
    ALGORITHM_ECDSA_P384 = 1,
};

#define POLICY_DEBUG ((uint64_t)1 << 19)

/* Reports before version 3 do not name the processor. All that were made on Azure then were Milan.
 */
static int find_product(
        const uint8_t *report, enum skrfs_snp_product *ret_product, struct skrfs_error *err) {
    enum skrfs_snp_product product = SKRFS_SNP_MILAN;
    if (get32(report + AT_VERSION) >= 3) {
        uint8_t family = report[AT_FAMILY], model = report[AT_MODEL];
        if (family == 0x1A)
            product = SKRFS_SNP_TURIN;
        else if (family == 0x19)
            product = model < 0x10 ? SKRFS_SNP_MILAN : SKRFS_SNP_GENOA;
        else
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                    "the SNP report is of unknown processor family 0x%02x", family);
    }
    *ret_product = product;
    return 0;
}

static int check_form(struct skrfs_bytes report, struct skrfs_error *err) {
    if (report.len != SKRFS_SNP_REPORT_LEN)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the SNP report has %zu octets, not %d",
                report.len, SKRFS_SNP_REPORT_LEN);
    if (get32(report.data + AT_VERSION) == 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the SNP report has version 0");
    uint32_t algorithm = get32(report.data + AT_ALGORITHM);
    if (algorithm != ALGORITHM_ECDSA_P384)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the SNP report has signature algorithm %u, not ECDSA P-384", algorithm);
    return 0;
}

static void read_digests(const uint8_t *report, struct skrfs_snp *snp) {
    memcpy(snp->report_data, report + AT_REPORT_DATA, sizeof(snp->report_data));
    memcpy(snp->measurement, report + AT_MEASUREMENT, sizeof(snp->measurement));
    memcpy(snp->host_data, report + AT_HOST_DATA, sizeof(snp->host_data));
    memcpy(snp->chip_id, report + AT_CHIP_ID, sizeof(snp->chip_id));
    memcpy(snp->id_key_digest, report + AT_ID_KEY, sizeof(snp->id_key_digest));
    memcpy(snp->author_key_digest, report + AT_AUTHOR_KEY, sizeof(snp->author_key_digest));
    memcpy(snp->report_id, report + AT_REPORT_ID, sizeof(snp->report_id));
}

int skrfs_snp_parse(struct skrfs_bytes report, struct skrfs_snp *ret_snp, struct skrfs_error *err) {
    enum skrfs_snp_product product = SKRFS_SNP_MILAN;
    if (check_form(report, err) < 0 || find_product(report.data, &product, err) < 0)
        return -1;
    const uint8_t *at = report.data;
    struct skrfs_snp snp = {
            .version = get32(at + AT_VERSION),
            .guest_svn = get32(at + AT_GUEST_SVN),
            .vmpl = get32(at + AT_VMPL),
            .signature_algo = get32(at + AT_ALGORITHM),
            .policy = get64(at + AT_POLICY),
            .platform_info = get64(at + AT_PLATFORM_INFO),
            .debug = get64(at + AT_POLICY) & POLICY_DEBUG,
            .signer = get32(at + AT_FLAGS) >> 2 & 7,
            .product = product,
            .reported_tcb = get64(at + AT_REPORTED_TCB),
            .current_tcb = get64(at + AT_CURRENT_TCB),
            .committed_tcb = get64(at + AT_COMMITTED_TCB),
            .launch_tcb = get64(at + AT_LAUNCH_TCB),
    };
    read_digests(at, &snp);
    *ret_snp = snp;
    return 0;
}

static uint8_t octet(uint64_t tcb, unsigned index) {
    return (uint8_t)(tcb >> 8 * index);
}

void skrfs_snp_tcb_split(
        enum skrfs_snp_product product, uint64_t tcb, struct skrfs_snp_tcb *ret_tcb) {
    if (product == SKRFS_SNP_TURIN) {
        *ret_tcb = (struct skrfs_snp_tcb){.fmc = octet(tcb, 0),
                .bootloader = octet(tcb, 1),
                .tee = octet(tcb, 2),
                .snp = octet(tcb, 3),
                .microcode = octet(tcb, 7)};
        return;
    }
    *ret_tcb = (struct skrfs_snp_tcb){.bootloader = octet(tcb, 0),
            .tee = octet(tcb, 1),
            .snp = octet(tcb, 6),
            .microcode = octet(tcb, 7)};
}

/* One number of the signature: 72 octets little endian in the report, 48 big endian for the
 * verifier. */
static int turn_number(const uint8_t *from, uint8_t *to, struct skrfs_error *err) {
    if (!all_zero(from + P384_LEN, SIGNATURE_PART - P384_LEN))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the SNP report's signature is not one of P-384");
    for (size_t i = 0; i < P384_LEN; i++)
        to[i] = from[P384_LEN - 1 - i];
    return 0;
}

int skrfs_snp_verify(
        struct skrfs_bytes report, const struct skrfs_chain *chain, struct skrfs_error *err) {
    uint8_t signature[2 * P384_LEN];
    skrfs_autopkey *key = NULL;
    if (check_form(report, err) < 0)
        return -1;
    const uint8_t *numbers = report.data + AT_SIGNATURE;
    if (turn_number(numbers, signature, err) < 0 ||
            turn_number(numbers + SIGNATURE_PART, signature + P384_LEN, err) < 0)
        return -1;
    struct skrfs_public public = {0};
    if (skrfs_chain_leaf_key(chain, &key, err) < 0 || skrfs_pkey_public(key, &public, err) < 0)
        return skrfs_wrap(err, "the SNP report's certificate");
    if (public.type != SKRFS_KEY_EC || public.curve != SKRFS_P384)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the SNP report's certificate is not of an ECDSA P-384 key");
    struct skrfs_bytes data = {report.data, AT_SIGNATURE};
    struct skrfs_bytes raw = {signature, sizeof(signature)};
    if (skrfs_ecdsa_verify(key, SKRFS_SHA384, data, raw, err) < 0)
        return skrfs_wrap(err, "the SNP report");
    return 0;
}
