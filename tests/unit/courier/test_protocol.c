#include "support.h"

#include "../../../src/courier/protocol.h"

static void fill(struct skrfs_buf *buf, size_t len, uint8_t first) {
    struct skrfs_error err = {0};
    uint8_t *space = NULL;
    assert_ok(skrfs_buf_extend(buf, len, &space, &err), err);
    for (size_t i = 0; i < len; i++)
        space[i] = (uint8_t)(first + i);
}

static void same(const struct skrfs_buf *a, const struct skrfs_buf *b) {
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->data, b->data, a->len);
}

static void fill_evidence(struct skrfs_evidence *evidence) {
    skrfs_evidence_init(evidence);
    memset(evidence->nonce, 'a', sizeof(evidence->nonce) - 1);
    fill(&evidence->hcl_report, 2000, 1);
    fill(&evidence->event_log, 300000, 2);
    fill(&evidence->ak_cert, 900, 3);
    fill(&evidence->ak_public, 280, 4);
    fill(&evidence->quote, 130, 5);
    fill(&evidence->quote_signature, 256, 6);
    memset(evidence->pcrs, 7, sizeof(evidence->pcrs));
    fill(&evidence->key_public, 316, 8);
    fill(&evidence->key_certify, 140, 9);
    fill(&evidence->key_certify_signature, 256, 10);
    fill(&evidence->report, 1184, 11);
    fill(&evidence->runtime_data, 450, 12);
    fill(&evidence->init_data, 77, 13);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->certificates); i++)
        fill(&evidence->certificates[i], 4000 + i, (uint8_t)(14 + i));
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->endorsements); i++)
        fill(&evidence->endorsements[i], 11000 + i, (uint8_t)(20 + i));
}

static void carries_evidence(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    fill_evidence(&evidence);
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
    SKRFS_CLEANUP(skrfs_request_done) struct request request;
    skrfs_request_init(&request);
    uint64_t deadline = skrfs_now_ns() + 60 * SKRFS_SECOND_NS;
    assert_ok(skrfs_request_attest(&evidence, deadline, &message, &err), err);
    assert_ok(skrfs_request_parse(MESSAGE_ATTEST, skrfs_buf_bytes(&message), &request, &err), err);
    assert_true(request.deadline_ns < deadline);
    assert_true(request.deadline_ns > deadline - SKRFS_SECOND_NS);
    assert_int_equal(request.evidence.kind, SKRFS_EVIDENCE_CVM);
    assert_string_equal(request.evidence.nonce, evidence.nonce);
    same(&request.evidence.hcl_report, &evidence.hcl_report);
    same(&request.evidence.event_log, &evidence.event_log);
    same(&request.evidence.ak_cert, &evidence.ak_cert);
    same(&request.evidence.ak_public, &evidence.ak_public);
    same(&request.evidence.quote, &evidence.quote);
    same(&request.evidence.quote_signature, &evidence.quote_signature);
    assert_memory_equal(request.evidence.pcrs, evidence.pcrs, sizeof(evidence.pcrs));
    same(&request.evidence.key_public, &evidence.key_public);
    same(&request.evidence.key_certify, &evidence.key_certify);
    same(&request.evidence.key_certify_signature, &evidence.key_certify_signature);
    same(&request.evidence.report, &evidence.report);
    same(&request.evidence.runtime_data, &evidence.runtime_data);
    same(&request.evidence.init_data, &evidence.init_data);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence.certificates); i++)
        same(&request.evidence.certificates[i], &evidence.certificates[i]);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence.endorsements); i++)
        same(&request.evidence.endorsements[i], &evidence.endorsements[i]);
}

static void carries_a_release(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
    SKRFS_CLEANUP(skrfs_request_done) struct request request;
    skrfs_request_init(&request);
    const struct skrfs_release_ask ask = {
            .vault = 3,
            .name = "disk-data",
            .version = "0123456789abcdef0123456789abcdef",
            .nonce = "abc",
            .enc = SKRFS_ENC_SHA384,
            .token = {(const uint8_t *)"a.b.c", 5},
    };
    assert_ok(skrfs_request_release(&ask, SKRFS_NEVER_NS, &message, &err), err);
    assert_ok(skrfs_request_parse(MESSAGE_RELEASE, skrfs_buf_bytes(&message), &request, &err), err);
    assert_true(request.deadline_ns == SKRFS_NEVER_NS);
    assert_int_equal(request.vault, 3);
    assert_string_equal(request.name, ask.name);
    assert_true(request.has_version);
    assert_string_equal(request.version, ask.version);
    assert_string_equal(request.nonce, "abc");
    assert_int_equal(request.enc, SKRFS_ENC_SHA384);
    assert_string_equal(skrfs_buf_text(&request.token), "a.b.c");
}

/* Each shortening and each extension of a message is refused. */
static void refuses_other_lengths(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
    assert_ok(skrfs_request_key_show(1, "a", NULL, SKRFS_NEVER_NS, &message, &err), err);
    size_t whole = message.len;
    assert_ok(skrfs_buf_append(&message, "x", 1, &err), err);
    for (size_t len = 0; len <= whole + 1; len++) {
        SKRFS_CLEANUP(skrfs_request_done) struct request request;
        skrfs_request_init(&request);
        struct skrfs_bytes part = {message.data, len};
        int result = skrfs_request_parse(MESSAGE_KEY_SHOW, part, &request, &err);
        assert_int_equal(result, len == whole ? 0 : -1);
        assert_int_equal(skrfs_request_parse(MESSAGE_HELLO, part, &request, &err), -1);
    }
}

static void refuses_names_that_do_not_fit(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    char name[SKRFS_KEY_NAME_MAX + 1];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
    SKRFS_CLEANUP(skrfs_request_done) struct request request;
    skrfs_request_init(&request);
    assert_ok(skrfs_request_key_show(1, name, NULL, SKRFS_NEVER_NS, &message, &err), err);
    assert_fails(skrfs_request_parse(MESSAGE_KEY_SHOW, skrfs_buf_bytes(&message), &request, &err),
            err, SKRFS_CLASS_BAD_ANSWER, "malformed");
}

static void put_failure(struct skrfs_buf *out, const struct skrfs_error *failure) {
    struct skrfs_error err = {0};
    struct pen pen = {.out = out, .err = &err};
    skrfs_answer_begin(&pen, failure, NULL);
    assert_false(pen.failed);
}

static void carries_failures(void **state) {
    (void)state;
    struct skrfs_error failure = {0}, err = {0};
    skrfs_fail(&failure, SKRFS_CLASS_UNAVAILABLE, "throttled");
    failure.upstream = 429;
    failure.errnum = 5;
    skrfs_fail_retryable(&failure, skrfs_now_ns() + 10 * SKRFS_SECOND_NS);
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
    put_failure(&message, &failure);
    struct wire wire = {.data = message.data, .len = message.len};
    assert_fails(skrfs_answer_open(&wire, NULL, &err), err, SKRFS_CLASS_UNAVAILABLE, "throttled");
    assert_int_equal(err.upstream, 429);
    assert_int_equal(err.errnum, 5);
    assert_true(err.retryable);
    uint64_t wait = skrfs_until_ns(err.not_before_ns);
    assert_true(wait > 8 * SKRFS_SECOND_NS && wait <= 10 * SKRFS_SECOND_NS);
}

static void believes_no_failure_of_the_keepers_own(void **state) {
    (void)state;
    static const enum skrfs_class classes[] = {SKRFS_CLASS_DENIED, SKRFS_CLASS_REVOKED,
            SKRFS_CLASS_EXPIRED, SKRFS_CLASS_NO_TEE, SKRFS_CLASS_INTERRUPTED, SKRFS_CLASS_COUNT};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(classes); i++) {
        struct skrfs_error failure = {.kind = classes[i], .message = "go away"}, err = {0};
        skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
        put_failure(&message, &failure);
        struct wire wire = {.data = message.data, .len = message.len};
        assert_fails(
                skrfs_answer_open(&wire, NULL, &err), err, SKRFS_CLASS_BAD_ANSWER, "malformed");
    }
}

static void cleans_and_caps_texts(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
    struct pen pen = {.out = &message, .err = &err};
    skrfs_pen_u8(&pen, 0);
    skrfs_pen_u32(&pen, SKRFS_CLASS_REJECTED);
    skrfs_pen_u32(&pen, 0);
    skrfs_pen_u32(&pen, 403);
    skrfs_pen_u8(&pen, 1);
    skrfs_pen_u64(&pen, UINT64_MAX);
    skrfs_autobuf text = SKRFS_BUF(5000);
    fill(&text, 5000, 0);
    skrfs_pen_bytes(&pen, text.data, text.len);
    skrfs_pen_u32(&pen, 0);
    struct wire wire = {.data = message.data, .len = message.len};
    assert_int_equal(skrfs_answer_open(&wire, NULL, &err), -1);
    assert_int_equal(err.kind, SKRFS_CLASS_REJECTED);
    assert_true(strlen(err.message) < SKRFS_ERROR_MESSAGE_MAX);
    for (const char *at = err.message; *at; at++)
        assert_true(*at >= ' ' && *at <= '~');
    assert_true(skrfs_until_ns(err.not_before_ns) <= 3600 * SKRFS_SECOND_NS);
}

static void carries_the_trace(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_trace from, to;
    skrfs_trace_start(&from);
    skrfs_trace_start(&to);
    skrfs_trace_end(&from, skrfs_trace_begin(&from, "one"), "went %s", "well");
    from.steps[0].ended_ns = UINT64_MAX;
    (void)skrfs_trace_begin(&to, "zero");
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
    struct pen pen = {.out = &message, .err = &err};
    skrfs_answer_begin(&pen, NULL, &from);
    struct wire wire = {.data = message.data, .len = message.len};
    assert_ok(skrfs_answer_open(&wire, &to, &err), err);
    assert_int_equal(to.count, 2);
    assert_string_equal(to.steps[1].name, "one");
    assert_string_equal(to.steps[1].note, "went well");
    assert_true(to.steps[1].ended_ns <= skrfs_now_ns());
}

static void carries_a_key(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX);
    struct pen pen = {.out = &message, .err = &err};
    skrfs_autovaultkey key = {.kid = "https://v/keys/n/1",
            .public = {.type = SKRFS_KEY_EC, .curve = SKRFS_P384, .xy_len = 48, .x = {1}, .y = {2}},
            .exportable = true,
            .expires_s = 5,
            .kty = "EC-HSM",
            .ops = "sign verify",
            .policy = SKRFS_BUF(100)};
    fill(&key.policy, 10, 'a');
    skrfs_answer_begin(&pen, NULL, NULL);
    skrfs_answer_put_key(&pen, &key);
    assert_false(pen.failed);
    struct wire wire = {.data = message.data, .len = message.len};
    skrfs_autovaultkey read = {0};
    assert_ok(skrfs_answer_open(&wire, NULL, &err), err);
    assert_ok(skrfs_answer_get_key(&wire, &read, &err), err);
    assert_string_equal(read.kid, key.kid);
    assert_true(skrfs_public_equal(&read.public, &key.public));
    assert_true(read.exportable);
    assert_false(read.enabled);
    assert_int_equal(read.expires_s, 5);
    assert_string_equal(read.kty, "EC-HSM");
    assert_string_equal(read.ops, "sign verify");
    same(&read.policy, &key.policy);
}

static void joins_fragments_in_order_only(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX), joined = SKRFS_BUF(MESSAGE_MAX),
                  packet = SKRFS_BUF(PACKET_MAX);
    fill(&message, 3 * FRAGMENT_MAX + 5, 0);
    struct fragment fragment;
    bool whole = false;
    for (size_t offset = 0; offset < message.len; offset += FRAGMENT_MAX) {
        assert_false(whole);
        assert_ok(
                skrfs_fragment_build(9, 77, skrfs_buf_bytes(&message), offset, &packet, &err), err);
        assert_true(packet.len <= PACKET_MAX);
        assert_true(skrfs_fragment_parse(skrfs_buf_bytes(&packet), &fragment));
        assert_int_equal(fragment.id, 9);
        assert_int_equal(fragment.kind, 77);
        assert_true(skrfs_fragment_join(&fragment, &joined, &whole));
    }
    assert_true(whole);
    same(&joined, &message);
    /* The last one again does not follow; the first one begins anew. */
    assert_false(skrfs_fragment_join(&fragment, &joined, &whole));
    assert_ok(skrfs_fragment_build(9, 77, skrfs_buf_bytes(&message), 0, &packet, &err), err);
    assert_true(skrfs_fragment_parse(skrfs_buf_bytes(&packet), &fragment));
    assert_true(skrfs_fragment_join(&fragment, &joined, &whole));
    assert_false(whole);
    assert_int_equal(joined.len, FRAGMENT_MAX);
}

static void refuse_packet(size_t at, uint8_t value) {
    struct skrfs_error err = {0};
    skrfs_autobuf packet = SKRFS_BUF(PACKET_MAX);
    struct fragment fragment;
    struct skrfs_bytes message = {(const uint8_t *)"hello", 5};
    assert_ok(skrfs_fragment_build(1, 2, message, 0, &packet, &err), err);
    assert_true(skrfs_fragment_parse(skrfs_buf_bytes(&packet), &fragment));
    packet.data[at] = value;
    assert_false(skrfs_fragment_parse(skrfs_buf_bytes(&packet), &fragment));
}

static void refuses_malformed_packets(void **state) {
    (void)state;
    struct fragment fragment;
    refuse_packet(0, 0);     /* magic */
    refuse_packet(16, 4);    /* total shorter than the part */
    refuse_packet(19, 0x7f); /* total over the cap */
    refuse_packet(20, 1);    /* part runs over the total */
    refuse_packet(23, 0x7f);
    assert_false(skrfs_fragment_parse((struct skrfs_bytes){(const uint8_t *)"SKRF", 4}, &fragment));
    assert_false(skrfs_fragment_parse((struct skrfs_bytes){NULL, 0}, &fragment));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(carries_evidence),
            cmocka_unit_test(carries_a_release),
            cmocka_unit_test(refuses_other_lengths),
            cmocka_unit_test(refuses_names_that_do_not_fit),
            cmocka_unit_test(carries_failures),
            cmocka_unit_test(believes_no_failure_of_the_keepers_own),
            cmocka_unit_test(cleans_and_caps_texts),
            cmocka_unit_test(carries_the_trace),
            cmocka_unit_test(carries_a_key),
            cmocka_unit_test(joins_fragments_in_order_only),
            cmocka_unit_test(refuses_malformed_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
