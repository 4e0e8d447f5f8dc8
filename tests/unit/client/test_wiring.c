#include "support.h"

#include <errno.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/file.h>
#include <skrfs/client/wiring.h>
#include <skrfs/crypto/x509.h>
#include <unistd.h>

static char text_prod[] = "prod", text_url[] = "https://contoso.vault.azure.net",
            text_host[] = "contoso.vault.azure.net",
            text_maa[] = "https://sharedweu.weu.attest.azure.net", text_system[] = "system",
            text_client[] = "client-id:6b7a2c9e-0d5f-4e1b-9a3c-2f8e7d6c5b4a",
            text_nobody[] = "nobody", text_key[] = "disk-data",
            text_version[] = "0123456789abcdef0123456789abcdef",
            text_enc[] = "RSA_AES_KEY_WRAP_384";

struct setting {
    struct skrfs_conf conf;
    struct skrfs_conf_vault vault;
    struct skrfs_conf_key key;
    char ca_file[64];
};

static void setting_init(struct setting *setting) {
    *setting = (struct setting){
            .vault = {.name = text_prod,
                    .url = text_url,
                    .host = text_host,
                    .identity = text_system},
            .key = {.file = text_key,
                    .name = text_key,
                    .format = SKRFS_FORMAT_PEM,
                    .enc = text_enc},
    };
    setting->conf = (struct skrfs_conf){.attestation_url = text_maa,
            .vaults = &setting->vault,
            .vault_count = 1,
            .keys = &setting->key,
            .key_count = 1,
            .connect_timeout_ns = SKRFS_SECOND_NS,
            .deadline_ns = SKRFS_SECOND_NS};
}

/* A certificate of the test's own in a file of the test's own. */
static void write_ca(struct setting *setting) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    skrfs_autochain *chain = NULL;
    skrfs_autopkey *key = NULL;
    struct skrfs_error err;

    assert_ok(skrfs_pkey_new_ec(SKRFS_P256, &key, &err), err);
    const struct skrfs_cert_spec spec = {.common_name = "test root",
            .subject_key = key,
            .issuer_key = key,
            .authority = true,
            .days = 1};
    assert_ok(skrfs_cert_issue(&spec, &chain, &err), err);
    assert_ok(skrfs_chain_pem(chain, &pem, &err), err);
    (void)snprintf(setting->ca_file, sizeof(setting->ca_file), "/tmp/skrfs-test-wiring-%d.pem",
            (int)getpid());
    assert_ok(skrfs_file_write(setting->ca_file, pem.data, pem.len, 0600, &err), err);
    setting->conf.ca_file = setting->ca_file;
}

static void test_network_takes_identities(void **state) {
    struct skrfs_network network;
    struct setting setting;
    struct skrfs_error err;

    (void)state;
    setting_init(&setting);
    assert_ok(skrfs_network_prepare(&setting.conf, &network, &err), err);
    assert_int_equal(network.vaults[0].identity, SKRFS_IDENTITY_SYSTEM);
    assert_null(network.vaults[0].identity_id);
    assert_string_equal(network.vaults[0].url, text_url);
    assert_null(network.cloud);
    skrfs_network_done(&network);

    setting.vault.identity = text_client;
    assert_ok(skrfs_network_prepare(&setting.conf, &network, &err), err);
    assert_int_equal(network.vaults[0].identity, SKRFS_IDENTITY_CLIENT_ID);
    assert_string_equal(network.vaults[0].identity_id, text_client + strlen("client-id:"));
    skrfs_network_done(&network);
}

static void test_network_refuses_what_it_cannot_use(void **state) {
    struct skrfs_network network;
    struct setting setting;
    struct skrfs_error err;
    char nowhere[] = "/does/not/exist.pem", host[] = "vault.example.org";

    (void)state;
    setting_init(&setting);
    setting.vault.identity = text_nobody;
    assert_fails(skrfs_network_prepare(&setting.conf, &network, &err), err, SKRFS_CLASS_CONFIG,
            "[vault prod]");
    setting_init(&setting);
    setting.vault.host = host;
    assert_fails(skrfs_network_prepare(&setting.conf, &network, &err), err, SKRFS_CLASS_CONFIG,
            "[vault prod]");
    setting_init(&setting);
    setting.conf.ca_file = nowhere;
    assert_fails(skrfs_network_prepare(&setting.conf, &network, &err), err, SKRFS_CLASS_SYSTEM,
            "[network] ca-file");
}

/* The courier starts it behind its sandbox, where the file is out of reach. */
static void test_network_starts_without_its_files(void **state) {
    struct skrfs_network network;
    struct setting setting;
    struct skrfs_error err;

    (void)state;
    setting_init(&setting);
    write_ca(&setting);
    assert_ok(skrfs_network_prepare(&setting.conf, &network, &err), err);
    assert_int_equal(unlink(setting.ca_file), 0);
    assert_ok(skrfs_network_start(&setting.conf, &network, &err), err);
    assert_non_null(network.cloud);
    skrfs_network_done(&network);
    assert_null(network.cloud);
}

static void test_ask_names_the_key(void **state) {
    struct skrfs_release_key ask;
    struct setting setting;

    (void)state;
    setting_init(&setting);
    skrfs_keyside_ask(&setting.conf, 0, NULL, &ask);
    assert_string_equal(ask.vault_host, text_host);
    assert_string_equal(ask.name, text_key);
    assert_null(ask.version);
    assert_int_equal(ask.enc, SKRFS_ENC_SHA384);
    skrfs_keyside_ask(&setting.conf, 0, text_version, &ask);
    assert_string_equal(ask.version, text_version);
    setting.key.version = text_version;
    skrfs_keyside_ask(&setting.conf, 0, NULL, &ask);
    assert_string_equal(ask.version, text_version);
}

/* A courier that knows one public key and must not be asked for anything else. */
static int shown;

static int show(struct skrfs_courier *courier, size_t vault, const char *name, const char *version,
        uint64_t deadline_ns, struct skrfs_vault_key *ret_key, struct skrfs_error *err) {
    skrfs_autopkey *key = NULL;

    (void)courier;
    (void)deadline_ns;
    assert_int_equal(vault, 0);
    assert_string_equal(name, text_key);
    assert_null(version);
    shown++;
    if (skrfs_pkey_new_ec(SKRFS_P256, &key, err) < 0 ||
            skrfs_pkey_public(key, &ret_key->public, err) < 0)
        return -1;
    (void)snprintf(
            ret_key->kid, sizeof(ret_key->kid), "%s/keys/%s/%s", text_url, text_key, text_version);
    return 0;
}

static const struct skrfs_courier_ops courier_ops = {.key_show = show};

static void test_without_a_tpm_only_public_parts_are_had(void **state) {
    const struct skrfs_fetch_ops *ops = &skrfs_keyside_fetch_ops;
    struct skrfs_courier courier = {.ops = &courier_ops};
    struct skrfs_fetched fetched = {0};
    struct skrfs_error err;
    struct skrfs_secret *encoded;
    struct skrfs_keyside keyside;
    struct setting setting;
    char no_device[] = "device:/does/not/exist";
    skrfs_autobuf ca_pem = SKRFS_BUF(SKRFS_PEM_MAX);

    (void)state;
    setting_init(&setting);
    setting.conf.tcti = no_device;
    assert_ok(skrfs_keyside_prepare(&setting.conf, -1, &ca_pem, &keyside, &err), err);
    skrfs_keyside_start(&keyside, &courier);
    assert_fails(ops->fetch(&keyside, 0, NULL, SKRFS_NEVER_NS, NULL, &fetched, &err), err,
            SKRFS_CLASS_NO_TEE, "/does/not/exist");
    assert_null(fetched.plain);
    assert_int_equal(shown, 0);
    assert_ok(ops->fetch_public(
                      &keyside, 0, NULL, SKRFS_FORMAT_PUB_PEM, SKRFS_NEVER_NS, &encoded, &err),
            err);
    assert_memory_equal(skrfs_secret_data(encoded), "-----BEGIN PUBLIC KEY-----", 26);
    assert_int_equal(shown, 1);
    skrfs_secret_unref(encoded);
    skrfs_keyside_done(&keyside);
}

static void test_anchors_that_are_none_are_refused(void **state) {
    struct skrfs_keyside keyside;
    struct setting setting;
    struct skrfs_error err;
    skrfs_autobuf ca_pem = SKRFS_BUF(SKRFS_PEM_MAX);

    (void)state;
    setting_init(&setting);
    (void)snprintf(setting.ca_file, sizeof(setting.ca_file), "anchors.pem");
    setting.conf.ca_file = setting.ca_file;
    assert_ok(skrfs_buf_append_text(&ca_pem, "no certificate\n", &err), err);
    assert_fails(skrfs_keyside_prepare(&setting.conf, -1, &ca_pem, &keyside, &err), err,
            SKRFS_CLASS_CONFIG, "anchors.pem");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_network_takes_identities),
            cmocka_unit_test(test_network_refuses_what_it_cannot_use),
            cmocka_unit_test(test_network_starts_without_its_files),
            cmocka_unit_test(test_ask_names_the_key),
            cmocka_unit_test(test_without_a_tpm_only_public_parts_are_had),
            cmocka_unit_test(test_anchors_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
