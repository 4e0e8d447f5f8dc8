/* A keeper's end, a courier process with a made-up network behind it, and callers. */
#ifndef SKRFS_TESTS_COURIER_WORLD_H
#define SKRFS_TESTS_COURIER_WORLD_H

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

static inline int fake_attest(struct skrfs_courier *courier, const struct skrfs_evidence *evidence,
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

static inline int fake_inspect(struct skrfs_courier *courier, struct skrfs_bytes token,
        uint64_t deadline_ns, struct skrfs_token_info *ret_info, struct skrfs_error *err) {
    (void)courier;
    (void)deadline_ns;
    ret_info->not_after_s = (int64_t)token.len;
    ret_info->claims = SKRFS_BUF(SKRFS_TOKEN_MAX);
    return skrfs_buf_append(&ret_info->claims, token.data, token.len, err);
}

static inline int fake_release(struct skrfs_courier *courier, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *err) {
    const struct fake *fake = (const struct fake *)courier;
    (void)trace;
    if (fake->begun_fd >= 0 && write(fake->begun_fd, "b", 1) != 1)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the test's pipe");
    (void)skrfs_sleep_until(skrfs_now_ns() + fake->hold_ms * SKRFS_MILLISECOND_NS, deadline_ns);
    return skrfs_buf_printf(ret_jws, err, "jws of %s", ask->name);
}

static inline int fake_key_show(struct skrfs_courier *courier, size_t vault, const char *name,
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
static inline int be_courier(char **argv) {
    struct skrfs_error err = {0};
    struct fake fake = {
            .base.ops = &fake_ops,
            .begun_fd = (int)strtol(argv[1], NULL, 10),
            .hold_ms = (unsigned)strtoul(argv[2], NULL, 10),
    };
    return skrfs_courier_serve_ops((int)strtol(argv[0], NULL, 10), &fake.base, &err) == 0 ? 0 : 1;
}

static inline pid_t start_courier(const struct world *world, unsigned hold_ms) {
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

static inline void stop_courier(struct world *world) {
    if (world->courier <= 0)
        return;
    assert_int_equal(kill(world->courier, SIGKILL), 0);
    assert_int_equal(waitpid(world->courier, NULL, 0), world->courier);
    world->courier = 0;
}

static inline int world_set_up(void **state) {
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

static inline int world_tear_down(void **state) {
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

static inline int release(struct skrfs_courier *courier, const char *name, uint64_t deadline_ns,
        struct skrfs_buf *jws, struct skrfs_error *err) {
    const struct skrfs_release_ask ask = {
            .name = name, .nonce = "n", .token = {(const uint8_t *)"a.b.c", 5}};
    return courier->ops->release(courier, &ask, deadline_ns, NULL, jws, err);
}

struct caller {
    pthread_t thread;
    struct skrfs_courier *courier;
    char name[16];
    int result;
    struct skrfs_buf jws;
    struct skrfs_error err;
};

static inline void *call_in_thread(void *context) {
    struct caller *caller = context;
    caller->jws = SKRFS_BUF(SKRFS_JWS_MAX);
    caller->result =
            release(caller->courier, caller->name, SECONDS(30), &caller->jws, &caller->err);
    return NULL;
}

static inline void start_caller(
        struct caller *caller, struct skrfs_courier *courier, unsigned number) {
    caller->courier = courier;
    snprintf(caller->name, sizeof(caller->name), "key-%u", number);
    assert_int_equal(pthread_create(&caller->thread, NULL, call_in_thread, caller), 0);
}

static inline void check_caller(struct caller *caller) {
    char wanted[32];
    assert_int_equal(pthread_join(caller->thread, NULL), 0);
    assert_ok(caller->result, caller->err);
    snprintf(wanted, sizeof(wanted), "jws of %s", caller->name);
    assert_string_equal(skrfs_buf_text(&caller->jws), wanted);
    skrfs_buf_done(&caller->jws);
}

#define in_a_world(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

#endif
