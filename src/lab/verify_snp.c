#include "refuse.h"
#include "verify.h"

#include <string.h>

#define OID_TCB "1.3.6.1.4.1.3704.1.3."
#define OID_CHIP "1.3.6.1.4.1.3704.1.4"
#define SIGNED_LEN 0x2A0
#define TURIN_CHIP_LEN ((size_t)8)

static const char *signer_name(const struct skrfs_snp *snp) {
    return snp->signer == SKRFS_SNP_VLEK ? "VLEK" : "VCEK";
}

/* The report says by which of its two kinds of keys it is signed. */
static int check_signer(
        const struct skrfs_snp *snp, const struct skrfs_chain *chain, struct skrfs_error *err) {
    char name[64];
    if (snp->signer != SKRFS_SNP_VCEK && snp->signer != SKRFS_SNP_VLEK)
        return skrfs_lab_rejected(err, "the SNP report is not signed");
    if (skrfs_chain_leaf_name(chain, name, sizeof(name), err) < 0)
        return skrfs_lab_refuse_as(err, "VcekCertChain");
    if (strncmp(name, "SEV-", 4) != 0 || strcmp(name + 4, signer_name(snp)) != 0)
        return skrfs_lab_rejected(
                err, "VcekCertChain does not begin with the report's %s", signer_name(snp));
    return 0;
}

static int read_chain(struct skrfs_bytes pem, const struct skrfs_chain *ark,
        struct skrfs_chain **ret_chain, bool *ret_real, struct skrfs_error *err) {
    skrfs_autochain *chain = NULL;
    if (skrfs_chain_from_pem((const char *)pem.data, pem.len, &chain, err) < 0)
        return skrfs_lab_refuse_as(err, "VcekCertChain");
    if (skrfs_chain_len(chain) != 3)
        return skrfs_lab_rejected(err, "VcekCertChain is not VCEK, ASK and ARK");
    if (skrfs_lab_chain_check(chain, ark, SKRFS_LAB_AMD, "VcekCertChain", ret_real, err) < 0)
        return -1;
    *ret_chain = skrfs_take(chain);
    return 0;
}

/* r and s are 72-octet little-endian numbers, of which P-384 needs 48. */
static int check_signature(struct skrfs_bytes report, const char *signer,
        const struct skrfs_chain *chain, struct skrfs_error *err) {
    const uint8_t *given = report.data + SIGNED_LEN;
    uint8_t signature[96];
    static const uint8_t zeros[24];
    if (memcmp(given + 48, zeros, 24) != 0 || memcmp(given + 72 + 48, zeros, 24) != 0)
        return skrfs_lab_rejected(err, "the SNP report's signature is out of range");
    for (size_t i = 0; i < 48; i++) {
        signature[i] = given[47 - i];
        signature[48 + i] = given[72 + 47 - i];
    }
    skrfs_autopkey *key = NULL;
    if (skrfs_chain_leaf_key(chain, &key, err) < 0 ||
            skrfs_ecdsa_verify(key, SKRFS_SHA384, (struct skrfs_bytes){report.data, SIGNED_LEN},
                    (struct skrfs_bytes){signature, sizeof(signature)}, err) < 0) {
        (void)skrfs_lab_refuse_as(err, signer);
        return skrfs_wrap(err, "the SNP report is not signed by this %s", signer);
    }
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
            {OID_TCB "8", tcb.microcode}, {OID_TCB "9", tcb.fmc}};
    size_t count = SKRFS_ARRAY_LEN(parts) - (snp->product == SKRFS_SNP_TURIN ? 0 : 1);
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        if (skrfs_chain_leaf_integer(chain, parts[i].oid, &value, err) < 0)
            return skrfs_lab_refuse_as(err, "the VCEK certificate");
        if (value != parts[i].value)
            return skrfs_lab_rejected(
                    err, "the %s is not for the report's reported TCB", signer_name(snp));
    }
    return 0;
}

/* A VCEK's certificate names its chip; Turin's have eight octets of id. A VLEK's names none. */
static int check_chip(
        const struct skrfs_snp *snp, const struct skrfs_chain *chain, struct skrfs_error *err) {
    skrfs_autobuf chip = SKRFS_BUF(256);
    bool found = false;
    size_t len = snp->product == SKRFS_SNP_TURIN ? TURIN_CHIP_LEN : sizeof(snp->chip_id);
    if (skrfs_chain_leaf_extension(chain, OID_CHIP, &chip, &found, err) < 0)
        return skrfs_lab_refuse_as(err, "the VCEK certificate");
    bool right = snp->signer == SKRFS_SNP_VLEK
                         ? !found
                         : found && chip.len == len && memcmp(chip.data, snp->chip_id, len) == 0;
    if (!right)
        return skrfs_lab_rejected(err, "the %s is not for the report's chip", signer_name(snp));
    return 0;
}

int skrfs_lab_snp_verify(struct skrfs_bytes report, struct skrfs_bytes chain_pem,
        const struct skrfs_chain *ark, struct skrfs_snp *ret_snp, bool *ret_real,
        struct skrfs_error *err) {
    struct skrfs_snp snp;
    skrfs_autochain *chain = NULL;
    bool real = false;
    if (skrfs_snp_parse(report, &snp, err) < 0)
        return skrfs_lab_refuse_as(err, "SnpReport");
    if (read_chain(chain_pem, ark, &chain, &real, err) < 0 || check_signer(&snp, chain, err) < 0 ||
            check_tcb(&snp, chain, err) < 0 || check_chip(&snp, chain, err) < 0 ||
            check_signature(report, signer_name(&snp), chain, err) < 0)
        return -1;
    *ret_snp = snp;
    *ret_real = real;
    return 0;
}
