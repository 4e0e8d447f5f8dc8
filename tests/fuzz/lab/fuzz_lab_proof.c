/* The bodies of POST /attest/SevSnpVm, TdxVm, SgxEnclave and OpenEnclave, through decoding,
 * checking and the token's claims. The first octet chooses the kind, the shape of 2018, and whether
 * the input is the document inside SevSnpVm's report, so that the fuzzer need not learn base64
 * first. */
#include "proof.h"

#include <skrfs/base/encode.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void attest(unsigned choice, struct skrfs_bytes body) {
    const struct skrfs_lab_anchors nobody = {0};
    const struct skrfs_lab_token_wish wish = {
            .issuer = "https://maa", .now_s = 1, .life_s = 1, .compliance = "azure-compliant-cvm"};
    struct skrfs_error err;
    skrfs_autojson *claims = NULL;
    skrfs_autoproof proof;
    skrfs_lab_proof_init(&proof);
    if (skrfs_lab_proof_decode(
                (enum skrfs_lab_proof_kind)(choice & 3), (choice & 4) != 0, body, &proof, &err) < 0)
        return;
    (void)!skrfs_lab_proof_check(&proof, &nobody, &err);
    (void)!skrfs_lab_proof_claims(&proof, &wish, &claims, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autobuf body = SKRFS_BUF((size_t)4 * 1024 * 1024);
    if (size == 0)
        return 0;
    unsigned choice = data[0];
    if (!(choice & 8)) {
        attest(choice, (struct skrfs_bytes){data + 1, size - 1});
        return 0;
    }
    if (skrfs_buf_append_text(&body, "{\"report\":\"", &err) == 0 &&
            skrfs_base64_encode(SKRFS_BASE64URL, data + 1, size - 1, &body, &err) == 0 &&
            skrfs_buf_append_text(&body, "\"}", &err) == 0)
        attest(SKRFS_LAB_SEVSNPVM, skrfs_buf_bytes(&body));
    return 0;
}
