#include "support.h"

#include <skrfs/access/access.h>

static bool find_user(void *context, const char *name, uid_t *ret_uid) {
    (void)context;
    if (strcmp(name, "nginx") != 0)
        return false;
    *ret_uid = 33;
    return true;
}

static bool find_group(void *context, const char *name, gid_t *ret_gid) {
    (void)context;
    if (strcmp(name, "tls") != 0)
        return false;
    *ret_gid = 44;
    return true;
}

#define HEX63 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
#define HEX64 "f" HEX63

static const struct skrfs_names names = {.user = find_user, .group = find_group};

static void test_all_kinds(void **state) {
    struct skrfs_rules rules;
    struct skrfs_error err;
    size_t column = 0;
    (void)state;
    assert_ok(skrfs_rules_parse(
                      "  user:nginx user:7\tgroup:tls group:0 exe:/usr/bin/cat exe:/opt/app/* ",
                      &names, &rules, &column, &err),
            err);
    assert_int_equal(rules.count, 6);
    assert_int_equal(rules.rules[0].conditions[0].kind, SKRFS_CONDITION_USER);
    assert_int_equal(rules.rules[0].conditions[0].id, 33);
    assert_int_equal(rules.rules[1].conditions[0].id, 7);
    assert_int_equal(rules.rules[2].conditions[0].kind, SKRFS_CONDITION_GROUP);
    assert_int_equal(rules.rules[2].conditions[0].id, 44);
    assert_int_equal(rules.rules[3].conditions[0].id, 0);
    assert_int_equal(rules.rules[4].conditions[0].kind, SKRFS_CONDITION_EXE);
    assert_string_equal(rules.rules[4].conditions[0].text, "/usr/bin/cat");
    assert_string_equal(rules.rules[5].conditions[0].text, "/opt/app/*");
    skrfs_rules_done(&rules);
    assert_int_equal(rules.count, 0);
}

/* Read, printed, and read again: the same text. */
static void test_printed_as_written(void **state) {
    static const struct {
        const char *text, *printed; /* NULL: as written */
        size_t count;
    } cases[] = {
            {"user:nginx", "user:33", 1},
            {"group:tls", "group:44", 1},
            {"exe:/usr/bin/cat", NULL, 1},
            {"exe:\"/opt/my app/*\"", NULL, 1},
            {"exe:\"/opt/a&b\"", NULL, 1},
            {"exe:\"/opt/a b\\\"c\\\\d\"", NULL, 1},
            {"exe:\"/opt/plain\"", "exe:/opt/plain", 1},
            {"exe:/opt/a\"b", NULL, 1},
            {"sha256:" HEX64, NULL, 1},
            {"sha256:F" HEX63, "sha256:" HEX64, 1},
            {"verity:sha256:F" HEX63, "verity:sha256:" HEX64, 1},
            {"verity:sha512:" HEX64 HEX64, NULL, 1},
            {"unit:nginx.service", NULL, 1},
            {"unit:foo@*.service", NULL, 1},
            {"unit:a\\x2db:c.scope", NULL, 1},
            {"cgroup:/", NULL, 1},
            {"cgroup:/system.slice/*", NULL, 1},
            {"container:0123456789ab", NULL, 1},
            {"container:ABCDEF012345", "container:abcdef012345", 1},
            {"host", NULL, 1},
            {"mnt-ns:4026531841", NULL, 1},
            {"pid-ns:host", NULL, 1},
            {"user-ns:18446744073709551615", NULL, 1},
            {"label:system_u:system_r:httpd_t:s0", NULL, 1},
            {"label:\"/usr/sbin/nginx (enforce)\"", NULL, 1},
            {"label:snap.*", NULL, 1},
            {"user:7&group:8", "user:7 & group:8", 2},
            {"user:7 &group:8& host\t&\texe:\"/a b\"", "user:7 & group:8 & host & exe:\"/a b\"", 4},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        const char *wanted = cases[i].printed ? cases[i].printed : cases[i].text;
        const char *text = cases[i].text;
        char out[SKRFS_RULE_TEXT_MAX];
        for (unsigned round = 0; round < 2; round++) {
            struct skrfs_rules rules;
            struct skrfs_error err;
            size_t column;
            assert_ok(skrfs_rules_parse(text, &names, &rules, &column, &err), err);
            assert_int_equal(rules.count, 1);
            assert_int_equal(rules.rules[0].count, cases[i].count);
            skrfs_rule_print(&rules.rules[0], out, sizeof out);
            assert_string_equal(out, wanted);
            skrfs_rules_done(&rules);
            text = wanted;
        }
    }
}

/* Printing cuts; it never writes past its room, nor what is not for a terminal. */
static void test_printed_is_cut_and_clean(void **state) {
    struct skrfs_rules rules;
    struct skrfs_error err;
    size_t column;
    char out[16];
    (void)state;
    assert_ok(
            skrfs_rules_parse("exe:/a\033[31m/b & user:123456", NULL, &rules, &column, &err), err);
    for (size_t size = 1; size <= sizeof out; size++) {
        memset(out, '!', sizeof out);
        skrfs_rule_print(&rules.rules[0], out, size);
        assert_int_equal(strlen(out), size - 1);
        if (size < sizeof out)
            assert_int_equal(out[size], '!');
    }
    assert_string_equal(out, "exe:/a?[31m/b &");
    skrfs_rules_done(&rules);
}

static void test_rules_and_conditions(void **state) {
    struct skrfs_rules rules;
    struct skrfs_error err;
    size_t column;
    (void)state;
    assert_ok(skrfs_rules_parse(
                      "user:1 & exe:/a user:2 host & pid-ns:7", NULL, &rules, &column, &err),
            err);
    assert_int_equal(rules.count, 3);
    assert_int_equal(rules.rules[0].count, 2);
    assert_int_equal(rules.rules[0].conditions[1].kind, SKRFS_CONDITION_EXE);
    assert_int_equal(rules.rules[1].count, 1);
    assert_int_equal(rules.rules[1].conditions[0].id, 2);
    assert_int_equal(rules.rules[2].count, 2);
    assert_int_equal(rules.rules[0].column, 0);
    assert_int_equal(rules.rules[1].column, 16);
    assert_int_equal(rules.rules[2].column, 23);
    assert_int_equal(rules.rules[2].conditions[1].space, SKRFS_NS_PID);
    assert_int_equal(rules.rules[2].conditions[1].inode, 7);
    skrfs_rules_done(&rules);
}

static void test_empty(void **state) {
    struct skrfs_rules rules;
    struct skrfs_error err;
    size_t column;
    (void)state;
    assert_ok(skrfs_rules_parse("", &names, &rules, &column, &err), err);
    assert_int_equal(rules.count, 0);
    skrfs_rules_done(&rules);
}

static void test_refused(void **state) {
    static const struct {
        const char *text, *reason;
        size_t column;
    } cases[] = {
            {"uint:nginx.service", "did you mean 'unit:'?", 0},
            {"user:7 nobody", "is no condition of a rule", 7},
            {"user:7 hots", "did you mean 'host'?", 7},
            {"user", "wants a ':' and a value", 0},
            {"user: nginx", "wants a name", 0},
            {"host:", "stands alone", 0},
            {"host:yes", "stands alone", 0},
            /* joined by '&' */
            {"& user:7", "on either side", 0},
            {"user:7 &", "behind it", 7},
            {"user:7 & & host", "on either side", 9},
            {"user:7&&host", "on either side", 7},
            {"user:7 & host:x", "stands alone", 9},
            /* quotes */
            {"user:7 exe:\"/a b", "not closed", 7},
            {"exe:\"/a b\"c", "a blank or '&' is wanted, not 'c'", 0},
            {"user:7 \"exe:/a b\"", "around the value alone", 7},
            {"exe:\"\"", "absolute path", 0},
            {"user:7  user:nobody", "there is no user 'nobody'", 8},
            {"group:nobody", "there is no group 'nobody'", 0},
            {"user:", "wants a name", 0},
            {"user:4294967295", "no user number", 0},
            {"user:99999999999999999999", "no user number", 0},
            {"user:7x", "no user number", 0},
            {"user:-1", "there is no user", 0},
            {"exe:", "absolute path", 0},
            {"exe:bin/cat", "absolute path", 0},
            {"exe:/usr/*/cat", "only be the last part", 0},
            {"exe:/usr/ca*", "only be the last part", 0},
            {"exe:/usr/**", "only be the last part", 0},
            {"exe:/usr/../bin/cat", "without", 0},
            {"exe:/usr//bin/cat", "without", 0},
            {"exe:/usr/bin/", "names a folder", 0},
            {"exe:/usr/bin/..", "without", 0},
            {"exe:/", "names a folder", 0},
            {"sha256:", "64 hexadecimal digits", 0},
            {"sha256:12", "64 hexadecimal digits", 0},
            {"sha256:" HEX64 "0", "64 hexadecimal digits", 0},
            {"sha256:g" HEX63, "64 hexadecimal digits", 0},
            {"verity:" HEX64, "fsverity measure", 0},
            {"verity:sha512:" HEX64, "fsverity measure", 0},
            {"verity:sha256:" HEX64 HEX64, "fsverity measure", 0},
            {"verity:sha256:g" HEX63, "fsverity measure", 0},
            {"unit:nginx", "did you mean 'unit:nginx.service'?", 0},
            {"unit:", "that has processes", 0},
            {"unit:.service", "that has processes", 0},
            {"unit:a.timer", "that has processes", 0},
            {"unit:a/b.service", "letters, digits", 0},
            {"unit:a*b*.service", "not two", 0},
            {"cgroup:", "absolute path", 0},
            {"cgroup:a", "absolute path", 0},
            {"cgroup:/a/", "leave the last '/' off", 0},
            {"cgroup:/a*", "only be the last part", 0},
            {"cgroup:/a/../b", "without '//', '.' and '..'", 0},
            {"container:0123456789a", "12 to 64 hexadecimal digits", 0},
            {"container:" HEX64 "0", "12 to 64 hexadecimal digits", 0},
            {"container:web-server-1", "names are not known", 0},
            {"mnt-ns:", "the namespace's number", 0},
            {"mnt-ns:0", "the namespace's number", 0},
            {"pid-ns:12x", "the namespace's number", 0},
            {"user-ns:18446744073709551616", "the namespace's number", 0},
            {"label:", "wants a label", 0},
            {"label:a*b", "only be its end", 0},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_rules rules = {.count = 77};
        struct skrfs_error err;
        size_t column = 99;
        assert_fails(skrfs_rules_parse(cases[i].text, &names, &rules, &column, &err), err,
                SKRFS_CLASS_CONFIG, cases[i].reason);
        assert_int_equal(column, cases[i].column);
        assert_int_equal(rules.count, 77);
    }
}

static void test_without_names(void **state) {
    struct skrfs_rules rules;
    struct skrfs_error err;
    size_t column;
    (void)state;
    assert_fails(skrfs_rules_parse("user:nginx", NULL, &rules, &column, &err), err,
            SKRFS_CLASS_CONFIG, "number");
}

static void test_too_many(void **state) {
    char text[SKRFS_RULES_MAX * 8 + 16];
    size_t len = 0;
    struct skrfs_rules rules;
    struct skrfs_error err;
    size_t column;
    (void)state;
    for (size_t i = 0; i < SKRFS_RULES_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "user:1 ");
    assert_ok(skrfs_rules_parse(text, &names, &rules, &column, &err), err);
    skrfs_rules_done(&rules);
    snprintf(text + len, sizeof text - len, "user:1 ");
    assert_fails(skrfs_rules_parse(text, &names, &rules, &column, &err), err, SKRFS_CLASS_CONFIG,
            "more than");
    assert_int_equal(column, SKRFS_RULES_MAX * 7);
}

static void test_too_many_conditions(void **state) {
    char text[(SKRFS_CONDITIONS_MAX + 1) * 8 + 16];
    size_t len = 0;
    struct skrfs_rules rules;
    struct skrfs_error err;
    size_t column;
    (void)state;
    for (size_t i = 0; i < SKRFS_CONDITIONS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%suser:1", i ? "&" : "");
    assert_ok(skrfs_rules_parse(text, &names, &rules, &column, &err), err);
    assert_int_equal(rules.rules[0].count, SKRFS_CONDITIONS_MAX);
    skrfs_rules_done(&rules);
    snprintf(text + len, sizeof text - len, "&user:1");
    assert_fails(skrfs_rules_parse(text, &names, &rules, &column, &err), err, SKRFS_CLASS_CONFIG,
            "more than 16 conditions");
    assert_int_equal(column, SKRFS_CONDITIONS_MAX * 7);
}

static void test_long_path(void **state) {
    static char text[SKRFS_PATH_MAX + 600];
    struct skrfs_rules rules;
    struct skrfs_error err;
    size_t column;
    (void)state;
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "exe:/", 5);
    assert_fails(skrfs_rules_parse(text, &names, &rules, &column, &err), err, SKRFS_CLASS_CONFIG,
            "longer than");
    text[SKRFS_PATH_MAX + 4] = 0;
    assert_fails(skrfs_rules_parse(text, &names, &rules, &column, &err), err, SKRFS_CLASS_CONFIG,
            "longer than");
    text[SKRFS_PATH_MAX + 3] = 0;
    assert_ok(skrfs_rules_parse(text, &names, &rules, &column, &err), err);
    skrfs_rules_done(&rules);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_all_kinds),
            cmocka_unit_test(test_printed_as_written),
            cmocka_unit_test(test_printed_is_cut_and_clean),
            cmocka_unit_test(test_rules_and_conditions),
            cmocka_unit_test(test_empty),
            cmocka_unit_test(test_refused),
            cmocka_unit_test(test_without_names),
            cmocka_unit_test(test_too_many),
            cmocka_unit_test(test_too_many_conditions),
            cmocka_unit_test(test_long_path),
    };
    return cmocka_run_group_tests_name("access rules", tests, NULL, NULL);
}
