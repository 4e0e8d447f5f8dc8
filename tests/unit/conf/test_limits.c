#include "support.h"

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

static void what_takes_a_key_back(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(parse(BASIC "[key a]\nhide = yes\nhours = mon-fri 08:00-18:00\nreads = 3\n"
                          "until = 10m\n[key b]\nuntil = unit:multi-user.target\n"
                          "[key c]\nuntil = 2026-12-31T18:00:00Z\n",
                      &conf, &err),
            err);
    assert_true(conf->keys[0].hide);
    assert_int_equal(conf->keys[0].guard.hours.days, 0x1f);
    assert_int_equal(conf->keys[0].guard.hours.from_minute, 480);
    assert_int_equal(conf->keys[0].limits.reads, 3);
    assert_int_equal(conf->keys[0].limits.until_ns, 600 * SKRFS_SECOND_NS);
    assert_false(conf->keys[1].hide);
    assert_int_equal(conf->keys[1].limits.reads, 0);
    assert_string_equal(conf->keys[1].limits.until_unit, "multi-user.target");
    assert_int_equal(conf->keys[2].limits.until_s, 1798740000);
}

static void wrong_limits_are_refused(void **state) {
    static const struct {
        const char *line, *message;
    } wrong[] = {
            {"reads = 0", "test.conf:6:9: 'reads'"},
            {"reads = -1", "test.conf:6:9: 'reads'"},
            {"reads = many", "test.conf:6:9: 'reads'"},
            {"reads = 1234567890123", "test.conf:6:9: 'reads'"},
            {"until = soon", "test.conf:6:9: 'soon'"},
            {"hours = always", "test.conf:6:9: 'always'"},
            {"hide = perhaps", "'hide' is yes or no"},
            {"hidden = yes", "unknown name 'hidden'"},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++) {
        SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
        struct skrfs_error err = {0};
        char text[512];
        snprintf(text, sizeof text, BASIC "[key a]\n%s\n", wrong[i].line);
        assert_fails(parse(text, &conf, &err), err, SKRFS_CLASS_CONFIG, wrong[i].message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_takes_a_key_back),
            cmocka_unit_test(wrong_limits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
