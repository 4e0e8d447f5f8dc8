/* Microsoft Azure Attestation: POST /attest/..., one for each kind of evidence. */
#include "internal.h"

#include <string.h>

/* Which version of the interface is spoken. AzureGuest: that of Microsoft's guest attestation
 * library. SevSnpVm: that of requests from confidential containers that were seen to be accepted.
 * SgxEnclave: the same, the first whose specification has the nonce. TdxVm: the first stable
 * specification that has it at all; that the service takes it was not seen. */
#define AZURE_GUEST_API_VERSION "2020-10-01"
#define SNP_API_VERSION "2022-08-01"
#define TDX_API_VERSION "2025-06-01"
#define SGX_API_VERSION "2022-08-01"

static const struct call {
    const char *name, *api_version;
} calls[] = {
        [SKRFS_EVIDENCE_CVM] = {"AzureGuest", AZURE_GUEST_API_VERSION},
        [SKRFS_EVIDENCE_SNP] = {"SevSnpVm", SNP_API_VERSION},
        [SKRFS_EVIDENCE_TDX] = {"TdxVm", TDX_API_VERSION},
        [SKRFS_EVIDENCE_SGX] = {"SgxEnclave", SGX_API_VERSION},
};

static int send_request(struct skrfs_cloud *cloud, const struct call *call, struct skrfs_bytes body,
        uint64_t deadline_ns, struct skrfs_http_answer *ret_answer, struct skrfs_error *err) {
    const struct skrfs_http_retry retry = skrfs_retry(RETRY_SERVICE);
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    if (skrfs_buf_printf(&url, err, "%s/attest/%s?api-version=%s", cloud->attestation, call->name,
                call->api_version) < 0)
        return -1;
    const struct skrfs_http_request request = {
            .method = "POST",
            .url = skrfs_buf_text(&url),
            .headers = {"Content-Type: application/json", "Accept: application/json"},
            .body = body,
            .answer_max = MAA_ANSWER_MAX,
            .deadline_ns = deadline_ns,
    };
    return skrfs_http_send(cloud->http, &request, &retry, ret_answer, err);
}

static int ask(struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        struct skrfs_bytes body, uint64_t deadline_ns, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) {
    enum skrfs_evidence_kind kind = evidence->kind;
    skrfs_autoanswer answer = {0};
    if (send_request(cloud, &calls[kind], body, deadline_ns, &answer, err) < 0)
        return skrfs_wrap(err, "the attestation service");
    if (answer.status != 200)
        return skrfs_maa_refused(cloud, evidence, &answer, err);
    struct skrfs_bytes text = skrfs_buf_bytes(&answer.body);
    int result = kind == SKRFS_EVIDENCE_CVM ? skrfs_maa_answer(text, ret_sealed, err)
                                            : skrfs_maa_clear_answer(text, ret_sealed, err);
    return result < 0 ? skrfs_wrap(err, "the attestation service's token") : 0;
}

/* What stands behind the host's report: the chip's certificates or the TD quote. */
static int guest_body(struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *body,
        struct skrfs_error *err) {
    struct skrfs_hcl hcl;
    skrfs_autobuf proof = SKRFS_BUF(PROOF_MAX);
    if (skrfs_hcl_parse(skrfs_buf_bytes(&evidence->hcl_report), &hcl, err) < 0)
        return -1;
    int result =
            hcl.kind == SKRFS_HCL_SNP
                    ? skrfs_certs_chain(cloud, hcl.hardware, NULL, deadline_ns, trace, &proof, err)
                    : skrfs_tdquote_get(cloud, hcl.hardware, deadline_ns, trace, &proof, err);
    if (result < 0)
        return -1;
    return skrfs_maa_request(evidence, skrfs_buf_bytes(&proof), &cloud->os, body, err);
}

static int hardware_body(struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *body,
        struct skrfs_error *err) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    if (evidence->kind == SKRFS_EVIDENCE_SNP &&
            skrfs_certs_chain(cloud, skrfs_buf_bytes(&evidence->report), evidence, deadline_ns,
                    trace, &pem, err) < 0)
        return -1;
    return skrfs_maa_hardware_request(evidence, skrfs_buf_bytes(&pem), body, err);
}

int skrfs_cloud_attest(struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) {
    skrfs_autobuf body = SKRFS_BUF(MAA_REQUEST_MAX);
    if (!cloud->attestation)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "no attestation service is set ([attestation] url =)");
    if (evidence->kind < SKRFS_EVIDENCE_CVM || evidence->kind > SKRFS_EVIDENCE_SGX)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "evidence of unknown kind %d", (int)evidence->kind);
    int result = evidence->kind == SKRFS_EVIDENCE_CVM
                         ? guest_body(cloud, evidence, deadline_ns, trace, &body, err)
                         : hardware_body(cloud, evidence, deadline_ns, trace, &body, err);
    if (result < 0)
        return -1;
    size_t step = skrfs_trace_begin(trace, "ask the attestation service");
    if (ask(cloud, evidence, skrfs_buf_bytes(&body), deadline_ns, ret_sealed, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "%s took %zu octets of evidence%s", cloud->attestation, body.len,
            skrfs_maa_lacks(evidence));
    return 0;
}
