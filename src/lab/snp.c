/* SNP reports: AMD 56860, table 23. Little endian. */
#include "platform.h"

#include <string.h>

/* Milan's layout of a TCB version. */
static void put_tcb(uint8_t *place, const struct skrfs_lab_tcb *tcb, uint8_t newer) {
    memset(place, 0, 8);
    place[0] = tcb->bootloader;
    place[1] = tcb->tee;
    place[6] = tcb->snp;
    place[7] = (uint8_t)(tcb->microcode + newer);
}

static int fill(const struct skrfs_lab_pki *pki, const struct skrfs_lab_snp_wish *wish,
        uint8_t *report, struct skrfs_error *err) {
    skrfs_lab_put(report + 0x00, wish->names_processor ? 3 : 2, 4); /* version */
    skrfs_lab_put(report + 0x04, 4, 4);                             /* guest SVN */
    skrfs_lab_put(report + 0x08, wish->policy, 8);
    report[0x10] = 1; /* family */
    report[0x20] = 2; /* image */
    skrfs_lab_put(report + 0x30, wish->vmpl, 4);
    skrfs_lab_put(report + 0x34, 1, 4); /* ECDSA P-384 with SHA-384 */
    skrfs_lab_put(report + 0x40, 1, 8); /* platform: SMT */
    memcpy(report + 0x50, wish->report_data, 64);
    /* Azure's firmware is routinely newer than what the VCEK is made for. */
    put_tcb(report + 0x38, &pki->reported, 95);
    put_tcb(report + 0x180, &pki->reported, 0);
    put_tcb(report + 0x1E0, &pki->reported, 0);
    put_tcb(report + 0x1F0, &pki->reported, 0);
    memcpy(report + 0x1A0, pki->chip_id, 64);
    memcpy(report + 0xC0, wish->host_data, sizeof(wish->host_data));
    if (wish->names_processor) {
        report[0x188] = 0x19; /* family, model and stepping of Milan */
        report[0x189] = 0x01;
        report[0x18A] = 0x01;
    }
    memset(report + 0x160, 0xff, 32); /* no migration agent */
    if (skrfs_hash(SKRFS_SHA384, "skrfs lab paravisor", 19, report + 0x90, err) < 0 ||
            skrfs_hash(SKRFS_SHA384, "skrfs lab id key", 16, report + 0xE0, err) < 0)
        return -1;
    return skrfs_random(report + 0x140, 32, err);
}

/* r and s as 72-octet little-endian numbers. */
static int sign(const struct skrfs_lab_pki *pki, uint8_t *report, struct skrfs_error *err) {
    skrfs_autobuf signature = SKRFS_BUF(96);
    if (skrfs_ecdsa_sign(pki->vcek.key, SKRFS_SHA384, (struct skrfs_bytes){report, 0x2A0},
                &signature, err) < 0)
        return -1;
    if (signature.len != 96)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a P-384 signature has %zu octets", signature.len);
    for (size_t i = 0; i < 48; i++) {
        report[0x2A0 + i] = signature.data[47 - i];
        report[0x2A0 + 72 + i] = signature.data[95 - i];
    }
    return 0;
}

int skrfs_lab_make_snp_report(const struct skrfs_lab_pki *pki,
        const struct skrfs_lab_snp_wish *wish, uint8_t ret_report[SKRFS_LAB_SNP_REPORT_LEN],
        struct skrfs_error *err) {
    uint8_t report[SKRFS_LAB_SNP_REPORT_LEN] = {0};
    if (fill(pki, wish, report, err) < 0 || sign(pki, report, err) < 0)
        return skrfs_wrap(err, "make an SNP report");
    memcpy(ret_report, report, sizeof(report));
    return 0;
}
