/* [login], [tee] and who a vault's identity is. */
#include "support.h"

#include <skrfs/conf/conf.h>

#define VAULT                                                                                      \
    "[vault prod]\n"                                                                               \
    "url = https://contoso.vault.azure.net\n"

static int parse(const char *text, struct skrfs_conf **ret_conf, struct skrfs_error *err) {
    return skrfs_conf_parse("test.conf", text, strlen(text), ret_conf, err);
}

static void defaults_leave_the_choice_to_the_machine(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(parse(VAULT, &conf, &err), err);
    assert_string_equal(conf->login.cloud, "public");
    assert_string_equal(conf->login.managed, "auto");
    assert_null(conf->login.authority);
    assert_null(conf->login.tenant);
    assert_null(conf->login.client);
    assert_null(conf->login.token_file);
    assert_string_equal(conf->tee.kind, "auto");
    assert_null(conf->tee.tsm);
    assert_null(conf->tee.device);
    assert_null(conf->tee.attestation);
    assert_null(conf->tee.context);
    assert_null(conf->tee.certificates);
    assert_null(conf->tee.certificates_file);
    assert_null(conf->tee.cache_url);
    assert_null(conf->tee.kds_url);
    assert_null(conf->tee.init_data);
    assert_false(conf->tee.allow_debug);
    assert_null(conf->vaults[0].tenant);
    assert_null(conf->vaults[0].client);
}

static void every_way_to_log_in_is_taken(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(parse("[login]\n"
                    "cloud = china\n"
                    "authority = https://login.example:8443/\n"
                    "tenant = contoso.onmicrosoft.com\n"
                    "client = 11111111-2222-3333-4444-555555555555\n"
                    "token-file = /var/run/secrets/azure/tokens/azure-identity-token\n"
                    "managed = app-service\n" VAULT "identity = workload\n"
                    "[vault b]\n"
                    "url = https://b.vault.azure.cn\n"
                    "identity = secret-file:/run/secret\n"
                    "tenant = 22222222-2222-3333-4444-555555555555\n"
                    "client = 33333333-2222-3333-4444-555555555555\n"
                    "[vault c]\n"
                    "url = https://c.vault.azure.cn\n"
                    "identity = certificate-file:/run/me.pem\n",
                      &conf, &err),
            err);
    assert_string_equal(conf->login.cloud, "china");
    assert_string_equal(conf->login.authority, "https://login.example:8443");
    assert_string_equal(conf->login.tenant, "contoso.onmicrosoft.com");
    assert_string_equal(conf->login.client, "11111111-2222-3333-4444-555555555555");
    assert_string_equal(
            conf->login.token_file, "/var/run/secrets/azure/tokens/azure-identity-token");
    assert_string_equal(conf->login.managed, "app-service");
    assert_string_equal(conf->vaults[0].identity, "workload");
    assert_string_equal(conf->vaults[1].identity, "secret-file:/run/secret");
    assert_string_equal(conf->vaults[1].tenant, "22222222-2222-3333-4444-555555555555");
    assert_string_equal(conf->vaults[1].client, "33333333-2222-3333-4444-555555555555");
    assert_string_equal(conf->vaults[2].identity, "certificate-file:/run/me.pem");
}

static void every_place_of_a_tee_is_taken(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(parse("[tee]\n"
                    "kind = snp\n"
                    "tsm = /sys/kernel/config/tsm/report\n"
                    "device = /dev/sev-guest\n"
                    "context = none\n"
                    "certificates = file thim\n"
                    "  cache\n"
                    "  kds\n"
                    "certificates-file = /etc/skrfs/vcek.pem\n"
                    "cache-url = https://cache.example\n"
                    "kds-url = https://kds.example/\n"
                    "init-data = /etc/skrfs/init.json\n"
                    "allow-debug = yes\n",
                      &conf, &err),
            err);
    assert_string_equal(conf->tee.kind, "snp");
    assert_string_equal(conf->tee.tsm, "/sys/kernel/config/tsm/report");
    assert_string_equal(conf->tee.device, "/dev/sev-guest");
    assert_string_equal(conf->tee.context, "none");
    assert_non_null(strstr(conf->tee.certificates, "thim"));
    assert_non_null(strstr(conf->tee.certificates, "kds"));
    assert_string_equal(conf->tee.certificates_file, "/etc/skrfs/vcek.pem");
    assert_string_equal(conf->tee.cache_url, "https://cache.example");
    assert_string_equal(conf->tee.kds_url, "https://kds.example");
    assert_string_equal(conf->tee.init_data, "/etc/skrfs/init.json");
    assert_true(conf->tee.allow_debug);
}

struct wrong {
    const char *text;
    const char *message;
};

static void expect_refused(const struct wrong *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct skrfs_error err = {0};
        struct skrfs_conf *conf = NULL;
        if (parse(cases[i].text, &conf, &err) == 0)
            print_error("taken: %s\n", cases[i].text);
        assert_null(conf);
        assert_fails(parse(cases[i].text, &conf, &err), err, SKRFS_CLASS_CONFIG, cases[i].message);
    }
}

static void wrong_logins_are_named_with_their_place(void **state) {
    (void)state;
    static const struct wrong cases[] = {
            {"[login]\ncloud = pubic\n",
                    "test.conf:2:9: 'cloud' is public, china or usgov; did you mean 'public'?"},
            {"[login]\nclout = public\n", "test.conf:2:1: unknown name 'clout' in [login]; did "
                                          "you mean 'cloud'?"},
            {"[login]\nmanaged = azure\n",
                    "test.conf:2:11: 'managed' is auto, imds, app-service or arc"},
            {"[login]\nauthority = http://login.example\n",
                    "test.conf:2:13: 'authority' begins with https://"},
            {"[login]\ntenant = a/b\n", "test.conf:2:10: 'tenant' is an identifier"},
            {"[login]\nclient = a&b\n", "'client' is an identifier"},
            {"[login]\ntoken-file = token\n", "test.conf:2:14: 'token-file' is a path"},
            {"[login]\ntoken-file = /token\n" VAULT,
                    "test.conf:2:14: 'token-file' is for identity = workload"},
            {VAULT "identity = secret-file:secret\n",
                    "test.conf:3:12: 'identity' secret-file: is followed by a path"},
            {VAULT "identity = certificate-file:\n",
                    "'identity' certificate-file: is followed by a path"},
            {VAULT "identity = workload:x\n", "'identity' is system, client-id:ID"},
            {VAULT "identity = client-id:a\nclient = b\n",
                    "test.conf:4:10: 'client' is for identity = workload"},
            {VAULT "tenant = a\n", "test.conf:3:10: 'tenant' is for identity = workload"},
            {VAULT "identity = workload\nclient = a b\n", "'client' is an identifier"},
            {VAULT "identity = client-id:a\n[login]\nmanaged = arc\n",
                    "test.conf:3:12: Azure Arc, which [login] managed (line 5) says"},
    };
    expect_refused(cases, SKRFS_ARRAY_LEN(cases));
}

static void wrong_tees_are_named_with_their_place(void **state) {
    (void)state;
    static const struct wrong cases[] = {
            {"[tee]\nkind = spn\n", "test.conf:2:8: 'kind' is auto, azure-cvm, snp, tdx or sgx; "
                                    "did you mean 'snp'?"},
            {"[tea]\n", "did you mean [tee]?"},
            {"[tee]\nalow-debug = yes\n", "did you mean 'allow-debug'?"},
            {"[tee]\nallow-debug = perhaps\n", "test.conf:2:15: 'allow-debug' is yes or no"},
            {"[tee]\ntsm = report\n", "test.conf:2:7: 'tsm' is a path from the root"},
            {"[tee]\ndevice = sev-guest\n", "'device' is a path from the root"},
            {"[tee]\nattestation = dev\n", "'attestation' is a path from the root"},
            {"[tee]\ncontext = nonne\n", "'context' is a path from the root"},
            {"[tee]\ncertificates-file = a.pem\n", "'certificates-file' is a path"},
            {"[tee]\ninit-data = a\n", "'init-data' is a path"},
            {"[tee]\ncache-url = http://a\n", "'cache-url' begins with https://"},
            {"[tee]\nkds-url = a\n", "'kds-url' begins with https://"},
            {"[tee]\ncertificates = context tihm\n",
                    "test.conf:2:24: 'certificates' are of context, report, file, thim, cache and "
                    "kds; did you mean 'thim'?"},
            {"[tee]\ncertificates = context\n  thim\n  amd\n", "test.conf:4:3: 'certificates' are"},
            {"[tee]\ncertificates = kds thim kds\n", "test.conf:2:25: 'kds' is there twice"},
            {"[tee]\ncertificates = file\n",
                    "test.conf:2:16: 'certificates' lists file, but there is no "
                    "'certificates-file'"},
            {"[tee]\ncertificates = thim\nkds-url = https://kds.example\n",
                    "test.conf:3:11: 'kds-url' is there, but 'certificates' (line 2) does not "
                    "list kds"},
            {"[tee]\nkind = sgx\ntsm = /sys/kernel/config/tsm/report\n",
                    "test.conf:3:7: 'tsm' means nothing with kind = sgx"},
            {"[tee]\nkind = azure-cvm\nallow-debug = no\n",
                    "'allow-debug' means nothing with kind = azure-cvm"},
    };
    expect_refused(cases, SKRFS_ARRAY_LEN(cases));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(defaults_leave_the_choice_to_the_machine),
            cmocka_unit_test(every_way_to_log_in_is_taken),
            cmocka_unit_test(every_place_of_a_tee_is_taken),
            cmocka_unit_test(wrong_logins_are_named_with_their_place),
            cmocka_unit_test(wrong_tees_are_named_with_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
