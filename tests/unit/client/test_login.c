/* Who a process logs in as: the configuration first, then the environment. */
#include "support.h"

#include <skrfs/base/file.h>
#include <skrfs/client/wiring.h>
#include <stdio.h>

#define ATTESTATION "[attestation]\nurl = https://sharedweu.weu.attest.azure.net\n"
#define VAULT "[vault prod]\nurl = https://contoso.vault.azure.net\n"
#define ENV_ID "99999999-0000-4000-8000-000000000001"
#define CONF_ID "11111111-0000-4000-8000-000000000001"
#define VAULT_ID "22222222-0000-4000-8000-000000000001"

static const char *const names[] = {"AZURE_TENANT_ID", "AZURE_CLIENT_ID",
        "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER", "IMDS_ENDPOINT"};

static int clean(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    return 0;
}

struct prepared {
    struct skrfs_conf *conf;
    struct skrfs_network network;
};

static void prepared_done(struct prepared *prepared) {
    skrfs_network_done(&prepared->network);
    skrfs_conf_free(prepared->conf);
}

#define auto_prepared SKRFS_CLEANUP(prepared_done) struct prepared

static int prepare(const char *text, struct prepared *ret, struct skrfs_error *err) {
    struct skrfs_conf *conf = NULL;
    assert_ok(skrfs_conf_parse("test.conf", text, strlen(text), &conf, err), *err);
    if (skrfs_network_prepare(conf, &ret->network, err) < 0) {
        skrfs_conf_free(conf);
        return -1;
    }
    ret->conf = conf;
    return 0;
}

static void a_workload_is_known_by_its_environment(void **state) {
    (void)state;
    auto_prepared made = {0};
    struct skrfs_error err;
    setenv("AZURE_TENANT_ID", "contoso.example", 1);
    setenv("AZURE_CLIENT_ID", ENV_ID, 1);
    setenv("AZURE_FEDERATED_TOKEN_FILE", "/run/token", 1);
    setenv("AZURE_AUTHORITY_HOST", "https://login.example//", 1);
    assert_ok(prepare(ATTESTATION VAULT "identity = workload\n", &made, &err), err);
    const struct skrfs_cloud_vault *vault = &made.network.vaults[0];
    assert_int_equal(vault->identity, SKRFS_IDENTITY_WORKLOAD);
    assert_string_equal(vault->tenant, "contoso.example");
    assert_string_equal(vault->client, ENV_ID);
    assert_string_equal(vault->token_file, "/run/token");
    assert_string_equal(made.network.login.authority, "https://login.example");
}

static void the_configuration_wins(void **state) {
    (void)state;
    auto_prepared made = {0};
    struct skrfs_error err;
    setenv("AZURE_TENANT_ID", "contoso.example", 1);
    setenv("AZURE_CLIENT_ID", ENV_ID, 1);
    setenv("AZURE_FEDERATED_TOKEN_FILE", "/run/token", 1);
    setenv("AZURE_AUTHORITY_HOST", "https://login.example/", 1);
    assert_ok(prepare(ATTESTATION "[login]\ntenant = fabrikam.example\nclient = " CONF_ID
                                  "\ntoken-file = /run/other\nauthority = "
                                  "https://mine.example\n" VAULT "identity = workload\n[vault b]\n"
                                  "url = https://b.managedhsm.azure.net\nidentity = "
                                  "secret-file:/run/secret\nclient = " VAULT_ID "\n",
                      &made, &err),
            err);
    const struct skrfs_cloud_vault *vaults = made.network.vaults;
    assert_string_equal(vaults[0].tenant, "fabrikam.example");
    assert_string_equal(vaults[0].client, CONF_ID);
    assert_string_equal(vaults[0].token_file, "/run/other");
    assert_string_equal(vaults[1].tenant, "fabrikam.example");
    assert_string_equal(vaults[1].client, VAULT_ID);
    assert_null(vaults[1].token_file);
    assert_string_equal(vaults[1].identity_id, "/run/secret");
    assert_string_equal(made.network.login.authority, "https://mine.example");
}

static void what_is_missing_is_said_before_any_key_is_wanted(void **state) {
    (void)state;
    auto_prepared made = {0};
    struct skrfs_error err;
    assert_fails(prepare(ATTESTATION VAULT "identity = workload\n", &made, &err), err,
            SKRFS_CLASS_CONFIG, "AZURE_CLIENT_ID");
    setenv("AZURE_CLIENT_ID", ENV_ID, 1);
    assert_fails(prepare(ATTESTATION VAULT "identity = workload\n", &made, &err), err,
            SKRFS_CLASS_CONFIG, "AZURE_FEDERATED_TOKEN_FILE");
    setenv("AZURE_FEDERATED_TOKEN_FILE", "token", 1);
    assert_fails(prepare(ATTESTATION VAULT "identity = workload\n", &made, &err), err,
            SKRFS_CLASS_CONFIG, "a path from the root");
    unsetenv("AZURE_CLIENT_ID");
    assert_fails(prepare(ATTESTATION VAULT "identity = certificate-file:/a.pem\n", &made, &err),
            err, SKRFS_CLASS_CONFIG, "'client'");
    setenv("AZURE_AUTHORITY_HOST", "http://login.example", 1);
    assert_fails(prepare(ATTESTATION VAULT, &made, &err), err, SKRFS_CLASS_CONFIG,
            "AZURE_AUTHORITY_HOST");
}

static void applications_log_in_to_their_vaults_cloud(void **state) {
    (void)state;
    auto_prepared made = {0};
    struct skrfs_error err;
    const char *wrong = ATTESTATION "[login]\nclient = " CONF_ID
                                    "\n[vault a]\nurl = https://a.vault.azure.cn\nidentity = "
                                    "secret-file:/run/secret\n";
    assert_fails(prepare(wrong, &made, &err), err, SKRFS_CLASS_CONFIG, "[login] cloud = china");
    assert_ok(prepare(ATTESTATION "[login]\ncloud = china\nclient = " CONF_ID
                                  "\n[vault a]\nurl = https://a.vault.azure.cn\nidentity = "
                                  "secret-file:/run/secret\n",
                      &made, &err),
            err);
    assert_string_equal(made.network.login.authority, "https://login.chinacloudapi.cn");
}

static void a_cloud_that_was_chosen_is_not_the_environments(void **state) {
    (void)state;
    auto_prepared made = {0};
    struct skrfs_error err;
    setenv("AZURE_AUTHORITY_HOST", "https://login.example/", 1);
    assert_ok(prepare(ATTESTATION "[login]\ncloud = usgov\n", &made, &err), err);
    assert_string_equal(made.network.login.authority, "https://login.microsoftonline.us");
}

static enum skrfs_managed managed_of(const char *text) {
    auto_prepared made = {0};
    struct skrfs_error err;
    assert_ok(prepare(text, &made, &err), err);
    return made.network.login.managed;
}

static void managed_identities_are_asked_where_the_platform_says(void **state) {
    (void)state;
    assert_int_equal(managed_of(ATTESTATION VAULT), SKRFS_MANAGED_IMDS);
    setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:40342/metadata/identity/oauth2/token", 1);
    assert_int_equal(managed_of(ATTESTATION VAULT), SKRFS_MANAGED_IMDS);
    setenv("IMDS_ENDPOINT", "http://127.0.0.1:40342", 1);
    assert_int_equal(managed_of(ATTESTATION VAULT), SKRFS_MANAGED_ARC);
    setenv("IDENTITY_HEADER", "header", 1);
    assert_int_equal(managed_of(ATTESTATION VAULT), SKRFS_MANAGED_APP_SERVICE);
    assert_int_equal(managed_of(ATTESTATION VAULT "[login]\nmanaged = imds\n"), SKRFS_MANAGED_IMDS);
    assert_int_equal(
            managed_of(ATTESTATION VAULT "[imds]\nurl = http://127.0.0.1:1\n"), SKRFS_MANAGED_IMDS);
    assert_int_equal(managed_of(ATTESTATION VAULT "[login]\nmanaged = arc\n"), SKRFS_MANAGED_ARC);
}

static void an_endpoint_that_is_missing_is_said(void **state) {
    (void)state;
    auto_prepared made = {0};
    struct skrfs_error err;
    const char *text = ATTESTATION VAULT "[login]\nmanaged = app-service\n";
    assert_fails(prepare(text, &made, &err), err, SKRFS_CLASS_CONFIG, "IDENTITY_ENDPOINT");
    setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token", 1);
    assert_fails(prepare(text, &made, &err), err, SKRFS_CLASS_CONFIG, "IDENTITY_HEADER");
    setenv("IDENTITY_HEADER", "header", 1);
    setenv("IDENTITY_ENDPOINT", "file:///etc/passwd", 1);
    assert_fails(prepare(text, &made, &err), err, SKRFS_CLASS_CONFIG, "http://");
}

/* /proc/self/environ is the memory that the kernel filled at the start: a value set later is not
 * in it, so that the wiping is looked at in place. */
static void the_header_stays_in_one_place_alone(void **state) {
    (void)state;
    auto_prepared made = {0};
    struct skrfs_error err;
    setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token", 1);
    setenv("IDENTITY_HEADER", "b1946ac9-secret", 1);
    char *in_place = getenv("IDENTITY_HEADER");
    assert_ok(prepare(ATTESTATION VAULT, &made, &err), err);
    skrfs_environment_wipe();
    assert_null(getenv("IDENTITY_HEADER"));
    assert_int_equal(in_place[0], 0);
    assert_string_equal(made.network.login.header, "b1946ac9-secret");
    skrfs_network_forget(&made.network);
    assert_null(made.network.login.header);
    assert_int_equal(made.network.environment.header.len, 0);
}

static void certificates_are_asked_for_in_the_configured_order(void **state) {
    (void)state;
    auto_prepared made = {0};
    struct skrfs_error err;
    assert_ok(prepare(ATTESTATION "[tee]\ncertificates = kds\n  thim context\n", &made, &err), err);
    assert_int_equal(made.network.certificate_count, 3);
    assert_int_equal(made.network.certificates[0], SKRFS_CERTS_KDS);
    assert_int_equal(made.network.certificates[1], SKRFS_CERTS_THIM);
    assert_int_equal(made.network.certificates[2], SKRFS_CERTS_CONTEXT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup(a_workload_is_known_by_its_environment, clean),
            cmocka_unit_test_setup(the_configuration_wins, clean),
            cmocka_unit_test_setup(what_is_missing_is_said_before_any_key_is_wanted, clean),
            cmocka_unit_test_setup(applications_log_in_to_their_vaults_cloud, clean),
            cmocka_unit_test_setup(a_cloud_that_was_chosen_is_not_the_environments, clean),
            cmocka_unit_test_setup(managed_identities_are_asked_where_the_platform_says, clean),
            cmocka_unit_test_setup(an_endpoint_that_is_missing_is_said, clean),
            cmocka_unit_test_setup(the_header_stays_in_one_place_alone, clean),
            cmocka_unit_test_setup(certificates_are_asked_for_in_the_configured_order, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
