/* Real evidence of every kind is verified down to its maker's root; what is altered is refused. */
#include "claims.h"
#include "proof.h"
#include "support.h"

#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <skrfs/lab/hardware.h>

#define SAMPLES "containers-sgx-tdx/"
#define ROOM ((size_t)1024 * 1024)

static struct skrfs_error err;
static struct skrfs_lab_pki *pki;
static struct skrfs_lab_anchors anchors;

static int set_up(void **state) {
    (void)state;
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_ok(skrfs_lab_pki_new("https://maa.skrfs.localhost:1", &pki, &err), err);
    anchors = skrfs_lab_pki_anchors(pki);
    return 0;
}

static int take_down(void **state) {
    (void)state;
    skrfs_lab_pki_free(pki);
    return 0;
}

static void read_json(const char *name, struct skrfs_json **ret_json) {
    skrfs_autobuf text = SKRFS_BUF(ROOM);
    vector_read(name, &text);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, ROOM, ret_json, &err), err);
}

static void claims_of(const struct skrfs_lab_proof *proof, struct skrfs_json **ret_claims) {
    const struct skrfs_lab_token_wish wish = {.issuer = "https://maa.skrfs.localhost:1",
            .now_s = 1700000000,
            .life_s = 28800,
            .compliance = "azure-compliant-cvm"};
    assert_ok(skrfs_lab_proof_claims(proof, &wish, ret_claims, &err), err);
}

static const char *text_of(const struct skrfs_json *claims, const char *name) {
    const char *text = skrfs_json_string(skrfs_json_get(claims, name));
    return text ? text : "(absent)";
}

static bool truth_of(const struct skrfs_json *claims, const char *name) {
    const struct skrfs_json *value = skrfs_json_get(claims, name);
    assert_non_null(value);
    return skrfs_json_kind(value) == SKRFS_JSON_TRUE;
}

/* Evidence whose octets in [begin, end) are bound: each one altered is refused. */
static void each_octet_counts(struct skrfs_lab_proof *proof, struct skrfs_buf *octets, size_t begin,
        size_t end, size_t stride) {
    assert_true(end <= octets->len);
    for (size_t i = begin; i < end; i += stride) {
        octets->data[i] ^= 0x10;
        proof->uvm_svn = -1;
        if (skrfs_lab_proof_check(proof, &anchors, &err) == 0)
            fail_msg("octet %zu can be altered", i);
        assert_int_equal(err.kind, SKRFS_CLASS_REJECTED);
        octets->data[i] ^= 0x10;
    }
    proof->uvm_svn = -1;
    assert_ok(skrfs_lab_proof_check(proof, &anchors, &err), err);
}

/* The whole request of a confidential container, as a client sent it. */
static void a_containers_request(void **state) {
    skrfs_autobuf body = SKRFS_BUF(ROOM), jwks = SKRFS_BUF(ROOM);
    skrfs_autojson *claims = NULL;
    skrfs_autoproof proof;
    (void)state;
    skrfs_lab_proof_init(&proof);
    vector_read(SAMPLES "snp-aci-cleanroom/maa-request.json", &body);
    vector_read(SAMPLES "snp-aci-cleanroom/public-key-jwks", &jwks);
    assert_ok(
            skrfs_lab_proof_decode(SKRFS_LAB_SEVSNPVM, false, skrfs_buf_bytes(&body), &proof, &err),
            err);
    assert_string_equal(skrfs_buf_text(&proof.nonce), "13202930541250959283");
    assert_int_equal(proof.runtime.octets.len, jwks.len);
    assert_memory_equal(proof.runtime.octets.data, jwks.data, jwks.len);
    assert_ok(skrfs_lab_proof_check(&proof, &anchors, &err), err);
    assert_int_equal(proof.uvm_svn, 103);
    claims_of(&proof, &claims);
    assert_string_equal(text_of(claims, "x-ms-attestation-type"), "sevsnpvm");
    assert_string_equal(text_of(claims, "x-ms-compliance-status"), "azure-compliant-uvm");
    assert_string_equal(text_of(claims, "nonce"), "13202930541250959283");
    assert_string_equal(text_of(claims, "x-ms-sevsnpvm-hostdata"),
            "73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20");
    assert_false(truth_of(claims, "x-ms-sevsnpvm-is-debuggable"));
    assert_int_equal(
            skrfs_json_integer(skrfs_json_get(claims, "x-ms-sevsnpvm-microcode-svn")), 0xdb);
    assert_int_equal(
            skrfs_json_size(skrfs_json_get(skrfs_json_get(claims, "x-ms-runtime"), "keys")), 1);
    each_octet_counts(&proof, &proof.report, 0, 0x2A0, 1);
    each_octet_counts(&proof, &proof.report, 0x2A0, 0x2A0 + 48, 1);
    each_octet_counts(&proof, &proof.report, 0x2E8, 0x2E8 + 48, 1);
    each_octet_counts(&proof, &proof.runtime.octets, 0, proof.runtime.octets.len, 13);
    /* Of a COSE_Sign1: the protected header, in front, and payload and signature, behind. */
    const uint8_t *cose = proof.uvm[0].data;
    each_octet_counts(&proof, &proof.uvm[0], 0, 5 + (size_t)(cose[3] << 8 | cose[4]), 61);
    each_octet_counts(&proof, &proof.uvm[0], proof.uvm[0].len - 384 - 3 - 180, proof.uvm[0].len, 7);
    proof.uvm_count = 0;
    skrfs_json_free(skrfs_take(claims));
    proof.uvm_svn = -1;
    assert_ok(skrfs_lab_proof_check(&proof, &anchors, &err), err);
    claims_of(&proof, &claims);
    assert_null(skrfs_json_get(claims, "x-ms-compliance-status"));
}

static void an_endorsement_of_another(void **state) {
    skrfs_autobuf cose = SKRFS_BUF(ROOM);
    struct skrfs_lab_endorsement endorsement;
    (void)state;
    vector_read(SAMPLES "snp-aci-a/body.uvm_reference_info.bin", &cose);
    assert_ok(skrfs_lab_endorsement_read(skrfs_buf_bytes(&cose), NULL, &endorsement, &err), err);
    assert_int_equal(endorsement.svn, 22);
    assert_int_equal(endorsement.measurement[0], 0x51);
    cose.data[cose.len - 1] ^= 1;
    assert_fails(skrfs_lab_endorsement_read(skrfs_buf_bytes(&cose), NULL, &endorsement, &err), err,
            SKRFS_CLASS_REJECTED, "signature");
    /* Rightly signed, by somebody whom the service does not know. */
    skrfs_autobuf made = SKRFS_BUF(ROOM);
    assert_ok(skrfs_lab_endorsement_make(&pki->uvm, &endorsement, &made, &err), err);
    assert_ok(skrfs_lab_endorsement_read(skrfs_buf_bytes(&made), anchors.uvm, &endorsement, &err),
            err);
    assert_fails(skrfs_lab_endorsement_read(skrfs_buf_bytes(&made), NULL, &endorsement, &err), err,
            SKRFS_CLASS_REJECTED, "root");
    for (size_t len = 0; len < made.len; len += 37)
        assert_int_equal(skrfs_lab_endorsement_read((struct skrfs_bytes){made.data, len},
                                 anchors.uvm, &endorsement, &err),
                -1);
}

/* A report with its certificates in THIM's shape and its endorsement. */
static void a_container_group(void **state) {
    skrfs_autojson *thim = NULL, *claims = NULL;
    skrfs_autoproof proof;
    (void)state;
    skrfs_lab_proof_init(&proof);
    proof.kind = SKRFS_LAB_SEVSNPVM;
    vector_read(SAMPLES "snp-aci-a/snp_report.bin", &proof.report);
    vector_read(SAMPLES "snp-aci-a/body.uvm_reference_info.bin", &proof.uvm[0]);
    proof.uvm_count = 1;
    read_json(SAMPLES "snp-aci-a/uvm_host_amd_certificate.json", &thim);
    assert_ok(skrfs_buf_append_text(&proof.chain, text_of(thim, "vcekCert"), &err), err);
    assert_ok(skrfs_buf_append_text(&proof.chain, text_of(thim, "certificateChain"), &err), err);
    assert_ok(skrfs_lab_proof_check(&proof, &anchors, &err), err);
    assert_int_equal(proof.uvm_svn, 22);
    claims_of(&proof, &claims);
    assert_string_equal(text_of(claims, "x-ms-sevsnpvm-hostdata"),
            "cadd74f71ebb8fbf9782baab649612520f3c416bc5ce9ac768808ddc8d9b031c");
    /* The lab's own root does not make a stranger's chain good. */
    skrfs_buf_truncate(&proof.chain, 0);
    assert_ok(skrfs_chain_pem(pki->vcek.chain, &proof.chain, &err), err);
    assert_fails(skrfs_lab_proof_check(&proof, &anchors, &err), err, SKRFS_CLASS_REJECTED, "");
}

static void pem_of(const char *name, struct skrfs_buf *out) {
    skrfs_autobuf pem = SKRFS_BUF(ROOM);
    vector_read(name, &pem);
    assert_ok(skrfs_buf_append(out, pem.data, pem.len, &err), err);
    assert_ok(skrfs_buf_append_text(out, "\n", &err), err);
}

static void turin(void **state) {
    skrfs_autoproof proof;
    (void)state;
    skrfs_lab_proof_init(&proof);
    proof.kind = SKRFS_LAB_SEVSNPVM;
    vector_read(SAMPLES "snp-turin-v5/turin_attestation_report.bin", &proof.report);
    pem_of(SAMPLES "snp-turin-v5/turin_vcek.pem", &proof.chain);
    pem_of(SAMPLES "snp-turin-v5/turin_ask.pem", &proof.chain);
    pem_of(SAMPLES "snp-turin-v5/turin_ark.pem", &proof.chain);
    assert_ok(skrfs_lab_proof_check(&proof, &anchors, &err), err);
    each_octet_counts(&proof, &proof.report, 0, 0x2A0, 11);
}

/* A guest that may be debugged is attested, and said to be one. */
static void a_debug_guest(void **state) {
    skrfs_autojson *claims = NULL;
    skrfs_autobuf der = SKRFS_BUF(ROOM), rest = SKRFS_BUF(ROOM);
    skrfs_autochain *leaf = NULL;
    skrfs_autoproof proof;
    (void)state;
    skrfs_lab_proof_init(&proof);
    proof.kind = SKRFS_LAB_SEVSNPVM;
    vector_read(SAMPLES "snp-gosevguest/attestation.bin", &proof.report);
    skrfs_buf_truncate(&proof.report, 1184);
    vector_read(SAMPLES "snp-gosevguest/vcek.der", &der);
    vector_read(SAMPLES "snp-gosevguest/ask_ark_milan.pem", &rest);
    const struct skrfs_bytes bytes = skrfs_buf_bytes(&der);
    assert_ok(skrfs_chain_from_der(&bytes, 1, &leaf, &err), err);
    assert_ok(skrfs_chain_pem(leaf, &proof.chain, &err), err);
    assert_ok(skrfs_buf_append(&proof.chain, rest.data, rest.len, &err), err);
    assert_ok(skrfs_lab_proof_check(&proof, &anchors, &err), err);
    claims_of(&proof, &claims);
    assert_true(truth_of(claims, "x-ms-sevsnpvm-is-debuggable"));
    assert_null(skrfs_json_get(claims, "x-ms-compliance-status"));
}

static void td_quotes(void **state) {
    static const struct {
        const char *name;
        size_t signed_len;
    } samples[] = {
            {SAMPLES "tdx/tdx_prod_quote_SPR_E4.dat", 632},
            {SAMPLES "tdx-azure/td-quote.bin", 632},
            {SAMPLES "tdx/quote_v5_sample.dat", 702},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(samples); i++) {
        skrfs_autojson *claims = NULL;
        skrfs_autoproof proof;
        skrfs_lab_proof_init(&proof);
        proof.kind = SKRFS_LAB_TDXVM;
        vector_read(samples[i].name, &proof.report);
        if (skrfs_lab_proof_check(&proof, &anchors, &err) < 0)
            fail_msg("%s: %s", samples[i].name, err.message);
        claims_of(&proof, &claims);
        assert_string_equal(text_of(claims, "x-ms-attestation-type"), "tdxvm");
        assert_int_equal(strlen(text_of(claims, "tdx_mrtd")), 96);
        each_octet_counts(&proof, &proof.report, 8, samples[i].signed_len, 5);
        each_octet_counts(&proof, &proof.report, samples[i].signed_len + 4,
                samples[i].signed_len + 4 + 128, 3);
    }
}

static void hex_member(const struct skrfs_json *json, const char *name, struct skrfs_buf *out) {
    const char *hex = skrfs_json_string(skrfs_json_get(json, name));
    uint8_t *space = NULL;
    assert_non_null(hex);
    assert_ok(skrfs_buf_extend(out, strlen(hex) / 2, &space, &err), err);
    assert_ok(skrfs_hex_decode(hex, space, strlen(hex) / 2, &err), err);
}

/* A published enclave report with the data that it holds. */
static void enclave(const char *name, enum skrfs_lab_proof_kind kind, bool debug) {
    skrfs_autojson *sample = NULL, *claims = NULL, *request = NULL, *data = NULL;
    skrfs_autobuf octets = SKRFS_BUF(ROOM), held = SKRFS_BUF(ROOM), text = SKRFS_BUF(ROOM),
                  body = SKRFS_BUF(ROOM);
    skrfs_autoproof proof;
    skrfs_lab_proof_init(&proof);
    read_json(name, &sample);
    hex_member(sample, "QuoteHex", &octets);
    hex_member(sample, "EnclaveHeldDataHex", &held);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, held.data, held.len, &text, &err), err);
    assert_ok(skrfs_json_pack(&data, &err, "{s:s, s:s}", "data", skrfs_buf_text(&text), "dataType",
                      "Binary"),
            err);
    skrfs_buf_truncate(&text, 0);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, octets.data, octets.len, &text, &err), err);
    assert_ok(skrfs_json_pack(&request, &err, "{s:s, s:o}",
                      kind == SKRFS_LAB_OPENENCLAVE ? "report" : "quote", skrfs_buf_text(&text),
                      "runtimeData", skrfs_take(data)),
            err);
    assert_ok(skrfs_json_print(request, false, &body, &err), err);
    assert_ok(skrfs_lab_proof_decode(kind, false, skrfs_buf_bytes(&body), &proof, &err), err);
    assert_ok(skrfs_lab_proof_check(&proof, &anchors, &err), err);
    claims_of(&proof, &claims);
    assert_string_equal(text_of(claims, "x-ms-attestation-type"), "sgx");
    assert_string_equal(text_of(claims, "tee"), "sgx");
    assert_true(truth_of(claims, "x-ms-sgx-is-debuggable") == debug);
    assert_string_equal(text_of(claims, "x-ms-sgx-mrsigner"), text_of(claims, "sgx-mrsigner"));
    assert_int_equal(skrfs_json_integer(skrfs_json_get(claims, "x-ms-sgx-product-id")), 1);
    assert_non_null(skrfs_json_get(claims, "maa-ehd"));
    assert_null(skrfs_json_get(claims, "x-ms-runtime"));
    each_octet_counts(&proof, &proof.report, 8, 432, 5);
    each_octet_counts(&proof, &proof.report, 436, 436 + 128 + 384 + 64, 7);
    each_octet_counts(&proof, &proof.runtime.octets, 0, proof.runtime.octets.len, 3);
}

static void enclaves(void **state) {
    (void)state;
    enclave(SAMPLES "sgx/intel-sdk.enclave.info.release.json", SKRFS_LAB_SGXENCLAVE, false);
    enclave(SAMPLES "sgx/intel-sdk.enclave.info.debug.json", SKRFS_LAB_SGXENCLAVE, true);
    enclave(SAMPLES "sgx/oe-sdk.enclave.info.release.json", SKRFS_LAB_OPENENCLAVE, false);
}

/* The old interface's request, and the digest that its published answer gives of the quote. */
static void the_old_interface(void **state) {
    skrfs_autobuf body = SKRFS_BUF(ROOM);
    skrfs_autojson *claims = NULL;
    skrfs_autoproof proof;
    (void)state;
    skrfs_lab_proof_init(&proof);
    vector_read(SAMPLES "sgx/oe-sdk.post.attest.body.json", &body);
    assert_ok(skrfs_lab_proof_decode(
                      SKRFS_LAB_OPENENCLAVE, true, skrfs_buf_bytes(&body), &proof, &err),
            err);
    assert_ok(skrfs_lab_proof_check(&proof, &anchors, &err), err);
    claims_of(&proof, &claims);
    const struct skrfs_json *collateral = skrfs_json_get(claims, "maa-attestationcollateral");
    assert_string_equal(text_of(collateral, "maa-quotehash"),
            "e2e7d0d775f53b47b9bc9c579565cd5bca0cd0c51ccb9a99c1f076e1730607df");
    assert_string_equal(text_of(claims, "sgx-mrenclave"),
            "90a328210154d861be7fc85a904e99fba713b05029321a470f62ea8495ec7d90");
    assert_int_equal(skrfs_json_integer(skrfs_json_get(claims, "svn")), 8888);
}

static void quoted(const char *body, const char *wanted) {
    skrfs_autobuf out = SKRFS_BUF(4096);
    assert_ok(skrfs_lab_nonce_quote(
                      (struct skrfs_bytes){(const uint8_t *)body, strlen(body)}, &out, &err),
            err);
    assert_string_equal(skrfs_buf_text(&out), wanted);
}

static void a_nonces_digits_are_kept(void **state) {
    (void)state;
    quoted("{\"nonce\": 18446744073709551615}", "{\"nonce\": \"18446744073709551615\"}");
    quoted("{\"a\":\"\\\"nonce\\\":1\",\"nonce\":7}",
            "{\"a\":\"\\\"nonce\\\":1\",\"nonce\":\"7\"}");
    quoted("{\"a\":{\"nonce\":7}}", "{\"a\":{\"nonce\":7}}");
    quoted("{\"nonce\":\"7\"}", "{\"nonce\":\"7\"}");
    quoted("{\"nonce", "{\"nonce");
    quoted("", "");
}

static void wrong_bodies(void **state) {
    static const struct {
        enum skrfs_lab_proof_kind kind;
        const char *body, *why;
    } wrong[] = {
            {SKRFS_LAB_SEVSNPVM, "[]", "report"},
            {SKRFS_LAB_SEVSNPVM, "{\"report\":\"e30\"}", "SnpReport"},
            {SKRFS_LAB_TDXVM, "{}", "quote"},
            {SKRFS_LAB_TDXVM, "{\"quote\":\"AA\",\"draftPolicyForAttestation\":\"x\"}", "draft"},
            {SKRFS_LAB_SGXENCLAVE, "{\"quote\":\"\"}", "empty"},
            {SKRFS_LAB_SGXENCLAVE,
                    "{\"quote\":\"AA\",\"runtimeData\":{\"data\":\"AA\",\"dataType\":\"Text\"}}",
                    "dataType"},
            {SKRFS_LAB_SGXENCLAVE,
                    "{\"quote\":\"AA\",\"runtimeData\":{\"data\":\"AA\",\"dataType\":\"JSON\"}}",
                    "runtimeData"},
            {SKRFS_LAB_OPENENCLAVE, "{\"report\":\"AAAA\"}", "Open Enclave"},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        skrfs_autoproof proof;
        skrfs_lab_proof_init(&proof);
        struct skrfs_bytes body = {(const uint8_t *)wrong[i].body, strlen(wrong[i].body)};
        assert_fails(skrfs_lab_proof_decode(wrong[i].kind, false, body, &proof, &err), err,
                SKRFS_CLASS_BAD_ANSWER, wrong[i].why);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_containers_request),
            cmocka_unit_test(an_endorsement_of_another),
            cmocka_unit_test(a_container_group),
            cmocka_unit_test(turin),
            cmocka_unit_test(a_debug_guest),
            cmocka_unit_test(td_quotes),
            cmocka_unit_test(enclaves),
            cmocka_unit_test(the_old_interface),
            cmocka_unit_test(a_nonces_digits_are_kept),
            cmocka_unit_test(wrong_bodies),
    };
    return cmocka_run_group_tests_name("proof", tests, set_up, take_down);
}
