/* Endorsements of utility VMs, and VLEKs: what is rightly signed but by the wrong one, or about
 * something else, is refused. */
#include "cose.h"
#include "request.h"
#include "support.h"

#include <skrfs/evidence/snp.h>

#define ROOM ((size_t)256 * 1024)

static struct skrfs_error err;
static struct skrfs_lab_pki *pki, *stranger;
static struct skrfs_lab_anchors anchors;

static int set_up(void **state) {
    (void)state;
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_ok(skrfs_lab_pki_new("https://maa.skrfs.localhost:1", &pki, &err), err);
    assert_ok(skrfs_lab_pki_new("https://maa.skrfs.localhost:1", &stranger, &err), err);
    anchors = skrfs_lab_pki_anchors(pki);
    return 0;
}

static int take_down(void **state) {
    (void)state;
    skrfs_lab_pki_free(pki);
    skrfs_lab_pki_free(stranger);
    return 0;
}

static int read_endorsement(const struct skrfs_buf *cose) {
    struct skrfs_lab_endorsement ignored;
    return skrfs_lab_endorsement_read(skrfs_buf_bytes(cose), anchors.uvm, &ignored, &err);
}

/* Each octet of the lab's own endorsement counts, in one octet's every eighth bit in turn. */
static void every_octet_counts(void **state) {
    skrfs_autobuf cose = SKRFS_BUF(ROOM);
    (void)state;
    request_endorsement(pki, &cose);
    assert_ok(read_endorsement(&cose), err);
    for (size_t i = 0; i < cose.len; i++) {
        cose.data[i] ^= (uint8_t)(1U << i % 8);
        if (read_endorsement(&cose) == 0)
            fail_msg("octet %zu can be altered", i);
        assert_int_equal(err.kind, SKRFS_CLASS_REJECTED);
        cose.data[i] ^= (uint8_t)(1U << i % 8);
    }
    assert_ok(skrfs_buf_append(&cose, "\0", 1, &err), err);
    assert_fails(read_endorsement(&cose), err, SKRFS_CLASS_REJECTED, "well-formed");
}

/* The parts of the lab's own endorsement, to sign again with one of them changed. */
struct again {
    struct skrfs_buf own;
    char issuer[256];
    struct skrfs_lab_cose_wish wish;
};

static void again_done(struct again *again) {
    skrfs_buf_done(&again->own);
}
#define autoagain SKRFS_CLEANUP(again_done) struct again

static void take_again(struct again *again) {
    struct skrfs_lab_cose parts;
    again->own = SKRFS_BUF(ROOM);
    request_endorsement(pki, &again->own);
    assert_ok(skrfs_lab_cose_parse(skrfs_buf_bytes(&again->own), &parts, &err), err);
    snprintf(again->issuer, sizeof(again->issuer), "%.*s", (int)parts.issuer.len,
            (const char *)parts.issuer.data);
    again->wish = (struct skrfs_lab_cose_wish){.issuer = again->issuer,
            .feed = "ContainerPlat-AMD-UVM",
            .payload = parts.payload,
            .key = pki->uvm.key,
            .chain = pki->uvm.chain};
}

static int read_again(const struct again *again) {
    skrfs_autobuf cose = SKRFS_BUF(ROOM);
    assert_ok(skrfs_lab_cose_sign(&again->wish, &cose, &err), err);
    return read_endorsement(&cose);
}

static void wrong_ones_are_refused(void **state) {
    autoagain again;
    char other[256];
    (void)state;
    take_again(&again);
    assert_ok(read_again(&again), err);
    snprintf(other, sizeof(other), "%s", again.issuer);
    other[20] ^= 1;
    again.wish.issuer = other;
    assert_fails(read_again(&again), err, SKRFS_CLASS_REJECTED, "not signed by its issuer");
    again.wish.issuer = again.issuer;
    again.wish.payload = (struct skrfs_bytes){(const uint8_t *)"{}", 2};
    assert_fails(read_again(&again), err, SKRFS_CLASS_REJECTED, "launchmeasurement");
    /* Another feed's documents are believed, and say nothing of utility VMs. */
    again.wish.feed = "ContainerPlat-AMD-Other";
    assert_ok(read_again(&again), err);
    again.wish.feed = "ContainerPlat-AMD-UVM";
    again.wish.key = stranger->uvm.key;
    assert_fails(read_again(&again), err, SKRFS_CLASS_REJECTED, "signature");
    again.wish.chain = stranger->uvm.chain;
    assert_fails(read_again(&again), err, SKRFS_CLASS_REJECTED, "root");
}

/* A key of the right authority whose certificate is for something else. */
static void a_key_for_something_else(void **state) {
    const struct skrfs_cert_spec spec = {.common_name = "elsewhere",
            .subject_key = stranger->uvm.key,
            .issuer_key = pki->uvm_root.key,
            .issuer = pki->uvm_root.chain,
            .days = 1};
    skrfs_autochain *chain = NULL;
    autoagain again;
    (void)state;
    take_again(&again);
    assert_ok(skrfs_cert_issue(&spec, &chain, &err), err);
    again.wish.key = stranger->uvm.key;
    again.wish.chain = chain;
    assert_fails(read_again(&again), err, SKRFS_CLASS_REJECTED, "key that is not for that");
}

/* SevSnpVm over a report, with the lab's own chain or another. */
static int check(struct skrfs_bytes report, struct skrfs_bytes pem, struct skrfs_bytes endorsement,
        struct skrfs_lab_proof *proof) {
    skrfs_autobuf body = SKRFS_BUF(ROOM);
    skrfs_lab_proof_init(proof);
    assert_ok(skrfs_buf_append_text(&body, "{", &err), err);
    request_snp_report(report, pem, endorsement, &body);
    assert_ok(skrfs_buf_append_text(&body, "}", &err), err);
    assert_ok(
            skrfs_lab_proof_decode(SKRFS_LAB_SEVSNPVM, false, skrfs_buf_bytes(&body), proof, &err),
            err);
    return skrfs_lab_proof_check(proof, &anchors, &err);
}

/* The lab's word about real hardware, and the maker's about the lab's, count for nothing. */
static void words_are_not_mixed(void **state) {
    skrfs_autobuf thim = SKRFS_BUF(ROOM), report = SKRFS_BUF(4096), pem = SKRFS_BUF(ROOM),
                  cose = SKRFS_BUF(ROOM), real = SKRFS_BUF(ROOM);
    skrfs_autojson *json = NULL;
    struct skrfs_lab_endorsement endorsement;
    skrfs_autoproof taken, mixed;
    (void)state;
    skrfs_lab_proof_init(&mixed);
    skrfs_lab_proof_init(&taken);
    vector_read("containers-sgx-tdx/snp-aci-a/snp_report.bin", &report);
    vector_read("containers-sgx-tdx/snp-aci-a/uvm_host_amd_certificate.json", &thim);
    vector_read("containers-sgx-tdx/snp-aci-a/body.uvm_reference_info.bin", &real);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&thim), thim.len, ROOM, &json, &err), err);
    static const char *const parts[] = {"vcekCert", "certificateChain"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(parts); i++)
        assert_ok(skrfs_buf_append_text(
                          &pem, skrfs_json_string(skrfs_json_get(json, parts[i])), &err),
                err);
    assert_ok(
            check(skrfs_buf_bytes(&report), skrfs_buf_bytes(&pem), skrfs_buf_bytes(&real), &taken),
            err);
    assert_true(taken.real);
    assert_ok(skrfs_lab_endorsement_read(skrfs_buf_bytes(&real), NULL, &endorsement, &err), err);
    assert_true(endorsement.real && endorsement.is_uvm);
    /* The same measurement, endorsed by the lab. */
    assert_ok(skrfs_lab_endorsement_make(&pki->uvm, &endorsement, &cose, &err), err);
    assert_fails(
            check(skrfs_buf_bytes(&report), skrfs_buf_bytes(&pem), skrfs_buf_bytes(&cose), &mixed),
            err, SKRFS_CLASS_REJECTED, "launch measurement");
    skrfs_lab_proof_done(&mixed);
    /* A real endorsement beside the lab's report. */
    struct skrfs_lab_snp_wish wish = {.policy = SKRFS_LAB_SNP_POLICY};
    uint8_t own[SKRFS_LAB_SNP_REPORT_LEN];
    skrfs_autobuf own_pem = SKRFS_BUF(ROOM);
    assert_ok(skrfs_lab_make_snp_report(pki, &wish, own, &err), err);
    assert_ok(skrfs_chain_pem(pki->vcek.chain, &own_pem, &err), err);
    assert_fails(check((struct skrfs_bytes){own, sizeof(own)}, skrfs_buf_bytes(&own_pem),
                         skrfs_buf_bytes(&real), &mixed),
            err, SKRFS_CLASS_REJECTED, "launch measurement");
}

#define TCB "1.3.6.1.4.1.3704.1.3."
#define DER_INTEGER(name, value) static const uint8_t name[] = {0x02, 0x01, value}

/* The certificate of a VLEK for the lab's firmware: it names a provider, and no chip. */
static void issue_vlek(const struct skrfs_pkey *key, const char *name, struct skrfs_buf *pem) {
    DER_INTEGER(three, 3);
    DER_INTEGER(zero, 0);
    DER_INTEGER(eight, 8);
    DER_INTEGER(microcode, 115);
    const struct skrfs_cert_extension extensions[] = {{TCB "1", {three, 3}}, {TCB "2", {zero, 3}},
            {TCB "3", {eight, 3}}, {TCB "8", {microcode, 3}}};
    const struct skrfs_cert_spec spec = {.common_name = name,
            .subject_key = key,
            .issuer_key = pki->ask.key,
            .issuer = pki->ask.chain,
            .pss = true,
            .days = 1,
            .extensions = extensions,
            .extension_count = SKRFS_ARRAY_LEN(extensions)};
    skrfs_autochain *chain = NULL;
    assert_ok(skrfs_cert_issue(&spec, &chain, &err), err);
    assert_ok(skrfs_chain_pem(chain, pem, &err), err);
}

/* A report whose signer is said to be a VLEK, signed by this key. */
static void make_vlek_report(
        const struct skrfs_pkey *key, unsigned signer, uint8_t report[SKRFS_LAB_SNP_REPORT_LEN]) {
    struct skrfs_lab_snp_wish wish = {.policy = SKRFS_LAB_SNP_POLICY, .names_processor = true};
    skrfs_autobuf signature = SKRFS_BUF(96);
    assert_ok(skrfs_lab_make_snp_report(pki, &wish, report, &err), err);
    report[0x48] = (uint8_t)(signer << 2);
    memset(report + 0x1A0, 0, 64);
    assert_ok(skrfs_ecdsa_sign(
                      key, SKRFS_SHA384, (struct skrfs_bytes){report, 0x2A0}, &signature, &err),
            err);
    for (size_t i = 0; i < 48; i++) {
        report[0x2A0 + i] = signature.data[47 - i];
        report[0x2E8 + i] = signature.data[95 - i];
    }
}

static void vleks_are_taken(void **state) {
    static const struct {
        const char *name;
        unsigned signer;
        const char *why; /* NULL: taken */
    } rows[] = {
            {"SEV-VLEK", 1, NULL},
            {"SEV-VCEK", 1, "does not begin with the report's VLEK"},
            {"SEV-VLEK", 0, "does not begin with the report's VCEK"},
            {"SEV-VCEK", 0, "not for the report's chip"},
            {"SEV-VLEK", 7, "not signed"},
    };
    skrfs_autopkey *key = NULL;
    (void)state;
    assert_ok(skrfs_pkey_new_ec(SKRFS_P384, &key, &err), err);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        uint8_t report[SKRFS_LAB_SNP_REPORT_LEN];
        skrfs_autobuf pem = SKRFS_BUF(ROOM);
        skrfs_autoproof proof;
        make_vlek_report(key, rows[i].signer, report);
        issue_vlek(key, rows[i].name, &pem);
        int checked = check((struct skrfs_bytes){report, sizeof(report)}, skrfs_buf_bytes(&pem),
                (struct skrfs_bytes){0}, &proof);
        if (rows[i].why)
            assert_fails(checked, err, SKRFS_CLASS_REJECTED, rows[i].why);
        else
            assert_ok(checked, err);
    }
}

/* A real VLEK's report without the certificates above it cannot be judged. */
static void a_leaf_alone_is_refused(void **state) {
    skrfs_autobuf report = SKRFS_BUF(4096), der = SKRFS_BUF(4096), pem = SKRFS_BUF(ROOM);
    skrfs_autochain *leaf = NULL;
    skrfs_autoproof proof;
    (void)state;
    skrfs_lab_proof_init(&proof);
    vector_read("containers-sgx-tdx/snp-vlek/test-vlek-report.bin", &report);
    vector_read("containers-sgx-tdx/snp-vlek/test-vlek.der", &der);
    const struct skrfs_bytes bytes = skrfs_buf_bytes(&der);
    assert_ok(skrfs_chain_from_der(&bytes, 1, &leaf, &err), err);
    assert_ok(skrfs_chain_pem(leaf, &pem, &err), err);
    assert_fails(
            check(skrfs_buf_bytes(&report), skrfs_buf_bytes(&pem), (struct skrfs_bytes){0}, &proof),
            err, SKRFS_CLASS_REJECTED, "not VCEK, ASK and ARK");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_octet_counts),
            cmocka_unit_test(wrong_ones_are_refused),
            cmocka_unit_test(a_key_for_something_else),
            cmocka_unit_test(words_are_not_mixed),
            cmocka_unit_test(vleks_are_taken),
            cmocka_unit_test(a_leaf_alone_is_refused),
    };
    return cmocka_run_group_tests_name("endorsements", tests, set_up, take_down);
}
