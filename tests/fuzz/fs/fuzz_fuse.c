/* FUSE requests as the kernel sends them, one after the other, into a session over a real file
 * system and store, and a keeper that dies between them. A record of the input is
 *
 *     opcode, flags, node, caller, length of the body, body
 *
 * `node` counts those that the answers told of (0: the root), so that the fuzzer need not guess
 * numbers; with RAW_NODE the body's first eight octets are the number. With HANDLE the first octet
 * of the body chooses one of the handles that were given. Two opcodes are not the kernel's: DIES
 * ends the keeper and begins another, SPOIL writes into what the dead one left.
 *
 * Each request is answered once, and well formed; no key goes to a caller that may not have it. */
#define FUSE_USE_VERSION 314
#include "keeper.h"

#include <errno.h>
#include <fuse3/fuse_log.h>
#include <linux/fuse.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *__lsan_default_suppressions(void);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libfuse 3.14 does not free interrupts of requests that it does not know when its session ends. */
const char *__lsan_default_suppressions(void) {
    return "leak:libfuse3.so";
}

static void say_nothing(enum fuse_log_level level, const char *format, va_list arguments) {
    (void)level;
    (void)format;
    (void)arguments;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuse_set_log_func(say_nothing);
    return 0;
}

enum { RAW_NODE = 1, HANDLE = 2, AT_ONCE = 4 };
enum { DIES = 200, SPOIL };
enum { RECORDS = 64, NODES = 64, HANDLES = 32, PACKET = 70000, PATIENCE_MS = 30000 };

struct asked {
    uint64_t unique; /* 0: answered, or there is no answer to it */
    bool awaited;
    uint32_t opcode;
    uid_t uid;
};

struct harness {
    struct keeper keeper;
    struct asked asked[RECORDS + 1];
    size_t count;
    uint64_t nodes[NODES], handles[HANDLES];
    size_t node_count, handle_count;
    bool lost; /* what was handed over is no file system's any more */
};

/* An interrupt of a request that is not there is answered with EAGAIN, at some time: the kernel
 * then sends it again. */
static bool is_awaited(uint32_t opcode) {
    return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

static void learn_node(struct harness *harness, uint64_t node) {
    if (node && harness->node_count < NODES)
        harness->nodes[harness->node_count++] = node;
}

static void learn(struct harness *harness, uint32_t opcode, const uint8_t *body, size_t len) {
    struct fuse_entry_out entry;
    struct fuse_open_out open;
    if (opcode == FUSE_LOOKUP && len == sizeof(entry)) {
        memcpy(&entry, body, sizeof(entry));
        learn_node(harness, entry.nodeid);
    } else if (opcode == FUSE_OPEN && len == sizeof(open) && harness->handle_count < HANDLES) {
        memcpy(&open, body, sizeof(open));
        harness->handles[harness->handle_count++] = open.fh;
    } else if (opcode == FUSE_READDIRPLUS && len >= sizeof(entry)) {
        memcpy(&entry, body, sizeof(entry));
        learn_node(harness, entry.nodeid);
    }
}

/* Bytes of a key are in answers to reads of who may have it, and nowhere else. */
static void check_secrecy(const struct asked *asked, const uint8_t *body, size_t len) {
    const uint8_t *mark = len ? memmem(body, len, KEY_MARK, strlen(KEY_MARK)) : NULL;
    if (!mark)
        return;
    if (asked->opcode != FUSE_READ || memmem(body, len, KEY_MARK "gamma", strlen(KEY_MARK "gamma")))
        abort();
    if (asked->uid != 0 && memmem(body, len, KEY_MARK "alpha", strlen(KEY_MARK "alpha")))
        abort();
}

static void take_answer(struct harness *harness, const uint8_t *packet, size_t len) {
    struct fuse_out_header out;
    if (len < sizeof(out))
        abort();
    memcpy(&out, packet, sizeof(out));
    if (out.len != len || out.error > (out.unique ? 0 : 64) || out.error < -4095 ||
            (out.unique && out.error && len != sizeof(out)))
        abort();
    if (out.unique == 0) /* a notice: pages to drop, requests to send again */
        return;
    for (size_t i = 0; i < harness->count; i++) {
        struct asked *asked = &harness->asked[i];
        if (asked->unique != out.unique)
            continue;
        check_secrecy(asked, packet + sizeof(out), len - sizeof(out));
        if (!out.error)
            learn(harness, asked->opcode, packet + sizeof(out), len - sizeof(out));
        if (asked->opcode == FUSE_INTERRUPT && out.error != -EAGAIN)
            abort();
        asked->unique = 0;
        asked->awaited = false;
        return;
    }
    if (!harness->lost)
        abort(); /* nobody asked that, or it was answered before */
}

/* Takes an answer that comes within so long. */
static bool hear(struct harness *harness, int patience_ms) {
    static uint8_t packet[PACKET];
    struct pollfd ready = {.fd = harness->keeper.ends[0], .events = POLLIN};
    if (poll(&ready, 1, patience_ms) <= 0 || !(ready.revents & POLLIN))
        return false;
    ssize_t len = recv(harness->keeper.ends[0], packet, sizeof(packet), MSG_DONTWAIT);
    if (len <= 0)
        return false;
    take_answer(harness, packet, (size_t)len);
    return true;
}

static void wait_for(struct harness *harness, const struct asked *asked) {
    for (int waited = 0; asked->awaited; waited++) {
        if (hear(harness, 1))
            continue;
        /* The device fails for what is no request; a key that is held is waited for later. */
        if (harness->lost || (asked->opcode == FUSE_OPEN && keeper_waiting()))
            return;
        if (waited > PATIENCE_MS)
            abort();
    }
}

static void send_request(
        struct harness *harness, struct fuse_in_header *in, const uint8_t *body, size_t len) {
    uint8_t packet[sizeof(*in) + 512] = {0};
    struct asked *asked = &harness->asked[harness->count++];
    /* The kernel's requests are as long as their opcode says, and names end with NUL. */
    in->len = (uint32_t)(sizeof(*in) + (len < 128 ? 128 : len + 1));
    in->unique = 2 * harness->count;
    memcpy(packet, in, sizeof(*in));
    if (len)
        memcpy(packet + sizeof(*in), body, len);
    *asked =
            (struct asked){.opcode = in->opcode, .uid = in->uid, .awaited = is_awaited(in->opcode)};
    if (asked->awaited || in->opcode == FUSE_INTERRUPT)
        asked->unique = in->unique;
    if (send(harness->keeper.ends[0], packet, in->len, MSG_NOSIGNAL) < 0)
        harness->lost = true;
}

static void begin(struct harness *harness, bool first) {
    struct fuse_in_header in = {.opcode = FUSE_INIT};
    const struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION,
            .minor = FUSE_KERNEL_MINOR_VERSION,
            .max_readahead = 131072,
            .flags = UINT32_MAX & ~(uint32_t)FUSE_INIT_EXT};
    keeper_serve(&harness->keeper);
    if (!first)
        return;
    send_request(harness, &in, (const uint8_t *)&init, sizeof(init));
    wait_for(harness, &harness->asked[harness->count - 1]);
}

static void end(struct harness *harness) {
    keeper_stop(&harness->keeper);
    while (hear(harness, 0))
        ;
    close(harness->keeper.ends[0]);
    harness->lost |= harness->keeper.result < 0;
}

/* Its first pages: the length and octets of the kernel's first request, and requests in flight. */
static void spoil(struct harness *harness, const uint8_t *body, size_t len) {
    if (len < 3)
        return;
    size_t at = (body[0] | (size_t)body[1] << 8) % 4096;
    for (size_t i = 2; i < len; i++)
        ((volatile uint8_t *)harness->keeper.handover)[at + i - 2] = body[i];
    harness->lost = true;
}

static void ask(struct harness *harness, const uint8_t *record, uint8_t *body, size_t len) {
    static const uid_t users[] = {0, 1000, 65534};
    struct fuse_in_header in = {.opcode = record[0],
            .uid = users[record[3] % 3],
            .gid = users[record[3] / 3 % 3],
            .pid = record[3] >> 2,
            .nodeid = harness->nodes[record[2] % harness->node_count]};
    if (record[1] & RAW_NODE && len >= sizeof(in.nodeid))
        memcpy(&in.nodeid, body, sizeof(in.nodeid));
    if (record[1] & HANDLE && len >= sizeof(uint64_t) && harness->handle_count)
        memcpy(body, &harness->handles[body[0] % harness->handle_count], sizeof(uint64_t));
    /* Asked once in the life of a connection, and what answers a notice that is never sent. */
    if (in.opcode == FUSE_INIT || in.opcode == FUSE_DESTROY || in.opcode == FUSE_NOTIFY_REPLY)
        return;
    send_request(harness, &in, body, len);
    if (!(record[1] & AT_ONCE))
        wait_for(harness, &harness->asked[harness->count - 1]);
}

static void perform(struct harness *harness, const uint8_t *record, uint8_t *body, size_t len) {
    if (record[0] == DIES) {
        end(harness);
        begin(harness, false);
    } else if (record[0] == SPOIL) {
        spoil(harness, body, len);
    } else {
        ask(harness, record, body, len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { HEAD = 5 };
    static struct harness harness;
    uint8_t body[256];
    harness = (struct harness){.nodes = {FUSE_ROOT_ID}, .node_count = 1};
    keeper_new(&harness.keeper);
    begin(&harness, true);
    while (size >= HEAD && harness.count < RECORDS) {
        size_t len = data[4] < size - HEAD ? data[4] : size - HEAD;
        memcpy(body, data + HEAD, len);
        perform(&harness, data, body, len);
        data += HEAD + len;
        size -= HEAD + len;
    }
    keeper_let_go();
    for (size_t i = 0; i < harness.count; i++)
        wait_for(&harness, &harness.asked[i]);
    end(&harness);
    keeper_free(&harness.keeper);
    return 0;
}
