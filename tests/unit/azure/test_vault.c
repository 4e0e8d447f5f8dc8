#include "server.h"

#include "../../../src/azure/internal.h"

#define DEADLINE (skrfs_now_ns() + 20 * SKRFS_SECOND_NS)
#define KEY "0123456789abcdef0123456789abcdef"
#define TOKEN(text)                                                                                \
    "(200, {'access_token': '" text "', 'expires_on': '4000000000', 'expires_in': '86400'})"
#define IDENTITY "'GET /metadata/identity/oauth2/token': [" TOKEN("first") ", " TOKEN("second") "],"

struct world {
    struct server server;
    struct skrfs_cloud_vault vaults[2];
    struct skrfs_cloud *cloud;
};

static void begin(struct world *world, const char *routes) {
    struct skrfs_error err = {0};
    *world = (struct world){0};
    server_start(&world->server, routes);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(world->vaults); i++)
        world->vaults[i] = (struct skrfs_cloud_vault){
                .name = i ? "other" : "prod",
                .url = world->server.https,
                .resource = "https://vault.azure.net",
        };
    const struct skrfs_cloud_options options = {
            .attestation_url = world->server.https,
            .imds_url = world->server.http,
            .vaults = world->vaults,
            .vault_count = SKRFS_ARRAY_LEN(world->vaults),
            .http = {.ca_pem = skrfs_buf_text(&world->server.ca),
                    .connect_timeout_ns = 5 * SKRFS_SECOND_NS},
    };
    assert_ok(skrfs_cloud_new(&options, &world->cloud, &err), err);
}

static void end(struct world *world) {
    skrfs_cloud_free(world->cloud);
    server_done(&world->server);
}
#define auto_world SKRFS_CLEANUP(end) struct world

static int release_with(struct world *world, size_t vault, struct skrfs_bytes token,
        uint64_t deadline_ns, struct skrfs_buf *jws, struct skrfs_error *err) {
    const struct skrfs_release_ask ask = {.vault = vault,
            .name = "disk",
            .nonce = "abcd",
            .enc = SKRFS_ENC_SHA256,
            .token = token};
    return skrfs_cloud_release(world->cloud, &ask, deadline_ns, NULL, jws, err);
}

static int release(struct world *world, struct skrfs_error *err) {
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    return release_with(
            world, 0, (struct skrfs_bytes){(const uint8_t *)"x.y.z", 5}, DEADLINE, &jws, err);
}

static void releases_with_one_token_for_both_vaults(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" IDENTITY "'POST /keys/disk/release': [(200, {'value': 'the.jws.text'})]}");
    for (size_t vault = 0; vault < 2; vault++) {
        skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
        struct skrfs_bytes token = {(const uint8_t *)"x.y.z", 5};
        assert_ok(release_with(&world, vault, token, DEADLINE, &jws, &err), err);
        assert_string_equal(skrfs_buf_text(&jws), "the.jws.text");
    }
    assert_int_equal(
            server_count(&world.server,
                    "GET "
                    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%"
                    "2Fvault.azure.net auth=-"),
            1);
    assert_int_equal(
            server_count(&world.server, "POST /keys/disk/release?api-version=7.4 auth=Bearer first "
                                        "body={\"target\":\"x.y.z\",\"nonce\":\"abcd\",\"enc\":"
                                        "\"RSA_AES_KEY_WRAP_256\"}"),
            2);
}

static void *release_in_thread(void *context) {
    struct skrfs_error err = {0};
    return release(context, &err) == 0 ? context : NULL;
}

static void fetches_one_token_for_many_callers(void **state) {
    (void)state;
    auto_world world;
    pthread_t threads[8];
    begin(&world, "{" IDENTITY "'POST /keys/disk/release': [(200, {'value': 'j'})]}");
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, release_in_thread, &world), 0);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(threads); i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &world);
    }
    assert_int_equal(server_count(&world.server, "GET /metadata/identity"), 1);
    assert_int_equal(server_count(&world.server, "auth=Bearer first"), SKRFS_ARRAY_LEN(threads));
}

static void keeps_no_token_that_is_about_to_end(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{'GET /metadata/identity/oauth2/token': [(200, {'access_token': 'brief', "
                  "'expires_in': "
                  "'10'})], 'POST /keys/disk/release': [(200, {'value': 'j'})]}");
    assert_ok(release(&world, &err), err);
    assert_ok(release(&world, &err), err);
    assert_int_equal(server_count(&world.server, "GET /metadata/identity"), 2);
}

/* A token that is due for renewal serves on while the metadata service fails, and the failure is
 * not repeated at once. */
static void serves_on_when_renewal_fails(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{'GET /metadata/identity/oauth2/token': [" TOKEN(
                          "first") ", (400, '')],"
                                   "'POST /keys/disk/release': [(200, {'value': 'j'})]}");
    assert_ok(release(&world, &err), err);
    world.cloud->slots->refresh_ns = skrfs_now_ns();
    assert_ok(release(&world, &err), err);
    assert_ok(release(&world, &err), err);
    assert_int_equal(server_count(&world.server, "GET /metadata/identity"), 2);
    assert_int_equal(server_count(&world.server, "auth=Bearer first"), 3);
}

static void fetches_a_new_token_once_after_401(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" IDENTITY "'POST /keys/disk/release': [(401, ''), (200, {'value': 'j'})]}");
    assert_ok(release(&world, &err), err);
    assert_int_equal(server_count(&world.server, "auth=Bearer first"), 1);
    assert_int_equal(server_count(&world.server, "auth=Bearer second"), 1);
}

static void gives_up_after_two_401(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" IDENTITY "'POST /keys/disk/release': [(401, '', {'WWW-Authenticate': 'Bearer "
                  "authorization=\"https://login.windows.net/t\", "
                  "resource=\"https://vault.azure.net\"', "
                  "'x-ms-request-id': 'r-1'})]}");
    assert_fails(release(&world, &err), err, SKRFS_CLASS_REJECTED,
            "access token is not taken by vault 'prod' (HTTP 401, request id r-1)");
    assert_int_equal(server_count(&world.server, "POST /keys/disk/release"), 2);
}

static void tells_what_the_metadata_service_says(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{'GET /metadata/identity/oauth2/token': [(400, {'error': 'invalid_request', "
                  "'error_description': 'Identity not found'})]}");
    assert_fails(release(&world, &err), err, SKRFS_CLASS_REJECTED,
            "no such managed identity is assigned");
    assert_non_null(strstr(err.message, "invalid_request: Identity not found (HTTP 400)"));
    assert_int_equal(err.upstream, 400);
    assert_int_equal(server_count(&world.server, "GET"), 1);
}

static void retries_the_metadata_service(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{'GET /metadata/identity/oauth2/token': [(404, ''), " TOKEN(
                          "late") "],"
                                  "'POST /keys/disk/release': [(200, {'value': 'j'})]}");
    assert_ok(release(&world, &err), err);
    assert_int_equal(server_count(&world.server, "auth=Bearer late"), 1);
}

static void tells_a_missing_key(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" IDENTITY
                  "'POST /keys/disk/release': [(404, {'error': {'code': 'KeyNotFound', 'message': "
                  "'A key with (name/id) disk was not found'}}, {'x-ms-request-id': 'r-2'})]}");
    assert_fails(release(&world, &err), err, SKRFS_CLASS_NOT_FOUND,
            "vault 'prod' has no key 'disk': KeyNotFound: A key with (name/id) disk was not found "
            "(HTTP 404, "
            "request id r-2)");
}

static void waits_for_a_throttling_vault_no_longer_than_told(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world,
            "{" IDENTITY "'POST /keys/disk/release': [(429, {'error': {'code': 'Throttled'}}, "
            "{'Retry-After': '30'})]}");
    assert_fails(release(&world, &err), err, SKRFS_CLASS_UNAVAILABLE,
            "throttling releases: Throttled (HTTP 429");
    assert_true(err.retryable);
    uint64_t wait = skrfs_until_ns(err.not_before_ns);
    assert_true(wait > 20 * SKRFS_SECOND_NS && wait <= 30 * SKRFS_SECOND_NS);
    assert_int_equal(server_count(&world.server, "POST /keys/disk/release"), 1);
}

static void retries_a_vault_that_is_out_of_service(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" IDENTITY "'POST /keys/disk/release': [(503, ''), (200, {'value': 'j'})]}");
    assert_ok(release(&world, &err), err);
    assert_int_equal(server_count(&world.server, "POST /keys/disk/release"), 2);
}

static void refuses_an_answer_without_a_value(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" IDENTITY "'POST /keys/disk/release': [(200, {'value': 7})]}");
    assert_fails(release(&world, &err), err, SKRFS_CLASS_BAD_ANSWER, "member 'value'");
}

#define ISSUER "https://a.attest.azure.net"
#define FORBIDDEN                                                                                  \
    "'POST /keys/disk/release': [(403, {'error': {'code': 'Forbidden', 'message': 'Access "        \
    "denied'}}, {'x-ms-request-id': 'r-3'})],"

/* A token (unsigned: nothing here verifies it) with these claims. */
static void make_token(const char *claims, struct skrfs_buf *token) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_buf_append_text(token, "eyJhbGciOiJub25lIn0.", &err), err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, claims, strlen(claims), token, &err), err);
    assert_ok(skrfs_buf_append_text(token, ".c2ln", &err), err);
}

/* The release is forbidden, the key has this policy and the token says these claims: what is the
 * reason? */
static void forbidden(const char *policy, const char *status, const char *reason) {
    struct skrfs_error err = {0};
    skrfs_autobuf data = SKRFS_BUF(4096), routes = SKRFS_BUF(16384), token = SKRFS_BUF(4096);
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX), claims = SKRFS_BUF(1024);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, policy, strlen(policy), &data, &err), err);
    assert_ok(skrfs_buf_printf(&routes, &err,
                      "{" IDENTITY FORBIDDEN
                      "'GET /keys/disk': [(200, {'key': {'kid': 'https://v/keys/disk/" KEY
                      "', 'kty': 'oct-HSM', 'key_ops': []}, 'attributes': {'exportable': True}, "
                      "'release_policy': {'data': '%s'}})]}",
                      skrfs_buf_text(&data)),
            err);
    assert_ok(skrfs_buf_printf(&claims, &err,
                      "{\"iss\":\"" ISSUER "\",\"exp\":4000000000,\"status\":\"%s\"}", status),
            err);
    make_token(skrfs_buf_text(&claims), &token);
    auto_world world;
    begin(&world, skrfs_buf_text(&routes));
    assert_fails(release_with(&world, 0, skrfs_buf_bytes(&token), DEADLINE, &jws, &err), err,
            SKRFS_CLASS_REJECTED, reason);
    assert_non_null(strstr(err.message, "vault 'prod' says: Forbidden: Access denied"));
    assert_non_null(strstr(err.message, "(HTTP 403, request id r-3)"));
    assert_int_equal(err.upstream, 403);
    assert_false(err.retryable);
}

#define POLICY                                                                                     \
    "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"" ISSUER                                   \
    "/\",\"allOf\":[{\"claim\":\"status\",\"equals\":\"good\"}]}]}"

static void tells_policy_from_role(void **state) {
    (void)state;
    forbidden(POLICY, "bad", "refused by the key's policy: claim status is 'bad', wants 'good'");
    forbidden(POLICY, "good", "meet the key's policy, so a role or the vault's firewall");
    forbidden("{}", "good", "the key's policy is not understood here");
}

static void says_when_the_policy_cannot_be_read(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{" IDENTITY FORBIDDEN "'GET /keys/disk': [(403, '')]}");
    assert_fails(release(&world, &err), err, SKRFS_CLASS_REJECTED,
            "the key's policy cannot be read to tell");
    assert_non_null(strstr(err.message, "Key Vault Crypto Service Release User"));
}

struct listing {
    char kids[512];
};

static int keep_kid(void *context, const char *kid, bool enabled, struct skrfs_error *err) {
    struct listing *listing = context;
    (void)err;
    size_t used = strlen(listing->kids);
    snprintf(listing->kids + used, sizeof(listing->kids) - used, "%s%s ", kid, enabled ? "" : "!");
    return 0;
}

static void lists_all_pages(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct listing listing = {0};
    auto_world world;
    begin(&world,
            "{" IDENTITY "'GET /keys': [(200, {'value': [{'kid': 'https://v/keys/a', 'attributes': "
            "{'enabled': False}}], 'nextLink': '@HTTPS@/keys?api-version=7.4&$skiptoken=x'}), "
            "(200, "
            "{'value': [{'kid': 'https://v/keys/b'}], 'nextLink': None})]}");
    assert_ok(skrfs_cloud_key_list(world.cloud, 0, DEADLINE, keep_kid, &listing, &err), err);
    assert_string_equal(listing.kids, "https://v/keys/a! https://v/keys/b ");
    assert_int_equal(server_count(&world.server, "GET /keys?api-version=7.4&maxresults=25"), 1);
    assert_int_equal(server_count(&world.server, "GET /keys?api-version=7.4&$skiptoken=x"), 1);
}

static void follows_no_link_to_another_host(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct listing listing = {0};
    auto_world world;
    begin(&world, "{" IDENTITY "'GET /keys': [(200, {'value': [], 'nextLink': "
                  "'https://evil.example/keys?x=1'})]}");
    assert_fails(skrfs_cloud_key_list(world.cloud, 0, DEADLINE, keep_kid, &listing, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not of this vault's keys");
}

static void creates_a_key(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world,
            "{" IDENTITY "'POST /keys/new/create': [(200, {'key': {'kid': 'https://v/keys/new/" KEY
            "', 'kty': 'oct-HSM'}, 'attributes': {'exportable': True, 'created': 7}})]}");
    const struct skrfs_key_wish wish = {
            .name = "new", .kty = "oct-HSM", .size = 256, .policy = {(const uint8_t *)"{}", 2}};
    skrfs_autovaultkey key = {0};
    assert_ok(skrfs_cloud_key_create(world.cloud, 0, &wish, DEADLINE, &key, &err), err);
    assert_string_equal(key.kid, "https://v/keys/new/" KEY);
    assert_int_equal(key.created_s, 7);
    assert_int_equal(server_count(&world.server,
                             "POST /keys/new/create?api-version=7.4 auth=Bearer first "
                             "body={\"kty\":\"oct-HSM\",\"key_size\":256,\"attributes\":{"
                             "\"exportable\":true},"
                             "\"release_policy\":{\"immutable\":false,\"data\":\"e30\"}}"),
            1);
}

static void trusts_no_other_certificate(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world, other;
    begin(&other, "{}");
    begin(&world, "{" IDENTITY "'POST /keys/disk/release': [(200, {'value': 'j'})]}");
    skrfs_cloud_free(world.cloud);
    world.cloud = NULL;
    const struct skrfs_cloud_options options = {
            .imds_url = world.server.http,
            .vaults = world.vaults,
            .vault_count = 1,
            .http = {.ca_pem = skrfs_buf_text(&other.server.ca),
                    .connect_timeout_ns = 5 * SKRFS_SECOND_NS},
    };
    assert_ok(skrfs_cloud_new(&options, &world.cloud, &err), err);
    assert_fails(release(&world, &err), err, SKRFS_CLASS_BAD_ANSWER, "vault 'prod'");
    assert_int_equal(server_count(&world.server, "POST"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(releases_with_one_token_for_both_vaults),
            cmocka_unit_test(fetches_one_token_for_many_callers),
            cmocka_unit_test(keeps_no_token_that_is_about_to_end),
            cmocka_unit_test(serves_on_when_renewal_fails),
            cmocka_unit_test(fetches_a_new_token_once_after_401),
            cmocka_unit_test(gives_up_after_two_401),
            cmocka_unit_test(tells_what_the_metadata_service_says),
            cmocka_unit_test(retries_the_metadata_service),
            cmocka_unit_test(tells_a_missing_key),
            cmocka_unit_test(waits_for_a_throttling_vault_no_longer_than_told),
            cmocka_unit_test(retries_a_vault_that_is_out_of_service),
            cmocka_unit_test(refuses_an_answer_without_a_value),
            cmocka_unit_test(tells_policy_from_role),
            cmocka_unit_test(says_when_the_policy_cannot_be_read),
            cmocka_unit_test(lists_all_pages),
            cmocka_unit_test(follows_no_link_to_another_host),
            cmocka_unit_test(creates_a_key),
            cmocka_unit_test(trusts_no_other_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
