/* Certificates as they were found on the machine, and as Azure's cache gives them. The first octet
 * chooses the source. */
#include "../../../src/azure/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    static const uint8_t report[SKRFS_SNP_REPORT_LEN] = {2};
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    if (size == 0)
        return 0;
    const struct skrfs_bytes found = {data + 1, size - 1};
    unsigned source = data[0] % (SKRFS_CERTS_LOCAL + 1);
    int result = source == SKRFS_CERTS_LOCAL
                         ? skrfs_cache_answer(found, &pem, &err)
                         : skrfs_certs_local((enum skrfs_cert_source)source, found, &pem, &err);
    if (result == 0 && skrfs_certs_fit((struct skrfs_bytes){report, sizeof(report)},
                               skrfs_buf_bytes(&pem), &err) == 0)
        abort(); /* an empty report has no signature */
    return 0;
}
