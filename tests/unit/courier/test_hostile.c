#include "world.h"

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

static void send_part(const struct world *world, uint64_t id) {
    struct skrfs_error err = {0};
    skrfs_autobuf packet = SKRFS_BUF(PACKET_MAX);
    static const uint8_t message[FRAGMENT_MAX + 1];
    struct skrfs_bytes bytes = {message, sizeof(message)};
    assert_ok(skrfs_fragment_build(id, MESSAGE_RELEASE, bytes, 0, &packet, &err), err);
    assert_int_equal(send(world->ends[0], packet.data, packet.len, 0), packet.len);
}

/* What a predecessor may leave on the socket, or a keeper that was taken over: flags, empty
 * packets, questions that are never ended. A courier answers the next question all the same. */
static void outlives_what_is_left_to_it(void **state) {
    struct world *world = *state;
    struct caller caller = {0};
    assert_int_equal(fcntl(world->ends[1], F_SETFL, O_NONBLOCK), 0);
    world->courier = start_courier(world, 0);
    start_caller(&caller, world->remote, 1);
    check_caller(&caller);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(send(world->ends[0], "", 0, 0), 0);
    for (uint64_t id = 1; id <= 300; id++)
        send_part(world, id);
    for (unsigned i = 2; i < 5; i++) {
        start_caller(&caller, world->remote, i);
        check_caller(&caller);
    }
    assert_int_equal(waitpid(world->courier, NULL, WNOHANG), 0);
}

int main(int argc, char **argv) {
    if (argc == 4)
        return be_courier(argv + 1);
    const struct CMUnitTest tests[] = {
            in_a_world(sees_through_a_lying_courier),
            in_a_world(forgets_half_an_answer),
            in_a_world(outlives_what_is_left_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
