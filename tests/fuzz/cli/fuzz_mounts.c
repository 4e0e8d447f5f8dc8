#include <skrfs/cli/place.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_automounts mounts = {.count = 0};
    char *text = strndup((const char *)data, size);
    if (text && skrfs_mounts_parse(text, &mounts, &err) == 0 && mounts.count > SKRFS_MOUNTS_MAX) {
        __builtin_trap();
    }
    free(text);
    return 0;
}
