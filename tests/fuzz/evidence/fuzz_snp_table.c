#include <skrfs/evidence/snp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    skrfs_autochain *chain = NULL;
    if (skrfs_snp_table_pem((struct skrfs_bytes){data, size}, &pem, &err) < 0 || pem.len == 0)
        return 0;
    /* What was taken can be read again. */
    if (skrfs_chain_from_pem(skrfs_buf_text(&pem), pem.len, &chain, &err) < 0)
        abort();
    return 0;
}
