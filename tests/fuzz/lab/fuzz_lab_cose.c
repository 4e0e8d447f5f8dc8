/* A utility VM's endorsement: COSE_Sign1, its certificates, its payload. */
#include "cose.h"
#include "proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct skrfs_bytes document = {data, size};
    struct skrfs_error err;
    struct skrfs_lab_cose cose;
    struct skrfs_lab_endorsement endorsement;
    if (skrfs_lab_cose_parse(document, &cose, &err) == 0 &&
            (cose.cert_count == 0 || cose.payload.len > size || cose.signature.len > size))
        __builtin_trap();
    (void)!skrfs_lab_endorsement_read(document, NULL, &endorsement, &err);
    return 0;
}
