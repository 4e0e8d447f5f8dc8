/* The messages between keeper and courier, inside this room only.
 *
 * A message is cut into fragments, each one packet: a header of 24 octets and up to 64 KiB less
 * that of the message. Numbers are little endian. Fragments of one message come in order; those of
 * several may alternate.
 *
 *   hello     courier -> keeper  a random number that names this courier process
 *   knock     keeper -> courier  "say hello again"
 *   requests  keeper -> courier  octets left until the deadline, then the request's members
 *   answers   courier -> keeper  outcome, trace, then the answer's members
 */
#ifndef SKRFS_COURIER_PROTOCOL_H
#define SKRFS_COURIER_PROTOCOL_H

#include <skrfs/base/clock.h>
#include <skrfs/courier/courier.h>

#define PACKET_MAX ((size_t)64 * 1024)
#define FRAGMENT_HEADER ((size_t)24)
#define FRAGMENT_MAX (PACKET_MAX - FRAGMENT_HEADER)
#define MESSAGE_MAX ((size_t)2 * 1024 * 1024)
#define FRAGMENT_MAGIC UINT32_C(0x46524b53) /* "SKRF" */
#define NONCE_TEXT_MAX 129

enum message_kind {
    MESSAGE_HELLO = 1,
    MESSAGE_KNOCK,
    MESSAGE_ATTEST,
    MESSAGE_INSPECT,
    MESSAGE_RELEASE,
    MESSAGE_KEY_SHOW,
    MESSAGE_ANSWER = 0x80, /* added to the request's kind */
};

/* Reads members off a message; once one is missing or too long everything after it is too. */
struct wire {
    const uint8_t *data;
    size_t len, at;
    bool broken;
};
uint8_t skrfs_wire_u8(struct wire *wire);
uint32_t skrfs_wire_u32(struct wire *wire);
uint64_t skrfs_wire_u64(struct wire *wire);
/* A length and that many octets, within the message. */
struct skrfs_bytes skrfs_wire_bytes(struct wire *wire, size_t max);
/* Appended to `out` within its limit. */
void skrfs_wire_buf(struct wire *wire, struct skrfs_buf *out);
/* Cleaned text of at most size - 1 octets; longer text is cut, not refused. */
void skrfs_wire_text(struct wire *wire, char *out, size_t size);
/* Nothing is missing and nothing is left over. */
bool skrfs_wire_ended(const struct wire *wire);

/* Writers append; once one failed (no memory, over the limit) `*failed` stays true. */
struct pen {
    struct skrfs_buf *out;
    struct skrfs_error *err;
    bool failed;
};
void skrfs_pen_u8(struct pen *pen, uint8_t value);
void skrfs_pen_u32(struct pen *pen, uint32_t value);
void skrfs_pen_u64(struct pen *pen, uint64_t value);
void skrfs_pen_bytes(struct pen *pen, const void *data, size_t len);
void skrfs_pen_text(struct pen *pen, const char *text);

struct fragment {
    uint64_t id;
    uint32_t kind, total, offset;
    struct skrfs_bytes part;
};
/* False for a packet that is none. */
bool skrfs_fragment_parse(struct skrfs_bytes packet, struct fragment *ret_fragment);
/* Builds the packet that carries the message's octets from `offset` on. */
int skrfs_fragment_build(uint64_t id, uint32_t kind, struct skrfs_bytes message, size_t offset,
        struct skrfs_buf *packet, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the part to what has come of its message; *ret_whole when that was the last. False when
 * it does not follow: the message is to be forgotten. */
bool skrfs_fragment_join(
        const struct fragment *fragment, struct skrfs_buf *message, bool *ret_whole);

/* A request as the courier reads it; owns everything. */
struct request {
    uint64_t id;
    uint32_t kind;
    uint64_t deadline_ns;
    struct skrfs_evidence evidence; /* ATTEST */
    struct skrfs_buf token;         /* INSPECT, RELEASE */
    uint64_t vault;                 /* RELEASE, KEY_SHOW */
    char name[SKRFS_KEY_NAME_MAX];
    char version[SKRFS_KEY_VERSION_MAX];
    bool has_version;
    char nonce[NONCE_TEXT_MAX];
    enum skrfs_enc enc;
};
void skrfs_request_init(struct request *request);
void skrfs_request_done(struct request *request);

int skrfs_request_attest(const struct skrfs_evidence *evidence, uint64_t deadline_ns,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_request_inspect(struct skrfs_bytes token, uint64_t deadline_ns, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_request_release(const struct skrfs_release_ask *ask, uint64_t deadline_ns,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_request_key_show(size_t vault, const char *name, const char *version,
        uint64_t deadline_ns, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* BAD_ANSWER when malformed. `ret_request` is initialised. */
int skrfs_request_parse(uint32_t kind, struct skrfs_bytes message, struct request *ret_request,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The answer's first part: NULL `outcome` is success. Members follow through the same pen. */
void skrfs_answer_begin(
        struct pen *pen, const struct skrfs_error *outcome, const struct skrfs_trace *trace);
void skrfs_answer_put_sealed(struct pen *pen, const struct skrfs_sealed_token *sealed);
void skrfs_answer_put_info(struct pen *pen, const struct skrfs_token_info *info);
void skrfs_answer_put_jws(struct pen *pen, const struct skrfs_buf *jws);
void skrfs_answer_put_key(struct pen *pen, const struct skrfs_vault_key *key);

/* Reads the first part: the courier's failure comes back as -1 with its (cleaned, capped) error, a
 * malformed one as BAD_ANSWER. Steps are added to `trace` (may be NULL). */
int skrfs_answer_open(
        struct wire *wire, struct skrfs_trace *trace, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The members; outputs are empty (sealed and key initialised by the caller, see their headers). */
int skrfs_answer_get_sealed(struct wire *wire, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_answer_get_info(struct wire *wire, struct skrfs_token_info *ret_info,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_answer_get_jws(
        struct wire *wire, struct skrfs_buf *ret_jws, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_answer_get_key(struct wire *wire, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
