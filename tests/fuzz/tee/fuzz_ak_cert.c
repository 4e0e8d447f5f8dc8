#include "../../../src/tee/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autobuf cert = SKRFS_BUF(SKRFS_AK_CERT_MAX);
    if (skrfs_buf_append(&cert, data, size, &err) == 0)
        (void)!skrfs_ak_cert_trim(&cert, &err);
    if (cert.len > size)
        abort();
    return 0;
}
