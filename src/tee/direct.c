/* SNP, TDX and SGX where the guest or enclave asks for its report itself: the report data is the
 * digest of the runtime data, which names a wrapping key whose private half is in secret memory. */
#include "internal.h"

#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>

enum { ATTEMPTS = 3, PAUSE_MS = 100 };

/* How long a device that failed is left alone. A failed guest message may cost the guest its key to
 * the firmware, so that nobody should ask again at once (drivers/virt/coco/sev-guest). */
#define REST_NS (5 * SKRFS_SECOND_NS)

/* How long a report is good for further requests: it is over the wrapping key and nothing else. A
 * reader whose deadline is shorter than the firmware takes has the next one served by it. */
#define KEEP_NS (60 * SKRFS_SECOND_NS)

static struct skrfs_direct *cast(struct skrfs_tee *tee) {
    return (struct skrfs_direct *)tee;
}

static int take_key(struct skrfs_direct *direct, bool fresh, struct skrfs_evidence *evidence,
        struct skrfs_tee_key *key, struct skrfs_error *err) {
    if (fresh || !direct->key) {
        struct skrfs_pkey *made;
        if (skrfs_wrapping_make(&made, direct->kid, &direct->runtime, err) < 0)
            return -1;
        skrfs_pkey_free(direct->key);
        direct->key = made;
    }
    if (skrfs_buf_append(&evidence->runtime_data, direct->runtime.data, direct->runtime.len, err) <
            0)
        return -1;
    snprintf(key->kid, sizeof(key->kid), "%s", direct->kid);
    key->rsa = skrfs_pkey_ref(direct->key);
    return 0;
}

static int choose_key(struct skrfs_direct *direct, bool fresh, struct skrfs_trace *trace,
        struct skrfs_evidence *evidence, struct skrfs_tee_key *key, struct skrfs_error *err) {
    size_t step = skrfs_trace_begin(trace, "choose the wrapping key");
    pthread_mutex_lock(&direct->lock);
    bool made = fresh || !direct->key;
    int result = take_key(direct, fresh, evidence, key, err);
    pthread_mutex_unlock(&direct->lock);
    if (result < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "RSA-2048 in secret memory, %s", made ? "new" : "as before");
    return 0;
}

/* One source after the other while they say that they are not the way on this machine. */
static int ask_sources(struct skrfs_direct *direct, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_error *err) {
    int result = -1;
    for (size_t i = direct->source_first; i < direct->source_count; i++) {
        struct skrfs_source *source = direct->sources[i];
        skrfs_buf_truncate(&evidence->report, 0);
        skrfs_buf_truncate(&evidence->certificates[SKRFS_CERTS_REPORT], 0);
        result = source->ops->ask(source, report_data, evidence, err);
        if (result == 0)
            direct->source_first = i;
        if (result == 0 || err->kind != SKRFS_CLASS_NO_TEE)
            return result < 0 ? skrfs_wrap(err, "%s", source->ops->name) : 0;
    }
    return result;
}

static int check(struct skrfs_direct *direct, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_inspected *ret, struct skrfs_error *err) {
    if (direct->inspect(skrfs_buf_bytes(&evidence->report), ret, err) < 0)
        return -1;
    if (memcmp(ret->report_data, report_data, sizeof(ret->report_data)) != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_REJECTED, "the report is over other data than was asked for");
    skrfs_buf_truncate(&evidence->report, ret->len);
    return 0;
}

/* Another asker between two of our steps may leave us an answer that is not ours. */
static int ask_checked(struct skrfs_direct *direct, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_inspected *ret, struct skrfs_error *err) {
    for (unsigned i = 1;; i++) {
        if (ask_sources(direct, report_data, evidence, err) < 0)
            return -1;
        if (check(direct, report_data, evidence, ret, err) == 0)
            return 0;
        if (i == ATTEMPTS)
            return -1;
        (void)skrfs_sleep_until(skrfs_now_ns() + PAUSE_MS * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    }
}

static void remember_refusal(struct skrfs_direct *direct, const struct skrfs_error *err) {
    uint64_t until = skrfs_now_ns() + REST_NS;
    if (err->kind == SKRFS_CLASS_NO_MEMORY)
        return;
    direct->refused = *err;
    direct->refused_until_ns = err->not_before_ns ? err->not_before_ns : until;
}

static int copy(const struct skrfs_buf *from, struct skrfs_buf *to, struct skrfs_error *err) {
    return skrfs_buf_append(to, from->data, from->len, err);
}

static bool is_kept(const struct skrfs_direct *direct, const uint8_t report_data[64]) {
    return skrfs_now_ns() < direct->kept_until_ns &&
           memcmp(direct->kept_inspected.report_data, report_data, 64) == 0;
}

static int use_kept(const struct skrfs_direct *direct, struct skrfs_evidence *evidence,
        struct skrfs_inspected *ret, struct skrfs_error *err) {
    *ret = direct->kept_inspected;
    if (copy(&direct->kept, &evidence->report, err) < 0)
        return -1;
    return copy(&direct->kept_table, &evidence->certificates[SKRFS_CERTS_REPORT], err);
}

static int keep(struct skrfs_direct *direct, const struct skrfs_evidence *evidence,
        const struct skrfs_inspected *inspected, struct skrfs_error *err) {
    direct->kept_until_ns = 0;
    skrfs_buf_truncate(&direct->kept, 0);
    skrfs_buf_truncate(&direct->kept_table, 0);
    if (copy(&evidence->report, &direct->kept, err) < 0 ||
            copy(&evidence->certificates[SKRFS_CERTS_REPORT], &direct->kept_table, err) < 0)
        return -1;
    direct->kept_inspected = *inspected;
    direct->kept_until_ns = skrfs_now_ns() + KEEP_NS;
    return 0;
}

static int ask_anew(struct skrfs_direct *direct, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_inspected *ret, struct skrfs_error *err) {
    if (skrfs_now_ns() < direct->refused_until_ns) {
        *err = direct->refused;
        return -1;
    }
    if (ask_checked(direct, report_data, evidence, ret, err) == 0)
        return keep(direct, evidence, ret, err);
    remember_refusal(direct, err);
    return -1;
}

/* *ret_source is NULL when the report is the one of before. */
static int ask(struct skrfs_direct *direct, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_inspected *ret, const char **ret_source,
        struct skrfs_error *err) {
    pthread_mutex_lock(&direct->device);
    bool kept = is_kept(direct, report_data);
    int result = kept ? use_kept(direct, evidence, ret, err)
                      : ask_anew(direct, report_data, evidence, ret, err);
    *ret_source = kept ? NULL : direct->sources[direct->source_first]->ops->name;
    pthread_mutex_unlock(&direct->device);
    return result;
}

static int judge(const struct skrfs_direct *direct, const struct skrfs_inspected *inspected,
        struct skrfs_error *err) {
    uint8_t digest[32];
    if (inspected->debug && !direct->allow_debug)
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "this is a debug %s: its memory can be read from outside; start it without, or say "
                "'allow-debug = yes' below [tee] for trials",
                direct->kind == SKRFS_EVIDENCE_SGX ? "enclave" : "guest");
    if (direct->init_data.len == 0 || !inspected->has_init_digest)
        return 0;
    if (skrfs_hash(SKRFS_SHA256, direct->init_data.data, direct->init_data.len, digest, err) < 0)
        return -1;
    if (memcmp(digest, inspected->init_digest, sizeof(digest)) != 0)
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "the init data is not what this guest was started with: its SHA-256 is not the "
                "report's host data");
    return 0;
}

static int get_report(struct skrfs_direct *direct, struct skrfs_trace *trace,
        struct skrfs_evidence *evidence, struct skrfs_error *err) {
    struct skrfs_inspected inspected;
    const char *source;
    uint8_t report_data[64] = {0};
    if (skrfs_hash(SKRFS_SHA256, evidence->runtime_data.data, evidence->runtime_data.len,
                report_data, err) < 0)
        return -1;
    size_t step = skrfs_trace_begin(trace, "ask the hardware for a report");
    if (ask(direct, report_data, evidence, &inspected, &source, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "%zu octets over the wrapping key, %s", evidence->report.len,
            source ? source : "as a moment ago");
    step = skrfs_trace_begin(trace, "check the report");
    if (judge(direct, &inspected, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, inspected.debug ? "a debug one, as allowed" : "not a debug one");
    return 0;
}

static int add_files(const struct skrfs_direct *direct, struct skrfs_evidence *evidence,
        struct skrfs_error *err) {
    for (size_t i = 0; i < SKRFS_CERTS_LOCAL; i++)
        if (i != SKRFS_CERTS_REPORT &&
                copy(&direct->certificates[i], &evidence->certificates[i], err) < 0)
            return -1;
    for (size_t i = 0; i < SKRFS_ENDORSEMENTS; i++)
        if (copy(&direct->endorsements[i], &evidence->endorsements[i], err) < 0)
            return -1;
    return copy(&direct->init_data, &evidence->init_data, err);
}

int skrfs_direct_collect(struct skrfs_tee *tee, const char *nonce, bool fresh,
        struct skrfs_trace *trace, struct skrfs_evidence *ret_evidence,
        struct skrfs_tee_key *ret_key, struct skrfs_error *err) {
    struct skrfs_direct *direct = cast(tee);
    SKRFS_CLEANUP(skrfs_tee_key_done) struct skrfs_tee_key key = {.rsa = NULL};
    skrfs_autoevidence evidence;
    skrfs_evidence_init(&evidence);
    evidence.kind = direct->kind;
    if (strlen(nonce) >= sizeof(evidence.nonce))
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the nonce is too long");
    snprintf(evidence.nonce, sizeof(evidence.nonce), "%s", nonce);
    if (choose_key(direct, fresh, trace, &evidence, &key, err) < 0 ||
            get_report(direct, trace, &evidence, err) < 0 || add_files(direct, &evidence, err) < 0)
        return skrfs_wrap(err, "evidence of this %s %s", tee->ops->name,
                direct->kind == SKRFS_EVIDENCE_SGX ? "enclave" : "guest");
    *ret_evidence = evidence;
    skrfs_evidence_init(&evidence); /* moved */
    *ret_key = key;
    key.rsa = NULL; /* moved */
    return 0;
}

int skrfs_direct_open_token(struct skrfs_tee *tee, const struct skrfs_tee_key *key,
        const struct skrfs_sealed_token *sealed, struct skrfs_buf *out, struct skrfs_error *err) {
    (void)tee;
    (void)key;
    if (sealed->clear.len == 0 || sealed->inner_key.len || sealed->cipher.len)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the attestation token is sealed, which is the service's answer to another kind of "
                "evidence");
    return skrfs_buf_append(out, sealed->clear.data, sealed->clear.len, err);
}

int skrfs_direct_unwrap(struct skrfs_tee *tee, const struct skrfs_tee_key *key, enum skrfs_enc enc,
        struct skrfs_bytes wrapped, struct skrfs_secret **ret_plain, struct skrfs_error *err) {
    struct skrfs_public public;
    skrfs_autosecret *kek = NULL;
    (void)tee;
    if (!key->rsa)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "unwrapping without a wrapping key");
    if (skrfs_pkey_public(key->rsa, &public, err) < 0)
        return -1;
    const size_t block = public.n_len;
    if (wrapped.len <= block)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the released key is truncated: %zu octets, the first %zu are its wrapping",
                wrapped.len, block);
    struct skrfs_bytes outer = {wrapped.data, block};
    struct skrfs_bytes inner = {wrapped.data + block, wrapped.len - block};
    if (skrfs_oaep_decrypt(key->rsa, skrfs_enc_hash(enc), outer, &kek, err) < 0 ||
            skrfs_kwp_unwrap(kek, inner, ret_plain, err) < 0)
        return skrfs_wrap(err, "unwrap the released key");
    return 0;
}

void skrfs_direct_close(struct skrfs_tee *tee) {
    struct skrfs_direct *direct = cast(tee);
    for (size_t i = 0; i < direct->source_count; i++)
        direct->sources[i]->ops->close(direct->sources[i]);
    for (size_t i = 0; i < SKRFS_CERTS_LOCAL; i++)
        skrfs_buf_done(&direct->certificates[i]);
    for (size_t i = 0; i < SKRFS_ENDORSEMENTS; i++)
        skrfs_buf_done(&direct->endorsements[i]);
    skrfs_buf_done(&direct->init_data);
    skrfs_buf_done(&direct->runtime);
    skrfs_buf_done(&direct->kept);
    skrfs_buf_done(&direct->kept_table);
    skrfs_pkey_free(direct->key);
    pthread_mutex_destroy(&direct->device);
    pthread_mutex_destroy(&direct->lock);
    free(direct);
}

static void init(struct skrfs_direct *direct) {
    pthread_mutex_init(&direct->device, NULL);
    pthread_mutex_init(&direct->lock, NULL);
    for (size_t i = 0; i < SKRFS_CERTS_LOCAL; i++)
        direct->certificates[i] = SKRFS_BUF(SKRFS_CERTIFICATES_MAX);
    for (size_t i = 0; i < SKRFS_ENDORSEMENTS; i++)
        direct->endorsements[i] = SKRFS_BUF(SKRFS_ENDORSEMENT_MAX);
    direct->init_data = SKRFS_BUF(SKRFS_INIT_DATA_MAX);
    direct->runtime = SKRFS_BUF(SKRFS_RUNTIME_DATA_MAX);
    direct->kept = SKRFS_BUF(SKRFS_HARDWARE_REPORT_MAX);
    direct->kept_table = SKRFS_BUF(SKRFS_CERTIFICATES_MAX);
}

int skrfs_direct_new(const struct skrfs_tee_ops *ops, enum skrfs_evidence_kind kind,
        skrfs_inspect *inspect, const struct skrfs_tee_options *options,
        struct skrfs_direct **ret_direct, struct skrfs_error *err) {
    struct skrfs_direct *direct = calloc(1, sizeof(*direct));
    if (!direct)
        return skrfs_fail_memory(err);
    direct->base.ops = ops;
    direct->kind = kind;
    direct->inspect = inspect;
    direct->allow_debug = options->allow_debug;
    init(direct);
    *ret_direct = direct;
    return 0;
}

void skrfs_direct_add(struct skrfs_direct *direct, struct skrfs_source *source) {
    direct->sources[direct->source_count++] = source;
    if (source->dir)
        direct->base.dir = source->dir;
    if (source->ioctls) {
        direct->base.ioctls = source->ioctls;
        direct->base.ioctl_count = source->ioctl_count;
    }
}
