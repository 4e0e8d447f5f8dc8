/* An access token, and Entra ID's refusal of one, which may repeat no secret; nothing that could
 * end a header line may come out of it. */
#include "../../../src/azure/login.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    auto_access_token token = ACCESS_TOKEN;
    char words[400];
    skrfs_refusal_text((struct skrfs_bytes){data, size}, words, sizeof(words));
    for (const char *at = words; *at; at++)
        if (*at < ' ' || *at > '~')
            abort();
    const struct token_slot slot = {.client = "client", .tenant = "tenant"};
    struct skrfs_http_answer answer = {.status = 401, .body = SKRFS_BUF(SMALL_ANSWER_MAX)};
    if (size <= SMALL_ANSWER_MAX && skrfs_buf_append(&answer.body, data, size, &err) == 0) {
        (void)skrfs_entra_refuse(&slot, &answer, "hunter2", &err);
        if (strstr(err.message, "hunter2"))
            abort();
    }
    skrfs_http_answer_done(&answer);
    if (skrfs_identity_answer((struct skrfs_bytes){data, size}, &token, &err) < 0)
        return 0;
    if (token.expires_s <= 0 || token.text.len == 0 ||
            strpbrk(skrfs_buf_text(&token.text), "\r\n "))
        abort();
    return 0;
}
