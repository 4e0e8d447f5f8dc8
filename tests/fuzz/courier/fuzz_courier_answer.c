/* What the keeper reads from a courier that may be taken over: every kind of answer. */
#include "../../../src/courier/protocol.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size) {
    size_t len = strnlen(text, size);
    if (len == size)
        abort();
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~')
            abort();
}

/* True when members follow. */
static bool begin(struct wire *wire) {
    struct skrfs_error err = {0};
    struct skrfs_trace trace;
    skrfs_trace_start(&trace);
    int result = skrfs_answer_open(wire, &trace, &err);
    if (result < 0)
        check_text(err.message, sizeof(err.message));
    for (size_t i = 0; i < trace.count; i++)
        check_text(trace.steps[i].note, sizeof(trace.steps[i].note));
    return result == 0;
}

static void read_key(struct wire wire) {
    struct skrfs_error err;
    skrfs_autovaultkey key = {0};
    if (!begin(&wire) || skrfs_answer_get_key(&wire, &key, &err) < 0)
        return;
    check_text(key.kid, sizeof(key.kid));
    check_text(key.kty, sizeof(key.kty));
    check_text(key.ops, sizeof(key.ops));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    const struct wire start = {.data = data, .len = size};
    struct wire wire = start;
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    if (begin(&wire))
        (void)(skrfs_answer_get_sealed(&wire, &sealed, &err) < 0);
    wire = start;
    SKRFS_CLEANUP(skrfs_token_info_done) struct skrfs_token_info info = {0};
    if (begin(&wire) && skrfs_answer_get_info(&wire, &info, &err) == 0 && info.not_after_s <= 0)
        abort();
    wire = start;
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    if (begin(&wire))
        (void)(skrfs_answer_get_jws(&wire, &jws, &err) < 0);
    read_key(start);
    return 0;
}
