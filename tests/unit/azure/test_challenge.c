/* What a vault asks for when it refuses a call, followed and not. */
#include "login_world.h"

static void learns_the_tenant_from_the_vault(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" AT_ENTRA "[" ENTRA("one") "], 'POST /keys/disk/release': [" CHALLENGE(
                          "") ", (200, {'value': 'j'})]}");
    as(&world, "secret-file:x");
    write_file(&world, "s");
    start(&world);
    const struct skrfs_release_ask ask = {.name = "disk",
            .nonce = "n",
            .enc = SKRFS_ENC_SHA256,
            .token = {(const uint8_t *)"x.y.z", 5}};
    for (int i = 0; i < 2; i++) {
        skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
        assert_ok(skrfs_cloud_release(world.cloud, &ask, DEADLINE, NULL, &jws, &err), err);
    }
    /* The probe has neither token nor body, and is not repeated. */
    assert_int_equal(server_count(&world.server,
                             "POST /keys/disk/release?api-version=7.4 auth=- body= type=- "),
            1);
    assert_int_equal(server_count(&world.server, "auth=Bearer one body={\"target\""), 2);
    assert_int_equal(server_count(&world.server, "oauth2"), 1);
}

static void sends_no_probe_when_the_tenant_is_known(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" AT_ENTRA "[" ENTRA("one") "], " SHOW "[" KEY "]}");
    as(&world, "secret-file:x");
    world.vault.tenant = TENANT;
    write_file(&world, "s");
    assert_ok(show(&world, &err), err);
    assert_int_equal(server_count(&world.server, "/keys/disk"), 1);
}

static void refuses_what_answers_to_nobody(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world, silent;
    begin(&world, "{" SHOW "[" KEY "]}");
    as(&world, "secret-file:x");
    assert_fails(show(&world, &err), err, SKRFS_CLASS_BAD_ANSWER, "it is no vault");
    begin(&silent, "{" SHOW "[(401, '')]}");
    as(&silent, "secret-file:x");
    assert_fails(show(&silent, &err), err, SKRFS_CLASS_CONFIG, "say tenant =");
}

/* A vault that wants a token for somebody else gets none, and nobody is asked for it. */
static void asks_for_no_token_for_another_host(void **state) {
    (void)state;
    static const char *const resources[] = {"https://management.azure.com", "https://evil.0.0.1",
            "http://vault.localhost", "https://127.0.0.1", "vault.azure.net"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(resources); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf routes = SKRFS_BUF(4096);
        auto_world world;
        assert_ok(skrfs_buf_printf(&routes, &err,
                          "{" AT_ENTRA
                          "[" ENTRA("one") "], " SHOW "[(401, '', {'WWW-Authenticate': 'Bearer "
                                           "authorization=\"https://login.windows.net/" TENANT
                                           "\", resource=\"%s\"'})]}",
                          resources[i]),
                err);
        begin(&world, skrfs_buf_text(&routes));
        as(&world, "secret-file:x");
        write_file(&world, "s");
        assert_fails(show(&world, &err), err, SKRFS_CLASS_REJECTED, "none was asked for");
        assert_non_null(strstr(err.message, resources[i]));
        assert_int_equal(server_count(&world.server, "oauth2"), 0);
    }
}

/* "https://VAULT.azure.net/" is what is configured, and the vault's own spelling is another. */
static void knows_an_audience_in_other_spelling(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" AT_ENTRA "[" ENTRA("one") "], " SHOW "[" CHALLENGE("") ", " KEY "]}");
    as(&world, "secret-file:x");
    world.vault.resource = "https://VAULT.azure.net/";
    write_file(&world, "s");
    assert_ok(show(&world, &err), err);
}

/* Configured for another audience than the vault wants, which its host's name allows. */
static void takes_the_audience_that_the_vault_wants(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world,
            "{'GET /metadata/identity/oauth2/token': [" MSI("one") ", " MSI(
                    "two") "], " SHOW
                           "[(401, '', {'WWW-Authenticate': 'Bearer authorization=\"https://l/t\", "
                           "scope=\"https://vault.localhost/.default\"'}), " KEY "]}");
    snprintf(world.url, sizeof(world.url), "https://a.vault.localhost%s",
            strrchr(world.server.https, ':'));
    world.vault.url = world.url;
    assert_ok(show(&world, &err), err);
    assert_int_equal(
            server_count(&world.server, "resource=https%3A%2F%2Fvault.azure.net auth=-"), 1);
    assert_int_equal(
            server_count(&world.server, "resource=https%3A%2F%2Fvault.localhost auth=-"), 1);
    assert_int_equal(server_count(&world.server, "auth=Bearer two"), 1);
}

/* {"access_token":{"nbf":{"essential":true,"value":"7"}}} */
#define DEMAND "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiI3In19fQ=="

static void meets_a_claims_challenge_once(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world, final;
    begin(&world, "{" AT_ENTRA "[" ENTRA("one") ", " ENTRA("two") "], " SHOW "[" CHALLENGE(
                          ", error=\"insufficient_claims\", claims=\"" DEMAND "\"") ", " KEY "]}");
    as(&world, "secret-file:x");
    world.vault.tenant = TENANT;
    write_file(&world, "s");
    assert_ok(show(&world, &err), err);
    assert_ok(show(&world, &err), err);
    assert_int_equal(server_count(&world.server,
                             "claims=%7B%22access_token%22%3A%7B%22nbf%22%3A%7B%22essential%22%"
                             "3Atrue%2C%22value%22%3A%227%22%7D%2C%22xms_cc%22%3A%7B%22values%22%"
                             "3A%5B%22cp1%22%5D%7D%7D%7D&"),
            1);
    assert_int_equal(server_count(&world.server, "oauth2"), 2);
    assert_int_equal(server_count(&world.server, "auth=Bearer two"), 2);
    begin(&final, "{" AT_ENTRA "[" ENTRA("one") "], " SHOW "[" CHALLENGE(
                          ", error=\"insufficient_claims\", claims=\"" DEMAND "\"") "]}");
    as(&final, "secret-file:x");
    final.vault.tenant = TENANT;
    write_file(&final, "s");
    assert_fails(show(&final, &err), err, SKRFS_CLASS_REJECTED, "wants more claims in it");
    assert_int_equal(server_count(&final.server, "oauth2"), 2);
}

static void refuses_odd_demands(void **state) {
    (void)state;
    static const char *const wrong[] = {"!", "W10=", "bm8=", "eyJhY2Nlc3NfdG9rZW4iOjF9"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf out = SKRFS_BUF(CLAIMS_MAX);
        assert_fails(skrfs_claims_merge(wrong[i], &out, &err), err, SKRFS_CLASS_BAD_ANSWER,
                "claims that are demanded");
    }
}

static void finds_members_of_challenges(void **state) {
    (void)state;
    static const struct {
        const char *header, *scheme, *name, *value; /* NULL: none */
    } cases[] = {
            {"Bearer a=\"x y\", b=z", "Bearer", "a", "x y"},
            {"Bearer a=\"x y\", b=z", "bearer", "B", "z"},
            {"Bearer a=\"x\\\"y\"", "Bearer", "a", "x\"y"},
            {"PoP a=1, Bearer a=2", "Bearer", "a", "2"},
            {"PoP a=1, Bearer b=2", "Bearer", "a", NULL},
            {"Bearer b=2, PoP a=1", "Bearer", "a", NULL},
            {"Basic realm=/a/b.key", "Basic", "realm", "/a/b.key"},
            {"Bearer a = 1", "Bearer", "a", "1"}, {"Bearer", "Bearer", "a", NULL},
            {"Bearer a=", "Bearer", "a", ""}, {"Bearer a=\"unended", "Bearer", "a", "unended"},
            {"", "Bearer", "a", NULL}, {"\"\"\"", "Bearer", "a", NULL},
            {"Bearer a=12345678901234567", "Bearer", "a", NULL}, /* no room */
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        char value[16] = "untouched";
        bool found = skrfs_challenge_member(
                cases[i].header, cases[i].scheme, cases[i].name, value, sizeof(value));
        assert_int_equal(found, cases[i].value != NULL);
        assert_string_equal(value, cases[i].value ? cases[i].value : "untouched");
    }
}

static void reads_challenges(void **state) {
    (void)state;
    static const struct {
        const char *header, *tenant, *resource;
    } cases[] = {
            {"Bearer authorization=\"https://login.windows.net/" TENANT
             "\", resource=\"https://vault.azure.net\"",
                    TENANT, "https://vault.azure.net"},
            {"Bearer authorization_uri=\"https://l/contoso.example/oauth2\", "
             "scope=\"https://managedhsm.azure.net/.default\"",
                    "contoso.example", "https://managedhsm.azure.net"},
            {"Bearer authorization=\"https://l/../x\"", "", ""},
            {"Bearer authorization=\"https://l/a%2fb\"", "", ""},
            {"Bearer authorization=\"https://l/\"", "", ""},
            {"Bearer authorization=\"https://l\"", "", ""},
            {"Basic realm=x", "", ""},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct challenge challenge;
        skrfs_challenge_read(cases[i].header, &challenge);
        assert_string_equal(challenge.tenant, cases[i].tenant);
        assert_string_equal(challenge.resource, cases[i].resource);
        assert_false(challenge.wants_claims);
    }
}

static void judges_audiences(void **state) {
    (void)state;
    static const struct {
        const char *resource, *url;
        bool fits;
    } cases[] = {
            {"https://vault.azure.net", "https://a.vault.azure.net", true},
            {"https://VAULT.azure.net/", "https://a.vault.azure.net:8443", true},
            {"https://vault.azure.net", "https://vault.azure.net", false},
            {"https://vault.azure.net", "https://avault.azure.net", false},
            {"https://vault.azure.net", "https://vault.azure.net.evil.example", false},
            {"https://a.vault.azure.net", "https://b.vault.azure.net", false},
            {"http://vault.azure.net", "https://a.vault.azure.net", false},
            {"https://u@vault.azure.net", "https://a.vault.azure.net", false},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++)
        assert_int_equal(skrfs_challenge_is_for(cases[i].resource, cases[i].url), cases[i].fits);
}

int main(void) {
    struct skrfs_error err = {0};
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(learns_the_tenant_from_the_vault),
            cmocka_unit_test(sends_no_probe_when_the_tenant_is_known),
            cmocka_unit_test(refuses_what_answers_to_nobody),
            cmocka_unit_test(asks_for_no_token_for_another_host),
            cmocka_unit_test(knows_an_audience_in_other_spelling),
            cmocka_unit_test(takes_the_audience_that_the_vault_wants),
            cmocka_unit_test(meets_a_claims_challenge_once),
            cmocka_unit_test(refuses_odd_demands),
            cmocka_unit_test(finds_members_of_challenges),
            cmocka_unit_test(reads_challenges),
            cmocka_unit_test(judges_audiences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
