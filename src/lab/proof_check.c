#include "proof.h"
#include "refuse.h"
#include "verify.h"

#include <string.h>

/* SHA-256 of the data is the first half of `field`; nothing sent is nothing to compare. */
static int check_digest(const struct skrfs_lab_data *data, const uint8_t field[32], const char *why,
        struct skrfs_error *err) {
    uint8_t digest[32];
    if (data->type == SKRFS_LAB_NO_DATA)
        return 0;
    if (skrfs_hash(SKRFS_SHA256, data->octets.data, data->octets.len, digest, err) < 0)
        return -1;
    return skrfs_equal(digest, field, sizeof(digest)) ? 0 : skrfs_lab_rejected(err, "%s", why);
}

static const char not_runtime[] = "runtimeData is not what the report was made over";
static const char not_init[] = "initTimeData is not what the report names";

/* Each endorsement must hold; the one that names this report's measurement makes the utility VM a
 * known one. The lab's own word counts for the lab's own processors alone. */
static int check_endorsements(struct skrfs_lab_proof *proof, const struct skrfs_snp *snp,
        const struct skrfs_chain *own, struct skrfs_error *err) {
    proof->uvm_svn = -1;
    for (size_t i = 0; i < proof->uvm_count; i++) {
        struct skrfs_lab_endorsement endorsement;
        if (skrfs_lab_endorsement_read(skrfs_buf_bytes(&proof->uvm[i]), own, &endorsement, err) < 0)
            return skrfs_lab_refuse_as(err, "Endorsements");
        if (endorsement.is_uvm && endorsement.real == proof->real &&
                memcmp(endorsement.measurement, snp->measurement, sizeof(snp->measurement)) == 0)
            proof->uvm_svn = endorsement.svn;
    }
    if (proof->uvm_count > 0 && proof->uvm_svn < 0)
        return skrfs_lab_rejected(err, "Endorsements: none is of the report's launch measurement");
    return 0;
}

static int check_snp(struct skrfs_lab_proof *proof, const struct skrfs_lab_anchors *anchors,
        struct skrfs_error *err) {
    struct skrfs_snp snp;
    if (skrfs_lab_snp_verify(skrfs_buf_bytes(&proof->report), skrfs_buf_bytes(&proof->chain),
                anchors->ark, &snp, &proof->real, err) < 0 ||
            check_digest(&proof->runtime, snp.report_data, not_runtime, err) < 0)
        return -1;
    /* The policy of a confidential container, whose digest host data is, is no JSON: it cannot be
     * sent here. */
    if (proof->init.type == SKRFS_LAB_BINARY)
        return skrfs_lab_rejected(err, "initTimeData must be JSON for an SNP guest");
    if (check_digest(&proof->init, snp.host_data, not_init, err) < 0)
        return -1;
    return check_endorsements(proof, &snp, anchors->uvm, err);
}

static int check_tdx(struct skrfs_lab_proof *proof, const struct skrfs_lab_anchors *anchors,
        struct skrfs_error *err) {
    struct skrfs_td_quote quote;
    if (skrfs_lab_td_verify(
                skrfs_buf_bytes(&proof->report), anchors->tdx, &quote, &proof->real, err) < 0 ||
            check_digest(&proof->runtime, quote.report_data, not_runtime, err) < 0)
        return -1;
    return check_digest(&proof->init, quote.mrconfigid, not_init, err);
}

static int check_sgx(struct skrfs_lab_proof *proof, const struct skrfs_lab_anchors *anchors,
        struct skrfs_error *err) {
    struct skrfs_sgx_quote quote;
    if (skrfs_lab_sgx_verify(
                skrfs_buf_bytes(&proof->report), anchors->tdx, &quote, &proof->real, err) < 0 ||
            check_digest(&proof->runtime, quote.report_data, not_runtime, err) < 0)
        return -1;
    return check_digest(&proof->init, quote.config_id, not_init, err);
}

int skrfs_lab_proof_check(struct skrfs_lab_proof *proof, const struct skrfs_lab_anchors *anchors,
        struct skrfs_error *err) {
    switch (proof->kind) {
    case SKRFS_LAB_SEVSNPVM:
        return check_snp(proof, anchors, err);
    case SKRFS_LAB_TDXVM:
        return check_tdx(proof, anchors, err);
    case SKRFS_LAB_SGXENCLAVE:
    case SKRFS_LAB_OPENENCLAVE:
    case SKRFS_LAB_PROOF_KINDS:
    default:
        return check_sgx(proof, anchors, err);
    }
}
