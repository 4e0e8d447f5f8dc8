/* A released JWS: a real one, and of our own every altered form, each refused with its own reason.
 */
#include "vault.h"

#include <skrfs/base/clock.h>

static struct skrfs_error err;
static struct test_vault vault;
static struct skrfs_public public;
static uint8_t wrapped[256 + 1232];

static int setup(void **state) {
    (void)state;
    skrfs_autopkey *key = NULL;
    test_vault_init(&vault);
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    assert_ok(skrfs_pkey_public(key, &public, &err), err);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    test_vault_done(&vault);
    return 0;
}

static struct skrfs_answer_wish right_wish(void) {
    return (struct skrfs_answer_wish){.trust = vault.trust,
            .host = TEST_HOST,
            .wall_s = skrfs_wall_s(),
            .name = "disk-data",
            .nonce = "the-nonce",
            .kek_kid = TEST_KEK,
            .enc = SKRFS_ENC_SHA256};
}

static struct test_answer right_answer(void) {
    struct test_answer answer;
    test_answer_init(&answer, &public, (struct skrfs_bytes){wrapped, sizeof(wrapped)});
    return answer;
}

static void accepted(const struct test_answer *answer, const struct skrfs_answer_wish *wish) {
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    struct skrfs_answer got = {0};
    test_answer_jws(&vault, answer, &jws);
    assert_ok(skrfs_answer_verify(skrfs_buf_bytes(&jws), wish, &got, &err), err);
    assert_string_equal(got.version, TEST_VERSION);
    assert_string_equal(got.kid, answer->kid);
    assert_int_equal(got.wrapped.len, answer->wrapped.len);
    assert_int_equal(got.expires_s, answer->expires_s);
    assert_true(got.type == SKRFS_KEY_OCT || skrfs_public_equal(&got.public, &public));
    skrfs_answer_done(&got);
}

static void refused_wish(const struct test_answer *answer, const struct skrfs_answer_wish *wish,
        const char *reason) {
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    struct skrfs_answer got = {0};
    test_answer_jws(&vault, answer, &jws);
    assert_fails(skrfs_answer_verify(skrfs_buf_bytes(&jws), wish, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, reason);
    assert_non_null(strstr(err.message, "the vault's answer is refused: "));
    assert_null(got.wrapped.data);
}

static void refused(const struct test_answer *answer, const char *reason) {
    const struct skrfs_answer_wish wish = right_wish();
    refused_wish(answer, &wish, reason);
}

static void test_accepted(void **state) {
    (void)state;
    struct skrfs_answer_wish wish = right_wish();
    struct test_answer answer = right_answer();
    answer.expires_s = 1900000000;
    accepted(&answer, &wish);
    /* Without the root, with another case of the host, with a port. */
    answer.chain_to = 1;
    wish.host = "PROD.vault.azure.NET";
    answer.kid = "https://prod.vault.azure.net:8443/keys/disk-data/" TEST_VERSION;
    answer.request_kid = "https://prod.vault.azure.net:8443/keys/disk-data";
    accepted(&answer, &wish);
    answer.kty = "RSA";
    accepted(&answer, &wish);
    answer.kty = "oct-HSM";
    accepted(&answer, &wish);
    /* A version that was asked for. */
    wish.version = TEST_VERSION;
    answer.request_kid = answer.kid;
    accepted(&answer, &wish);
    /* None asked, none there. */
    wish.nonce = NULL;
    answer.nonce = NULL;
    accepted(&answer, &wish);
}

static void test_algorithms(void **state) {
    (void)state;
    const char *const wrong[] = {"none", "HS256", "PS256", "RS384", "rs256", ""};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        struct test_answer answer = right_answer();
        answer.alg = wrong[i];
        refused(&answer, "another algorithm than RS256");
        answer.no_signature = true;
        refused(&answer, "another algorithm than RS256");
    }
    struct test_answer answer = right_answer();
    answer.no_signature = true;
    refused(&answer, "signature is wrong");
    answer = right_answer();
    answer.critical = true;
    refused(&answer, "critical");
}

static void test_chain(void **state) {
    (void)state;
    struct test_answer answer = right_answer();
    answer.chain_to = 0;
    refused(&answer, "0 certificates");
    answer.chain_from = 1;
    answer.chain_to = 2;
    refused(&answer, "not one for servers");
    answer = right_answer();
    struct skrfs_answer_wish wish = right_wish();
    wish.wall_s += 11 * 86400;
    refused_wish(&answer, &wish, "expired");
    wish = right_wish();
    wish.wall_s -= 86400;
    refused_wish(&answer, &wish, "not valid yet");
    wish = right_wish();
    wish.host = "prod.managedhsm.azure.net";
    refused_wish(&answer, &wish, "another host");
    /* A vault with an authority of its own. */
    struct test_vault other;
    test_vault_init(&other);
    wish = right_wish();
    wish.trust = other.trust;
    refused_wish(&answer, &wish, "not trusted");
    /* Our certificates, another's signature. */
    struct test_vault mixed = vault;
    mixed.leaf_key = other.leaf_key;
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    struct skrfs_answer got = {0};
    test_answer_jws(&mixed, &answer, &jws);
    wish = right_wish();
    assert_fails(skrfs_answer_verify(skrfs_buf_bytes(&jws), &wish, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "signature is wrong");
    test_vault_done(&other);
}

/* A wildcard certificate fits every vault of the region: the kid is what names ours. */
static void test_kids(void **state) {
    (void)state;
    struct test_answer answer = right_answer();
    answer.request_kid = "https://evil.vault.azure.net/keys/disk-data";
    refused(&answer,
            "'request.kid': it is for the vault 'evil.vault.azure.net', not '" TEST_HOST "'");
    answer = right_answer();
    answer.kid = "https://evil.vault.azure.net/keys/disk-data/" TEST_VERSION;
    refused(&answer, "'response.key.key.kid': it is for the vault 'evil.vault.azure.net'");
    answer = right_answer();
    answer.request_kid = "https://" TEST_HOST "/keys/other";
    refused(&answer, "'request.kid': it is for the key 'other', not 'disk-data'");
    answer = right_answer();
    answer.kid = "https://" TEST_HOST "/keys/other/" TEST_VERSION;
    refused(&answer, "'response.key.key.kid': it is for the key 'other'");
    answer = right_answer();
    answer.kid = "https://" TEST_HOST "/keys/disk-data";
    refused(&answer, "which version");
    answer = right_answer();
    answer.request_kid = "https://" TEST_HOST "/keys/disk-data/" TEST_VERSION;
    refused(&answer, "another version than the current one");
}

static void test_versions(void **state) {
    (void)state;
    struct skrfs_answer_wish wish = right_wish();
    wish.version = "ffff456789abcdef0123456789abcdef";
    struct test_answer answer = right_answer();
    refused_wish(&answer, &wish, "'request.kid': it is for the version ''");
    answer.request_kid = "https://" TEST_HOST "/keys/disk-data/ffff456789abcdef0123456789abcdef";
    refused_wish(
            &answer, &wish, "'response.key.key.kid': it is for the version '" TEST_VERSION "'");
}

static void test_kid_forms(void **state) {
    (void)state;
    const char *const wrong[] = {"", "https://", "http://" TEST_HOST "/keys/disk-data",
            TEST_HOST "/keys/disk-data", "https://" TEST_HOST "/keys/",
            "https://" TEST_HOST "/secrets/disk-data", "https://" TEST_HOST "/keys/disk-data/",
            "https://" TEST_HOST "/keys/disk-data/a/b", "https://" TEST_HOST "/keys/disk-data?x",
            "https://" TEST_HOST ":/keys/disk-data", "https://me@" TEST_HOST "/keys/disk-data",
            "https://[::1/keys/disk-data"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        struct test_answer answer = right_answer();
        answer.request_kid = wrong[i];
        refused(&answer, "'request.kid': not a key identifier");
    }
}

static void test_nonce_and_wrapping(void **state) {
    (void)state;
    struct test_answer answer = right_answer();
    answer.nonce = "another";
    refused(&answer, "nonce");
    answer.nonce = NULL;
    refused(&answer, "nonce");
    answer = right_answer();
    struct skrfs_answer_wish wish = right_wish();
    wish.nonce = NULL;
    refused_wish(&answer, &wish, "nonce");
    answer.enc = "CKM_RSA_AES_KEY_WRAP";
    refused(&answer,
            "it is for the key wrapping (enc) 'CKM_RSA_AES_KEY_WRAP', not 'RSA_AES_KEY_WRAP_256'");
    answer = right_answer();
    answer.wrap_enc = "CKM_RSA_AES_KEY_WRAP";
    refused(&answer, "'key_hsm': it is for the key wrapping (enc) 'CKM_RSA_AES_KEY_WRAP'");
    answer = right_answer();
    answer.kek_kid = "HCLAkPub";
    refused(&answer, "'key_hsm': it is for the wrapping key 'HCLAkPub', not '" TEST_KEK "'");
    answer = right_answer();
    answer.wrap_alg = "RSA-OAEP";
    refused(&answer, "algorithm 'RSA-OAEP'");
    answer = right_answer();
    answer.schema = "2.0";
    refused(&answer, "schema '2.0'");
    answer = right_answer();
    answer.kty = "AKP";
    refused(&answer, "type is unknown");
    const size_t lengths[] = {0, 255, 256, 264, 271, 273};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lengths); i++) {
        answer = right_answer();
        answer.wrapped.len = lengths[i];
        refused(&answer, "cannot have");
    }
}

/* Every octet of the text counts. */
static void test_altered_text(void **state) {
    (void)state;
    const struct skrfs_answer_wish wish = right_wish();
    const struct test_answer answer = right_answer();
    skrfs_autobuf jws = SKRFS_BUF(2 * SKRFS_JWS_MAX);
    struct skrfs_answer got = {0};
    test_answer_jws(&vault, &answer, &jws);
    struct skrfs_bytes whole = skrfs_buf_bytes(&jws);
    for (size_t at = 0; at < whole.len; at += 1 + whole.len / 300) {
        uint8_t octet = jws.data[at];
        jws.data[at] = octet == 'A' ? 'B' : 'A';
        assert_int_equal(skrfs_answer_verify(whole, &wish, &got, &err), -1);
        assert_int_equal(err.kind, SKRFS_CLASS_BAD_ANSWER);
        jws.data[at] = octet;
    }
    size_t signature = (size_t)((const uint8_t *)memrchr(jws.data, '.', jws.len) - jws.data) + 10;
    jws.data[signature] = jws.data[signature] == 'A' ? 'B' : 'A';
    assert_fails(skrfs_answer_verify(whole, &wish, &got, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "signature is wrong");
    for (size_t len = 0; len < whole.len; len += 1 + whole.len / 100)
        assert_int_equal(
                skrfs_answer_verify((struct skrfs_bytes){whole.data, len}, &wish, &got, &err), -1);
}

static void test_parts(void **state) {
    (void)state;
    const struct skrfs_answer_wish wish = right_wish();
    const struct test_answer answer = right_answer();
    skrfs_autobuf jws = SKRFS_BUF(2 * SKRFS_JWS_MAX);
    struct skrfs_answer got = {0};
    test_answer_jws(&vault, &answer, &jws);
    const char *const trailing[] = {".", ".AAAA", ".e30."};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(trailing); i++) {
        skrfs_autobuf longer = SKRFS_BUF(2 * SKRFS_JWS_MAX);
        assert_ok(skrfs_buf_append(&longer, jws.data, jws.len, &err), err);
        assert_ok(skrfs_buf_append_text(&longer, trailing[i], &err), err);
        assert_fails(skrfs_answer_verify(skrfs_buf_bytes(&longer), &wish, &got, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "three parts");
    }
    const char *const shorter[] = {"", ".", "a.b", "..", "e30.e30.", "e30..AA"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(shorter); i++) {
        const struct skrfs_bytes bytes = {(const uint8_t *)shorter[i], strlen(shorter[i])};
        assert_int_equal(skrfs_answer_verify(bytes, &wish, &got, &err), -1);
        assert_int_equal(err.kind, SKRFS_CLASS_BAD_ANSWER);
    }
    uint8_t *space = NULL;
    assert_ok(skrfs_buf_extend(&jws, SKRFS_JWS_MAX, &space, &err), err);
    assert_fails(skrfs_answer_verify(skrfs_buf_bytes(&jws), &wish, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "more than");
}

/* A release of a Managed HSM as recorded on 2023-03-28; its nonce was not asked for. */
static void test_captured(void **state) {
    (void)state;
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    vector_read("azure-rest/mhsm-ec-p256k-release.jws", &jws);
    while (jws.len && jws.data[jws.len - 1] == '\n')
        skrfs_buf_truncate(&jws, jws.len - 1);
    SKRFS_CLEANUP(skrfs_trust_free_p) struct skrfs_trust *trust = NULL;
    if (access("/etc/ssl/certs/DigiCert_Global_Root_G2.pem", R_OK) != 0 ||
            skrfs_trust_system(&trust, &err) < 0) {
        print_message("DigiCert Global Root G2 is not installed (ca-certificates): skipped\n");
        skip();
    }
    struct skrfs_answer_wish wish = {.trust = trust,
            .host = "gracewilcox2hsm.managedhsm.azure.net",
            .wall_s = 1680041249,
            .name = "testreleasekey2633194999",
            .kek_kid = "fake-release-key",
            .enc = SKRFS_ENC_SHA1};
    struct skrfs_answer got = {0};
    assert_ok(skrfs_answer_verify(skrfs_buf_bytes(&jws), &wish, &got, &err), err);
    assert_int_equal(got.type, SKRFS_KEY_EC);
    assert_int_equal(got.public.curve, SKRFS_P256K);
    assert_int_equal(got.wrapped.len, 400);
    assert_string_equal(got.version, "016cf421bbb242bfaaabdd924c67e0fb");
    assert_int_equal(got.expires_s, 0);
    skrfs_answer_done(&got);
    wish.wall_s = 1800000000;
    assert_fails(skrfs_answer_verify(skrfs_buf_bytes(&jws), &wish, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "expired");
    wish.wall_s = 1680041249;
    wish.host = "other.managedhsm.azure.net";
    assert_fails(skrfs_answer_verify(skrfs_buf_bytes(&jws), &wish, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "another host");
    wish.host = "gracewilcox2hsm.managedhsm.azure.net";
    wish.trust = vault.trust;
    assert_fails(skrfs_answer_verify(skrfs_buf_bytes(&jws), &wish, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not trusted");
    wish.trust = trust;
    jws.data[jws.len - 40] ^= 1;
    assert_fails(skrfs_answer_verify(skrfs_buf_bytes(&jws), &wish, &got, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "signature");
}

int main(void) {
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_accepted),
            cmocka_unit_test(test_algorithms),
            cmocka_unit_test(test_chain),
            cmocka_unit_test(test_kids),
            cmocka_unit_test(test_versions),
            cmocka_unit_test(test_kid_forms),
            cmocka_unit_test(test_nonce_and_wrapping),
            cmocka_unit_test(test_altered_text),
            cmocka_unit_test(test_parts),
            cmocka_unit_test(test_captured),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
