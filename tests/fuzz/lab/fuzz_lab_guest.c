/* The body of an attestation request: base64url of JSON of base64 of JSON. The input is the inner
 * document, so that the fuzzer need not learn base64 first; the outer layer is put around it. */
#include "guest.h"

#include <skrfs/base/encode.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct skrfs_bytes body) {
    struct skrfs_error err;
    skrfs_autoguest guest;
    skrfs_lab_guest_init(&guest);
    (void)!skrfs_lab_guest_decode(body, &guest, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autobuf body = SKRFS_BUF((size_t)4 * 1024 * 1024);
    decode((struct skrfs_bytes){data, size});
    if (skrfs_buf_append_text(&body, "{\"AttestationInfo\":\"", &err) == 0 &&
            skrfs_base64_encode(SKRFS_BASE64URL, data, size, &body, &err) == 0 &&
            skrfs_buf_append_text(&body, "\"}", &err) == 0)
        decode(skrfs_buf_bytes(&body));
    return 0;
}
