/* The bodies and paths of vault requests. The first octet chooses what the rest is. */
#include "http.h"
#include "vault.h"
#include "vault_ops.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void path(const uint8_t *data, size_t size) {
    struct skrfs_lab_path parsed;
    char text[512];
    size_t len = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
    memcpy(text, data, len);
    text[len] = '\0';
    (void)skrfs_lab_path_parse(text, &parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    struct skrfs_lab_answer answer;
    skrfs_autowish wish;
    struct skrfs_bytes body = {data + 1, size - 1};
    bool hsm = data[0] & 1;
    skrfs_lab_answer_init(&answer, hsm ? SKRFS_LAB_HSM : SKRFS_LAB_VAULT);
    skrfs_lab_key_wish_init(&wish);
    switch (data[0] >> 1 & 3) {
    case 0:
        (void)!skrfs_lab_create_decode(hsm, body, &wish, &answer);
        break;
    case 1:
        (void)!skrfs_lab_import_decode(hsm, body, &wish, &answer);
        break;
    default:
        path(body.data, body.len);
    }
    skrfs_lab_answer_done(&answer);
    return 0;
}
