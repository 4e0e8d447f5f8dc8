/* What a taken-over keeper may send to the scribe, and a taken-over scribe to the keeper. */
#include <skrfs/audit/audit.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct skrfs_audit_post post;
static struct skrfs_audit_answer answer;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_audit_head head = {.chain = "0123456789abcdef"};
    skrfs_autobuf line = SKRFS_BUF(2 * SKRFS_AUDIT_LINE_MAX),
                  again = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_error err;

    memset(&post, 0, sizeof(post));
    memset(&answer, 0, sizeof(answer));
    memcpy(&post, data, size < sizeof(post) ? size : sizeof(post));
    memcpy(&answer, data, size < sizeof(answer) ? size : sizeof(answer));
    (void)skrfs_audit_answer_check(&answer, size);
    if (!skrfs_audit_post_check(&post, size) || post.type != SKRFS_POST_RECORD)
        return 0;
    if (skrfs_audit_seal(&head, NULL, post.text, post.len, &line, &err) == 0 &&
            line.len > SKRFS_AUDIT_LINE_MAX)
        __builtin_trap();
    const struct skrfs_audit_volume volume = {.number = 2, .oldest = 1};
    (void)!skrfs_audit_seal(&head, &volume, post.text, post.len, &line, &err);
    const struct timespec when = {.tv_sec = 1};
    post.text[post.len < sizeof(post.text) ? post.len : sizeof(post.text) - 1] = 0;
    (void)!skrfs_audit_body_repeat(post.text, &when, 1, &again, &err);
    return 0;
}
