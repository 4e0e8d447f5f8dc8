/* One attestation: a nonce of ours, evidence, the sealed token, and the token out of it. */
#include "internal.h"

#include <errno.h>
#include <skrfs/base/encode.h>

/* Failed openings after which the wrapping key is retired. Each is an answer of "good" or "bad"
 * padding to whoever made the sealed token, and a million of such answers open an RSA block
 * (Bleichenbacher 1998). */
#define OPENINGS_MAX 3

void skrfs_pass_free(struct skrfs_pass *pass) {
    skrfs_buf_done(&pass->token);
    skrfs_tee_key_done(&pass->key);
    skrfs_wipe(pass, sizeof(*pass));
    free(pass);
}

void skrfs_digest_text(struct skrfs_bytes data, char out[65]) {
    uint8_t digest[32];
    struct skrfs_error ignored;
    out[0] = 0;
    if (skrfs_hash(SKRFS_SHA256, data.data, data.len, digest, &ignored) == 0)
        skrfs_hex_encode(digest, sizeof(digest), out);
}

static int collect(struct skrfs_passes *passes, struct skrfs_trace *trace,
        struct skrfs_evidence *evidence, struct skrfs_tee_key *key, struct skrfs_error *err) {
    struct skrfs_tee *tee = passes->options->tee;
    uint8_t random[SKRFS_NONCE_LEN];
    char nonce[2 * SKRFS_NONCE_LEN + 1];
    if (skrfs_random(random, sizeof(random), err) < 0)
        return -1;
    skrfs_hex_encode(random, sizeof(random), nonce);
    bool fresh = passes->retire;
    size_t step = skrfs_trace_begin(trace, "collect evidence");
    if (tee->ops->collect(tee, nonce, fresh, trace, evidence, key, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    passes->retire = false;
    skrfs_trace_end(trace, step, "%s%s", tee->ops->name, fresh ? ", with a new wrapping key" : "");
    return 0;
}

/* A token that came as it is tells nobody anything about an RSA block. */
static void count_failed_opening(
        struct skrfs_passes *passes, const struct skrfs_sealed_token *sealed) {
    if (sealed->inner_key.len == 0 || ++passes->failed_openings < OPENINGS_MAX)
        return;
    passes->failed_openings = 0;
    passes->retire = true;
}

static int open_token(struct skrfs_passes *passes, const struct skrfs_sealed_token *sealed,
        struct skrfs_trace *trace, struct skrfs_pass *pass, struct skrfs_error *err) {
    struct skrfs_tee *tee = passes->options->tee;
    size_t step = skrfs_trace_begin(trace, "open the token");
    if (tee->ops->open_token(tee, &pass->key, sealed, &pass->token, err) < 0) {
        count_failed_opening(passes, sealed);
        return skrfs_trace_failed(trace, step, err);
    }
    /* Nothing has vouched for one that came as it is: what goes on from here is at least no more
     * than a token. */
    if (sealed->clear.len > 0 && !skrfs_token_has_form(skrfs_buf_bytes(&pass->token))) {
        skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the attestation token is malformed");
        return skrfs_trace_failed(trace, step, err);
    }
    skrfs_trace_end(trace, step, "%zu octets", pass->token.len);
    return 0;
}

/* Until when the token may be used. Nobody but the vault verifies the token, and the courier tells
 * its expiry: one that lies about it costs a refused release. */
static int read_expiry(struct skrfs_passes *passes, uint64_t deadline_ns, struct skrfs_pass *pass,
        struct skrfs_error *err) {
    struct skrfs_courier *courier = passes->options->courier;
    SKRFS_CLEANUP(skrfs_token_info_done)
    struct skrfs_token_info info = {.claims = SKRFS_BUF(SKRFS_TOKEN_MAX)};
    if (courier->ops->inspect(courier, skrfs_buf_bytes(&pass->token), deadline_ns, &info, err) < 0)
        return skrfs_wrap(err, "read the token's expiry");
    pass->expires_s = info.not_after_s;
    return 0;
}

int skrfs_attest(struct skrfs_passes *passes, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_pass **ret_pass, struct skrfs_error *err) {
    struct skrfs_courier *courier = passes->options->courier;
    SKRFS_CLEANUP(skrfs_pass_free_p) struct skrfs_pass *pass = calloc(1, sizeof(*pass));
    if (!pass)
        return skrfs_fail_memory(err);
    pass->references = 1;
    pass->token = SKRFS_BUF(SKRFS_TOKEN_MAX);
    skrfs_autoevidence evidence;
    skrfs_autosealed sealed;
    skrfs_evidence_init(&evidence);
    skrfs_sealed_token_init(&sealed);
    if (collect(passes, trace, &evidence, &pass->key, err) < 0)
        return skrfs_wrap(err, "collect evidence");
    size_t step = skrfs_trace_begin(trace, "attest");
    if (courier->ops->attest(courier, &evidence, deadline_ns, trace, &sealed, err) < 0) {
        (void)skrfs_trace_failed(trace, step, err);
        /* Firmware was updated below us: a report from before finds no certificates any more. */
        if (err->errnum == ESTALE)
            passes->retire = true;
        return skrfs_wrap(err, "attest");
    }
    skrfs_trace_end(trace, step, NULL);
    if (open_token(passes, &sealed, trace, pass, err) < 0)
        return skrfs_wrap(err, "open the token");
    if (read_expiry(passes, deadline_ns, pass, err) < 0)
        return -1;
    skrfs_evidence_measure(&evidence, &pass->measured);
    skrfs_digest_text(skrfs_buf_bytes(&pass->token), pass->token_sha256);
    pass->made_ns = skrfs_now_ns();
    *ret_pass = skrfs_take(pass);
    return 0;
}
