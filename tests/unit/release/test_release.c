/* The whole flow, with a TEE and a courier of the test's own: what is asked how often, and what
 * comes of answers that are late, refused, altered or wrapped to the wrong key. */
#include "fake.h"

#include <skrfs/base/clock.h>

#define READERS 8

static struct skrfs_error err;
static struct skrfs_release *release;

static int group_setup(void **state) {
    (void)state;
    fake_init();
    return 0;
}

static int group_teardown(void **state) {
    (void)state;
    fake_done();
    return 0;
}

static void release_new(uint64_t stale_ns) {
    const struct skrfs_release_options options = {.tee = &tee.tee,
            .courier = &courier.courier,
            .trust = courier.vault.trust,
            .stale_ns = stale_ns};
    assert_ok(skrfs_release_new(&options, &release, &err), err);
}

static int setup(void **state) {
    (void)state;
    fake_reset();
    release_new(0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    skrfs_release_free(release);
    return 0;
}

static const struct skrfs_release_key disk_data = {.vault_name = "prod",
        .vault_host = TEST_HOST,
        .name = "disk-data",
        .enc = SKRFS_ENC_SHA256};

static uint64_t in_ms(unsigned ms) {
    return skrfs_now_ns() + ms * SKRFS_MILLISECOND_NS;
}

static void run_well(struct skrfs_trace *trace) {
    skrfs_autoreleased released = {0};
    assert_ok(skrfs_release_run(release, &disk_data, in_ms(20000), trace, &released, &err), err);
    assert_true(skrfs_secret_equal(
            released.plain, skrfs_secret_data(courier.plain), skrfs_secret_len(courier.plain)));
    assert_string_equal(released.version, TEST_VERSION);
    assert_int_equal(released.type, SKRFS_KEY_RSA);
}

static void run_badly(unsigned ms, enum skrfs_class kind, const char *text) {
    skrfs_autoreleased released = {0};
    assert_fails(skrfs_release_run(release, &disk_data, in_ms(ms), NULL, &released, &err), err,
            kind, text);
    assert_non_null(strstr(err.message, "release 'disk-data' from 'prod': "));
    assert_null(released.plain);
}

static void test_trace(void **state) {
    (void)state;
    static const char *const steps[] = {"collect evidence", "attest", "open the token",
            "ask 'prod' for the release", "verify the answer", "unwrap", "compare the public half"};
    struct skrfs_trace trace;
    skrfs_trace_start(&trace);
    run_well(&trace);
    assert_int_equal(trace.count, SKRFS_ARRAY_LEN(steps));
    for (size_t i = 0; i < trace.count; i++) {
        assert_string_equal(trace.steps[i].name, steps[i]);
        assert_false(trace.steps[i].failed);
        assert_true(trace.steps[i].ended_ns > 0);
    }
    /* The last step is the one that failed. */
    courier.lie = LIE_NONCE;
    skrfs_autoreleased released = {0};
    skrfs_trace_start(&trace);
    assert_int_equal(
            skrfs_release_run(release, &disk_data, in_ms(5000), &trace, &released, &err), -1);
    assert_string_equal(trace.steps[trace.count - 1].name, "verify the answer");
    assert_true(trace.steps[trace.count - 1].failed);
}

static void test_token_serves_many(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        run_well(NULL);
    assert_int_equal(courier.attested, 1);
    assert_int_equal(courier.released, 3);
    skrfs_autobuf token = SKRFS_BUF(SKRFS_TOKEN_MAX);
    assert_ok(skrfs_release_token(release, in_ms(1000), NULL, &token, &err), err);
    assert_string_equal(skrfs_buf_text(&token), "a.token.x");
    assert_int_equal(courier.attested, 1);
}

static void test_token_near_its_end(void **state) {
    (void)state;
    courier.token_life_s = 599;
    run_well(NULL);
    run_well(NULL);
    assert_int_equal(courier.attested, 2);
    courier.token_life_s = 700;
    run_well(NULL);
    run_well(NULL);
    assert_int_equal(courier.attested, 3);
}

static void *reader(void *context) {
    int *result = context;
    struct skrfs_error error;
    skrfs_autoreleased released = {0};
    *result = skrfs_release_run(release, &disk_data, in_ms(20000), NULL, &released, &error);
    return NULL;
}

static void run_readers(int results[READERS]) {
    pthread_t threads[READERS];
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &results[i]), 0);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
}

static void test_single_flight(void **state) {
    (void)state;
    int results[READERS];
    courier.attest_ms = 300;
    run_readers(results);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(results[i], 0);
    assert_int_equal(courier.attested, 1);
    assert_int_equal(courier.released, READERS);
}

/* A refused attestation is everybody's answer, not the beginning of seven more. */
static void test_single_flight_refused(void **state) {
    (void)state;
    int results[READERS];
    courier.attest_ms = 500;
    courier.fail_attest = READERS;
    run_readers(results);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(results[i], -1);
    assert_int_equal(courier.attested, 1);
    assert_int_equal(courier.released, 0);
    courier.fail_attest = 0;
    run_well(NULL);
}

/* Until so many attestations have begun. */
static void wait_attested(unsigned count) {
    unsigned begun = 0;
    while (begun < count) {
        (void)skrfs_sleep_until(in_ms(2), SKRFS_NEVER_NS);
        pthread_mutex_lock(&courier.lock);
        begun = courier.attested;
        pthread_mutex_unlock(&courier.lock);
    }
}

static void test_deadlines_are_ones_own(void **state) {
    (void)state;
    pthread_t thread;
    int result = -1;
    courier.attest_ms = 2500;
    assert_int_equal(pthread_create(&thread, NULL, reader, &result), 0);
    wait_attested(1);
    run_badly(150, SKRFS_CLASS_TIMEOUT, "while another request attested");
    pthread_join(thread, NULL);
    assert_int_equal(result, 0);
    assert_int_equal(courier.attested, 1);
    /* And one whose leader ran out of time goes on by itself. */
    skrfs_release_free(release);
    release_new(0);
    courier.attest_ms = 300;
    struct skrfs_release *shared = release;
    skrfs_autoreleased released = {0};
    assert_int_equal(pthread_create(&thread, NULL, reader, &result), 0);
    assert_fails(skrfs_release_run(shared, &disk_data, skrfs_now_ns(), NULL, &released, &err), err,
            SKRFS_CLASS_TIMEOUT, "the deadline passed");
    pthread_join(thread, NULL);
    assert_int_equal(result, 0);
}

/* The one that attests has a short deadline, the one that waits a long one. */
static void *hasty(void *context) {
    int *result = context;
    struct skrfs_error error;
    skrfs_autoreleased released = {0};
    *result = skrfs_release_run(release, &disk_data, in_ms(200), NULL, &released, &error);
    return NULL;
}

static void test_leader_times_out(void **state) {
    (void)state;
    pthread_t thread;
    int result = 0;
    courier.attest_ms = 400;
    assert_int_equal(pthread_create(&thread, NULL, hasty, &result), 0);
    wait_attested(1);
    run_well(NULL);
    pthread_join(thread, NULL);
    assert_int_equal(result, -1);
    assert_int_equal(courier.attested, 2);
}

static void test_retired_after_three(void **state) {
    (void)state;
    tee.fail_open = 4;
    for (unsigned i = 1; i <= 3; i++) {
        run_badly(5000, SKRFS_CLASS_CRYPTO, "open the token");
        assert_int_equal(tee.collected, i);
        assert_int_equal(tee.fresh, 0);
    }
    run_badly(5000, SKRFS_CLASS_CRYPTO, "open the token");
    assert_int_equal(tee.fresh, 1);
    run_well(NULL);
    assert_int_equal(tee.fresh, 1);
}

/* A good opening in between does not bring the count back: whoever seals tokens could otherwise go
 * on forever. */
static void test_good_openings_count_for_nothing(void **state) {
    (void)state;
    courier.token_life_s = 0;
    for (int i = 0; i < 3; i++) {
        tee.fail_open = 1;
        run_badly(5000, SKRFS_CLASS_CRYPTO, "open the token");
        run_well(NULL);
    }
    assert_int_equal(tee.fresh, 1);
}

static void test_clear_tokens(void **state) {
    (void)state;
    courier.clear = "a.token.x";
    run_well(NULL);
    /* A failure there is no answer about an RSA block: the wrapping key stays. */
    courier.token_life_s = 0;
    skrfs_release_free(release);
    release_new(0);
    tee.fail_open = 4;
    for (unsigned i = 0; i < 4; i++)
        run_badly(5000, SKRFS_CLASS_CRYPTO, "open the token");
    run_well(NULL);
    assert_int_equal(tee.fresh, 0);
    static const char *const malformed[] = {
            "a.token", "a..x", ".token.x", "a.token.", "a.to\nke.x", "a.b.c.d", "{\"a\":1}", "."};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(malformed); i++) {
        courier.clear = malformed[i];
        run_badly(5000, SKRFS_CLASS_BAD_ANSWER, "token is malformed");
    }
    assert_int_equal(tee.fresh, 0);
}

/* Certificates that no longer are those of an old report: a new one is asked for. */
static void test_stale_report(void **state) {
    (void)state;
    courier.stale = 1;
    run_well(NULL);
    assert_int_equal(courier.attested, 2);
    assert_int_equal(tee.collected, 2);
    assert_int_equal(tee.fresh, 1);
    run_well(NULL);
    assert_int_equal(tee.fresh, 1);
}

static void test_throttled(void **state) {
    (void)state;
    courier.busy = 1;
    uint64_t begun = skrfs_now_ns();
    run_well(NULL);
    assert_true(skrfs_now_ns() - begun >= SKRFS_SECOND_NS);
    assert_int_equal(courier.released, 2);
    /* The deadline comes before the time that was asked for: said at once. */
    courier.busy = 1;
    courier.long_wait = true;
    begun = skrfs_now_ns();
    run_badly(5000, SKRFS_CLASS_UNAVAILABLE, "throttled");
    assert_true(err.retryable);
    assert_true(skrfs_now_ns() - begun < 4 * SKRFS_SECOND_NS);
    courier.busy = 100;
    courier.long_wait = false;
    courier.released = 0;
    run_badly(2500, SKRFS_CLASS_UNAVAILABLE, "throttled");
    assert_int_equal(courier.released, 2);
}

static void test_refused_on_a_stale_token(void **state) {
    (void)state;
    /* A fresh token: the refusal stands. */
    courier.reject = 1;
    run_badly(5000, SKRFS_CLASS_REJECTED, "refused by policy");
    assert_int_equal(courier.released, 1);
    skrfs_release_free(release);
    release_new(SKRFS_MILLISECOND_NS);
    run_well(NULL);
    (void)skrfs_sleep_until(in_ms(5), SKRFS_NEVER_NS);
    courier.reject = 1;
    courier.released = courier.attested = 0;
    run_well(NULL);
    assert_int_equal(courier.released, 2);
    assert_int_equal(courier.attested, 1);
    /* Once only. */
    (void)skrfs_sleep_until(in_ms(5), SKRFS_NEVER_NS);
    courier.attest_ms = 5;
    courier.reject = 10;
    courier.released = 0;
    run_badly(5000, SKRFS_CLASS_REJECTED, "refused by policy");
    assert_int_equal(courier.released, 2);
}

/* The TPM was reset or a PCR changed: a new token brings a new wrapping key, once. */
static void test_unwrap_fails(void **state) {
    (void)state;
    run_well(NULL);
    tee.fail_unwrap = 1;
    run_well(NULL);
    assert_int_equal(courier.attested, 2);
    tee.fail_unwrap = 10;
    tee.unwrapped = 0;
    run_badly(5000, SKRFS_CLASS_CRYPTO, "unwrap: the PCRs changed");
    assert_int_equal(tee.unwrapped, 2);
}

static void test_lies(void **state) {
    (void)state;
    static const char *const reasons[LIE_COUNT] = {
            [LIE_ALG] = "another algorithm than RS256",
            [LIE_NONCE] = "nonce",
            [LIE_HOST] = "for the vault 'evil.vault.azure.net'",
            [LIE_NAME] = "for the key 'other'",
            [LIE_ENC] = "key wrapping (enc)",
            [LIE_KEK] = "for the wrapping key 'HCLAkPub'",
            [LIE_SIGNATURE] = "signature is wrong",
            [LIE_AUTHORITY] = "not trusted",
            [LIE_REPLAY] = "nonce",
            [LIE_PUBLIC] = "does not belong to the public key",
    };
    run_well(NULL);
    for (int lie = LIE_ALG; lie < LIE_WRAPPED; lie++) {
        courier.lie = (enum lie)lie;
        courier.released = 0;
        tee.unwrapped = 0;
        run_badly(5000, SKRFS_CLASS_BAD_ANSWER, reasons[lie]);
        /* Not tried again, and nothing of it reached the TEE. */
        assert_int_equal(courier.released, 1);
        assert_int_equal(tee.unwrapped, lie == LIE_PUBLIC ? 1 : 0);
    }
    courier.lie = LIE_WRAPPED;
    run_badly(5000, SKRFS_CLASS_CRYPTO, "does not open");
    courier.lie = LIE_NONE;
    run_well(NULL);
}

/* A proof is made of the octets that were sent and received, refused ones too. */
static void test_proof(void **state) {
    struct skrfs_release_proof proof = {.tee = NULL};
    struct skrfs_release_key key = disk_data;
    skrfs_autoreleased released = {0};
    char first[65];
    (void)state;
    key.proof = &proof;
    assert_ok(skrfs_release_run(release, &key, in_ms(20000), NULL, &released, &err), err);
    assert_string_equal(proof.tee, tee.tee.ops->name);
    assert_int_equal(strlen(proof.token_sha256), 64);
    assert_int_equal(strlen(proof.jws_sha256), 64);
    memcpy(first, proof.jws_sha256, sizeof(first));
    skrfs_released_done(&released);
    assert_ok(skrfs_release_run(release, &key, in_ms(20000), NULL, &released, &err), err);
    assert_string_not_equal(proof.jws_sha256, first);
}

int main(void) {
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_trace, setup, teardown),
            cmocka_unit_test_setup_teardown(test_token_serves_many, setup, teardown),
            cmocka_unit_test_setup_teardown(test_token_near_its_end, setup, teardown),
            cmocka_unit_test_setup_teardown(test_single_flight, setup, teardown),
            cmocka_unit_test_setup_teardown(test_single_flight_refused, setup, teardown),
            cmocka_unit_test_setup_teardown(test_deadlines_are_ones_own, setup, teardown),
            cmocka_unit_test_setup_teardown(test_leader_times_out, setup, teardown),
            cmocka_unit_test_setup_teardown(test_retired_after_three, setup, teardown),
            cmocka_unit_test_setup_teardown(test_good_openings_count_for_nothing, setup, teardown),
            cmocka_unit_test_setup_teardown(test_clear_tokens, setup, teardown),
            cmocka_unit_test_setup_teardown(test_stale_report, setup, teardown),
            cmocka_unit_test_setup_teardown(test_throttled, setup, teardown),
            cmocka_unit_test_setup_teardown(test_refused_on_a_stale_token, setup, teardown),
            cmocka_unit_test_setup_teardown(test_unwrap_fails, setup, teardown),
            cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
            cmocka_unit_test_setup_teardown(test_proof, setup, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
