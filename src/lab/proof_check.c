#include "proof.h"
#include "roots.h"

#include <skrfs/evidence/sgx.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>
#include <string.h>

static int refused(struct skrfs_error *err, const char *why) {
    return skrfs_fail(err, SKRFS_CLASS_REJECTED, "%s", why);
}

/* A failure of a parser or a signature is a refusal here. */
static int refuse_as(struct skrfs_error *err, const char *what) {
    if (err->kind != SKRFS_CLASS_NO_MEMORY)
        err->kind = SKRFS_CLASS_REJECTED;
    return skrfs_wrap(err, "%s", what);
}

/* SHA-256 of the data is the first half of `field`; nothing sent is nothing to compare. */
static int check_digest(const struct skrfs_lab_data *data, const uint8_t field[32], const char *why,
        struct skrfs_error *err) {
    uint8_t digest[32];
    if (data->type == SKRFS_LAB_NO_DATA)
        return 0;
    if (skrfs_hash(SKRFS_SHA256, data->octets.data, data->octets.len, digest, err) < 0)
        return -1;
    return skrfs_equal(digest, field, sizeof(digest)) ? 0 : refused(err, why);
}

static const char not_runtime[] = "runtimeData is not what the report was made over";
static const char not_init[] = "initTimeData is not what the report names";

static int snp_chain(const struct skrfs_lab_proof *proof, const struct skrfs_chain *own,
        struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    skrfs_autochain *chain = NULL;
    if (skrfs_chain_from_pem(skrfs_buf_text(&proof->chain), proof->chain.len, &chain, err) < 0 ||
            skrfs_chain_verify_links(chain, err) < 0)
        return refuse_as(err, "VcekCertChain");
    if (skrfs_chain_len(chain) != 3)
        return refused(err, "VcekCertChain is not VCEK or VLEK, ASK and ARK");
    if (!skrfs_lab_root_is(chain, own, SKRFS_LAB_AMD))
        return refused(err, "VcekCertChain does not end in the processor maker's root");
    *ret_chain = skrfs_take(chain);
    return 0;
}

/* Each endorsement must hold; the one that names this report's measurement makes the utility VM a
 * known one. */
static int check_endorsements(struct skrfs_lab_proof *proof, const struct skrfs_snp *snp,
        const struct skrfs_chain *own, struct skrfs_error *err) {
    for (size_t i = 0; i < proof->uvm_count; i++) {
        struct skrfs_lab_endorsement endorsement;
        if (skrfs_lab_endorsement_read(skrfs_buf_bytes(&proof->uvm[i]), own, &endorsement, err) < 0)
            return refuse_as(err, "Endorsements");
        if (memcmp(endorsement.measurement, snp->measurement, sizeof(snp->measurement)) == 0)
            proof->uvm_svn = endorsement.svn;
    }
    if (proof->uvm_count > 0 && proof->uvm_svn < 0)
        return refused(err, "Endorsements: none is of the report's launch measurement");
    return 0;
}

static int check_snp(struct skrfs_lab_proof *proof, const struct skrfs_lab_anchors *anchors,
        struct skrfs_error *err) {
    struct skrfs_bytes report = skrfs_buf_bytes(&proof->report);
    skrfs_autochain *chain = NULL;
    struct skrfs_snp snp;
    if (skrfs_snp_parse(report, &snp, err) < 0)
        return refuse_as(err, "SnpReport");
    if (snp_chain(proof, anchors->ark, &chain, err) < 0)
        return -1;
    if (skrfs_snp_check_certificate(&snp, chain, err) < 0 ||
            skrfs_snp_verify(report, chain, err) < 0)
        return refuse_as(err, "SnpReport");
    if (check_digest(&proof->runtime, snp.report_data, not_runtime, err) < 0 ||
            check_digest(&proof->init, snp.host_data, not_init, err) < 0)
        return -1;
    return check_endorsements(proof, &snp, anchors->uvm, err);
}

static int check_intel_root(const struct skrfs_chain *chain,
        const struct skrfs_lab_anchors *anchors, struct skrfs_error *err) {
    if (!skrfs_lab_root_is(chain, anchors->tdx, SKRFS_LAB_INTEL))
        return refused(err, "the quote's certificates do not end in the processor maker's root");
    return 0;
}

static int check_tdx(struct skrfs_lab_proof *proof, const struct skrfs_lab_anchors *anchors,
        struct skrfs_error *err) {
    struct skrfs_bytes bytes = skrfs_buf_bytes(&proof->report);
    skrfs_autochain *chain = NULL;
    struct skrfs_td_quote quote;
    if (skrfs_td_quote_parse(bytes, &quote, err) < 0 ||
            skrfs_td_quote_verify_chain(bytes, &quote, &chain, err) < 0)
        return refuse_as(err, "quote");
    if (check_intel_root(chain, anchors, err) < 0 ||
            check_digest(&proof->runtime, quote.report_data, not_runtime, err) < 0)
        return -1;
    return check_digest(&proof->init, quote.mrconfigid, not_init, err);
}

static int check_sgx(struct skrfs_lab_proof *proof, const struct skrfs_lab_anchors *anchors,
        struct skrfs_error *err) {
    struct skrfs_bytes bytes = skrfs_buf_bytes(&proof->report);
    skrfs_autochain *chain = NULL;
    struct skrfs_sgx_quote quote;
    if (skrfs_sgx_quote_parse(bytes, &quote, err) < 0 ||
            skrfs_sgx_quote_verify(bytes, &quote, &chain, err) < 0)
        return refuse_as(err, "quote");
    if (check_intel_root(chain, anchors, err) < 0 ||
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
