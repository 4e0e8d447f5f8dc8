/* Measured boot logs. */
#include "platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    uint8_t pcrs[8][32];
    (void)!skrfs_lab_event_log_replay((struct skrfs_bytes){data, size}, pcrs, &err);
    return 0;
}
