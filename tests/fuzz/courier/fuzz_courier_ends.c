/* Both ends of the courier's socket against whoever sits on the other: a keeper that waits for
 * answers of a courier that was taken over, and a courier that hears requests of a keeper that was.
 * The first octet chooses the end and the question, the second the answers of the courier's
 * backend; then come packets, each behind its length in two octets. In what goes to the keeper an
 * id of 0 stands for that of its question.
 *
 * leaks are not looked for: the ends' numbers are OpenSSL's, of a generator in each thread. */
#include "../../../src/courier/protocol.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at, *end;
    unsigned what, how;
};

static struct skrfs_bytes next_packet(struct input *input) {
    size_t left = (size_t)(input->end - input->at);
    if (left < 2)
        return (struct skrfs_bytes){NULL, 0};
    size_t len = input->at[0] | (size_t)input->at[1] << 8;
    const uint8_t *data = input->at + 2;
    if (len > left - 2)
        len = left - 2;
    input->at = data + len;
    return (struct skrfs_bytes){data, len};
}

static void send_packets(struct input *input, int fd, uint64_t id) {
    static uint8_t copy[PACKET_MAX + 64];
    for (struct skrfs_bytes packet; (packet = next_packet(input)).data;) {
        size_t len = packet.len < sizeof(copy) ? packet.len : sizeof(copy);
        memcpy(copy, packet.data, len);
        uint64_t theirs = 1;
        if (len >= FRAGMENT_HEADER)
            memcpy(&theirs, copy + 8, sizeof(theirs));
        if (theirs == 0)
            memcpy(copy + 8, &id, sizeof(id));
        if (send(fd, copy, len, MSG_NOSIGNAL) < 0)
            return;
    }
}

static void open_pair(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
}

/* The taken-over courier: says hello, hears the question, sends what it likes, hangs up. */
struct courier {
    int fd;
    struct input *input;
};

static void *be_courier(void *context) {
    const struct courier *courier = context;
    struct skrfs_error err;
    skrfs_autobuf packet = SKRFS_BUF(PACKET_MAX);
    static const uint8_t instance[8] = {7};
    uint8_t heard[PACKET_MAX];
    uint64_t id = 0;
    if (skrfs_fragment_build(0, MESSAGE_HELLO, (struct skrfs_bytes){instance, sizeof(instance)}, 0,
                &packet, &err) < 0 ||
            send(courier->fd, packet.data, packet.len, MSG_NOSIGNAL) < 0)
        abort();
    for (struct fragment fragment = {.kind = MESSAGE_KNOCK}; fragment.kind == MESSAGE_KNOCK;) {
        ssize_t len = recv(courier->fd, heard, sizeof(heard), 0);
        if (len <= 0 || !skrfs_fragment_parse((struct skrfs_bytes){heard, (size_t)len}, &fragment))
            abort();
        id = fragment.id;
    }
    send_packets(courier->input, courier->fd, id);
    /* It may also close only one direction. */
    if (courier->input->how & 2)
        (void)shutdown(courier->fd, SHUT_WR);
    else
        close(courier->fd);
    return NULL;
}

static void check_error(int result, const struct skrfs_error *err) {
    if (result == 0)
        return;
    if (err->kind >= SKRFS_CLASS_COUNT || !memchr(err->message, 0, sizeof(err->message)))
        abort();
}

static void ask(struct skrfs_courier *courier, unsigned what) {
    const uint64_t until = skrfs_now_ns() + 60 * SKRFS_SECOND_NS;
    struct skrfs_error err = {0};
    struct skrfs_trace trace;
    skrfs_autoevidence evidence;
    skrfs_autosealed sealed;
    SKRFS_CLEANUP(skrfs_token_info_done) struct skrfs_token_info info = {0};
    skrfs_autovaultkey key = {0};
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    const struct skrfs_bytes token = {(const uint8_t *)"a.b.c", 5};
    const struct skrfs_release_ask release = {.name = "k", .nonce = "n", .token = token};
    skrfs_trace_start(&trace);
    skrfs_evidence_init(&evidence);
    evidence.kind = SKRFS_EVIDENCE_SGX;
    skrfs_sealed_token_init(&sealed);
    int result;
    if (what == 0)
        result = courier->ops->attest(courier, &evidence, until, &trace, &sealed, &err);
    else if (what == 1)
        result = courier->ops->inspect(courier, token, until, &info, &err);
    else if (what == 2)
        result = courier->ops->release(courier, &release, until, &trace, &jws, &err);
    else
        result = courier->ops->key_show(courier, 0, "k", NULL, until, &key, &err);
    check_error(result, &err);
}

static void keeper(struct input *input) {
    struct skrfs_error err;
    struct skrfs_courier *remote = NULL;
    pthread_t thread;
    int ends[2];
    open_pair(ends);
    struct courier courier = {ends[1], input};
    if (skrfs_courier_remote(ends[0], &remote, &err) < 0 ||
            pthread_create(&thread, NULL, be_courier, &courier) != 0)
        abort();
    ask(remote, input->what);
    (void)pthread_join(thread, NULL);
    skrfs_courier_close(remote);
    if (input->how & 2)
        close(ends[1]);
}

/* The backend of the courier that is asked: it does, or it fails. */
static bool fails;

static int fail(struct skrfs_error *err) {
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "no network");
    return skrfs_fail_retryable(err, skrfs_now_ns() + SKRFS_SECOND_NS);
}

static int do_attest(struct skrfs_courier *courier, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) {
    (void)courier;
    (void)deadline_ns;
    skrfs_trace_end(trace, skrfs_trace_begin(trace, "asked"), "%zu octets", evidence->report.len);
    return fails ? fail(err) : skrfs_buf_append_text(&ret_sealed->clear, "a.b.c", err);
}

static int do_inspect(struct skrfs_courier *courier, struct skrfs_bytes token, uint64_t deadline_ns,
        struct skrfs_token_info *ret_info, struct skrfs_error *err) {
    (void)courier;
    (void)deadline_ns;
    *ret_info = (struct skrfs_token_info){
            .not_after_s = (int64_t)token.len + 1, .claims = SKRFS_BUF(SKRFS_TOKEN_MAX)};
    return fails ? fail(err) : skrfs_buf_append_text(&ret_info->claims, "{}", err);
}

static int do_release(struct skrfs_courier *courier, const struct skrfs_release_ask *asked,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *err) {
    (void)courier;
    (void)deadline_ns;
    (void)trace;
    return fails ? fail(err) : skrfs_buf_append_text(ret_jws, asked->name, err);
}

static int do_key_show(struct skrfs_courier *courier, size_t vault, const char *name,
        const char *version, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) {
    (void)courier;
    (void)vault;
    (void)deadline_ns;
    (void)snprintf(ret_key->kid, sizeof(ret_key->kid), "https://v/keys/%s/%s", name,
            version ? version : "1");
    return fails ? fail(err) : 0;
}

static void *drain(void *context) {
    uint8_t heard[PACKET_MAX];
    struct fragment fragment;
    for (ssize_t len; (len = recv(*(const int *)context, heard, sizeof(heard), 0)) > 0;)
        if (!skrfs_fragment_parse((struct skrfs_bytes){heard, (size_t)len}, &fragment))
            abort(); /* what a courier sends is well formed whatever it was sent */
    return NULL;
}

struct served {
    int fd;
};

static void *serve(void *context) {
    static const struct skrfs_courier_ops ops = {.attest = do_attest,
            .inspect = do_inspect,
            .release = do_release,
            .key_show = do_key_show};
    const struct served *served = context;
    struct skrfs_courier backend = {.ops = &ops};
    struct skrfs_error err;
    if (skrfs_courier_serve_ops(served->fd, &backend, &err) < 0)
        abort();
    close(served->fd);
    return NULL;
}

static void courier(struct input *input) {
    pthread_t server, reader;
    int ends[2];
    open_pair(ends);
    struct served served = {ends[1]};
    uint8_t hello[PACKET_MAX];
    fails = input->how & 1;
    /* What came before the hello was for its predecessor. */
    if (pthread_create(&server, NULL, serve, &served) != 0 ||
            recv(ends[0], hello, sizeof(hello), 0) <= 0 ||
            pthread_create(&reader, NULL, drain, &ends[0]) != 0)
        abort();
    send_packets(input, ends[0], 0);
    (void)shutdown(ends[0], SHUT_WR);
    (void)pthread_join(server, NULL);
    (void)pthread_join(reader, NULL);
    close(ends[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct input input = {data + 2, data + size, data[0] >> 1 & 3, data[1]};
    if (data[0] & 1)
        courier(&input);
    else
        keeper(&input);
    return 0;
}
