/* Claims of the lab's tokens against published ones, by name and type; and what of a confidential
 * VM's evidence can be real, checked as real. */
#include "request.h"
#include "support.h"

#include <skrfs/base/encode.h>
#include <skrfs/evidence/hcl.h>

#define ROOM ((size_t)1024 * 1024)
#define SAMPLES "containers-sgx-tdx/"

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

static struct skrfs_json *claims_for(const struct request *request) {
    const struct skrfs_lab_token_wish wish = {.issuer = "https://maa.skrfs.localhost:1",
            .now_s = 1700000000,
            .life_s = 28800,
            .compliance = "azure-compliant-cvm"};
    skrfs_autobuf body = SKRFS_BUF(REQUEST_MAX);
    struct skrfs_json *claims = NULL;
    skrfs_autoproof proof;
    skrfs_lab_proof_init(&proof);
    request_body(pki, request, &body);
    assert_ok(skrfs_lab_proof_decode(
                      request->kind, request->preview, skrfs_buf_bytes(&body), &proof, &err),
            err);
    assert_ok(skrfs_lab_proof_check(&proof, &anchors, &err), err);
    assert_ok(skrfs_lab_proof_claims(&proof, &wish, &claims, &err), err);
    return claims;
}

static bool same_kind(const struct skrfs_json *a, const struct skrfs_json *b) {
    enum skrfs_json_kind one = skrfs_json_kind(a), other = skrfs_json_kind(b);
    bool flags = (one == SKRFS_JSON_TRUE || one == SKRFS_JSON_FALSE) &&
                 (other == SKRFS_JSON_TRUE || other == SKRFS_JSON_FALSE);
    return one == other || flags;
}

/* Every claim of `some` is in `all`, of the same type; text in hexadecimal as long. */
static void are_among(const struct skrfs_json *some, const struct skrfs_json *all) {
    const char *name = NULL;
    const struct skrfs_json *value = NULL;
    for (void *at = NULL; skrfs_json_next(some, &at, &name, &value);) {
        const struct skrfs_json *other = skrfs_json_get(all, name);
        if (!other)
            fail_msg("claim %s is missing", name);
        if (!same_kind(value, other))
            fail_msg("claim %s is of another type", name);
        const char *text = skrfs_json_string(value);
        if (text && (strncmp(name, "tdx_", 4) == 0 || strstr(name, "sevsnpvm-") ||
                            strncmp(name, "sgx-", 4) == 0))
            assert_int_equal(strlen(text), strlen(skrfs_json_string(other)));
        if (skrfs_json_kind(value) == SKRFS_JSON_OBJECT && strcmp(name, "x-ms-runtime") != 0)
            are_among(value, other);
    }
}

static void read_json(const char *name, struct skrfs_json **ret_json) {
    skrfs_autobuf text = SKRFS_BUF(ROOM);
    vector_read(name, &text);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, ROOM, ret_json, &err), err);
}

/* The payload of a compact token in a file. */
static void read_payload(const char *name, struct skrfs_json **ret_json) {
    skrfs_autobuf text = SKRFS_BUF(ROOM), payload = SKRFS_BUF(ROOM);
    vector_read(name, &text);
    const char *begin = strchr(skrfs_buf_text(&text), '.') + 1;
    assert_ok(
            skrfs_base64_decode(SKRFS_BASE64URL, begin, strcspn(begin, "."), &payload, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&payload), payload.len, ROOM, ret_json, &err), err);
}

/* The service's token of a container without endorsements, claim for claim and no more; and that
 * of a machine that complies. */
static void snp(void **state) {
    struct request request = request_right(SKRFS_LAB_SEVSNPVM);
    skrfs_autojson *real = NULL, *published = NULL, *claims = NULL, *endorsed = NULL;
    skrfs_autobuf cose = SKRFS_BUF(ROOM);
    (void)state;
    read_payload(SAMPLES "tokens/sev-snp-jwt.txt", &real);
    read_json("azure-rest/maa-sevsnpvm.claims.json", &published);
    request.runtime = NULL;
    request.nonce = NULL;
    claims = claims_for(&request);
    are_among(real, claims);
    are_among(claims, real);
    request = request_right(SKRFS_LAB_SEVSNPVM);
    request_endorsement(pki, &cose);
    request.endorsement = skrfs_buf_bytes(&cose);
    endorsed = claims_for(&request);
    are_among(published, endorsed);
}

static void tdx(void **state) {
    struct request request = request_right(SKRFS_LAB_TDXVM);
    skrfs_autojson *published = NULL, *claims = NULL;
    (void)state;
    read_json(SAMPLES "tokens/tdx-claims.json", &published);
    request.nonce = NULL;
    claims = claims_for(&request);
    are_among(published, claims);
    are_among(claims, published);
}

/* Header and payload stand one after the other in the sample. */
static void sgx(void **state) {
    struct request request = request_right(SKRFS_LAB_OPENENCLAVE);
    skrfs_autobuf text = SKRFS_BUF(ROOM);
    skrfs_autojson *published = NULL, *old = NULL, *claims = NULL;
    (void)state;
    vector_read(SAMPLES "sgx/oe-sdk.post.attest.response.jwt.body.json", &text);
    const char *payload = strchr(strchr(skrfs_buf_text(&text), '}'), '{');
    assert_ok(skrfs_json_parse(payload, strlen(payload), ROOM, &published, &err), err);
    request.preview = true;
    old = claims_for(&request);
    are_among(published, old);
    are_among(old, published);
    /* Today's token has today's names, and the old ones too. */
    static const char *const names[] = {"x-ms-attestation-type", "x-ms-policy-hash", "x-ms-ver",
            "x-ms-sgx-collateral", "x-ms-sgx-ehd", "x-ms-sgx-is-debuggable", "x-ms-sgx-mrenclave",
            "x-ms-sgx-mrsigner", "x-ms-sgx-product-id", "x-ms-sgx-report-data", "x-ms-sgx-svn",
            "is-debuggable", "maa-ehd", "aas-ehd", "product-id", "sgx-mrenclave", "sgx-mrsigner",
            "svn", "tee", "nonce", "jti"};
    request.preview = false;
    request.runtime_type = "Binary";
    claims = claims_for(&request);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++)
        if (!skrfs_json_get(claims, names[i]))
            fail_msg("claim %s is missing", names[i]);
}

/* A real quote is verified, and not called compliant: how the service tells is not published. */
static void real_quotes_are_not_called_compliant(void **state) {
    const struct skrfs_lab_token_wish wish = {
            .issuer = "https://maa", .life_s = 1, .compliance = "azure-compliant-cvm"};
    skrfs_autojson *claims = NULL;
    skrfs_autoproof proof;
    (void)state;
    skrfs_lab_proof_init(&proof);
    proof.kind = SKRFS_LAB_TDXVM;
    vector_read(SAMPLES "tdx/tdx_prod_quote_SPR_E4.dat", &proof.report);
    assert_ok(skrfs_lab_proof_check(&proof, &anchors, &err), err);
    assert_true(proof.real);
    assert_ok(skrfs_lab_proof_claims(&proof, &wish, &claims, &err), err);
    assert_null(skrfs_json_get(claims, "x-ms-compliance-status"));
}

/* The hardware's part of a real confidential VM's evidence: the claims of its HCL report, and what
 * its processor's maker signed. */
static void real_machine(const char *hcl_name, const char *proof_name, bool pem) {
    skrfs_autobuf index = SKRFS_BUF(ROOM), proof = SKRFS_BUF(ROOM);
    struct skrfs_hcl hcl;
    skrfs_autoguest guest;
    skrfs_lab_guest_init(&guest);
    vector_read(hcl_name, &index);
    vector_read(proof_name, &proof);
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(&index), &hcl, &err), err);
    assert_ok(skrfs_buf_append(&guest.claims, hcl.claims.data, hcl.claims.len, &err), err);
    guest.isolation = pem ? SKRFS_LAB_SNP : SKRFS_LAB_TDX;
    if (pem)
        assert_ok(skrfs_buf_append(&guest.report, hcl.hardware.data, hcl.hardware.len, &err), err);
    assert_ok(
            skrfs_buf_append(pem ? &guest.chain : &guest.report, proof.data, proof.len, &err), err);
    for (size_t i = 0; i < 2; i++) {
        int rc = pem ? skrfs_lab_snp_check(&guest, anchors.ark, &err)
                     : skrfs_lab_tdx_check(&guest, anchors.tdx, &err);
        if (i == 0) {
            assert_ok(rc, err);
            guest.claims.data[guest.claims.len - 3] ^= 1;
            continue;
        }
        assert_fails(rc, err, SKRFS_CLASS_REJECTED, "what the hardware's report was made over");
    }
}

static void real_machines(void **state) {
    (void)state;
    real_machine("cvm/trustee-snp-hcl-report.bin", "cvm/trustee-snp-vcek.pem", true);
    real_machine("cvm/trustee-tdx-hcl-report.bin", "cvm/trustee-td-quote.bin", false);
    real_machine(SAMPLES "tdx-azure/hcl-report.bin", SAMPLES "tdx-azure/td-quote.bin", false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(snp),
            cmocka_unit_test(tdx),
            cmocka_unit_test(sgx),
            cmocka_unit_test(real_quotes_are_not_called_compliant),
            cmocka_unit_test(real_machines),
    };
    return cmocka_run_group_tests_name("lab claims", tests, set_up, take_down);
}
