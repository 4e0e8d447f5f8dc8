#include "request.h"

#include "support.h"

#include <skrfs/base/encode.h>
#include <skrfs/evidence/snp.h>

static struct skrfs_error err;

/* A wrapping key as guests send theirs. */
#define RUNTIME                                                                                    \
    "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"guests-own\",\"key_ops\":[\"encrypt\"],\"e\":\"AQAB\"," \
    "\"n\":"                                                                                       \
    "\"u7Vxq0ZrJ3j0m0zv5mGq3JcYc1hO1B5m3b7U1z6vQm8dJw1l4hFQ9d3Y2N5c0KpXlq7eT6sRr8WvYx4ZkHn2oQ\"}]" \
    "}"

struct request request_right(enum skrfs_lab_proof_kind kind) {
    return (struct request){.kind = kind,
            .runtime = RUNTIME,
            .runtime_type = "JSON",
            .init_type = "JSON",
            .nonce = "\"a nonce\""};
}

static void put_text(struct skrfs_buf *out, const char *text) {
    assert_ok(skrfs_buf_append_text(out, text, &err), err);
}

static void put_base64(struct skrfs_buf *out, struct skrfs_bytes octets) {
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, octets.data, octets.len, out, &err), err);
}

/* ,"name":"base64url" */
static void put_member(struct skrfs_buf *out, const char *name, struct skrfs_bytes octets) {
    assert_ok(skrfs_buf_printf(out, &err, "%s\"%s\":\"", out->len > 1 ? "," : "", name), err);
    put_base64(out, octets);
    put_text(out, "\"");
}

static struct skrfs_bytes bytes_of(const char *text) {
    return (struct skrfs_bytes){(const uint8_t *)text, strlen(text)};
}

static void digest(const char *text, uint8_t ret_digest[32]) {
    if (text)
        assert_ok(skrfs_hash(SKRFS_SHA256, text, strlen(text), ret_digest, &err), err);
}

static void make_snp(const struct skrfs_lab_pki *pki, const struct request *request,
        const uint8_t data[64], const uint8_t init[32], struct skrfs_buf *out) {
    struct skrfs_lab_snp_wish wish = {.policy = SKRFS_LAB_SNP_POLICY, .names_processor = true};
    uint8_t report[SKRFS_LAB_SNP_REPORT_LEN];
    memcpy(wish.report_data, data, 64);
    memcpy(wish.host_data, init, 32);
    if (request->debug)
        wish.policy |= UINT64_C(1) << 19;
    assert_ok(skrfs_lab_make_snp_report(pki, &wish, report, &err), err);
    assert_ok(skrfs_buf_append(out, report, sizeof(report), &err), err);
}

static void make_quote(const struct skrfs_lab_pki *pki, const struct request *request,
        const uint8_t data[64], const uint8_t init[32], struct skrfs_buf *out) {
    uint8_t report[SKRFS_LAB_TD_REPORT_LEN];
    struct skrfs_lab_sgx_wish wish = {.debug = request->debug};
    memcpy(wish.report_data, data, 64);
    memcpy(wish.config_id, init, 32);
    if (request->kind == SKRFS_LAB_TDXVM) {
        assert_ok(skrfs_lab_make_td_report(pki, data, request->debug, report, &err), err);
        assert_ok(skrfs_lab_quote_td(pki, (struct skrfs_bytes){report, sizeof(report)}, out, &err),
                err);
        return;
    }
    assert_ok(skrfs_lab_make_sgx_quote(pki, &wish, out, &err), err);
}

/* Open Enclave's header: version 1, a remote report, the quote's length. */
static void wrap(const struct skrfs_buf *quote, struct skrfs_buf *out) {
    uint8_t header[16] = {1, 0, 0, 0, 2};
    for (size_t i = 0; i < 4; i++)
        header[8 + i] = (uint8_t)(quote->len >> (8 * i));
    assert_ok(skrfs_buf_append(out, header, sizeof(header), &err), err);
    assert_ok(skrfs_buf_append(out, quote->data, quote->len, &err), err);
}

void request_snp_report(struct skrfs_bytes report, struct skrfs_bytes pem,
        struct skrfs_bytes endorsement, struct skrfs_buf *out) {
    skrfs_autobuf inner = SKRFS_BUF(REQUEST_MAX), uvm = SKRFS_BUF(REQUEST_MAX);
    put_text(&inner, "{");
    put_member(&inner, "SnpReport", report);
    put_member(&inner, "VcekCertChain", pem);
    if (endorsement.len > 0) {
        put_text(&uvm, "{\"Uvm\":[\"");
        put_base64(&uvm, endorsement);
        put_text(&uvm, "\"]}");
        put_member(&inner, "Endorsements", skrfs_buf_bytes(&uvm));
    }
    put_text(&inner, "}");
    put_member(out, "report", skrfs_buf_bytes(&inner));
}

static void put_evidence(const struct skrfs_lab_pki *pki, const struct request *request,
        const uint8_t data[64], const uint8_t init[32], struct skrfs_buf *out) {
    skrfs_autobuf report = SKRFS_BUF(REQUEST_MAX), pem = SKRFS_BUF(REQUEST_MAX),
                  wrapped = SKRFS_BUF(REQUEST_MAX);
    if (request->kind == SKRFS_LAB_SEVSNPVM) {
        make_snp(pki, request, data, init, &report);
        assert_ok(skrfs_chain_pem(pki->vcek.chain, &pem, &err), err);
        request_snp_report(
                skrfs_buf_bytes(&report), skrfs_buf_bytes(&pem), request->endorsement, out);
        return;
    }
    make_quote(pki, request, data, init, &report);
    bool open = request->kind == SKRFS_LAB_OPENENCLAVE;
    if (open && !request->bare) {
        wrap(&report, &wrapped);
        put_member(out, request->preview ? "Quote" : "report", skrfs_buf_bytes(&wrapped));
        return;
    }
    put_member(out,
            request->preview ? "Quote"
            : open           ? "report"
                             : "quote",
            skrfs_buf_bytes(&report));
}

/* ,"name":{"data":"base64url","dataType":"type"} */
static void put_data(
        struct skrfs_buf *out, const char *name, const char *text, const char *type, bool other) {
    skrfs_autobuf encoded = SKRFS_BUF(REQUEST_MAX);
    put_base64(&encoded, bytes_of(other ? "{\"other\":1}" : text));
    assert_ok(skrfs_buf_printf(out, &err, ",\"%s\":{\"data\":\"%s\",\"dataType\":\"%s\"}", name,
                      skrfs_buf_text(&encoded), type),
            err);
}

void request_body(
        const struct skrfs_lab_pki *pki, const struct request *request, struct skrfs_buf *out) {
    uint8_t data[64] = {0}, init[32] = {0};
    digest(request->runtime, data);
    digest(request->init, init);
    put_text(out, "{");
    put_evidence(pki, request, data, init, out);
    if (request->preview && request->runtime)
        put_member(out, "EnclaveHeldData",
                bytes_of(request->other_runtime ? "other" : request->runtime));
    if (!request->preview && request->runtime)
        put_data(out, "runtimeData", request->runtime, request->runtime_type,
                request->other_runtime);
    if (!request->preview && request->init)
        put_data(out, "initTimeData", request->init, request->init_type, request->other_init);
    if (!request->preview && request->nonce)
        assert_ok(skrfs_buf_printf(out, &err, ",\"nonce\":%s", request->nonce), err);
    if (!request->preview && request->draft)
        assert_ok(skrfs_buf_printf(
                          out, &err, ",\"draftPolicyForAttestation\":\"%s\"", request->draft),
                err);
    put_text(out, "}");
}

void request_endorsement(const struct skrfs_lab_pki *pki, struct skrfs_buf *out) {
    struct skrfs_lab_snp_wish wish = {.policy = SKRFS_LAB_SNP_POLICY};
    struct skrfs_lab_endorsement endorsement = {.svn = 7};
    uint8_t report[SKRFS_LAB_SNP_REPORT_LEN];
    struct skrfs_snp snp;
    assert_ok(skrfs_lab_make_snp_report(pki, &wish, report, &err), err);
    assert_ok(skrfs_snp_parse((struct skrfs_bytes){report, sizeof(report)}, &snp, &err), err);
    memcpy(endorsement.measurement, snp.measurement, sizeof(endorsement.measurement));
    assert_ok(skrfs_lab_endorsement_make(&pki->uvm, &endorsement, out, &err), err);
}
