/* The SEV-SNP attestation report (AMD 56860, table 23) and its endorsement key's certificate (AMD
 * 57230). Pure, thread safe. */
#ifndef SKRFS_EVIDENCE_SNP_H
#define SKRFS_EVIDENCE_SNP_H

#include <skrfs/crypto/x509.h>
#include <skrfs/evidence/hcl.h>

enum skrfs_snp_product { SKRFS_SNP_MILAN, SKRFS_SNP_GENOA, SKRFS_SNP_TURIN };
enum skrfs_snp_signer { SKRFS_SNP_VCEK = 0, SKRFS_SNP_VLEK = 1, SKRFS_SNP_NO_SIGNER = 7 };

/* A TCB version taken apart by product (Turin's layout differs). */
struct skrfs_snp_tcb {
    uint8_t fmc; /* Turin only */
    uint8_t bootloader, tee, snp, microcode;
};

struct skrfs_snp {
    uint32_t version, guest_svn, vmpl, signature_algo;
    uint64_t policy, platform_info;
    bool debug; /* policy bit 19 */
    enum skrfs_snp_signer signer;
    enum skrfs_snp_product product; /* from CPUID fields; version 2 reports have none: Milan */
    uint8_t report_data[64], measurement[48], host_data[32], chip_id[64];
    uint8_t id_key_digest[48], author_key_digest[48], report_id[32];
    uint64_t reported_tcb, current_tcb, committed_tcb,
            launch_tcb; /* little-endian u64 as THIM's tcbm prints it */
};

/* Takes a report of exactly 1184 octets apart. Versions that are not known yet are taken as the
 * newest known one (the attestation service judges them); another size, version 0, another
 * signature algorithm than ECDSA P-384 or a processor family whose TCB layout is not known is
 * BAD_ANSWER. */
int skrfs_snp_parse(struct skrfs_bytes report, struct skrfs_snp *ret_snp,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The parts of a TCB version, by the product's layout. */
void skrfs_snp_tcb_split(
        enum skrfs_snp_product product, uint64_t tcb, struct skrfs_snp_tcb *ret_tcb);
/* ECDSA P-384 with SHA-384 over the first 0x2A0 octets, by the leaf of `chain`; BAD_ANSWER
 * otherwise. */
int skrfs_snp_verify(struct skrfs_bytes report, const struct skrfs_chain *chain,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The VCEK certificate's TCB extensions, product name (when it has one) and chip id are those of
 * the report (its REPORTED TCB); a VLEK names no chip. Not so, or a report that no key signed, is
 * BAD_ANSWER. */
int skrfs_snp_check_certificate(const struct skrfs_snp *snp, const struct skrfs_chain *chain,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The certificate table that the host gives with an extended report (GHCB standardization, "SNP
 * Extended Guest Request"; configfs-tsm's auxblob) as PEM, leaf first: appended to `ret_pem`,
 * nothing when the table is empty. The host is not believed: a table that does not fit its own
 * octets is BAD_ANSWER. GUIDs of either octet order are taken. */
int skrfs_snp_table_pem(struct skrfs_bytes table, struct skrfs_buf *ret_pem,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
