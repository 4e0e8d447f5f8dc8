/* Decoded evidence with octets of the fuzzer's in one of its fields, through the checks of the
 * hardware's and the vTPM's part. The first octet chooses the field. Nothing of it may ever be
 * accepted. */
#include "guest.h"
#include "platform.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct skrfs_lab_pki *authorities(void) {
    static struct skrfs_lab_pki *pki;
    struct skrfs_error err;
    if (!pki && (skrfs_crypto_setup(&err) < 0 ||
                        skrfs_lab_pki_new("https://maa.skrfs.localhost", &pki, &err) < 0))
        abort();
    return pki;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_lab_anchors anchors = skrfs_lab_pki_anchors(authorities());
    struct skrfs_error err;
    skrfs_autoguest guest;
    skrfs_lab_guest_init(&guest);
    if (size < 1)
        return 0;
    struct skrfs_buf *fields[] = {&guest.report, &guest.chain, &guest.claims, &guest.ak_public,
            &guest.ak_cert, &guest.quote};
    size_t which = data[0] % (2 * SKRFS_ARRAY_LEN(fields));
    guest.isolation = which % 2 ? SKRFS_LAB_TDX : SKRFS_LAB_SNP;
    if (skrfs_buf_append(fields[which / 2], data + 1, size - 1, &err) < 0)
        return 0;
    if (skrfs_lab_guest_check(&guest, &anchors, &err) == 0 ||
            skrfs_lab_vtpm_check(&guest, anchors.vtpm, &err) == 0)
        abort();
    return 0;
}
