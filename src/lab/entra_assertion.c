/* Client assertions (RFC 7523): of the application's certificate (learn.microsoft.com, "Microsoft
 * identity platform application authentication certificate credentials"), and tokens of the issuer
 * that it is federated with. */
#include "entra.h"

#include <skrfs/base/encode.h>
#include <string.h>

#define PART_MAX ((size_t)32 * 1024)
#define SKEW_S 300
#define LIFE_MAX_S 86400 /* from nbf to exp of a certificate's assertion */

struct assertion {
    struct skrfs_json *header, *claims;
    struct skrfs_buf signature;
    struct skrfs_bytes signed_part;
};

static void assertion_done(struct assertion *assertion) {
    skrfs_json_free(assertion->header);
    skrfs_json_free(assertion->claims);
    skrfs_buf_done(&assertion->signature);
}

static int part_json(
        const char *text, size_t len, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autobuf json = SKRFS_BUF(PART_MAX);
    if (skrfs_base64_decode(SKRFS_BASE64URL, text, len, &json, err) < 0)
        return -1;
    return skrfs_json_parse(skrfs_buf_text(&json), json.len, PART_MAX, ret_json, err);
}

static int take_apart(const char *text, struct assertion *ret_assertion, struct skrfs_error *err) {
    const char *first = strchr(text, '.');
    const char *second = first ? strchr(first + 1, '.') : NULL;
    if (!second || strchr(second + 1, '.'))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "it is not three parts");
    ret_assertion->signature = SKRFS_BUF(SKRFS_RSA_MAX);
    ret_assertion->signed_part =
            (struct skrfs_bytes){(const uint8_t *)text, (size_t)(second - text)};
    if (part_json(text, (size_t)(first - text), &ret_assertion->header, err) < 0 ||
            part_json(first + 1, (size_t)(second - first) - 1, &ret_assertion->claims, err) < 0)
        return -1;
    return skrfs_base64_decode(
            SKRFS_BASE64URL, second + 1, strlen(second + 1), &ret_assertion->signature, err);
}

static const char *text_of(const struct skrfs_json *json, const char *name) {
    const char *text = skrfs_json_string(skrfs_json_get(json, name));
    return text ? text : "";
}

/* base64url of the certificate's digest (RFC 7515 sections 4.1.7 and 4.1.8). */
static int is_thumbprint(const struct skrfs_chain *chain, enum skrfs_hash hash, const char *text,
        bool *ret_same, struct skrfs_error *err) {
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    skrfs_autobuf own = SKRFS_BUF((size_t)128);
    uint8_t digest[SKRFS_HASH_MAX];
    if (skrfs_chain_der(chain, 0, &der, err) < 0 ||
            skrfs_hash(hash, der.data, der.len, digest, err) < 0 ||
            skrfs_base64_encode(SKRFS_BASE64URL, digest, skrfs_hash_len(hash), &own, err) < 0)
        return -1;
    *ret_same = strcmp(skrfs_buf_text(&own), text) == 0;
    return 0;
}

/* RS256 and PS256 alone. */
static bool signature_fits(const struct skrfs_pkey *key, const struct assertion *assertion) {
    struct skrfs_error err;
    const char *alg = text_of(assertion->header, "alg");
    struct skrfs_bytes signature = skrfs_buf_bytes(&assertion->signature);
    if (strcmp(alg, "RS256") == 0)
        return skrfs_rsa_verify(key, SKRFS_SHA256, assertion->signed_part, signature, &err) == 0;
    return strcmp(alg, "PS256") == 0 &&
           skrfs_pss_verify(key, SKRFS_SHA256, assertion->signed_part, signature, &err) == 0;
}

static int check_times(struct skrfs_lab *lab, const struct skrfs_json *claims, int64_t most_s,
        struct skrfs_lab_answer *answer) {
    const struct skrfs_json *nbf = skrfs_json_get(claims, "nbf");
    int64_t now = skrfs_lab_wall_s(lab);
    int64_t since = 0;
    int64_t until = 0;
    struct skrfs_error err;
    if (skrfs_json_need_integer(claims, "exp", &until, &err) < 0 ||
            (nbf && skrfs_json_need_integer(claims, "nbf", &since, &err) < 0))
        return skrfs_lab_aadsts(
                lab, answer, 50027, "JWT token is invalid or malformed: %s.", err.message);
    if (until <= now - SKEW_S || since > now + SKEW_S || (nbf && until - since > most_s))
        return skrfs_lab_aadsts(lab, answer, 700024,
                "Client assertion is not within its valid time range. Current time: %lld, "
                "assertion valid from %lld, expiry time of assertion %lld.",
                (long long)now, (long long)since, (long long)until);
    return 0;
}

/* The token endpoint of this tenant by its id, or its issuer. */
static bool is_our_audience(const struct skrfs_lab *lab, const char *audience) {
    static const char *const tails[] = {"/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "", "/"};
    size_t len = strlen(lab->login_url);
    if (strncmp(audience, lab->login_url, len) != 0)
        return false;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(tails); i++)
        if (strcmp(audience + len, tails[i]) == 0)
            return true;
    return false;
}

static int find_certificate(
        struct skrfs_lab *lab, const struct skrfs_json *header, struct skrfs_lab_answer *answer) {
    const char *sha256 = text_of(header, "x5t#S256");
    const char *sha1 = text_of(header, "x5t");
    struct skrfs_error err;
    bool same = false;
    int rc =
            *sha256 ? is_thumbprint(lab->directory->client.chain, SKRFS_SHA256, sha256, &same, &err)
                    : is_thumbprint(lab->directory->client.chain, SKRFS_SHA1, sha1, &same, &err);
    if (rc < 0)
        return skrfs_lab_broken(answer, &err);
    if (!same)
        return skrfs_lab_aadsts(lab, answer, 700027,
                "The certificate with identifier used to sign the client assertion is not "
                "registered on application. [Reason - The key was not found., Thumbprint of key "
                "used by client: '%.64s']",
                *sha256 ? sha256 : sha1);
    return 0;
}

static int check_certificate(
        struct skrfs_lab *lab, const struct assertion *assertion, struct skrfs_lab_answer *answer) {
    const struct skrfs_json *claims = assertion->claims;
    if (strcmp(text_of(claims, "iss"), SKRFS_LAB_CLIENT) != 0 ||
            strcmp(text_of(claims, "sub"), SKRFS_LAB_CLIENT) != 0)
        return skrfs_lab_aadsts(lab, answer, 700021,
                "Client assertion application identifier doesn't match 'client_id' parameter.");
    if (find_certificate(lab, assertion->header, answer) < 0)
        return -1;
    if (!signature_fits(lab->directory->client.key, assertion))
        return skrfs_lab_aadsts(lab, answer, 700027,
                "Client assertion failed signature validation. [Reason - The provided signature "
                "value did not match the expected signature value.]");
    if (!is_our_audience(lab, text_of(claims, "aud")))
        return skrfs_lab_aadsts(lab, answer, 700023,
                "Client assertion audience claim does not match Realm issuer. Review the "
                "documentation at https://learn.microsoft.com/entra/identity-platform/"
                "certificate-credentials.");
    if (!*text_of(claims, "jti"))
        return skrfs_lab_aadsts(
                lab, answer, 50027, "JWT token is invalid or malformed: there is no jti.");
    return check_times(lab, claims, LIFE_MAX_S, answer);
}

/* A string, or an array of one: what clusters write. */
static const char *audience_of(const struct skrfs_json *claims) {
    const struct skrfs_json *audience = skrfs_json_get(claims, "aud");
    const char *text = skrfs_json_string(audience);
    if (!text && skrfs_json_size(audience) == 1)
        text = skrfs_json_string(skrfs_json_at(audience, 0));
    return text ? text : "";
}

static int check_federated(
        struct skrfs_lab *lab, const struct assertion *assertion, struct skrfs_lab_answer *answer) {
    const struct skrfs_json *claims = assertion->claims;
    const char *issuer = text_of(claims, "iss");
    const char *subject = text_of(claims, "sub");
    const char *audience = audience_of(claims);
    if (strcmp(issuer, lab->directory->issuer) != 0)
        return skrfs_lab_aadsts(lab, answer, 700211,
                "No matching federated identity record found for presented assertion issuer "
                "'%.160s'.",
                issuer);
    if (strcmp(text_of(assertion->header, "alg"), "RS256") != 0 ||
            !signature_fits(lab->directory->federation, assertion))
        return skrfs_lab_aadsts(lab, answer, 700027,
                "Client assertion failed signature validation. [Reason - The provided signature "
                "value did not match the expected signature value.]");
    if (strcmp(audience, SKRFS_LAB_FEDERATED_AUDIENCE) != 0)
        return skrfs_lab_aadsts(lab, answer, 700212,
                "No matching federated identity record found for presented assertion audience "
                "'%.160s'.",
                audience);
    if (strcmp(subject, SKRFS_LAB_FEDERATED_SUBJECT) != 0)
        return skrfs_lab_aadsts(lab, answer, 700213,
                "No matching federated identity record found for presented assertion subject "
                "'%.160s'.",
                subject);
    return check_times(lab, claims, INT32_MAX, answer);
}

int skrfs_lab_assertion_check(
        struct skrfs_lab *lab, const char *text, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    SKRFS_CLEANUP(assertion_done) struct assertion assertion = {0};
    if (take_apart(text, &assertion, &err) < 0)
        return skrfs_lab_aadsts(
                lab, answer, 50027, "JWT token is invalid or malformed: %s.", err.message);
    /* A certificate's assertion names the certificate. */
    bool certificate =
            skrfs_json_get(assertion.header, "x5t") || skrfs_json_get(assertion.header, "x5t#S256");
    return certificate ? check_certificate(lab, &assertion, answer)
                       : check_federated(lab, &assertion, answer);
}
