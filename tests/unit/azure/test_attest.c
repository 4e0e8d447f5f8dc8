#include "server.h"

#include "../../../src/azure/internal.h"

#define DEADLINE (skrfs_now_ns() + 20 * SKRFS_SECOND_NS)
#define TEXT_MAX ((size_t)4 * 1024 * 1024)

static const struct os_facts debian = {.distro = "Debian GNU/Linux", .major = 12, .minor = 4};

static void put(struct skrfs_buf *buf, const char *text) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_buf_append_text(buf, text, &err), err);
}

/* Evidence around a captured report; the TPM's parts are marked, not real: the service judges them.
 */
static void make_evidence(const char *report, struct skrfs_evidence *evidence) {
    struct skrfs_error err = {0};
    skrfs_autobuf bytes = SKRFS_BUF(TEXT_MAX);
    vector_read(report, &bytes);
    skrfs_evidence_init(evidence);
    assert_ok(skrfs_buf_append(&evidence->hcl_report, bytes.data, bytes.len, &err), err);
    snprintf(evidence->nonce, sizeof(evidence->nonce), "ab12");
    put(&evidence->event_log, "the log");
    put(&evidence->ak_cert, "the ak's certificate");
    put(&evidence->ak_public, "the ak");
    put(&evidence->quote, "the quote");
    put(&evidence->quote_signature, "its signature");
    memset(evidence->pcrs, 0xab, sizeof(evidence->pcrs));
    put(&evidence->key_public, "the key");
    put(&evidence->key_certify, "its certification");
    put(&evidence->key_certify_signature, "and signature");
}

/* The member's text must be the base64 of `wanted`. */
static void is_base64(const struct skrfs_json *object, const char *name, const char *wanted) {
    struct skrfs_error err = {0};
    skrfs_autobuf decoded = SKRFS_BUF(TEXT_MAX);
    assert_ok(skrfs_json_need_base64(object, name, SKRFS_BASE64, &decoded, &err), err);
    assert_string_equal(skrfs_buf_text(&decoded), wanted);
}

static struct skrfs_json *inner_document(
        const struct skrfs_json *object, const char *name, int kind) {
    struct skrfs_error err = {0};
    skrfs_autobuf decoded = SKRFS_BUF(TEXT_MAX);
    struct skrfs_json *json = NULL;
    assert_ok(skrfs_json_need_base64(object, name, kind, &decoded, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&decoded), decoded.len, TEXT_MAX, &json, &err), err);
    return json;
}

static struct skrfs_json *build(const struct skrfs_evidence *evidence, const char *proof) {
    struct skrfs_error err = {0};
    skrfs_autobuf body = SKRFS_BUF(TEXT_MAX);
    skrfs_autojson *outer = NULL;
    struct skrfs_bytes bytes = {(const uint8_t *)proof, strlen(proof)};
    assert_ok(skrfs_maa_request(evidence, bytes, &debian, &body, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&body), body.len, TEXT_MAX, &outer, &err), err);
    assert_int_equal(skrfs_json_size(outer), 1);
    return inner_document(outer, "AttestationInfo", SKRFS_BASE64URL);
}

static void check_common(const struct skrfs_json *info) {
    assert_string_equal(
            skrfs_json_string(skrfs_json_get(info, "AttestationProtocolVersion")), "2.0");
    is_base64(info, "OSType", "Linux");
    is_base64(info, "OSDistro", "Debian GNU/Linux");
    assert_int_equal(skrfs_json_integer(skrfs_json_get(info, "OSVersionMajor")), 12);
    assert_int_equal(skrfs_json_integer(skrfs_json_get(info, "OSVersionMinor")), 4);
    is_base64(info, "OSBuild", "NotApplication");
    is_base64(info, "TcgLogs", "the log");
    is_base64(skrfs_json_get(info, "ClientPayload"), "nonce", "ab12");
    const struct skrfs_json *tpm = skrfs_json_get(info, "TpmInfo");
    is_base64(tpm, "AikCert", "the ak's certificate");
    is_base64(tpm, "AikPub", "the ak");
    is_base64(tpm, "PcrQuote", "the quote");
    is_base64(tpm, "PcrSignature", "its signature");
    is_base64(tpm, "EncKeyPub", "the key");
    is_base64(tpm, "EncKeyCertifyInfo", "its certification");
    is_base64(tpm, "EncKeyCertifyInfoSignature", "and signature");
    for (size_t i = 0; i < 8; i++) {
        const struct skrfs_json *pcr = skrfs_json_at(skrfs_json_get(tpm, "PCRs"), i);
        assert_int_equal(skrfs_json_integer(skrfs_json_at(skrfs_json_get(tpm, "PcrSet"), i)), i);
        assert_int_equal(skrfs_json_integer(skrfs_json_get(pcr, "Index")), i);
        assert_string_equal(skrfs_json_string(skrfs_json_get(pcr, "Digest")),
                "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=");
    }
    assert_int_equal(skrfs_json_size(skrfs_json_get(tpm, "PCRs")), 8);
}

static void check_bytes(
        const struct skrfs_json *object, const char *name, int kind, struct skrfs_bytes wanted) {
    struct skrfs_error err = {0};
    skrfs_autobuf decoded = SKRFS_BUF(TEXT_MAX);
    assert_ok(skrfs_json_need_base64(object, name, kind, &decoded, &err), err);
    assert_int_equal(decoded.len, wanted.len);
    assert_memory_equal(decoded.data, wanted.data, wanted.len);
}

static void builds_a_request_for_snp(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    make_evidence("cvm/trustee-snp-hcl-report.bin", &evidence);
    struct skrfs_hcl hcl;
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(&evidence.hcl_report), &hcl, &err), err);
    skrfs_autojson *info = build(&evidence, "PEM");
    check_common(info);
    const struct skrfs_json *isolation = skrfs_json_get(info, "IsolationInfo");
    const struct skrfs_json *inner = skrfs_json_get(isolation, "Evidence");
    assert_string_equal(skrfs_json_string(skrfs_json_get(isolation, "Type")), "SevSnp");
    check_bytes(inner, "RunTimeData", SKRFS_BASE64, hcl.claims);
    skrfs_autojson *proof = inner_document(inner, "Proof", SKRFS_BASE64);
    check_bytes(proof, "SnpReport", SKRFS_BASE64URL, hcl.hardware);
    is_base64(proof, "VcekCertChain", "PEM");
}

static void builds_a_request_for_tdx(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    make_evidence("cvm/trustee-tdx-hcl-report.bin", &evidence);
    struct skrfs_hcl hcl;
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(&evidence.hcl_report), &hcl, &err), err);
    skrfs_autojson *info = build(&evidence, "the td quote");
    check_common(info);
    const struct skrfs_json *isolation = skrfs_json_get(info, "IsolationInfo");
    const struct skrfs_json *inner = skrfs_json_get(isolation, "Evidence");
    assert_string_equal(skrfs_json_string(skrfs_json_get(isolation, "Type")), "Tdx");
    check_bytes(inner, "RunTimeData", SKRFS_BASE64, hcl.claims);
    is_base64(inner, "Proof", "the td quote");
}

/* A sealed answer as the service writes it; `mode` is its BlockMode, `iv` the IV's base64. */
static void put_sealed(struct skrfs_buf *out, const char *mode, const char *iv) {
    struct skrfs_error err = {0};
    uint8_t key[256] = {1, 2, 3};
    skrfs_autobuf key_text = SKRFS_BUF(1024), inner = SKRFS_BUF(TEXT_MAX),
                  token = SKRFS_BUF(TEXT_MAX);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64, key, sizeof(key), &key_text, &err), err);
    assert_ok(skrfs_buf_printf(&inner, &err,
                      "{\"EncryptedInnerKey\":\"%s\",\"EncryptionParams\":{\"Iv\":\"%s\","
                      "\"Cipher\":\"AES\","
                      "\"BlockMode\":\"%s\",\"BlockPadding\":\"PKCS7\",\"KeySizeInBits\":256},"
                      "\"AuthenticationData\":\"AAECAwQFBgcICQoLDA0ODw==\",\"Jwt\":\"-_8\"}",
                      skrfs_buf_text(&key_text), iv, mode),
            err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, inner.data, inner.len, &token, &err), err);
    assert_ok(skrfs_buf_printf(out, &err, "{\"token\":\"%s\"}", skrfs_buf_text(&token)), err);
}

static int read_sealed(const char *mode, const char *iv, struct skrfs_sealed_token *sealed,
        struct skrfs_error *err) {
    skrfs_autobuf body = SKRFS_BUF(TEXT_MAX);
    put_sealed(&body, mode, iv);
    skrfs_sealed_token_init(sealed);
    return skrfs_maa_answer(skrfs_buf_bytes(&body), sealed, err);
}

static void reads_a_sealed_token(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autosealed sealed;
    assert_ok(read_sealed("ChainingModeGCM", "AAAAAAAAAAAAAAAA", &sealed, &err), err);
    assert_int_equal(sealed.inner_key.len, 256);
    assert_int_equal(sealed.inner_key.data[2], 3);
    assert_int_equal(sealed.iv.len, 12);
    assert_int_equal(sealed.tag.data[15], 15);
    assert_int_equal(sealed.cipher.len, 2); /* base64url, though the rest is base64 */
    assert_int_equal(sealed.cipher.data[0], 0xfb);
}

static void refuses_other_seals(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autosealed sealed, short_iv;
    assert_fails(read_sealed("ChainingModeCBC", "AAAAAAAAAAAAAAAA", &sealed, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "another cipher than AES-GCM");
    assert_fails(read_sealed("ChainingModeGCM", "AAAA", &short_iv, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "wrong length");
    struct skrfs_bytes jwt = {(const uint8_t *)"{\"token\":\"eyJh.eyJi.c\"}", 23};
    assert_fails(skrfs_maa_answer(jwt, &sealed, &err), err, SKRFS_CLASS_BAD_ANSWER, "token");
}

static void put_quoted(struct skrfs_buf *out, const char *text) {
    struct skrfs_error err = {0};
    skrfs_autojson *json = NULL;
    assert_ok(skrfs_json_pack(&json, &err, "s", text), err);
    assert_ok(skrfs_json_print(json, false, out, &err), err);
}

/* A THIM answer with a captured chain, cut into its first certificate and the rest. */
static void put_thim(struct skrfs_buf *out, const char *vector, const char *tcbm) {
    struct skrfs_error err = {0};
    skrfs_autobuf pem = SKRFS_BUF(TEXT_MAX);
    vector_read(vector, &pem);
    char *rest = strstr(strstr((char *)pem.data, "-----END"), "\n") + 1;
    skrfs_autofree char *leaf = strndup((char *)pem.data, (size_t)(rest - (char *)pem.data));
    put(out, "{\"vcekCert\":");
    put_quoted(out, leaf);
    put(out, ",\"certificateChain\":");
    put_quoted(out, rest);
    assert_ok(
            skrfs_buf_printf(out, &err, ",\"tcbm\":\"%s\",\"cacheControl\":\"86400\"}", tcbm), err);
}

static void fits_certificates_to_reports(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf thim = SKRFS_BUF(TEXT_MAX), report = SKRFS_BUF(TEXT_MAX),
                  pem = SKRFS_BUF(SKRFS_PEM_MAX);
    char tcbm[17];
    vector_read("cvm/aci-thim-certs.json", &thim);
    vector_read("cvm/aci-snp-report.bin", &report);
    assert_ok(skrfs_thim_answer(skrfs_buf_bytes(&thim), &pem, tcbm, &err), err);
    assert_string_equal(tcbm, "7308000000000003");
    assert_ok(skrfs_certs_fit(skrfs_buf_bytes(&report), skrfs_buf_bytes(&pem), &err), err);
    report.data[0x90] ^= 1;
    assert_int_equal(skrfs_certs_fit(skrfs_buf_bytes(&report), skrfs_buf_bytes(&pem), &err), -1);
    report.data[0x90] ^= 1;
    skrfs_autobuf other = SKRFS_BUF(TEXT_MAX);
    vector_read("cvm/certs-kinvolk.pem", &other);
    assert_int_equal(skrfs_certs_fit(skrfs_buf_bytes(&report), skrfs_buf_bytes(&other), &err), -1);
}

static void takes_the_quote_of_its_own_report_only(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf index = SKRFS_BUF(TEXT_MAX), quote = SKRFS_BUF(TEXT_MAX),
                  text = SKRFS_BUF(TEXT_MAX);
    skrfs_autobuf body = SKRFS_BUF(TEXT_MAX), read = SKRFS_BUF(SKRFS_TD_QUOTE_MAX);
    struct skrfs_hcl hcl;
    vector_read("cvm/trustee-tdx-hcl-report.bin", &index);
    vector_read("cvm/trustee-td-quote.bin", &quote);
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(&index), &hcl, &err), err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, quote.data, quote.len, &text, &err), err);
    assert_ok(skrfs_buf_printf(&body, &err, "{\"quote\":\"%s\"}", skrfs_buf_text(&text)), err);
    assert_ok(skrfs_tdquote_answer(skrfs_buf_bytes(&body), hcl.hardware, &read, &err), err);
    assert_int_equal(read.len, quote.len);
    assert_memory_equal(read.data, quote.data, quote.len);

    skrfs_autobuf other = SKRFS_BUF(TEXT_MAX);
    vector_read("cvm/hcl-tdx-kinvolk.bin", &other);
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(&other), &hcl, &err), err);
    assert_fails(skrfs_tdquote_answer(skrfs_buf_bytes(&body), hcl.hardware, &read, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "of another report");
}

static void new_cloud(const struct server *server, struct skrfs_cloud **cloud) {
    struct skrfs_error err = {0};
    char url[128];
    snprintf(url, sizeof(url), "%s/some/path?x", server->https);
    const struct skrfs_cloud_options options = {
            .attestation_url = url,
            .imds_url = server->http,
            .http = {.ca_pem = skrfs_buf_text(&server->ca),
                    .connect_timeout_ns = 5 * SKRFS_SECOND_NS},
    };
    assert_ok(skrfs_cloud_new(&options, cloud, &err), err);
}

static int attest(struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        struct skrfs_trace *trace, struct skrfs_error *err) {
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    int result = skrfs_cloud_attest(cloud, evidence, DEADLINE, trace, &sealed, err);
    assert_int_equal(sealed.cipher.len, result == 0 ? 2 : 0);
    return result;
}

#define MAA "'POST /attest/AzureGuest'"

static void attests_and_keeps_the_certificates(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    make_evidence("cvm/trustee-snp-hcl-report.bin", &evidence);
    skrfs_autobuf routes = SKRFS_BUF(TEXT_MAX);
    put(&routes, "{'GET /metadata/THIM/amd/certification': [(200, ");
    put_thim(&routes, "cvm/trustee-snp-vcek.pem", "7308000000000003");
    put(&routes, ")], " MAA ": [(503, {'Error': {'Code': 'ServerError'}}), (200, ");
    put_sealed(&routes, "ChainingModeGCM", "AAAAAAAAAAAAAAAA");
    put(&routes, ")]}");
    SKRFS_CLEANUP(server_done) struct server server;
    server_start(&server, skrfs_buf_text(&routes));
    SKRFS_CLEANUP(skrfs_cloud_free_p) struct skrfs_cloud *cloud = NULL;
    new_cloud(&server, &cloud);
    struct skrfs_trace trace;
    skrfs_trace_start(&trace);
    assert_ok(attest(cloud, &evidence, &trace, &err), err);
    assert_ok(attest(cloud, &evidence, &trace, &err), err);
    assert_int_equal(server_count(&server, "GET /metadata/THIM/amd/certification auth=-"), 1);
    assert_int_equal(server_count(&server, "POST /attest/AzureGuest?api-version=2020-10-01 auth=- "
                                           "body={\"AttestationInfo\":"),
            3);
    assert_int_equal(trace.count, 4);
    assert_non_null(strstr(trace.steps[2].note, "kept from before"));
}

static void names_tcbs_when_certificates_do_not_fit(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    make_evidence("cvm/trustee-snp-hcl-report.bin", &evidence);
    skrfs_autobuf routes = SKRFS_BUF(TEXT_MAX);
    put(&routes, "{'GET /metadata/THIM/amd/certification': [(200, ");
    put_thim(&routes, "cvm/certs-kinvolk.pem", "5508000000000003");
    put(&routes, ")]}");
    SKRFS_CLEANUP(server_done) struct server server;
    server_start(&server, skrfs_buf_text(&routes));
    SKRFS_CLEANUP(skrfs_cloud_free_p) struct skrfs_cloud *cloud = NULL;
    new_cloud(&server, &cloud);
    assert_fails(attest(cloud, &evidence, NULL, &err), err, SKRFS_CLASS_UNAVAILABLE,
            "(TCB 5508000000000003)");
    assert_non_null(strstr(err.message, "(TCB 7308000000000003)"));
    assert_true(err.retryable);
    assert_int_equal(server_count(&server, "GET /metadata/THIM/amd/certification auth"), 1);
    assert_int_equal(server_count(&server, "certification?platformId=19752a447db501a3"), 1);
    assert_int_equal(server_count(&server, "&tcbVersion=7308000000000003"), 1);
    assert_int_equal(server_count(&server, "/attest/"), 0);
}

static void tells_why_evidence_is_refused(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    make_evidence("cvm/trustee-snp-hcl-report.bin", &evidence);
    skrfs_autobuf routes = SKRFS_BUF(TEXT_MAX);
    put(&routes, "{'GET /metadata/THIM/amd/certification': [(200, ");
    put_thim(&routes, "cvm/trustee-snp-vcek.pem", "7308000000000003");
    put(&routes, ")], " MAA ": [(400, {'error': {'code': 'PolicyEvaluationError', 'message': "
                 "'Native operation failed\\nsecure boot'}}, {'x-ms-request-id': 'r-9'})]}");
    SKRFS_CLEANUP(server_done) struct server server;
    server_start(&server, skrfs_buf_text(&routes));
    SKRFS_CLEANUP(skrfs_cloud_free_p) struct skrfs_cloud *cloud = NULL;
    new_cloud(&server, &cloud);
    assert_fails(attest(cloud, &evidence, NULL, &err), err, SKRFS_CLASS_REJECTED,
            "has a policy that refuses this machine's evidence: PolicyEvaluationError: Native "
            "operation "
            "failed?secure boot (HTTP "
            "400, request id r-9)");
    assert_false(err.retryable);
    assert_int_equal(server_count(&server, "/attest/"), 1);
}

static void attests_a_trust_domain(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    make_evidence("cvm/trustee-tdx-hcl-report.bin", &evidence);
    skrfs_autobuf routes = SKRFS_BUF(TEXT_MAX), quote = SKRFS_BUF(TEXT_MAX),
                  text = SKRFS_BUF(TEXT_MAX);
    vector_read("cvm/trustee-td-quote.bin", &quote);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, quote.data, quote.len, &text, &err), err);
    assert_ok(skrfs_buf_printf(&routes, &err,
                      "{'POST /acc/tdquote': [(200, {'quote': '%s'})], " MAA ": [(200, ",
                      skrfs_buf_text(&text)),
            err);
    put_sealed(&routes, "ChainingModeGCM", "AAAAAAAAAAAAAAAA");
    put(&routes, ")]}");
    SKRFS_CLEANUP(server_done) struct server server;
    server_start(&server, skrfs_buf_text(&routes));
    SKRFS_CLEANUP(skrfs_cloud_free_p) struct skrfs_cloud *cloud = NULL;
    new_cloud(&server, &cloud);
    assert_ok(attest(cloud, &evidence, NULL, &err), err);
    assert_int_equal(server_count(&server, "POST /acc/tdquote auth=- body={\"report\":\"gQAA"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(builds_a_request_for_snp),
            cmocka_unit_test(builds_a_request_for_tdx),
            cmocka_unit_test(reads_a_sealed_token),
            cmocka_unit_test(refuses_other_seals),
            cmocka_unit_test(fits_certificates_to_reports),
            cmocka_unit_test(takes_the_quote_of_its_own_report_only),
            cmocka_unit_test(attests_and_keeps_the_certificates),
            cmocka_unit_test(names_tcbs_when_certificates_do_not_fit),
            cmocka_unit_test(tells_why_evidence_is_refused),
            cmocka_unit_test(attests_a_trust_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
