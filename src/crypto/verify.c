/* A chain against trust anchors, for a server of a name at a time (RFC 5280, RFC 6125). */
#include "internal.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <string.h>

/* 112 bits: no SHA-1 and no RSA below 2048 (SSL_CTX_set_security_level(3), level 2). */
#define AUTH_LEVEL 2

static bool is_address(const char *host) {
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static bool set_wish(X509_STORE_CTX *ctx, const char *host, int64_t wall_s) {
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)wall_s);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    X509_VERIFY_PARAM_set_hostflags(
            param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_TRUSTED_FIRST) != 1 ||
            X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER) != 1)
        return false;
    return (is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(param, host)
                             : X509_VERIFY_PARAM_set1_host(param, host, 0)) == 1;
}

static int fail_verification(int code, const char *host, struct skrfs_error *err) {
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the certificate of '%s' or of its issuer has expired", host);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the certificate of '%s' or of its issuer is not valid yet: is this machine's "
                "clock right?",
                host);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the certificate is for another host than '%s'", host);
    case X509_V_ERR_INVALID_PURPOSE:
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the certificate of '%s' is not one for servers", host);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the certificate of '%s' is not trusted: it does not lead to a known authority",
                host);
    default:
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the certificate of '%s' is refused: %s",
                host, X509_verify_cert_error_string(code));
    }
}

int skrfs_chain_verify_server(const struct skrfs_chain *chain, const struct skrfs_trust *trust,
        const char *host, int64_t wall_s, struct skrfs_error *err) {
    /* To OpenSSL an empty name means "any" and a leading dot "any below". */
    if (!*host || *host == '.')
        return skrfs_fail(
                err, SKRFS_CLASS_BUG, "a certificate cannot be held against the host '%s'", host);
    SKRFS_CLEANUP(X509_STORE_CTX_free_p) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (!ctx)
        return skrfs_fail_memory(err);
    if (X509_STORE_CTX_init(ctx, trust->store, sk_X509_value(chain->certs, 0), chain->certs) != 1 ||
            !set_wish(ctx, host, wall_s))
        return skrfs_crypto_fail(err, SKRFS_CLASS_CRYPTO, "a certificate cannot be verified");
    (void)memory_starved();
    int valid = X509_verify_cert(ctx);
    ERR_clear_error();
    if (valid == 1)
        return 0;
    if (memory_starved())
        return skrfs_fail_memory(err);
    return fail_verification(X509_STORE_CTX_get_error(ctx), host, err);
}
