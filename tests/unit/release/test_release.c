/* The whole flow, with a TEE and a courier of the test's own: what is asked how often, and what
 * comes of answers that are late, refused, altered or wrapped to the wrong key. */
#include "vault.h"

#include <pthread.h>
#include <skrfs/base/clock.h>

#define READERS 8

static struct skrfs_error err;

/* Which wrong answer the courier gives. */
enum lie {
    LIE_NONE,
    LIE_ALG,
    LIE_NONCE,
    LIE_HOST,
    LIE_NAME,
    LIE_ENC,
    LIE_KEK,
    LIE_SIGNATURE,
    LIE_AUTHORITY,
    LIE_REPLAY,  /* the answer to an earlier request */
    LIE_PUBLIC,  /* another public half than the plaintext's */
    LIE_WRAPPED, /* garbage instead of the wrapped key */
    LIE_COUNT
};

struct fake_tee {
    struct skrfs_tee tee;
    struct skrfs_pkey *kek;
    unsigned collected, fresh, opened, unwrapped;
    unsigned fail_open, fail_unwrap; /* how many times still */
};

struct fake_courier {
    struct skrfs_courier courier;
    const struct fake_tee *tee;
    struct test_vault vault, other;
    struct skrfs_secret *plain;
    struct skrfs_public public, wrong_public;
    pthread_mutex_t lock;
    unsigned attested, released;
    unsigned attest_ms;
    int64_t token_life_s;
    unsigned busy, reject, fail_attest; /* how many times still */
    bool long_wait;
    enum lie lie;
    struct skrfs_buf earlier;
};

static struct fake_tee tee;
static struct fake_courier courier;
static struct skrfs_release *release;

static int fake_collect(struct skrfs_tee *self, const char *nonce, bool fresh,
        struct skrfs_trace *trace, struct skrfs_evidence *ret_evidence,
        struct skrfs_tee_key *ret_key, struct skrfs_error *error) {
    (void)self;
    (void)trace;
    (void)error;
    assert_int_equal(strlen(nonce), 2 * SKRFS_NONCE_LEN);
    memcpy(ret_evidence->nonce, nonce, sizeof(ret_evidence->nonce));
    snprintf(ret_key->kid, sizeof(ret_key->kid), TEST_KEK);
    tee.collected++;
    tee.fresh += fresh;
    return 0;
}

static int fake_open(struct skrfs_tee *self, const struct skrfs_tee_key *key,
        const struct skrfs_sealed_token *sealed, struct skrfs_buf *out, struct skrfs_error *error) {
    (void)self;
    assert_string_equal(key->kid, TEST_KEK);
    tee.opened++;
    if (tee.fail_open) {
        tee.fail_open--;
        return skrfs_fail(error, SKRFS_CLASS_CRYPTO, "not sealed to this key");
    }
    return skrfs_buf_append(out, sealed->cipher.data, sealed->cipher.len, error);
}

static int fake_unwrap(struct skrfs_tee *self, const struct skrfs_tee_key *key, enum skrfs_enc enc,
        struct skrfs_bytes wrapped, struct skrfs_secret **ret_plain, struct skrfs_error *error) {
    (void)self;
    (void)key;
    skrfs_autosecret *aes = NULL;
    pthread_mutex_lock(&courier.lock);
    tee.unwrapped++;
    bool fails = tee.fail_unwrap > 0;
    tee.fail_unwrap -= fails;
    pthread_mutex_unlock(&courier.lock);
    if (fails)
        return skrfs_fail(error, SKRFS_CLASS_CRYPTO, "the PCRs changed");
    const struct skrfs_bytes block = {wrapped.data, 256};
    if (skrfs_oaep_decrypt(tee.kek, skrfs_enc_hash(enc), block, &aes, error) < 0)
        return -1;
    return skrfs_kwp_unwrap(
            aes, (struct skrfs_bytes){wrapped.data + 256, wrapped.len - 256}, ret_plain, error);
}

static const struct skrfs_tee_ops tee_ops = {
        .name = "test", .collect = fake_collect, .open_token = fake_open, .unwrap = fake_unwrap};

static int fake_attest(struct skrfs_courier *self, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *error) {
    (void)self;
    (void)evidence;
    (void)trace;
    pthread_mutex_lock(&courier.lock);
    courier.attested++;
    bool fails = courier.fail_attest > 0;
    courier.fail_attest -= fails;
    pthread_mutex_unlock(&courier.lock);
    if (!skrfs_sleep_until(skrfs_now_ns() + courier.attest_ms * SKRFS_MILLISECOND_NS, deadline_ns))
        return skrfs_fail(
                error, SKRFS_CLASS_TIMEOUT, "the deadline passed at the attestation service");
    if (fails)
        return skrfs_fail(error, SKRFS_CLASS_REJECTED, "the evidence is refused");
    return skrfs_buf_append_text(&ret_sealed->cipher, "a.token.x", error);
}

static int fake_inspect(struct skrfs_courier *self, struct skrfs_bytes token, uint64_t deadline_ns,
        struct skrfs_token_info *ret_info, struct skrfs_error *error) {
    (void)self;
    (void)deadline_ns;
    (void)error;
    assert_int_equal(token.len, 9);
    ret_info->not_after_s = skrfs_wall_s() + courier.token_life_s;
    return 0;
}

static void lie_in_words(struct test_answer *answer, enum lie lie) {
    switch (lie) {
    case LIE_ALG:
        answer->alg = "none";
        break;
    case LIE_NONCE:
        answer->nonce = "00";
        break;
    case LIE_HOST:
        answer->kid = "https://evil.vault.azure.net/keys/disk-data/" TEST_VERSION;
        break;
    case LIE_NAME:
        answer->kid = "https://" TEST_HOST "/keys/other/" TEST_VERSION;
        break;
    case LIE_ENC:
        answer->wrap_enc = "CKM_RSA_AES_KEY_WRAP";
        break;
    case LIE_KEK:
        answer->kek_kid = "HCLAkPub";
        break;
    case LIE_PUBLIC:
        answer->public = &courier.wrong_public;
        break;
    default:
        break;
    }
}

static void answer_jws(const struct skrfs_release_ask *ask, struct skrfs_buf *out) {
    skrfs_autobuf wrapped = SKRFS_BUF(SKRFS_JWS_MAX);
    struct test_answer answer;
    struct test_vault vault = courier.lie == LIE_AUTHORITY ? courier.other : courier.vault;
    if (courier.lie == LIE_SIGNATURE)
        vault.leaf_key = courier.other.leaf_key;
    test_wrap(tee.kek, skrfs_enc_hash(ask->enc), courier.plain, &wrapped);
    if (courier.lie == LIE_WRAPPED)
        memset(wrapped.data, 0x5a, wrapped.len);
    test_answer_init(&answer, &courier.public, skrfs_buf_bytes(&wrapped));
    answer.nonce = ask->nonce;
    answer.enc = skrfs_enc_name(ask->enc);
    answer.wrap_enc = skrfs_enc_name(ask->enc);
    lie_in_words(&answer, courier.lie);
    test_answer_jws(&vault, &answer, out);
}

static int fake_release(struct skrfs_courier *self, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *error) {
    (void)self;
    (void)deadline_ns;
    (void)trace;
    int result = 0;
    pthread_mutex_lock(&courier.lock);
    courier.released++;
    if (courier.busy) {
        courier.busy--;
        skrfs_fail(error, SKRFS_CLASS_UNAVAILABLE, "throttled");
        result = skrfs_fail_retryable(
                error, courier.long_wait ? skrfs_now_ns() + 60 * SKRFS_SECOND_NS : 0);
    } else if (courier.reject) {
        courier.reject--;
        result = skrfs_fail(error, SKRFS_CLASS_REJECTED, "refused by policy");
    } else if (courier.lie == LIE_REPLAY && courier.earlier.len)
        result = skrfs_buf_append(ret_jws, courier.earlier.data, courier.earlier.len, error);
    else
        answer_jws(ask, ret_jws);
    if (result == 0 && courier.earlier.len == 0)
        result = skrfs_buf_append(&courier.earlier, ret_jws->data, ret_jws->len, error);
    pthread_mutex_unlock(&courier.lock);
    return result;
}

static const struct skrfs_courier_ops courier_ops = {
        .attest = fake_attest, .inspect = fake_inspect, .release = fake_release};

static int group_setup(void **state) {
    (void)state;
    skrfs_autopkey *key = NULL;
    skrfs_autopkey *wrong = NULL;
    pthread_mutex_init(&courier.lock, NULL);
    courier.earlier = SKRFS_BUF(SKRFS_JWS_MAX);
    tee.tee.ops = &tee_ops;
    courier.courier.ops = &courier_ops;
    test_vault_init(&courier.vault);
    test_vault_init(&courier.other);
    assert_ok(skrfs_pkey_new_rsa(2048, &tee.kek, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &key, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &wrong, &err), err);
    assert_ok(skrfs_pkey_pkcs8(key, &courier.plain, &err), err);
    assert_ok(skrfs_pkey_public(key, &courier.public, &err), err);
    assert_ok(skrfs_pkey_public(wrong, &courier.wrong_public, &err), err);
    return 0;
}

static int group_teardown(void **state) {
    (void)state;
    test_vault_done(&courier.vault);
    test_vault_done(&courier.other);
    skrfs_secret_unref(courier.plain);
    skrfs_pkey_free(tee.kek);
    skrfs_buf_done(&courier.earlier);
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
    tee.collected = tee.fresh = tee.opened = tee.unwrapped = tee.fail_open = tee.fail_unwrap = 0;
    courier.attested = courier.released = courier.attest_ms = 0;
    courier.busy = courier.reject = courier.fail_attest = 0;
    courier.long_wait = false;
    courier.token_life_s = 28800;
    courier.lie = LIE_NONE;
    skrfs_buf_truncate(&courier.earlier, 0);
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
            "ask prod for the release", "verify the answer", "unwrap", "compare the public half"};
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

static void test_deadlines_are_ones_own(void **state) {
    (void)state;
    pthread_t thread;
    int result = -1;
    courier.attest_ms = 600;
    assert_int_equal(pthread_create(&thread, NULL, reader, &result), 0);
    (void)skrfs_sleep_until(in_ms(100), SKRFS_NEVER_NS);
    uint64_t begun = skrfs_now_ns();
    run_badly(150, SKRFS_CLASS_TIMEOUT, "while another request attested");
    assert_true(skrfs_now_ns() - begun < 400 * SKRFS_MILLISECOND_NS);
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
    (void)skrfs_sleep_until(in_ms(50), SKRFS_NEVER_NS);
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
    assert_true(skrfs_now_ns() - begun < SKRFS_SECOND_NS);
    courier.busy = 100;
    courier.long_wait = false;
    courier.released = 0;
    run_badly(1500, SKRFS_CLASS_UNAVAILABLE, "throttled");
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
            cmocka_unit_test_setup_teardown(test_throttled, setup, teardown),
            cmocka_unit_test_setup_teardown(test_refused_on_a_stale_token, setup, teardown),
            cmocka_unit_test_setup_teardown(test_unwrap_fails, setup, teardown),
            cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
