/* The metadata service's access token; nothing that could end a header line may come out of it. */
#include "../../../src/azure/internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autobuf token = SKRFS_BUF(ACCESS_TOKEN_MAX);
    int64_t expires = 0;
    char words[400];
    skrfs_refusal_text((struct skrfs_bytes){data, size}, words, sizeof(words));
    for (const char *at = words; *at; at++)
        if (*at < ' ' || *at > '~')
            abort();
    if (skrfs_identity_answer((struct skrfs_bytes){data, size}, &token, &expires, &err) < 0)
        return 0;
    if (expires <= 0 || token.len == 0 || strpbrk(skrfs_buf_text(&token), "\r\n "))
        abort();
    return 0;
}
