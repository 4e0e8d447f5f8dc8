/* What a leaf says, and links between certificates whose root somebody else judges. */
#include "internal.h"

#include <openssl/err.h>
#include <string.h>

static X509 *leaf(const struct skrfs_chain *chain) {
    return sk_X509_value(chain->certs, 0);
}

static X509 *last(const struct skrfs_chain *chain) {
    return sk_X509_value(chain->certs, sk_X509_num(chain->certs) - 1);
}

int skrfs_chain_leaf_key(
        const struct skrfs_chain *chain, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    auto_evp *evp = X509_get_pubkey(leaf(chain));
    if (!evp)
        return skrfs_crypto_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the certificate's public key cannot be used");
    return skrfs_crypto_wrap_evp(&evp, ret_key, err);
}

int skrfs_chain_leaf_extension(const struct skrfs_chain *chain, const char *oid,
        struct skrfs_buf *out, bool *ret_found, struct skrfs_error *err) {
    SKRFS_CLEANUP(ASN1_OBJECT_free_p) ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    if (!object)
        return skrfs_crypto_fail(err, SKRFS_CLASS_BUG, "not an object identifier");
    int at = X509_get_ext_by_OBJ(leaf(chain), object, -1);
    if (at >= 0) {
        const ASN1_OCTET_STRING *contents = X509_EXTENSION_get_data(X509_get_ext(leaf(chain), at));
        size_t len = (size_t)ASN1_STRING_length(contents);
        if (skrfs_buf_append(out, ASN1_STRING_get0_data(contents), len, err) < 0)
            return -1;
    }
    *ret_found = at >= 0;
    return 0;
}

int skrfs_chain_leaf_integer(const struct skrfs_chain *chain, const char *oid, uint64_t *ret_value,
        struct skrfs_error *err) {
    skrfs_autobuf contents = SKRFS_BUF(64);
    bool found = false;
    if (skrfs_chain_leaf_extension(chain, oid, &contents, &found, err) < 0)
        return -1;
    if (!found)
        return skrfs_crypto_refuse(
                err, SKRFS_CLASS_BAD_ANSWER, "the certificate has no extension %s", oid);
    const unsigned char *at = contents.data;
    ASN1_INTEGER *integer = d2i_ASN1_INTEGER(NULL, &at, (long)contents.len);
    uint64_t value = 0;
    bool good = integer && at == contents.data + contents.len &&
                ASN1_INTEGER_get_uint64(&value, integer) == 1;
    ASN1_INTEGER_free(integer);
    if (!good)
        return skrfs_crypto_refuse(
                err, SKRFS_CLASS_BAD_ANSWER, "the certificate's extension %s is not a number", oid);
    *ret_value = value;
    return 0;
}

int skrfs_chain_leaf_name(
        const struct skrfs_chain *chain, char *out, size_t size, struct skrfs_error *err) {
    const X509_NAME *name = X509_get_subject_name(leaf(chain));
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0)
        return skrfs_crypto_refuse(
                err, SKRFS_CLASS_BAD_ANSWER, "the certificate has no common name");
    unsigned char *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (len < 0 || (size_t)len >= size || memchr(text, 0, (size_t)len)) {
        OPENSSL_free(text);
        return skrfs_crypto_refuse(
                err, SKRFS_CLASS_BAD_ANSWER, "the certificate's common name is malformed");
    }
    memcpy(out, text, (size_t)len);
    out[len] = '\0';
    OPENSSL_free(text);
    return 0;
}

/* `issuer` is an authority of that name and signed `subject`. */
static int check_link(X509 *subject, X509 *issuer, int number, struct skrfs_error *err) {
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    bool good = key && X509_check_ca(issuer) > 0 &&
                X509_check_issued(issuer, subject) == X509_V_OK && X509_verify(subject, key) == 1;
    if (!good)
        return skrfs_crypto_refuse(err, SKRFS_CLASS_BAD_ANSWER,
                "certificate %d of the chain is not signed by %s", number,
                subject == issuer ? "itself, as a root is" : "the next one");
    return 0;
}

int skrfs_chain_verify_links(const struct skrfs_chain *chain, struct skrfs_error *err) {
    int count = sk_X509_num(chain->certs);
    for (int i = 0; i < count; i++) {
        int next = i + 1 < count ? i + 1 : i;
        if (check_link(sk_X509_value(chain->certs, i), sk_X509_value(chain->certs, next), i + 1,
                    err) < 0)
            return -1;
    }
    return 0;
}

bool skrfs_chain_same_root(const struct skrfs_chain *chain, const struct skrfs_chain *root) {
    /* X509_cmp alone would compare digests and treat certificates without one as different. */
    unsigned char *a = NULL;
    unsigned char *b = NULL;
    int a_len = i2d_X509(last(chain), &a);
    int b_len = i2d_X509(last(root), &b);
    bool same = a_len > 0 && a_len == b_len && memcmp(a, b, (size_t)a_len) == 0;
    OPENSSL_free(a);
    OPENSSL_free(b);
    return same;
}

int skrfs_chain_root_key_digest(
        const struct skrfs_chain *chain, uint8_t ret_digest[32], struct skrfs_error *err) {
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(last(chain)), &der);
    if (len <= 0) {
        return skrfs_crypto_refuse(
                err, SKRFS_CLASS_BAD_ANSWER, "the chain's root has no public key");
    }
    int result = skrfs_hash(SKRFS_SHA256, der, (size_t)len, ret_digest, err);
    OPENSSL_free(der);
    return result;
}
