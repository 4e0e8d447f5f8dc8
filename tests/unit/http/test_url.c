#include "support.h"

#include <skrfs/http/http.h>

static void hosts_are_taken_out_of_urls(void **state) {
    (void)state;
    static const struct {
        const char *url;
        const char *host;
    } cases[] = {
            {"https://contoso.vault.azure.net", "contoso.vault.azure.net"},
            {"https://Contoso.Vault.Azure.Net/keys/a?b=c#d", "contoso.vault.azure.net"},
            {"https://127.0.0.1:8443/x", "127.0.0.1"},
            {"https://host?query", "host"},
            {"https://[::1]:8443/", "[::1]"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        char host[64];
        assert_ok(skrfs_url_host(cases[i].url, host, sizeof(host), &err), err);
        assert_string_equal(host, cases[i].host);
    }
}

static void urls_that_can_be_read_in_two_ways_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"", "contoso.vault.azure.net", "http://host/",
            "HTTPS://host/", "https:/host/", "https:///host/", "https://", "https:///",
            "https://?x", "https://user@host/", "https://good.net:443@evil.net/",
            "https://good.net\\@evil.net/", "https://ev%69l.net/", "https://host:99999/",
            "https://host:port/", "https://ho st/", "https://h\xc3\xb6st/", "https://host\r\nX: y/",
            "https://[::1/", "https://0x7f.1/", "https://2130706433/", "https://[::0]/",
            "https://127.1/", "ftp://host/"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        struct skrfs_error err = {0};
        char host[64] = "untouched";
        if (skrfs_url_host(wrong[i], host, sizeof(host), &err) == 0)
            print_error("taken: %s\n", wrong[i]);
        assert_fails(skrfs_url_host(wrong[i], host, sizeof(host), &err), err,
                SKRFS_CLASS_BAD_ANSWER, "the URL");
        assert_string_equal(host, "untouched");
    }
}

static void a_host_that_has_no_room_is_refused(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    char host[4];
    assert_fails(skrfs_url_host("https://host/", host, sizeof(host), &err), err,
            SKRFS_CLASS_BAD_ANSWER, "too long");
    static char url[20000] = "https://host/";
    memset(url + 13, 'a', sizeof(url) - 14);
    assert_fails(
            skrfs_url_host(url, host, sizeof(host), &err), err, SKRFS_CLASS_BAD_ANSWER, "too long");
}

static void text_is_escaped(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf out = SKRFS_BUF(64);
    assert_ok(skrfs_url_escape("https://a b/\xc3\xa9?&=+-._~Z9", &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out), "https%3A%2F%2Fa%20b%2F%C3%A9%3F%26%3D%2B-._~Z9");
    skrfs_autobuf small = SKRFS_BUF(5);
    assert_ok(skrfs_buf_append_text(&small, "a=", &err), err);
    assert_fails(skrfs_url_escape("b//", &small, &err), err, SKRFS_CLASS_BAD_ANSWER, "5 octets");
    assert_string_equal(skrfs_buf_text(&small), "a=");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(hosts_are_taken_out_of_urls),
            cmocka_unit_test(urls_that_can_be_read_in_two_ways_are_refused),
            cmocka_unit_test(a_host_that_has_no_room_is_refused),
            cmocka_unit_test(text_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
