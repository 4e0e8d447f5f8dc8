/* A released JWS whose header and payload are the fuzzer's and whose signature is made here by a
 * key that is trusted, so that what is behind the signature is reached through it. The input is the
 * header, a NUL and the payload; in the header "@chain@" stands for the certificates of the
 * trusted signer as an array, "@leaf@" and "@root@" for one of them.
 *
 * leaks are not looked for: the keys were made with OpenSSL's generator. */
#include <skrfs/release/release.h>

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOST "prod.vault.azure.net"

static struct skrfs_trust *trust;
static struct skrfs_pkey *signer;
static struct skrfs_buf leaf = SKRFS_BUF(SKRFS_CERT_MAX), root = SKRFS_BUF(SKRFS_CERT_MAX),
                        both = SKRFS_BUF(2 * SKRFS_CERT_MAX);

static void put_base64(const struct skrfs_chain *chain, size_t index, struct skrfs_buf *out) {
    struct skrfs_error err;
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    if (skrfs_chain_der(chain, index, &der, &err) < 0 || skrfs_buf_append_text(out, "\"", &err) ||
            skrfs_base64_encode(SKRFS_BASE64, der.data, der.len, out, &err) < 0 ||
            skrfs_buf_append_text(out, "\"", &err) < 0)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const char *const names[] = {HOST, NULL};
    struct skrfs_error err;
    skrfs_autopkey *key = NULL;
    skrfs_autochain *authority = NULL, *chain = NULL;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    (void)argc;
    (void)argv;
    if (skrfs_pkey_new_rsa(2048, &key, &err) < 0 || skrfs_pkey_new_rsa(2048, &signer, &err) < 0)
        abort();
    struct skrfs_cert_spec spec = {.common_name = "root",
            .subject_key = key,
            .issuer_key = key,
            .authority = true,
            .days = 30};
    if (skrfs_cert_issue(&spec, &authority, &err) < 0)
        abort();
    spec = (struct skrfs_cert_spec){.common_name = "vault",
            .subject_key = signer,
            .issuer_key = key,
            .issuer = authority,
            .dns_names = names,
            .days = 30};
    if (skrfs_cert_issue(&spec, &chain, &err) < 0 || skrfs_chain_pem(authority, &pem, &err) < 0 ||
            skrfs_trust_from_pem(skrfs_buf_text(&pem), pem.len, &trust, &err) < 0)
        abort();
    put_base64(chain, 0, &leaf);
    put_base64(authority, 0, &root);
    if (skrfs_buf_printf(&both, &err, "[%s,%s]", skrfs_buf_text(&leaf), skrfs_buf_text(&root)) < 0)
        abort();
    return 0;
}

/* False when the whole is longer than any JWS. */
static bool put_header(const char *text, struct skrfs_buf *out) {
    static const struct {
        const char *mark;
        const struct skrfs_buf *is;
    } marks[] = {{"@chain@", &both}, {"@leaf@", &leaf}, {"@root@", &root}};
    struct skrfs_error err;
    while (*text) {
        size_t i = 0;
        while (i < SKRFS_ARRAY_LEN(marks) &&
                strncmp(text, marks[i].mark, strlen(marks[i].mark)) != 0)
            i++;
        bool marked = i < SKRFS_ARRAY_LEN(marks);
        int put = marked ? skrfs_buf_append(out, marks[i].is->data, marks[i].is->len, &err)
                         : skrfs_buf_append(out, text, 1, &err);
        if (put < 0)
            return false;
        text += marked ? strlen(marks[i].mark) : 1;
    }
    return true;
}

static bool make(const char *header, struct skrfs_bytes payload, struct skrfs_buf *jws) {
    struct skrfs_error err;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_JWS_MAX), signature = SKRFS_BUF(512);
    return put_header(header, &text) &&
           skrfs_base64_encode(SKRFS_BASE64URL, text.data, text.len, jws, &err) == 0 &&
           skrfs_buf_append_text(jws, ".", &err) == 0 &&
           skrfs_base64_encode(SKRFS_BASE64URL, payload.data, payload.len, jws, &err) == 0 &&
           skrfs_rsa_sign(signer, SKRFS_SHA256, skrfs_buf_bytes(jws), &signature, &err) == 0 &&
           skrfs_buf_append_text(jws, ".", &err) == 0 &&
           skrfs_base64_encode(SKRFS_BASE64URL, signature.data, signature.len, jws, &err) == 0;
}

/* A good one with one octet changed is none. */
static void alter(const struct skrfs_answer_wish *wish, struct skrfs_buf *jws) {
    struct skrfs_error err;
    struct skrfs_answer answer = {0};
    size_t at = jws->len / 2;
    jws->data[at] ^= 1;
    if (skrfs_answer_verify(skrfs_buf_bytes(jws), wish, &answer, &err) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_answer answer = {0};
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    char *header = strndup((const char *)data, size);
    size_t len = header ? strlen(header) : size;
    const size_t at = len < size ? len + 1 : size;
    const struct skrfs_answer_wish wish = {.trust = trust,
            .host = HOST,
            .wall_s = skrfs_wall_s(),
            .name = "disk-data",
            .nonce = "the-nonce",
            .kek_kid = "kek",
            .enc = SKRFS_ENC_SHA256};
    if (header && make(header, (struct skrfs_bytes){data + at, size - at}, &jws) &&
            skrfs_answer_verify(skrfs_buf_bytes(&jws), &wish, &answer, &err) == 0) {
        if (!answer.version[0] || answer.wrapped.len < 272 ||
                !memmem(data + at, size - at, "the-nonce", strlen("the-nonce")))
            abort();
        skrfs_answer_done(&answer);
        alter(&wish, &jws);
    }
    free(header);
    return 0;
}
