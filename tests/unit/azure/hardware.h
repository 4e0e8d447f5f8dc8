/* Evidence made of captured requests, reports and quotes. */
#ifndef SKRFS_TESTS_AZURE_HARDWARE_H
#define SKRFS_TESTS_AZURE_HARDWARE_H

#include "snp.h"

#include <skrfs/evidence/sgx.h>

/* Evidence made of the parts of a request that the service took. */
static inline struct skrfs_json *take_request_apart(
        struct skrfs_evidence *evidence, struct skrfs_buf *pem, struct skrfs_json **ret_request) {
    struct skrfs_json *report = snp_request_report(ret_request);
    skrfs_autobuf endorsements = SKRFS_BUF(SAMPLE_MAX);
    struct skrfs_error err = {0};
    skrfs_evidence_init(evidence);
    evidence->kind = SKRFS_EVIDENCE_SNP;
    snprintf(evidence->nonce, sizeof(evidence->nonce), "13202930541250959283");
    snp_base64(report, "SnpReport", &evidence->report);
    snp_base64(report, "VcekCertChain", pem);
    snp_base64(report, "Endorsements", &endorsements);
    skrfs_autojson *list = snp_json(&endorsements);
    const char *cose = skrfs_json_string(skrfs_json_at(skrfs_json_get(list, "Uvm"), 0));
    assert_ok(skrfs_base64_decode(
                      SKRFS_BASE64_ANY, cose, strlen(cose), &evidence->endorsements[0], &err),
            err);
    snp_base64(skrfs_json_get(*ret_request, "runtimeData"), "data", &evidence->runtime_data);
    return report;
}

static inline void td_evidence(struct skrfs_evidence *evidence) {
    struct skrfs_error err = {0};
    struct skrfs_td_quote quote;
    skrfs_evidence_init(evidence);
    evidence->kind = SKRFS_EVIDENCE_TDX;
    snprintf(evidence->nonce, sizeof(evidence->nonce), "ab12");
    snp_add(SAMPLES "tdx/tdx_prod_quote_SPR_E4.dat", &evidence->report);
    assert_ok(skrfs_td_quote_parse(skrfs_buf_bytes(&evidence->report), &quote, &err), err);
    skrfs_buf_truncate(&evidence->report, quote.total_len);
    snp_put(&evidence->runtime_data, "{\"keys\":[]}");
}

static inline void sgx_evidence(struct skrfs_evidence *evidence, const char *vector) {
    struct skrfs_error err = {0};
    uint8_t *space = NULL;
    skrfs_autobuf text = SKRFS_BUF(SAMPLE_MAX);
    snp_add(vector, &text);
    skrfs_autojson *json = snp_json(&text);
    const char *hex = skrfs_json_string(skrfs_json_get(json, "QuoteHex"));
    size_t len = strlen(hex) / 2;
    skrfs_evidence_init(evidence);
    evidence->kind = SKRFS_EVIDENCE_SGX;
    snprintf(evidence->nonce, sizeof(evidence->nonce), "ab12");
    assert_ok(skrfs_buf_extend(&evidence->report, len, &space, &err), err);
    assert_ok(skrfs_hex_decode(hex, space, len, &err), err);
    snp_put(&evidence->runtime_data, "{\"keys\":[]}");
}

#define INTEL_SGX SAMPLES "sgx/intel-sdk.enclave.info.release.json"
#define OPEN_ENCLAVE SAMPLES "sgx/oe-sdk.enclave.info.release.json"

#endif
