/* A released JWS. The trust is an authority made here, so that a corpus can never get past the
 * chain; what is behind it is fuzz_answer_payload's. */
#include <skrfs/release/release.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct skrfs_trust *make_trust(void) {
    struct skrfs_error err;
    struct skrfs_trust *trust = NULL;
    skrfs_autopkey *key = NULL;
    skrfs_autochain *chain = NULL;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    if (skrfs_pkey_new_rsa(2048, &key, &err) < 0)
        abort();
    const struct skrfs_cert_spec spec = {.common_name = "root",
            .subject_key = key,
            .issuer_key = key,
            .authority = true,
            .days = 30};
    if (skrfs_cert_issue(&spec, &chain, &err) < 0 || skrfs_chain_pem(chain, &pem, &err) < 0 ||
            skrfs_trust_from_pem(skrfs_buf_text(&pem), pem.len, &trust, &err) < 0)
        abort();
    return trust;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct skrfs_trust *trust;
    struct skrfs_error err;
    struct skrfs_answer answer = {0};
    if (!trust)
        trust = make_trust();
    const struct skrfs_answer_wish wish = {.trust = trust,
            .host = "prod.vault.azure.net",
            .wall_s = 1700000000,
            .name = "disk-data",
            .nonce = "the-nonce",
            .kek_kid = "kek",
            .enc = SKRFS_ENC_SHA256};
    /* Nobody signed it: whatever is accepted is a hole. */
    if (skrfs_answer_verify((struct skrfs_bytes){data, size}, &wish, &answer, &err) == 0)
        abort();
    return 0;
}
