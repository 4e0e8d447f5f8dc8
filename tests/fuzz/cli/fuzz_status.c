#include <skrfs/cli/status.h>

#define LIMIT ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autojson *status = NULL;
    skrfs_autobuf out = SKRFS_BUF(LIMIT * 64);
    if (skrfs_json_parse((const char *)data, size, LIMIT, &status, &err) < 0 ||
            skrfs_status_print(status, "/run/skrfs", 80, false, &out, &err) < 0) {
        return 0;
    }
    for (size_t i = 0; i < out.len;
            i++) { /* what a foreign mount says must not reach the terminal raw */
        if (out.data[i] != '\n' && (out.data[i] < 0x20 || out.data[i] > 0x7e)) {
            __builtin_trap();
        }
    }
    return 0;
}
