/* The messages between keeper and scribe: each believes the other only in this form. */
#include "room.h"

#include <string.h>

bool skrfs_audit_post_check(const struct skrfs_audit_post *post, size_t size) {
    if (size < SKRFS_AUDIT_POST_HEAD || size > sizeof(*post) ||
            post->len != size - SKRFS_AUDIT_POST_HEAD)
        return false;
    if (post->type == SKRFS_POST_HELLO)
        return post->len == 0;
    return post->type == SKRFS_POST_RECORD && post->number > 0 &&
           audit_is_object_line(post->text, post->len);
}

static bool is_chain(const char chain[SKRFS_AUDIT_CHAIN]) {
    return memchr(chain, 0, SKRFS_AUDIT_CHAIN) &&
           strspn(chain, "0123456789abcdef") == strlen(chain);
}

bool skrfs_audit_answer_check(const struct skrfs_audit_answer *answer, size_t size) {
    if (size < SKRFS_AUDIT_ANSWER_HEAD || answer->type < SKRFS_ANSWER_HELLO ||
            answer->type > SKRFS_ANSWER_TROUBLE || answer->count > SKRFS_AUDIT_ACKS_MAX)
        return false;
    if (answer->count && answer->type != SKRFS_ANSWER_ACK)
        return false;
    if (!memchr(answer->trouble, 0, sizeof(answer->trouble)) || !is_chain(answer->head.chain))
        return false;
    for (const char *text = answer->trouble; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return size == SKRFS_AUDIT_ANSWER_HEAD + answer->count * sizeof(answer->acks[0]);
}
