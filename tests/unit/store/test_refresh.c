#include "source.h"

static void test_failure_is_forgotten_at_its_time(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    uint64_t retry = skrfs_now_ns() + 150 * SKRFS_MILLISECOND_NS;
    struct skrfs_key_status status;
    (void)state;
    set_failure(&source, SKRFS_CLASS_UNAVAILABLE, retry);
    open_and_fail(store, SKRFS_CLASS_UNAVAILABLE, "the vault says no");
    open_and_fail(store, SKRFS_CLASS_UNAVAILABLE, "the vault says no");
    set_key(&source, "v1", "first", 0);
    assert_true(skrfs_sleep_until(retry + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS));
    open_and_read(store, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    skrfs_store_status(store, 0, &status);
    assert_string_equal(status.error, "");
    skrfs_store_free(store);
}

static void test_refresh_brings_a_new_generation(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 2);
    struct reader old, new;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &old);
    assert_read(&old, "pem:v1:first");
    set_key(&source, "v2", "second", 0);
    begin(store, NULL, SKRFS_FORMAT_PEM, &new);
    assert_read(&new, "pem:v2:second");
    /* The open handle stays with what it was opened on. */
    assert_read(&old, "pem:v1:first");
    assert_string_equal(skrfs_generation_version(old.generation), "v1");
    assert_string_equal(skrfs_generation_version(new.generation), "v2");
    assert_int_equal(skrfs_generation_check(old.generation, &old.err), 0);
    close_reader(&old);
    close_reader(&new);
    skrfs_store_free(store);
}

static void test_same_version_keeps_the_generation(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 2);
    struct reader old, new;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &old);
    finish(&old);
    begin(store, NULL, SKRFS_FORMAT_PEM, &new);
    finish(&new);
    assert_ptr_equal(old.generation, new.generation);
    assert_int_equal(count_of(&source, &source.fetches), 2);
    assert_int_equal(count_of(&source, &source.encodes), 1);
    close_reader(&old);
    close_reader(&new);
    skrfs_store_free(store);
}

static void test_operator_refresh(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    (void)state;
    open_and_read(store, "pem:v1:first");
    set_key(&source, "v2", "second", 0);
    open_and_read(store, "pem:v1:first");
    skrfs_store_refresh(store, SIZE_MAX);
    open_and_read(store, "pem:v2:second");
    open_and_read(store, "pem:v2:second");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    skrfs_store_free(store);
}

static void test_stale_while_unreachable(void **state) {
    struct skrfs_store_key key = {
            .name = "k", .stale_ns = 3600 * SKRFS_SECOND_NS, .deadline_ns = SKRFS_SECOND_NS};
    struct source source;
    struct skrfs_store *store = new_store(&source, &key, 2);
    (void)state;
    open_and_read(store, "pem:v1:first");
    set_failure(&source, SKRFS_CLASS_UNAVAILABLE, 0);
    open_and_read(store, "pem:v1:first");
    open_and_read(store, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    assert_int_equal(state_of(store), SKRFS_KEY_READY);
    /* A format not made before the outage is made from what is there. */
    struct reader der;
    begin(store, NULL, SKRFS_FORMAT_DER, &der);
    assert_read(&der, "der:v1:first");
    close_reader(&der);
    skrfs_store_free(store);
}

static void test_refusal_is_not_stale(void **state) {
    struct skrfs_store_key key = {
            .name = "k", .stale_ns = 3600 * SKRFS_SECOND_NS, .deadline_ns = SKRFS_SECOND_NS};
    struct source source;
    struct skrfs_store *store = new_store(&source, &key, 2);
    (void)state;
    open_and_read(store, "pem:v1:first");
    set_failure(&source, SKRFS_CLASS_REJECTED, 0);
    open_and_fail(store, SKRFS_CLASS_REJECTED, "the vault says no");
    skrfs_store_free(store);
}

static void test_past_stale_is_expired(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 2);
    (void)state;
    open_and_read(store, "pem:v1:first");
    set_failure(&source, SKRFS_CLASS_UNAVAILABLE, 0);
    open_and_fail(store, SKRFS_CLASS_EXPIRED, "the vault says no");
    assert_int_equal(state_of(store), SKRFS_KEY_EXPIRED);
    open_and_fail(store, SKRFS_CLASS_EXPIRED, "version v1 may not be served any longer");
    skrfs_store_free(store);
}

static void test_own_expiry(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader reader;
    (void)state;
    set_key(&source, "v1", "first", skrfs_wall_s() + 1);
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_read(&reader, "pem:v1:first");
    assert_int_equal(skrfs_generation_check(reader.generation, &reader.err), 0);
    (void)skrfs_sleep_until(skrfs_now_ns() + 1100 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    assert_fails(skrfs_generation_check(reader.generation, &reader.err), reader.err,
            SKRFS_CLASS_EXPIRED, "expired at");
    open_and_fail(store, SKRFS_CLASS_EXPIRED, "in the vault expired at");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    close_reader(&reader);
    skrfs_store_free(store);
}

static void test_deadline(void **state) {
    struct skrfs_store_key key = {
            .name = "k", .refresh_ns = SKRFS_NEVER_NS, .deadline_ns = 50 * SKRFS_MILLISECOND_NS};
    struct source source;
    struct skrfs_store *store = new_store(&source, &key, 1);
    struct reader reader;
    (void)state;
    hold(&source, true);
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_failed(&reader, SKRFS_CLASS_TIMEOUT,
            "no answer within 0.05 s: the release is still under way");
    begin(store, "other", SKRFS_FORMAT_PEM, &reader);
    assert_failed(&reader, SKRFS_CLASS_TIMEOUT, "workers are busy");
    hold(&source, false);
    wait_running(&source, 0);
    open_and_read(store, "pem:v1:first");
    skrfs_store_free(store);
}

/* Who joins a fetch late has time left when that of the first one is over, and gets the key. */
static void test_deadlines_are_ones_own(void **state) {
    struct skrfs_store_key key = {
            .name = "k", .refresh_ns = SKRFS_NEVER_NS, .deadline_ns = 3 * SKRFS_SECOND_NS};
    struct source source;
    struct skrfs_store *store = new_store(&source, &key, 1);
    struct reader first, second;
    (void)state;
    hold(&source, true);
    set_failure(&source, SKRFS_CLASS_TIMEOUT, 0);
    source.failures = 1;
    begin(store, NULL, SKRFS_FORMAT_PEM, &first);
    wait_running(&source, 1);
    (void)skrfs_sleep_until(skrfs_now_ns() + 1500 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    begin(store, NULL, SKRFS_FORMAT_PEM, &second);
    assert_failed(&first, SKRFS_CLASS_TIMEOUT, "no answer within 3 s");
    hold(&source, false);
    assert_read(&second, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    close_reader(&second);
    skrfs_store_free(store);
}

static void test_deadline_serves_stale(void **state) {
    struct skrfs_store_key key = {
            .name = "k", .stale_ns = SKRFS_NEVER_NS, .deadline_ns = 100 * SKRFS_MILLISECOND_NS};
    struct source source;
    struct skrfs_store *store = new_store(&source, &key, 1);
    (void)state;
    open_and_read(store, "pem:v1:first");
    hold(&source, true);
    open_and_read(store, "pem:v1:first");
    hold(&source, false);
    skrfs_store_free(store);
}

static void test_wipe(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 2);
    struct reader first, second;
    struct skrfs_store_want want = {.format = SKRFS_FORMAT_PEM};
    size_t len;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &first);
    finish(&first);
    set_key(&source, "v2", "second", 0);
    begin(store, NULL, SKRFS_FORMAT_PEM, &second);
    finish(&second);
    skrfs_store_wipe(store, SIZE_MAX);
    assert_fails(skrfs_generation_check(first.generation, &first.err), first.err,
            SKRFS_CLASS_REVOKED, "wiped");
    assert_fails(skrfs_generation_check(second.generation, &second.err), second.err,
            SKRFS_CLASS_REVOKED, "wiped");
    assert_false(skrfs_store_size(store, &want, &len));
    assert_int_equal(state_of(store), SKRFS_KEY_EMPTY);
    close_reader(&first);
    close_reader(&second);
    struct skrfs_secret_stats stats;
    skrfs_secret_get_stats(&stats);
    assert_int_equal(stats.secrets, 0);
    open_and_read(store, "pem:v2:second");
    skrfs_store_free(store);
}

static void test_wipe_during_fetch(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader reader;
    (void)state;
    hold(&source, true);
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    wait_running(&source, 1);
    skrfs_store_wipe(store, 0);
    hold(&source, false);
    assert_read(&reader, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 2);
    assert_int_equal(skrfs_generation_check(reader.generation, &reader.err), 0);
    close_reader(&reader);
    skrfs_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_failure_is_forgotten_at_its_time),
            cmocka_unit_test(test_refresh_brings_a_new_generation),
            cmocka_unit_test(test_same_version_keeps_the_generation),
            cmocka_unit_test(test_operator_refresh),
            cmocka_unit_test(test_stale_while_unreachable),
            cmocka_unit_test(test_refusal_is_not_stale),
            cmocka_unit_test(test_past_stale_is_expired),
            cmocka_unit_test(test_own_expiry),
            cmocka_unit_test(test_deadline),
            cmocka_unit_test(test_deadlines_are_ones_own),
            cmocka_unit_test(test_deadline_serves_stale),
            cmocka_unit_test(test_wipe),
            cmocka_unit_test(test_wipe_during_fetch),
    };
    return cmocka_run_group_tests_name("key store over time", tests, NULL, NULL);
}
