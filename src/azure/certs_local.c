/* Certificates of an SNP report that were found on the machine: as they were found there, since the
 * half that collects evidence takes nothing apart that comes from the host. */
#include "internal.h"

#include <string.h>

/* PEM, or one certificate's DER. */
static int file_pem(struct skrfs_bytes file, struct skrfs_buf *pem, struct skrfs_error *err) {
    static const char begin[] = "-----BEGIN";
    skrfs_autochain *chain = NULL;
    if (memmem(file.data, file.len, begin, strlen(begin)))
        return skrfs_buf_append(pem, file.data, file.len, err);
    if (skrfs_chain_from_der(&file, 1, &chain, err) < 0)
        return skrfs_wrap(err, "neither PEM nor a certificate's DER");
    return skrfs_chain_pem(chain, pem, err);
}

int skrfs_certs_local(enum skrfs_cert_source source, struct skrfs_bytes found,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    char tcbm[17];
    if (found.len == 0)
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "not there");
    switch (source) {
    case SKRFS_CERTS_CONTEXT: /* the document is THIM's, put there when the guest was made */
        return skrfs_thim_answer(found, pem, tcbm, err);
    case SKRFS_CERTS_REPORT:
        if (skrfs_snp_table_pem(found, pem, err) < 0)
            return -1;
        return pem->len ? 0 : skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "the host's table is empty");
    case SKRFS_CERTS_FILE:
        return file_pem(found, pem, err);
    default:
        return skrfs_fail(err, SKRFS_CLASS_BUG, "'%s' is nothing that is found on the machine",
                skrfs_cert_source_name(source));
    }
}
