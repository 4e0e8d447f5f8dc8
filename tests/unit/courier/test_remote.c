#include "support.h"

#include "../../../src/courier/protocol.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define SECONDS(n) (skrfs_now_ns() + (n)*SKRFS_SECOND_NS)

/* A backend that answers from what it was asked, so that one answer can be told from another. */
struct fake {
    struct skrfs_courier base;
    int begun_fd;     /* gets an octet when a release begins; -1: none */
    unsigned hold_ms; /* how long a release takes */
};

static int fake_attest(struct skrfs_courier *courier, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) {
    (void)courier;
    (void)deadline_ns;
    skrfs_trace_end(trace, skrfs_trace_begin(trace, "fake"), "%zu", evidence->event_log.len);
    /* The sum of the log proves that every octet came. */
    uint64_t sum = 0;
    for (size_t i = 0; i < evidence->event_log.len; i++)
        sum = sum * 31 + evidence->event_log.data[i];
    return skrfs_buf_append(&ret_sealed->cipher, &sum, sizeof(sum), err);
}

static int fake_inspect(struct skrfs_courier *courier, struct skrfs_bytes token,
        uint64_t deadline_ns, struct skrfs_token_info *ret_info, struct skrfs_error *err) {
    (void)courier;
    (void)deadline_ns;
    ret_info->not_after_s = (int64_t)token.len;
    ret_info->claims = SKRFS_BUF(SKRFS_TOKEN_MAX);
    return skrfs_buf_append(&ret_info->claims, token.data, token.len, err);
}

static int fake_release(struct skrfs_courier *courier, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *err) {
    const struct fake *fake = (const struct fake *)courier;
    (void)trace;
    if (fake->begun_fd >= 0 && write(fake->begun_fd, "b", 1) != 1)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the test's pipe");
    (void)skrfs_sleep_until(skrfs_now_ns() + fake->hold_ms * SKRFS_MILLISECOND_NS, deadline_ns);
    return skrfs_buf_printf(ret_jws, err, "jws of %s", ask->name);
}

static int fake_key_show(struct skrfs_courier *courier, size_t vault, const char *name,
        const char *version, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) {
    (void)courier;
    (void)version;
    (void)deadline_ns;
    (void)ret_key;
    skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "vault %zu has no key '%s'", vault, name);
    err->upstream = 404;
    return -1;
}

static const struct skrfs_courier_ops fake_ops = {
        .attest = fake_attest,
        .inspect = fake_inspect,
        .release = fake_release,
        .key_show = fake_key_show,
};

/* Both ends of the pair, as the parent keeps them, and a courier process on the second. */
struct world {
    int ends[2];
    int begun[2];
    struct skrfs_courier *remote;
    pid_t courier;
};

/* The test's other half: this program again, as the courier process. Executed rather than only
 * forked, since the keeper's half has threads. */
static int be_courier(char **argv) {
    struct skrfs_error err = {0};
    struct fake fake = {
            .base.ops = &fake_ops,
            .begun_fd = (int)strtol(argv[1], NULL, 10),
            .hold_ms = (unsigned)strtoul(argv[2], NULL, 10),
    };
    return skrfs_courier_serve_ops((int)strtol(argv[0], NULL, 10), &fake.base, &err) == 0 ? 0 : 1;
}

static pid_t start_courier(const struct world *world, unsigned hold_ms) {
    char socket_fd[16], begun_fd[16], hold[16];
    snprintf(socket_fd, sizeof(socket_fd), "%d", world->ends[1]);
    snprintf(begun_fd, sizeof(begun_fd), "%d", world->begun[1]);
    snprintf(hold, sizeof(hold), "%u", hold_ms);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child)
        return child;
    if (fcntl(world->ends[1], F_SETFD, 0) == 0)
        execl("/proc/self/exe", "courier", socket_fd, begun_fd, hold, (char *)NULL);
    _exit(127);
}

static void stop_courier(struct world *world) {
    if (world->courier <= 0)
        return;
    assert_int_equal(kill(world->courier, SIGKILL), 0);
    assert_int_equal(waitpid(world->courier, NULL, 0), world->courier);
    world->courier = 0;
}

static int set_up(void **state) {
    struct skrfs_error err = {0};
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, world->ends), 0);
    assert_int_equal(pipe(world->begun), 0);
    int keeper = dup(world->ends[0]);
    assert_true(keeper >= 0);
    assert_ok(skrfs_courier_remote(keeper, &world->remote, &err), err);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    struct world *world = *state;
    skrfs_courier_close(world->remote);
    stop_courier(world);
    for (int i = 0; i < 2; i++) {
        close(world->ends[i]);
        close(world->begun[i]);
    }
    free(world);
    return 0;
}

static int release(struct skrfs_courier *courier, const char *name, uint64_t deadline_ns,
        struct skrfs_buf *jws, struct skrfs_error *err) {
    const struct skrfs_release_ask ask = {
            .name = name, .nonce = "n", .token = {(const uint8_t *)"a.b.c", 5}};
    return courier->ops->release(courier, &ask, deadline_ns, NULL, jws, err);
}

static void answers_each_kind(void **state) {
    struct world *world = *state;
    struct skrfs_error err = {0};
    world->courier = start_courier(world, 0);
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    assert_ok(release(world->remote, "k1", SECONDS(20), &jws, &err), err);
    assert_string_equal(skrfs_buf_text(&jws), "jws of k1");

    SKRFS_CLEANUP(skrfs_token_info_done) struct skrfs_token_info info = {0};
    struct skrfs_bytes token = {(const uint8_t *)"four", 4};
    assert_ok(world->remote->ops->inspect(world->remote, token, SECONDS(20), &info, &err), err);
    assert_int_equal(info.not_after_s, 4);
    assert_string_equal(skrfs_buf_text(&info.claims), "four");

    skrfs_autovaultkey key = {0};
    assert_fails(world->remote->ops->key_show(world->remote, 7, "k", NULL, SECONDS(20), &key, &err),
            err, SKRFS_CLASS_NOT_FOUND, "vault 7 has no key 'k'");
    assert_int_equal(err.upstream, 404);
}

static void carries_a_large_log(void **state) {
    struct world *world = *state;
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    skrfs_evidence_init(&evidence);
    uint8_t *space = NULL;
    uint64_t sum = 0;
    assert_ok(skrfs_buf_extend(&evidence.event_log, 300000, &space, &err), err);
    for (size_t i = 0; i < 300000; i++) {
        space[i] = (uint8_t)(i * 7);
        sum = sum * 31 + space[i];
    }
    world->courier = start_courier(world, 0);
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    struct skrfs_trace trace;
    skrfs_trace_start(&trace);
    assert_ok(world->remote->ops->attest(
                      world->remote, &evidence, SECONDS(20), &trace, &sealed, &err),
            err);
    assert_int_equal(sealed.cipher.len, sizeof(sum));
    assert_memory_equal(sealed.cipher.data, &sum, sizeof(sum));
    assert_int_equal(trace.count, 1);
    assert_string_equal(trace.steps[0].note, "300000");
}

struct caller {
    pthread_t thread;
    struct skrfs_courier *courier;
    char name[16];
    int result;
    struct skrfs_buf jws;
    struct skrfs_error err;
};

static void *call_in_thread(void *context) {
    struct caller *caller = context;
    caller->jws = SKRFS_BUF(SKRFS_JWS_MAX);
    caller->result =
            release(caller->courier, caller->name, SECONDS(30), &caller->jws, &caller->err);
    return NULL;
}

static void start_caller(struct caller *caller, struct skrfs_courier *courier, unsigned number) {
    caller->courier = courier;
    snprintf(caller->name, sizeof(caller->name), "key-%u", number);
    assert_int_equal(pthread_create(&caller->thread, NULL, call_in_thread, caller), 0);
}

static void check_caller(struct caller *caller) {
    char wanted[32];
    assert_int_equal(pthread_join(caller->thread, NULL), 0);
    assert_ok(caller->result, caller->err);
    snprintf(wanted, sizeof(wanted), "jws of %s", caller->name);
    assert_string_equal(skrfs_buf_text(&caller->jws), wanted);
    skrfs_buf_done(&caller->jws);
}

static void serves_many_at_once(void **state) {
    struct world *world = *state;
    static struct caller callers[64];
    world->courier = start_courier(world, 20);
    for (unsigned i = 0; i < SKRFS_ARRAY_LEN(callers); i++)
        start_caller(&callers[i], world->remote, i);
    for (unsigned i = 0; i < SKRFS_ARRAY_LEN(callers); i++)
        check_caller(&callers[i]);
}

static void waits_for_the_first_courier(void **state) {
    struct world *world = *state;
    struct caller caller = {0};
    start_caller(&caller, world->remote, 1);
    (void)skrfs_sleep_until(skrfs_now_ns() + 50 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    world->courier = start_courier(world, 0);
    check_caller(&caller);
}

/* Killed in the midst of a request: the next courier gets it again and the caller sees no failure.
 */
static void survives_a_killed_courier(void **state) {
    struct world *world = *state;
    struct caller caller = {0};
    char octet = 0;
    world->courier = start_courier(world, 60000);
    start_caller(&caller, world->remote, 1);
    assert_int_equal(read(world->begun[0], &octet, 1), 1);
    stop_courier(world);
    world->courier = start_courier(world, 0);
    check_caller(&caller);
}

static void gives_up_at_the_deadline(void **state) {
    struct world *world = *state;
    struct skrfs_error err = {0};
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    uint64_t begun = skrfs_now_ns();
    assert_fails(release(world->remote, "k", begun + 100 * SKRFS_MILLISECOND_NS, &jws, &err), err,
            SKRFS_CLASS_TIMEOUT, "no courier has come up");
    assert_true(err.retryable);
    assert_true(skrfs_now_ns() - begun < 5 * SKRFS_SECOND_NS);
}

/* With nobody reading, the socket's buffer fills: sending must end at the deadline too. */
static void gives_up_sending_at_the_deadline(void **state) {
    struct world *world = *state;
    struct skrfs_error err = {0};
    world->courier = start_courier(world, 0);
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    assert_ok(release(world->remote, "k", SECONDS(20), &jws, &err), err);
    stop_courier(world);
    skrfs_autoevidence evidence;
    skrfs_evidence_init(&evidence);
    uint8_t *space = NULL;
    assert_ok(skrfs_buf_extend(&evidence.event_log, SKRFS_EVENT_LOG_MAX, &space, &err), err);
    memset(space, 1, SKRFS_EVENT_LOG_MAX);
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    uint64_t deadline = skrfs_now_ns() + 300 * SKRFS_MILLISECOND_NS;
    assert_fails(
            world->remote->ops->attest(world->remote, &evidence, deadline, NULL, &sealed, &err),
            err, SKRFS_CLASS_TIMEOUT, "did not answer in time");
    assert_true(skrfs_now_ns() < deadline + 5 * SKRFS_SECOND_NS);
}

/* A keeper that is new while the courier is not. */
static void survives_a_new_keeper(void **state) {
    struct world *world = *state;
    struct skrfs_error err = {0};
    world->courier = start_courier(world, 0);
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX), again = SKRFS_BUF(SKRFS_JWS_MAX);
    assert_ok(release(world->remote, "k1", SECONDS(20), &jws, &err), err);
    skrfs_courier_close(world->remote);
    world->remote = NULL;
    int keeper = dup(world->ends[0]);
    assert_ok(skrfs_courier_remote(keeper, &world->remote, &err), err);
    assert_ok(release(world->remote, "k2", SECONDS(20), &again, &err), err);
    assert_string_equal(skrfs_buf_text(&again), "jws of k2");
}

static void send_packet(
        const struct world *world, uint64_t id, uint32_t kind, const void *data, size_t len) {
    struct skrfs_error err = {0};
    skrfs_autobuf packet = SKRFS_BUF(PACKET_MAX);
    struct skrfs_bytes message = {data, len};
    assert_ok(skrfs_fragment_build(id, kind, message, 0, &packet, &err), err);
    assert_int_equal(send(world->ends[1], packet.data, packet.len, 0), packet.len);
}

static void read_request(const struct world *world, struct fragment *ret_fragment, uint8_t *space) {
    do {
        ssize_t len = recv(world->ends[1], space, PACKET_MAX, 0);
        assert_true(len > 0);
        assert_true(skrfs_fragment_parse((struct skrfs_bytes){space, (size_t)len}, ret_fragment));
    } while (ret_fragment->kind == MESSAGE_KNOCK);
}

/* A taken-over courier: rubbish, other people's answers, and then an answer that is malformed. */
static void sees_through_a_lying_courier(void **state) {
    struct world *world = *state;
    static uint8_t space[PACKET_MAX + 1];
    struct caller caller = {0};
    struct fragment fragment;
    start_caller(&caller, world->remote, 1);
    send_packet(world, 0, MESSAGE_HELLO, "12345678", 8);
    read_request(world, &fragment, space);
    assert_int_equal(fragment.kind, MESSAGE_RELEASE);
    uint64_t id = fragment.id;
    assert_int_equal(send(world->ends[1], "rubbish", 7, 0), 7);
    assert_int_equal(send(world->ends[1], "", 0, 0), 0);
    assert_int_equal(send(world->ends[1], space, sizeof(space), 0), sizeof(space));
    send_packet(world, id + 1, MESSAGE_RELEASE | MESSAGE_ANSWER, "x", 1);
    send_packet(world, id, MESSAGE_ATTEST | MESSAGE_ANSWER, "x", 1);
    send_packet(world, 0, MESSAGE_HELLO, "short", 5);
    send_packet(world, 0, MESSAGE_HELLO, "\0\0\0\0\0\0\0\0", 8);
    send_packet(world, id, MESSAGE_RELEASE | MESSAGE_ANSWER, "\1\0\0\0\0\377\377\377\377", 9);
    assert_int_equal(pthread_join(caller.thread, NULL), 0);
    assert_fails(caller.result, caller.err, SKRFS_CLASS_BAD_ANSWER, "malformed");
    skrfs_buf_done(&caller.jws);
}

/* A hello in the midst of an answer: the half that came is forgotten and the request is sent again.
 */
static void forgets_half_an_answer(void **state) {
    struct world *world = *state;
    static uint8_t space[PACKET_MAX];
    struct skrfs_error err = {0};
    struct caller caller = {0};
    struct fragment fragment;
    start_caller(&caller, world->remote, 1);
    send_packet(world, 0, MESSAGE_HELLO, "12345678", 8);
    read_request(world, &fragment, space);
    uint64_t id = fragment.id;
    static uint8_t large[FRAGMENT_MAX + 100];
    send_packet(world, id, MESSAGE_RELEASE | MESSAGE_ANSWER, large, sizeof(large));
    send_packet(world, 0, MESSAGE_HELLO, "87654321", 8);
    read_request(world, &fragment, space);
    assert_int_equal(fragment.id, id);
    skrfs_autobuf out = SKRFS_BUF(MESSAGE_MAX), jws = SKRFS_BUF(100);
    struct pen pen = {.out = &out, .err = &err};
    assert_ok(skrfs_buf_append_text(&jws, "jws of key-1", &err), err);
    skrfs_answer_begin(&pen, NULL, NULL);
    skrfs_answer_put_jws(&pen, &jws);
    send_packet(world, id, MESSAGE_RELEASE | MESSAGE_ANSWER, out.data, out.len);
    check_caller(&caller);
}

static void tells_when_the_socket_closes(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    SKRFS_CLEANUP(skrfs_courier_close_p) struct skrfs_courier *courier = NULL;
    assert_ok(skrfs_courier_remote(ends[0], &courier, &err), err);
    close(ends[1]);
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    assert_fails(release(courier, "k", SECONDS(20), &jws, &err), err, SKRFS_CLASS_UNAVAILABLE,
            "socket is closed");
}

static void serving_ends_with_the_socket(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    struct fake fake = {.base.ops = &fake_ops, .begun_fd = -1};
    assert_int_equal(shutdown(ends[0], SHUT_WR), 0);
    assert_ok(skrfs_courier_serve_ops(ends[1], &fake.base, &err), err);
    close(ends[0]);
    close(ends[1]);
}

#define in_a_world(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv) {
    if (argc == 4)
        return be_courier(argv + 1);
    const struct CMUnitTest tests[] = {
            in_a_world(answers_each_kind),
            in_a_world(carries_a_large_log),
            in_a_world(serves_many_at_once),
            in_a_world(waits_for_the_first_courier),
            in_a_world(survives_a_killed_courier),
            in_a_world(gives_up_at_the_deadline),
            in_a_world(gives_up_sending_at_the_deadline),
            in_a_world(survives_a_new_keeper),
            in_a_world(sees_through_a_lying_courier),
            in_a_world(forgets_half_an_answer),
            cmocka_unit_test(tells_when_the_socket_closes),
            cmocka_unit_test(serving_ends_with_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
