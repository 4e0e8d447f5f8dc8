/* Windows of time and what `until` says: as they are written, and what they say of a moment. */
#include "support.h"

#include <skrfs/access/limits.h>

static int64_t at(const char *text) {
    int64_t wall_s = 0;
    assert_true(skrfs_time_parse(text, &wall_s));
    return wall_s;
}

static struct skrfs_hours hours_of(const char *text) {
    struct skrfs_hours hours;
    struct skrfs_error err;
    assert_ok(skrfs_hours_parse(text, &hours, &err), err);
    return hours;
}

static void hours_are_written_and_read(void **state) {
    static const struct {
        const char *text, *printed;
    } cases[] = {
            {"mon-fri 08:00-18:00", "mon-fri 08:00-18:00"},
            {"08:00-18:00", "08:00-18:00"},
            {"mon-sun 08:00-18:00", "08:00-18:00"},
            {"sat,sun 00:00-24:00", "sat-sun 00:00-24:00"},
            {"fri-mon 22:00-06:00", "mon,fri-sun 22:00-06:00"},
            {"mon,wed,fri-sat   09:30-09:31", "mon,wed,fri-sat 09:30-09:31"},
    };
    char text[SKRFS_HOURS_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_hours hours = hours_of(cases[i].text), again;
        skrfs_hours_print(&hours, text);
        assert_string_equal(text, cases[i].printed);
        again = hours_of(text);
        assert_int_equal(hours.days, again.days);
        assert_int_equal(hours.from_minute, again.from_minute);
        assert_int_equal(hours.to_minute, again.to_minute);
    }
}

static void wrong_hours_are_refused(void **state) {
    static const char *const wrong[] = {"", " ", "mon-fri", "mon-fri 8:00-18:00", "08:00", "08:00-",
            "08:00-18:00 ", "08:00-25:00", "24:00-08:00", "08:60-18:00", "mon fri 08:00-18:00",
            "mon- 08:00-18:00", "mon, 08:00-18:00", "Mon 08:00-18:00", "monday 08:00-18:00",
            "mon-fri08:00-18:00", "08:00-18:00x", "-08:00-18:00", "08:00_18:00", "08:00-24:01"};
    struct skrfs_hours hours;
    struct skrfs_error err;
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++)
        assert_fails(skrfs_hours_parse(wrong[i], &hours, &err), err, SKRFS_CLASS_CONFIG, "window");
}

static void hours_contain(void **state) {
    /* The first of 2026 is a Thursday; the second a Friday. */
    static const struct {
        const char *hours, *when;
        bool inside;
    } cases[] = {
            {"mon-fri 08:00-18:00", "2026-01-01T08:00:00Z", true},
            {"mon-fri 08:00-18:00", "2026-01-01T07:59:59Z", false},
            {"mon-fri 08:00-18:00", "2026-01-01T17:59:59Z", true},
            {"mon-fri 08:00-18:00", "2026-01-01T18:00:00Z", false},
            {"mon-fri 08:00-18:00", "2026-01-03T12:00:00Z", false},
            {"mon-fri 08:00-18:00", "2026-01-05T12:00:00Z", true},
            {"fri 22:00-06:00", "2026-01-02T21:59:59Z", false},
            {"fri 22:00-06:00", "2026-01-02T23:00:00Z", true},
            {"fri 22:00-06:00", "2026-01-03T05:59:59Z", true},
            {"fri 22:00-06:00", "2026-01-03T06:00:00Z", false},
            {"fri 22:00-06:00", "2026-01-02T05:00:00Z", false},
            {"sun 22:00-06:00", "2026-01-05T05:00:00Z", true},
            {"sat 00:00-24:00", "2026-01-03T23:59:59Z", true},
            {"sat 00:00-24:00", "2026-01-04T00:00:00Z", false},
            {"fri 12:00-12:00", "2026-01-02T11:59:59Z", false},
            {"fri 12:00-12:00", "2026-01-03T11:59:59Z", true},
            {"fri 12:00-12:00", "2026-01-03T12:00:00Z", false},
            {"thu 00:00-01:00", "1970-01-01T00:30:00Z", true},
    };
    const struct skrfs_hours none = {0};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_hours hours = hours_of(cases[i].hours);
        if (skrfs_hours_contain(&hours, at(cases[i].when)) != cases[i].inside)
            fail_msg("%s at %s", cases[i].hours, cases[i].when);
    }
    assert_true(skrfs_hours_contain(&none, 12345));
    assert_true(skrfs_hours_contain(&none, 0));
    struct skrfs_hours early = hours_of("wed 23:00-24:00");
    assert_true(skrfs_hours_contain(&early, -1));
    assert_false(skrfs_hours_contain(&early, -3601));
}

static void hours_end(void **state) {
    static const struct {
        const char *hours, *when, *end;
    } cases[] = {
            {"mon-fri 08:00-18:00", "2026-01-01T12:00:00Z", "2026-01-01T18:00:00Z"},
            {"mon-fri 08:00-18:00", "2026-01-01T18:00:00Z", "2026-01-02T18:00:00Z"},
            {"mon-fri 08:00-18:00", "2026-01-02T18:00:00Z", "2026-01-05T18:00:00Z"},
            {"fri 22:00-06:00", "2026-01-03T01:00:00Z", "2026-01-03T06:00:00Z"},
            {"fri 22:00-06:00", "2026-01-03T06:00:00Z", "2026-01-10T06:00:00Z"},
            /* Windows that meet end once, behind the last. */
            {"sat-sun 00:00-24:00", "2026-01-03T12:00:00Z", "2026-01-05T00:00:00Z"},
            {"fri 12:00-12:00", "2026-01-02T13:00:00Z", "2026-01-03T12:00:00Z"},
    };
    const struct skrfs_hours none = {0};
    struct skrfs_hours always = hours_of("00:00-24:00"), round = hours_of("07:00-07:00");
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_hours hours = hours_of(cases[i].hours);
        assert_int_equal(skrfs_hours_end(&hours, at(cases[i].when)), at(cases[i].end));
    }
    assert_int_equal(skrfs_hours_end(&none, 5), SKRFS_NEVER_S);
    assert_int_equal(skrfs_hours_end(&always, 5), SKRFS_NEVER_S);
    assert_int_equal(skrfs_hours_end(&round, 5), SKRFS_NEVER_S);
}

static void hours_decide(void **state) {
    struct skrfs_guard guard = {.mode = 0444, .hours = hours_of("mon-fri 08:00-18:00")};
    struct skrfs_caller caller = {.uid = 5, .pid = 1};
    char rule[SKRFS_RULE_TEXT_MAX];
    struct skrfs_error err;
    (void)state;
    assert_ok(skrfs_access_decide(&guard, &caller, at("2026-01-01T12:00:00Z"), rule, &err), err);
    assert_string_equal(rule, "mode 0444");
    assert_fails(skrfs_access_decide(&guard, &caller, at("2026-01-01T19:00:00Z"), rule, &err), err,
            SKRFS_CLASS_DENIED, "mon-fri 08:00-18:00 (UTC)");
    assert_string_equal(rule, "hours mon-fri 08:00-18:00");
    /* Root too: hours are no matter of who asks. */
    caller.uid = 0;
    assert_fails(skrfs_access_decide(&guard, &caller, at("2026-01-01T19:00:00Z"), rule, &err), err,
            SKRFS_CLASS_DENIED, "hours");
    /* Who may not read anyway hears of that alone. */
    caller.uid = 5;
    guard.mode = 0400;
    assert_fails(skrfs_access_decide(&guard, &caller, at("2026-01-01T19:00:00Z"), rule, &err), err,
            SKRFS_CLASS_DENIED, "mode 0400");
}

static void times(void **state) {
    static const struct {
        const char *text;
        int64_t wall_s;
    } right[] = {
            {"1970-01-01T00:00:01Z", 1},
            {"2001-09-09T01:46:40Z", 1000000000},
            {"2001-09-09T03:46:40+02:00", 1000000000},
            {"2001-09-08t20:16:40-05:30", 1000000000},
            {"2001-09-09 01:46:40z", 1000000000},
            {"2024-02-29T00:00:00Z", 1709164800},
            {"2000-02-29T12:00:00Z", 951825600},
            {"9999-12-31T23:59:59Z", 253402300799},
            {"2016-12-31T23:59:60Z", 1483228800},
    };
    static const char *const wrong[] = {"", "2026", "2026-01-01", "2026-01-01T00:00:00",
            "2026-01-01T00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
            "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00.5Z", "20x6-01-01T00:00:00Z",
            "2026/01/01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z",
            "1970-01-01T00:00:01+01:00", "2026-01-01x00:00:00Z"};
    int64_t wall_s = 0;
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(right); i++)
        assert_int_equal(at(right[i].text), right[i].wall_s);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++)
        if (skrfs_time_parse(wrong[i], &wall_s))
            fail_msg("%s was taken", wrong[i]);
}

static void until(void **state) {
    struct skrfs_limits limits = {0};
    struct skrfs_error err;
    (void)state;
    assert_false(skrfs_limits_any(&limits));
    assert_ok(skrfs_until_parse("10m", &limits, &err), err);
    assert_int_equal(limits.until_ns, UINT64_C(600000000000));
    assert_true(skrfs_limits_any(&limits));
    skrfs_limits_done(&limits);
    assert_ok(skrfs_until_parse("2001-09-09T01:46:40Z", &limits, &err), err);
    assert_int_equal(limits.until_s, 1000000000);
    skrfs_limits_done(&limits);
    assert_ok(skrfs_until_parse("unit:sys-a\\x2db@1.service", &limits, &err), err);
    assert_string_equal(limits.until_unit, "sys-a\\x2db@1.service");
    skrfs_limits_done(&limits);
    assert_false(skrfs_limits_any(&limits));
}

static void wrong_untils_are_refused(void **state) {
    static const char *const wrong[] = {"", "0", "tomorrow", "10 m", "-5m", "unit:", "unit:nginx",
            "unit:.service", "unit:a/b.service", "unit:nginx.", "unit:a b.service", "2026-01-01",
            "unit:nginx.service "};
    struct skrfs_limits limits = {0};
    struct skrfs_error err;
    char long_name[SKRFS_UNIT_MAX + 20];
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wrong); i++)
        assert_fails(skrfs_until_parse(wrong[i], &limits, &err), err, SKRFS_CLASS_CONFIG, "unit:");
    memset(long_name, 'a', sizeof long_name);
    memcpy(long_name, "unit:", 5);
    memcpy(long_name + sizeof long_name - 9, ".service", 9);
    assert_fails(skrfs_until_parse(long_name, &limits, &err), err, SKRFS_CLASS_CONFIG, "unit");
    assert_false(skrfs_limits_any(&limits));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(hours_are_written_and_read),
            cmocka_unit_test(wrong_hours_are_refused),
            cmocka_unit_test(hours_contain),
            cmocka_unit_test(hours_end),
            cmocka_unit_test(hours_decide),
            cmocka_unit_test(times),
            cmocka_unit_test(until),
            cmocka_unit_test(wrong_untils_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
