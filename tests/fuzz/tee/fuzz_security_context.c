#include "../../../src/tee/internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the host writes into the security context, by way of its variables: there is no folder. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_tee_options options = {.context = NULL};
    struct skrfs_error err;
    struct skrfs_direct direct = {.source_count = 0};
    skrfs_autobuf text = SKRFS_BUF((size_t)256 * 1024);
    for (size_t i = 0; i < SKRFS_CERTS_LOCAL; i++)
        direct.certificates[i] = SKRFS_BUF(SKRFS_CERTIFICATES_MAX);
    for (size_t i = 0; i < SKRFS_ENDORSEMENTS; i++)
        direct.endorsements[i] = SKRFS_BUF(SKRFS_ENDORSEMENT_MAX);
    if (skrfs_buf_append(&text, data, size, &err) < 0)
        return 0;
    unsetenv("UVM_SECURITY_CONTEXT_DIR");
    setenv("UVM_HOST_AMD_CERTIFICATE", skrfs_buf_text(&text), 1);
    setenv("UVM_REFERENCE_INFO", skrfs_buf_text(&text), 1);
    (void)!skrfs_context_read(&options, "/nonexistent", &direct, &err);
    if (direct.endorsements[0].len > strlen(skrfs_buf_text(&text)))
        abort();
    for (size_t i = 0; i < SKRFS_CERTS_LOCAL; i++)
        skrfs_buf_done(&direct.certificates[i]);
    for (size_t i = 0; i < SKRFS_ENDORSEMENTS; i++)
        skrfs_buf_done(&direct.endorsements[i]);
    return 0;
}
