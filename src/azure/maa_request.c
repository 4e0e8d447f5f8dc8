/* The body of POST /attest/AzureGuest. Names, encodings and order are those of Microsoft's guest
 * attestation library (Azure/confidential-computing-cvm-guest-attestation, client-library). */
#include "internal.h"

#include <string.h>

static int set_buf(struct skrfs_json *object, const char *name, const struct skrfs_buf *buf,
        struct skrfs_error *err) {
    return skrfs_maa_set(object, name, SKRFS_BASE64, skrfs_buf_bytes(buf), err);
}

static int set_text(
        struct skrfs_json *object, const char *name, const char *text, struct skrfs_error *err) {
    struct skrfs_bytes bytes = {(const uint8_t *)text, strlen(text)};
    return skrfs_maa_set(object, name, SKRFS_BASE64, bytes, err);
}

static int pcr_values(const struct skrfs_evidence *evidence, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    skrfs_autojson *array = NULL;
    if (skrfs_json_new_array(&array, err) < 0)
        return -1;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->pcrs); i++) {
        struct skrfs_bytes digest = {evidence->pcrs[i], sizeof(evidence->pcrs[i])};
        struct skrfs_json *text = NULL, *entry = NULL;
        if (skrfs_maa_encoded(SKRFS_BASE64, digest, &text, err) < 0 ||
                skrfs_json_pack(&entry, err, "{s:i, s:o}", "Index", (int)i, "Digest", text) < 0 ||
                skrfs_json_append(array, entry, err) < 0)
            return -1;
    }
    *ret_json = skrfs_take(array);
    return 0;
}

static int tpm_info(const struct skrfs_evidence *evidence, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    skrfs_autojson *info = NULL;
    struct skrfs_json *set = NULL, *values = NULL;
    if (skrfs_json_pack(&info, err, "{}") < 0 ||
            set_buf(info, "AikCert", &evidence->ak_cert, err) < 0 ||
            set_buf(info, "AikPub", &evidence->ak_public, err) < 0 ||
            set_buf(info, "PcrQuote", &evidence->quote, err) < 0 ||
            set_buf(info, "PcrSignature", &evidence->quote_signature, err) < 0 ||
            skrfs_json_pack(&set, err, "[i,i,i,i,i,i,i,i]", 0, 1, 2, 3, 4, 5, 6, 7) < 0 ||
            skrfs_json_set(info, "PcrSet", set, err) < 0 ||
            pcr_values(evidence, &values, err) < 0 ||
            skrfs_json_set(info, "PCRs", values, err) < 0 ||
            set_buf(info, "EncKeyPub", &evidence->key_public, err) < 0 ||
            set_buf(info, "EncKeyCertifyInfo", &evidence->key_certify, err) < 0 ||
            set_buf(info, "EncKeyCertifyInfoSignature", &evidence->key_certify_signature, err) < 0)
        return -1;
    *ret_json = skrfs_take(info);
    return 0;
}

/* The report goes in base64url, everything around it in base64: so the library does it. */
static int snp_proof(struct skrfs_bytes report, struct skrfs_bytes chain_pem, struct skrfs_buf *out,
        struct skrfs_error *err) {
    skrfs_autojson *proof = NULL;
    if (skrfs_json_pack(&proof, err, "{}") < 0 ||
            skrfs_maa_set(proof, "SnpReport", SKRFS_BASE64URL, report, err) < 0 ||
            skrfs_maa_set(proof, "VcekCertChain", SKRFS_BASE64, chain_pem, err) < 0)
        return -1;
    return skrfs_json_print(proof, false, out, err);
}

static int isolation_info(const struct skrfs_hcl *hcl, struct skrfs_bytes proof,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autobuf snp = SKRFS_BUF(MAA_REQUEST_MAX);
    skrfs_autojson *evidence = NULL;
    if (hcl->kind == SKRFS_HCL_SNP) {
        if (snp_proof(hcl->hardware, proof, &snp, err) < 0)
            return -1;
        proof = skrfs_buf_bytes(&snp);
    }
    if (skrfs_json_pack(&evidence, err, "{}") < 0 ||
            skrfs_maa_set(evidence, "Proof", SKRFS_BASE64, proof, err) < 0 ||
            skrfs_maa_set(evidence, "RunTimeData", SKRFS_BASE64, hcl->claims, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:s, s:o}", "Type",
            hcl->kind == SKRFS_HCL_SNP ? "SevSnp" : "Tdx", "Evidence", skrfs_take(evidence));
}

static int set_system(struct skrfs_json *info, const struct os_facts *os, struct skrfs_error *err) {
    struct skrfs_json *major = NULL, *minor = NULL;
    if (set_text(info, "OSType", "Linux", err) < 0 ||
            set_text(info, "OSDistro", os->distro, err) < 0 ||
            skrfs_json_pack(&major, err, "i", os->major) < 0 ||
            skrfs_json_set(info, "OSVersionMajor", major, err) < 0 ||
            skrfs_json_pack(&minor, err, "i", os->minor) < 0 ||
            skrfs_json_set(info, "OSVersionMinor", minor, err) < 0)
        return -1;
    return set_text(info, "OSBuild", "NotApplication", err); /* the library's word for Linux */
}

static int set_parts(struct skrfs_json *info, const struct skrfs_evidence *evidence,
        const struct skrfs_hcl *hcl, struct skrfs_bytes proof, struct skrfs_error *err) {
    struct skrfs_json *payload = NULL, *tpm = NULL, *isolation = NULL;
    if (set_buf(info, "TcgLogs", &evidence->event_log, err) < 0 ||
            skrfs_json_pack(&payload, err, "{}") < 0 ||
            skrfs_json_set(info, "ClientPayload", payload, err) < 0 ||
            set_text(payload, "nonce", evidence->nonce, err) < 0 ||
            tpm_info(evidence, &tpm, err) < 0 || skrfs_json_set(info, "TpmInfo", tpm, err) < 0 ||
            isolation_info(hcl, proof, &isolation, err) < 0)
        return -1;
    return skrfs_json_set(info, "IsolationInfo", isolation, err);
}

int skrfs_maa_request(const struct skrfs_evidence *evidence, struct skrfs_bytes proof,
        const struct os_facts *os, struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_hcl hcl;
    skrfs_autojson *info = NULL, *whole = NULL;
    skrfs_autobuf text = SKRFS_BUF(MAA_REQUEST_MAX);
    struct skrfs_json *inner = NULL;
    if (skrfs_hcl_parse(skrfs_buf_bytes(&evidence->hcl_report), &hcl, err) < 0 ||
            skrfs_json_pack(&info, err, "{s:s}", "AttestationProtocolVersion", "2.0") < 0 ||
            set_system(info, os, err) < 0 || set_parts(info, evidence, &hcl, proof, err) < 0 ||
            skrfs_json_print(info, false, &text, err) < 0 ||
            skrfs_maa_encoded(SKRFS_BASE64URL, skrfs_buf_bytes(&text), &inner, err) < 0 ||
            skrfs_json_pack(&whole, err, "{s:o}", "AttestationInfo", inner) < 0)
        return -1;
    return skrfs_json_print(whole, false, out, err);
}
