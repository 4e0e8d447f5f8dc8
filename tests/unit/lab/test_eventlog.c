/* Boot logs: walking, replaying, and logs that are none. */
#include "platform.h"
#include "support.h"

static struct skrfs_error err;

static void own_log_replays(void **state) {
    skrfs_autobuf log = SKRFS_BUF((size_t)64 * 1024);
    uint8_t pcrs[8][32];
    static const uint8_t zeros[32];
    (void)state;
    assert_ok(skrfs_lab_event_log(&log, &err), err);
    assert_ok(skrfs_lab_event_log_replay(skrfs_buf_bytes(&log), pcrs, &err), err);
    for (int i = 0; i < 8; i++)
        assert_memory_not_equal(pcrs[i], zeros, 32);
}

/* PCR 1 is measured once, with four zero octets: its value can be known without any log. */
static void separator_gives_the_known_value(void **state) {
    skrfs_autobuf log = SKRFS_BUF((size_t)64 * 1024);
    uint8_t pcrs[8][32];
    uint8_t both[64] = {0};
    uint8_t expected[32];
    static const uint8_t separator[4];
    (void)state;
    assert_ok(skrfs_hash(SKRFS_SHA256, separator, 4, both + 32, &err), err);
    assert_ok(skrfs_hash(SKRFS_SHA256, both, 64, expected, &err), err);
    assert_ok(skrfs_lab_event_log(&log, &err), err);
    assert_ok(skrfs_lab_event_log_replay(skrfs_buf_bytes(&log), pcrs, &err), err);
    assert_memory_equal(pcrs[1], expected, 32);
}

static void append_event(
        struct skrfs_buf *log, uint8_t pcr, uint8_t type, const void *data, uint8_t len) {
    uint8_t head[12] = {pcr, 0, 0, 0, type, 0, 0, 0, 1, 0, 0, 0};
    uint8_t digest[34] = {0x0b, 0};
    uint8_t size[4] = {len, 0, 0, 0};
    assert_ok(skrfs_buf_append(log, head, sizeof(head), &err), err);
    assert_ok(skrfs_buf_append(log, digest, sizeof(digest), &err), err);
    assert_ok(skrfs_buf_append(log, size, sizeof(size), &err), err);
    assert_ok(skrfs_buf_append(log, data, len, &err), err);
}

/* Events that measure nothing change nothing, but for the locality that PCR 0 begins with. */
static void no_action_events_are_not_measured(void **state) {
    skrfs_autobuf log = SKRFS_BUF((size_t)64 * 1024);
    uint8_t before[8][32];
    uint8_t after[8][32];
    (void)state;
    assert_ok(skrfs_lab_event_log(&log, &err), err);
    assert_ok(skrfs_lab_event_log_replay(skrfs_buf_bytes(&log), before, &err), err);
    append_event(&log, 3, 3, "nothing", 7);
    append_event(&log, 9, 8, "PCR 9", 5);
    assert_ok(skrfs_lab_event_log_replay(skrfs_buf_bytes(&log), after, &err), err);
    assert_memory_equal(before, after, sizeof(before));
    append_event(&log, 0, 3, "StartupLocality\0\3", 17);
    assert_ok(skrfs_lab_event_log_replay(skrfs_buf_bytes(&log), after, &err), err);
    assert_memory_not_equal(before[0], after[0], 32);
    assert_memory_equal(before[1], after[1], 7 * 32);
}

static void every_cut_is_refused_or_shorter(void **state) {
    skrfs_autobuf log = SKRFS_BUF((size_t)64 * 1024);
    uint8_t whole[8][32];
    uint8_t part[8][32];
    unsigned taken = 0;
    (void)state;
    assert_ok(skrfs_lab_event_log(&log, &err), err);
    assert_ok(skrfs_lab_event_log_replay(skrfs_buf_bytes(&log), whole, &err), err);
    for (size_t len = 0; len < log.len; len++) {
        if (skrfs_lab_event_log_replay((struct skrfs_bytes){log.data, len}, part, &err) == 0) {
            taken++;
            assert_memory_not_equal(part, whole, sizeof(whole));
        } else {
            assert_int_equal(err.kind, SKRFS_CLASS_BAD_ANSWER);
        }
    }
    assert_int_equal(taken, 18); /* a cut between two events is a shorter log */
}

static void unknown_digests_are_refused(void **state) {
    skrfs_autobuf log = SKRFS_BUF((size_t)64 * 1024);
    uint8_t pcrs[8][32];
    (void)state;
    assert_ok(skrfs_lab_event_log(&log, &err), err);
    log.data[32 + 33 + 12] =
            0x0c; /* the first event's algorithm: SHA-384, which the log did not declare */
    assert_fails(skrfs_lab_event_log_replay(skrfs_buf_bytes(&log), pcrs, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "malformed");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(own_log_replays),
            cmocka_unit_test(separator_gives_the_known_value),
            cmocka_unit_test(no_action_events_are_not_measured),
            cmocka_unit_test(every_cut_is_refused_or_shorter),
            cmocka_unit_test(unknown_digests_are_refused),
    };
    return cmocka_run_group_tests_name("lab event log", tests, NULL, NULL);
}
