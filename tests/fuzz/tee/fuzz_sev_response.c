#include "../../../src/tee/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The buffer that a driver fills, at its two sizes' smaller one, with octets of no length set by
 * the driver. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    uint8_t response[1280] = {0};
    skrfs_autobuf report = SKRFS_BUF(SKRFS_HARDWARE_REPORT_MAX);
    for (size_t i = 0; i < size && i < sizeof(response); i++)
        response[i] = data[i];
    struct skrfs_bytes whole = {response, sizeof(response)};
    if (skrfs_sev_response(whole, &report, &err) == 0 && report.len != SKRFS_SNP_REPORT_LEN)
        abort();
    struct skrfs_bytes part = {response, size < sizeof(response) ? size : sizeof(response)};
    skrfs_buf_done(&report);
    (void)!skrfs_sev_response(part, &report, &err);
    return 0;
}
