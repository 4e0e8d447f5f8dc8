/* The token endpoint: the client credentials grant (RFC 6749 section 4.4), as Entra ID's version
 * 2.0 takes and refuses it. */
#include "entra.h"

#include <skrfs/base/encode.h>
#include <string.h>
#include <strings.h>

#define CLAIMS_MAX ((size_t)8192)

static int need(struct skrfs_lab *lab, const struct skrfs_lab_form *form, const char *name,
        struct skrfs_lab_answer *answer, const char **ret_value) {
    *ret_value = skrfs_lab_form_get(form, name);
    if (*ret_value)
        return 0;
    (void)skrfs_lab_aadsts(lab, answer, 900144,
            "The request body must contain the following parameter: '%s'.", name);
    return -1;
}

static int check_secret(
        struct skrfs_lab *lab, const char *secret, struct skrfs_lab_answer *answer) {
    if (strcmp(secret, lab->directory->secret) == 0)
        return 0;
    return skrfs_lab_aadsts(lab, answer, 7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the "
            "client secret value, not the client secret ID, for a secret added to app "
            "'" SKRFS_LAB_CLIENT "'.");
}

static int check_proof(
        struct skrfs_lab *lab, const struct skrfs_lab_form *form, struct skrfs_lab_answer *answer) {
    const char *secret = skrfs_lab_form_get(form, "client_secret");
    const char *assertion = skrfs_lab_form_get(form, "client_assertion");
    const char *type = NULL;
    if (!assertion && secret)
        return check_secret(lab, secret, answer);
    if (!assertion)
        return skrfs_lab_aadsts(lab, answer, 7000216,
                "'client_assertion', 'client_secret' or 'request' is required for the "
                "'client_credentials' grant type.");
    if (need(lab, form, "client_assertion_type", answer, &type) < 0)
        return -1;
    if (strcmp(type, SKRFS_LAB_ASSERTION_TYPE) != 0)
        return skrfs_lab_aadsts(
                lab, answer, 90100, "client_assertion_type parameter is empty or not valid.");
    return skrfs_lab_assertion_check(lab, assertion, answer);
}

/* One resource, with "/.default" behind it; what OpenID adds is taken and means nothing here. */
static int decode_scope(struct skrfs_lab *lab, const char *scope, struct skrfs_buf *ret_resource,
        struct skrfs_lab_answer *answer) {
    static const char suffix[] = "/.default";
    struct skrfs_error err;
    size_t len = strlen(scope);
    if (len <= strlen(suffix) || strchr(scope, ' ') ||
            strcmp(scope + len - strlen(suffix), suffix) != 0)
        return skrfs_lab_aadsts(lab, answer, 1002012,
                "The provided value for scope %.160s is not valid. Client credential flows must "
                "have a scope value with /.default suffixed to the resource identifier "
                "(application ID URI).",
                scope);
    if (skrfs_buf_append(ret_resource, scope, len - strlen(suffix), &err) < 0)
        return skrfs_lab_broken(answer, &err);
    if (!skrfs_lab_resource_known(skrfs_buf_text(ret_resource)))
        return skrfs_lab_aadsts(lab, answer, 500011,
                "The resource principal named %.160s was not found in the tenant named skrfs lab. "
                "This can happen if the application has not been installed by the administrator of "
                "the tenant or consented to by any user in the tenant.",
                skrfs_buf_text(ret_resource));
    return 0;
}

/* {"access_token": {"xms_cc": {"values": ["cp1"]}, "nbf": {"essential": true, "value": "..."}}} */
static int decode_claims(struct skrfs_lab *lab, const char *text,
        struct skrfs_lab_access_wish *wish, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autojson *json = NULL;
    if (!text)
        return 0;
    if (skrfs_json_parse(text, strlen(text), CLAIMS_MAX, &json, &err) < 0 ||
            skrfs_json_kind(json) != SKRFS_JSON_OBJECT)
        return skrfs_lab_aadsts(lab, answer, 90100, "claims parameter is empty or not valid.");
    const struct skrfs_json *token = skrfs_json_get(json, "access_token");
    const struct skrfs_json *capabilities =
            skrfs_json_get(skrfs_json_get(token, "xms_cc"), "values");
    for (size_t i = 0; i < skrfs_json_size(capabilities); i++) {
        const char *one = skrfs_json_string(skrfs_json_at(capabilities, i));
        wish->capable = wish->capable || (one && strcasecmp(one, "cp1") == 0);
    }
    const char *since = skrfs_json_string(skrfs_json_get(skrfs_json_get(token, "nbf"), "value"));
    wish->claims_s = since ? strtoll(since, NULL, 10) : 0;
    return 0;
}

/* Numbers are numbers here, other than at the metadata service. */
static void reply(struct skrfs_lab *lab, const struct skrfs_lab_access_wish *wish,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    int64_t life = skrfs_lab_settings_get(lab).access_life_s;
    skrfs_autobuf token = SKRFS_BUF(SKRFS_LAB_TOKEN_MAX);
    skrfs_autojson *json = NULL;
    struct skrfs_json *refresh = NULL;
    if (skrfs_lab_access_sign(lab, wish, &token, &err) < 0 ||
            skrfs_json_pack(&json, &err, "{s:s,s:I,s:I}", "token_type", "Bearer", "expires_in",
                    life, "ext_expires_in", life) < 0) {
        (void)skrfs_lab_broken(answer, &err);
        return;
    }
    /* Tokens of more than two hours are renewed at half of their life. */
    int rc = life <= 7200 ? 0 : skrfs_json_pack(&refresh, &err, "I", life / 2);
    if (rc == 0 && refresh)
        rc = skrfs_json_set(json, "refresh_in", refresh, &err);
    struct skrfs_json *text = NULL;
    if (rc < 0 || skrfs_json_pack(&text, &err, "s", skrfs_buf_text(&token)) < 0 ||
            skrfs_json_set(json, "access_token", text, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, skrfs_take(json));
}

static int check_form(struct skrfs_lab *lab, const struct skrfs_lab_form *form,
        struct skrfs_lab_answer *answer, const char **ret_scope) {
    const char *grant = NULL;
    const char *client = NULL;
    if (need(lab, form, "grant_type", answer, &grant) < 0)
        return -1;
    if (strcmp(grant, "client_credentials") != 0)
        return skrfs_lab_aadsts(
                lab, answer, 70003, "The app requested an unsupported grant type '%.80s'.", grant);
    if (need(lab, form, "client_id", answer, &client) < 0 ||
            need(lab, form, "scope", answer, ret_scope) < 0)
        return -1;
    if (strcasecmp(client, SKRFS_LAB_CLIENT) != 0)
        return skrfs_lab_aadsts(lab, answer, 700016,
                "Application with identifier '%.80s' was not found in the directory 'skrfs lab'. "
                "This can happen if the application has not been installed by the administrator "
                "of the tenant or consented to by any user in the tenant. You may have sent your "
                "authentication request to the wrong tenant.",
                client);
    return check_proof(lab, form, answer);
}

void skrfs_lab_token_grant(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    static const char form_type[] = "application/x-www-form-urlencoded";
    const char *type = skrfs_lab_header(request, "Content-Type");
    const char *scope = "";
    struct skrfs_error err;
    struct skrfs_lab_access_wish wish = {.identity = &skrfs_lab_application};
    skrfs_autobuf resource = SKRFS_BUF((size_t)256);
    skrfs_autoform form = {0};
    /* A body of another type is not looked at: nothing is in it, then. */
    if (type && strncasecmp(type, form_type, strlen(form_type)) == 0 &&
            skrfs_lab_form_parse(request->body, &form, &err) < 0) {
        (void)skrfs_lab_aadsts(
                lab, answer, 90100, "The request body is not valid: %s.", err.message);
        return;
    }
    if (check_form(lab, &form, answer, &scope) < 0 ||
            decode_scope(lab, scope, &resource, answer) < 0 ||
            decode_claims(lab, skrfs_lab_form_get(&form, "claims"), &wish, answer) < 0)
        return;
    wish.resource = skrfs_buf_text(&resource);
    reply(lab, &wish, answer);
}
