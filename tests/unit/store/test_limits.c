/* Keys that are taken back: what is refused, what is left of them, and what outlives a keeper. */
#include "source.h"

#include <skrfs/store/ledger.h>
#include <sys/wait.h>

static const struct skrfs_store_key limited = {.name = "k",
        .refresh_ns = SKRFS_NEVER_NS,
        .deadline_ns = 20 * SKRFS_SECOND_NS,
        .limited = true};

static size_t secrets(void) {
    struct skrfs_secret_stats stats;
    skrfs_secret_get_stats(&stats);
    return stats.secrets;
}

static struct skrfs_error why_gone(void) {
    struct skrfs_error why;
    (void)skrfs_fail(&why, SKRFS_CLASS_REVOKED, "it was opened 3 times");
    return why;
}

static void test_bytes_are_asked_of_the_store(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &lasting, 2);
    struct skrfs_secret *bytes = NULL;
    struct skrfs_error err;
    struct reader reader;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    finish(&reader);
    assert_ok(skrfs_generation_bytes(reader.generation, SKRFS_FORMAT_PEM, &bytes, &err), err);
    assert_true(skrfs_secret_equal(bytes, "pem:v1:first", 12));
    assert_fails(skrfs_generation_bytes(reader.generation, SKRFS_FORMAT_DER, &bytes, &err), err,
            SKRFS_CLASS_BUG, "never made as der");
    skrfs_secret_unref(skrfs_take(reader.bytes));
    /* A wipe leaves what is being read, and nothing behind that. */
    skrfs_store_wipe(store, 0);
    assert_int_equal(secrets(), 1);
    assert_true(skrfs_secret_equal(bytes, "pem:v1:first", 12));
    skrfs_secret_unref(bytes);
    assert_int_equal(secrets(), 0);
    assert_fails(skrfs_generation_bytes(reader.generation, SKRFS_FORMAT_PEM, &bytes, &err), err,
            SKRFS_CLASS_REVOKED, "wiped by an operator");
    close_reader(&reader);
    skrfs_store_free(store);
}

static void test_refused_while_open(void **state) {
    const struct skrfs_error why = why_gone();
    struct source source;
    struct skrfs_store *store = new_store(&source, &limited, 2);
    struct skrfs_secret *bytes = NULL;
    struct skrfs_key_status status;
    struct skrfs_error err;
    struct reader reader;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    finish(&reader);
    skrfs_store_refuse(store, 0, &why);
    open_and_fail(store, SKRFS_CLASS_REVOKED, "opened 3 times");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    assert_ok(skrfs_generation_bytes(reader.generation, SKRFS_FORMAT_PEM, &bytes, &err), err);
    skrfs_secret_unref(bytes);
    skrfs_store_status(store, 0, &status);
    assert_int_equal(status.state, SKRFS_KEY_GONE);
    assert_string_equal(skrfs_key_state_name(status.state), "gone");
    assert_non_null(strstr(status.refusal, "opened 3 times"));
    assert_true(skrfs_store_holds(store, 0));
    skrfs_store_refuse(store, 0, NULL);
    open_and_read(store, "pem:v1:first");
    assert_int_equal(count_of(&source, &source.fetches), 1);
    close_reader(&reader);
    skrfs_store_free(store);
}

static void test_taken_back(void **state) {
    const struct skrfs_error why = why_gone();
    struct source source;
    struct skrfs_store *store = new_store(&source, &limited, 2);
    struct reader current, version, public;
    struct skrfs_error err;
    (void)state;
    assert_false(skrfs_store_holds(store, 0));
    begin(store, NULL, SKRFS_FORMAT_PEM, &current);
    begin(store, "v7", SKRFS_FORMAT_DER, &version);
    begin(store, NULL, SKRFS_FORMAT_PUB_PEM, &public);
    finish(&current);
    finish(&version);
    finish(&public);
    assert_int_equal(count_of(&source, &source.publics), 1);
    skrfs_store_refuse(store, 0, &why);
    skrfs_store_take_back(store, 0, "its hours are over");
    assert_fails(skrfs_generation_check(current.generation, &err), err, SKRFS_CLASS_REVOKED,
            "opened 3 times");
    assert_fails(skrfs_generation_check(version.generation, &err), err, SKRFS_CLASS_REVOKED,
            "opened 3 times");
    /* What is public is no secret that anybody could take back. */
    assert_ok(skrfs_generation_check(public.generation, &err), err);
    struct reader again;
    begin(store, NULL, SKRFS_FORMAT_PUB_PEM, &again);
    finish(&again);
    assert_false(again.failed);
    assert_int_equal(count_of(&source, &source.publics), 1);
    assert_false(skrfs_store_holds(store, 0));
    close_reader(&current);
    close_reader(&version);
    assert_int_equal(secrets(), 1);
    close_reader(&public);
    close_reader(&again);
    skrfs_store_refuse(store, 0, NULL);
    open_and_read(store, "pem:v1:first");
    skrfs_store_free(store);
}

static void test_a_reason_without_refusal(void **state) {
    struct source source;
    struct skrfs_store *store = new_store(&source, &limited, 2);
    struct skrfs_error err;
    struct reader reader;
    (void)state;
    begin(store, NULL, SKRFS_FORMAT_PEM, &reader);
    finish(&reader);
    skrfs_store_take_back(store, 0, "its hours are over");
    assert_fails(skrfs_generation_check(reader.generation, &err), err, SKRFS_CLASS_REVOKED,
            "its hours are over");
    /* The first reason stays. */
    skrfs_store_wipe(store, 0);
    assert_fails(skrfs_generation_check(reader.generation, &err), err, SKRFS_CLASS_REVOKED,
            "its hours are over");
    close_reader(&reader);
    open_and_read(store, "pem:v1:first");
    skrfs_store_free(store);
}

/* What arrives behind it is thrown away, and nothing is fetched for who hears that it is gone. */
static void test_taken_back_during_fetch(void **state) {
    enum { READERS = 64 };
    static struct reader readers[READERS];
    const struct skrfs_error why = why_gone();
    struct source source;
    struct skrfs_store *store = new_store(&source, &limited, 2);
    (void)state;
    hold(&source, true);
    for (size_t i = 0; i < READERS; i++)
        begin(store, i % 2 ? "v7" : NULL, SKRFS_FORMAT_PEM, &readers[i]);
    wait_running(&source, 2);
    assert_true(skrfs_store_holds(store, 0));
    skrfs_store_refuse(store, 0, &why);
    skrfs_store_take_back(store, 0, "");
    for (size_t i = 0; i < READERS; i++)
        assert_failed(&readers[i], SKRFS_CLASS_REVOKED, "opened 3 times");
    hold(&source, false);
    while (skrfs_store_holds(store, 0))
        (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    assert_int_equal(count_of(&source, &source.fetches), 2);
    assert_int_equal(secrets(), 0);
    skrfs_store_free(store);
}

static void test_ledger_outlives_its_writer(void **state) {
    struct skrfs_ledger *ledger;
    struct skrfs_error err;
    int64_t since_s = 5;
    int status;
    (void)state;
    uint64_t before = skrfs_now_ns();
    assert_ok(skrfs_ledger_new(3, &ledger, &err), err);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(skrfs_ledger_used(ledger, i), 0);
        assert_int_equal(skrfs_ledger_gone(ledger, i, &since_s), SKRFS_GONE_NOT);
        assert_int_equal(since_s, 0);
        assert_true(skrfs_ledger_begun_ns(ledger, i) >= before);
    }
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        skrfs_ledger_set_used(ledger, 1, 7);
        skrfs_ledger_set_gone(ledger, 1, SKRFS_GONE_UNIT, 1234);
        abort();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(skrfs_ledger_used(ledger, 1), 7);
    assert_int_equal(skrfs_ledger_gone(ledger, 1, &since_s), SKRFS_GONE_UNIT);
    assert_int_equal(since_s, 1234);
    assert_int_equal(skrfs_ledger_used(ledger, 0) + skrfs_ledger_used(ledger, 2), 0);
    uint64_t begun = skrfs_ledger_begun_ns(ledger, 1);
    skrfs_ledger_renew(ledger, 1);
    assert_int_equal(skrfs_ledger_used(ledger, 1), 0);
    assert_int_equal(skrfs_ledger_gone(ledger, 1, &since_s), SKRFS_GONE_NOT);
    assert_true(skrfs_ledger_begun_ns(ledger, 1) > begun);
    skrfs_ledger_free(ledger);
    assert_ok(skrfs_ledger_new(0, &ledger, &err), err);
    skrfs_ledger_free(ledger);
    skrfs_ledger_free(NULL);
}

static void test_ledger_is_handed_on(void **state) {
    static const char digest[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const char other[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b856";
    struct skrfs_ledger *ledger, *next = NULL;
    struct skrfs_error err;
    int64_t since_s;
    int fd = -1;
    (void)state;
    assert_ok(skrfs_ledger_create(2, digest, &fd, &err), err);
    assert_ok(skrfs_ledger_open(fd, 2, digest, &ledger, &err), err);
    skrfs_ledger_set_gone(ledger, 1, SKRFS_GONE_READS, 99);
    skrfs_ledger_free(ledger);
    assert_ok(skrfs_ledger_open(fd, 2, digest, &next, &err), err);
    assert_int_equal(skrfs_ledger_gone(next, 1, &since_s), SKRFS_GONE_READS);
    assert_int_equal(since_s, 99);
    skrfs_ledger_free(next);
    next = NULL;
    assert_fails(skrfs_ledger_open(fd, 2, other, &next, &err), err, SKRFS_CLASS_CONFIG,
            "another configuration's");
    assert_fails(skrfs_ledger_open(fd, 3, digest, &next, &err), err, SKRFS_CLASS_CONFIG,
            "something else");
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    assert_fails(skrfs_ledger_open(fd, 2, digest, &next, &err), err, SKRFS_CLASS_CONFIG,
            "another configuration's or version's");
    assert_null(next);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_bytes_are_asked_of_the_store),
            cmocka_unit_test(test_refused_while_open),
            cmocka_unit_test(test_taken_back),
            cmocka_unit_test(test_a_reason_without_refusal),
            cmocka_unit_test(test_taken_back_during_fetch),
            cmocka_unit_test(test_ledger_outlives_its_writer),
            cmocka_unit_test(test_ledger_is_handed_on),
    };
    return cmocka_run_group_tests_name("keys taken back", tests, NULL, NULL);
}
