/* Key Vault and Managed HSM: calls with an access token, and the release of a key. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#define CALL_HEADER_MAX (ACCESS_TOKEN_MAX + 64)

static bool is_name(const char *text, size_t max) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    size_t len = strlen(text);
    return len > 0 && len < max && strspn(text, allowed) == len;
}

int skrfs_vault_path(const char *name, const char *version, const char *verb, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (!is_name(name, SKRFS_KEY_NAME_MAX))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%.60s' is no key's name: letters, digits and dashes, at most %d", name,
                SKRFS_KEY_NAME_MAX - 1);
    if (version && !is_name(version, SKRFS_KEY_VERSION_MAX))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "'%.60s' is no key's version", version);
    return skrfs_buf_printf(out, err, "/keys/%s%s%s%s%s?api-version=" SKRFS_VAULT_API_VERSION, name,
            version ? "/" : "", version ? version : "", verb ? "/" : "", verb ? verb : "");
}

static int call_once(struct skrfs_cloud *cloud, struct vault *vault, const struct vault_call *call,
        struct skrfs_bytes token, uint64_t deadline_ns, struct skrfs_http_answer *ret_answer,
        struct skrfs_error *err) {
    static const long statuses[] = {408, 429, 0};
    const struct skrfs_http_retry retry = {
            .attempts = 4,
            .base_ns = SKRFS_SECOND_NS,
            .max_ns = 8 * SKRFS_SECOND_NS,
            .statuses = statuses,
            .transport = true,
    };
    skrfs_autobuf url = SKRFS_BUF(URL_MAX), header = SKRFS_BUF(CALL_HEADER_MAX);
    if (skrfs_buf_printf(&url, err, "%s%s", vault->config.url, call->path) < 0 ||
            skrfs_buf_append_text(&header, "Authorization: Bearer ", err) < 0 ||
            skrfs_buf_append(&header, token.data, token.len, err) < 0)
        return -1;
    const struct skrfs_http_request request = {
            .method = call->method,
            .url = skrfs_buf_text(&url),
            .headers = {skrfs_buf_text(&header), "Accept: application/json",
                    call->body.data ? "Content-Type: application/json" : NULL},
            .body = call->body,
            .answer_max = call->answer_max,
            .deadline_ns = deadline_ns,
    };
    if (skrfs_http_send(cloud->http, &request, &retry, ret_answer, err) < 0)
        return skrfs_wrap(err, "vault '%s'", vault->config.name);
    return 0;
}

/* The audience that the vault's challenge asks for, when it is another than ours. */
static void challenge_hint(const struct skrfs_http_answer *answer, const struct token_slot *slot,
        char *out, size_t size) {
    static const char member[] = "resource=\"";
    const char *start = strstr(answer->challenge, member);
    out[0] = '\0';
    if (!start)
        return;
    start += strlen(member);
    size_t len = strcspn(start, "\"");
    if (len == strlen(slot->resource) && strncmp(start, slot->resource, len) == 0)
        return;
    snprintf(out, size, ", which wants one for '%.*s', not '%s'", (int)(len < 100 ? len : 100),
            start, slot->resource);
}

static int refuse_token(const struct skrfs_http_answer *answer, const struct vault *vault,
        struct skrfs_error *err) {
    char hint[256];
    challenge_hint(answer, vault->slot, hint, sizeof(hint));
    if (strstr(answer->challenge, "insufficient_claims"))
        snprintf(hint, sizeof(hint), ", which wants more claims in it (conditional access)");
    return skrfs_refusal_fail(answer, SKRFS_CLASS_REJECTED, err,
            "this machine's access token is not taken by vault '%s'%s", vault->config.name, hint);
}

int skrfs_vault_call(struct skrfs_cloud *cloud, struct vault *vault, const struct vault_call *call,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_http_answer *ret_answer,
        struct skrfs_error *err) {
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        skrfs_autobuf token = SKRFS_BUF(ACCESS_TOKEN_MAX);
        skrfs_autoanswer answer = {0};
        if (skrfs_identity_token(cloud, vault->slot, deadline_ns, trace, &token, err) < 0)
            return skrfs_wrap(err, "vault '%s'", vault->config.name);
        if (call_once(cloud, vault, call, skrfs_buf_bytes(&token), deadline_ns, &answer, err) < 0)
            return -1;
        if (answer.status != 401) {
            *ret_answer = answer;
            answer = (struct skrfs_http_answer){0};
            return 0;
        }
        /* Revoked, or of a tenant that the vault has left: one new token, then it is final. */
        skrfs_identity_drop(vault->slot, skrfs_buf_bytes(&token));
        refuse_token(&answer, vault, err);
    }
    return -1;
}

int skrfs_release_body(
        const struct skrfs_release_ask *ask, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (skrfs_json_pack(&json, err, "{s:s%, s:s, s:s}", "target", (const char *)ask->token.data,
                ask->token.len, "nonce", ask->nonce, "enc", skrfs_enc_name(ask->enc)) < 0)
        return -1;
    return skrfs_json_print(json, false, out, err);
}

int skrfs_release_answer(
        struct skrfs_bytes body, struct skrfs_buf *ret_jws, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const char *value = NULL;
    if (skrfs_json_parse((const char *)body.data, body.len, SKRFS_JWS_MAX + 1024, &json, err) < 0 ||
            skrfs_json_need_string(json, "value", &value, err) < 0)
        return -1;
    if (!*value)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "member 'value' is empty");
    return skrfs_buf_append_text(ret_jws, value, err);
}

static int judge(struct skrfs_cloud *cloud, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, const struct skrfs_http_answer *answer,
        struct skrfs_error *err) {
    const char *vault = cloud->vaults[ask->vault].config.name;
    enum skrfs_class kind = skrfs_status_class(answer->status);
    if (answer->status == 403)
        return skrfs_release_forbidden(cloud, ask, deadline_ns, trace, answer, err);
    if (answer->status == 404)
        return skrfs_refusal_fail(answer, kind, err, "vault '%s' has no key '%s'%s%s", vault,
                ask->name, ask->version ? " of version " : "", ask->version ? ask->version : "");
    if (answer->status == 429)
        return skrfs_refusal_fail(answer, kind, err, "vault '%s' is throttling releases", vault);
    return skrfs_refusal_fail(
            answer, kind, err, "vault '%s' does not release key '%s'", vault, ask->name);
}

static int release(struct skrfs_cloud *cloud, struct vault *vault,
        const struct skrfs_release_ask *ask, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_http_answer *answer, struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(URL_MAX), body = SKRFS_BUF(SKRFS_TOKEN_MAX * 2);
    if (skrfs_vault_path(ask->name, ask->version, "release", &path, err) < 0 ||
            skrfs_release_body(ask, &body, err) < 0)
        return -1;
    const struct vault_call call = {
            .method = "POST",
            .path = skrfs_buf_text(&path),
            .body = skrfs_buf_bytes(&body),
            .answer_max = SKRFS_JWS_MAX + 1024,
    };
    return skrfs_vault_call(cloud, vault, &call, deadline_ns, trace, answer, err);
}

int skrfs_cloud_release(struct skrfs_cloud *cloud, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *err) {
    struct vault *vault = NULL;
    skrfs_autoanswer answer = {0};
    if (skrfs_cloud_vault_at(cloud, ask->vault, &vault, err) < 0)
        return -1;
    size_t step = skrfs_trace_begin(trace, "ask the vault for the release");
    if (release(cloud, vault, ask, deadline_ns, trace, &answer, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    if (answer.status != 200) {
        judge(cloud, ask, deadline_ns, trace, &answer, err);
        return skrfs_trace_failed(trace, step, err);
    }
    if (skrfs_release_answer(skrfs_buf_bytes(&answer.body), ret_jws, err) < 0) {
        skrfs_wrap(err, "the release by vault '%s'", vault->config.name);
        return skrfs_trace_failed(trace, step, err);
    }
    skrfs_trace_end(trace, step, "released by '%s'%s%s", vault->config.name,
            *answer.request_id ? ", request id " : "", answer.request_id);
    return 0;
}
