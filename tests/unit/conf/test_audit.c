/* [audit], and the digest of what was read. */
#include "support.h"

#include <skrfs/conf/conf.h>
#include <stdlib.h>

static struct skrfs_conf *parsed(const char *text) {
    struct skrfs_conf *conf = NULL;
    struct skrfs_error err;
    assert_ok(skrfs_conf_parse("test.conf", text, strlen(text), &conf, &err), err);
    return conf;
}

static void refused(const char *text, const char *why) {
    struct skrfs_conf *conf = NULL;
    struct skrfs_error err;
    assert_fails(skrfs_conf_parse("test.conf", text, strlen(text), &conf, &err), err,
            SKRFS_CLASS_CONFIG, why);
}

static void test_defaults(void **state) {
    (void)state;
    struct skrfs_conf *conf = parsed("");
    assert_int_equal(conf->audit.journal, SKRFS_CONF_JOURNAL_AUTO);
    assert_null(conf->audit.file);
    assert_false(conf->audit.required);
    assert_int_equal(conf->audit.max_size, 0);
    assert_int_equal(conf->audit.keep, 8);
    skrfs_conf_free(conf);
}

static void test_all_of_it(void **state) {
    (void)state;
    struct skrfs_conf *conf = parsed("[audit]\njournal = no\nfile = /var/log/skrfs/audit.log\n"
                                     "required = yes\nmax-size = 64M\nkeep = 3\n");
    assert_int_equal(conf->audit.journal, SKRFS_CONF_JOURNAL_NO);
    assert_string_equal(conf->audit.file, "/var/log/skrfs/audit.log");
    assert_true(conf->audit.required);
    assert_int_equal(conf->audit.max_size, 64 * 1024 * 1024);
    assert_int_equal(conf->audit.keep, 3);
    skrfs_conf_free(conf);
    conf = parsed("[audit]\njournal = yes\nfile = /a\nmax-size = 65536\n");
    assert_int_equal(conf->audit.journal, SKRFS_CONF_JOURNAL_YES);
    assert_int_equal(conf->audit.max_size, 65536);
    skrfs_conf_free(conf);
    skrfs_conf_free(parsed("[audit]\nfile = /a\nmax-size = 0\n"));
    skrfs_conf_free(parsed("[audit]\nfile = /a\nmax-size = 1024G\n"));
}

static void test_refusals(void **state) {
    (void)state;
    refused("[audit]\njournal = perhaps\n", "2:11: 'journal' is auto, yes or no");
    refused("[audit]\nfile = audit.log\n", "'file' is a path from the root");
    refused("[audit]\nfile = /a\nmax-size = 1K\n", "3:12: 'max-size' is a number of octets");
    refused("[audit]\nfile = /a\nmax-size = 64MB\n", "'max-size' is");
    refused("[audit]\nfile = /a\nmax-size = -1\n", "'max-size' is");
    refused("[audit]\nfile = /a\nmax-size = 99999999999999999999\n", "'max-size' is");
    refused("[audit]\nfile = /a\nmax-size = 1025G\n", "'max-size' is");
    refused("[audit]\nmax-size = 1M\n", "there is no 'file'");
    refused("[audit]\nfile = /a\nkeep = 0\n", "'keep' is a number of files");
    refused("[audit]\nfile = /a\nkeep = 1001\n", "'keep' is a number of files");
    refused("[audit]\njournal = no\nrequired = yes\n", "3:12: an audit that is required needs");
    refused("[audit]\nfiel = /a\n", "did you mean 'file'?");
}

/* As `printf '[audit]\n' | sha256sum` has it. */
static void test_digest(void **state) {
    (void)state;
    struct skrfs_conf *conf = parsed("[audit]\n");
    assert_string_equal(
            conf->digest, "6b48b7ab57d3a044ad783251c46949798166d6b1dbed2115ce7c6245538fdb39");
    skrfs_conf_free(conf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_defaults),
            cmocka_unit_test(test_all_of_it),
            cmocka_unit_test(test_refusals),
            cmocka_unit_test(test_digest),
    };
    return cmocka_run_group_tests_name("[audit]", tests, NULL, NULL);
}
