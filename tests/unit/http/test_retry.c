#include "server.h"
#include "support.h"

#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/http/http.h>
#include <time.h>

#define ANSWER(status, headers) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n" headers "\r\n"
#define GOOD ANSWER("200 OK", "")

static const long listed[] = {404, 408, 429, 0};
static const struct skrfs_http_retry patient = {.attempts = 3,
        .base_ns = 2 * SKRFS_MILLISECOND_NS,
        .max_ns = SKRFS_SECOND_NS,
        .statuses = listed,
        .transport = true};

struct outcome {
    int failed;
    unsigned requests;
    uint64_t took_ns;
    struct skrfs_http_answer answer;
    struct skrfs_error err;
};

/* Asks a server that gives these answers, and says what came of it. */
static void ask(const char *const answers[SERVER_ANSWERS_MAX], const struct skrfs_http_retry *retry,
        uint64_t wait_ns, struct outcome *outcome) {
    struct server server = {0};
    struct skrfs_http *http = NULL;
    const struct skrfs_http_options options = {.connect_timeout_ns = 5 * SKRFS_SECOND_NS};
    char url[64];
    memset(outcome, 0, sizeof(*outcome));
    memcpy(server.answers, answers, sizeof(server.answers));
    server_start(&server);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
    assert_ok(skrfs_http_new(&options, &http, &outcome->err), outcome->err);
    uint64_t begin = skrfs_now_ns();
    struct skrfs_http_request request = {.method = "GET",
            .url = url,
            .answer_max = 100,
            .deadline_ns = begin + wait_ns,
            .plain = true};
    outcome->failed = skrfs_http_send(http, &request, retry, &outcome->answer, &outcome->err);
    outcome->took_ns = skrfs_now_ns() - begin;
    skrfs_http_free(http);
    server_stop(&server);
    outcome->requests = server.requests;
    skrfs_buf_done(&outcome->answer.body);
}

static void what_may_pass_is_tried_again(void **state) {
    (void)state;
    static const char *const again[] = {ANSWER("404 N", ""), ANSWER("429 N", ""),
            ANSWER("500 N", ""), ANSWER("503 N", ""),
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf", SERVER_CLOSE};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(again); i++) {
        const char *answers[SERVER_ANSWERS_MAX] = {again[i], again[i], GOOD};
        struct outcome outcome;
        ask(answers, &patient, 20 * SKRFS_SECOND_NS, &outcome);
        assert_ok(outcome.failed, outcome.err);
        assert_int_equal(outcome.answer.status, 200);
        /* libcurl itself asks once more where an old connection turns out to be dead. */
        assert_in_range(outcome.requests, 3, 4);
    }
}

static void what_will_not_pass_is_not(void **state) {
    (void)state;
    static const struct {
        const char *text;
        long status;
    } final[] = {{ANSWER("400 N", ""), 400}, {ANSWER("403 N", ""), 403}, {ANSWER("501 N", ""), 501},
            {ANSWER("505 N", ""), 505}, {GOOD, 200}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(final); i++) {
        const char *answers[SERVER_ANSWERS_MAX] = {final[i].text};
        struct outcome outcome;
        ask(answers, &patient, 20 * SKRFS_SECOND_NS, &outcome);
        assert_ok(outcome.failed, outcome.err);
        assert_int_equal(outcome.answer.status, final[i].status);
        assert_int_equal(outcome.requests, 1);
    }
}

static void the_last_answer_is_handed_out(void **state) {
    (void)state;
    const char *answers[SERVER_ANSWERS_MAX] = {ANSWER("503 N", "x-ms-request-id: one\r\n"),
            ANSWER("503 N", "x-ms-request-id: two\r\n"), ANSWER("503 N", "")};
    struct outcome outcome;
    ask(answers, &patient, 20 * SKRFS_SECOND_NS, &outcome);
    assert_ok(outcome.failed, outcome.err);
    assert_int_equal(outcome.answer.status, 503);
    assert_string_equal(outcome.answer.request_id, "");
    assert_int_equal(outcome.requests, 3);
    ask(answers, NULL, 20 * SKRFS_SECOND_NS, &outcome);
    assert_string_equal(outcome.answer.request_id, "one");
    assert_int_equal(outcome.requests, 1);
}

static void a_failure_says_how_often_it_was_tried(void **state) {
    (void)state;
    const char *answers[SERVER_ANSWERS_MAX] = {SERVER_CLOSE};
    struct skrfs_http_retry answers_only = patient;
    struct outcome outcome;
    ask(answers, &patient, 20 * SKRFS_SECOND_NS, &outcome);
    assert_fails(outcome.failed, outcome.err, SKRFS_CLASS_UNAVAILABLE, "3 attempts: 127.0.0.1:");
    answers_only.transport = false;
    ask(answers, &answers_only, 20 * SKRFS_SECOND_NS, &outcome);
    assert_fails(outcome.failed, outcome.err, SKRFS_CLASS_UNAVAILABLE, "127.0.0.1:");
    assert_int_equal(outcome.requests, 1);
}

static void retry_after_is_honoured(void **state) {
    (void)state;
    static const char *const wait[] = {ANSWER("429 N", "retry-after-ms: 200\r\n"),
            ANSWER("429 N", "x-ms-retry-after-ms: 200\r\nRetry-After: 60\r\n"),
            ANSWER("503 N", "Retry-After: 60\r\nRetry-After-Ms: 200\r\n")};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(wait); i++) {
        const char *answers[SERVER_ANSWERS_MAX] = {wait[i], GOOD};
        struct outcome outcome;
        ask(answers, &patient, 20 * SKRFS_SECOND_NS, &outcome);
        assert_ok(outcome.failed, outcome.err);
        assert_int_equal(outcome.answer.status, 200);
        assert_in_range(outcome.took_ns, 200 * SKRFS_MILLISECOND_NS, 5 * SKRFS_SECOND_NS);
    }
}

static void too_long_a_wait_is_left_to_the_caller(void **state) {
    (void)state;
    char date[128];
    char headers[256];
    time_t then = time(NULL) + 60;
    struct tm parts;
    assert_non_null(gmtime_r(&then, &parts));
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    snprintf(headers, sizeof(headers), ANSWER("429 N", "Retry-After: %s\r\n"), date);
    const char *const waits[] = {headers, ANSWER("429 N", "Retry-After: 60\r\n"),
            ANSWER("429 N", "Retry-After: 99999999999\r\n")};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(waits); i++) {
        const char *answers[SERVER_ANSWERS_MAX] = {waits[i], GOOD};
        struct outcome outcome;
        ask(answers, &patient, 20 * SKRFS_SECOND_NS, &outcome);
        assert_ok(outcome.failed, outcome.err);
        assert_int_equal(outcome.answer.status, 429);
        assert_int_equal(outcome.requests, 1);
        assert_true(outcome.answer.retry_at_ns > skrfs_now_ns() + 40 * SKRFS_SECOND_NS);
        assert_true(outcome.answer.retry_at_ns < skrfs_now_ns() + 90000 * SKRFS_SECOND_NS);
    }
}

static void nonsense_in_retry_after_is_ignored(void **state) {
    (void)state;
    const char *answers[SERVER_ANSWERS_MAX] = {
            ANSWER("403 N", "Retry-After: soon\r\nretry-after-ms: -5\r\n")};
    struct outcome outcome;
    ask(answers, &patient, 20 * SKRFS_SECOND_NS, &outcome);
    assert_int_equal(outcome.answer.retry_at_ns, 0);
}

static void no_pause_goes_past_the_deadline(void **state) {
    (void)state;
    struct skrfs_http_retry slow = patient;
    const char *answers[SERVER_ANSWERS_MAX] = {ANSWER("503 N", "")};
    struct outcome outcome;
    slow.base_ns = 10 * SKRFS_SECOND_NS;
    slow.max_ns = 10 * SKRFS_SECOND_NS;
    ask(answers, &slow, 3 * SKRFS_SECOND_NS, &outcome);
    assert_ok(outcome.failed, outcome.err);
    assert_int_equal(outcome.answer.status, 503);
    assert_int_equal(outcome.requests, 1);
    assert_true(outcome.took_ns < 3 * SKRFS_SECOND_NS);
}

static void a_steady_status_has_its_own_rhythm(void **state) {
    (void)state;
    struct skrfs_http_retry steady = patient;
    steady.attempts = 2;
    steady.steady_status = 410;
    steady.steady_times = 3;
    steady.steady_ns = 100 * SKRFS_MILLISECOND_NS;
    const char *answers[SERVER_ANSWERS_MAX] = {
            ANSWER("410 N", ""), ANSWER("503 N", ""), ANSWER("410 N", ""), GOOD};
    struct outcome outcome;
    ask(answers, &steady, 20 * SKRFS_SECOND_NS, &outcome);
    assert_ok(outcome.failed, outcome.err);
    assert_int_equal(outcome.answer.status, 200);
    assert_true(outcome.took_ns >= 200 * SKRFS_MILLISECOND_NS);
    /* It ends too, and tells when to come back. */
    const char *gone[SERVER_ANSWERS_MAX] = {ANSWER("410 N", ""), ANSWER("410 N", ""),
            ANSWER("410 N", ""), ANSWER("410 N", ""), GOOD};
    ask(gone, &steady, 20 * SKRFS_SECOND_NS, &outcome);
    assert_ok(outcome.failed, outcome.err);
    assert_int_equal(outcome.answer.status, 410);
    assert_int_equal(outcome.requests, 4);
    assert_true(outcome.answer.retry_at_ns > 0);
    /* Not past the deadline either. */
    steady.steady_ns = 10 * SKRFS_SECOND_NS;
    ask(gone, &steady, 5 * SKRFS_SECOND_NS, &outcome);
    assert_int_equal(outcome.answer.status, 410);
    assert_int_equal(outcome.requests, 1);
    assert_true(outcome.took_ns < 4 * SKRFS_SECOND_NS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_may_pass_is_tried_again),
            cmocka_unit_test(what_will_not_pass_is_not),
            cmocka_unit_test(the_last_answer_is_handed_out),
            cmocka_unit_test(a_failure_says_how_often_it_was_tried),
            cmocka_unit_test(retry_after_is_honoured),
            cmocka_unit_test(too_long_a_wait_is_left_to_the_caller),
            cmocka_unit_test(nonsense_in_retry_after_is_ignored),
            cmocka_unit_test(no_pause_goes_past_the_deadline),
            cmocka_unit_test(a_steady_status_has_its_own_rhythm),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
