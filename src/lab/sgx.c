/* An enclave's quote (Intel SGX DCAP quoting library, version 3). Little endian. */
#include "platform.h"

#include <string.h>

#define SIGNED_LEN 432
#define FLAGS_AT 96
#define FLAG_INIT 0x01
#define FLAG_DEBUG 0x02
#define FLAG_64BIT 0x04

static int fill(
        const struct skrfs_lab_sgx_wish *wish, uint8_t quote[SIGNED_LEN], struct skrfs_error *err) {
    static const uint8_t intel[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a,
            0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
    memset(quote, 0, SIGNED_LEN);
    skrfs_lab_put(quote, 3, 2);     /* version */
    skrfs_lab_put(quote + 2, 2, 2); /* ECDSA P-256 */
    memcpy(quote + 12, intel, sizeof(intel));
    skrfs_lab_put(quote + FLAGS_AT, FLAG_INIT | FLAG_64BIT | (wish->debug ? FLAG_DEBUG : 0), 8);
    skrfs_lab_put(quote + FLAGS_AT + 8, 0xe7, 8); /* XFRM */
    memcpy(quote + 240, wish->config_id, sizeof(wish->config_id));
    skrfs_lab_put(quote + 304, 1, 2); /* product id */
    skrfs_lab_put(quote + 306, 2, 2); /* SVN */
    memcpy(quote + 368, wish->report_data, sizeof(wish->report_data));
    if (skrfs_hash(SKRFS_SHA256, "skrfs lab enclave", 17, quote + 112, err) < 0)
        return -1;
    return skrfs_hash(SKRFS_SHA256, "skrfs lab enclave's signer", 26, quote + 176, err);
}

int skrfs_lab_make_sgx_quote(const struct skrfs_lab_pki *pki, const struct skrfs_lab_sgx_wish *wish,
        struct skrfs_buf *out, struct skrfs_error *err) {
    uint8_t quote[SIGNED_LEN], size[4];
    skrfs_autobuf proof = SKRFS_BUF(SKRFS_LAB_PROOF_MAX);
    if (fill(wish, quote, err) < 0 ||
            skrfs_lab_quote_proof(
                    pki, false, (struct skrfs_bytes){quote, sizeof(quote)}, &proof, err) < 0)
        return skrfs_wrap(err, "make an SGX quote");
    skrfs_lab_put(size, proof.len, sizeof(size));
    if (skrfs_buf_append(out, quote, sizeof(quote), err) < 0 ||
            skrfs_buf_append(out, size, sizeof(size), err) < 0)
        return -1;
    return skrfs_buf_append(out, proof.data, proof.len, err);
}
