/* Who may come in, and who may do what (learn.microsoft.com, "Provide access to Key Vault keys with
 * Azure role-based access control"). */
#include "jwt.h"
#include "vault_ops.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* 401 with the challenge that tells a client where tokens come from; the Managed HSM says no more.
 */
static int challenge(const struct skrfs_lab_call *call, struct skrfs_lab_answer *answer,
        const char *parameters, const char *message) {
    (void)skrfs_lab_refuse(answer, 401, "Unauthorized", "%s", message);
    if (call->vault->hsm)
        skrfs_buf_truncate(&answer->body, 0);
    (void)snprintf(answer->challenge, sizeof(answer->challenge),
            "Bearer authorization=\"%s\", resource=\"%s\"%s", call->lab->login_url,
            call->vault->resource, parameters);
    return -1;
}

static int bad_token(
        const struct skrfs_lab_call *call, struct skrfs_lab_answer *answer, const char *message) {
    return challenge(call, answer, ", error=\"invalid_token\"", message);
}

static bool same_audience(const char *audience, const char *resource) {
    size_t len = strlen(audience);
    if (len > 0 && audience[len - 1] == '/')
        len--;
    return strlen(resource) == len && strncmp(audience, resource, len) == 0;
}

/* From now on tokens count only that were asked for with this challenge's claims. */
static void want_claims(struct skrfs_lab *lab) {
    int64_t now = skrfs_lab_wall_s(lab);
    pthread_mutex_lock(&lab->lock);
    lab->claims_wanted_s = lab->claims_wanted_s >= now ? lab->claims_wanted_s + 1 : now;
    pthread_mutex_unlock(&lab->lock);
}

/* Continuous access evaluation: only clients that said that they heed claims challenges get one. */
static int check_evaluation(const struct skrfs_lab_call *call, const struct skrfs_json *claims,
        struct skrfs_lab_answer *answer) {
    int64_t wanted = skrfs_lab_claims_wanted(call->lab);
    char text[160];
    char parameters[320];
    struct skrfs_error err;
    skrfs_autobuf encoded = SKRFS_BUF((size_t)256);
    if (skrfs_json_integer(skrfs_json_get(claims, "xms_lab_nbf")) >= wanted)
        return 0;
    if (!skrfs_json_get(claims, "xms_cc"))
        return bad_token(call, answer, "Error validating token: the token was revoked.");
    (void)snprintf(text, sizeof(text),
            "{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"%lld\"},"
            "\"xms_caeerror\":{\"value\":\"10012\"}}}",
            (long long)wanted);
    if (skrfs_base64_encode(SKRFS_BASE64, text, strlen(text), &encoded, &err) < 0)
        return skrfs_lab_broken(answer, &err);
    (void)snprintf(parameters, sizeof(parameters), ", error=\"insufficient_claims\", claims=\"%s\"",
            skrfs_buf_text(&encoded));
    return challenge(call, answer, parameters,
            "Continuous access evaluation resulted in challenge with result: "
            "InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp");
}

int skrfs_lab_authorize(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) {
    const char *header = skrfs_lab_header(call->request, "Authorization");
    struct skrfs_lab *lab = call->lab;
    struct skrfs_error err;
    skrfs_autojson *claims = NULL;
    if (answer->deed == SKRFS_LAB_CLAIMS_CHALLENGE)
        want_claims(lab);
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return challenge(call, answer, "", "AKV10000: Request is missing a Bearer or PoP token.");
    struct skrfs_bytes token = {(const uint8_t *)header + 7, strlen(header + 7)};
    if (skrfs_lab_jwt_verify(lab->pki->entra.key, lab->login_url, token, skrfs_lab_wall_s(lab),
                &claims, &err) < 0) {
        char message[SKRFS_ERROR_MESSAGE_MAX + 32];
        (void)snprintf(message, sizeof(message), "Error validating token: %s", err.message);
        return bad_token(call, answer, message);
    }
    const char *audience = skrfs_json_string(skrfs_json_get(claims, "aud"));
    const char *roles = skrfs_json_string(skrfs_json_get(claims, "roles"));
    if (!audience || !same_audience(audience, call->vault->resource))
        return bad_token(
                call, answer, "AKV10022: Invalid audience. The token is for another resource.");
    call->may_write = roles && strcmp(roles, "release") == 0;
    return check_evaluation(call, claims, answer);
}

int skrfs_lab_check_role(const struct skrfs_lab_call *call, enum skrfs_lab_place at,
        struct skrfs_lab_answer *answer) {
    static const char *const actions[SKRFS_LAB_PLACES] = {
            [SKRFS_LAB_AT_RELEASE] = "release/action",
            [SKRFS_LAB_AT_CREATE] = "create/action",
            [SKRFS_LAB_AT_IMPORT] = "import/action",
            [SKRFS_LAB_AT_UPDATE] = "update/action",
            [SKRFS_LAB_AT_ROTATE] = "rotate/action",
            [SKRFS_LAB_AT_DELETE] = "delete",
            [SKRFS_LAB_AT_RECOVER] = "recover/action",
            [SKRFS_LAB_AT_PURGE] = "purge/action",
    };
    bool may = call->may_write && (at != SKRFS_LAB_AT_RELEASE || call->settings.release_role);
    if (may || !actions[at])
        return 0;
    return skrfs_lab_refuse_inner(answer, 403, "Forbidden", "ForbiddenByRbac",
            "Caller is not authorized to perform action on resource. If role assignments, deny "
            "assignments or role definitions were changed recently, please observe propagation "
            "time. Action: 'Microsoft.KeyVault/%s/keys/%s' Assignment: (not found)",
            call->vault->hsm ? "managedHsm" : "vaults", actions[at]);
}
