/* Does the endorsement key's certificate (AMD 57230, VCEK and VLEK certificates) speak of this
 * report's chip and firmware? */
#include "bytes.h"

#include <skrfs/evidence/snp.h>

#define OID_PRODUCT "1.3.6.1.4.1.3704.1.2"
#define OID_BOOTLOADER "1.3.6.1.4.1.3704.1.3.1"
#define OID_TEE "1.3.6.1.4.1.3704.1.3.2"
#define OID_SNP "1.3.6.1.4.1.3704.1.3.3"
#define OID_MICROCODE "1.3.6.1.4.1.3704.1.3.8"
#define OID_FMC "1.3.6.1.4.1.3704.1.3.9"
#define OID_CHIP_ID "1.3.6.1.4.1.3704.1.4"

enum { DER_OCTET_STRING = 0x04, DER_IA5_STRING = 0x16, TURIN_CHIP_ID_LEN = 8 };

static int check_level(const struct skrfs_chain *chain, const char *oid, const char *part,
        uint8_t wanted, struct skrfs_error *err) {
    uint64_t value = 0;
    if (skrfs_chain_leaf_integer(chain, oid, &value, err) < 0)
        return skrfs_wrap(err, "the SNP certificate's %s version", part);
    if (value != wanted)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the SNP certificate is for %s version %llu, the report says %u: fetch the "
                "certificate again",
                part, (unsigned long long)value, wanted);
    return 0;
}

/* The key is derived from the REPORTED version; the current one is often newer on Azure. */
static int check_tcb(
        const struct skrfs_snp *snp, const struct skrfs_chain *chain, struct skrfs_error *err) {
    struct skrfs_snp_tcb tcb;
    skrfs_snp_tcb_split(snp->product, snp->reported_tcb, &tcb);
    if (check_level(chain, OID_BOOTLOADER, "bootloader", tcb.bootloader, err) < 0 ||
            check_level(chain, OID_TEE, "TEE", tcb.tee, err) < 0 ||
            check_level(chain, OID_SNP, "SNP firmware", tcb.snp, err) < 0 ||
            check_level(chain, OID_MICROCODE, "microcode", tcb.microcode, err) < 0)
        return -1;
    if (snp->product == SKRFS_SNP_TURIN)
        return check_level(chain, OID_FMC, "FMC", tcb.fmc, err);
    return 0;
}

/* "Milan-B0" and the like, a short IA5String. Reports that name no processor may also be Genoa's,
 * whose TCB has the same layout. */
static bool is_product(const struct skrfs_snp *snp, const struct skrfs_buf *der) {
    static const char *const names[] = {"Milan", "Genoa", "Turin"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        bool allowed = snp->version >= 3 ? i == snp->product : i <= SKRFS_SNP_GENOA;
        if (allowed && der->len >= 2 + strlen(names[i]) && der->data[0] == DER_IA5_STRING &&
                memcmp(der->data + 2, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

static int check_product(
        const struct skrfs_snp *snp, const struct skrfs_chain *chain, struct skrfs_error *err) {
    skrfs_autobuf der = SKRFS_BUF(256);
    bool found = false;
    if (skrfs_chain_leaf_extension(chain, OID_PRODUCT, &der, &found, err) < 0)
        return -1;
    if (found && !is_product(snp, &der))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the SNP certificate is for another processor than the report's");
    return 0;
}

/* The extension holds the bare id; some certificates wrap it in a second OCTET STRING. */
static bool is_chip(const struct skrfs_snp *snp, const struct skrfs_buf *der) {
    size_t len = snp->product == SKRFS_SNP_TURIN ? TURIN_CHIP_ID_LEN : sizeof(snp->chip_id);
    const uint8_t *id = der->data;
    if (der->len == len + 2 && id[0] == DER_OCTET_STRING && id[1] == len)
        id += 2;
    else if (der->len != len)
        return false;
    return !all_zero(id, len) && memcmp(id, snp->chip_id, len) == 0 &&
           all_zero(snp->chip_id + len, sizeof(snp->chip_id) - len);
}

static int check_chip(
        const struct skrfs_snp *snp, const struct skrfs_chain *chain, struct skrfs_error *err) {
    skrfs_autobuf der = SKRFS_BUF(256);
    bool found = false;
    if (skrfs_chain_leaf_extension(chain, OID_CHIP_ID, &der, &found, err) < 0)
        return -1;
    if (snp->signer == SKRFS_SNP_VLEK) {
        if (found)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                    "the SNP certificate names a chip, but the report is signed by a VLEK");
        return 0;
    }
    if (!found || !is_chip(snp, &der))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the SNP certificate is for another chip than the report's");
    return 0;
}

int skrfs_snp_check_certificate(
        const struct skrfs_snp *snp, const struct skrfs_chain *chain, struct skrfs_error *err) {
    if (snp->signer != SKRFS_SNP_VCEK && snp->signer != SKRFS_SNP_VLEK)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the SNP report is not signed");
    if (check_product(snp, chain, err) < 0 || check_chip(snp, chain, err) < 0)
        return -1;
    return check_tcb(snp, chain, err);
}
