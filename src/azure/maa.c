/* Microsoft Azure Attestation: POST /attest/AzureGuest and its sealed answer. */
#include "internal.h"

#include <string.h>

static int check_parameters(const struct skrfs_json *json, struct skrfs_error *err) {
    const struct skrfs_json *parameters = NULL;
    const char *cipher = NULL, *mode = NULL;
    if (skrfs_json_need_object(json, "EncryptionParams", &parameters, err) < 0 ||
            skrfs_json_need_string(parameters, "Cipher", &cipher, err) < 0 ||
            skrfs_json_need_string(parameters, "BlockMode", &mode, err) < 0)
        return -1;
    if (strcmp(cipher, "AES") != 0 || strcmp(mode, "ChainingModeGCM") != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "it is sealed with another cipher than AES-GCM");
    return 0;
}

static int read_sealed(
        const struct skrfs_json *json, struct skrfs_sealed_token *sealed, struct skrfs_error *err) {
    const int any = SKRFS_BASE64_ANY;
    if (check_parameters(json, err) < 0 ||
            skrfs_json_need_base64(json, "EncryptedInnerKey", any, &sealed->inner_key, err) < 0 ||
            skrfs_json_need_base64(
                    skrfs_json_get(json, "EncryptionParams"), "Iv", any, &sealed->iv, err) < 0 ||
            skrfs_json_need_base64(json, "AuthenticationData", any, &sealed->tag, err) < 0 ||
            skrfs_json_need_base64(json, "Jwt", any, &sealed->cipher, err) < 0)
        return -1;
    if (sealed->inner_key.len != 256 || sealed->iv.len != 12 || sealed->tag.len != 16 ||
            sealed->cipher.len == 0)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "a part of the sealed token has a wrong length");
    return 0;
}

int skrfs_maa_answer(
        struct skrfs_bytes body, struct skrfs_sealed_token *ret_sealed, struct skrfs_error *err) {
    skrfs_autojson *outer = NULL, *inner = NULL;
    skrfs_autobuf text = SKRFS_BUF(MAA_ANSWER_MAX);
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    if (skrfs_json_parse((const char *)body.data, body.len, MAA_ANSWER_MAX, &outer, err) < 0 ||
            skrfs_json_need_base64(outer, "token", SKRFS_BASE64_ANY, &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, MAA_ANSWER_MAX, &inner, err) < 0 ||
            read_sealed(inner, &sealed, err) < 0)
        return -1;
    skrfs_buf_move(&ret_sealed->inner_key, &sealed.inner_key);
    skrfs_buf_move(&ret_sealed->iv, &sealed.iv);
    skrfs_buf_move(&ret_sealed->tag, &sealed.tag);
    skrfs_buf_move(&ret_sealed->cipher, &sealed.cipher);
    return 0;
}

/* What stands behind the report: the chip's certificates or the TD quote. */
static int get_proof(struct skrfs_cloud *cloud, const struct skrfs_hcl *hcl, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *proof, struct skrfs_error *err) {
    if (hcl->kind == SKRFS_HCL_SNP)
        return skrfs_thim_chain(cloud, hcl->hardware, deadline_ns, trace, proof, err);
    return skrfs_tdquote_get(cloud, hcl->hardware, deadline_ns, trace, proof, err);
}

static int send_request(struct skrfs_cloud *cloud, struct skrfs_bytes body, uint64_t deadline_ns,
        struct skrfs_http_answer *ret_answer, struct skrfs_error *err) {
    static const long statuses[] = {408, 429, 0};
    const struct skrfs_http_retry retry = {
            .attempts = 4,
            .base_ns = SKRFS_SECOND_NS,
            .max_ns = 8 * SKRFS_SECOND_NS,
            .statuses = statuses,
            .transport = true,
    };
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    if (skrfs_buf_printf(&url, err, "%s/attest/AzureGuest?api-version=" SKRFS_MAA_API_VERSION,
                cloud->attestation) < 0)
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

static int ask(struct skrfs_cloud *cloud, struct skrfs_bytes body, uint64_t deadline_ns,
        struct skrfs_sealed_token *ret_sealed, struct skrfs_error *err) {
    skrfs_autoanswer answer = {0};
    if (send_request(cloud, body, deadline_ns, &answer, err) < 0)
        return skrfs_wrap(err, "the attestation service");
    if (answer.status == 200) {
        if (skrfs_maa_answer(skrfs_buf_bytes(&answer.body), ret_sealed, err) < 0)
            return skrfs_wrap(err, "the attestation service's token");
        return 0;
    }
    if (answer.status == 404)
        return skrfs_refusal_fail(&answer, SKRFS_CLASS_REJECTED, err,
                "%s is no attestation service (see [attestation] url =)", cloud->attestation);
    enum skrfs_class kind = skrfs_status_class(answer.status);
    return skrfs_refusal_fail(&answer, kind, err, "the attestation service %s",
            kind == SKRFS_CLASS_REJECTED ? "refuses this machine's evidence" : "gives no token");
}

static int attest(struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        struct skrfs_bytes proof, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_sealed_token *ret_sealed, struct skrfs_error *err) {
    size_t step = skrfs_trace_begin(trace, "ask the attestation service");
    skrfs_autobuf body = SKRFS_BUF(MAA_REQUEST_MAX);
    if (skrfs_maa_request(evidence, proof, &cloud->os, &body, err) < 0 ||
            ask(cloud, skrfs_buf_bytes(&body), deadline_ns, ret_sealed, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "%s took %zu octets of evidence", cloud->attestation, body.len);
    return 0;
}

int skrfs_cloud_attest(struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) {
    struct skrfs_hcl hcl;
    skrfs_autobuf proof = SKRFS_BUF(PROOF_MAX);
    if (!cloud->attestation)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "no attestation service is set ([attestation] url =)");
    if (evidence->kind != SKRFS_EVIDENCE_CVM)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "evidence of unknown kind %d", (int)evidence->kind);
    if (skrfs_hcl_parse(skrfs_buf_bytes(&evidence->hcl_report), &hcl, err) < 0 ||
            get_proof(cloud, &hcl, deadline_ns, trace, &proof, err) < 0)
        return -1;
    return attest(cloud, evidence, skrfs_buf_bytes(&proof), deadline_ns, trace, ret_sealed, err);
}
