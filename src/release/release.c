/* The flow of one release, and what is worth another attempt. */
#include "internal.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

/* Where the options leave it open. */
#define STALE_NS (60 * SKRFS_SECOND_NS)

struct skrfs_release {
    struct skrfs_release_options options;
    struct skrfs_passes passes;
};

int skrfs_release_new(const struct skrfs_release_options *options,
        struct skrfs_release **ret_release, struct skrfs_error *err) {
    if (!options->tee || !options->courier || !options->trust)
        return skrfs_fail(
                err, SKRFS_CLASS_BUG, "a release needs a TEE, a courier and trust anchors");
    struct skrfs_release *release = calloc(1, sizeof(*release));
    if (!release)
        return skrfs_fail_memory(err);
    release->options = *options;
    if (!release->options.stale_ns)
        release->options.stale_ns = STALE_NS;
    if (skrfs_passes_init(&release->passes, &release->options, err) < 0) {
        free(release);
        return -1;
    }
    *ret_release = release;
    return 0;
}

void skrfs_release_free(struct skrfs_release *release) {
    if (!release)
        return;
    skrfs_passes_done(&release->passes);
    free(release);
}

void skrfs_released_done(struct skrfs_released *released) {
    skrfs_secret_unref(released->plain);
    *released = (struct skrfs_released){0};
}

/* One attempt: how far it came decides what can be done about a failure. */
enum stage { STAGE_TOKEN, STAGE_ASK, STAGE_VERIFY, STAGE_UNWRAP, STAGE_COMPARE };

struct attempt {
    struct skrfs_release *release;
    const struct skrfs_release_key *key;
    uint64_t deadline_ns;
    struct skrfs_trace *trace;
    struct skrfs_pass *pass;
    char nonce[2 * SKRFS_NONCE_LEN + 1];
    enum stage stage;
};

/* What was tried already in this release. */
struct tries {
    uint64_t pause_ns;
    bool renewed;   /* the token, because the vault refused it */
    bool unwrapped; /* and because the TEE no longer opens what was wrapped for it */
};

static int ask(struct attempt *attempt, struct skrfs_buf *jws, struct skrfs_error *err) {
    struct skrfs_courier *courier = attempt->release->options.courier;
    uint8_t random[SKRFS_NONCE_LEN];
    char name[SKRFS_TRACE_NAME_MAX];
    attempt->stage = STAGE_ASK;
    if (skrfs_random(random, sizeof(random), err) < 0)
        return -1;
    skrfs_hex_encode(random, sizeof(random), attempt->nonce);
    const struct skrfs_release_ask question = {
            .vault = attempt->key->vault,
            .name = attempt->key->name,
            .version = attempt->key->version,
            .nonce = attempt->nonce,
            .enc = attempt->key->enc,
            .token = skrfs_buf_bytes(&attempt->pass->token),
    };
    (void)snprintf(name, sizeof(name), "ask '%.20s' for the release", attempt->key->vault_name);
    size_t step = skrfs_trace_begin(attempt->trace, name);
    if (courier->ops->release(courier, &question, attempt->deadline_ns, attempt->trace, jws, err) <
            0)
        return skrfs_trace_failed(attempt->trace, step, err);
    skrfs_trace_end(attempt->trace, step, "%zu octets", jws->len);
    return 0;
}

static int verify(struct attempt *attempt, const struct skrfs_buf *jws, struct skrfs_answer *answer,
        struct skrfs_error *err) {
    attempt->stage = STAGE_VERIFY;
    const struct skrfs_answer_wish wish = {
            .trust = attempt->release->options.trust,
            .host = attempt->key->vault_host,
            .wall_s = skrfs_wall_s(),
            .name = attempt->key->name,
            .version = attempt->key->version,
            .nonce = attempt->nonce,
            .kek_kid = attempt->pass->key.kid,
            .enc = attempt->key->enc,
    };
    size_t step = skrfs_trace_begin(attempt->trace, "verify the answer");
    if (skrfs_answer_verify(skrfs_buf_bytes(jws), &wish, answer, err) < 0)
        return skrfs_trace_failed(attempt->trace, step, err);
    skrfs_trace_end(attempt->trace, step, "version %s", answer->version);
    return 0;
}

static int unwrap(struct attempt *attempt, const struct skrfs_answer *answer,
        struct skrfs_secret **ret_plain, struct skrfs_error *err) {
    struct skrfs_tee *tee = attempt->release->options.tee;
    attempt->stage = STAGE_UNWRAP;
    size_t step = skrfs_trace_begin(attempt->trace, "unwrap");
    if (tee->ops->unwrap(tee, &attempt->pass->key, attempt->key->enc,
                skrfs_buf_bytes(&answer->wrapped), ret_plain, err) < 0) {
        (void)skrfs_trace_failed(attempt->trace, step, err);
        return skrfs_wrap(err, "unwrap");
    }
    skrfs_trace_end(attempt->trace, step, NULL);
    return 0;
}

static int compare(struct attempt *attempt, const struct skrfs_secret *plain,
        const struct skrfs_answer *answer, struct skrfs_error *err) {
    attempt->stage = STAGE_COMPARE;
    size_t step = skrfs_trace_begin(attempt->trace, "compare the public half");
    if (skrfs_key_check_public(plain, &answer->public, err) < 0)
        return skrfs_trace_failed(attempt->trace, step, err);
    skrfs_trace_end(attempt->trace, step, NULL);
    return 0;
}

/* The answer is vouched for before it is believed: what was refused is told apart by its digest. */
static void prove(const struct attempt *attempt, const struct skrfs_buf *jws) {
    struct skrfs_release_proof *proof = attempt->key->proof;
    if (!proof)
        return;
    *proof = (struct skrfs_release_proof){
            .tee = attempt->release->options.tee->ops->name, .measured = attempt->pass->measured};
    memcpy(proof->token_sha256, attempt->pass->token_sha256, sizeof(proof->token_sha256));
    if (jws->len)
        skrfs_digest_text(skrfs_buf_bytes(jws), proof->jws_sha256);
}

static int run_with_pass(
        struct attempt *attempt, struct skrfs_released *ret_released, struct skrfs_error *err) {
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    SKRFS_CLEANUP(skrfs_answer_done) struct skrfs_answer answer = {0};
    skrfs_autosecret *plain = NULL;
    int asked = ask(attempt, &jws, err);
    prove(attempt, &jws);
    if (asked < 0 || verify(attempt, &jws, &answer, err) < 0 ||
            unwrap(attempt, &answer, &plain, err) < 0 || compare(attempt, plain, &answer, err) < 0)
        return -1;
    struct skrfs_released released = {
            .plain = skrfs_take(plain),
            .type = answer.type,
            .public = answer.public,
            .expires_s = answer.expires_s,
    };
    memcpy(released.kid, answer.kid, sizeof(released.kid));
    memcpy(released.version, answer.version, sizeof(released.version));
    *ret_released = released;
    return 0;
}

/* True when a new token may help, once for each reason; the old one is dropped then. */
static bool renew(struct attempt *attempt, struct tries *tries, const struct skrfs_error *err) {
    struct skrfs_passes *passes = &attempt->release->passes;
    if (attempt->stage == STAGE_ASK && err->kind == SKRFS_CLASS_REJECTED && !tries->renewed &&
            skrfs_now_ns() - attempt->pass->made_ns > attempt->release->options.stale_ns)
        tries->renewed = true;
    else if (attempt->stage == STAGE_UNWRAP && err->kind == SKRFS_CLASS_CRYPTO && !tries->unwrapped)
        tries->unwrapped = true;
    else
        return false;
    skrfs_passes_drop(passes, attempt->pass);
    return true;
}

/* Waits as long as the failure asks for, doubling from a second; false when it is final or the
 * deadline comes first: the failure then says more than that time ran out. */
static bool pause_for(struct tries *tries, uint64_t deadline_ns, const struct skrfs_error *err) {
    if (!err->retryable)
        return false;
    tries->pause_ns = tries->pause_ns ? 2 * tries->pause_ns : SKRFS_SECOND_NS;
    uint64_t when_ns = skrfs_now_ns() + tries->pause_ns;
    if (when_ns < err->not_before_ns)
        when_ns = err->not_before_ns;
    return when_ns < deadline_ns && skrfs_sleep_until(when_ns, deadline_ns);
}

/* One attempt; 1 when it failed in a way that is worth another. */
static int try_once(struct attempt *attempt, struct tries *tries,
        struct skrfs_released *ret_released, struct skrfs_error *err) {
    struct skrfs_passes *passes = &attempt->release->passes;
    attempt->stage = STAGE_TOKEN;
    if (skrfs_until_ns(attempt->deadline_ns) == 0)
        return skrfs_fail(err, SKRFS_CLASS_TIMEOUT, "the deadline passed");
    if (skrfs_passes_get(passes, attempt->deadline_ns, attempt->trace, &attempt->pass, err) < 0)
        return pause_for(tries, attempt->deadline_ns, err) ? 1 : -1;
    int result = run_with_pass(attempt, ret_released, err);
    if (result < 0 && renew(attempt, tries, err))
        result = 1;
    skrfs_pass_put(passes, skrfs_take(attempt->pass));
    if (result < 0 && pause_for(tries, attempt->deadline_ns, err))
        result = 1;
    return result;
}

int skrfs_release_run(struct skrfs_release *release, const struct skrfs_release_key *key,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_released *ret_released,
        struct skrfs_error *err) {
    struct attempt attempt = {
            .release = release, .key = key, .deadline_ns = deadline_ns, .trace = trace};
    struct tries tries = {0};
    int result = 1;
    while (result > 0)
        result = try_once(&attempt, &tries, ret_released, err);
    if (result < 0)
        return skrfs_wrap(err, "release '%s' from '%s'", key->name, key->vault_name);
    return 0;
}

int skrfs_release_token(struct skrfs_release *release, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_pass *pass = NULL;
    struct tries tries = {0};
    while (skrfs_passes_get(&release->passes, deadline_ns, trace, &pass, err) < 0)
        if (!pause_for(&tries, deadline_ns, err))
            return -1;
    int result = skrfs_buf_append(out, pass->token.data, pass->token.len, err);
    skrfs_pass_put(&release->passes, pass);
    return result;
}
