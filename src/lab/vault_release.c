/* Secure key release: who may have a key, and why not. */
#include "jwt.h"
#include "release.h"
#include "vault_ops.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

/* The two refusals of the service; their texts are all that tells them apart. */
#define CANNOT_VERIFY "Target environment attestation statement cannot be verified."
#define NOT_MET "Target environment attestation does not meet the key release policy requirements."

/* A 403, with the true reason in the log alone, as the service keeps it. */
static int deny(struct skrfs_lab_answer *answer, const char *message, const char *why) {
    (void)skrfs_lab_refuse_inner(answer, 403, "Forbidden", "AccessDenied", "%s", message);
    skrfs_text_clean(why, strlen(why), answer->note, sizeof(answer->note));
    return -1;
}

/* What a release's body asks for. */
struct ask {
    struct skrfs_json *json;
    const char *target, *nonce;
    enum skrfs_enc enc;
};

static int decode(struct skrfs_bytes body, struct ask *ret_ask, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autojson *json = NULL;
    struct ask ask = {.target = "", .enc = SKRFS_ENC_SHA1}; /* the service's default */
    const char *enc = NULL;
    if (skrfs_json_parse((const char *)body.data, body.len, (size_t)512 * 1024, &json, &err) < 0 ||
            skrfs_json_need_string(json, "target", &ask.target, &err) < 0 ||
            skrfs_json_want_string(json, "nonce", &ask.nonce, &err) < 0 ||
            skrfs_json_want_string(json, "enc", &enc, &err) < 0)
        return skrfs_lab_refuse(answer, 400, "BadParameter", "%s", err.message);
    if (!*ask.target)
        return skrfs_lab_refuse(answer, 400, "BadParameter", "Property target is empty");
    if (enc && !skrfs_enc_parse(enc, &ask.enc))
        return skrfs_lab_refuse(answer, 400, "BadParameter", "Property enc has an unknown value");
    ask.json = skrfs_take(json);
    *ret_ask = ask;
    return 0;
}

static int check_key(const struct skrfs_lab_call *call, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, struct skrfs_lab_answer *answer) {
    int64_t now = call->now_s;
    if (!version->enabled)
        return skrfs_lab_refuse_inner(answer, 403, "Forbidden", "KeyDisabled",
                "Operation release is not allowed on a disabled key.");
    if (version->expires_s && version->expires_s <= now)
        return skrfs_lab_refuse_inner(answer, 403, "Forbidden", "KeyExpired",
                "Operation release is not allowed on an expired key.");
    if (version->not_before_s > now)
        return skrfs_lab_refuse_inner(answer, 403, "Forbidden", "KeyNotYetValid",
                "Operation release is not allowed on a key that is not yet valid.");
    if (!key->exportable || key->policy.len == 0)
        return skrfs_lab_refuse_inner(answer, 403, "Forbidden", "KeyNotExportable",
                "Operation release is not allowed on a key that is not exportable.");
    return 0;
}

/* Whether the key's policy looks at a claim. */
static bool names_claim(const struct skrfs_lab_key *key, const char *claim) {
    char quoted[sizeof(((struct skrfs_lab_answer *)0)->fault_claim) + 2];
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", claim);
    return strstr(skrfs_buf_text(&key->policy), quoted) != NULL;
}

static int check_target(struct skrfs_lab_call *call, const struct skrfs_lab_key *key,
        const char *target, struct skrfs_json **ret_claims, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autojson *claims = NULL;
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    char why[256];
    struct skrfs_bytes token = {(const uint8_t *)target, strlen(target)};
    if (answer->deed == SKRFS_LAB_DENY_TOKEN)
        return deny(answer, CANNOT_VERIFY, "told to deny the token");
    if (skrfs_lab_jwt_verify(
                call->lab->pki->maa.key, call->lab->maa_url, token, call->now_s, &claims, &err) < 0)
        return deny(answer, CANNOT_VERIFY, err.message);
    if (skrfs_policy_parse(skrfs_buf_text(&key->policy), key->policy.len, &policy, &err) < 0)
        return skrfs_lab_broken(answer, &err);
    if (answer->deed == SKRFS_LAB_DENY_CLAIM && names_claim(key, answer->fault_claim))
        return deny(answer, NOT_MET, answer->fault_claim);
    if (!skrfs_policy_meets(policy, claims)) {
        if (!skrfs_policy_explain(policy, claims, why, sizeof(why)))
            why[0] = '\0';
        return deny(answer, NOT_MET, why);
    }
    *ret_claims = skrfs_take(claims);
    return 0;
}

static void reply(const struct skrfs_lab_release *release, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    struct skrfs_json *json = NULL;
    if (skrfs_lab_release_sign(release, &jws, &err) < 0 ||
            skrfs_json_pack(&json, &err, "{s:s}", "value", skrfs_buf_text(&jws)) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

static void release_to(struct skrfs_lab_call *call, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, const struct ask *ask,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autojson *claims = NULL;
    skrfs_autopkey *kek = NULL;
    char kek_id[256];
    if (check_target(call, key, ask->target, &claims, answer) < 0)
        return;
    if (skrfs_lab_release_kek(claims, &kek, kek_id, sizeof(kek_id), &err) < 0) {
        (void)deny(answer, CANNOT_VERIFY, err.message);
        return;
    }
    struct skrfs_lab_release release = {.pki = call->lab->pki,
            .vault = call->vault,
            .key = key,
            .version = version,
            .version_asked = *call->path.version != '\0',
            .api_version = skrfs_lab_query(call->request, "api-version"),
            .nonce = ask->nonce,
            .enc = ask->enc,
            .kek_id = kek_id,
            .kek = kek,
            .deed = answer->deed};
    reply(&release, answer);
}

void skrfs_lab_release(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    struct skrfs_lab_key *key = NULL;
    struct skrfs_lab_version *version = NULL;
    struct ask ask = {.target = ""};
    if (!skrfs_lab_api_exports(skrfs_lab_query(call->request, "api-version"))) {
        (void)skrfs_lab_refuse(
                answer, 400, "BadParameter", "Operation release needs api-version 7.3 or newer");
        return;
    }
    if (skrfs_lab_path_find(call->vault, &call->path, &key, &version, answer) < 0 ||
            skrfs_lab_throttle(call, version->hsm, answer) < 0 ||
            decode(call->request->body, &ask, answer) < 0)
        return;
    if (check_key(call, key, version, answer) == 0)
        release_to(call, key, version, &ask, answer);
    skrfs_json_free(ask.json);
}
