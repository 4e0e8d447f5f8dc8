/* One allocation after the other fails on the way of a release: from the open in the store through
 * the flow, the verification of the answer, the unwrapping and the encoding to the bytes. Each time
 * the answer is the whole right bytes or an error that says so, nothing is left, and the next try
 * works. */
#include "alloc.h"
#include "fake.h"

#include <openssl/crypto.h>
#include <skrfs/base/clock.h>
#include <skrfs/release/release.h>
#include <skrfs/store/store.h>

#define WAIT_NS (30 * SKRFS_SECOND_NS)
#define FAILURES_MAX 100000

static struct skrfs_error err;
static struct skrfs_secret *expected;

/* The doubles' own work does not fail: what it stands for is other processes'. */
static struct skrfs_tee_ops tee_ops;
static struct skrfs_courier_ops courier_ops;
static const struct skrfs_tee_ops *real_tee;
static const struct skrfs_courier_ops *real_courier;

static int collect(struct skrfs_tee *self, const char *nonce, bool fresh, struct skrfs_trace *trace,
        struct skrfs_evidence *ret_evidence, struct skrfs_tee_key *ret_key,
        struct skrfs_error *error) {
    alloc_exempt();
    int result = real_tee->collect(self, nonce, fresh, trace, ret_evidence, ret_key, error);
    alloc_subject();
    return result;
}

static int attest(struct skrfs_courier *self, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *error) {
    alloc_exempt();
    int result = real_courier->attest(self, evidence, deadline_ns, trace, ret_sealed, error);
    alloc_subject();
    return result;
}

static int release(struct skrfs_courier *self, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *error) {
    alloc_exempt();
    int result = real_courier->release(self, ask, deadline_ns, trace, ret_jws, error);
    alloc_subject();
    return result;
}

static void exempt_doubles(void) {
    real_tee = tee.tee.ops;
    real_courier = courier.courier.ops;
    tee_ops = *real_tee;
    courier_ops = *real_courier;
    tee_ops.collect = collect;
    courier_ops.attest = attest;
    courier_ops.release = release;
    tee.tee.ops = &tee_ops;
    courier.courier.ops = &courier_ops;
}

/* The wiring's part (client/fetch.c), in short. */
static int fetch(void *context, size_t key, const char *version, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_fetched *ret_fetched, struct skrfs_error *error) {
    skrfs_autoreleased released = {0};
    const struct skrfs_release_key wish = {.vault_name = "prod",
            .vault_host = TEST_HOST,
            .name = "disk-data",
            .version = version,
            .enc = SKRFS_ENC_SHA256};
    (void)key;
    if (skrfs_release_run(context, &wish, deadline_ns, trace, &released, error) < 0)
        return -1;
    ret_fetched->plain = skrfs_take(released.plain);
    ret_fetched->type = (int)released.type;
    memcpy(ret_fetched->version, released.version, sizeof(ret_fetched->version));
    snprintf(ret_fetched->kid, sizeof(ret_fetched->kid), "%s", released.kid);
    return 0;
}

static int encode(void *context, const struct skrfs_fetched *fetched, enum skrfs_format format,
        struct skrfs_secret **ret_encoded, struct skrfs_error *error) {
    (void)context;
    return skrfs_key_encode(fetched->plain, (enum skrfs_key_type)fetched->type, format,
            fetched->kid, ret_encoded, error);
}

struct opened {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, failed;
    struct skrfs_secret *bytes;
    struct skrfs_generation *generation;
    struct skrfs_error error;
};

static void opened(void *context, struct skrfs_generation *generation, struct skrfs_secret *bytes,
        const struct skrfs_error *error) {
    struct opened *result = context;
    pthread_mutex_lock(&result->lock);
    result->failed = error != NULL;
    if (error)
        result->error = *error;
    result->bytes = bytes;
    result->generation = generation;
    result->done = true;
    pthread_cond_signal(&result->changed);
    pthread_mutex_unlock(&result->lock);
}

/* 0 with the whole right bytes, -1 with `err`. */
static int open_once(struct skrfs_store *store, enum skrfs_format format) {
    const struct skrfs_store_want want = {.format = format};
    struct opened result = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct skrfs_waiter *waiter = NULL;
    struct timespec until = skrfs_deadline_timespec(skrfs_now_ns() + WAIT_NS);
    assert_int_equal(skrfs_cond_init(&result.changed), 0);
    int rc = skrfs_store_open(
            store, &want, opened, &result, &result.generation, &result.bytes, &waiter, &err);
    pthread_mutex_lock(&result.lock);
    while (rc == 1 && !result.done)
        if (pthread_cond_timedwait(&result.changed, &result.lock, &until) == ETIMEDOUT)
            fail_msg("nobody answered");
    pthread_mutex_unlock(&result.lock);
    if (rc == 1 && result.failed)
        err = result.error;
    if (rc == 1)
        rc = result.failed ? -1 : 0;
    if (rc == 0)
        assert_true(skrfs_secret_equal(
                result.bytes, skrfs_secret_data(expected), skrfs_secret_len(expected)));
    skrfs_secret_unref(result.bytes);
    skrfs_generation_unref(result.generation);
    pthread_cond_destroy(&result.changed);
    return rc;
}

static const struct skrfs_store_key store_key = {
        .name = "disk-data", .refresh_ns = SKRFS_NEVER_NS, .deadline_ns = WAIT_NS};

static int begin(struct skrfs_release **ret_release, struct skrfs_store **ret_store) {
    struct skrfs_release_options options = {
            .tee = &tee.tee, .courier = &courier.courier, .trust = courier.vault.trust};
    static const struct skrfs_fetch_ops ops = {.fetch = fetch, .encode = encode};
    if (skrfs_release_new(&options, ret_release, &err) < 0)
        return -1;
    struct skrfs_store_options store = {
            .keys = &store_key, .key_count = 1, .ops = &ops, .context = *ret_release};
    if (skrfs_store_new(&store, ret_store, &err) < 0) {
        skrfs_release_free(skrfs_take(*ret_release));
        return -1;
    }
    return 0;
}

static void complain(const char *what) {
    alloc_print();
    fail_msg("%s: %s", what, err.message);
}

/* What an operator sees when memory runs out: that, and not a verdict on a key or on an answer.
 * What OpenSSL takes from its secure heap by itself it does not tell of; that the
 * heap is full is told (tests/unit/crypto/test_memory.c). */
static void check_error(void) {
    if (alloc_was_hidden())
        return;
    if (err.kind != SKRFS_CLASS_NO_MEMORY && err.kind != SKRFS_CLASS_SYSTEM)
        complain(skrfs_class_name(err.kind));
}

static void try_again(struct skrfs_store *store, enum skrfs_format format) {
    skrfs_store_refresh(store, 0);
    if (open_once(store, format) < 0)
        complain("the next try failed");
}

/* One run in which one allocation fails; false when none did any more. */
static bool run(enum skrfs_format format, bool fails) {
    struct skrfs_release *flow = NULL;
    struct skrfs_store *store = NULL;
    fake_reset();
    if (fails)
        alloc_arm();
    int result = begin(&flow, &store);
    if (result == 0)
        result = open_once(store, format);
    bool failed = alloc_disarm();
    if (result < 0 && !failed)
        complain("without a reason");
    if (result < 0)
        check_error();
    if (!store && begin(&flow, &store) < 0)
        complain("the next start failed");
    if (failed)
        try_again(store, format);
    skrfs_store_free(store);
    skrfs_release_free(flow);
    return failed;
}

/* Threads that have ended give back what OpenSSL keeps for each a moment later. */
static void check_nothing_left(size_t secrets, size_t secure) {
    struct skrfs_secret_stats stats;
    uint64_t until = skrfs_now_ns() + WAIT_NS;
    do {
        skrfs_secret_get_stats(&stats);
        if (stats.secrets == secrets && CRYPTO_secure_used() <= secure)
            return;
    } while (skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS, until));
    complain("something is left in secret memory");
}

static void test_format(enum skrfs_format format) {
    struct skrfs_secret_stats before;
    if (!alloc_possible()) {
        print_message("this sanitizer's allocator is not to be replaced: skipped\n");
        skip();
    }
    assert_ok(skrfs_key_encode(courier.plain, SKRFS_KEY_RSA, format,
                      "https://" TEST_HOST "/keys/disk-data/" TEST_VERSION, &expected, &err),
            err);
    size_t seen = alloc_seen(), failed = alloc_failed(), runs = 0;
    /* Untouched: what OpenSSL keeps from its first use on is there then. */
    assert_false(run(format, false));
    skrfs_secret_get_stats(&before);
    size_t secure = CRYPTO_secure_used() + 4096; /* tables of threads that are still about to end */
    while (run(format, true)) {
        check_nothing_left(before.secrets, secure);
        assert_true(++runs < FAILURES_MAX);
    }
    print_message("%s: %zu allocations failed, of %zu in the last run\n", skrfs_format_name(format),
            alloc_failed() - failed, alloc_seen() - seen);
    /* The second and third encoding go most of the way that the first went. */
    assert_true(alloc_failed() > 100 && alloc_failed() > failed);
    skrfs_secret_unref(skrfs_take(expected));
}

static void test_pem(void **state) {
    (void)state;
    test_format(SKRFS_FORMAT_PEM);
}

static void test_jwk(void **state) {
    (void)state;
    test_format(SKRFS_FORMAT_JWK);
}

static void test_openssh(void **state) {
    (void)state;
    test_format(SKRFS_FORMAT_OPENSSH);
}

int main(void) {
    if (skrfs_crypto_setup(&err) < 0) {
        print_error("%s\n", err.message);
        return 1;
    }
    fake_init();
    exempt_doubles();
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_pem), cmocka_unit_test(test_jwk), cmocka_unit_test(test_openssh)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fake_done();
    return failed;
}
