#include "support.h"

#include <errno.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/format.h>
#include <skrfs/base/trace.h>

static void durations_have_units_and_limits(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = {{"0", 0}, {"90", 90}, {"90s", 90}, {"15m", 900}, {"1h", 3600}, {"7d", 604800}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(good); i++) {
        uint64_t ns = 1;
        assert_true(skrfs_parse_duration(good[i].text, &ns));
        assert_int_equal(ns, good[i].seconds * SKRFS_SECOND_NS);
    }
    static const char *const bad[] = {"", "s", "-1", "+1", " 1", "1 ", "1.5h", "1w", "1hh", "1ms",
            "99999999999999999999", "18446744074", "9999999d"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(bad); i++) {
        uint64_t ns = 42;
        assert_false(skrfs_parse_duration(bad[i], &ns));
        assert_int_equal(ns, 42);
    }
}

static void deadlines_pass(void **state) {
    (void)state;
    uint64_t now = skrfs_now_ns();
    assert_int_equal(skrfs_until_ns(now), 0);
    assert_int_equal(skrfs_until_ns(0), 0);
    assert_int_equal(skrfs_until_ns(SKRFS_NEVER_NS), SKRFS_NEVER_NS);
    assert_in_range(skrfs_until_ns(now + 60 * SKRFS_SECOND_NS), 1, 60 * SKRFS_SECOND_NS);
}

static void sleeping_ends_at_the_earlier(void **state) {
    (void)state;
    uint64_t begin = skrfs_now_ns();
    assert_true(skrfs_sleep_until(begin + 5 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS));
    assert_true(skrfs_now_ns() >= begin + 5 * SKRFS_MILLISECOND_NS);
    assert_false(skrfs_sleep_until(SKRFS_NEVER_NS, skrfs_now_ns() + 5 * SKRFS_MILLISECOND_NS));
    assert_true(skrfs_now_ns() < begin + 5 * SKRFS_SECOND_NS);
}

static void a_condition_times_out(void **state) {
    (void)state;
    pthread_cond_t cond;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    assert_int_equal(skrfs_cond_init(&cond), 0);
    uint64_t deadline = skrfs_now_ns() + 10 * SKRFS_MILLISECOND_NS;
    struct timespec until = skrfs_deadline_timespec(deadline);
    pthread_mutex_lock(&lock);
    assert_int_equal(pthread_cond_timedwait(&cond, &lock, &until), ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    assert_int_equal(skrfs_until_ns(deadline), 0);
    struct timespec never = skrfs_deadline_timespec(SKRFS_NEVER_NS);
    assert_true(never.tv_sec > until.tv_sec);
    pthread_cond_destroy(&cond);
}

static void times_are_printed_in_utc(void **state) {
    (void)state;
    char out[21];
    skrfs_format_time(1769847300, out, sizeof(out));
    assert_string_equal(out, "2026-01-31T08:15:00Z");
    skrfs_format_time(INT64_MAX, out, sizeof(out));
    assert_string_equal(out, "?");
}

static void formats_have_names(void **state) {
    (void)state;
    enum skrfs_format format = SKRFS_FORMAT_DER;
    for (int i = 0; i < SKRFS_FORMAT_COUNT; i++) {
        assert_true(skrfs_format_parse(skrfs_format_name((enum skrfs_format)i), &format));
        assert_int_equal(format, i);
        assert_int_equal(skrfs_format_is_public((enum skrfs_format)i), i >= SKRFS_FORMAT_PUB_PEM);
    }
    assert_false(skrfs_format_parse("PEM", &format));
    assert_false(skrfs_format_parse("", &format));
}

static void a_trace_tells_what_failed(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    static struct skrfs_trace trace;
    skrfs_autobuf out = SKRFS_BUF(8192);
    skrfs_trace_start(&trace);
    skrfs_trace_end(&trace, skrfs_trace_begin(&trace, "read the report"), "%d octets", 2600);
    size_t ask = skrfs_trace_begin(&trace, "ask 'prod'");
    skrfs_fail(&err, SKRFS_CLASS_REJECTED, "refused by policy");
    assert_int_equal(skrfs_trace_failed(&trace, ask, &err), -1);
    (void)skrfs_trace_begin(&trace, "unwrap");
    assert_ok(skrfs_trace_print(&trace, &out, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&out), "read the report: 2600 octets\n"));
    assert_non_null(strstr(skrfs_buf_text(&out), "ask 'prod': refused by policy\n"));
    assert_non_null(strstr(skrfs_buf_text(&out), "  failed "));
    assert_non_null(strstr(skrfs_buf_text(&out), "  running "));
}

static void a_trace_shows_what_is_part_of_what(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    static struct skrfs_trace trace;
    skrfs_autobuf out = SKRFS_BUF(8192);
    skrfs_trace_start(&trace);
    skrfs_trace_end(&trace, skrfs_trace_begin(&trace, "collect"), NULL);
    size_t ask = skrfs_trace_begin(&trace, "ask 'prod'");
    size_t call = skrfs_trace_begin(&trace, "call");
    skrfs_trace_end(&trace, skrfs_trace_begin(&trace, "log in"), NULL);
    skrfs_fail(&err, SKRFS_CLASS_REJECTED, "refused by policy");
    (void)skrfs_trace_failed(&trace, call, &err);
    (void)skrfs_trace_failed(&trace, ask, &err);
    assert_ok(skrfs_trace_print(&trace, &out, &err), err);
    const char *text = skrfs_buf_text(&out);
    assert_non_null(strstr(text, " ms  collect\n"));
    assert_non_null(strstr(text, " ms  ask 'prod'\n"));
    assert_non_null(strstr(text, " ms    call: refused by policy\n"));
    assert_non_null(strstr(text, " ms      log in\n"));
}

static void a_trace_counts_what_has_no_room(void **state) {
    (void)state;
    static struct skrfs_trace one;
    static struct skrfs_trace other;
    skrfs_trace_start(&one);
    skrfs_trace_start(&other);
    for (int i = 0; i < SKRFS_TRACE_STEPS_MAX + 3; i++)
        skrfs_trace_end(&one, skrfs_trace_begin(&one, "step"), NULL);
    assert_int_equal(one.count, SKRFS_TRACE_STEPS_MAX);
    assert_int_equal(one.dropped, 3);
    skrfs_trace_end(&other, skrfs_trace_begin(&other, "first"), "%s", "x\ny");
    assert_string_equal(other.steps[0].note, "x?y");
    skrfs_trace_merge(&other, &one);
    assert_int_equal(other.count, SKRFS_TRACE_STEPS_MAX);
    assert_int_equal(other.dropped, 4);
    skrfs_trace_start(NULL);
    skrfs_trace_end(NULL, skrfs_trace_begin(NULL, "nothing"), "x");
    skrfs_trace_merge(NULL, &one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(durations_have_units_and_limits),
            cmocka_unit_test(deadlines_pass),
            cmocka_unit_test(sleeping_ends_at_the_earlier),
            cmocka_unit_test(a_condition_times_out),
            cmocka_unit_test(times_are_printed_in_utc),
            cmocka_unit_test(formats_have_names),
            cmocka_unit_test(a_trace_tells_what_failed),
            cmocka_unit_test(a_trace_shows_what_is_part_of_what),
            cmocka_unit_test(a_trace_counts_what_has_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
