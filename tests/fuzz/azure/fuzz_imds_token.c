/* The metadata service's access token; nothing that could end a header line may come out of it. */
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
    if (skrfs_identity_answer((struct skrfs_bytes){data, size}, &token, &err) < 0)
        return 0;
    if (token.expires_s <= 0 || token.text.len == 0 ||
            strpbrk(skrfs_buf_text(&token.text), "\r\n "))
        abort();
    return 0;
}
