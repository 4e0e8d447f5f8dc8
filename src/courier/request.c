#include "protocol.h"

#include <string.h>

/* The courier gives up a little before the keeper does, so that its reason still arrives. */
#define EARLIER_MAX_NS (200 * SKRFS_MILLISECOND_NS)

void skrfs_request_init(struct request *request) {
    *request = (struct request){.token = SKRFS_BUF(SKRFS_TOKEN_MAX)};
    skrfs_evidence_init(&request->evidence);
}

void skrfs_request_done(struct request *request) {
    skrfs_evidence_done(&request->evidence);
    skrfs_buf_done(&request->token);
}

static void put_time_left(struct pen *pen, uint64_t deadline_ns) {
    uint64_t left = skrfs_until_ns(deadline_ns);
    if (left != SKRFS_NEVER_NS)
        left -= left / 10 < EARLIER_MAX_NS ? left / 10 : EARLIER_MAX_NS;
    skrfs_pen_u64(pen, left);
}

static void put_buf(struct pen *pen, const struct skrfs_buf *buf) {
    skrfs_pen_bytes(pen, buf->data, buf->len);
}

static void put_name(struct pen *pen, uint64_t vault, const char *name, const char *version) {
    skrfs_pen_u64(pen, vault);
    skrfs_pen_text(pen, name);
    skrfs_pen_u8(pen, version ? 1 : 0);
    skrfs_pen_text(pen, version ? version : "");
}

static void put_hardware(struct pen *pen, const struct skrfs_evidence *evidence) {
    put_buf(pen, &evidence->report);
    put_buf(pen, &evidence->runtime_data);
    put_buf(pen, &evidence->init_data);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->certificates); i++)
        put_buf(pen, &evidence->certificates[i]);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->endorsements); i++)
        put_buf(pen, &evidence->endorsements[i]);
}

int skrfs_request_attest(const struct skrfs_evidence *evidence, uint64_t deadline_ns,
        struct skrfs_buf *out, struct skrfs_error *err) {
    struct pen pen = {.out = out, .err = err};
    put_time_left(&pen, deadline_ns);
    skrfs_pen_u32(&pen, (uint32_t)evidence->kind);
    skrfs_pen_text(&pen, evidence->nonce);
    put_buf(&pen, &evidence->hcl_report);
    put_buf(&pen, &evidence->event_log);
    put_buf(&pen, &evidence->ak_cert);
    put_buf(&pen, &evidence->ak_public);
    put_buf(&pen, &evidence->quote);
    put_buf(&pen, &evidence->quote_signature);
    skrfs_pen_bytes(&pen, evidence->pcrs, sizeof(evidence->pcrs));
    put_buf(&pen, &evidence->key_public);
    put_buf(&pen, &evidence->key_certify);
    put_buf(&pen, &evidence->key_certify_signature);
    put_hardware(&pen, evidence);
    return pen.failed ? -1 : 0;
}

int skrfs_request_inspect(struct skrfs_bytes token, uint64_t deadline_ns, struct skrfs_buf *out,
        struct skrfs_error *err) {
    struct pen pen = {.out = out, .err = err};
    put_time_left(&pen, deadline_ns);
    skrfs_pen_bytes(&pen, token.data, token.len);
    return pen.failed ? -1 : 0;
}

int skrfs_request_release(const struct skrfs_release_ask *ask, uint64_t deadline_ns,
        struct skrfs_buf *out, struct skrfs_error *err) {
    struct pen pen = {.out = out, .err = err};
    put_time_left(&pen, deadline_ns);
    put_name(&pen, ask->vault, ask->name, ask->version);
    skrfs_pen_text(&pen, ask->nonce);
    skrfs_pen_u8(&pen, (uint8_t)ask->enc);
    skrfs_pen_bytes(&pen, ask->token.data, ask->token.len);
    return pen.failed ? -1 : 0;
}

int skrfs_request_key_show(size_t vault, const char *name, const char *version,
        uint64_t deadline_ns, struct skrfs_buf *out, struct skrfs_error *err) {
    struct pen pen = {.out = out, .err = err};
    put_time_left(&pen, deadline_ns);
    put_name(&pen, vault, name, version);
    return pen.failed ? -1 : 0;
}

/* Text that must fit: a name that was cut would be another name. */
static void get_exact(struct wire *wire, char *out, size_t size) {
    struct skrfs_bytes bytes = skrfs_wire_bytes(wire, size - 1);
    if (bytes.len && memchr(bytes.data, 0, bytes.len))
        wire->broken = true;
    if (wire->broken)
        return;
    if (bytes.len)
        memcpy(out, bytes.data, bytes.len);
    out[bytes.len] = '\0';
}

static void get_name(struct wire *wire, struct request *request) {
    request->vault = skrfs_wire_u64(wire);
    get_exact(wire, request->name, sizeof(request->name));
    request->has_version = skrfs_wire_u8(wire) == 1;
    get_exact(wire, request->version, sizeof(request->version));
}

static void get_hardware(struct wire *wire, struct skrfs_evidence *evidence) {
    skrfs_wire_buf(wire, &evidence->report);
    skrfs_wire_buf(wire, &evidence->runtime_data);
    skrfs_wire_buf(wire, &evidence->init_data);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->certificates); i++)
        skrfs_wire_buf(wire, &evidence->certificates[i]);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->endorsements); i++)
        skrfs_wire_buf(wire, &evidence->endorsements[i]);
}

static void get_evidence(struct wire *wire, struct skrfs_evidence *evidence) {
    evidence->kind = (enum skrfs_evidence_kind)skrfs_wire_u32(wire);
    get_exact(wire, evidence->nonce, sizeof(evidence->nonce));
    skrfs_wire_buf(wire, &evidence->hcl_report);
    skrfs_wire_buf(wire, &evidence->event_log);
    skrfs_wire_buf(wire, &evidence->ak_cert);
    skrfs_wire_buf(wire, &evidence->ak_public);
    skrfs_wire_buf(wire, &evidence->quote);
    skrfs_wire_buf(wire, &evidence->quote_signature);
    struct skrfs_bytes pcrs = skrfs_wire_bytes(wire, sizeof(evidence->pcrs));
    if (pcrs.len == sizeof(evidence->pcrs))
        memcpy(evidence->pcrs, pcrs.data, pcrs.len);
    else
        wire->broken = true;
    skrfs_wire_buf(wire, &evidence->key_public);
    skrfs_wire_buf(wire, &evidence->key_certify);
    skrfs_wire_buf(wire, &evidence->key_certify_signature);
    get_hardware(wire, evidence);
}

static void get_release(struct wire *wire, struct request *request) {
    get_name(wire, request);
    get_exact(wire, request->nonce, sizeof(request->nonce));
    uint8_t enc = skrfs_wire_u8(wire);
    if (enc > SKRFS_ENC_SHA1)
        wire->broken = true;
    else
        request->enc = (enum skrfs_enc)enc;
    skrfs_wire_buf(wire, &request->token);
}

int skrfs_request_parse(uint32_t kind, struct skrfs_bytes message, struct request *ret_request,
        struct skrfs_error *err) {
    struct wire wire = {.data = message.data, .len = message.len};
    uint64_t left = skrfs_wire_u64(&wire), now = skrfs_now_ns();
    ret_request->kind = kind;
    ret_request->deadline_ns = left < SKRFS_NEVER_NS - now ? now + left : SKRFS_NEVER_NS;
    if (kind == MESSAGE_ATTEST)
        get_evidence(&wire, &ret_request->evidence);
    else if (kind == MESSAGE_INSPECT)
        skrfs_wire_buf(&wire, &ret_request->token);
    else if (kind == MESSAGE_RELEASE)
        get_release(&wire, ret_request);
    else if (kind == MESSAGE_KEY_SHOW)
        get_name(&wire, ret_request);
    else
        wire.broken = true;
    if (!skrfs_wire_ended(&wire))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "a malformed request");
    return 0;
}
