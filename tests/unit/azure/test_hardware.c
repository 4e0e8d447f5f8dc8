/* What is sent for evidence of hardware that was asked directly, and what is made of the answers.
 */
#include "hardware.h"
#include "server.h"

#define DEADLINE (skrfs_now_ns() + 60 * SKRFS_SECOND_NS)
#define TOKEN "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl"

static void append(struct skrfs_buf *buf, const struct skrfs_buf *from) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_buf_append(buf, from->data, from->len, &err), err);
}

static struct skrfs_json *request(const struct skrfs_evidence *evidence, const char *pem) {
    struct skrfs_error err = {0};
    skrfs_autobuf body = SKRFS_BUF(MAA_REQUEST_MAX);
    struct skrfs_bytes chain = {(const uint8_t *)pem, strlen(pem)};
    assert_ok(skrfs_maa_hardware_request(evidence, chain, &body, &err), err);
    return snp_json(&body);
}

/* The text without the padding of base64, which may be left out and which we leave out. */
static void unpadded(const char *text, size_t len, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    for (size_t i = 0; i < len; i++)
        if (text[i] != '=')
            assert_ok(skrfs_buf_append(out, text + i, 1, &err), err);
}

static void same_member(
        const struct skrfs_json *ours, const struct skrfs_json *real, const char *name) {
    const char *a = skrfs_json_string(skrfs_json_get(ours, name));
    const char *b = skrfs_json_string(skrfs_json_get(real, name));
    skrfs_autobuf one = SKRFS_BUF(SAMPLE_MAX);
    assert_non_null(a);
    assert_non_null(b);
    unpadded(b, strlen(b), &one);
    assert_string_equal(a, skrfs_buf_text(&one));
}

/* The same of documents in base64 in which there may be padding again. */
static void same_document(
        const struct skrfs_json *ours, const struct skrfs_json *real, const char *name) {
    skrfs_autobuf a = SKRFS_BUF(SAMPLE_MAX), b = SKRFS_BUF(SAMPLE_MAX),
                  plain = SKRFS_BUF(SAMPLE_MAX);
    snp_base64(ours, name, &a);
    snp_base64(real, name, &b);
    unpadded(skrfs_buf_text(&b), b.len, &plain);
    assert_string_equal(skrfs_buf_text(&a), skrfs_buf_text(&plain));
}

static void names_in_order(const struct skrfs_json *json, const char *const *names, size_t count) {
    void *iterator = NULL;
    const char *name = NULL;
    const struct skrfs_json *value = NULL;
    size_t at = 0;
    while (skrfs_json_next(json, &iterator, &name, &value)) {
        assert_true(at < count);
        assert_string_equal(name, names[at++]);
    }
    assert_int_equal(at, count);
}

static void builds_what_the_service_took(void **state) {
    (void)state;
    skrfs_autoevidence evidence;
    skrfs_autobuf pem = SKRFS_BUF(SAMPLE_MAX), runtime = SKRFS_BUF(SAMPLE_MAX),
                  inner = SKRFS_BUF(SAMPLE_MAX);
    skrfs_autojson *real = NULL;
    skrfs_autojson *real_report = take_request_apart(&evidence, &pem, &real);
    vector_read(SAMPLES "snp-aci-cleanroom/public-key-jwks", &runtime);
    assert_int_equal(evidence.runtime_data.len, runtime.len);
    assert_memory_equal(evidence.runtime_data.data, runtime.data, runtime.len);

    skrfs_autojson *ours = request(&evidence, skrfs_buf_text(&pem));
    static const char *const names[] = {"report", "runtimeData", "nonce"};
    names_in_order(ours, names, SKRFS_ARRAY_LEN(names));
    snp_base64(ours, "report", &inner);
    skrfs_autojson *report = snp_json(&inner);
    static const char *const parts[] = {"SnpReport", "VcekCertChain", "Endorsements"};
    names_in_order(report, parts, SKRFS_ARRAY_LEN(parts));
    names_in_order(real_report, parts, SKRFS_ARRAY_LEN(parts));
    same_member(report, real_report, "SnpReport");
    same_member(report, real_report, "VcekCertChain");
    same_document(report, real_report, "Endorsements");
    const struct skrfs_json *data = skrfs_json_get(ours, "runtimeData");
    same_member(data, skrfs_json_get(real, "runtimeData"), "data");
    assert_string_equal(skrfs_json_string(skrfs_json_get(data, "dataType")), "JSON");
    /* As the specification says: a text that the token repeats. */
    assert_string_equal(skrfs_json_string(skrfs_json_get(ours, "nonce")), "13202930541250959283");
}

static void sends_what_there_is(void **state) {
    (void)state;
    skrfs_autoevidence evidence;
    skrfs_autobuf pem = SKRFS_BUF(SAMPLE_MAX), inner = SKRFS_BUF(SAMPLE_MAX),
                  text = SKRFS_BUF(SAMPLE_MAX);
    skrfs_autojson *real = NULL;
    skrfs_autojson *real_report = take_request_apart(&evidence, &pem, &real);
    snp_put(&evidence.init_data, "{\"a\":1}");
    snp_put(&evidence.endorsements[2], "another one");
    skrfs_autojson *ours = request(&evidence, skrfs_buf_text(&pem));
    const struct skrfs_json *data = skrfs_json_get(ours, "initTimeData");
    snp_base64(data, "data", &text);
    assert_string_equal(skrfs_buf_text(&text), "{\"a\":1}");
    assert_string_equal(skrfs_json_string(skrfs_json_get(data, "dataType")), "JSON");
    snp_base64(ours, "report", &inner);
    skrfs_autojson *report = snp_json(&inner);
    skrfs_buf_done(&text);
    snp_base64(report, "Endorsements", &text);
    skrfs_autojson *uvm = snp_json(&text);
    assert_int_equal(skrfs_json_size(skrfs_json_get(uvm, "Uvm")), 2);

    skrfs_buf_done(&evidence.endorsements[0]);
    skrfs_buf_done(&evidence.endorsements[2]);
    skrfs_buf_done(&inner);
    skrfs_autojson *bare = request(&evidence, skrfs_buf_text(&pem));
    snp_base64(bare, "report", &inner);
    skrfs_autojson *bare_report = snp_json(&inner);
    assert_null(skrfs_json_get(bare_report, "Endorsements"));
    assert_non_null(real_report);
}

/* Octets of the report from `from` on are the quote. */
static void check_quote(const struct skrfs_evidence *evidence, size_t from) {
    struct skrfs_error err = {0};
    struct skrfs_sgx_quote parsed;
    size_t wanted = evidence->report.len - from;
    skrfs_autojson *ours = request(evidence, "");
    skrfs_autobuf quote = SKRFS_BUF(SAMPLE_MAX);
    static const char *const names[] = {"quote", "runtimeData", "nonce"};
    names_in_order(ours, names, SKRFS_ARRAY_LEN(names));
    assert_null(strpbrk(skrfs_json_string(skrfs_json_get(ours, "quote")), "+/="));
    snp_base64(ours, "quote", &quote);
    if (evidence->kind == SKRFS_EVIDENCE_SGX) { /* what is behind its declared end is padding */
        struct skrfs_bytes bytes = {evidence->report.data + from, wanted};
        assert_ok(skrfs_sgx_quote_parse(bytes, &parsed, &err), err);
        wanted = parsed.total_len;
    }
    assert_int_equal(quote.len, wanted);
    assert_memory_equal(quote.data, evidence->report.data + from, wanted);
}

static void sends_quotes_raw(void **state) {
    (void)state;
    skrfs_autoevidence td, sgx, wrapped;
    td_evidence(&td);
    check_quote(&td, 0);
    sgx_evidence(&sgx, INTEL_SGX);
    check_quote(&sgx, 0);
    sgx_evidence(&wrapped, OPEN_ENCLAVE);
    check_quote(&wrapped, 16);
}

struct setup {
    struct server server;
    struct skrfs_cloud *cloud;
    struct skrfs_trace trace;
};

static void setup_done(struct setup *setup) {
    skrfs_cloud_free(setup->cloud);
    server_done(&setup->server);
}
#define autosetup SKRFS_CLEANUP(setup_done) struct setup

static void begin(struct setup *setup, const char *routes) {
    struct skrfs_error err = {0};
    memset(setup, 0, sizeof(*setup));
    server_start(&setup->server, routes);
    const struct skrfs_cloud_options options = {
            .attestation_url = setup->server.https,
            .imds_url = setup->server.http,
            .cache_url = setup->server.https,
            .kds_url = setup->server.https,
            .http = {.ca_pem = skrfs_buf_text(&setup->server.ca),
                    .connect_timeout_ns = 5 * SKRFS_SECOND_NS},
    };
    assert_ok(skrfs_cloud_new(&options, &setup->cloud, &err), err);
    skrfs_trace_start(&setup->trace);
}

static int attest(struct setup *setup, const struct skrfs_evidence *evidence,
        struct skrfs_sealed_token *sealed, struct skrfs_error *err) {
    skrfs_sealed_token_init(sealed);
    return skrfs_cloud_attest(setup->cloud, evidence, DEADLINE, &setup->trace, sealed, err);
}

static void brings_a_token(
        struct setup *setup, const struct skrfs_evidence *evidence, const char *path) {
    struct skrfs_error err = {0};
    skrfs_autosealed sealed;
    assert_ok(attest(setup, evidence, &sealed, &err), err);
    assert_string_equal(skrfs_buf_text(&sealed.clear), TOKEN);
    assert_int_equal(sealed.inner_key.len + sealed.iv.len + sealed.tag.len + sealed.cipher.len, 0);
    assert_int_equal(server_count(&setup->server, path), 1);
}

#define ANSWER "[(200, {'token': '" TOKEN "'})], "

static void attests_each_kind_at_its_place(void **state) {
    (void)state;
    autosetup setup;
    skrfs_autoevidence snp, td, sgx;
    skrfs_autobuf pem = SKRFS_BUF(SAMPLE_MAX);
    skrfs_autojson *real = NULL;
    begin(&setup, "{'POST /attest/SevSnpVm': " ANSWER "'POST /attest/TdxVm': " ANSWER
                  "'POST /attest/SgxEnclave': " ANSWER "}");
    skrfs_autojson *report = take_request_apart(&snp, &pem, &real);
    assert_non_null(report);
    append(&snp.certificates[SKRFS_CERTS_FILE], &pem);
    brings_a_token(&setup, &snp, "POST /attest/SevSnpVm?api-version=2022-08-01 auth=- body={");
    assert_null(strstr(setup.trace.steps[setup.trace.count - 1].note, "endorsements"));
    skrfs_buf_done(&snp.endorsements[0]);
    struct skrfs_error err = {0};
    skrfs_autosealed sealed;
    assert_ok(attest(&setup, &snp, &sealed, &err), err);
    assert_non_null(strstr(setup.trace.steps[setup.trace.count - 1].note, "no endorsements"));
    td_evidence(&td);
    brings_a_token(&setup, &td, "POST /attest/TdxVm?api-version=2025-06-01 auth=- body={");
    sgx_evidence(&sgx, INTEL_SGX);
    brings_a_token(&setup, &sgx, "POST /attest/SgxEnclave?api-version=2022-08-01 auth=- body={");
}

/* The type of the certification data stands six octets before it (type, size). */
static void set_cert_type(struct skrfs_evidence *evidence, const uint8_t *certs, uint8_t type) {
    size_t at = (size_t)(certs - evidence->report.data) - 6;
    assert_int_equal(evidence->report.data[at], 5);
    evidence->report.data[at] = type;
}

static void says_that_the_chain_is_missing_before_it_asks(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    autosetup setup;
    skrfs_autoevidence td, sgx;
    skrfs_autosealed sealed;
    struct skrfs_sgx_quote sgx_quote;
    struct skrfs_td_quote td_quote;
    sgx_evidence(&sgx, INTEL_SGX);
    begin(&setup, "{}");
    assert_ok(skrfs_sgx_quote_parse(skrfs_buf_bytes(&sgx.report), &sgx_quote, &err), err);
    set_cert_type(&sgx, sgx_quote.proof.certs.data, 3);
    assert_fails(attest(&setup, &sgx, &sealed, &err), err, SKRFS_CLASS_REJECTED,
            "no certificate chain of its processor (certification data of type 3)");
    td_evidence(&td);
    assert_ok(skrfs_td_quote_parse(skrfs_buf_bytes(&td.report), &td_quote, &err), err);
    set_cert_type(&td, td_quote.proof.certs.data, 1);
    assert_fails(attest(&setup, &td, &sealed, &err), err, SKRFS_CLASS_REJECTED,
            "certification data of type 1");
    assert_int_equal(server_count(&setup.server, "POST"), 0);
}

static void takes_whole_tokens_alone(void **state) {
    (void)state;
    static const char *const bad[] = {"{\"token\":\"\"}", "{\"token\":\"a.b\"}",
            "{\"token\":\"a.b.c.d\"}", "{\"token\":\"a.b!.c\"}", "{\"token\":\"a..c\"}",
            "{\"token\":7}", "{}", "a.b.c", "{\"token\":\"a.b.c\\n\"}", "{\"token\":\"a.b.c=\"}"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(bad); i++) {
        struct skrfs_error err = {0};
        skrfs_autosealed sealed;
        skrfs_sealed_token_init(&sealed);
        struct skrfs_bytes body = {(const uint8_t *)bad[i], strlen(bad[i])};
        assert_int_equal(skrfs_maa_clear_answer(body, &sealed, &err), -1);
        assert_int_equal(err.kind, SKRFS_CLASS_BAD_ANSWER);
        assert_int_equal(sealed.clear.len, 0);
    }
    /* No longer than a token may be. */
    struct skrfs_error err = {0};
    skrfs_autobuf text = SKRFS_BUF(MAA_ANSWER_MAX);
    uint8_t *space = NULL;
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    snp_put(&text, "{\"token\":\"a.b.");
    assert_ok(skrfs_buf_extend(&text, SKRFS_TOKEN_MAX - 4, &space, &err), err);
    memset(space, 'c', SKRFS_TOKEN_MAX - 4);
    snp_put(&text, "\"}");
    assert_ok(skrfs_maa_clear_answer(skrfs_buf_bytes(&text), &sealed, &err), err);
    assert_int_equal(sealed.clear.len, SKRFS_TOKEN_MAX);
    skrfs_buf_done(&sealed.clear);
    skrfs_buf_truncate(&text, text.len - 2);
    snp_put(&text, "c\"}");
    assert_fails(skrfs_maa_clear_answer(skrfs_buf_bytes(&text), &sealed, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "");
}

struct refusal {
    const char *answer;
    enum skrfs_class kind;
    const char *says;
};

static void tells_refusals_apart(void **state) {
    (void)state;
    static const struct refusal refusals[] = {
            {"400, {'error': {'code': 'PolicyEvaluationError', 'message': 'no rule'}}",
                    SKRFS_CLASS_REJECTED,
                    "has a policy that refuses this machine's evidence: Poli"},
            {"400, {'error': {'code': 'InvalidParameter', 'message': 'bad quote'}}",
                    SKRFS_CLASS_REJECTED, "malformed or not genuine: InvalidParameter: bad quote"},
            {"400, {'error': {'code': 'InvalidOperation', 'message': 'x'}}", SKRFS_CLASS_REJECTED,
                    "provider's policy for this kind of evidence"},
            {"400, {'error': {'code': 'InvalidParameter', 'message': "
             "'OE_MISSING_CERTIFICATE_CHAIN'}}",
                    SKRFS_CLASS_REJECTED, "az-dcap-client"},
            {"401, {'error': {'code': 'Unauthorized', 'message': 'x'}}", SKRFS_CLASS_REJECTED,
                    "wants a login"},
            {"403, ''", SKRFS_CLASS_REJECTED, "network rules"},
            {"404, 'nothing'", SKRFS_CLASS_REJECTED, "is no attestation service"},
            {"413, ''", SKRFS_CLASS_REJECTED, "too large"},
            {"400, 'gibberish'", SKRFS_CLASS_REJECTED, "refuses this machine's evidence (HTTP 400"},
            {"429, '', {'Retry-After': '120'}", SKRFS_CLASS_UNAVAILABLE,
                    "gives no token (HTTP 429, again in 1"},
            {"501, ''", SKRFS_CLASS_UNAVAILABLE, "gives no token (HTTP 501"},
            {"200, {'token': 'not a token'}", SKRFS_CLASS_BAD_ANSWER, "token"},
            {"302, '', {'Location': 'https://elsewhere.example/'}", SKRFS_CLASS_BAD_ANSWER,
                    "gives no token (HTTP 302"},
    };
    skrfs_autoevidence sgx;
    sgx_evidence(&sgx, INTEL_SGX);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(refusals); i++) {
        struct skrfs_error err = {0};
        char routes[512];
        autosetup setup;
        skrfs_autosealed sealed;
        snprintf(routes, sizeof(routes), "{'POST /attest/SgxEnclave': [(%s)]}", refusals[i].answer);
        begin(&setup, routes);
        assert_fails(attest(&setup, &sgx, &sealed, &err), err, refusals[i].kind, refusals[i].says);
        assert_int_equal(sealed.clear.len, 0);
        assert_int_equal(server_count(&setup.server, "POST"), 1);
        assert_int_equal(err.retryable, refusals[i].kind == SKRFS_CLASS_UNAVAILABLE);
    }
}

/* A container's evidence without endorsements is refused by policies that want a compliant VM. */
static void names_missing_endorsements(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    autosetup setup;
    skrfs_autoevidence snp;
    skrfs_autosealed sealed;
    skrfs_autobuf pem = SKRFS_BUF(SAMPLE_MAX);
    skrfs_autojson *real = NULL;
    begin(&setup, "{'POST /attest/SevSnpVm': [(400, {'error': {'code': 'PolicyEvaluationError', "
                  "'message': 'no'}})]}");
    skrfs_autojson *report = take_request_apart(&snp, &pem, &real);
    assert_non_null(report);
    append(&snp.certificates[SKRFS_CERTS_FILE], &pem);
    skrfs_buf_done(&snp.endorsements[0]);
    assert_fails(attest(&setup, &snp, &sealed, &err), err, SKRFS_CLASS_REJECTED,
            "the evidence has no endorsements of a utility VM");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(builds_what_the_service_took),
            cmocka_unit_test(sends_what_there_is),
            cmocka_unit_test(sends_quotes_raw),
            cmocka_unit_test(attests_each_kind_at_its_place),
            cmocka_unit_test(says_that_the_chain_is_missing_before_it_asks),
            cmocka_unit_test(takes_whole_tokens_alone),
            cmocka_unit_test(tells_refusals_apart),
            cmocka_unit_test(names_missing_endorsements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
