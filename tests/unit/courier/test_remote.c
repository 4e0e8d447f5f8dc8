#include "world.h"

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
            cmocka_unit_test(tells_when_the_socket_closes),
            cmocka_unit_test(serving_ends_with_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
