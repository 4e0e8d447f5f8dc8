/* Logins at Entra ID, against a small server that answers as it does. */
#include "login_world.h"

#define FORM                                                                                       \
    "body=grant_type=client_credentials&client_id=" CLIENT                                         \
    "&scope=https%3A%2F%2Fvault.azure.net%2F.default&claims=%7B%22access_token%22%3A%7B%22xms_cc%" \
    "22%3A%7B%22values%22%3A%5B%22cp1%22%5D%7D%7D%7D&"

static void reads_a_federated_token_each_time(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" AT_ENTRA "[" ENTRA("one") ", " ENTRA("two") "], " SHOW "[" KEY "]}");
    as(&world, "workload");
    world.vault.tenant = TENANT;
    write_file(&world, "aa.bb.cc\n");
    assert_ok(show(&world, &err), err);
    assert_ok(show(&world, &err), err);
    write_file(&world, "dd.ee.ff");
    forget_token(&world);
    assert_ok(show(&world, &err), err);
    static const char *const assertions[] = {
            FORM "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-"
                 "bearer&client_assertion=aa.bb.cc type=application/x-www-form-urlencoded",
            "client_assertion=dd.ee.ff type=",
    };
    assert_int_equal(server_count(&world.server, assertions[0]), 1);
    assert_int_equal(server_count(&world.server, assertions[1]), 1);
    assert_int_equal(server_count(&world.server, "auth=Bearer one"), 2);
    assert_int_equal(server_count(&world.server, "auth=Bearer two"), 1);
}

static void tells_what_a_workload_lacks(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{}");
    as(&world, "workload");
    world.vault.tenant = TENANT;
    assert_fails(show(&world, &err), err, SKRFS_CLASS_SYSTEM, "the federated token: ");
    write_file(&world, "\n");
    assert_fails(show(&world, &err), err, SKRFS_CLASS_CONFIG, "is empty");
    auto_world second;
    begin(&second, "{}");
    as(&second, "workload");
    second.vault.tenant = TENANT;
    second.vault.token_file = NULL;
    assert_fails(show(&second, &err), err, SKRFS_CLASS_CONFIG, "AZURE_FEDERATED_TOKEN_FILE");
    auto_world third;
    begin(&third, "{}");
    as(&third, "workload");
    third.vault.tenant = TENANT;
    third.vault.client = NULL;
    assert_fails(show(&third, &err), err, SKRFS_CLASS_CONFIG, "AZURE_CLIENT_ID");
}

static void reads_a_client_secret_each_time(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" AT_ENTRA "[" ENTRA("one") ", " ENTRA("two") "], " SHOW "[" KEY "]}");
    as(&world, "secret-file:x");
    world.vault.tenant = TENANT;
    write_file(&world, "a~b/c d\r\n");
    assert_ok(show(&world, &err), err);
    write_file(&world, "next");
    forget_token(&world);
    assert_ok(show(&world, &err), err);
    assert_int_equal(server_count(&world.server, FORM "client_secret=a~b%2Fc%20d type="), 1);
    assert_int_equal(server_count(&world.server, FORM "client_secret=next type="), 1);
}

/* A certificate and its key, in one file. */
static void write_certificate(const struct world *world, struct skrfs_pkey *key,
        struct skrfs_pkey *other, struct skrfs_chain **ret_chain) {
    struct skrfs_error err = {0};
    const struct skrfs_cert_spec spec = {
            .common_name = "client", .subject_key = key, .issuer_key = key, .days = 2};
    skrfs_autosecret *der = NULL, *pem = NULL;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_PEM_MAX);
    assert_ok(skrfs_cert_issue(&spec, ret_chain, &err), err);
    assert_ok(skrfs_pkey_pkcs8(other, &der, &err), err);
    assert_ok(skrfs_key_encode(der, SKRFS_KEY_RSA, SKRFS_FORMAT_PEM, NULL, &pem, &err), err);
    assert_ok(skrfs_buf_append(&text, skrfs_secret_data(pem), skrfs_secret_len(pem), &err), err);
    assert_ok(skrfs_chain_pem(*ret_chain, &text, &err), err);
    write_file(world, skrfs_buf_text(&text));
}

/* Part `index` of a JWT, decoded. */
static void part(const char *jwt, int index, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    for (int i = 0; i < index; i++)
        jwt = strchr(jwt, '.') + 1;
    assert_ok(skrfs_base64_decode(SKRFS_BASE64URL, jwt, strcspn(jwt, "."), out, &err), err);
}

static void check_claims(const char *jwt, const char *audience, int64_t now_s) {
    struct skrfs_error err = {0};
    skrfs_autobuf payload = SKRFS_BUF(4096);
    skrfs_autojson *json = NULL;
    int64_t nbf = 0, exp = 0;
    part(jwt, 1, &payload);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&payload), payload.len, 4096, &json, &err), err);
    assert_string_equal(skrfs_json_string(skrfs_json_get(json, "aud")), audience);
    assert_string_equal(skrfs_json_string(skrfs_json_get(json, "iss")), CLIENT);
    assert_string_equal(skrfs_json_string(skrfs_json_get(json, "sub")), CLIENT);
    assert_ok(skrfs_json_need_integer(json, "nbf", &nbf, &err), err);
    assert_ok(skrfs_json_need_integer(json, "exp", &exp, &err), err);
    assert_int_equal(nbf, now_s);
    assert_in_range(exp, now_s + 60, now_s + 600);
    assert_int_equal(strlen(skrfs_json_string(skrfs_json_get(json, "jti"))), 32);
}

static void check_signature(
        const char *jwt, const struct skrfs_chain *chain, const struct skrfs_pkey *key) {
    struct skrfs_error err = {0};
    skrfs_autobuf header = SKRFS_BUF(4096), signature = SKRFS_BUF(4096), der = SKRFS_BUF(65536);
    skrfs_autobuf thumbprint = SKRFS_BUF(64);
    uint8_t digest[32];
    const char *behind = strrchr(jwt, '.');
    const struct skrfs_bytes signed_part = {(const uint8_t *)jwt, (size_t)(behind - jwt)};
    part(jwt, 0, &header);
    part(jwt, 2, &signature);
    assert_ok(skrfs_pss_verify(key, SKRFS_SHA256, signed_part, skrfs_buf_bytes(&signature), &err),
            err);
    assert_ok(skrfs_chain_der(chain, 0, &der, &err), err);
    assert_ok(skrfs_hash(SKRFS_SHA256, der.data, der.len, digest, &err), err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, digest, 32, &thumbprint, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&header), "\"alg\":\"PS256\""));
    assert_non_null(strstr(skrfs_buf_text(&header), "\"x5t#S256\":\""));
    assert_non_null(strstr(skrfs_buf_text(&header), skrfs_buf_text(&thumbprint)));
}

static void signs_an_assertion(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    skrfs_autopkey *key = NULL;
    skrfs_autochain *chain = NULL;
    skrfs_autobuf one = SKRFS_BUF(ASSERTION_MAX), two = SKRFS_BUF(ASSERTION_MAX);
    begin(&world, "{" AT_ENTRA "[" ENTRA("one") "], " SHOW "[" KEY "]}");
    as(&world, "certificate-file:x");
    world.vault.tenant = TENANT;
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    write_certificate(&world, key, key, &chain);
    assert_ok(skrfs_assertion_make(world.file, CLIENT, "https://a/token", 1000, &one, &err), err);
    assert_ok(skrfs_assertion_make(world.file, CLIENT, "https://a/token", 1000, &two, &err), err);
    check_claims(skrfs_buf_text(&one), "https://a/token", 1000);
    check_signature(skrfs_buf_text(&one), chain, key);
    assert_string_not_equal(skrfs_buf_text(&one), skrfs_buf_text(&two));
    assert_ok(show(&world, &err), err);
    assert_int_equal(server_count(&world.server, "jwt-bearer&client_assertion=eyJ"), 1);
}

static void refuses_a_certificate_that_cannot_be(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    skrfs_autopkey *key = NULL, *other = NULL, *ec = NULL;
    skrfs_autochain *first = NULL, *second = NULL;
    skrfs_autobuf out = SKRFS_BUF(ASSERTION_MAX);
    begin(&world, "{}");
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &other, &err), err);
    assert_ok(skrfs_pkey_new_ec(SKRFS_P256, &ec, &err), err);
    write_certificate(&world, key, other, &first);
    assert_fails(skrfs_assertion_make(world.file, CLIENT, "a", 1, &out, &err), err,
            SKRFS_CLASS_CONFIG, "not the first certificate's");
    write_certificate(&world, ec, ec, &second);
    assert_fails(skrfs_assertion_make(world.file, CLIENT, "a", 1, &out, &err), err,
            SKRFS_CLASS_CONFIG, "RSA keys alone");
    write_file(&world, "-----BEGIN PRIVATE KEY-----\n");
    assert_fails(skrfs_assertion_make(world.file, CLIENT, "a", 1, &out, &err), err,
            SKRFS_CLASS_CONFIG, "no certificate beside the key");
    write_file(&world, skrfs_buf_text(&world.server.ca));
    assert_fails(skrfs_assertion_make(world.file, CLIENT, "a", 1, &out, &err), err,
            SKRFS_CLASS_CONFIG, "no private key");
    assert_int_equal(out.len, 0);
}

/* How Entra ID refuses, and what is said of it. */
static void explains_entra(void **state) {
    (void)state;
    static const struct {
        const char *answer, *cure;
        enum skrfs_class kind;
    } cases[] = {
            {"(401, {'error': 'invalid_client', 'error_description': 'AADSTS7000215: Invalid "
             "client secret provided. Trace ID: t Correlation ID: c', 'error_codes': [7000215], "
             "'trace_id': 't-1'})",
                    "the client secret is wrong", SKRFS_CLASS_REJECTED},
            {"(400, {'error': 'unauthorized_client', 'error_description': 'AADSTS700016: "
             "Application not found', 'error_codes': [700016], 'trace_id': 't-1'})",
                    "no such application in this tenant", SKRFS_CLASS_REJECTED},
            {"(400, {'error': 'invalid_request', 'error_description': 'AADSTS90002: Tenant x not "
             "found.', 'trace_id': 't-1'})",
                    "there is no such tenant", SKRFS_CLASS_REJECTED},
            {"(401, {'error': 'invalid_client', 'error_description': 'AADSTS70021: No matching "
             "federated identity record found', 'error_codes': [70021], 'trace_id': 't-1'})",
                    "no federated credential", SKRFS_CLASS_REJECTED},
            {"(401, {'error': 'invalid_client', 'error_codes': [700024], 'trace_id': 't-1'})",
                    "clock right", SKRFS_CLASS_REJECTED},
            {"(400, {'error': 'temporarily_unavailable', 'error_codes': [90033], 'trace_id': "
             "'t-1'})",
                    "out of service", SKRFS_CLASS_UNAVAILABLE},
            {"(400, {'error': 'odd', 'error_description': 'AADSTS12: what?', 'trace_id': 't-1'})",
                    "AADSTS12: what?", SKRFS_CLASS_REJECTED},
            {"(404, {'error': 'x', 'trace_id': 't-1'})", "gives no access token",
                    SKRFS_CLASS_REJECTED},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf routes = SKRFS_BUF(4096);
        auto_world world;
        assert_ok(skrfs_buf_printf(&routes, &err, "{" AT_ENTRA "[%s]}", cases[i].answer), err);
        begin(&world, skrfs_buf_text(&routes));
        as(&world, "secret-file:x");
        world.vault.tenant = TENANT;
        write_file(&world, "s");
        assert_fails(show(&world, &err), err, cases[i].kind, cases[i].cure);
        assert_non_null(strstr(err.message, "client '" CLIENT "' in tenant '" TENANT "'"));
        assert_non_null(strstr(err.message, "trace id t-1)"));
        assert_null(strstr(err.message, "Correlation"));
        assert_int_equal(server_count(&world.server, "oauth2"), 1);
    }
}

static void repeats_no_secret(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" AT_ENTRA "[(401, {'error': 'invalid_client', 'error_description': "
                  "'AADSTS7000215: not hunter2 but what?', 'error_codes': [7000215]})]}");
    as(&world, "secret-file:x");
    world.vault.tenant = TENANT;
    write_file(&world, "hunter2");
    assert_fails(show(&world, &err), err, SKRFS_CLASS_REJECTED, "AADSTS7000215: invalid_client");
    assert_null(strstr(err.message, "hunter2"));
}

static void retries_entra(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" AT_ENTRA "[(503, ''), " ENTRA("late") "], " SHOW "[" KEY "]}");
    as(&world, "secret-file:x");
    world.vault.tenant = TENANT;
    write_file(&world, "s");
    assert_ok(show(&world, &err), err);
    assert_int_equal(server_count(&world.server, "auth=Bearer late"), 1);
}

int main(void) {
    struct skrfs_error err = {0};
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(reads_a_federated_token_each_time),
            cmocka_unit_test(tells_what_a_workload_lacks),
            cmocka_unit_test(reads_a_client_secret_each_time),
            cmocka_unit_test(signs_an_assertion),
            cmocka_unit_test(refuses_a_certificate_that_cannot_be),
            cmocka_unit_test(explains_entra),
            cmocka_unit_test(repeats_no_secret),
            cmocka_unit_test(retries_entra),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
