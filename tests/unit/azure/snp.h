/* Captured SNP reports with the certificates that were captured with them. */
#ifndef SKRFS_TESTS_AZURE_SNP_H
#define SKRFS_TESTS_AZURE_SNP_H

#include "support.h"

#include "../../../src/azure/internal.h"

#define SAMPLE_MAX ((size_t)1024 * 1024)
#define SAMPLES "containers-sgx-tdx/"

struct sample {
    struct skrfs_buf report, pem; /* pem: the whole chain, but of the VLEK the leaf alone */
};

enum {
    SAMPLE_ACI,   /* Milan, with a host-amd-cert document */
    SAMPLE_ROOM,  /* Milan, out of a request that the service took */
    SAMPLE_GUEST, /* Milan, no Azure */
    SAMPLE_TURIN,
    SAMPLE_VLEK,
    SAMPLE_KMS, /* Milan */
    SAMPLE_COUNT
};

static inline void snp_put(struct skrfs_buf *out, const char *text) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_buf_append_text(out, text, &err), err);
}

static inline void snp_add(const char *name, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    skrfs_autobuf bytes = SKRFS_BUF(SAMPLE_MAX);
    vector_read(name, &bytes);
    assert_ok(skrfs_buf_append(out, bytes.data, bytes.len, &err), err);
}

static inline struct skrfs_json *snp_json(const struct skrfs_buf *text) {
    struct skrfs_error err = {0};
    struct skrfs_json *json = NULL;
    assert_ok(skrfs_json_parse(skrfs_buf_text(text), text->len, SAMPLE_MAX, &json, &err), err);
    return json;
}

static inline void snp_base64(
        const struct skrfs_json *json, const char *name, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_json_need_base64(json, name, SKRFS_BASE64_ANY, out, &err), err);
}

static inline void snp_pem_of_der(const char *name, struct skrfs_buf *pem) {
    struct skrfs_error err = {0};
    skrfs_autobuf der = SKRFS_BUF(SAMPLE_MAX);
    skrfs_autochain *chain = NULL;
    vector_read(name, &der);
    struct skrfs_bytes bytes = skrfs_buf_bytes(&der);
    assert_ok(skrfs_chain_from_der(&bytes, 1, &chain, &err), err);
    assert_ok(skrfs_chain_pem(chain, pem, &err), err);
}

/* The request's parts: the report document and what is in it. */
static inline struct skrfs_json *snp_request_report(struct skrfs_json **ret_request) {
    skrfs_autobuf text = SKRFS_BUF(SAMPLE_MAX), inner = SKRFS_BUF(SAMPLE_MAX);
    vector_read(SAMPLES "snp-aci-cleanroom/maa-request.json", &text);
    /* Its nonce is a number that no signed 64 bits hold; ours is a string. */
    char *nonce = strstr((char *)text.data, "13202930541250959283");
    assert_non_null(nonce);
    memset(nonce + 18, ' ', 2);
    *ret_request = snp_json(&text);
    snp_base64(*ret_request, "report", &inner);
    return snp_json(&inner);
}

static inline void snp_sample_done(struct sample *sample) {
    skrfs_buf_done(&sample->report);
    skrfs_buf_done(&sample->pem);
}

static inline void snp_read(int which, struct sample *sample) {
    struct skrfs_error err = {0};
    char tcbm[17];
    skrfs_autobuf text = SKRFS_BUF(SAMPLE_MAX);
    skrfs_autojson *json = NULL, *inner = NULL;
    *sample = (struct sample){.report = SKRFS_BUF(SAMPLE_MAX), .pem = SKRFS_BUF(SAMPLE_MAX)};
    switch (which) {
    case SAMPLE_ACI:
        snp_add(SAMPLES "snp-aci-a/snp_report.bin", &sample->report);
        snp_add(SAMPLES "snp-aci-a/uvm_host_amd_certificate.json", &text);
        assert_ok(skrfs_thim_answer(skrfs_buf_bytes(&text), &sample->pem, tcbm, &err), err);
        break;
    case SAMPLE_ROOM:
        inner = snp_request_report(&json);
        snp_base64(inner, "SnpReport", &sample->report);
        snp_base64(inner, "VcekCertChain", &sample->pem);
        break;
    case SAMPLE_GUEST:
        snp_add(SAMPLES "snp-gosevguest/attestation.bin", &sample->report);
        snp_pem_of_der(SAMPLES "snp-gosevguest/vcek.der", &sample->pem);
        snp_add(SAMPLES "snp-gosevguest/ask_ark_milan.pem", &sample->pem);
        break;
    case SAMPLE_TURIN:
        snp_add(SAMPLES "snp-turin-v5/turin_attestation_report.bin", &sample->report);
        snp_add(SAMPLES "snp-turin-v5/turin_vcek.pem", &sample->pem);
        snp_add(SAMPLES "snp-turin-v5/turin_ask.pem", &sample->pem);
        snp_add(SAMPLES "snp-turin-v5/turin_ark.pem", &sample->pem);
        break;
    case SAMPLE_VLEK:
        snp_add(SAMPLES "snp-vlek/test-vlek-report.bin", &sample->report);
        snp_pem_of_der(SAMPLES "snp-vlek/test-vlek.der", &sample->pem);
        break;
    default:
        snp_add(SAMPLES "snp-privacy-sandbox/snp.json", &text);
        json = snp_json(&text);
        snp_base64(json, "evidence", &sample->report);
        snp_base64(json, "endorsements", &sample->pem);
    }
}

#define autosample SKRFS_CLEANUP(snp_sample_done) struct sample

#endif
