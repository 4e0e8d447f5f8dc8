/* Chains of AMD's as captured, and chains of our own in every wrong shape. */
#include "support.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/x509.h>

#define OID_UCODE "1.3.6.1.4.1.3704.1.3.8"
#define OID_HWID "1.3.6.1.4.1.3704.1.4"

static struct skrfs_error err;

static struct skrfs_chain *chain_of(const struct skrfs_buf *pem) {
    struct skrfs_chain *chain = NULL;
    assert_ok(skrfs_chain_from_pem(skrfs_buf_text(pem), pem->len, &chain, &err), err);
    return chain;
}

static size_t extension_len(const struct skrfs_chain *chain, const char *oid) {
    skrfs_autobuf out = SKRFS_BUF(4096);
    bool found = false;
    assert_ok(skrfs_chain_leaf_extension(chain, oid, &out, &found, &err), err);
    assert_true(found);
    return out.len;
}

static void test_milan(void **state) {
    (void)state;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    vector_read("cvm/certs-kinvolk.pem", &pem);
    skrfs_autochain *chain = chain_of(&pem);
    assert_int_equal(skrfs_chain_len(chain), 3);
    assert_ok(skrfs_chain_verify_links(chain, &err), err);
    uint64_t ucode = 0;
    assert_ok(skrfs_chain_leaf_integer(chain, OID_UCODE, &ucode, &err), err);
    assert_int_equal(ucode, 115);
    assert_int_equal(extension_len(chain, OID_HWID), 64);
    char name[64];
    assert_ok(skrfs_chain_leaf_name(chain, name, sizeof(name), &err), err);
    assert_string_equal(name, "SEV-VCEK");
    struct skrfs_public public;
    skrfs_autopkey *key = NULL;
    assert_ok(skrfs_chain_leaf_key(chain, &key, &err), err);
    assert_ok(skrfs_pkey_public(key, &public, &err), err);
    assert_int_equal(public.curve, SKRFS_P384);

    /* The same root in another chain. */
    skrfs_autobuf other_pem = SKRFS_BUF(SKRFS_PEM_MAX);
    vector_read("cvm/gosevguest-milan-ask-ark.pem", &other_pem);
    skrfs_autochain *authorities = chain_of(&other_pem);
    assert_true(skrfs_chain_same_root(chain, authorities));
    assert_ok(skrfs_chain_verify_links(authorities, &err), err);

    /* Another chip's VCEK under it is well, without the ASK it is not. */
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    vector_read("cvm/gosevguest-vcek.der", &der);
    struct skrfs_bytes certs[2] = {skrfs_buf_bytes(&der)};
    skrfs_autobuf ark = SKRFS_BUF(SKRFS_CERT_MAX);
    assert_ok(skrfs_chain_der(authorities, 1, &ark, &err), err);
    certs[1] = skrfs_buf_bytes(&ark);
    skrfs_autochain *gap = NULL;
    assert_ok(skrfs_chain_from_der(certs, 2, &gap, &err), err);
    assert_fails(skrfs_chain_verify_links(gap, &err), err, SKRFS_CLASS_BAD_ANSWER, "certificate 1");
    skrfs_autochain *open = NULL;
    assert_ok(skrfs_chain_from_der(certs, 1, &open, &err), err);
    assert_fails(skrfs_chain_verify_links(open, &err), err, SKRFS_CLASS_BAD_ANSWER, "itself");
    assert_false(skrfs_chain_same_root(chain, open));
}

static void test_turin(void **state) {
    (void)state;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    const char *const parts[] = {"turin_vcek.pem", "turin_ask.pem", "turin_ark.pem"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        skrfs_autobuf part = SKRFS_BUF(SKRFS_PEM_MAX);
        snprintf(path, sizeof(path), "containers-sgx-tdx/snp-turin-v5/%s", parts[i]);
        vector_read(path, &part);
        assert_ok(skrfs_buf_append(&pem, part.data, part.len, &err), err);
        assert_ok(skrfs_buf_append_text(&pem, "\n", &err), err);
    }
    skrfs_autochain *chain = chain_of(&pem);
    assert_ok(skrfs_chain_verify_links(chain, &err), err);
    assert_int_equal(extension_len(chain, OID_HWID), 8);
    uint64_t fmc = 0;
    uint64_t ucode = 0;
    assert_ok(skrfs_chain_leaf_integer(chain, "1.3.6.1.4.1.3704.1.3.9", &fmc, &err), err);
    assert_int_equal(fmc, 1);
    assert_ok(skrfs_chain_leaf_integer(chain, OID_UCODE, &ucode, &err), err);
    assert_int_equal(ucode, 0x51);
}

/* Decodes the base64url value of a member out of JSON text. */
static void decode_member(const struct skrfs_buf *json, const char *name, struct skrfs_buf *out) {
    char needle[64];
    snprintf(needle, sizeof(needle), "\"%s\"", name);
    const char *at = strstr(skrfs_buf_text(json), needle);
    assert_non_null(at);
    at = strchr(at + strlen(needle), '"') + 1;
    assert_ok(skrfs_base64_decode(SKRFS_BASE64_ANY, at, strcspn(at, "\""), out, &err), err);
}

/* ucode 0xdb: a two-octet INTEGER, which a parser of the last of three octets reads as 0. */
static void test_cleanroom(void **state) {
    (void)state;
    skrfs_autobuf request = SKRFS_BUF(256 * 1024);
    skrfs_autobuf report = SKRFS_BUF(256 * 1024);
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    vector_read("containers-sgx-tdx/snp-aci-cleanroom/maa-request.json", &request);
    decode_member(&request, "report", &report);
    decode_member(&report, "VcekCertChain", &pem);
    skrfs_autochain *chain = chain_of(&pem);
    assert_ok(skrfs_chain_verify_links(chain, &err), err);
    uint64_t ucode = 0;
    assert_ok(skrfs_chain_leaf_integer(chain, OID_UCODE, &ucode, &err), err);
    assert_int_equal(ucode, 0xdb);
    assert_fails(skrfs_chain_leaf_integer(chain, "1.2.3.4", &ucode, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "no extension 1.2.3.4");
    assert_fails(skrfs_chain_leaf_integer(chain, OID_HWID, &ucode, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not a number");
}

/* An authority and a server of it, made for the test. */
struct authority {
    struct skrfs_pkey *key, *leaf_key;
    struct skrfs_chain *chain;
    struct skrfs_trust *trust;
};

static struct authority lab;

static struct skrfs_trust *trust_of(const struct skrfs_chain *chain) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    struct skrfs_trust *trust = NULL;
    assert_ok(skrfs_chain_pem(chain, &pem, &err), err);
    assert_ok(skrfs_trust_from_pem(skrfs_buf_text(&pem), pem.len, &trust, &err), err);
    return trust;
}

static int authority_new(void **state) {
    (void)state;
    assert_ok(skrfs_pkey_new_rsa(2048, &lab.key, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &lab.leaf_key, &err), err);
    const struct skrfs_cert_spec spec = {.common_name = "test authority",
            .subject_key = lab.key,
            .issuer_key = lab.key,
            .authority = true,
            .days = 30};
    assert_ok(skrfs_cert_issue(&spec, &lab.chain, &err), err);
    lab.trust = trust_of(lab.chain);
    return 0;
}

static int authority_done(void **state) {
    (void)state;
    skrfs_pkey_free(lab.key);
    skrfs_pkey_free(lab.leaf_key);
    skrfs_chain_free(lab.chain);
    skrfs_trust_free(lab.trust);
    return 0;
}

static struct skrfs_chain *server(const char *const *names) {
    struct skrfs_chain *chain = NULL;
    const struct skrfs_cert_spec spec = {.common_name = "server",
            .subject_key = lab.leaf_key,
            .issuer_key = lab.key,
            .issuer = lab.chain,
            .dns_names = names,
            .days = 10};
    assert_ok(skrfs_cert_issue(&spec, &chain, &err), err);
    return chain;
}

static void test_server(void **state) {
    (void)state;
    const char *const names[] = {"vault.azure.net", "*.vault.azure.net", "IP:127.0.0.1", NULL};
    skrfs_autochain *chain = server(names);
    int64_t now = skrfs_wall_s();
    assert_int_equal(skrfs_chain_len(chain), 2);
    assert_ok(skrfs_chain_verify_links(chain, &err), err);
    assert_ok(
            skrfs_chain_verify_server(chain, lab.trust, "contoso.vault.azure.net", now, &err), err);
    assert_ok(skrfs_chain_verify_server(chain, lab.trust, "vault.azure.net", now, &err), err);
    assert_ok(skrfs_chain_verify_server(chain, lab.trust, "127.0.0.1", now, &err), err);
    const char *const wrong[] = {
            "a.b.vault.azure.net", "contoso.vault.azure.com", "127.0.0.2", "::1", "server"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++)
        assert_fails(skrfs_chain_verify_server(chain, lab.trust, wrong[i], now, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "another host");
    assert_fails(
            skrfs_chain_verify_server(chain, lab.trust, "", now, &err), err, SKRFS_CLASS_BUG, "''");
    assert_fails(skrfs_chain_verify_server(chain, lab.trust, ".azure.net", now, &err), err,
            SKRFS_CLASS_BUG, "");
    assert_fails(skrfs_chain_verify_server(chain, lab.trust, "127.0.0.1", now + 11 * 86400, &err),
            err, SKRFS_CLASS_BAD_ANSWER, "expired");
    assert_fails(skrfs_chain_verify_server(chain, lab.trust, "127.0.0.1", now - 86400, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not valid yet");
}

static void test_not_trusted(void **state) {
    (void)state;
    const char *const names[] = {"contoso.vault.azure.net", NULL};
    skrfs_autochain *chain = server(names);
    skrfs_autopkey *key = NULL;
    skrfs_autochain *other = NULL;
    assert_ok(skrfs_pkey_new_ec(SKRFS_P256, &key, &err), err);
    /* Of the same name as the true one. */
    const struct skrfs_cert_spec spec = {.common_name = "test authority",
            .subject_key = key,
            .issuer_key = key,
            .authority = true,
            .days = 30};
    assert_ok(skrfs_cert_issue(&spec, &other, &err), err);
    SKRFS_CLEANUP(skrfs_trust_free_p) struct skrfs_trust *trust = trust_of(other);
    int64_t now = skrfs_wall_s();
    assert_fails(skrfs_chain_verify_server(chain, trust, names[0], now, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not trusted");
    /* A root that was only sent along. */
    SKRFS_CLEANUP(skrfs_trust_free_p) struct skrfs_trust *system = NULL;
    if (skrfs_trust_system(&system, &err) == 0)
        assert_fails(skrfs_chain_verify_server(chain, system, names[0], now, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "not trusted");
    /* A trusted authority is no server. */
    assert_fails(skrfs_chain_verify_server(lab.chain, lab.trust, names[0], now, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not one for servers");
}

/* A leaf without authority signs nobody. */
static void test_leaf_is_no_authority(void **state) {
    (void)state;
    const char *const names[] = {"contoso.vault.azure.net", NULL};
    skrfs_autochain *leaf = server(names);
    skrfs_autopkey *key = NULL;
    skrfs_autochain *chain = NULL;
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    struct skrfs_cert_spec spec = {.common_name = "x",
            .subject_key = key,
            .issuer_key = lab.leaf_key,
            .issuer = leaf,
            .dns_names = names,
            .days = 5};
    assert_ok(skrfs_cert_issue(&spec, &chain, &err), err);
    assert_int_equal(skrfs_chain_len(chain), 3);
    assert_int_equal(
            skrfs_chain_verify_server(chain, lab.trust, names[0], skrfs_wall_s(), &err), -1);
    assert_int_equal(err.kind, SKRFS_CLASS_BAD_ANSWER);
    assert_fails(
            skrfs_chain_verify_links(chain, &err), err, SKRFS_CLASS_BAD_ANSWER, "certificate 1");
    skrfs_autochain *none = NULL;
    spec.issuer_key = key;
    assert_fails(skrfs_cert_issue(&spec, &none, &err), err, SKRFS_CLASS_CONFIG, "does not belong");
}

/* A chain as AMD's: PSS, own extensions, no usage; good as links, never as a server. */
static void test_amd_like(void **state) {
    (void)state;
    skrfs_autopkey *vcek = NULL;
    skrfs_autochain *ark = NULL;
    skrfs_autochain *chain = NULL;
    assert_ok(skrfs_pkey_new_ec(SKRFS_P384, &vcek, &err), err);
    struct skrfs_cert_spec spec = {.common_name = "ARK-Lab",
            .subject_key = lab.key,
            .issuer_key = lab.key,
            .authority = true,
            .pss = true,
            .days = 30};
    assert_ok(skrfs_cert_issue(&spec, &ark, &err), err);
    const struct skrfs_cert_extension extensions[] = {
            {OID_UCODE, {(const uint8_t *)"\x02\x02\x00\xdb", 4}},
            {OID_HWID, {(const uint8_t *)"\x01\x02", 2}}};
    spec = (struct skrfs_cert_spec){.common_name = "SEV-VCEK",
            .subject_key = vcek,
            .issuer_key = lab.key,
            .issuer = ark,
            .pss = true,
            .days = 30,
            .extensions = extensions,
            .extension_count = 2};
    assert_ok(skrfs_cert_issue(&spec, &chain, &err), err);
    assert_ok(skrfs_chain_verify_links(chain, &err), err);
    uint64_t ucode = 0;
    assert_ok(skrfs_chain_leaf_integer(chain, OID_UCODE, &ucode, &err), err);
    assert_int_equal(ucode, 0xdb);
    assert_int_equal(extension_len(chain, OID_HWID), 2);
    SKRFS_CLEANUP(skrfs_trust_free_p) struct skrfs_trust *trust = trust_of(ark);
    assert_int_equal(skrfs_chain_verify_server(chain, trust, "SEV-VCEK", skrfs_wall_s(), &err), -1);
}

static void test_not_for_servers(void **state) {
    (void)state;
    /* The captured leaf of a server says serverAuth; an authority's key usage forbids being one. */
    const char *const names[] = {"ca.example", NULL};
    skrfs_autopkey *key = NULL;
    skrfs_autochain *chain = NULL;
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    const struct skrfs_cert_extension client_only = {
            "2.5.29.37", {(const uint8_t *)"\x30\x0a\x06\x08\x2b\x06\x01\x05"
                                           "\x05\x07\x03\x02",
                                 12}};
    const struct skrfs_cert_spec spec = {.common_name = "client",
            .subject_key = key,
            .issuer_key = lab.key,
            .issuer = lab.chain,
            .dns_names = names,
            .pss = true, /* no usage of its own */
            .days = 5,
            .extensions = &client_only,
            .extension_count = 1};
    assert_ok(skrfs_cert_issue(&spec, &chain, &err), err);
    assert_fails(skrfs_chain_verify_server(chain, lab.trust, "ca.example", skrfs_wall_s(), &err),
            err, SKRFS_CLASS_BAD_ANSWER, "not one for servers");
}

static void test_pem_refusals(void **state) {
    (void)state;
    skrfs_autochain *none = NULL;
    skrfs_autobuf pem = SKRFS_BUF(2 * SKRFS_PEM_MAX);
    assert_ok(skrfs_chain_pem(lab.chain, &pem, &err), err);
    size_t one = pem.len;
    assert_fails(skrfs_chain_from_pem("", 0, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "no certificate");
    assert_fails(skrfs_chain_from_pem("hello\n", 6, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "no certificate");
    assert_fails(skrfs_chain_from_pem(skrfs_buf_text(&pem), one - 30, &none, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "malformed");
    skrfs_autobuf key_pem = SKRFS_BUF(SKRFS_PEM_MAX);
    assert_ok(skrfs_buf_append(&key_pem, pem.data, pem.len, &err), err);
    assert_ok(skrfs_pkey_public_pem(lab.key, &key_pem, &err), err);
    assert_fails(skrfs_chain_from_pem(skrfs_buf_text(&key_pem), key_pem.len, &none, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "something else");
    for (int i = 0; i < SKRFS_CHAIN_MAX; i++)
        assert_ok(skrfs_chain_pem(lab.chain, &pem, &err), err);
    assert_fails(skrfs_chain_from_pem(skrfs_buf_text(&pem), pem.len, &none, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "more than 8");
    assert_fails(skrfs_chain_from_pem(skrfs_buf_text(&pem), SKRFS_PEM_MAX + 1, &none, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "refused");
}

static void test_der_refusals(void **state) {
    (void)state;
    skrfs_autochain *none = NULL;
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    assert_ok(skrfs_chain_der(lab.chain, 0, &der, &err), err);
    assert_ok(skrfs_buf_append(&der, "", 1, &err), err);
    struct skrfs_bytes bytes = skrfs_buf_bytes(&der);
    assert_fails(skrfs_chain_from_der(&bytes, 1, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "behind certificate 1");
    bytes.len -= 2;
    assert_fails(
            skrfs_chain_from_der(&bytes, 1, &none, &err), err, SKRFS_CLASS_BAD_ANSWER, "malformed");
    assert_fails(skrfs_chain_from_der(&bytes, 0, &none, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "no certificate");
    assert_fails(
            skrfs_chain_der(lab.chain, 1, &der, &err), err, SKRFS_CLASS_BUG, "no certificate 1");
}

int main(void) {
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_milan),
            cmocka_unit_test(test_turin),
            cmocka_unit_test(test_cleanroom),
            cmocka_unit_test(test_server),
            cmocka_unit_test(test_not_trusted),
            cmocka_unit_test(test_leaf_is_no_authority),
            cmocka_unit_test(test_amd_like),
            cmocka_unit_test(test_not_for_servers),
            cmocka_unit_test(test_pem_refusals),
            cmocka_unit_test(test_der_refusals),
    };
    return cmocka_run_group_tests(tests, authority_new, authority_done);
}
