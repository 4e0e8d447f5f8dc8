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
            {"unit:nginx.service", "is no rule", 0},
            {"user:7 nobody", "is no rule", 7},
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
            {"exe:/usr/bin/..", "names a folder", 0},
            {"exe:/", "names a folder", 0},
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
            cmocka_unit_test(test_empty),
            cmocka_unit_test(test_refused),
            cmocka_unit_test(test_without_names),
            cmocka_unit_test(test_too_many),
            cmocka_unit_test(test_long_path),
    };
    return cmocka_run_group_tests_name("access rules", tests, NULL, NULL);
}
