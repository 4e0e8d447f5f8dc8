#include "protocol.h"

#include <skrfs/base/encode.h>
#include <string.h>

#define WAIT_MAX_NS (3600 * SKRFS_SECOND_NS) /* what a courier may ask for between attempts */

static void put_buf(struct pen *pen, const struct skrfs_buf *buf) {
    skrfs_pen_bytes(pen, buf->data, buf->len);
}

static void put_outcome(struct pen *pen, const struct skrfs_error *outcome) {
    skrfs_pen_u8(pen, outcome ? 0 : 1);
    if (!outcome)
        return;
    skrfs_pen_u32(pen, (uint32_t)outcome->kind);
    skrfs_pen_u32(pen, (uint32_t)outcome->errnum);
    skrfs_pen_u32(pen, outcome->upstream);
    skrfs_pen_u8(pen, outcome->retryable ? 1 : 0);
    skrfs_pen_u64(pen, outcome->not_before_ns ? skrfs_until_ns(outcome->not_before_ns) : 0);
    skrfs_pen_bytes(pen, outcome->message, strnlen(outcome->message, sizeof(outcome->message)));
}

void skrfs_answer_begin(
        struct pen *pen, const struct skrfs_error *outcome, const struct skrfs_trace *trace) {
    put_outcome(pen, outcome);
    size_t count = trace ? trace->count : 0;
    skrfs_pen_u32(pen, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct skrfs_trace_step *step = &trace->steps[i];
        skrfs_pen_text(pen, step->name);
        skrfs_pen_u64(pen, step->begun_ns);
        skrfs_pen_u64(pen, step->ended_ns);
        skrfs_pen_u8(pen, step->failed ? 1 : 0);
        skrfs_pen_text(pen, step->note);
    }
}

void skrfs_answer_put_sealed(struct pen *pen, const struct skrfs_sealed_token *sealed) {
    put_buf(pen, &sealed->clear);
    put_buf(pen, &sealed->inner_key);
    put_buf(pen, &sealed->iv);
    put_buf(pen, &sealed->tag);
    put_buf(pen, &sealed->cipher);
}

void skrfs_answer_put_info(struct pen *pen, const struct skrfs_token_info *info) {
    skrfs_pen_u64(pen, (uint64_t)info->not_after_s);
    put_buf(pen, &info->claims);
}

void skrfs_answer_put_jws(struct pen *pen, const struct skrfs_buf *jws) {
    put_buf(pen, jws);
}

static void put_public(struct pen *pen, const struct skrfs_public *public) {
    skrfs_pen_u8(pen, (uint8_t) public->type);
    skrfs_pen_u8(pen, (uint8_t) public->curve);
    skrfs_pen_bytes(pen, public->n, public->n_len);
    skrfs_pen_bytes(pen, public->e, public->e_len);
    skrfs_pen_bytes(pen, public->x, public->xy_len);
    skrfs_pen_bytes(pen, public->y, public->xy_len);
}

void skrfs_answer_put_key(struct pen *pen, const struct skrfs_vault_key *key) {
    skrfs_pen_text(pen, key->kid);
    put_public(pen, &key->public);
    skrfs_pen_u8(pen, key->exportable ? 1 : 0);
    skrfs_pen_u8(pen, key->enabled ? 1 : 0);
    skrfs_pen_u64(pen, (uint64_t)key->not_before_s);
    skrfs_pen_u64(pen, (uint64_t)key->expires_s);
    skrfs_pen_u64(pen, (uint64_t)key->created_s);
    skrfs_pen_u64(pen, (uint64_t)key->updated_s);
    skrfs_pen_text(pen, key->kty);
    skrfs_pen_text(pen, key->ops);
    put_buf(pen, &key->policy);
    skrfs_pen_u8(pen, key->policy_immutable ? 1 : 0);
}

static int malformed(struct skrfs_error *err) {
    return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the courier's answer is malformed");
}

/* A courier speaks for the network alone: it may not say "denied" or "revoked" in the keeper's
 * name. */
static bool is_courier_class(uint32_t kind) {
    static const enum skrfs_class classes[] = {SKRFS_CLASS_BUG, SKRFS_CLASS_NOT_FOUND,
            SKRFS_CLASS_REJECTED, SKRFS_CLASS_UNAVAILABLE, SKRFS_CLASS_TIMEOUT,
            SKRFS_CLASS_BAD_ANSWER, SKRFS_CLASS_CRYPTO, SKRFS_CLASS_NO_MEMORY, SKRFS_CLASS_CONFIG,
            SKRFS_CLASS_SYSTEM};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(classes); i++)
        if (kind == (uint32_t)classes[i])
            return true;
    return false;
}

static void read_outcome(struct wire *wire, struct skrfs_error *outcome) {
    char message[SKRFS_ERROR_MESSAGE_MAX];
    uint32_t kind = skrfs_wire_u32(wire), errnum = skrfs_wire_u32(wire),
             upstream = skrfs_wire_u32(wire);
    bool retryable = skrfs_wire_u8(wire) == 1;
    uint64_t wait = skrfs_wire_u64(wire);
    skrfs_wire_text(wire, message, sizeof(message));
    if (!is_courier_class(kind) || errnum > 4095)
        wire->broken = true;
    if (wire->broken)
        return;
    skrfs_fail(outcome, (enum skrfs_class)kind, "%s", message);
    outcome->errnum = (int)errnum;
    outcome->upstream = upstream;
    if (retryable)
        skrfs_fail_retryable(
                outcome, wait ? skrfs_now_ns() + (wait < WAIT_MAX_NS ? wait : WAIT_MAX_NS) : 0);
}

static void read_steps(struct wire *wire, struct skrfs_trace *trace) {
    uint32_t count = skrfs_wire_u32(wire);
    uint64_t now = skrfs_now_ns();
    if (count > SKRFS_TRACE_STEPS_MAX)
        wire->broken = true;
    for (uint32_t i = 0; i < count && !wire->broken; i++) {
        struct skrfs_trace_step *step = &trace->steps[trace->count];
        skrfs_wire_text(wire, step->name, sizeof(step->name));
        step->begun_ns = skrfs_wire_u64(wire);
        step->ended_ns = skrfs_wire_u64(wire);
        step->failed = skrfs_wire_u8(wire) == 1;
        skrfs_wire_text(wire, step->note, sizeof(step->note));
        /* Times come from another process; none lies ahead or before its beginning. */
        step->begun_ns = step->begun_ns < now ? step->begun_ns : now;
        step->ended_ns = step->ended_ns < now ? step->ended_ns : now;
        if (step->ended_ns < step->begun_ns)
            step->ended_ns = step->begun_ns;
        trace->count++;
    }
}

int skrfs_answer_open(struct wire *wire, struct skrfs_trace *trace, struct skrfs_error *err) {
    struct skrfs_error outcome = {0};
    struct skrfs_trace steps;
    uint8_t ok = skrfs_wire_u8(wire);
    skrfs_trace_start(&steps);
    if (ok > 1)
        wire->broken = true;
    if (!ok)
        read_outcome(wire, &outcome);
    read_steps(wire, &steps);
    if (wire->broken || (!ok && !skrfs_wire_ended(wire)))
        return malformed(err);
    if (trace)
        skrfs_trace_merge(trace, &steps);
    if (ok)
        return 0;
    *err = outcome;
    return -1;
}

int skrfs_answer_get_sealed(
        struct wire *wire, struct skrfs_sealed_token *ret_sealed, struct skrfs_error *err) {
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    skrfs_wire_buf(wire, &sealed.clear);
    skrfs_wire_buf(wire, &sealed.inner_key);
    skrfs_wire_buf(wire, &sealed.iv);
    skrfs_wire_buf(wire, &sealed.tag);
    skrfs_wire_buf(wire, &sealed.cipher);
    if (!skrfs_wire_ended(wire))
        return malformed(err);
    skrfs_buf_move(&ret_sealed->clear, &sealed.clear);
    skrfs_buf_move(&ret_sealed->inner_key, &sealed.inner_key);
    skrfs_buf_move(&ret_sealed->iv, &sealed.iv);
    skrfs_buf_move(&ret_sealed->tag, &sealed.tag);
    skrfs_buf_move(&ret_sealed->cipher, &sealed.cipher);
    return 0;
}

int skrfs_answer_get_info(
        struct wire *wire, struct skrfs_token_info *ret_info, struct skrfs_error *err) {
    skrfs_autobuf claims = SKRFS_BUF(SKRFS_TOKEN_MAX);
    int64_t not_after_s = (int64_t)skrfs_wire_u64(wire);
    skrfs_wire_buf(wire, &claims);
    if (!skrfs_wire_ended(wire) || not_after_s <= 0)
        return malformed(err);
    ret_info->not_after_s = not_after_s;
    ret_info->claims = SKRFS_BUF(SKRFS_TOKEN_MAX);
    skrfs_buf_move(&ret_info->claims, &claims);
    return 0;
}

int skrfs_answer_get_jws(struct wire *wire, struct skrfs_buf *ret_jws, struct skrfs_error *err) {
    struct skrfs_bytes jws = skrfs_wire_bytes(wire, SKRFS_JWS_MAX);
    if (!skrfs_wire_ended(wire) || jws.len == 0)
        return malformed(err);
    return skrfs_buf_append(ret_jws, jws.data, jws.len, err);
}

/* Octets of at most `size`; their number. */
static size_t get_octets(struct wire *wire, uint8_t *out, size_t size) {
    struct skrfs_bytes bytes = skrfs_wire_bytes(wire, size);
    if (bytes.len)
        memcpy(out, bytes.data, bytes.len);
    return bytes.len;
}

static void get_public(struct wire *wire, struct skrfs_public *public) {
    uint8_t type = skrfs_wire_u8(wire), curve = skrfs_wire_u8(wire);
    if (type > SKRFS_KEY_OCT || curve > SKRFS_P256K) {
        wire->broken = true;
        return;
    }
    public->type = (enum skrfs_key_type)type;
    public->curve = (enum skrfs_curve)curve;
    public->n_len = get_octets(wire, public->n, sizeof(public->n));
    public->e_len = get_octets(wire, public->e, sizeof(public->e));
    public->xy_len = get_octets(wire, public->x, sizeof(public->x));
    if (get_octets(wire, public->y, sizeof(public->y)) != public->xy_len)
        wire->broken = true;
}

int skrfs_answer_get_key(
        struct wire *wire, struct skrfs_vault_key *ret_key, struct skrfs_error *err) {
    skrfs_autovaultkey key = {.policy = SKRFS_BUF(SKRFS_TOKEN_MAX)};
    skrfs_wire_text(wire, key.kid, sizeof(key.kid));
    get_public(wire, &key.public);
    key.exportable = skrfs_wire_u8(wire) == 1;
    key.enabled = skrfs_wire_u8(wire) == 1;
    key.not_before_s = (int64_t)skrfs_wire_u64(wire);
    key.expires_s = (int64_t)skrfs_wire_u64(wire);
    key.created_s = (int64_t)skrfs_wire_u64(wire);
    key.updated_s = (int64_t)skrfs_wire_u64(wire);
    skrfs_wire_text(wire, key.kty, sizeof(key.kty));
    skrfs_wire_text(wire, key.ops, sizeof(key.ops));
    skrfs_wire_buf(wire, &key.policy);
    key.policy_immutable = skrfs_wire_u8(wire) == 1;
    if (!skrfs_wire_ended(wire))
        return malformed(err);
    *ret_key = key;
    key.policy = SKRFS_BUF(0);
    return 0;
}
