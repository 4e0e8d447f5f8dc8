/* A vault's description of a key, a page of keys, and a release's envelope. */
#include "../../../src/azure/internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int each_key(void *context, const char *kid, bool enabled, struct skrfs_error *err) {
    (void)enabled;
    (void)err;
    *(size_t *)context += strlen(kid);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_bytes body = {data, size};
    skrfs_autovaultkey key = {0};
    if (skrfs_vault_key_parse(body, &key, &err) == 0) {
        if (strncmp(key.kid, "https://", 8) != 0 || key.public.n_len > SKRFS_RSA_MAX ||
                key.public.xy_len > SKRFS_EC_MAX)
            abort();
        char reason[700];
        const struct vault vault = {.resource = "https://managedhsm.azure.net"};
        for (int kind = FORBIDDEN_UNTOLD; kind <= FORBIDDEN_POLICY; kind++)
            skrfs_forbidden_reason(
                    (enum forbidden)kind, &vault, &key, body, reason, sizeof(reason));
    }
    (void)skrfs_forbidden_kind(body);
    size_t told = 0;
    skrfs_autobuf next = SKRFS_BUF(URL_MAX), jws = SKRFS_BUF(SKRFS_JWS_MAX);
    if (skrfs_key_page(body, "https://v.vault.azure.net", each_key, &told, &next, &err) == 0 &&
            next.len > 0 && strncmp(skrfs_buf_text(&next), "/keys?", 6) != 0)
        abort();
    if (skrfs_release_answer(body, &jws, &err) == 0 && jws.len == 0)
        abort();
    return 0;
}
