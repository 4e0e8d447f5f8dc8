/* Certificates from PEM and DER into ordered lists, and back. */
#include "internal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

void skrfs_crypto_certs_free(STACK_OF(X509) * certs) {
    sk_X509_pop_free(certs, X509_free);
}

/* Parses one certificate that fills `der` and appends it. */
static int push_der(
        STACK_OF(X509) * certs, const uint8_t *der, size_t len, int max, struct skrfs_error *err) {
    if (sk_X509_num(certs) >= max)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "more than %d certificates", max);
    if (len > SKRFS_CERT_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "a certificate of %zu octets", len);
    const unsigned char *at = der;
    (void)memory_starved();
    auto_x509 *cert = d2i_X509(NULL, &at, (long)len);
    /* OpenSSL passes over a public key for which it got no memory (x_pubkey.c). */
    if (cert && memory_starved())
        return skrfs_fail_memory(err);
    if (!cert)
        return skrfs_crypto_refuse(
                err, SKRFS_CLASS_BAD_ANSWER, "certificate %d is malformed", sk_X509_num(certs) + 1);
    if (at != der + len)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "there are octets behind certificate %d",
                sk_X509_num(certs) + 1);
    if (sk_X509_push(certs, cert) == 0)
        return skrfs_fail_memory(err);
    cert = NULL;
    return 0;
}

/* Reads one PEM block: 1 when there was one, 0 at the end. */
static int push_block(STACK_OF(X509) * certs, BIO *bio, int max, struct skrfs_error *err) {
    char *name = NULL;
    char *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    if (PEM_read_bio(bio, &name, &header, &data, &len) != 1) {
        bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        if (!end)
            return skrfs_crypto_refuse(err, SKRFS_CLASS_BAD_ANSWER, "the PEM text is malformed");
        ERR_clear_error();
        return 0;
    }
    int result = 1;
    if (strcmp(name, "CERTIFICATE") != 0 || *header)
        result = skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the PEM text holds something else than certificates");
    else if (push_der(certs, data, (size_t)len, max, err) < 0)
        result = -1;
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return result;
}

static int push_blocks(
        STACK_OF(X509) * certs, const char *text, size_t len, int max, struct skrfs_error *err) {
    auto_bio *bio = BIO_new_mem_buf(text, (int)len);
    if (!bio)
        return skrfs_fail_memory(err);
    int more = 1;
    while (more > 0)
        more = push_block(certs, bio, max, err);
    if (more < 0)
        return -1;
    if (sk_X509_num(certs) == 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "there is no certificate in the text");
    return 0;
}

int skrfs_crypto_certs_from_pem(const char *text, size_t len, int max, STACK_OF(X509) * *ret_certs,
        struct skrfs_error *err) {
    skrfs_crypto_ready();
    STACK_OF(X509) *certs = len <= INT_MAX ? sk_X509_new_null() : NULL;
    if (!certs)
        return skrfs_fail_memory(err);
    if (push_blocks(certs, text, len, max, err) < 0) {
        skrfs_crypto_certs_free(certs);
        return -1;
    }
    *ret_certs = certs;
    return 0;
}

void skrfs_chain_free(struct skrfs_chain *chain) {
    if (!chain)
        return;
    skrfs_crypto_certs_free(chain->certs);
    free(chain);
}

/* Takes `certs` over, also when it fails. */
static int chain_new(
        STACK_OF(X509) * certs, struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    struct skrfs_chain *chain = calloc(1, sizeof(*chain));
    if (!chain) {
        skrfs_crypto_certs_free(certs);
        return skrfs_fail_memory(err);
    }
    chain->certs = certs;
    *ret_chain = chain;
    return 0;
}

int skrfs_chain_from_pem(
        const char *text, size_t len, struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    if (len > SKRFS_PEM_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "a certificate chain of %zu octets is refused", len);
    STACK_OF(X509) *certs = NULL;
    if (skrfs_crypto_certs_from_pem(text, len, SKRFS_CHAIN_MAX, &certs, err) < 0)
        return -1;
    return chain_new(certs, ret_chain, err);
}

int skrfs_chain_from_der(const struct skrfs_bytes *certs, size_t count,
        struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    skrfs_crypto_ready();
    if (count == 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "there is no certificate");
    STACK_OF(X509) *stack = sk_X509_new_null();
    if (!stack)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        if (push_der(stack, certs[i].data, certs[i].len, SKRFS_CHAIN_MAX, err) < 0) {
            skrfs_crypto_certs_free(stack);
            return -1;
        }
    return chain_new(stack, ret_chain, err);
}

size_t skrfs_chain_len(const struct skrfs_chain *chain) {
    return (size_t)sk_X509_num(chain->certs);
}

int skrfs_chain_der(const struct skrfs_chain *chain, size_t index, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (index >= skrfs_chain_len(chain))
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the chain has no certificate %zu", index);
    unsigned char *der = NULL;
    int len = i2d_X509(sk_X509_value(chain->certs, (int)index), &der);
    if (len <= 0)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a certificate cannot be written");
    int result = skrfs_buf_append(out, der, (size_t)len, err);
    OPENSSL_free(der);
    return result;
}

static void put_cert_pem(struct skrfs_sink *sink, const void *context) {
    const struct skrfs_buf *der = context;
    skrfs_sink_pem(sink, "CERTIFICATE", skrfs_buf_bytes(der), 64);
}

int skrfs_chain_pem(
        const struct skrfs_chain *chain, struct skrfs_buf *out, struct skrfs_error *err) {
    for (size_t i = 0; i < skrfs_chain_len(chain); i++) {
        skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
        if (skrfs_chain_der(chain, i, &der, err) < 0 ||
                skrfs_sink_to_buf(put_cert_pem, &der, out, err) < 0)
            return -1;
    }
    return 0;
}
