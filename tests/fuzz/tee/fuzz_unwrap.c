/* A wrapped key as the vault makes it, and the sealed token of the attestation service, each with
 * octets of the fuzzer's changed in it: what was changed must not open. The input is
 *
 *     what, enc, length of the plaintext, plaintext, then pairs of (place, exclusive or), then,
 *     with `what` raw, the octets themselves
 *
 * leaks are not looked for: the keys were made with OpenSSL's generator. */
#include "../../../src/tee/internal.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WRAPPED, RAW, SHORT_KEK, SEALED, WHATS };

static struct skrfs_tee_key key;
static struct skrfs_secret *kek;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const uint8_t octets[32] = "a key that encrypts other keys..";
    struct skrfs_error err;
    (void)argc;
    (void)argv;
    if (skrfs_pkey_new_rsa(2048, &key.rsa, &err) < 0 ||
            skrfs_secret_copy(octets, sizeof(octets), &kek, &err) < 0)
        abort();
    return 0;
}

/* True when something was changed. */
static bool change(struct skrfs_buf *buf, const uint8_t *data, size_t size) {
    bool changed = false;
    for (size_t i = 0; i + 2 < size; i += 3) {
        size_t at = (data[i] | (size_t)data[i + 1] << 8) % (buf->len ? buf->len : 1);
        if (!buf->len)
            return false;
        buf->data[at] ^= data[i + 2];
        changed |= data[i + 2] != 0;
    }
    return changed;
}

static bool wrap(enum skrfs_enc enc, bool short_kek, const struct skrfs_secret *plain,
        struct skrfs_buf *out) {
    struct skrfs_error err;
    const struct skrfs_bytes inner = {skrfs_secret_data(kek), short_kek ? 7 : 32};
    return skrfs_oaep_encrypt(key.rsa, skrfs_enc_hash(enc), inner, out, &err) == 0 &&
           skrfs_kwp_wrap(kek, plain, out, &err) == 0;
}

static void unwrap(unsigned what, enum skrfs_enc enc, struct skrfs_bytes text, const uint8_t *edits,
        size_t edits_len) {
    struct skrfs_error err;
    skrfs_autosecret *plain = NULL;
    skrfs_autosecret *back = NULL;
    skrfs_autobuf wrapped = SKRFS_BUF(4096);
    if (skrfs_secret_copy(text.data, text.len, &plain, &err) < 0 ||
            !wrap(enc, what == SHORT_KEK, plain, &wrapped))
        return;
    bool changed = change(&wrapped, edits, edits_len);
    int result = skrfs_direct_unwrap(NULL, &key, enc, skrfs_buf_bytes(&wrapped), &back, &err);
    /* Two changes of one octet may undo each other. */
    if (result == 0 && (skrfs_secret_len(back) != text.len ||
                               memcmp(skrfs_secret_data(back), text.data, text.len) != 0))
        abort();
    if (result < 0 && !changed && what == WRAPPED)
        abort();
}

static void unseal(struct skrfs_bytes text, const uint8_t *edits, size_t edits_len) {
    static const uint8_t iv[12] = "an iv of 12", aad[] = "Transport Key";
    struct skrfs_error err;
    uint8_t tag[16];
    skrfs_autobuf cipher = SKRFS_BUF(512), out = SKRFS_BUF(512);
    const struct skrfs_bytes ivs = {iv, sizeof(iv)}, aads = {aad, sizeof(aad) - 1};
    if (skrfs_gcm_seal(kek, ivs, aads, text, &cipher, tag, &err) < 0 ||
            skrfs_buf_append(&cipher, tag, sizeof(tag), &err) < 0)
        return;
    (void)change(&cipher, edits, edits_len);
    const struct skrfs_bytes body = {cipher.data, cipher.len - sizeof(tag)};
    if (skrfs_gcm_open(kek, ivs, aads, body, (struct skrfs_bytes){cipher.data + body.len, 16}, &out,
                &err) == 0 &&
            (out.len != text.len || (text.len && memcmp(out.data, text.data, text.len) != 0)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autosecret *plain = NULL;
    if (size < 3)
        return 0;
    unsigned what = data[0] % WHATS;
    enum skrfs_enc enc = (enum skrfs_enc)(data[1] % 3);
    size_t len = data[2] < size - 3 ? data[2] : size - 3;
    const struct skrfs_bytes text = {data + 3, len};
    if (what == RAW)
        (void)!skrfs_direct_unwrap(
                NULL, &key, enc, (struct skrfs_bytes){data + 3, size - 3}, &plain, &err);
    else if (what == SEALED)
        unseal(text, data + 3 + len, size - 3 - len);
    else
        unwrap(what, enc, text, data + 3 + len, size - 3 - len);
    return 0;
}
