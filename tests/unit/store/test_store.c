#include "source.h"

static void test_first_open_fetches(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct skrfs_store_want want = {.format = SKRFS_FORMAT_PEM};
    char version[SKRFS_STORE_VERSION_MAX];
    size_t len = 0;
    (void)state;
    assert_int_equal(state_of(store), SKRFS_KEY_EMPTY);
    assert_false(skrfs_store_size(store, &want, &len));
    skrfs_store_version(store, 0, version);
    assert_string_equal(version, "");
    assert_int_equal(count_of(&source, &source.fetches), 0);
    open_and_read(store, "pem:v1:first");
    open_and_read(store, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    assert_int_equal(count_of(&source, &source.encodes), 1);
    assert_true(skrfs_store_size(store, &want, &len));
    assert_int_equal(len, strlen("pem:v1:first"));
    want.format = SKRFS_FORMAT_DER;
    assert_false(skrfs_store_size(store, &want, &len));
    skrfs_store_version(store, 0, version);
    assert_string_equal(version, "v1");
    assert_int_equal(state_of(store), SKRFS_KEY_READY);
    skrfs_store_free(store);
}

static void test_single_flight(void **state) {
    enum { READERS = 50 };
    static struct reader readers[READERS];
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 4);
    struct skrfs_key_status status;
    (void)state;
    hold(&source, true);
    for (size_t i = 0; i < READERS; i++) {
        begin(store, NULL, SKRFS_FORMAT_PEM, &readers[i]);
        assert_int_equal(readers[i].rc, 1);
    }
    wait_running(&source, 1);
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.state, SKRFS_KEY_FETCHING);
    assert_int_equal(status.waiters, READERS);
    hold(&source, false);
    for (size_t i = 0; i < READERS; i++)
        assert_read(&readers[i], "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    assert_int_equal(count_of(&source, &source.encodes), 1);
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.waiters, 0);
    assert_int_equal(status.handles, READERS);
    assert_int_equal(status.releases, 1);
    for (size_t i = 0; i < READERS; i++)
        close_reader(&readers[i]);
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.handles, 0);
    skrfs_store_free(store);
}

static void test_failure_reaches_all_and_is_remembered(void **state) {
    static struct reader readers[10];
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct skrfs_key_status status;
    (void)state;
    hold(&source, true);
    set_failure(&source, SKRFS_CLASS_REJECTED, 0);
    for (size_t i = 0; i < 10; i++)
        begin(store, NULL, SKRFS_FORMAT_PEM, &readers[i]);
    hold(&source, false);
    for (size_t i = 0; i < 10; i++)
        assert_failed(&readers[i], SKRFS_CLASS_REJECTED, "the vault says no");
    struct reader reader;
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    assert_int_equal(reader.rc, -1);
    assert_failed(&reader, SKRFS_CLASS_REJECTED, "the vault says no");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.state, SKRFS_KEY_FAILED);
    assert_int_equal(status.failures, 1);
    assert_int_equal(status.error_class, SKRFS_CLASS_REJECTED);
    assert_string_equal(status.error, "the vault says no");
    skrfs_store_free(store);
}

static void test_cancel(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader gone, stays;
    (void)state;
    hold(&source, true);
    begin(store, NULL, SKRFS_FORMAT_PEM, &gone);
    begin(store, NULL, SKRFS_FORMAT_PEM, &stays);
    assert_true(skrfs_waiter_cancel(store, gone.waiter));
    hold(&source, false);
    assert_read(&stays, "pem:v1:first");
    assert_int_equal(gone.answers, 0);
    close_reader(&stays);
    skrfs_store_free(store);
}

/* What was fetched before the wipe must not come back through it. */
static void test_format_that_is_not(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader reader;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_RAW, &reader);
    assert_failed(&reader, SKRFS_CLASS_CONFIG, "has no raw form");
    open_and_read(store, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    skrfs_store_free(store);
}

static void test_public_needs_no_release(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct skrfs_store_want want = {.format = SKRFS_FORMAT_PUB_PEM};
    struct reader reader;
    size_t len;
    (void)state;
    assert_false(skrfs_store_size(store, &want, &len));
    begin(store, NULL, SKRFS_FORMAT_PUB_PEM, &reader);
    assert_read(&reader, "public");
    close_reader(&reader);
    begin(store, NULL, SKRFS_FORMAT_PUB_PEM, &reader);
    assert_int_equal(reader.rc, 0);
    assert_read(&reader, "public");
    close_reader(&reader);
    assert_true(skrfs_store_size(store, &want, &len));
    assert_int_equal(len, 6);
    assert_int_equal(count_of(&source, &source.fetches), 0);
    assert_int_equal(count_of(&source, &source.publics), 1);
    /* Once released, it is made from the key. */
    open_and_read(store, "pem:v1:first");
    begin(store, NULL, SKRFS_FORMAT_PUB_PEM, &reader);
    assert_read(&reader, "pub.pem:v1:first");
    close_reader(&reader);
    assert_int_equal(count_of(&source, &source.publics), 1);
    skrfs_store_free(store);
}

static void test_versions(void **state) {
    struct skrfs_store_key key = lasting;
    struct source source;
    struct reader reader;
    char version[SKRFS_STORE_VERSION_MAX];
    (void)state;
    key.version = "pinned";
    struct skrfs_store *store = new_store(&source, &key, 2);
    open_and_read(store, "pem:pinned:first");
    assert_string_equal(source.asked, "pinned");
    begin(store, "pinned", SKRFS_FORMAT_PEM, &reader);
    assert_int_equal(reader.rc, 0);
    close_reader(&reader);
    /* Many more than are kept: each is fetched, none is refused. */
    for (unsigned i = 0; i < 200; i++) {
        snprintf(version, sizeof version, "v%u", i);
        begin(store, version, SKRFS_FORMAT_DER, &reader);
        finish(&reader);
        assert_false(reader.failed);
        assert_string_equal(skrfs_generation_version(reader.generation), version);
        close_reader(&reader);
    }
    unsigned before = count_of(&source, &source.fetches);
    begin(store, "v199", SKRFS_FORMAT_DER, &reader);
    assert_int_equal(reader.rc, 0);
    close_reader(&reader);
    begin(store, "v1", SKRFS_FORMAT_DER, &reader);
    finish(&reader);
    assert_int_equal(count_of(&source, &source.fetches), before + 1);
    close_reader(&reader);
    skrfs_store_free(store);
}

static void test_versions_in_use_are_kept(void **state) {
    static struct reader readers[64];
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader reader;
    char version[SKRFS_STORE_VERSION_MAX];
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        snprintf(version, sizeof version, "v%u", i);
        begin(store, version, SKRFS_FORMAT_DER, &readers[i]);
        finish(&readers[i]);
        assert_false(readers[i].failed);
    }
    begin(store, "more", SKRFS_FORMAT_DER, &reader);
    assert_failed(&reader, SKRFS_CLASS_UNAVAILABLE, "in use");
    for (unsigned i = 0; i < 64; i++)
        close_reader(&readers[i]);
    begin(store, "more", SKRFS_FORMAT_DER, &reader);
    finish(&reader);
    assert_false(reader.failed);
    close_reader(&reader);
    begin(store, "0123456789012345678901234567890123", SKRFS_FORMAT_DER, &reader);
    assert_failed(&reader, SKRFS_CLASS_NOT_FOUND, "no version");
    skrfs_store_free(store);
}

static void test_trace(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    static struct skrfs_trace trace;
    (void)state;
    skrfs_store_trace(store, 0, &trace);
    assert_int_equal(trace.count, 0);
    set_failure(&source, SKRFS_CLASS_REJECTED, 0);
    open_and_fail(store, SKRFS_CLASS_REJECTED, "says no");
    skrfs_store_trace(store, 0, &trace);
    assert_int_equal(trace.count, 1);
    assert_string_equal(trace.steps[0].name, "ask the vault");
    assert_true(trace.steps[0].failed);
    assert_non_null(strstr(trace.steps[0].note, "the vault says no"));
    assert_true(trace.steps[0].ended_ns >= trace.steps[0].begun_ns);
    assert_true(trace.begun_wall_s > 0);
    set_key(&source, "v1", "first", 0);
    skrfs_store_refresh(store, 0);
    open_and_read(store, "pem:v1:first");
    skrfs_store_trace(store, 0, &trace);
    assert_int_equal(trace.count, 1);
    assert_false(trace.steps[0].failed);
    assert_string_equal(trace.steps[0].note, "got it");
    skrfs_store_free(store);
}

static void *let_go_later(void *arg) {
    struct source *source = arg;
    (void)skrfs_sleep_until(skrfs_now_ns() + 50 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    hold(source, false);
    return NULL;
}

static void test_free_answers_and_handles_outlive(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct reader waiting, handle;
    pthread_t thread;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &handle);
    assert_read(&handle, "pem:v1:first");
    hold(&source, true);
    begin(store, "other", SKRFS_FORMAT_PEM, &waiting);
    wait_running(&source, 1);
    assert_int_equal(pthread_create(&thread, NULL, let_go_later, &source), 0);
    skrfs_store_free(store);
    pthread_join(thread, NULL);
    assert_failed(&waiting, SKRFS_CLASS_INTERRUPTED, "closing");
    assert_fails(skrfs_generation_check(handle.generation, &handle.err), handle.err,
            SKRFS_CLASS_REVOKED, "wiped");
    close_reader(&handle);
    struct skrfs_secret_stats stats;
    skrfs_secret_get_stats(&stats);
    assert_int_equal(stats.secrets, 0);
}

struct storm {
    struct skrfs_store *store;
    unsigned seed;
    unsigned good, bad, revoked;
};

static void *storm(void *arg) {
    struct storm *storm = arg;
    struct reader reader;
    for (unsigned i = 0; i < 150; i++) {
        unsigned dice = storm->seed = storm->seed * 1103515245U + 12345U;
        enum skrfs_format format = dice >> 16 & 1 ? SKRFS_FORMAT_PEM : SKRFS_FORMAT_PUB_PEM;
        begin(storm->store, dice >> 17 & 3 ? NULL : "pinned", format, &reader);
        if ((dice >> 20 & 31) == 0)
            skrfs_store_wipe(storm->store, 0);
        if ((dice >> 25 & 15) == 0)
            skrfs_store_refresh(storm->store, 0);
        struct skrfs_key_status status;
        skrfs_store_status(storm->store, 0, &status);
        finish(&reader);
        storm->good += !reader.failed;
        storm->bad += reader.failed;
        if (reader.generation && skrfs_generation_check(reader.generation, &reader.err))
            storm->revoked++;
        close_reader(&reader);
    }
    return NULL;
}

/* For the race detector, and: nothing is lost, answered twice or left behind. */
static void test_storm(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &always_due, 3);
    struct storm storms[4];
    pthread_t threads[4];
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        storms[i] = (struct storm){.store = store, .seed = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, storm, &storms[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(storms[i].good, 150);
        assert_int_equal(storms[i].bad, 0);
    }
    struct skrfs_key_status status;
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.handles, 0);
    assert_int_equal(status.waiters, 0);
    skrfs_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_first_open_fetches),
            cmocka_unit_test(test_single_flight),
            cmocka_unit_test(test_failure_reaches_all_and_is_remembered),
            cmocka_unit_test(test_cancel),
            cmocka_unit_test(test_format_that_is_not),
            cmocka_unit_test(test_public_needs_no_release),
            cmocka_unit_test(test_versions),
            cmocka_unit_test(test_versions_in_use_are_kept),
            cmocka_unit_test(test_trace),
            cmocka_unit_test(test_free_answers_and_handles_outlive),
            cmocka_unit_test(test_storm),
    };
    return cmocka_run_group_tests_name("key store", tests, NULL, NULL);
}
