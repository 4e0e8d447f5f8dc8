#include "support.h"

#include <pwd.h>
#include <skrfs/base/clock.h>
#include <skrfs/conf/conf.h>

#define BASIC                                                                                      \
    "[attestation]\n"                                                                              \
    "url = https://sharedweu.weu.attest.azure.net\n"                                               \
    "[vault prod]\n"                                                                               \
    "url = https://contoso.vault.azure.net\n"

static int parse(const char *text, struct skrfs_conf **ret_conf, struct skrfs_error *err) {
    return skrfs_conf_parse("test.conf", text, strlen(text), ret_conf, err);
}

static void one_key_needs_few_lines(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(parse(BASIC "[key tls-server]\n", &conf, &err), err);
    assert_string_equal(conf->attestation_url, "https://sharedweu.weu.attest.azure.net");
    assert_int_equal(conf->vault_count, 1);
    assert_string_equal(conf->vaults[0].name, "prod");
    assert_string_equal(conf->vaults[0].url, "https://contoso.vault.azure.net");
    assert_string_equal(conf->vaults[0].host, "contoso.vault.azure.net");
    assert_string_equal(conf->vaults[0].identity, "system");
    assert_null(conf->vaults[0].resource);
    assert_false(conf->vaults[0].managed_hsm);
    assert_int_equal(conf->key_count, 1);
    const struct skrfs_conf_key *key = &conf->keys[0];
    assert_string_equal(key->file, "tls-server");
    assert_string_equal(key->name, "tls-server");
    assert_null(key->version);
    assert_int_equal(key->vault, 0);
    assert_int_equal(key->format, SKRFS_FORMAT_PEM);
    assert_string_equal(key->enc, "RSA_AES_KEY_WRAP_256");
    assert_int_equal(key->guard.owner, geteuid());
    assert_int_equal(key->guard.group, getegid());
    assert_int_equal(key->guard.mode, 0400);
    assert_int_equal(key->guard.allow.count + key->guard.deny.count, 0);
    assert_int_equal(key->refresh_ns, 3600 * SKRFS_SECOND_NS);
    assert_int_equal(key->stale_ns, 0);
    assert_int_equal(conf->connect_timeout_ns, 5 * SKRFS_SECOND_NS);
    assert_int_equal(conf->deadline_ns, 30 * SKRFS_SECOND_NS);
    assert_int_equal(conf->allow_other, geteuid() == 0);
    assert_null(conf->ca_file);
    assert_null(conf->proxy);
    assert_null(conf->imds_url);
    assert_null(conf->tcti);
    assert_null(conf->event_log);
    assert_null(conf->mount_path);
    assert_null(conf->lab_dir);
    assert_string_equal(conf->source, "test.conf");
}

static void every_name_is_taken(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(parse("\xef\xbb\xbf# comment\r\n"
                    "; another\r\n"
                    "[attestation]\r\n"
                    "url = https://localhost:8443/   ; the lab\r\n"
                    "[vault a]\n"
                    "url=https://Contoso.ManagedHSM.azure.net:443/\n"
                    "identity = client-id:00000000-0000-0000-0000-000000000001\n"
                    "[vault b.2]\n"
                    "url: https://127.0.0.1:9443\n"
                    "resource = https://managedhsm.azure.net/\n"
                    "[key disk.data]\n"
                    "vault = b.2\n"
                    "name = disk-data\n"
                    "version = 0123456789abcdef0123456789abcdef\n"
                    "format = raw\n"
                    "enc = RSA_AES_KEY_WRAP_384\n"
                    "owner = 33\n"
                    "group = 34\n"
                    "mode = 0440\n"
                    "allow = exe:/usr/sbin/nginx  ; the server\n"
                    "  user:33\n"
                    "\n"
                    "\tuser:34\n"
                    "deny = group:99\n"
                    "refresh = 15m\n"
                    "stale = 1d\n"
                    "[network]\n"
                    "ca-file = /etc/ca.pem\n"
                    "proxy = http://proxy.example:3128\n"
                    "connect-timeout = 2\n"
                    "deadline = 1m\n"
                    "[imds]\n"
                    "url = http://127.0.0.1:8080\n"
                    "[tpm]\n"
                    "tcti = swtpm:host=127.0.0.1,port=2321\n"
                    "event-log = /tmp/log\n"
                    "[mount]\n"
                    "path = /run/skrfs\n"
                    "allow-other = no\n"
                    "[lab]\n"
                    "dir = /tmp/lab",
                      &conf, &err),
            err);
    assert_string_equal(conf->attestation_url, "https://localhost:8443");
    assert_string_equal(conf->vaults[0].url, "https://contoso.managedhsm.azure.net:443");
    assert_string_equal(conf->vaults[0].host, "contoso.managedhsm.azure.net");
    assert_true(conf->vaults[0].managed_hsm);
    assert_string_equal(conf->vaults[0].identity, "client-id:00000000-0000-0000-0000-000000000001");
    assert_string_equal(conf->vaults[1].resource, "https://managedhsm.azure.net");
    assert_true(conf->vaults[1].managed_hsm);
    const struct skrfs_conf_key *key = &conf->keys[0];
    assert_string_equal(key->file, "disk.data");
    assert_int_equal(key->vault, 1);
    assert_string_equal(key->name, "disk-data");
    assert_string_equal(key->version, "0123456789abcdef0123456789abcdef");
    assert_int_equal(key->format, SKRFS_FORMAT_RAW);
    assert_string_equal(key->enc, "RSA_AES_KEY_WRAP_384");
    assert_int_equal(key->guard.owner, 33);
    assert_int_equal(key->guard.group, 34);
    assert_int_equal(key->guard.mode, 0440);
    assert_int_equal(key->guard.allow.count, 3);
    assert_int_equal(key->guard.allow.rules[0].conditions[0].kind, SKRFS_CONDITION_EXE);
    assert_string_equal(key->guard.allow.rules[0].conditions[0].text, "/usr/sbin/nginx");
    assert_int_equal(key->guard.allow.rules[1].conditions[0].id, 33);
    assert_int_equal(key->guard.allow.rules[2].conditions[0].id, 34);
    assert_int_equal(key->guard.deny.count, 1);
    assert_int_equal(key->refresh_ns, 900 * SKRFS_SECOND_NS);
    assert_int_equal(key->stale_ns, 86400 * SKRFS_SECOND_NS);
    assert_string_equal(conf->ca_file, "/etc/ca.pem");
    assert_string_equal(conf->proxy, "http://proxy.example:3128");
    assert_int_equal(conf->connect_timeout_ns, 2 * SKRFS_SECOND_NS);
    assert_int_equal(conf->deadline_ns, 60 * SKRFS_SECOND_NS);
    assert_string_equal(conf->imds_url, "http://127.0.0.1:8080");
    assert_string_equal(conf->tcti, "swtpm:host=127.0.0.1,port=2321");
    assert_string_equal(conf->event_log, "/tmp/log");
    assert_string_equal(conf->mount_path, "/run/skrfs");
    assert_false(conf->allow_other);
    assert_string_equal(conf->lab_dir, "/tmp/lab");
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

static void wrong_words_are_named_with_what_was_meant(void **state) {
    (void)state;
    static const struct wrong cases[] = {
            {BASIC "[key x]\nfromat = pem\n",
                    "test.conf:6:1: unknown name 'fromat' in [key]; did you mean 'format'?"},
            {"[atestation]\n",
                    "test.conf:1:1: unknown section [atestation]; did you mean [attestation]?"},
            {"[zzz]\n", "test.conf:1:1: unknown section [zzz]"},
            {BASIC "[key x]\nidentity = system\n",
                    "unknown name 'identity' in [key]; it belongs into [vault]"},
            {"[network]\nzzz = 1\n", "test.conf:2:1: unknown name 'zzz' in [network]"},
            {"[network]\n= 1\n", "unknown name '' in [network]"},
            {"[vault]\n", "test.conf:1:1: [vault] needs a name"},
            {"[network x]\n", "[network] takes no name"},
            {"[network\n", "test.conf:1:1: a section is [kind]"},
            {"[network] x\n", "a section is [kind]"},
            {"[network]]\n", "a section is [kind]"},
            {"[]\n", "unknown section []"},
            {"\n\nurl = x\n", "test.conf:3:1: this stands before the first [section]"},
            {"[network]\nproxy\n", "test.conf:2:1: this is neither"},
            {"[network]\n  proxy = http://a\n",
                    "test.conf:2:3: names and sections begin in the first column"},
            {"[network]\nproxy = http://a\n [imds]\n", "test.conf:3:2: an indented line continues"},
            {"[network]\nproxy = http://a\n deadline = 3\n",
                    "test.conf:3:2: an indented line continues"},
            {"[network]\nproxy =\n", "'proxy' has no value"},
            {"[network]\nproxy = ; none\n", "'proxy' has no value"},
            {"[network]\ndeadline = 3\nproxy = http://a\ndeadline = 4\n",
                    "test.conf:4:12: 'deadline' is there twice, first in line 2"},
            {"[network]\n[imds]\n[network]\n",
                    "test.conf:3:1: section [network] is there twice, first in line 1"},
            {BASIC "[key a]\n[key a]\n",
                    "test.conf:6:1: section [key a] is there twice, first in line 5"},
    };
    expect_refused(cases, SKRFS_ARRAY_LEN(cases));
}

static void wrong_values_are_named_with_their_place(void **state) {
    (void)state;
    static const struct wrong cases[] = {
            {"[attestation]\nurl = http://a.attest.azure.net\n",
                    "test.conf:2:7: 'url' begins with https://"},
            {"[attestation]\nurl = https://a.net/attest/x\n",
                    "test.conf:2:7: 'url' names a server"},
            {"[attestation]\nurl = https://a.net?x\n", "'url' names a server"},
            {"[attestation]\nurl = https://u@a.net\n", "'url' is https://host"},
            {"[attestation]\nurl = https://\n", "'url' is https://host"},
            {"[attestation]\nurl = https://a.net:0\n", "'url' is https://host"},
            {"[attestation]\nurl = https://a.net:65536\n", "'url' is https://host"},
            {"[attestation]\nurl = https://[::1\n", "'url' is https://host"},
            {"[imds]\nurl = http://example.org\n", "test.conf:2:7: 'url' of the instance metadata"},
            {"[imds]\nurl = http://128.0.0.1\n", "'url' of the instance metadata"},
            {"[imds]\nurl = https://127.0.0.1\n", "'url' begins with http://"},
            {"[network]\nca-file = ca.pem\n", "'ca-file' is a path from the root"},
            {"[network]\nproxy = socks5://a\n", "'proxy' begins with http://"},
            {"[network]\ndeadline = soon\n", "test.conf:2:12: 'deadline' is a time"},
            {"[network]\ndeadline = 0\n", "at least 1s"},
            {"[network]\ndeadline = 2h\n", "at most 1h"},
            {"[mount]\nallow-other = maybe\n", "'allow-other' is yes or no"},
            {"[vault a/b]\nurl = https://a.vault.azure.net\n", "a vault's name has"},
            {"[vault a]\n", "test.conf:1:1: [vault a] has no 'url'"},
            {"[vault a]\nurl = https://vault.example\n",
                    "test.conf:2:7: 'vault.example' is in no known cloud"},
            {"[vault a]\nurl = https://.vault.azure.net\nresource = x\n",
                    "'resource' begins with https://"},
            {"[vault a]\nurl = https://a.vault.azure.net\nidentity = root\n",
                    "'identity' is system"},
            {"[vault a]\nurl = https://a.vault.azure.net\nidentity = client-id:\n",
                    "'identity' is system"},
    };
    expect_refused(cases, SKRFS_ARRAY_LEN(cases));
}

static void wrong_keys_are_named_with_their_place(void **state) {
    (void)state;
    static const struct wrong cases[] = {
            {"[vault a]\nurl = https://a.vault.azure.net\n[key x]\n",
                    "test.conf:3:1: for keys, [attestation]"},
            {"[attestation]\nurl = https://a.net\n[key x]\n", "a [vault NAME] is needed"},
            {BASIC "[vault b]\nurl = https://b.vault.azure.net\n[key x]\n",
                    "test.conf:7:1: [key x] does not say which 'vault'"},
            {BASIC "[key x]\nvault = c\n", "test.conf:6:9: there is no [vault c]"},
            {BASIC "[key x]\nvault = prdo\n",
                    "test.conf:6:9: there is no [vault prdo]; did you mean 'prod'?"},
            {BASIC "[key .x]\n", "test.conf:5:1: a key's file name"},
            {BASIC "[key a/b]\n", "a key's file name"},
            {BASIC "[key a b]\n", "a key's file name"},
            {BASIC "[key h\xc3\xa9]\n", "a key's file name"},
            {BASIC "[key a.b]\n", "a 'name' is needed: 'a.b'"},
            {BASIC "[key a.b]\nname = a_b\n",
                    "test.conf:6:8: 'a_b' is no name of a key in a vault"},
            {BASIC "[key x]\nversion = 0123456789abcdef0123456789abcdef0\n", "'version' is what"},
            {BASIC "[key x]\nformat = p12\n", "test.conf:6:10: 'format' is der, pem"},
            {BASIC "[key x]\nformat = raw\n", "'raw' is for symmetric keys"},
            {BASIC "[key x]\nenc = RSA-OAEP\n", "'enc' is RSA_AES_KEY_WRAP_256"},
            {BASIC "[key x]\nmode = 0600\n", "test.conf:6:8: 'mode' 0600: a key can only be read"},
            {BASIC "[key x]\nmode = 0\n", "a key can only be read"},
            {BASIC "[key x]\nmode = rw\n", "'mode' is an octal number"},
            {BASIC "[key x]\nmode = 4400\n", "a key can only be read"},
            {BASIC "[key x]\nowner = no-such-user-here\n", "test.conf:6:9: there is no user"},
            {BASIC "[key x]\nowner = 4294967295\n", "there is no user"},
            {BASIC "[key x]\ngroup = no-such-group-here\n", "there is no group"},
            {BASIC "[key x]\nrefresh = 1y\n", "'refresh' is a time"},
            {BASIC "[key x]\nstale = -1\n", "'stale' is a time"},
            {BASIC "[key x]\nallow = user:0 wrong:1\n", "test.conf:6:16: "},
            {BASIC "[key x]\nallow = user:0\n  user:1 wrong:1\n", "test.conf:7:10: "},
            {BASIC "[key x]\ndeny = exe:relative\n", "test.conf:6:8: "},
    };
    expect_refused(cases, SKRFS_ARRAY_LEN(cases));
}

static void text_that_is_none_is_refused(void **state) {
    (void)state;
    static const struct wrong cases[] = {
            {"[lab]\n# \xff\n", "test.conf:2:3: this is not UTF-8"},
            {"# \xc0\xaf\n", "this is not UTF-8"},
            {"# \xed\xa0\x80\n", "this is not UTF-8"},
            {"# \xf4\x90\x80\x80\n", "this is not UTF-8"},
            {"# \xe2\x82", "this is not UTF-8"},
            {"[lab]\ndir = /a\x1b[0m\n", "test.conf:2:9: a control character (27)"},
    };
    expect_refused(cases, SKRFS_ARRAY_LEN(cases));
    struct skrfs_error err = {0};
    struct skrfs_conf *conf = NULL;
    assert_fails(skrfs_conf_parse("test.conf", "[lab]\ndir = /a\0b\n", 16, &conf, &err), err,
            SKRFS_CLASS_CONFIG, "test.conf:2:9: a control character (0)");
}

/* inih on its own cuts section names off after 49 characters and lines after 199. */
static void long_names_and_lines_stay_whole(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    skrfs_autobuf text = SKRFS_BUF(100000);
    char name[101];
    memset(name, 'a', 100);
    name[100] = '\0';
    assert_ok(skrfs_buf_printf(&text, &err, BASIC "[key %s]\n[key %.99sb]\nallow =", name, name),
            err);
    for (int i = 0; i < SKRFS_RULES_MAX; i++)
        assert_ok(skrfs_buf_printf(&text, &err, " user:%d", 1000 + i), err);
    assert_ok(skrfs_buf_printf(
                      &text, &err, " ; and a long comment: %0300d\n# %0300d\nmode = 0444", 0, 0),
            err);
    assert_ok(parse(skrfs_buf_text(&text), &conf, &err), err);
    assert_int_equal(conf->key_count, 2);
    assert_string_equal(conf->keys[0].file, name);
    const struct skrfs_guard *guard = &conf->keys[1].guard;
    assert_int_equal(guard->mode, 0444);
    assert_int_equal(guard->allow.count, SKRFS_RULES_MAX);
    for (unsigned i = 0; i < SKRFS_RULES_MAX; i++)
        assert_int_equal(guard->allow.rules[i].conditions[0].id, 1000 + i);
}

static void places_in_long_lines_are_right(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_conf *conf = NULL;
    skrfs_autobuf text = SKRFS_BUF(100000);
    char place[64];
    assert_ok(skrfs_buf_append_text(&text, BASIC "[key x]\nallow =", &err), err);
    size_t line = text.len - strlen("allow =");
    for (int i = 0; i < 50; i++)
        assert_ok(skrfs_buf_printf(&text, &err, " user:%d", 1000 + i), err);
    snprintf(place, sizeof(place), "test.conf:6:%zu: ", text.len - line + 2);
    assert_ok(skrfs_buf_append_text(&text, " wrong\n", &err), err);
    assert_fails(parse(skrfs_buf_text(&text), &conf, &err), err, SKRFS_CLASS_CONFIG, place);
    skrfs_buf_truncate(&text, 0);
    assert_ok(skrfs_buf_printf(&text, &err, BASIC "[key x]\nallow = user:1 exe:/%0300d\n", 0), err);
    assert_fails(parse(skrfs_buf_text(&text), &conf, &err), err, SKRFS_CLASS_CONFIG,
            "test.conf:6:16: a word of more than 198 characters");
    skrfs_buf_truncate(&text, 0);
    assert_ok(skrfs_buf_printf(&text, &err, BASIC "[key %0200d]\n", 0), err);
    assert_fails(parse(skrfs_buf_text(&text), &conf, &err), err, SKRFS_CLASS_CONFIG,
            "a key's file name");
}

static void owners_may_be_names(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(parse(BASIC "[key x]\nowner = root\ngroup = root\n"
                          "[key y]\nowner = root\nallow = user:root group:root\n",
                      &conf, &err),
            err);
    assert_int_equal(conf->keys[0].guard.owner, 0);
    assert_int_equal(conf->keys[0].guard.group, 0);
    assert_int_equal(conf->keys[1].guard.owner, 0);
    assert_int_equal(conf->keys[1].guard.allow.rules[0].conditions[0].id, 0);
}

static void a_hundred_thousand_keys_are_read(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_conf *conf = NULL;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_CONF_MAX);
    assert_ok(skrfs_buf_append_text(&text, BASIC, &err), err);
    for (int i = 0; i < SKRFS_CONF_KEYS_MAX; i++)
        assert_ok(skrfs_buf_printf(&text, &err, "[key key-%d]\nowner = root\nname = k%d\n", i, i),
                err);
    uint64_t begin = skrfs_now_ns();
    assert_ok(parse(skrfs_buf_text(&text), &conf, &err), err);
    print_message("%d keys in %u ms\n", SKRFS_CONF_KEYS_MAX,
            (unsigned)((skrfs_now_ns() - begin) / SKRFS_MILLISECOND_NS));
    assert_int_equal(conf->key_count, SKRFS_CONF_KEYS_MAX);
    assert_string_equal(conf->keys[99999].name, "k99999");
    skrfs_conf_free(conf);
    conf = NULL;
    assert_ok(skrfs_buf_append_text(&text, "[key one-more]\n", &err), err);
    assert_fails(parse(skrfs_buf_text(&text), &conf, &err), err, SKRFS_CLASS_CONFIG,
            "more than 100000 keys");
}

static void nothing_is_a_configuration_without_keys(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(parse("", &conf, &err), err);
    assert_int_equal(conf->key_count + conf->vault_count, 0);
    struct skrfs_conf *none = NULL;
    assert_fails(skrfs_conf_parse("big", "", SKRFS_CONF_MAX + 1, &none, &err), err,
            SKRFS_CLASS_CONFIG, "longer than");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(one_key_needs_few_lines),
            cmocka_unit_test(every_name_is_taken),
            cmocka_unit_test(wrong_words_are_named_with_what_was_meant),
            cmocka_unit_test(wrong_values_are_named_with_their_place),
            cmocka_unit_test(wrong_keys_are_named_with_their_place),
            cmocka_unit_test(text_that_is_none_is_refused),
            cmocka_unit_test(long_names_and_lines_stay_whole),
            cmocka_unit_test(places_in_long_lines_are_right),
            cmocka_unit_test(owners_may_be_names),
            cmocka_unit_test(a_hundred_thousand_keys_are_read),
            cmocka_unit_test(nothing_is_a_configuration_without_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
