#include "support.h"

#include <skrfs/client/mystikos.h>

#define HSM "https://contoso.managedhsm.azure.net"

static int parse(const char *text, struct skrfs_mystikos *ret, struct skrfs_error *err) {
    return skrfs_mystikos_parse("config.json", text, strlen(text), ret, err);
}

static const char declared[] =
        "{\n"
        "  \"version\": \"0.1\", \"Other\": {\"Secret\": [1, \"]\"]},\n"
        "  \"Secret\": [\n"
        "    {\"ID\": \"disk-data\", \"SrsAddress\": \"" HSM
        "\", \"SrsApiVersion\": \"7.3-preview\",\n"
        "     \"LocalPath\": \"/run/keys/disk\", \"ClientLib\": \"libmhsm_ssr.so\", \"Verbose\": "
        "true},\n"
        "    {\"ID\": \"tls\", \"SrsAddress\": \"" HSM "/\", \"LocalPath\": \"/tls.key\"}\n"
        "  ]\n"
        "}\n";

static void secrets_are_taken(void **state) {
    (void)state;
    skrfs_automystikos made = {.count = 0};
    struct skrfs_error err;
    assert_ok(parse(declared, &made, &err), err);
    assert_int_equal(made.count, 2);
    assert_true(made.client_lib);
    assert_string_equal(made.secrets[0].id, "disk-data");
    assert_string_equal(made.secrets[0].address, HSM);
    assert_string_equal(made.secrets[0].path, "/run/keys/disk");
    assert_true(made.secrets[0].verbose);
    assert_string_equal(made.secrets[1].path, "/tls.key");
    assert_false(made.secrets[1].verbose);
}

static void wrong_ones_are_told_with_their_place(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
            {"{\"Secret\": [}", "config.json"},
            {"{\"Secrets\": []}", "no array \"Secret\""},
            {"{\"Secret\": {}}", "no array \"Secret\""},
            {"[1]", "config.json:1:2: each secret is an object"},
            {"[\n {\"ID\": \"a\"},\n {}]", "config.json:2:2: \"SrsAddress\" is missing"},
            {"[{\"ID\": \"a\", \"SrsAddress\": \"" HSM "\"}]",
                    "config.json:1:2: \"LocalPath\" is missing"},
            {"[{\n\"ID\": 1, \"SrsAddress\": \"" HSM "\", \"LocalPath\": \"/a\"}]",
                    "config.json:2:1: \"ID\" is a text"},
            {"{\"a\": [\"]\", {\"b\": \"\\\"\"}],\n\"Secret\": [{\"ID\": \"a\",\n \"SrsAdress\": "
             "\"\"}]}",
                    "config.json:3:2: an unknown member"},
            {"[{\"ID\": \"a/b\", \"SrsAddress\": \"" HSM "\", \"LocalPath\": \"/a\"}]",
                    "config.json:1:3: \"ID\" is the name of a key"},
            {"[{\"ID\": \"a\", \"SrsAddress\": \"http://a.net\", \"LocalPath\": \"/a\"}]",
                    "\"SrsAddress\" is the address"},
            {"[{\"ID\": \"a\", \"SrsAddress\": \"https://a\\nidentity = x\", \"LocalPath\": "
             "\"/a\"}]",
                    "\"SrsAddress\" is the address"},
            {"[{\"ID\": \"a\", \"SrsAddress\": \"" HSM "\",\n  \"LocalPath\": \"a\"}]",
                    "config.json:2:3: \"LocalPath\" is a path from the root"},
            {"[{\"ID\": \"a\", \"SrsAddress\": \"" HSM "\", \"LocalPath\": \"/a/../b\"}]",
                    "\"LocalPath\" is a path from the root"},
            {"[{\"ID\": \"a\", \"SrsAddress\": \"" HSM "\", \"LocalPath\": \"/a/./b\"}]",
                    "\"LocalPath\" is a path from the root"},
            {"[{\"ID\": \"a\", \"SrsAddress\": \"" HSM "\", \"LocalPath\": \"/a//b\"}]",
                    "\"LocalPath\" is a path from the root"},
            {"[{\"ID\": \"a\", \"SrsAddress\": \"" HSM "\", \"LocalPath\": \"/a/\"}]",
                    "\"LocalPath\" is a path from the root"},
            {"[{\"ID\": \"a\", \"SrsAddress\": \"" HSM "\", \"LocalPath\": \"/a\"},\n"
             "{\"ID\": \"b\", \"SrsAddress\": \"" HSM "\", \"LocalPath\": \"/a\"}]",
                    "secret 1 has this \"LocalPath\" too"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_mystikos made = {.count = 0};
        struct skrfs_error err;
        if (parse(cases[i].text, &made, &err) == 0)
            print_error("taken: %s\n", cases[i].text);
        assert_fails(parse(cases[i].text, &made, &err), err, SKRFS_CLASS_CONFIG, cases[i].message);
    }
}

static const char base[] = "[attestation]\nurl = https://sharedweu.weu.attest.azure.net\n"
                           "[vault hsm]\nurl = " HSM "\nresource = https://managedhsm.example\n"
                           "identity = client-id:7\n[key old]\nname = old\n";

static void they_replace_the_configurations_keys(void **state) {
    (void)state;
    const struct skrfs_mystikos_login login = {.client = NULL};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    skrfs_automystikos made = {.count = 0};
    struct skrfs_error err;
    assert_ok(skrfs_conf_parse("base", base, strlen(base), &conf, &err), err);
    assert_ok(parse(declared, &made, &err), err);
    assert_ok(skrfs_mystikos_apply(&made, &login, conf, &err), err);
    assert_int_equal(conf->vault_count, 1);
    assert_string_equal(conf->vaults[0].resource, "https://managedhsm.example");
    assert_string_equal(conf->vaults[0].identity, "client-id:7");
    assert_null(conf->vaults[0].secret_variable);
    assert_int_equal(conf->key_count, 2);
    assert_string_equal(conf->keys[0].file, "secret-0");
    assert_string_equal(conf->keys[0].name, "disk-data");
    assert_int_equal(conf->keys[1].guard.mode, 0640);
}

static void the_environment_says_who_asks(void **state) {
    (void)state;
    struct skrfs_mystikos_login login = {.client = "11111111-2222-3333-4444-555555555555",
            .tenant = "contoso.example",
            .authority = "https://login.example/",
            .secret = true};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    skrfs_automystikos made = {.count = 0};
    struct skrfs_error err;
    assert_ok(skrfs_conf_parse("base", base, strlen(base), &conf, &err), err);
    assert_ok(parse(declared, &made, &err), err);
    assert_ok(skrfs_mystikos_apply(&made, &login, conf, &err), err);
    assert_string_equal(conf->vaults[0].secret_variable, "CLIENT_SECRET");
    assert_string_equal(conf->vaults[0].client, login.client);
    assert_string_equal(conf->vaults[0].tenant, login.tenant);
    assert_string_equal(conf->login.authority, "https://login.example");
    login.secret = false;
    assert_fails(skrfs_mystikos_apply(&made, &login, conf, &err), err, SKRFS_CLASS_CONFIG,
            "belong together");
    login.secret = true;
    login.authority = "https://login.example\n[tee]\nallow-debug = yes";
    assert_fails(skrfs_mystikos_apply(&made, &login, conf, &err), err, SKRFS_CLASS_CONFIG,
            "MHSM_AAD_URL");
    free(conf->attestation_url);
    conf->attestation_url = NULL;
    assert_fails(skrfs_mystikos_apply(&made, &login, conf, &err), err, SKRFS_CLASS_CONFIG,
            "--attestation URL");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(secrets_are_taken),
            cmocka_unit_test(wrong_ones_are_told_with_their_place),
            cmocka_unit_test(they_replace_the_configurations_keys),
            cmocka_unit_test(the_environment_says_who_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
