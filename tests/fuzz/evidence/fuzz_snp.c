#include <skrfs/evidence/snp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_snp snp;
    struct skrfs_snp_tcb tcb;
    if (skrfs_snp_parse((struct skrfs_bytes){data, size}, &snp, &err) == 0)
        skrfs_snp_tcb_split(snp.product, snp.reported_tcb, &tcb);
    return 0;
}
