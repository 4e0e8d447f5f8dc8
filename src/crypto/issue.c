/* Making certificates. */
#include "internal.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#define SERIAL_LEN 16
/* So that a verifier whose clock is a little behind takes it. */
#define BACKDATE_S 300L

static int set_serial(X509 *cert, struct skrfs_error *err) {
    uint8_t serial[SERIAL_LEN];
    if (skrfs_random(serial, sizeof(serial), err) < 0)
        return -1;
    /* Positive, and of full length (RFC 5280 section 4.1.2.2). */
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
    auto_bn *number = BN_bin2bn(serial, sizeof(serial), NULL);
    if (!number || !BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)))
        return skrfs_fail_memory(err);
    return 0;
}

static int set_names(X509 *cert, const struct skrfs_cert_spec *spec, struct skrfs_error *err) {
    X509_NAME *subject = X509_get_subject_name(cert);
    if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                (const unsigned char *)spec->common_name, -1, -1, 0) != 1)
        return skrfs_crypto_fail(
                err, SKRFS_CLASS_CONFIG, "a certificate cannot have this common name");
    const X509_NAME *issuer =
            spec->issuer ? X509_get_subject_name(sk_X509_value(spec->issuer->certs, 0)) : subject;
    if (X509_set_issuer_name(cert, issuer) != 1)
        return skrfs_fail_memory(err);
    return 0;
}

static int set_times(X509 *cert, unsigned days, struct skrfs_error *err) {
    if (!X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATE_S) ||
            !X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL))
        return skrfs_crypto_fail(err, SKRFS_CLASS_CONFIG, "a certificate cannot be valid so long");
    return 0;
}

/* Adds an extension given in OpenSSL's configuration language (x509v3_config(5)). */
static int add_extension(
        X509 *cert, X509V3_CTX *ctx, int nid, const char *text, struct skrfs_error *err) {
    SKRFS_CLEANUP(X509_EXTENSION_free_p)
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, ctx, nid, text);
    if (!extension || X509_add_ext(cert, extension, -1) != 1)
        return skrfs_crypto_fail(
                err, SKRFS_CLASS_CONFIG, "a certificate's extension cannot be made");
    return 0;
}

static int add_usage(
        X509 *cert, X509V3_CTX *ctx, const struct skrfs_cert_spec *spec, struct skrfs_error *err) {
    if (spec->authority) {
        if (add_extension(cert, ctx, NID_basic_constraints, "critical,CA:TRUE", err) < 0)
            return -1;
        return add_extension(cert, ctx, NID_key_usage, "critical,keyCertSign,cRLSign", err);
    }
    /* AMD's leaves (VCEK) carry neither usage nor constraints. */
    if (spec->pss)
        return 0;
    const char *usage = EVP_PKEY_is_a(spec->subject_key->evp, "RSA")
                                ? "critical,digitalSignature,keyEncipherment"
                                : "critical,digitalSignature";
    if (add_extension(cert, ctx, NID_basic_constraints, "critical,CA:FALSE", err) < 0 ||
            add_extension(cert, ctx, NID_key_usage, usage, err) < 0)
        return -1;
    return add_extension(
            cert, ctx, NID_ext_key_usage, spec->purpose ? spec->purpose : "serverAuth", err);
}

static int add_alt_names(
        X509 *cert, X509V3_CTX *ctx, const char *const *names, struct skrfs_error *err) {
    if (!names || !*names)
        return 0;
    skrfs_autobuf text = SKRFS_BUF(4096);
    for (size_t i = 0; names[i]; i++) {
        /* The comma separates entries in this language. */
        if (strchr(names[i], ','))
            return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'%s' is no name of a host", names[i]);
        const char *kind = strncmp(names[i], "IP:", 3) == 0 ? "" : "DNS:";
        if (skrfs_buf_printf(&text, err, "%s%s%s", i ? "," : "", kind, names[i]) < 0)
            return -1;
    }
    return add_extension(cert, ctx, NID_subject_alt_name, skrfs_buf_text(&text), err);
}

static int add_custom(
        X509 *cert, const struct skrfs_cert_extension *custom, struct skrfs_error *err) {
    SKRFS_CLEANUP(ASN1_OBJECT_free_p) ASN1_OBJECT *object = OBJ_txt2obj(custom->oid, 1);
    SKRFS_CLEANUP(ASN1_OCTET_STRING_free_p) ASN1_OCTET_STRING *contents = ASN1_OCTET_STRING_new();
    if (!object || !contents ||
            ASN1_OCTET_STRING_set(contents, custom->contents.data, (int)custom->contents.len) != 1)
        return skrfs_crypto_fail(
                err, SKRFS_CLASS_CONFIG, "a certificate's extension cannot be made");
    SKRFS_CLEANUP(X509_EXTENSION_free_p)
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, contents);
    if (!extension || X509_add_ext(cert, extension, -1) != 1)
        return skrfs_fail_memory(err);
    return 0;
}

static int add_extensions(X509 *cert, const struct skrfs_cert_spec *spec, struct skrfs_error *err) {
    X509V3_CTX ctx;
    X509 *issuer = spec->issuer ? sk_X509_value(spec->issuer->certs, 0) : cert;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    if (add_usage(cert, &ctx, spec, err) < 0 ||
            add_extension(cert, &ctx, NID_subject_key_identifier, "hash", err) < 0 ||
            add_extension(cert, &ctx, NID_authority_key_identifier, "keyid:always", err) < 0 ||
            add_alt_names(cert, &ctx, spec->dns_names, err) < 0)
        return -1;
    for (size_t i = 0; i < spec->extension_count; i++)
        if (add_custom(cert, &spec->extensions[i], err) < 0)
            return -1;
    return 0;
}

static int sign_cert(X509 *cert, const struct skrfs_cert_spec *spec, struct skrfs_error *err) {
    auto_md_ctx *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params = NULL; /* owned by ctx */
    if (!ctx)
        return skrfs_fail_memory(err);
    enum skrfs_hash hash = spec->pss ? SKRFS_SHA384 : SKRFS_SHA256;
    bool ready = EVP_DigestSignInit(
                         ctx, &params, skrfs_crypto_md(hash), NULL, spec->issuer_key->evp) == 1;
    if (ready && spec->pss)
        ready = EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (!ready || X509_sign_ctx(cert, ctx) <= 0)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CONFIG, "a certificate cannot be signed");
    return 0;
}

/* Copies of the new certificate and of the issuer's chain behind it. */
static int new_chain(X509 *cert, const struct skrfs_chain *issuer, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) {
    struct skrfs_bytes ders[SKRFS_CHAIN_MAX];
    skrfs_autobuf all = SKRFS_BUF(SKRFS_CHAIN_MAX * SKRFS_CERT_MAX);
    size_t ends[SKRFS_CHAIN_MAX];
    size_t count = issuer ? skrfs_chain_len(issuer) + 1 : 1;
    if (count > SKRFS_CHAIN_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "a chain of %zu certificates is too long", count);
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    if (len <= 0)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a certificate cannot be written");
    int appended = skrfs_buf_append(&all, der, (size_t)len, err);
    OPENSSL_free(der);
    if (appended < 0)
        return -1;
    ends[0] = all.len;
    for (size_t i = 1; i < count; i++) {
        if (skrfs_chain_der(issuer, i - 1, &all, err) < 0)
            return -1;
        ends[i] = all.len;
    }
    for (size_t i = 0; i < count; i++) {
        size_t begin = i ? ends[i - 1] : 0;
        ders[i] = (struct skrfs_bytes){all.data + begin, ends[i] - begin};
    }
    return skrfs_chain_from_der(ders, count, ret_chain, err);
}

int skrfs_cert_issue(const struct skrfs_cert_spec *spec, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) {
    skrfs_crypto_ready();
    if (spec->issuer && X509_check_private_key(
                                sk_X509_value(spec->issuer->certs, 0), spec->issuer_key->evp) != 1)
        return skrfs_crypto_fail(
                err, SKRFS_CLASS_CONFIG, "the issuer's key does not belong to its certificate");
    auto_x509 *cert = X509_new();
    if (!cert || X509_set_version(cert, X509_VERSION_3) != 1 ||
            X509_set_pubkey(cert, spec->subject_key->evp) != 1)
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a certificate cannot be made");
    if (set_serial(cert, err) < 0 || set_names(cert, spec, err) < 0 ||
            set_times(cert, spec->days, err) < 0 || add_extensions(cert, spec, err) < 0 ||
            sign_cert(cert, spec, err) < 0)
        return -1;
    return new_chain(cert, spec->issuer, ret_chain, err);
}
