/* The keeper's end of the audit, over a socket pair whose other end is the test. */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <skrfs/base/clock.h>
#include <skrfs/daemon/process.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];
static struct skrfs_conf conf;
static struct skrfs_conf_key key = {.file = (char[]){"tls"}};
static struct skrfs_recorder *recorder;
static struct skrfs_audit_post post;
static struct skrfs_audit_answer answer;

static void make(bool required) {
    const struct skrfs_recorder_options options = {
            .fd = -1, .conf = &conf, .journal = false, .boot_id = "boot"};
    struct skrfs_recorder_options with = options;
    struct skrfs_error err;
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    conf = (struct skrfs_conf){.keys = &key, .key_count = 1, .deadline_ns = 30 * SKRFS_SECOND_NS};
    conf.audit.required = required;
    with.fd = pair[0];
    assert_ok(skrfs_recorder_new(&with, &recorder, &err), err);
}

static int set_up(void **state) {
    (void)state;
    make(false);
    return 0;
}

static int set_up_required(void **state) {
    (void)state;
    make(true);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    skrfs_recorder_free(recorder);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

/* The next message; false when none comes. */
static bool hear(int ms) {
    struct pollfd ready = {.fd = pair[1], .events = POLLIN};
    if (poll(&ready, 1, ms) <= 0)
        return false;
    memset(&post, 0, sizeof(post));
    ssize_t len = recv(pair[1], &post, sizeof(post), 0);
    assert_true(len > 0);
    assert_true(skrfs_audit_post_check(&post, (size_t)len));
    return true;
}

static void hear_record(uint64_t number, const char *text) {
    assert_true(hear(5000));
    assert_int_equal(post.type, SKRFS_POST_RECORD);
    assert_int_equal(post.number, number);
    assert_non_null(strstr(post.text, text));
}

static void say(enum skrfs_audit_answer_type type, uint64_t epoch, uint64_t number) {
    answer = (struct skrfs_audit_answer){.type = type, .epoch = epoch};
    answer.head.seq = 100 + number;
    memcpy(answer.head.chain, "0123456789abcdef", 17);
    if (type == SKRFS_ANSWER_ACK) {
        answer.count = 1;
        answer.acks[0] = (struct skrfs_audit_ack){.number = number, .seq = 100 + number};
    }
    if (type == SKRFS_ANSWER_TROUBLE)
        memcpy(answer.trouble, "disk full", 10);
    size_t size = SKRFS_AUDIT_ANSWER_HEAD + answer.count * sizeof(answer.acks[0]);
    struct pollfd room = {.fd = pair[1], .events = POLLOUT};
    assert_int_equal(poll(&room, 1, 5000), 1);
    assert_int_equal(send(pair[1], &answer, size, 0), size);
}

static struct skrfs_recorder_stats stats(void) {
    struct skrfs_recorder_stats now;
    skrfs_recorder_get_stats(recorder, &now);
    return now;
}

static void wait_until_waiting(uint64_t count) {
    for (int i = 0; i < 10000 && stats().waiting != count; i++)
        (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    assert_int_equal(stats().waiting, count);
}

static const struct skrfs_caller who = {.uid = 33, .pid = 8};
static const struct skrfs_fs_event granted = {.kind = SKRFS_EVENT_OPEN,
        .what = "keys/tls",
        .caller = &who,
        .version = "v1",
        .release = 1};

struct told {
    atomic_int calls;
    atomic_bool failed;
};

static void on_recorded(void *context, const struct skrfs_error *err) {
    struct told *told = context;
    atomic_store(&told->failed, err != NULL);
    atomic_fetch_add(&told->calls, 1);
}

static void wait_until_told(struct told *told, bool failed) {
    for (int i = 0; i < 10000 && !atomic_load(&told->calls); i++)
        (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    assert_int_equal(atomic_load(&told->calls), 1);
    assert_int_equal(atomic_load(&told->failed), failed);
}

static int record(struct told *told) {
    struct skrfs_error err;
    return skrfs_recorder_event(recorder, &granted, told ? on_recorded : NULL, told, &err);
}

static void test_it_says_hello_and_numbers(void **state) {
    (void)state;
    assert_true(hear(5000));
    assert_int_equal(post.type, SKRFS_POST_HELLO);
    uint64_t epoch = post.epoch;
    assert_true(epoch != 0);
    struct told told = {0};
    assert_int_equal(record(&told), 0);
    assert_int_equal(record(NULL), 0);
    hear_record(1, "\"path\":\"keys/tls\",\"verdict\":\"granted\"");
    hear_record(2, "\"uid\":33");
    assert_int_equal(post.epoch, epoch);
    say(SKRFS_ANSWER_ACK, epoch, 2);
    wait_until_waiting(0);
    assert_int_equal(stats().written, 102);
    /* Nobody waits where it is not required. */
    assert_int_equal(atomic_load(&told.calls), 0);
}

/* What another scribe did not acknowledge comes again, in its order; what is no answer is none. */
static void test_a_scribe_that_begins_anew(void **state) {
    (void)state;
    assert_true(hear(5000));
    uint64_t epoch = post.epoch;
    for (int i = 0; i < 3; i++)
        assert_int_equal(record(NULL), 0);
    for (uint64_t i = 1; i <= 3; i++)
        hear_record(i, "open");
    say(SKRFS_ANSWER_ACK, epoch, 1);
    say(SKRFS_ANSWER_ACK, epoch + 1, 3); /* to an earlier keeper */
    assert_int_equal(send(pair[1], "no answer", 9, 0), 9);
    answer.count = SKRFS_AUDIT_ACKS_MAX + 1;
    assert_true(send(pair[1], &answer, sizeof(answer), 0) > 0);
    wait_until_waiting(2);
    say(SKRFS_ANSWER_HELLO, 0, 0);
    assert_true(hear(5000));
    assert_int_equal(post.type, SKRFS_POST_HELLO);
    hear_record(2, "open");
    hear_record(3, "open");
    say(SKRFS_ANSWER_ACK, epoch, 3);
    wait_until_waiting(0);
}

static void test_required(void **state) {
    struct told first = {0}, late = {0}, refused = {0}, again = {0};
    (void)state;
    assert_true(hear(5000));
    uint64_t epoch = post.epoch;
    assert_int_equal(record(&first), 1);
    hear_record(1, "open");
    say(SKRFS_ANSWER_ACK, epoch, 1);
    wait_until_told(&first, false);
    /* No answer: the patience ends, and the next one is told at once. */
    assert_int_equal(record(&late), 1);
    hear_record(2, "open");
    wait_until_told(&late, true);
    assert_int_equal(record(&refused), -1);
    assert_int_equal(atomic_load(&refused.calls), 0);
    assert_true(stats().stuck);
    say(SKRFS_ANSWER_ACK, epoch, 2);
    wait_until_waiting(0);
    assert_false(stats().stuck);
    assert_int_equal(record(&again), 1);
    say(SKRFS_ANSWER_ACK, epoch, 3);
    wait_until_told(&again, false);
    say(SKRFS_ANSWER_TROUBLE, epoch, 0);
    for (int i = 0; i < 10000 && !stats().stuck; i++)
        (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    struct skrfs_error err;
    assert_fails(skrfs_recorder_event(recorder, &granted, on_recorded, &refused, &err), err,
            SKRFS_CLASS_UNAVAILABLE, "the audit is required and cannot be written: disk full");
}

/* A queue that is full loses, counts, and says so in its place. */
static void test_lost(void **state) {
    (void)state;
    assert_true(hear(5000));
    uint64_t epoch = post.epoch;
    for (int i = 0; i < 5000; i++)
        assert_int_equal(record(NULL), 0);
    assert_int_equal(stats().waiting, 4096);
    assert_int_equal(stats().lost, 5000 - 4096);
    for (uint64_t i = 1; i <= 4096; i++) {
        hear_record(i, "open");
        say(SKRFS_ANSWER_ACK, epoch, i);
    }
    wait_until_waiting(0);
    assert_int_equal(record(NULL), 0);
    hear_record(4097, "\"kind\":\"lost\",\"lost\":904}");
    hear_record(4098, "open");
    say(SKRFS_ANSWER_ACK, epoch, 4098);
    wait_until_waiting(0);
}

static void test_refusals(void **state) {
    struct skrfs_error why, err;
    struct skrfs_fs_event refused = granted;
    (void)state;
    (void)skrfs_fail(&why, SKRFS_CLASS_DENIED, "no");
    refused.err = &why;
    assert_true(hear(5000));
    uint64_t epoch = post.epoch;
    for (int i = 0; i < 10; i++)
        assert_int_equal(skrfs_recorder_event(recorder, &refused, NULL, NULL, &err), 0);
    const struct skrfs_caller other = {.uid = 34, .pid = 9};
    refused.caller = &other;
    assert_int_equal(skrfs_recorder_event(recorder, &refused, NULL, NULL, &err), 0);
    hear_record(1, "\"uid\":33");
    assert_null(strstr(post.text, "repeated"));
    hear_record(2, "\"uid\":34");
    hear_record(3, "\"repeated\":9");
    say(SKRFS_ANSWER_ACK, epoch, 3);
    wait_until_waiting(0);
}

static void test_receipts(void **state) {
    struct skrfs_proof proof = {.vault = "prod", .name = "tls", .version = "v1"};
    skrfs_autobuf out = SKRFS_BUF(8192);
    struct skrfs_error err;
    (void)state;
    assert_true(hear(5000));
    uint64_t epoch = post.epoch;
    assert_fails(skrfs_recorder_receipt(recorder, 0, &out, &err), err, SKRFS_CLASS_NOT_FOUND,
            "not released");
    skrfs_recorder_tried(recorder, 0, &proof, NULL);
    assert_int_equal(proof.release, 1);
    hear_record(1, "\"release\":1");
    assert_ok(skrfs_recorder_receipt(recorder, 0, &out, &err), err);
    assert_null(strstr(skrfs_buf_text(&out), "\"audit\""));
    say(SKRFS_ANSWER_ACK, epoch, 1);
    wait_until_waiting(0);
    skrfs_buf_truncate(&out, 0);
    assert_ok(skrfs_recorder_receipt(recorder, 0, &out, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&out), "\"seq\": 101"));
    assert_non_null(strstr(skrfs_buf_text(&out), "\"boot_id\": \"boot\""));
    (void)skrfs_fail(&err, SKRFS_CLASS_REJECTED, "no");
    skrfs_recorder_tried(recorder, 0, &proof, &err);
    hear_record(2, "\"verdict\":\"failed\"");
    say(SKRFS_ANSWER_ACK, epoch, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_it_says_hello_and_numbers, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_a_scribe_that_begins_anew, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_required, set_up_required, tear_down),
            cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_receipts, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("the recorder", tests, NULL, NULL);
}
