/* The signature data of a quote (Intel SGX and TDX DCAP quoting libraries): made by the lab's
 * quoting enclave. Little endian. */
#include "platform.h"

#include <string.h>

#define QE_REPORT_LEN 384
#define QE_AUTH_LEN 32

void skrfs_lab_put(uint8_t *place, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        place[i] = (uint8_t)(value >> (8 * i));
}

/* The attestation key's octets, x then y. */
static int key_octets(
        const struct skrfs_pkey *key, uint8_t ret_octets[64], struct skrfs_error *err) {
    struct skrfs_public public;
    if (skrfs_pkey_public(key, &public, err) < 0)
        return -1;
    if (public.xy_len != 32)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a P-256 coordinate has %zu octets", public.xy_len);
    memcpy(ret_octets, public.x, 32);
    memcpy(ret_octets + 32, public.y, 32);
    return 0;
}

/* The quoting enclave's report, which binds the attestation key, signed by the PCK. */
static int append_qe(const struct skrfs_lab_pki *pki, const uint8_t key[64], struct skrfs_buf *out,
        struct skrfs_error *err) {
    uint8_t report[QE_REPORT_LEN] = {0};
    uint8_t bound[64 + QE_AUTH_LEN];
    uint8_t head[2];
    memcpy(bound, key, 64);
    for (size_t i = 0; i < QE_AUTH_LEN; i++)
        bound[64 + i] = (uint8_t)i;
    if (skrfs_hash(SKRFS_SHA256, bound, sizeof(bound), report + 320, err) < 0 ||
            skrfs_buf_append(out, report, sizeof(report), err) < 0 ||
            skrfs_ecdsa_sign(pki->pck.key, SKRFS_SHA256,
                    (struct skrfs_bytes){report, sizeof(report)}, out, err) < 0)
        return -1;
    skrfs_lab_put(head, QE_AUTH_LEN, 2);
    if (skrfs_buf_append(out, head, sizeof(head), err) < 0)
        return -1;
    return skrfs_buf_append(out, bound + 64, QE_AUTH_LEN, err);
}

static int append_typed(
        struct skrfs_buf *out, unsigned type, struct skrfs_bytes data, struct skrfs_error *err) {
    uint8_t head[6];
    skrfs_lab_put(head, type, 2);
    skrfs_lab_put(head + 2, data.len, 4);
    if (skrfs_buf_append(out, head, sizeof(head), err) < 0)
        return -1;
    return skrfs_buf_append(out, data.data, data.len, err);
}

int skrfs_lab_quote_proof(const struct skrfs_lab_pki *pki, bool nested,
        struct skrfs_bytes signed_part, struct skrfs_buf *out, struct skrfs_error *err) {
    uint8_t key[64];
    skrfs_autobuf qe = SKRFS_BUF(SKRFS_LAB_PROOF_MAX);
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    if (skrfs_ecdsa_sign(pki->quoting, SKRFS_SHA256, signed_part, out, err) < 0 ||
            key_octets(pki->quoting, key, err) < 0 ||
            skrfs_buf_append(out, key, sizeof(key), err) < 0 || append_qe(pki, key, &qe, err) < 0 ||
            skrfs_chain_pem(pki->pck.chain, &pem, err) < 0 ||
            append_typed(&qe, 5, skrfs_buf_bytes(&pem), err) < 0)
        return -1;
    if (nested)
        return append_typed(out, 6, skrfs_buf_bytes(&qe), err);
    return skrfs_buf_append(out, qe.data, qe.len, err);
}
