/* A file that is a token or a token's claims, as people hand it in. */
#include <skrfs/cli/claims.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autojson *claims = NULL;
    if (skrfs_claims_parse((const char *)data, size, &claims, &err) == 0 &&
            skrfs_json_kind(claims) != SKRFS_JSON_OBJECT) {
        __builtin_trap();
    }
    return 0;
}
