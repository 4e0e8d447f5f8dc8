/* Captured evidence and tokens as wholes: each set holds together across rooms as its provenance
 * says, and does not once one octet of it is altered. */
#include "support.h"

#include <skrfs/azure/cloud.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/x509.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>
#include <skrfs/tpm/attest.h>

#define PCRS 24

struct quote {
    uint8_t message[512], signature[256], pcrs[PCRS][32];
    size_t message_len;
};

static struct skrfs_json *parse_sample(const char *name) {
    struct skrfs_error err = {0};
    struct skrfs_json *json = NULL;
    skrfs_autobuf text = SKRFS_BUF(0);
    vector_read(name, &text);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.len, &json, &err), err);
    return json;
}

static void decode(
        const struct skrfs_json *json, const char *name, int kind, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    *out = SKRFS_BUF((size_t)64 * 1024);
    assert_ok(skrfs_json_need_base64(json, name, kind, out, &err), err);
}

static size_t hex_member(
        const struct skrfs_json *json, const char *name, uint8_t *out, size_t max) {
    struct skrfs_error err = {0};
    const char *text = NULL;
    assert_ok(skrfs_json_need_string(json, name, &text, &err), err);
    size_t len = strlen(text) / 2;
    assert_true(len <= max);
    assert_ok(skrfs_hex_decode(text, out, len, &err), err);
    return len;
}

static void read_json_quote(const struct skrfs_json *json, struct quote *quote) {
    struct skrfs_error err = {0};
    quote->message_len = hex_member(json, "message", quote->message, sizeof(quote->message));
    assert_int_equal(hex_member(json, "signature", quote->signature, 256), 256);
    const struct skrfs_json *pcrs = skrfs_json_get(json, "pcrs");
    assert_int_equal(skrfs_json_size(pcrs), PCRS);
    for (size_t i = 0; i < PCRS; i++)
        assert_ok(skrfs_hex_decode(
                          skrfs_json_string(skrfs_json_at(pcrs, i)), quote->pcrs[i], 32, &err),
                err);
}

/* Rust's bincode: little-endian 64-bit lengths before signature, message and list of PCRs. */
static void read_bincode_quote(const char *name, struct quote *quote) {
    skrfs_autobuf file = SKRFS_BUF(0);
    vector_read(name, &file);
    assert_int_equal(file.data[0] | file.data[1] << 8, 256);
    memcpy(quote->signature, file.data + 8, 256);
    quote->message_len = (size_t)file.data[264] | (size_t)file.data[265] << 8;
    assert_true(quote->message_len < sizeof(quote->message));
    memcpy(quote->message, file.data + 272, quote->message_len);
    const uint8_t *pcrs = file.data + 272 + quote->message_len;
    assert_int_equal(pcrs[0], PCRS);
    assert_int_equal(file.len, 272 + quote->message_len + 8 + PCRS * 32);
    memcpy(quote->pcrs, pcrs + 8, sizeof(quote->pcrs));
}

/* The digest over the selected PCRs, ascending, is the one that was signed. */
static void check_digest(const struct quote *quote, struct skrfs_attest *ret_attest) {
    struct skrfs_error err = {0};
    uint8_t selected[PCRS * 32], digest[32];
    size_t len = 0;
    assert_ok(skrfs_attest_parse(
                      (struct skrfs_bytes){quote->message, quote->message_len}, ret_attest, &err),
            err);
    assert_int_equal(ret_attest->kind, SKRFS_ATTEST_QUOTE);
    for (unsigned i = 0; i < PCRS; i++)
        if (ret_attest->pcr_mask >> i & 1) {
            memcpy(selected + len, quote->pcrs[i], 32);
            len += 32;
        }
    assert_ok(skrfs_hash(SKRFS_SHA256, selected, len, digest, &err), err);
    assert_int_equal(ret_attest->digest_len, 32);
    assert_memory_equal(ret_attest->digest, digest, 32);
}

static struct skrfs_pkey *ak_of(const struct skrfs_hcl *hcl) {
    struct skrfs_error err = {0};
    struct skrfs_pkey *key = NULL;
    struct skrfs_public public = {.type = SKRFS_KEY_RSA, .n_len = 256, .e = {1, 0, 1}, .e_len = 3};
    assert_ok(skrfs_hcl_ak_modulus(hcl, public.n, &err), err);
    assert_ok(skrfs_pkey_from_public(&public, &key, &err), err);
    return key;
}

static int verify_quote(
        const struct quote *quote, const struct skrfs_hcl *hcl, struct skrfs_error *err) {
    skrfs_autopkey *ak = ak_of(hcl);
    return skrfs_rsa_verify(ak, SKRFS_SHA256,
            (struct skrfs_bytes){quote->message, quote->message_len},
            (struct skrfs_bytes){quote->signature, 256}, err);
}

static void parse_bound(const struct skrfs_buf *report, struct skrfs_hcl *ret_hcl) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(report), ret_hcl, &err), err);
    assert_ok(skrfs_hcl_check_binding(ret_hcl, &err), err);
}

static void a_whole_snp_set_holds_together(void **state) {
    struct skrfs_error err = {0};
    skrfs_autojson *json = parse_sample("cvm/trustee-snp-evidence-v2.json");
    skrfs_autobuf report = SKRFS_BUF(0), vcek = SKRFS_BUF(0);
    skrfs_autochain *chain = NULL;
    struct quote quote;
    struct skrfs_attest attest;
    struct skrfs_hcl hcl;
    struct skrfs_snp snp;
    (void)state;
    decode(json, "hcl_report", SKRFS_BASE64URL, &report);
    decode(json, "vcek", SKRFS_BASE64URL, &vcek);
    read_json_quote(skrfs_json_get(json, "tpm_quote"), &quote);
    parse_bound(&report, &hcl);
    assert_int_equal(hcl.kind, SKRFS_HCL_SNP);
    check_digest(&quote, &attest);
    assert_ok(verify_quote(&quote, &hcl, &err), err);
    assert_int_equal(attest.extra_len, 48);
    const struct skrfs_bytes cert = skrfs_buf_bytes(&vcek);
    assert_ok(skrfs_chain_from_der(&cert, 1, &chain, &err), err);
    assert_ok(skrfs_snp_parse(hcl.hardware, &snp, &err), err);
    assert_ok(skrfs_snp_verify(hcl.hardware, chain, &err), err);
    assert_ok(skrfs_snp_check_certificate(&snp, chain, &err), err);
    assert_int_equal(snp.version, 3);
    assert_true(snp.reported_tcb == snp.current_tcb);
    quote.signature[9] ^= 1;
    assert_fails(verify_quote(&quote, &hcl, &err), err, SKRFS_CLASS_BAD_ANSWER, "signature");
    report.data[32 + 0x90] ^= 1;
    assert_fails(skrfs_snp_verify(hcl.hardware, chain, &err), err, SKRFS_CLASS_BAD_ANSWER, "");
    report.data[1240] ^= 1;
    assert_fails(skrfs_hcl_check_binding(&hcl, &err), err, SKRFS_CLASS_BAD_ANSWER, "");
}

static void a_whole_tdx_set_holds_together(void **state) {
    struct skrfs_error err = {0};
    skrfs_autojson *json = parse_sample("cvm/trustee-tdx-evidence-v1.json");
    skrfs_autobuf report = SKRFS_BUF(0), td = SKRFS_BUF(0);
    struct quote quote;
    struct skrfs_attest attest;
    struct skrfs_hcl hcl;
    struct skrfs_td_quote parsed;
    uint8_t data[64];
    (void)state;
    decode(json, "hcl_report", SKRFS_BASE64URL, &report);
    decode(json, "td_quote", SKRFS_BASE64URL, &td);
    read_json_quote(skrfs_json_get(json, "tpm_quote"), &quote);
    parse_bound(&report, &hcl);
    assert_int_equal(hcl.kind, SKRFS_HCL_TDX);
    check_digest(&quote, &attest);
    assert_ok(verify_quote(&quote, &hcl, &err), err);
    assert_int_equal(attest.extra_len, strlen("challenge"));
    assert_memory_equal(attest.extra, "challenge", attest.extra_len);
    assert_ok(skrfs_td_report_data(hcl.hardware, data, &err), err);
    assert_ok(skrfs_td_quote_parse(skrfs_buf_bytes(&td), &parsed, &err), err);
    assert_memory_equal(parsed.report_data, data, sizeof(data));
    assert_ok(skrfs_td_quote_verify(skrfs_buf_bytes(&td), &parsed, &err), err);
    td.data[568] ^= 1;
    assert_fails(skrfs_td_quote_verify(skrfs_buf_bytes(&td), &parsed, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "");
}

static void quotes_verify_under_their_own_key_alone(void **state) {
    struct skrfs_error err = {0};
    skrfs_autojson *json = parse_sample("cvm/trustee-snp-tpm-quote-v1.json");
    skrfs_autobuf report = SKRFS_BUF(0), signature = SKRFS_BUF(0);
    struct quote of_json, of_bincode, of_other;
    struct skrfs_attest attest;
    struct skrfs_hcl hcl;
    (void)state;
    vector_read("cvm/trustee-snp-hcl-report.bin", &report);
    parse_bound(&report, &hcl);
    read_json_quote(json, &of_json);
    read_bincode_quote("cvm/trustee-snp-quote.bincode", &of_bincode);
    read_bincode_quote("cvm/quote-kinvolk.bincode", &of_other);
    check_digest(&of_json, &attest);
    assert_ok(verify_quote(&of_json, &hcl, &err), err);
    check_digest(&of_bincode, &attest);
    assert_ok(verify_quote(&of_bincode, &hcl, &err), err);
    check_digest(&of_other, &attest);
    assert_int_equal(attest.pcr_mask, 0xffffff);
    assert_fails(verify_quote(&of_other, &hcl, &err), err, SKRFS_CLASS_BAD_ANSWER, "signature");
    vector_read("cvm/trustee-snp-tpm-quote.sig", &signature);
    assert_int_equal(signature.len, 256);
    memcpy(of_json.signature, signature.data, 256);
    assert_fails(verify_quote(&of_json, &hcl, &err), err, SKRFS_CLASS_BAD_ANSWER, "signature");
}

static void reports_verify_with_the_chains_beside_them(void **state) {
    struct skrfs_error err = {0};
    skrfs_autojson *json = parse_sample("containers-sgx-tdx/snp-privacy-sandbox/snp.json");
    skrfs_autobuf report = SKRFS_BUF(0), pem = SKRFS_BUF(0);
    skrfs_autochain *chain = NULL;
    struct skrfs_snp snp;
    (void)state;
    decode(json, "evidence", SKRFS_BASE64, &report);
    decode(json, "endorsements", SKRFS_BASE64, &pem);
    assert_ok(skrfs_snp_parse(skrfs_buf_bytes(&report), &snp, &err), err);
    assert_ok(skrfs_chain_from_pem(skrfs_buf_text(&pem), pem.len, &chain, &err), err);
    assert_ok(skrfs_chain_verify_links(chain, &err), err);
    assert_ok(skrfs_snp_verify(skrfs_buf_bytes(&report), chain, &err), err);
    assert_ok(skrfs_snp_check_certificate(&snp, chain, &err), err);
    assert_true(snp.reported_tcb == UINT64_C(0x7308000000000003));
    assert_true(snp.current_tcb > snp.reported_tcb);
    report.data[0x2A0] ^= 1;
    assert_fails(skrfs_snp_verify(skrfs_buf_bytes(&report), chain, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "");
}

static void check_token(const char *name, const char *issuer_end, const char *type, bool has_keys) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_token_info_done) struct skrfs_token_info info = {0};
    skrfs_autobuf token = SKRFS_BUF(0);
    skrfs_autojson *claims = NULL;
    const char *issuer = NULL, *told = NULL;
    vector_read(name, &token);
    while (token.len && token.data[token.len - 1] == '\n')
        skrfs_buf_truncate(&token, token.len - 1);
    assert_ok(skrfs_token_inspect(skrfs_buf_bytes(&token), &info, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&info.claims), info.claims.len, SKRFS_TOKEN_MAX,
                      &claims, &err),
            err);
    assert_ok(skrfs_json_need_string(claims, "iss", &issuer, &err), err);
    assert_string_equal(issuer + strlen(issuer) - strlen(issuer_end), issuer_end);
    assert_ok(skrfs_json_need_string(claims, "x-ms-attestation-type", &told, &err), err);
    assert_string_equal(told, type);
    assert_int_equal(
            skrfs_json_get(skrfs_json_get(claims, "x-ms-runtime"), "keys") != NULL, has_keys);
    assert_int_equal(
            info.not_after_s - skrfs_json_integer(skrfs_json_get(claims, "iat")), 8 * 3600);
    skrfs_token_info_done(&info);
    assert_int_equal(
            skrfs_token_inspect((struct skrfs_bytes){token.data, token.len / 4}, &info, &err), -1);
}

static void tokens_say_what_they_should(void **state) {
    (void)state;
    check_token("containers-sgx-tdx/tokens/sev-snp-jwt.txt", ".test.attest.azure.net", "sevsnpvm",
            false);
    check_token("cvm/maa-sevsnpvm-token.jwt", ".test.attest.azure.net", "sevsnpvm", false);
    check_token("cvm/maa-azureguest-token-weu.jwt", ".attest.azure.net", "azurevm", true);
}

/* The signature of this release did not survive its transcription; its certificates did. */
static void a_vaults_release_names_its_certificate(void **state) {
    struct skrfs_error err = {0};
    skrfs_autojson *json = parse_sample("azure-rest/vault-rsa-release.structure.json");
    const struct skrfs_json *header = skrfs_json_get(json, "header");
    const struct skrfs_json *x5c = skrfs_json_get(header, "x5c");
    struct skrfs_buf der[3];
    struct skrfs_bytes certs[3];
    skrfs_autochain *chain = NULL;
    skrfs_autobuf thumbprint = SKRFS_BUF(64);
    uint8_t digest[32];
    struct skrfs_public public;
    (void)state;
    assert_int_equal(skrfs_json_size(x5c), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct skrfs_json *one = skrfs_json_at(x5c, i);
        der[i] = SKRFS_BUF(SKRFS_CERT_MAX);
        assert_ok(skrfs_base64_decode(SKRFS_BASE64, skrfs_json_string(one),
                          skrfs_json_string_len(one), &der[i], &err),
                err);
        certs[i] = skrfs_buf_bytes(&der[i]);
    }
    assert_ok(skrfs_chain_from_der(certs, 3, &chain, &err), err);
    assert_ok(skrfs_chain_verify_links(chain, &err), err);
    assert_ok(skrfs_hash(SKRFS_SHA256, certs[0].data, certs[0].len, digest, &err), err);
    assert_ok(skrfs_json_need_base64(header, "x5t#S256", SKRFS_BASE64URL, &thumbprint, &err), err);
    assert_int_equal(thumbprint.len, 32);
    assert_memory_equal(thumbprint.data, digest, 32);
    const struct skrfs_json *key = skrfs_json_get(
            skrfs_json_get(skrfs_json_get(skrfs_json_get(json, "payload"), "response"), "key"),
            "key");
    assert_ok(skrfs_jwk_public(key, &public, &err), err);
    assert_int_equal(public.type, SKRFS_KEY_RSA);
    assert_int_equal(public.e_len, 3); /* AAEAAQ: the leading zero is dropped */
    for (size_t i = 0; i < 3; i++)
        skrfs_buf_done(&der[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_whole_snp_set_holds_together),
            cmocka_unit_test(a_whole_tdx_set_holds_together),
            cmocka_unit_test(quotes_verify_under_their_own_key_alone),
            cmocka_unit_test(reports_verify_with_the_chains_beside_them),
            cmocka_unit_test(tokens_say_what_they_should),
            cmocka_unit_test(a_vaults_release_names_its_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
