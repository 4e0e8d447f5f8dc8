/* Managed identities at every endpoint, and what is kept of their tokens. */
#include "login_world.h"

static void asks_an_app_service(void **state) {
    (void)state;
    static const struct {
        const char *identity, *query;
    } cases[] = {
            {"system", ""},
            {"client-id:1", "&client_id=1"},
            {"object-id:2", "&object_id=2"},
            {"resource-id:/a/b", "&mi_res_id=%2Fa%2Fb"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        auto_world world;
        char line[256], endpoint[128];
        begin(&world, "{'GET /msi/token': [" MSI("one") "], " SHOW "[" KEY "]}");
        snprintf(endpoint, sizeof(endpoint), "%s/msi/token", world.server.http);
        world.login.managed = SKRFS_MANAGED_APP_SERVICE;
        world.login.endpoint = endpoint;
        world.login.header = "open sesame";
        as(&world, cases[i].identity);
        assert_ok(show(&world, &err), err);
        snprintf(line, sizeof(line),
                "GET /msi/token?api-version=2019-08-01&resource=https%%3A%%2F%%2Fvault.azure.net%s "
                "auth=-",
                cases[i].query);
        assert_int_equal(server_count(&world.server, line), 1);
        assert_int_equal(server_count(&world.server, "identity=open sesame"), 1);
        assert_int_equal(server_count(&world.server, "GET /keys/disk?api-version=7.4 auth=Bearer "
                                                     "one"),
                1);
    }
}

static void wants_to_know_the_endpoint(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world, other;
    begin(&world, "{}");
    world.login.managed = SKRFS_MANAGED_APP_SERVICE;
    assert_fails(show(&world, &err), err, SKRFS_CLASS_CONFIG, "IDENTITY_ENDPOINT is not set");
    begin(&other, "{}");
    other.login.managed = SKRFS_MANAGED_APP_SERVICE;
    other.login.endpoint = other.server.http;
    assert_fails(show(&other, &err), err, SKRFS_CLASS_CONFIG, "IDENTITY_HEADER is not set");
    assert_int_equal(server_count(&other.server, "GET"), 0);
}

static void tells_what_an_app_service_says(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    auto_world world;
    begin(&world, "{'GET /': [(400, {'statusCode': 400, 'message': 'No Managed Identity found for "
                  "specified ClientId'})]}");
    char endpoint[128];
    snprintf(endpoint, sizeof(endpoint), "%s/", world.server.http);
    world.login.managed = SKRFS_MANAGED_APP_SERVICE;
    world.login.endpoint = endpoint;
    world.login.header = "h";
    assert_fails(show(&world, &err), err, SKRFS_CLASS_REJECTED, "no such managed identity");
    assert_non_null(strstr(err.message, "No Managed Identity found"));
}

/* Arc names this file, below this folder. */
static void begin_arc(struct world *world, const char *path, char endpoint[128]) {
    skrfs_autobuf routes = SKRFS_BUF(4096);
    struct skrfs_error err = {0};
    assert_ok(skrfs_buf_printf(&routes, &err,
                      "{'GET /arc': [(401, '', {'WWW-Authenticate': 'Basic realm=%s'}), " MSI(
                              "one") "], " SHOW "[" KEY "]}",
                      path),
            err);
    begin(world, skrfs_buf_text(&routes));
    snprintf(endpoint, 128, "%s/arc", world->server.http);
    world->login.managed = SKRFS_MANAGED_ARC;
    world->login.endpoint = endpoint;
}

static void shows_arc_its_key(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    char folder[] = "/tmp/skrfs-arc-XXXXXX", path[64], endpoint[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/0-1.key", folder);
    assert_ok(skrfs_file_write(path, "c2VjcmV0\n", 9, 0600, &err), err);
    {
        auto_world world;
        begin_arc(&world, path, endpoint);
        world.login.arc_dir = folder;
        assert_ok(show(&world, &err), err);
        assert_int_equal(
                server_count(&world.server, "GET /arc?api-version=2020-06-01&resource=https%3A%2F%"
                                            "2Fvault.azure.net auth=- "),
                1);
        assert_int_equal(server_count(&world.server, "auth=Basic c2VjcmV0 "), 1);
    }
    {
        auto_world world;
        begin_arc(&world, path, endpoint);
        world.login.arc_dir = folder;
        as(&world, "client-id:1");
        assert_fails(show(&world, &err), err, SKRFS_CLASS_CONFIG, "say identity = system");
    }
    unlink(path);
    rmdir(folder);
}

static void reads_no_other_file_for_arc(void **state) {
    (void)state;
    static const struct {
        const char *path, *why;
        enum skrfs_class kind;
    } cases[] = {
            {"/etc/shadow", "no .key file in /var/opt/azcmagent/tokens", SKRFS_CLASS_REJECTED},
            {"/var/opt/azcmagent/tokens/../../../../etc/x.key", "no .key file",
                    SKRFS_CLASS_REJECTED},
            {"/var/opt/azcmagent/tokens/sub/x.key", "no .key file", SKRFS_CLASS_REJECTED},
            {"/var/opt/azcmagent/tokensx/x.key", "no .key file", SKRFS_CLASS_REJECTED},
            {"/var/opt/azcmagent/tokens/x.pem", "no .key file", SKRFS_CLASS_REJECTED},
            {"/var/opt/azcmagent/tokens/.key", "no .key file", SKRFS_CLASS_REJECTED},
            {"/var/opt/azcmagent/tokens", "no .key file", SKRFS_CLASS_REJECTED},
            {"", "no .key file", SKRFS_CLASS_REJECTED},
            {"/var/opt/azcmagent/tokens/absent.key", "cannot be opened", SKRFS_CLASS_SYSTEM},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        char header[256];
        skrfs_autobuf key = SKRFS_BUF(CLIENT_SECRET_MAX);
        snprintf(header, sizeof(header), "Basic realm=\"%s\"", cases[i].path);
        assert_fails(skrfs_arc_key(header, NULL, &key, &err), err, cases[i].kind, cases[i].why);
    }
    struct skrfs_error err = {0};
    skrfs_autobuf key = SKRFS_BUF(CLIENT_SECRET_MAX);
    assert_fails(skrfs_arc_key("Bearer realm=/x.key", NULL, &key, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "names no key file");
}

static void reads_no_odd_file_for_arc(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    char folder[] = "/tmp/skrfs-arc-XXXXXX", path[64], header[128], target[64];
    static char large[8192];
    memset(large, 'a', sizeof(large));
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/x.key", folder);
    snprintf(target, sizeof(target), "%s/target", folder);
    snprintf(header, sizeof(header), "Basic realm=%s", path);
    const struct {
        const char *text;
        size_t len;
        const char *why;
    } cases[] = {
            {large, sizeof(large), "is no key file"},
            {"a b", 3, "characters"},
            {"a\r\nHost: x", 10, "characters"},
            {"\n", 1, "is empty"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        skrfs_autobuf key = SKRFS_BUF(CLIENT_SECRET_MAX);
        assert_ok(skrfs_file_write(path, cases[i].text, cases[i].len, 0600, &err), err);
        assert_fails(
                skrfs_arc_key(header, folder, &key, &err), err, SKRFS_CLASS_REJECTED, cases[i].why);
    }
    skrfs_autobuf key = SKRFS_BUF(CLIENT_SECRET_MAX);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_fails(
            skrfs_arc_key(header, folder, &key, &err), err, SKRFS_CLASS_SYSTEM, "cannot be opened");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_fails(
            skrfs_arc_key(header, folder, &key, &err), err, SKRFS_CLASS_REJECTED, "no key file");
    rmdir(path);
    unlink(target);
    rmdir(folder);
}

static void knows_the_clouds(void **state) {
    (void)state;
    assert_string_equal(
            skrfs_cloud_by_name("public")->authority, "https://login.microsoftonline.com");
    assert_string_equal(skrfs_cloud_by_name("china")->vault_suffix, "vault.azure.cn");
    assert_string_equal(skrfs_cloud_by_name("usgov")->hsm_suffix, "managedhsm.usgovcloudapi.net");
    assert_null(skrfs_cloud_by_name("germany"));
    struct skrfs_error err = {0};
    struct skrfs_cloud cloud = {0};
    const struct token_slot slot = {.tenant = TENANT};
    skrfs_autobuf url = SKRFS_BUF(URL_MAX), other = SKRFS_BUF(URL_MAX);
    assert_ok(skrfs_entra_url(&cloud, &slot, &url, &err), err);
    assert_string_equal(
            skrfs_buf_text(&url), "https://login.microsoftonline.com/" TENANT "/oauth2/v2.0/token");
    cloud.login.authority = "https://login.example:1/";
    assert_ok(skrfs_entra_url(&cloud, &slot, &other, &err), err);
    assert_string_equal(
            skrfs_buf_text(&other), "https://login.example:1/" TENANT "/oauth2/v2.0/token");
}

static void renews_ahead_of_the_end(void **state) {
    (void)state;
    static const struct {
        unsigned life_s, told_s;
        bool managed;
        unsigned latest_s; /* and at most a tenth earlier */
    } cases[] = {
            {86400, 0, true, 43200},
            {86400, 0, false, 86100},
            {3600, 0, true, 3300},
            {3600, 1200, false, 1200},
            {86400, 7200, true, 7200},
            {3600, 4000, false, 3300},
            {60, 0, false, 30},
            {0, 0, true, 0},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++)
        for (int j = 0; j < 50; j++) {
            uint64_t after = skrfs_token_refresh_after(cases[i].life_s * SKRFS_SECOND_NS,
                    cases[i].told_s * SKRFS_SECOND_NS, cases[i].managed);
            uint64_t latest = cases[i].latest_s * SKRFS_SECOND_NS;
            assert_in_range(after, latest - latest / 10, latest);
            assert_true(latest - after <= 300 * SKRFS_SECOND_NS);
        }
}

static void shares_tokens_of_the_same_login_alone(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    const struct skrfs_cloud_vault base = {.name = "v",
            .url = "https://a.vault.azure.net",
            .identity = SKRFS_IDENTITY_SECRET,
            .identity_id = "/f",
            .client = "c",
            .tenant = "t"};
    struct skrfs_cloud_vault vaults[7] = {base, base, base, base, base, base, base};
    vaults[1].url = "https://b.vault.azure.net";
    vaults[2].url = "https://b.managedhsm.azure.net";
    vaults[3].client = "other";
    vaults[4].tenant = "other";
    vaults[5].identity_id = "/other";
    vaults[6].tenant = NULL;
    const struct skrfs_cloud_options options = {.vaults = vaults, .vault_count = 7};
    SKRFS_CLEANUP(skrfs_cloud_free_p) struct skrfs_cloud *cloud = NULL;
    assert_ok(skrfs_cloud_new(&options, &cloud, &err), err);
    assert_ptr_equal(cloud->vaults[0].slot, cloud->vaults[1].slot);
    for (size_t i = 2; i < 6; i++)
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(cloud->vaults[i].slot, cloud->vaults[j].slot);
    assert_null(cloud->vaults[6].slot);
}

int main(void) {
    struct skrfs_error err = {0};
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(asks_an_app_service),
            cmocka_unit_test(wants_to_know_the_endpoint),
            cmocka_unit_test(tells_what_an_app_service_says),
            cmocka_unit_test(shows_arc_its_key),
            cmocka_unit_test(reads_no_other_file_for_arc),
            cmocka_unit_test(reads_no_odd_file_for_arc),
            cmocka_unit_test(knows_the_clouds),
            cmocka_unit_test(renews_ahead_of_the_end),
            cmocka_unit_test(shares_tokens_of_the_same_login_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
