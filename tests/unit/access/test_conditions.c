/* Each kind of condition against a caller of whom all is known, and against one of whom just that
 * is not: an unknown condition refuses in either list. */
#include "support.h"

#include <skrfs/access/access.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum answer { NO, YES, UNKNOWN };

static const struct skrfs_caller known = {
        .uid = 33,
        .gid = 34,
        .pid = 812,
        .known = SKRFS_FACTS_ALL,
        .group_count = 2,
        .groups = {7, 50},
        .exe = "/usr/sbin/nginx",
        .sha256 = {0xab, 0xcd},
        .verity = "sha256:" ID,
        .cgroup = "/system.slice/docker-" ID ".scope",
        .unit = "docker-" ID ".scope",
        .container = ID,
        .spaces = {{.inode = 11, .host = false}, {.inode = 12, .host = true},
                {.inode = 13, .host = true}},
        .label = "system_u:system_r:httpd_t:s0",
};

static void decide(
        const char *text, const struct skrfs_caller *caller, enum answer wanted, const char *what) {
    struct skrfs_guard allow = {.mode = 0444}, deny = {.mode = 0444};
    struct skrfs_error err = {0}, deny_err = {0};
    char rule[SKRFS_RULE_TEXT_MAX];
    size_t column;
    assert_ok(skrfs_rules_parse(text, NULL, &allow.allow, &column, &err), err);
    assert_ok(skrfs_rules_parse(text, NULL, &deny.deny, &column, &err), err);
    int allowed = skrfs_access_decide(&allow, caller, 0, rule, &err);
    if ((allowed == 0) != (wanted == YES))
        fail_msg("allow %s (%s): %s", text, what, allowed ? err.message : "allowed");
    if (wanted == YES)
        assert_memory_equal(rule, "allow ", 6);
    else
        assert_string_equal(rule, "no allow rule");
    int spared = skrfs_access_decide(&deny, caller, 0, rule, &deny_err);
    if ((spared == 0) != (wanted == NO))
        fail_msg("deny %s (%s): %s", text, what, spared ? deny_err.message : "spared");
    assert_memory_equal(rule, wanted == NO ? "mode 0444" : "deny ", wanted == NO ? 9 : 5);
    if ((wanted == UNKNOWN) != !!strstr(wanted == YES ? "" : err.message, "could not be read"))
        fail_msg("allow %s (%s): %s", text, what, err.message);
    if (wanted != NO && (wanted == UNKNOWN) != !!strstr(deny_err.message, "could not be read"))
        fail_msg("deny %s (%s): %s", text, what, deny_err.message);
    skrfs_rules_done(&allow.allow);
    skrfs_rules_done(&deny.deny);
}

static const struct {
    const char *text;
    unsigned fact;
    enum answer wanted;
} rows[] = {
        {"user:33", 0, YES},
        {"user:34", 0, NO},
        {"group:7", SKRFS_FACT_GROUPS, YES},
        {"group:50", SKRFS_FACT_GROUPS, YES},
        {"group:8", SKRFS_FACT_GROUPS, NO},
        {"exe:/usr/sbin/nginx", SKRFS_FACT_EXE, YES},
        {"exe:/usr/sbin/*", SKRFS_FACT_EXE, YES},
        {"exe:/usr/sbin/ngin", SKRFS_FACT_EXE, NO},
        {"exe:/usr/sbin/nginxx", SKRFS_FACT_EXE, NO},
        {"sha256:abcd000000000000000000000000000000000000000000000000000000000000",
                SKRFS_FACT_SHA256, YES},
        {"sha256:abcd000000000000000000000000000000000000000000000000000000000001",
                SKRFS_FACT_SHA256, NO},
        {"verity:sha256:" ID, SKRFS_FACT_VERITY, YES},
        {"verity:sha512:" ID ID, SKRFS_FACT_VERITY, NO},
        {"unit:docker-" ID ".scope", SKRFS_FACT_CGROUP, YES},
        {"unit:docker-*.scope", SKRFS_FACT_CGROUP, YES},
        {"unit:*.scope", SKRFS_FACT_CGROUP, YES},
        {"unit:docker-" ID "*.scope", SKRFS_FACT_CGROUP, NO},
        {"unit:docker-*.service", SKRFS_FACT_CGROUP, NO},
        {"unit:docker.scope", SKRFS_FACT_CGROUP, NO},
        {"cgroup:/system.slice/docker-" ID ".scope", SKRFS_FACT_CGROUP, YES},
        {"cgroup:/system.slice/*", SKRFS_FACT_CGROUP, YES},
        {"cgroup:/*", SKRFS_FACT_CGROUP, YES},
        {"cgroup:/system.slice", SKRFS_FACT_CGROUP, NO},
        {"cgroup:/", SKRFS_FACT_CGROUP, NO},
        {"cgroup:/user.slice/*", SKRFS_FACT_CGROUP, NO},
        {"container:0123456789ab", SKRFS_FACT_CGROUP, YES},
        {"container:" ID, SKRFS_FACT_CGROUP, YES},
        {"container:123456789abc", SKRFS_FACT_CGROUP, NO},
        {"host", SKRFS_FACT_NAMESPACES, NO},
        {"mnt-ns:11", SKRFS_FACT_NAMESPACES, YES},
        {"mnt-ns:12", SKRFS_FACT_NAMESPACES, NO},
        {"mnt-ns:host", SKRFS_FACT_NAMESPACES, NO},
        {"pid-ns:12", SKRFS_FACT_NAMESPACES, YES},
        {"pid-ns:host", SKRFS_FACT_NAMESPACES, YES},
        {"user-ns:host", SKRFS_FACT_NAMESPACES, YES},
        {"user-ns:11", SKRFS_FACT_NAMESPACES, NO},
        {"label:system_u:system_r:httpd_t:s0", SKRFS_FACT_LABEL, YES},
        {"label:system_u:*", SKRFS_FACT_LABEL, YES},
        {"label:system_u:system_r:httpd_t:s", SKRFS_FACT_LABEL, NO},
        {"label:system_u:system_r:httpd_t:s0:*", SKRFS_FACT_LABEL, NO},
        /* together: all must hold, and one that does not settles it whatever is unknown */
        {"user:33 & exe:/usr/sbin/nginx", SKRFS_FACT_EXE, YES},
        {"user:33 & exe:/usr/sbin/apache2", SKRFS_FACT_EXE, NO},
        {"exe:/usr/sbin/nginx & container:0123456789ab & pid-ns:host", SKRFS_FACT_NAMESPACES, YES},
};

static void test_each_condition(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct skrfs_caller caller = known;
        decide(rows[i].text, &caller, rows[i].wanted, "all known");
        if (!rows[i].fact)
            continue;
        caller.known &= ~rows[i].fact;
        decide(rows[i].text, &caller, UNKNOWN, skrfs_fact_name((enum skrfs_fact)rows[i].fact));
        caller.known = rows[i].fact;
        if (!strchr(rows[i].text, '&'))
            decide(rows[i].text, &caller, rows[i].wanted, "just that is known");
    }
}

static void test_one_that_fails_settles_it(void **state) {
    struct skrfs_caller caller = known;
    (void)state;
    caller.known = 0;
    decide("exe:/usr/sbin/nginx & user:34", &caller, NO, "nothing known");
    decide("user:34 & exe:/usr/sbin/nginx", &caller, NO, "nothing known");
    decide("user:33 & exe:/usr/sbin/nginx", &caller, UNKNOWN, "nothing known");
}

static void test_host_is_all_three(void **state) {
    struct skrfs_caller caller = known;
    (void)state;
    for (size_t i = 0; i < SKRFS_NS_COUNT; i++)
        caller.spaces[i].host = true;
    decide("host", &caller, YES, "all three");
    for (size_t i = 0; i < SKRFS_NS_COUNT; i++) {
        caller.spaces[i].host = false;
        decide("host", &caller, NO, "not one of them");
        caller.spaces[i].host = true;
    }
}

/* A machine may have any name, even one like the beginning of an id. */
static void test_a_machine_is_no_container(void **state) {
    struct skrfs_caller caller = known;
    (void)state;
    snprintf(caller.container, sizeof caller.container, "0123456789ab");
    decide("container:0123456789ab", &caller, NO, "a machine's name");
    caller.container[0] = 0;
    decide("container:0123456789ab", &caller, NO, "in none");
}

/* The rule that matches decides, not one before it of which that is unknown; and the reason says
 * what was lacking, and why. */
static void test_what_is_told(void **state) {
    struct skrfs_guard guard = {.mode = 0444};
    struct skrfs_caller caller = known;
    struct skrfs_error err;
    char rule[SKRFS_RULE_TEXT_MAX];
    size_t column;
    (void)state;
    caller.known = 0;
    snprintf(caller.lack, sizeof caller.lack, "it is\tgone");
    assert_ok(skrfs_rules_parse("exe:/bin/sh user:33", NULL, &guard.deny, &column, &err), err);
    assert_fails(skrfs_access_decide(&guard, &caller, 0, rule, &err), err, SKRFS_CLASS_DENIED,
            "the deny rule user:33 matches");
    assert_string_equal(rule, "deny user:33");
    skrfs_rules_done(&guard.deny);
    assert_ok(skrfs_rules_parse("user:34 & exe:/a user:33 & unit:a.service & exe:/a", NULL,
                      &guard.allow, &column, &err),
            err);
    caller.known = SKRFS_FACT_EXE | SKRFS_FACT_NAMESPACES;
    snprintf(caller.exe, sizeof caller.exe, "/a");
    assert_fails(skrfs_access_decide(&guard, &caller, 0, rule, &err), err, SKRFS_CLASS_DENIED,
            "whose control group could not be read: it is?gone");
    skrfs_rules_done(&guard.allow);
}

static void check_needs(const char *allow, mode_t mode, uid_t uid, unsigned wanted) {
    struct skrfs_guard guard = {.mode = mode};
    struct skrfs_error err;
    size_t column;
    assert_ok(skrfs_rules_parse(allow, NULL, &guard.allow, &column, &err), err);
    unsigned needs = skrfs_guard_needs(&guard, uid, 34);
    if (needs != wanted)
        fail_msg("%s for %u: needs %#x, not %#x", allow, uid, needs, wanted);
    skrfs_rules_done(&guard.allow);
}

/* Nobody's executable is read when the answer is the same without. */
static void test_needs(void **state) {
    const unsigned exe = SKRFS_FACT_EXE, sha256 = SKRFS_FACT_SHA256, cgroup = SKRFS_FACT_CGROUP;
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++)
        if (!strchr(rows[i].text, '&'))
            check_needs(rows[i].text, 0444, 33, rows[i].fact);
    check_needs("user:33 & exe:/a", 0444, 33, exe);
    check_needs("user:33 & exe:/a", 0444, 5, 0);
    check_needs("exe:/a & user:33 & sha256:" ID, 0444, 33, exe | sha256);
    check_needs("exe:/a user:33", 0444, 33, 0);
    check_needs("exe:/a unit:a.service container:" ID, 0444, 33, exe | cgroup);
    check_needs("group:34 & host", 0444, 33, SKRFS_FACT_NAMESPACES);
    check_needs("exe:/a & sha256:" ID, 0400, 33, 0);
    check_needs("exe:/a", 0440, 33, exe | SKRFS_FACT_GROUPS);
}

static void test_caller_printed(void **state) {
    struct skrfs_caller caller = known;
    char out[512];
    (void)state;
    skrfs_caller_print(&caller, out, sizeof out);
    assert_string_equal(out, "uid 33 gid 34 pid 812 exe /usr/sbin/nginx unit docker-" ID
                             ".scope container 0123456789ab");
    snprintf(caller.container, sizeof caller.container, "web\n1");
    caller.unit[0] = 0;
    skrfs_caller_print(&caller, out, sizeof out);
    assert_string_equal(out, "uid 33 gid 34 pid 812 exe /usr/sbin/nginx container web?1");
    caller.known = 0;
    skrfs_caller_print(&caller, out, sizeof out);
    assert_string_equal(out, "uid 33 gid 34 pid 812");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_each_condition),
            cmocka_unit_test(test_one_that_fails_settles_it),
            cmocka_unit_test(test_host_is_all_three),
            cmocka_unit_test(test_a_machine_is_no_container),
            cmocka_unit_test(test_what_is_told),
            cmocka_unit_test(test_needs),
            cmocka_unit_test(test_caller_printed),
    };
    return cmocka_run_group_tests_name("conditions", tests, NULL, NULL);
}
