/* The mount's decision for a caller that is told in words. */
#include "support.h"

#include "../../../src/cli/who.h"

#include <skrfs/base/cleanup.h>
#include <skrfs/base/clock.h>

static bool user_named(void *context, const char *name, uid_t *ret_uid) {
    (void)context;
    *ret_uid = 0;
    return strcmp(name, "root") == 0;
}

static const struct skrfs_names names = {.user = user_named, .group = user_named};

static struct who who;

static int parse(const char *text, struct skrfs_error *err) {
    return who_parse(text, &names, &who, err);
}

static void facts_come_from_words(void **state) {
    (void)state;
    struct skrfs_error err;
    assert_ok(
            parse("user:root & exe:/nowhere/nginx unit:nginx.service&host group:4711", &err), err);
    assert_int_equal(who.caller.uid, 0);
    assert_int_equal(who.caller.gid, 0);
    assert_true(who.caller.known & SKRFS_FACT_GROUPS);
    assert_int_equal(who.caller.groups[who.caller.group_count - 1], 4711);
    assert_string_equal(who.caller.exe, "/nowhere/nginx");
    assert_string_equal(who.caller.unit, "nginx.service");
    assert_true(who.caller.spaces[SKRFS_NS_PID].host);
    assert_false(who.caller.known & SKRFS_FACT_SHA256);
    assert_false(who.caller.known & SKRFS_FACT_LABEL);
    /* An unknown user has no groups that are known. */
    assert_ok(parse("user:3999999999", &err), err);
    assert_int_equal(who.caller.known, 0);
    assert_int_equal(who.caller.gid, (gid_t)-1);
    assert_ok(parse("group:7 user:3999999999 group:8", &err), err);
    assert_int_equal(who.caller.gid, 7);
    assert_true(who.caller.known & SKRFS_FACT_GROUPS);
}

static void a_file_tells_its_digest(void **state) {
    (void)state;
    struct skrfs_error err;
    assert_ok(parse("user:0 exe:/usr/bin/env", &err), err);
    assert_true(who.caller.known & SKRFS_FACT_SHA256);
    /* What is said wins. */
    assert_ok(parse("user:0 exe:/usr/bin/env "
                    "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                      &err),
            err);
    assert_int_equal(who.caller.sha256[15], 0xff);
}

static void what_is_no_caller_is_refused(void **state) {
    (void)state;
    struct skrfs_error err;
    static const struct {
        const char *text, *why;
    } cases[] = {
            {"exe:/usr/bin/env", "which user?"},
            {"user:0 user:1", "one caller has one"},
            {"user:0 exe:/usr/bin/*", "stands for many"},
            {"user:0 unit:a@*.service", "stands for many"},
            {"user:0 host pid-ns:host pid-ns:4026531836", "one caller has one"},
            {"user:nobody-of-that-name", "nobody-of-that-name"},
            {"", "which user?"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        assert_fails(parse(cases[i].text, &err), err, SKRFS_CLASS_CONFIG, cases[i].why);
    }
}

static void times(void **state) {
    (void)state;
    struct skrfs_error err;
    int64_t wall_s = 0;
    assert_ok(who_time("2026-01-31T08:15:00Z", &wall_s, &err), err);
    assert_int_equal(wall_s, 1769847300);
    assert_ok(who_time("08:15", &wall_s, &err), err);
    assert_int_equal(wall_s % 86400, 8 * 3600 + 15 * 60);
    assert_int_equal(wall_s / 86400, skrfs_wall_s() / 86400);
    assert_fails(who_time("tomorrow", &wall_s, &err), err, SKRFS_CLASS_CONFIG, "--at wants");
    assert_fails(who_time("8:15 pm", &wall_s, &err), err, SKRFS_CLASS_CONFIG, "--at wants");
}

struct question {
    unsigned mode;
    const char *allow, *deny, *who;
    enum who_verdict verdict;
    const char *said; /* in the rule or the reason */
};

static void ask(const struct question *question, struct who_answer *ret_answer) {
    struct skrfs_error err;
    size_t column = 0;
    struct skrfs_guard guard = {.mode = question->mode};
    assert_ok(skrfs_rules_parse(question->allow, &names, &guard.allow, &column, &err), err);
    assert_ok(skrfs_rules_parse(question->deny, &names, &guard.deny, &column, &err), err);
    assert_ok(parse(question->who, &err), err);
    who_ask(&who, &guard, 0, ret_answer);
    skrfs_rules_done(&guard.allow);
    skrfs_rules_done(&guard.deny);
}

static void what_was_not_said_is_told(void **state) {
    (void)state;
    static const struct question questions[] = {
            {0444, "", "", "user:7", WHO_MAY, "mode 0444"},
            {0400, "", "", "user:7", WHO_MAY_NOT, "mode 0400"},
            {0400, "user:7", "", "user:7", WHO_MAY_NOT, "mode 0400"},
            {0444, "user:7", "", "user:7", WHO_MAY, "allow user:7"},
            {0444, "user:8", "", "user:7", WHO_MAY_NOT, "no allow rule"},
            {0444, "user:7 & exe:/a", "", "user:7", WHO_DEPENDS, "asks for its executable"},
            {0444, "user:7 & exe:/a", "", "user:7 exe:/b", WHO_MAY_NOT, "no allow rule"},
            {0444, "user:7 & exe:/a", "", "user:7 exe:/a", WHO_MAY, "allow user:7 & exe:/a"},
            {0444, "user:8 & exe:/a", "", "user:7", WHO_MAY_NOT, "no allow rule"},
            {0444, "unit:a.service", "", "user:7 unit:a.service", WHO_MAY, "unit:a.service"},
            {0444, "unit:a.service & host", "", "user:7", WHO_DEPENDS, "its unit, namespaces"},
            /* Of one thing that is read together a part may be unsaid. */
            {0444, "unit:a.service", "container:0123456789ab", "user:7 unit:a.service", WHO_DEPENDS,
                    "deny rule container:0123456789ab asks for its container"},
            {0444, "", "cgroup:/x/*", "user:7 unit:a.service", WHO_DEPENDS, "its cgroup"},
            {0444, "", "cgroup:/x/*", "user:7 cgroup:/y/a.service", WHO_MAY, "mode 0444"},
            {0444, "container:0123456789ab", "", "user:7 container:0123456789abcd", WHO_MAY,
                    "allow"},
            {0444, "container:0123456789abcd", "", "user:7 container:0123456789ab", WHO_DEPENDS,
                    "its container"},
            {0444, "container:0123456789ab", "", "user:7 container:1123456789ab", WHO_MAY_NOT,
                    "no allow rule"},
            {0444, "pid-ns:host", "", "user:7 mnt-ns:host", WHO_DEPENDS, "its namespaces"},
            {0444, "", "mnt-ns:host", "user:7 pid-ns:host", WHO_DEPENDS, "its namespaces"},
            {0444, "", "exe:/a", "user:7", WHO_DEPENDS, "deny rule exe:/a asks"},
            {0444, "", "exe:/a & user:8", "user:7", WHO_MAY, "mode 0444"},
            {0444, "", "exe:/a", "user:7 exe:/a", WHO_MAY_NOT, "deny rule exe:/a"},
            {0444, "user:7", "label:x*", "user:7", WHO_DEPENDS, "its label"},
            {0444, "user:7", "label:x*", "user:7 label:y", WHO_MAY, "allow user:7"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(questions); i++) {
        struct who_answer answer;
        ask(&questions[i], &answer);
        if (answer.verdict != questions[i].verdict ||
                (!strstr(answer.rule, questions[i].said) &&
                        !strstr(answer.reason, questions[i].said))) {
            fail_msg("%zu: verdict %d by '%s': %s", i, (int)answer.verdict, answer.rule,
                    answer.reason);
        }
        assert_null(strstr(answer.reason, "pid 1"));
        assert_int_equal(answer.verdict == WHO_MAY, answer.reason[0] == '\0');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(facts_come_from_words),
            cmocka_unit_test(a_file_tells_its_digest),
            cmocka_unit_test(what_is_no_caller_is_refused),
            cmocka_unit_test(times),
            cmocka_unit_test(what_was_not_said_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
