#include "fake.h"

#include <errno.h>
#include <skrfs/base/clock.h>

static struct skrfs_error err;

struct fake_tee tee;
struct fake_courier courier;

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
    const struct skrfs_buf *text = courier.clear ? &sealed->clear : &sealed->cipher;
    return skrfs_buf_append(out, text->data, text->len, error);
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
    bool stale = courier.stale > 0;
    courier.stale -= stale;
    pthread_mutex_unlock(&courier.lock);
    if (!skrfs_sleep_until(skrfs_now_ns() + courier.attest_ms * SKRFS_MILLISECOND_NS, deadline_ns))
        return skrfs_fail(
                error, SKRFS_CLASS_TIMEOUT, "the deadline passed at the attestation service");
    if (fails)
        return skrfs_fail(error, SKRFS_CLASS_REJECTED, "the evidence is refused");
    if (stale) {
        skrfs_fail(error, SKRFS_CLASS_UNAVAILABLE, "no certificates fit");
        error->errnum = ESTALE;
        return skrfs_fail_retryable(error, 0);
    }
    if (courier.clear)
        return skrfs_buf_append_text(&ret_sealed->clear, courier.clear, error);
    if (skrfs_buf_append_text(&ret_sealed->inner_key, "an RSA block", error) < 0)
        return -1;
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
void fake_init(void) {
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
}

void fake_done(void) {
    test_vault_done(&courier.vault);
    test_vault_done(&courier.other);
    skrfs_secret_unref(courier.plain);
    skrfs_pkey_free(tee.kek);
    skrfs_buf_done(&courier.earlier);
}

void fake_reset(void) {
    tee.collected = tee.fresh = tee.opened = tee.unwrapped = tee.fail_open = tee.fail_unwrap = 0;
    courier.attested = courier.released = courier.attest_ms = 0;
    courier.busy = courier.reject = courier.fail_attest = courier.stale = 0;
    courier.clear = NULL;
    courier.long_wait = false;
    courier.token_life_s = 28800;
    courier.lie = LIE_NONE;
    skrfs_buf_truncate(&courier.earlier, 0);
}
