#include "support.h"

#include "../../../src/azure/login.h"

static struct skrfs_bytes bytes_of(const char *text) {
    return (struct skrfs_bytes){(const uint8_t *)text, strlen(text)};
}

static int read_token(const char *text, struct access_token *token, struct skrfs_error *err) {
    return skrfs_identity_answer(bytes_of(text), token, err);
}

static void reads_access_tokens(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t expires_s, refresh_s; /* since 1970, or from now when small */
    } cases[] = {
            {"{\"access_token\":\"a.b-_~+/=\",\"expires_on\":\"1800000000\"}", 1800000000, 0},
            {"{\"access_token\":\"a.b-_~+/=\",\"expires_on\":1800000001}", 1800000001, 0},
            {"{\"access_token\":\"a.b-_~+/=\",\"expires_in\":\"600\"}", 600, 0},
            {"{\"access_token\":\"a.b-_~+/=\",\"expires_in\":3599,\"refresh_in\":1800}", 3599,
                    1800},
            {"{\"access_token\":\"a.b-_~+/=\",\"expires_on\":\"1800000000\",\"refresh_on\":"
             "\"1700000000\"}",
                    1800000000, 1700000000},
            /* A refresh after the end is none. */
            {"{\"access_token\":\"a.b-_~+/=\",\"expires_in\":60,\"refresh_in\":90}", 60, 0},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        auto_access_token token = ACCESS_TOKEN;
        int64_t now = skrfs_wall_s(), past = cases[i].expires_s < 10000 ? now : 0;
        assert_ok(read_token(cases[i].text, &token, &err), err);
        assert_string_equal(skrfs_buf_text(&token.text), "a.b-_~+/=");
        assert_in_range(token.expires_s, past + cases[i].expires_s, past + cases[i].expires_s + 30);
        if (cases[i].refresh_s)
            assert_in_range(
                    token.refresh_s, past + cases[i].refresh_s, past + cases[i].refresh_s + 30);
        else
            assert_int_equal(token.refresh_s, 0);
    }
}

static void refuses_odd_access_tokens(void **state) {
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
            {"{\"expires_on\":\"1\"}", "access_token"},
            {"{\"access_token\":\"\",\"expires_on\":\"1\"}", "characters"},
            {"{\"access_token\":\"a\\r\\nHost: evil\",\"expires_on\":\"1\"}", "characters"},
            {"{\"access_token\":\"a b\",\"expires_on\":\"1\"}", "characters"},
            {"{\"access_token\":\"a\"}", "expires_on"},
            {"{\"access_token\":\"a\",\"expires_on\":\"-5\"}", "expires_on"},
            {"{\"access_token\":\"a\",\"expires_on\":\"99999999999999999999\"}", "expires_on"},
            {"{\"access_token\":\"a\",\"expires_in\":9223372036854775807}", "expires_on"},
            {"{\"access_token\":\"a\",\"expires_on\":\"soon\"}", "expires_on"},
            {"<html>", "JSON"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        auto_access_token token = ACCESS_TOKEN;
        assert_fails(
                read_token(cases[i].text, &token, &err), err, SKRFS_CLASS_BAD_ANSWER, cases[i].why);
        assert_int_equal(token.text.len, 0);
    }
}

static void asks_for_the_right_identity(void **state) {
    (void)state;
    static const struct {
        const char *text, *query;
    } cases[] = {
            {"system", ""},
            {"client-id:1-2", "&client_id=1-2"},
            {"object-id:3", "&object_id=3"},
            {"resource-id:/subscriptions/a b", "&msi_res_id=%2Fsubscriptions%2Fa%20b"},
    };
    const struct skrfs_cloud cloud = {.imds = "http://127.0.0.1:1"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        struct token_slot slot = {.resource = "https://vault.azure.net"};
        skrfs_autobuf url = SKRFS_BUF(URL_MAX);
        char wanted[256];
        assert_ok(
                skrfs_identity_parse(cases[i].text, &slot.identity, &slot.identity_id, &err), err);
        assert_ok(skrfs_identity_url(&cloud, &slot, &url, &err), err);
        snprintf(wanted, sizeof(wanted),
                "http://127.0.0.1:1/metadata/identity/oauth2/"
                "token?api-version=2018-02-01&resource=https%%3A%%2F%%"
                "2Fvault.azure.net%s",
                cases[i].query);
        assert_string_equal(skrfs_buf_text(&url), wanted);
    }
    static const char *const wrong[] = {"", "System", "system:", "client-id:", "client_id:x",
            "user", "workload:x", "secret-file:", "certificate-file", "workloads"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        struct skrfs_error err = {0};
        enum skrfs_identity_kind kind;
        const char *id = NULL;
        assert_fails(skrfs_identity_parse(wrong[i], &kind, &id, &err), err, SKRFS_CLASS_CONFIG,
                "is none of");
    }
}

static void resource(const char *host, const char *wanted) {
    struct skrfs_error err = {0};
    char out[RESOURCE_MAX];
    if (wanted) {
        assert_ok(skrfs_vault_resource(host, out, sizeof(out), &err), err);
        assert_string_equal(out, wanted);
    } else {
        assert_fails(
                skrfs_vault_resource(host, out, sizeof(out), &err), err, SKRFS_CLASS_CONFIG, host);
    }
}

static void tells_audiences_by_suffix(void **state) {
    (void)state;
    resource("contoso.vault.azure.net", "https://vault.azure.net");
    resource("h.managedhsm.azure.net", "https://managedhsm.azure.net");
    resource("c.vault.azure.cn", "https://vault.azure.cn");
    resource("c.managedhsm.azure.cn", "https://managedhsm.azure.cn");
    resource("c.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net");
    resource("c.managedhsm.usgovcloudapi.net", "https://managedhsm.usgovcloudapi.net");
    resource("evilvault.azure.net", NULL);
    resource("vault.azure.net", NULL);
    resource(".vault.azure.net.evil.example", NULL);
    resource("127.0.0.1", NULL);
}

static void says(const char *body, const char *wanted) {
    char text[400];
    skrfs_refusal_text(bytes_of(body), text, sizeof(text));
    assert_string_equal(text, wanted);
}

static void reads_refusals_in_every_spelling(void **state) {
    (void)state;
    says("{\"error\":{\"code\":\"Forbidden\",\"message\":\"no\"}}", "Forbidden: no");
    says("{\"Error\":{\"Code\":\"ServerError\",\"Message\":\"oh\"}}", "ServerError: oh");
    says("{\"error\":\"invalid_request\",\"error_description\":\"which?\"}",
            "invalid_request: which?");
    says("{\"error\":{\"code\":\"X\"}}", "X");
    says("{\"error\":{\"message\":\"a\\u001b[1mb\\n\"}}", "a?[1mb?");
    says("{\"error\":{\"message\":\"bad token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln-_ sent\"}}",
            "bad token (a token) sent");
    says("{\"error\":{\"code\":\"X\",\"message\":\"eyJhbGciOiJSUzI1NiJ9.e30\"}}", "X: (a token)");
    says("{\"error\":{\"message\":\"eyJ is no token\"}}", "eyJ is no token");
    says("{\"error\":7}", "");
    says("[]", "");
    says("", "");
    says("<html>", "");
}

static void reads_os_release(void **state) {
    (void)state;
    static const struct {
        const char *text, *distro;
        int major, minor;
    } cases[] = {
            {"PRETTY_NAME=\"x\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\n", "Ubuntu", 22, 4},
            {"NAME='Debian GNU/Linux'\nVERSION_ID=12", "Debian GNU/Linux", 12, 0},
            {"NAME=Arch Linux\n", "Arch Linux", 1, 0},
            {"VERSION_ID=rolling\n", "Linux", 1, 0},
            {"NAME=\"\"\nVERSION_ID=0.9\n", "Linux", 1, 0},
            {"NAME=X\nVERSION_ID=99999999999.1\n", "X", 9999, 1},
            {"", "Linux", 1, 0},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct os_facts os = {0};
        skrfs_os_parse(cases[i].text, &os);
        assert_string_equal(os.distro, cases[i].distro);
        assert_int_equal(os.major, cases[i].major);
        assert_int_equal(os.minor, cases[i].minor);
    }
}

static int inspect(const char *text, struct skrfs_token_info *info, struct skrfs_error *err) {
    return skrfs_token_inspect(bytes_of(text), info, err);
}

static void inspects_a_captured_token(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf token = SKRFS_BUF(0);
    vector_read("cvm/maa-azureguest-token-weu.jwt", &token);
    SKRFS_CLEANUP(skrfs_token_info_done) struct skrfs_token_info info = {0};
    assert_ok(skrfs_token_inspect(skrfs_buf_bytes(&token), &info, &err), err);
    assert_int_equal(info.not_after_s, 1680202174);
    assert_non_null(strstr(skrfs_buf_text(&info.claims), "TpmEphemeralEncryptionKey"));
}

static void refuses_what_is_no_token(void **state) {
    (void)state;
    static const char *const wrong[] = {"", "a", "a.b", ".e30.c", "a..c", "a.e30.c.d", "a.e30.c",
            "a.!!.c", "a.eyJleHAiOiIxIn0.c" /* exp is text */, "a.eyJleHAiOjB9.c" /* exp is 0 */};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        struct skrfs_error err = {0};
        struct skrfs_token_info info = {0};
        assert_fails(
                inspect(wrong[i], &info, &err), err, SKRFS_CLASS_BAD_ANSWER, "attestation token");
    }
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_token_info_done) struct skrfs_token_info info = {0};
    assert_ok(inspect("a.eyJleHAiOjV9.", &info, &err), err); /* unsigned: not judged here */
    assert_int_equal(info.not_after_s, 5);
}

static int parse_key(const char *text, struct skrfs_vault_key *key, struct skrfs_error *err) {
    return skrfs_vault_key_parse(bytes_of(text), key, err);
}

static void reads_keys(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autovaultkey rsa = {0}, ec = {0};
    assert_ok(parse_key("{\"key\":{\"kid\":\"https://v.vault.azure.net/keys/n/"
                        "1a\",\"kty\":\"RSA-HSM\",\"key_ops\":"
                        "[\"encrypt\",\"sign\"],\"n\":\"AMn-\",\"e\":\"AAEAAQ\"},\"attributes\":{"
                        "\"enabled\":false,"
                        "\"exportable\":true,\"nbf\":1,\"exp\":2,\"created\":3,\"updated\":4},"
                        "\"release_policy\":"
                        "{\"data\":\"e30\",\"immutable\":true}}",
                      &rsa, &err),
            err);
    assert_string_equal(rsa.kid, "https://v.vault.azure.net/keys/n/1a");
    assert_int_equal(rsa.public.type, SKRFS_KEY_RSA);
    assert_int_equal(rsa.public.n_len, 2);
    assert_int_equal(rsa.public.e_len, 3); /* the HSM's leading zero is gone */
    assert_string_equal(rsa.kty, "RSA-HSM");
    assert_string_equal(rsa.ops, "encrypt sign");
    assert_string_equal(skrfs_buf_text(&rsa.policy), "{}");
    assert_true(rsa.policy_immutable && rsa.exportable && !rsa.enabled);
    assert_int_equal(
            rsa.not_before_s * 1000 + rsa.expires_s * 100 + rsa.created_s * 10 + rsa.updated_s,
            1234);
    assert_ok(parse_key("{\"key\":{\"kid\":\"https://v/keys/n/"
                        "2\",\"kty\":\"EC\",\"crv\":\"P-256K\",\"x\":\"AQ\","
                        "\"y\":\"Ag\"}}",
                      &ec, &err),
            err);
    assert_int_equal(ec.public.curve, SKRFS_P256K);
    assert_int_equal(ec.public.xy_len, 32);
    assert_int_equal(ec.public.x[31], 1);
    assert_int_equal(ec.public.y[31], 2);
    assert_true(ec.enabled);
    assert_int_equal(ec.policy.len, 0);
}

static void refuses_odd_keys(void **state) {
    (void)state;
#define RSA "\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\""
    static const struct {
        const char *text, *why;
    } cases[] = {
            {"{}", "key"},
            {"{\"key\":{" RSA "}}", "kid"},
            {"{\"key\":{\"kid\":\"https://v/keys/n\"," RSA "}}", "kid"},
            {"{\"key\":{\"kid\":\"https://v/keys/n/\"," RSA "}}", "kid"},
            {"{\"key\":{\"kid\":\"https://v/keys/n/1/2\"," RSA "}}", "kid"},
            {"{\"key\":{\"kid\":\"http://v/keys/n/1\"," RSA "}}", "kid"},
            {"{\"key\":{\"kid\":\"https://v/keys/n\\u001b/1\"," RSA "}}", "odd characters"},
            {"{\"key\":{\"kid\":\"https://v/keys/n/1\",\"kty\":\"AKP\"}}", "type is unknown"},
            {"{\"key\":{\"kid\":\"https://v/keys/n/"
             "1\",\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"}}",
                    "'n' has 0"},
            {"{\"key\":{\"kid\":\"https://v/keys/n/"
             "1\",\"kty\":\"EC\",\"crv\":\"P-1\",\"x\":\"AQ\",\"y\":\"AQ\"}}",
                    "curve"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        struct skrfs_vault_key key = {0};
        assert_fails(
                parse_key(cases[i].text, &key, &err), err, SKRFS_CLASS_BAD_ANSWER, cases[i].why);
        assert_null(key.policy.data);
    }
}

/* The body of a captured request of Microsoft's own client, in its first version's order. */
static void captured_body(const char *method_and_url, struct skrfs_buf *body) {
    struct skrfs_error err = {0};
    skrfs_autobuf lines = SKRFS_BUF(0);
    vector_read("azure-rest/capture-keyvault-keys-4.10.2.jsonl", &lines);
    char *rest = NULL;
    for (char *line = strtok_r((char *)lines.data, "\n", &rest); line;
            line = strtok_r(NULL, "\n", &rest)) {
        skrfs_autojson *json = NULL;
        assert_ok(skrfs_json_parse(line, strlen(line), SMALL_ANSWER_MAX, &json, &err), err);
        char wanted[256];
        snprintf(wanted, sizeof(wanted), "%s %s", skrfs_json_string(skrfs_json_get(json, "method")),
                skrfs_json_string(skrfs_json_get(json, "url")));
        const char *text = skrfs_json_string(skrfs_json_get(json, "body"));
        if (strstr(wanted, method_and_url) && *text) {
            skrfs_buf_truncate(body, 0);
            assert_ok(skrfs_buf_append_text(body, text, &err), err);
        }
    }
    assert_true(body->len > 0);
}

static void asks_for_a_release_as_microsofts_client_does(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf wanted = SKRFS_BUF(SMALL_ANSWER_MAX), body = SKRFS_BUF(SMALL_ANSWER_MAX);
    captured_body("POST /keys/k1/0123456789abcdef0123456789abcdef/release", &wanted);
    const struct skrfs_release_ask ask = {
            .nonce = "bm9uY2U", .enc = SKRFS_ENC_SHA256, .token = bytes_of("eyJ.MAA.TOKEN")};
    assert_ok(skrfs_release_body(&ask, &body, &err), err);
    assert_string_equal(skrfs_buf_text(&body), skrfs_buf_text(&wanted));
}

static void builds_paths(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf plain = SKRFS_BUF(URL_MAX), full = SKRFS_BUF(URL_MAX);
    assert_ok(skrfs_vault_path("a-1", NULL, NULL, &plain, &err), err);
    assert_string_equal(skrfs_buf_text(&plain), "/keys/a-1?api-version=7.4");
    assert_ok(skrfs_vault_path("a", "0f", "release", &full, &err), err);
    assert_string_equal(skrfs_buf_text(&full), "/keys/a/0f/release?api-version=7.4");
    static const char *const wrong[] = {"", "a/b", "a?b", "..", "a b", "a%2f", "\xc3\xa4"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        assert_fails(skrfs_vault_path(wrong[i], NULL, NULL, &plain, &err), err, SKRFS_CLASS_CONFIG,
                "no key's name");
        assert_fails(skrfs_vault_path("a", wrong[i], NULL, &plain, &err), err, SKRFS_CLASS_CONFIG,
                "no key's version");
    }
}

static void refuses_wrong_options(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_cloud *cloud = NULL;
    struct skrfs_cloud_vault vault = {.name = "v", .url = "https://v.vault.azure.net/keys"};
    struct skrfs_cloud_options options = {.vaults = &vault, .vault_count = 1};
    assert_fails(skrfs_cloud_new(&options, &cloud, &err), err, SKRFS_CLASS_CONFIG,
            "more than https:// and a host");
    vault.url = "https://v.example";
    assert_fails(skrfs_cloud_new(&options, &cloud, &err), err, SKRFS_CLASS_CONFIG, "resource =");
    vault.url = "http://v.vault.azure.net";
    assert_int_equal(skrfs_cloud_new(&options, &cloud, &err), -1);
    options = (struct skrfs_cloud_options){.attestation_url = "ftp://x"};
    assert_int_equal(skrfs_cloud_new(&options, &cloud, &err), -1);
    assert_null(cloud);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(reads_access_tokens),
            cmocka_unit_test(refuses_odd_access_tokens),
            cmocka_unit_test(asks_for_the_right_identity),
            cmocka_unit_test(tells_audiences_by_suffix),
            cmocka_unit_test(reads_refusals_in_every_spelling),
            cmocka_unit_test(reads_os_release),
            cmocka_unit_test(inspects_a_captured_token),
            cmocka_unit_test(refuses_what_is_no_token),
            cmocka_unit_test(reads_keys),
            cmocka_unit_test(refuses_odd_keys),
            cmocka_unit_test(asks_for_a_release_as_microsofts_client_does),
            cmocka_unit_test(builds_paths),
            cmocka_unit_test(refuses_wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
