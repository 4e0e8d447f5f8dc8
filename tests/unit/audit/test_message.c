/* The messages between keeper and scribe: what has another form is not believed. */
#include "chain.h"

#include <stdlib.h>

static size_t post_make(struct skrfs_audit_post *post, const char *text) {
    *post = (struct skrfs_audit_post){
            .type = SKRFS_POST_RECORD, .len = (uint32_t)strlen(text), .epoch = 1, .number = 1};
    memcpy(post->text, text, strlen(text));
    return SKRFS_AUDIT_POST_HEAD + strlen(text);
}

static void test_posts(void **state) {
    struct skrfs_audit_post *post = calloc(1, sizeof(*post));
    (void)state;
    size_t size = post_make(post, "{\"a\":1}");
    assert_true(skrfs_audit_post_check(post, size));
    for (size_t len = 0; len < size; len++)
        assert_false(skrfs_audit_post_check(post, len));
    assert_false(skrfs_audit_post_check(post, size + 1));
    assert_false(skrfs_audit_post_check(post, sizeof(*post) + 1));
    post->number = 0;
    assert_false(skrfs_audit_post_check(post, size));
    post->number = 1;
    post->type = 3;
    assert_false(skrfs_audit_post_check(post, size));
    post->type = SKRFS_POST_HELLO;
    assert_false(skrfs_audit_post_check(post, size));
    post->len = 0;
    assert_true(skrfs_audit_post_check(post, SKRFS_AUDIT_POST_HEAD));
    post->type = SKRFS_POST_RECORD;
    assert_false(skrfs_audit_post_check(post, SKRFS_AUDIT_POST_HEAD));
    post->len = UINT32_MAX;
    assert_false(skrfs_audit_post_check(post, SKRFS_AUDIT_POST_HEAD));
    assert_false(skrfs_audit_post_check(post, post_make(post, "{\n}")));
    assert_false(skrfs_audit_post_check(post, post_make(post, "[]")));
    free(post);
}

static void test_answers(void **state) {
    struct skrfs_audit_answer *answer = calloc(1, sizeof(*answer));
    const size_t one = SKRFS_AUDIT_ANSWER_HEAD + sizeof(answer->acks[0]);
    (void)state;
    *answer = (struct skrfs_audit_answer){
            .type = SKRFS_ANSWER_ACK, .count = 1, .head = {.chain = TEST_CHAIN}};
    assert_true(skrfs_audit_answer_check(answer, one));
    for (size_t len = 0; len < one; len++)
        assert_false(skrfs_audit_answer_check(answer, len));
    assert_false(skrfs_audit_answer_check(answer, one + 1));
    answer->count = SKRFS_AUDIT_ACKS_MAX;
    assert_true(skrfs_audit_answer_check(answer, sizeof(*answer)));
    answer->count++;
    assert_false(skrfs_audit_answer_check(answer, sizeof(*answer) + sizeof(answer->acks[0])));
    answer->count = 1;
    answer->type = SKRFS_ANSWER_TROUBLE;
    assert_false(skrfs_audit_answer_check(answer, one));
    answer->count = 0;
    assert_true(skrfs_audit_answer_check(answer, SKRFS_AUDIT_ANSWER_HEAD));
    answer->trouble[0] = '\n';
    assert_false(skrfs_audit_answer_check(answer, SKRFS_AUDIT_ANSWER_HEAD));
    memset(answer->trouble, 'a', sizeof(answer->trouble));
    assert_false(skrfs_audit_answer_check(answer, SKRFS_AUDIT_ANSWER_HEAD));
    answer->trouble[10] = 0;
    assert_true(skrfs_audit_answer_check(answer, SKRFS_AUDIT_ANSWER_HEAD));
    memset(answer->head.chain, 'a', sizeof(answer->head.chain));
    assert_false(skrfs_audit_answer_check(answer, SKRFS_AUDIT_ANSWER_HEAD));
    memcpy(answer->head.chain, "zz", 3);
    assert_false(skrfs_audit_answer_check(answer, SKRFS_AUDIT_ANSWER_HEAD));
    answer->head.chain[0] = 0;
    answer->type = 4;
    assert_false(skrfs_audit_answer_check(answer, SKRFS_AUDIT_ANSWER_HEAD));
    answer->type = SKRFS_ANSWER_HELLO;
    assert_true(skrfs_audit_answer_check(answer, SKRFS_AUDIT_ANSWER_HEAD));
    free(answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_posts),
            cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests_name("messages of the audit", tests, NULL, NULL);
}
