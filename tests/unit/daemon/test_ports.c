/* Which TCP ports a courier and a relay may connect to, from what is configured. */
#include "support.h"

#include "../../../src/daemon/ports.h"

#include <skrfs/conf/conf.h>

static bool has(const struct skrfs_ports *ports, uint16_t port) {
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i] == port)
            return true;
    return false;
}

static void test_urls(void **state) {
    static const struct {
        const char *url;
        bool proxy;
        uint16_t port;
    } cases[] = {
            {"https://a.vault.azure.net", false, 443},
            {"https://a.vault.azure.net/", false, 443},
            {"https://a.vault.azure.net:8443", false, 8443},
            {"https://a.vault.azure.net:8443/keys?x=y:1", false, 8443},
            {"http://169.254.169.254", false, 80},
            {"http://169.254.169.254/metadata/identity:1", false, 80},
            {"http://[fe80::1]", false, 80},
            {"http://[fe80::1]:4000", false, 4000},
            {"https://a:65535", false, 65535},
            {"https://a:65536", false, 443},
            {"https://a:0", false, 443},
            {"https://a:", false, 443},
            {"http://proxy", true, 1080},
            {"http://proxy:3128", true, 3128},
            {"http://user:70@proxy:3128", true, 3128},
            {"http://user:70@proxy", true, 1080},
            {"", false, 1080},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++)
        if (skrfs_port_of(cases[i].url, cases[i].proxy) != cases[i].port)
            fail_msg("%s: %u", cases[i].url, skrfs_port_of(cases[i].url, cases[i].proxy));
}

static void test_courier(void **state) {
    static const char text[] = "[attestation]\nurl = https://maa.example:1001\n"
                               "[imds]\nurl = http://127.0.0.1:1002\n"
                               "[network]\nproxy = http://proxy.example:1003\n"
                               "[vault one]\nurl = https://one.vault.azure.net\n"
                               "[vault two]\nurl = https://two.vault.azure.net\n"
                               "[key k]\nvault = one\nname = k\n";
    struct skrfs_conf *conf = NULL;
    struct skrfs_error err = {0};
    struct skrfs_network network = {.login = {
                                            .endpoint = "http://127.0.0.1:1004/msi",
                                            .authority = "https://login.example:1005",
                                    }};
    struct skrfs_ports ports;
    (void)state;
    assert_ok(skrfs_conf_parse("test", text, sizeof(text) - 1, &conf, &err), err);
    skrfs_ports_of_courier(conf, &network, &ports);
    for (uint16_t port = 1001; port <= 1005; port++)
        assert_true(has(&ports, port));
    assert_true(has(&ports, 443) && has(&ports, 80) && has(&ports, 53));
    /* Each once. */
    assert_int_equal(ports.count, 8);
    skrfs_conf_free(conf);
}

static void test_relay(void **state) {
    struct skrfs_ports ports;
    (void)state;
    assert_true(skrfs_ports_of_relay("swtpm:host=127.0.0.1,port=4711", &ports));
    assert_true(ports.count == 2 && has(&ports, 4711) && has(&ports, 4712));
    assert_true(skrfs_ports_of_relay("mssim", &ports));
    assert_true(ports.count == 2 && has(&ports, 2321) && has(&ports, 2322));
    assert_true(skrfs_ports_of_relay("swtpm:port=99999", &ports) && ports.count == 0);
    assert_false(skrfs_ports_of_relay("tabrmd:bus_type=system", &ports));
    assert_false(skrfs_ports_of_relay("cmd:swtpm socket", &ports));
    assert_false(skrfs_ports_of_relay("swtpmx:port=1", &ports));
    assert_int_equal(ports.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_urls),
            cmocka_unit_test(test_courier),
            cmocka_unit_test(test_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
