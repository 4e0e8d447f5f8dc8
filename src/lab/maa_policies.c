/* What the attestation service tells of its policies, to callers who are known
 * (github.com/Azure/azure-rest-api-specs, attestation data plane, PolicyResponse). */
#include "jwt.h"
#include "maa.h"
#include "policies.h"

#include <skrfs/base/encode.h>
#include <string.h>
#include <strings.h>

#define AUDIENCE "https://attest.azure.net"

static bool refuse_caller(struct skrfs_lab_answer *answer, const char *why) {
    (void)skrfs_lab_refuse(answer, 401, "Unauthorized", "%s", why);
    return false;
}

static bool is_audience(const char *audience) {
    size_t len = strlen(AUDIENCE);
    return audience && strncmp(audience, AUDIENCE, len) == 0 &&
           (!audience[len] || strcmp(audience + len, "/") == 0);
}

bool skrfs_lab_maa_authorize(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    const char *header = skrfs_lab_header(request, "Authorization");
    struct skrfs_error err;
    skrfs_autojson *claims = NULL;
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return refuse_caller(answer, "The request has no access token");
    const struct skrfs_bytes token = {(const uint8_t *)header + 7, strlen(header + 7)};
    if (skrfs_lab_jwt_verify(lab->pki->entra.key, lab->login_url, token, skrfs_lab_wall_s(lab),
                &claims, &err) < 0)
        return refuse_caller(answer, err.message);
    if (!is_audience(skrfs_json_string(skrfs_json_get(claims, "aud"))))
        return refuse_caller(answer, "The access token is for another resource");
    return true;
}

/* The policy is itself a token, which nobody signed, inside the service's own. */
static int policy_claims(struct skrfs_json *claims, struct skrfs_error *err) {
    skrfs_autobuf encoded = SKRFS_BUF(4096), inner = SKRFS_BUF(8192), digest_text = SKRFS_BUF(64);
    skrfs_autojson *policy = NULL;
    struct skrfs_json *value = NULL;
    uint8_t digest[32];
    if (skrfs_lab_policy_encoded(&encoded, err) < 0 || skrfs_lab_policy_digest(digest, err) < 0 ||
            skrfs_base64_encode(SKRFS_BASE64URL, digest, sizeof(digest), &digest_text, err) < 0 ||
            skrfs_json_pack(&policy, err, "{s:s}", "AttestationPolicy", skrfs_buf_text(&encoded)) <
                    0 ||
            skrfs_lab_jwt_unsigned(policy, &inner, err) < 0 ||
            skrfs_json_pack(&value, err, "s", skrfs_buf_text(&inner)) < 0 ||
            skrfs_json_set(claims, "x-ms-policy", value, err) < 0 ||
            skrfs_json_pack(&value, err, "s", skrfs_buf_text(&digest_text)) < 0)
        return -1;
    return skrfs_json_set(claims, "x-ms-policy-hash", value, err);
}

/* Nobody's certificates guard the policies: the lab's provider is not an isolated one. */
static int certificate_claims(struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    if (skrfs_json_pack(&value, err, "{s:[]}", "keys") < 0)
        return -1;
    return skrfs_json_set(claims, "x-ms-policy-certificates", value, err);
}

typedef int claims_fn(struct skrfs_json *claims, struct skrfs_error *err);

static int token_json(struct skrfs_lab *lab, claims_fn *fill, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    const int64_t life_s = 3600, now = skrfs_lab_wall_s(lab);
    skrfs_autojson *claims = NULL;
    skrfs_autobuf token = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    if (skrfs_json_pack(&claims, err, "{s:I,s:I,s:I,s:s}", "exp", now + life_s, "iat", now, "nbf",
                now, "iss", lab->maa_url) < 0 ||
            fill(claims, err) < 0 ||
            skrfs_lab_maa_sign(lab, claims, SKRFS_LAB_TRUTH, &token, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:s}", "token", skrfs_buf_text(&token));
}

/* The kind whose policy is asked for; NULL for another path. */
static const char *policy_of(const char *path) {
    static const char prefix[] = "/policies/";
    size_t len = strlen(prefix);
    return strncasecmp(path, prefix, len) == 0 ? path + len : NULL;
}

/* Of a kind of evidence, or of none in particular: any that some kind knows. */
static bool check_call(struct skrfs_lab *lab, const char *kind,
        const struct skrfs_lab_request *request, struct skrfs_lab_answer *answer) {
    const char *version = skrfs_lab_query(request, "api-version");
    if (strcmp(request->method, "GET") != 0)
        (void)skrfs_lab_refuse(answer, 405, "MethodNotAllowed", "The method is not allowed");
    else if (!version || !skrfs_lab_maa_knows(kind ? kind : "AzureGuest", version))
        (void)skrfs_lab_refuse(answer, 400, "InvalidParameter",
                "The attestation type or the api-version is not supported");
    else
        return skrfs_lab_maa_authorize(lab, request, answer);
    return false;
}

bool skrfs_lab_maa_policies(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    const char *kind = policy_of(request->path);
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (!kind && strcasecmp(request->path, "/certificates") != 0)
        return false;
    if (!check_call(lab, kind, request, answer))
        return true;
    if (token_json(lab, kind ? policy_claims : certificate_claims, &json, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
    return true;
}
