/* The attestation service. */
#include "maa.h"

#include "jwt.h"
#include "proof.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The signing certificate's key id: standard base64 of its SHA-256. */
static int key_id(const struct skrfs_lab_pki *pki, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    uint8_t digest[32];
    if (skrfs_chain_der(pki->maa.chain, 0, &der, err) < 0 ||
            skrfs_hash(SKRFS_SHA256, der.data, der.len, digest, err) < 0)
        return -1;
    return skrfs_base64_encode(SKRFS_BASE64, digest, sizeof(digest), out, err);
}

static int header_json(
        struct skrfs_lab *lab, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autobuf kid = SKRFS_BUF(64);
    char jku[SKRFS_LAB_URL_MAX + 8];
    if (key_id(lab->pki, &kid, err) < 0)
        return -1;
    (void)snprintf(jku, sizeof(jku), "%s/certs", lab->maa_url);
    return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:s,s:s}", "alg", "RS256", "jku", jku, "kid",
            skrfs_buf_text(&kid), "typ", "JWT");
}

static struct skrfs_lab_token_wish wish_of(struct skrfs_lab *lab, enum skrfs_lab_deed deed,
        const struct skrfs_lab_settings *settings) {
    bool lie = deed == SKRFS_LAB_OTHER_KEK || deed == SKRFS_LAB_OTHER_KEY;
    return (struct skrfs_lab_token_wish){.issuer = lab->maa_url,
            .now_s = skrfs_lab_wall_s(lab),
            .life_s = settings->token_life_s,
            .compliance = settings->compliance,
            .nonce = deed == SKRFS_LAB_OTHER_NONCE ? "another nonce" : NULL,
            .key = lie ? lab->pki->maa_stranger : NULL};
}

int skrfs_lab_maa_sign(struct skrfs_lab *lab, const struct skrfs_json *claims,
        enum skrfs_lab_deed deed, struct skrfs_buf *out, struct skrfs_error *err) {
    bool stranger = deed == SKRFS_LAB_OTHER_SIGNER;
    skrfs_autojson *header = NULL;
    size_t start = out->len;
    if (header_json(lab, &header, err) < 0 ||
            skrfs_lab_jwt_sign(stranger ? lab->pki->maa_stranger : lab->pki->maa.key, header,
                    claims, out, err) < 0)
        return -1;
    if (deed == SKRFS_LAB_BAD_SIGNATURE)
        skrfs_lab_jwt_spoil(out, start);
    return 0;
}

static enum skrfs_lab_seal seal_of(enum skrfs_lab_deed deed) {
    if (deed == SKRFS_LAB_BAD_TAG)
        return SKRFS_LAB_SEALED_BAD_TAG;
    return deed == SKRFS_LAB_WRONG_INNER_KEY ? SKRFS_LAB_SEALED_OTHER_KEY : SKRFS_LAB_SEALED_WELL;
}

/* Answers for a failure of decoding or checking. */
static void refuse(struct skrfs_lab_answer *answer, const struct skrfs_error *err) {
    if (err->kind == SKRFS_CLASS_BAD_ANSWER)
        (void)skrfs_lab_refuse(answer, 400, "InvalidParameter", "%s", err->message);
    else if (err->kind == SKRFS_CLASS_REJECTED)
        (void)skrfs_lab_refuse(answer, 400, "PolicyEvaluationError", "%s", err->message);
    else
        (void)skrfs_lab_broken(answer, err);
}

static int attest_guest(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer, struct skrfs_error *err) {
    const struct skrfs_lab_anchors anchors = skrfs_lab_pki_anchors(lab->pki);
    const struct skrfs_lab_settings settings = skrfs_lab_settings_get(lab);
    const struct skrfs_lab_token_wish wish = wish_of(lab, answer->deed, &settings);
    skrfs_autoguest guest;
    skrfs_autojson *claims = NULL;
    skrfs_autobuf token = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_lab_guest_init(&guest);
    if (skrfs_lab_guest_decode(request->body, &guest, err) < 0 ||
            skrfs_lab_guest_check(&guest, &anchors, err) < 0 ||
            skrfs_lab_guest_claims(&guest, &wish, &claims, err) < 0 ||
            skrfs_lab_maa_sign(lab, claims, answer->deed, &token, err) < 0)
        return -1;
    return skrfs_lab_guest_seal(
            &guest, skrfs_buf_bytes(&token), seal_of(answer->deed), &answer->body, err);
}

static int attest_hardware(struct skrfs_lab *lab, enum skrfs_lab_proof_kind kind, bool preview,
        const struct skrfs_lab_request *request, struct skrfs_lab_answer *answer,
        struct skrfs_error *err) {
    const struct skrfs_lab_anchors anchors = skrfs_lab_pki_anchors(lab->pki);
    const struct skrfs_lab_settings settings = skrfs_lab_settings_get(lab);
    const struct skrfs_lab_token_wish wish = wish_of(lab, answer->deed, &settings);
    skrfs_autoproof proof;
    skrfs_autojson *claims = NULL, *json = NULL;
    skrfs_autobuf token = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_lab_proof_init(&proof);
    if (skrfs_lab_proof_decode(kind, preview, request->body, &proof, err) < 0 ||
            skrfs_lab_proof_check(&proof, &anchors, err) < 0 ||
            skrfs_lab_proof_claims(&proof, &wish, &claims, err) < 0)
        return -1;
    int result = proof.draft ? skrfs_lab_jwt_unsigned(claims, &token, err)
                             : skrfs_lab_maa_sign(lab, claims, answer->deed, &token, err);
    if (result < 0 || skrfs_json_pack(&json, err, "{s:s}", "token", skrfs_buf_text(&token)) < 0)
        return -1;
    return skrfs_json_print(json, false, &answer->body, err);
}

static int certs_json(
        struct skrfs_lab *lab, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autobuf kid = SKRFS_BUF(64);
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    struct skrfs_json *text = NULL;
    if (key_id(lab->pki, &kid, err) < 0 || skrfs_chain_der(lab->pki->maa.chain, 0, &der, err) < 0 ||
            skrfs_lab_base64_json(SKRFS_BASE64, skrfs_buf_bytes(&der), &text, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:[{s:[o],s:s,s:s}]}", "keys", "x5c", text, "kid",
            skrfs_buf_text(&kid), "kty", "RSA");
}

static int oidc_json(struct skrfs_lab *lab, struct skrfs_json **ret_json, struct skrfs_error *err) {
    char jwks[SKRFS_LAB_URL_MAX + 8];
    (void)snprintf(jwks, sizeof(jwks), "%s/certs", lab->maa_url);
    return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:[s,s],s:[s]}", "issuer", lab->maa_url,
            "jwks_uri", jwks, "response_types_supported", "token", "none",
            "id_token_signing_alg_values_supported", "RS256");
}

static void describe(struct skrfs_lab *lab, struct skrfs_lab_answer *answer,
        int (*make)(struct skrfs_lab *, struct skrfs_json **, struct skrfs_error *)) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (make(lab, &json, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

/* The kinds of evidence, and the versions of the interface that each is known to work with. */
#define VERSIONS_MAX 7
static const struct kind {
    const char *name;
    const char *versions[VERSIONS_MAX];
} kinds[] = {
        {"AzureGuest", {"2020-10-01", "2022-08-01", "2022-09-01-preview", "2023-04-01-preview",
                               "2025-06-01", "2026-03-11-preview"}},
        {"SevSnpVm", {"2020-10-01", "2022-08-01", "2022-09-01-preview", "2025-06-01",
                             "2026-03-11-preview"}},
        {"TdxVm", {"2023-04-01-preview", "2025-06-01", "2026-03-11-preview"}},
        {"SgxEnclave", {"2018-09-01-preview", "2020-10-01", "2022-08-01", "2022-09-01-preview",
                               "2025-06-01", "2026-03-11-preview"}},
        {"OpenEnclave", {"2018-09-01-preview", "2020-10-01", "2022-08-01", "2022-09-01-preview",
                                "2025-06-01", "2026-03-11-preview"}},
};
#define PREVIEW "2018-09-01-preview"

static const struct kind *kind_named(const char *name) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(kinds); i++)
        if (strcasecmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

/* The preview had Open Enclave's reports below a folder of their own. */
static const struct kind *kind_of(const char *path) {
    static const char prefix[] = "/attest/", old[] = "/attest/Tee/OpenEnclave";
    if (strcasecmp(path, old) == 0)
        return kind_named("OpenEnclave");
    return strncasecmp(path, prefix, strlen(prefix)) == 0 ? kind_named(path + strlen(prefix))
                                                          : NULL;
}

static bool knows_version(const struct kind *kind, const char *version) {
    for (size_t i = 0; version && i < VERSIONS_MAX && kind->versions[i]; i++)
        if (strcmp(kind->versions[i], version) == 0)
            return true;
    return false;
}

bool skrfs_lab_maa_knows(const char *kind, const char *version) {
    const struct kind *known = kind_named(kind);
    return known && knows_version(known, version);
}

/* False when it is refused already. 2018-09-01-preview alone asks who calls. */
static bool check_call(struct skrfs_lab *lab, const struct kind *kind,
        const struct skrfs_lab_request *request, struct skrfs_lab_answer *answer) {
    const char *version = skrfs_lab_query(request, "api-version");
    const char *type = skrfs_lab_header(request, "Content-Type");
    if (!knows_version(kind, version))
        (void)skrfs_lab_refuse(answer, 400, "InvalidParameter",
                version ? "The api-version is not supported" : "The api-version is missing");
    else if (!type || strncmp(type, "application/json", 16) != 0)
        (void)skrfs_lab_refuse(
                answer, 415, "UnsupportedMediaType", "The body must be application/json");
    else
        return strcmp(version, PREVIEW) != 0 || skrfs_lab_maa_authorize(lab, request, answer);
    return false;
}

static void attest(struct skrfs_lab *lab, const struct kind *kind,
        const struct skrfs_lab_request *request, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    enum skrfs_lab_proof_kind proof;
    if (strcmp(request->method, "POST") != 0) {
        (void)skrfs_lab_refuse(answer, 405, "MethodNotAllowed", "The method is not allowed");
        return;
    }
    if (!skrfs_lab_enter(lab, SKRFS_LAB_AT_ATTEST, answer) ||
            !check_call(lab, kind, request, answer))
        return;
    bool preview = strcmp(skrfs_lab_query(request, "api-version"), PREVIEW) == 0;
    int result = skrfs_lab_proof_kind(kind->name, &proof)
                         ? attest_hardware(lab, proof, preview, request, answer, &err)
                         : attest_guest(lab, request, answer, &err);
    if (result < 0)
        refuse(answer, &err);
    else
        answer->status = 200;
}

void skrfs_lab_maa(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    bool get = strcmp(request->method, "GET") == 0;
    const struct kind *kind = kind_of(request->path);
    if (get && strcasecmp(request->path, "/certs") == 0)
        describe(lab, answer, certs_json);
    else if (get && strcasecmp(request->path, "/.well-known/openid-configuration") == 0)
        describe(lab, answer, oidc_json);
    else if (kind)
        attest(lab, kind, request, answer);
    else if (!skrfs_lab_maa_policies(lab, request, answer))
        (void)skrfs_lab_refuse(answer, 404, "NotFound", "The resource was not found");
}
