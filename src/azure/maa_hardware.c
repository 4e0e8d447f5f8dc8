/* The bodies of POST /attest/SevSnpVm, /attest/TdxVm and /attest/SgxEnclave (Azure REST API specs,
 * attestation/data-plane): evidence of hardware whose report data the guest or enclave chose, which
 * is the SHA-256 of `runtimeData`. Only runtime data of type JSON comes back as x-ms-runtime, where
 * the vault looks for the wrapping key. */
#include "internal.h"

#include <skrfs/evidence/sgx.h>

#define BASE64URL SKRFS_BASE64URL

static int set_data(struct skrfs_json *whole, const char *name, const struct skrfs_buf *data,
        struct skrfs_error *err) {
    skrfs_autojson *value = NULL;
    struct skrfs_json *text = NULL;
    if (data->len == 0)
        return 0;
    if (skrfs_maa_encoded(BASE64URL, skrfs_buf_bytes(data), &text, err) < 0 ||
            skrfs_json_pack(&value, err, "{s:o, s:s}", "data", text, "dataType", "JSON") < 0)
        return -1;
    return skrfs_json_set(whole, name, skrfs_take(value), err);
}

/* {"Uvm": [COSE_Sign1, ...]}: what the utility VM of a confidential container is. Without it the
 * service cannot say that it is a compliant one. */
static int endorsements(
        const struct skrfs_evidence *evidence, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *list = NULL, *json = NULL;
    if (skrfs_json_new_array(&list, err) < 0)
        return -1;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->endorsements); i++) {
        struct skrfs_json *one = NULL;
        if (evidence->endorsements[i].len == 0)
            continue;
        if (skrfs_maa_encoded(BASE64URL, skrfs_buf_bytes(&evidence->endorsements[i]), &one, err) <
                        0 ||
                skrfs_json_append(list, one, err) < 0)
            return -1;
    }
    if (skrfs_json_size(list) == 0)
        return 0;
    if (skrfs_json_pack(&json, err, "{s:o}", "Uvm", skrfs_take(list)) < 0)
        return -1;
    return skrfs_json_print(json, false, out, err);
}

static int snp_report(const struct skrfs_evidence *evidence, struct skrfs_bytes chain_pem,
        struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    skrfs_autobuf uvm = SKRFS_BUF(MAA_REQUEST_MAX);
    if (skrfs_json_pack(&json, err, "{}") < 0 ||
            skrfs_maa_set(json, "SnpReport", BASE64URL, skrfs_buf_bytes(&evidence->report), err) <
                    0 ||
            skrfs_maa_set(json, "VcekCertChain", BASE64URL, chain_pem, err) < 0 ||
            endorsements(evidence, &uvm, err) < 0 ||
            (uvm.len > 0 &&
                    skrfs_maa_set(json, "Endorsements", BASE64URL, skrfs_buf_bytes(&uvm), err) < 0))
        return -1;
    return skrfs_json_print(json, false, out, err);
}

/* The service would answer with OE_MISSING_CERTIFICATE_CHAIN, which says nothing of the cure. */
static int check_chain(unsigned cert_type, const char *cure, struct skrfs_error *err) {
    const unsigned pck_chain = 5; /* Intel, "ECDSA quote library", certification data types */
    if (cert_type == pck_chain)
        return 0;
    return skrfs_fail(err, SKRFS_CLASS_REJECTED,
            "the quote has no certificate chain of its processor (certification data of type %u): "
            "%s",
            cert_type, cure);
}

/* The bare quote: Open Enclave puts a header before it, and claims behind it. */
static int get_quote(const struct skrfs_evidence *evidence, struct skrfs_bytes *ret_quote,
        struct skrfs_error *err) {
    struct skrfs_sgx_quote sgx;
    struct skrfs_td_quote td;
    *ret_quote = skrfs_buf_bytes(&evidence->report);
    if (evidence->kind == SKRFS_EVIDENCE_TDX)
        return skrfs_td_quote_parse(*ret_quote, &td, err) < 0
                       ? -1
                       : check_chain(td.proof.cert_type,
                                 "does the host's quoting service reach a source of them?", err);
    if (skrfs_oe_unwrap(*ret_quote, ret_quote, NULL, err) < 0 ||
            skrfs_sgx_quote_parse(*ret_quote, &sgx, err) < 0)
        return -1;
    return check_chain(sgx.proof.cert_type,
            "is Azure's DCAP client (az-dcap-client) installed where quotes are made?", err);
}

static int set_evidence(struct skrfs_json *whole, const struct skrfs_evidence *evidence,
        struct skrfs_bytes chain_pem, struct skrfs_error *err) {
    skrfs_autobuf report = SKRFS_BUF(MAA_REQUEST_MAX);
    struct skrfs_bytes quote;
    if (evidence->kind != SKRFS_EVIDENCE_SNP)
        return get_quote(evidence, &quote, err) < 0
                       ? -1
                       : skrfs_maa_set(whole, "quote", BASE64URL, quote, err);
    if (snp_report(evidence, chain_pem, &report, err) < 0)
        return -1;
    return skrfs_maa_set(whole, "report", BASE64URL, skrfs_buf_bytes(&report), err);
}

int skrfs_maa_hardware_request(const struct skrfs_evidence *evidence, struct skrfs_bytes chain_pem,
        struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *whole = NULL;
    struct skrfs_json *nonce = NULL;
    if (skrfs_json_pack(&whole, err, "{}") < 0 ||
            set_evidence(whole, evidence, chain_pem, err) < 0 ||
            set_data(whole, "runtimeData", &evidence->runtime_data, err) < 0 ||
            set_data(whole, "initTimeData", &evidence->init_data, err) < 0 ||
            skrfs_json_pack(&nonce, err, "s", evidence->nonce) < 0 ||
            skrfs_json_set(whole, "nonce", nonce, err) < 0)
        return -1;
    return skrfs_json_print(whole, false, out, err);
}
