/* Making keys and changing them, and what is said of a vault that does not. */
#include "login_world.h"

#define IDENTITY "'GET /metadata/identity/oauth2/token': [" MSI("t") "],"
#define FAULT(status, message)                                                                     \
    "(" status ", {'error': {'code': 'BadParameter', 'message': '" message                         \
    "'}}, {'x-ms-request-id': 'r-1'})"

static const struct skrfs_key_wish wish = {
        .name = "disk", .kty = "oct-HSM", .policy = {(const uint8_t *)"{}", 2}};

static struct skrfs_secret *jwk_of(const char *text) {
    struct skrfs_error err = {0};
    struct skrfs_secret *jwk = NULL;
    assert_ok(skrfs_secret_copy(text, strlen(text), &jwk, &err), err);
    return jwk;
}

static int import(struct world *world, const struct skrfs_key_wish *wanted, const char *text,
        struct skrfs_vault_key *key, struct skrfs_error *err) {
    skrfs_autosecret *jwk = jwk_of(text);
    if (!world->cloud)
        start(world);
    return skrfs_cloud_key_import(world->cloud, 0, wanted, jwk, DEADLINE, key, err);
}

static void imports_a_key(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    skrfs_autovaultkey key = {0};
    begin(&world, "{" IDENTITY "'PUT /keys/disk': [" KEY "]}");
    assert_ok(import(&world, &wish, "{\"kty\":\"oct\",\"k\":\"AAEC\"}\n", &key, &err), err);
    assert_string_equal(key.kid, "https://v/keys/disk/0123456789abcdef0123456789abcdef");
    assert_int_equal(server_count(&world.server,
                             "PUT /keys/disk?api-version=7.4 auth=Bearer t "
                             "body={\"Hsm\":true,\"key\":{\"kty\":\"oct-HSM\",\"k\":\"AAEC\"},"
                             "\"attributes\":{\"exportable\":true},\"release_policy\":{"
                             "\"immutable\":false,\"data\":\"e30\"}} type=application/json"),
            1);
}

static void imports_no_odd_text(void **state) {
    (void)state;
    static const char *const wrong[] = {"{}", "{\"k\":\"AAEC\",\"kty\":\"oct\"}", "[]",
            "{\"kty\":\"oct", "{\"kty\":\"oct\",\"k\":\"AAEC\""};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        struct skrfs_error err = {0};
        skrfs_autosecret *jwk = jwk_of(wrong[i]), *body = NULL;
        assert_fails(skrfs_key_import_body(&wish, jwk, &body, &err), err, SKRFS_CLASS_BUG, "JWK");
    }
    struct skrfs_error err = {0};
    struct skrfs_key_wish odd = wish;
    skrfs_autosecret *jwk = jwk_of("{\"kty\":\"oct\",\"k\":\"AAEC\"}"), *body = NULL;
    odd.kty = "a\",\"b";
    assert_fails(skrfs_key_import_body(&odd, jwk, &body, &err), err, SKRFS_CLASS_BUG, "type");
    odd = wish;
    odd.policy.len = 0;
    assert_fails(skrfs_key_import_body(&odd, jwk, &body, &err), err, SKRFS_CLASS_CONFIG,
            "needs a release policy");
    static char large[60000];
    memset(large, ' ', sizeof(large));
    odd.policy = (struct skrfs_bytes){(const uint8_t *)large, sizeof(large)};
    assert_fails(
            skrfs_key_import_body(&odd, jwk, &body, &err), err, SKRFS_CLASS_CONFIG, "longer than");
}

static void rotates_a_key(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    skrfs_autovaultkey key = {0};
    begin(&world, "{" IDENTITY "'POST /keys/disk/rotate': [" KEY "]}");
    start(&world);
    assert_ok(skrfs_cloud_key_rotate(world.cloud, 0, "disk", DEADLINE, &key, &err), err);
    assert_int_equal(server_count(&world.server,
                             "POST /keys/disk/rotate?api-version=7.4 auth=Bearer t body= type=- "),
            1);
    assert_fails(skrfs_cloud_key_rotate(world.cloud, 0, "a/b", DEADLINE, &key, &err), err,
            SKRFS_CLASS_CONFIG, "is no key's name");
}

static void changes_a_policy(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    skrfs_autovaultkey key = {0}, second = {0};
    begin(&world, "{" IDENTITY "'PATCH /keys/disk': [" KEY "]}");
    start(&world);
    const struct skrfs_bytes policy = {(const uint8_t *)"{\"a\":1}", 7};
    assert_ok(skrfs_cloud_key_policy(world.cloud, 0, "disk", policy, false, DEADLINE, &key, &err),
            err);
    assert_ok(skrfs_cloud_key_policy(world.cloud, 0, "disk", policy, true, DEADLINE, &second, &err),
            err);
    static const char *const lines[] = {
            "PATCH /keys/disk?api-version=7.4 auth=Bearer t body={\"release_policy\":{"
            "\"immutable\":false,\"data\":\"eyJhIjoxfQ\"}} type=application/json",
            "PATCH /keys/disk?api-version=7.4 auth=Bearer t body={\"release_policy\":{"
            "\"immutable\":true,\"data\":\"eyJhIjoxfQ\"}} type=application/json",
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lines); i++)
        assert_int_equal(server_count(&world.server, lines[i]), 1);
}

/* A rotation whose answer is lost, or which a server gave up on, may have been done. */
static void makes_nothing_twice(void **state) {
    (void)state;
    static const char *const unknown[] = {"(200, 'half', {'Transfer-Encoding': 'chunked'})",
            "(500, '')", "(502, '')", "(504, '')", "(408, '')"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(unknown); i++) {
        struct skrfs_error err = {0};
        auto_world world;
        skrfs_autovaultkey key = {0};
        char script[1024];
        snprintf(script, sizeof(script), "{" IDENTITY "'POST /keys/disk/rotate': [%s, " KEY "]}",
                unknown[i]);
        begin(&world, script);
        start(&world);
        assert_int_equal(skrfs_cloud_key_rotate(world.cloud, 0, "disk", DEADLINE, &key, &err), -1);
        assert_int_equal(server_count(&world.server, "POST /keys/disk/rotate"), 1);
    }
}

/* What was put off was not done. */
static void makes_what_was_put_off(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    skrfs_autovaultkey key = {0};
    begin(&world, "{" IDENTITY "'POST /keys/disk/rotate': [(503, ''), " KEY "]}");
    start(&world);
    assert_ok(skrfs_cloud_key_rotate(world.cloud, 0, "disk", DEADLINE, &key, &err), err);
    assert_int_equal(server_count(&world.server, "POST /keys/disk/rotate"), 2);
}

static void explains_refusals(void **state) {
    (void)state;
    static const struct {
        const char *answer, *wanted;
    } cases[] = {
            {FAULT("400", "AKV.SKR.1001: x"), "Premium vault or in a Managed HSM"},
            {FAULT("400", "Exportable keys are supported in premium vaults"), "Premium vault"},
            {FAULT("400", "AKV.SKR.1003: x"), "settled when it is made"},
            {FAULT("400", "AKV.SKR.1004: x"), "needs a release policy"},
            {FAULT("400", "AKV.SKR.1005: x"), "has to be one that can be released"},
            {FAULT("400", "AKV.SKR.1006: x"), "RSA-HSM or EC-HSM"},
            {FAULT("400", "AKV.SKR.1012: x"), "cannot reach an attestation service"},
            {FAULT("400", "AKV.SKR.1016: x"), "current version alone"},
            {FAULT("400", "AKV.SKR.1020: Immutable"), "nobody can change it"},
            {FAULT("400", "The policy is immutable"), "nobody can change it"},
            {FAULT("400", "odd"), "does not change the key's policy: BadParameter: odd (HTTP 400"},
            {FAULT("409", "deleted"), "until it is purged or recovered"},
            {FAULT("403", "Caller is not authorized"), "'Key Vault Crypto Officer'"},
            {FAULT("403", "Client address is not authorized"), "its firewall does not let"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf routes = SKRFS_BUF(4096);
        auto_world world;
        skrfs_autovaultkey key = {0};
        assert_ok(skrfs_buf_printf(
                          &routes, &err, "{" IDENTITY "'PATCH /keys/disk': [%s]}", cases[i].answer),
                err);
        begin(&world, skrfs_buf_text(&routes));
        start(&world);
        assert_fails(skrfs_cloud_key_policy(
                             world.cloud, 0, "disk", wish.policy, false, DEADLINE, &key, &err),
                err, SKRFS_CLASS_REJECTED, cases[i].wanted);
        assert_non_null(strstr(err.message, "request id r-1"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(imports_a_key),
            cmocka_unit_test(imports_no_odd_text),
            cmocka_unit_test(rotates_a_key),
            cmocka_unit_test(changes_a_policy),
            cmocka_unit_test(makes_nothing_twice),
            cmocka_unit_test(makes_what_was_put_off),
            cmocka_unit_test(explains_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
