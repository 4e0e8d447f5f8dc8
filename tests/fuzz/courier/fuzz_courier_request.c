/* What a courier reads: a packet, and the octets behind its header as each kind of request. */
#include "../../../src/courier/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(uint32_t kind, struct skrfs_bytes message) {
    struct skrfs_error err;
    struct request request;
    skrfs_request_init(&request);
    if (skrfs_request_parse(kind, message, &request, &err) == 0 && kind == MESSAGE_KEY_SHOW) {
        /* What was read is written as it came, but for the time that has passed. */
        skrfs_autobuf again = SKRFS_BUF(MESSAGE_MAX);
        if (skrfs_request_key_show(request.vault, request.name,
                    request.has_version ? request.version : NULL, request.deadline_ns, &again,
                    &err) < 0)
            abort();
        if (request.has_version && again.len != message.len)
            abort();
    }
    skrfs_request_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fragment fragment;
    struct skrfs_bytes packet = {data, size};
    bool whole = false;
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
    if (skrfs_fragment_parse(packet, &fragment)) {
        if (fragment.part.len > size || fragment.offset + fragment.part.len > fragment.total)
            abort();
        if (skrfs_fragment_join(&fragment, &message, &whole) && message.len > fragment.total)
            abort();
        parse(fragment.kind, skrfs_buf_bytes(&message));
    }
    for (uint32_t kind = MESSAGE_ATTEST; kind <= MESSAGE_KEY_SHOW; kind++)
        parse(kind, packet);
    return 0;
}
