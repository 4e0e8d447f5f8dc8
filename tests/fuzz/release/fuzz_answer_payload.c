/* The payload behind a good signature: a vault's own mistakes, or a signing key that was stolen. */
#include <skrfs/release/release.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_answer answer = {0};
    const struct skrfs_answer_wish wish = {.host = "prod.vault.azure.net",
            .name = "disk-data",
            .nonce = "the-nonce",
            .kek_kid = "kek",
            .enc = SKRFS_ENC_SHA256};
    if (skrfs_answer_read((struct skrfs_bytes){data, size}, &wish, &answer, &err) == 0) {
        if (strlen(answer.version) == 0 || answer.wrapped.len < 272)
            abort();
        skrfs_answer_done(&answer);
    }
    return 0;
}
