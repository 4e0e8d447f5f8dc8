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

/* Without a token: for the vault's challenge alone, so that nothing of the call is in it. */
static int call_once(struct skrfs_cloud *cloud, struct vault *vault, const struct vault_call *call,
        const struct skrfs_buf *token, uint64_t deadline_ns, struct skrfs_http_answer *ret_answer,
        struct skrfs_error *err) {
    const struct skrfs_http_retry retry =
            skrfs_retry(call->once ? RETRY_SERVICE_ONCE : RETRY_SERVICE);
    skrfs_autobuf url = SKRFS_BUF(URL_MAX), header = SKRFS_BUF(CALL_HEADER_MAX);
    if (skrfs_buf_printf(&url, err, "%s%s", vault->config.url, call->path) < 0 ||
            (token && (skrfs_buf_append_text(&header, "Authorization: Bearer ", err) < 0 ||
                              skrfs_buf_append(&header, token->data, token->len, err) < 0)))
        return -1;
    bool sends = token && call->body.data;
    const struct skrfs_http_request request = {
            .method = call->method,
            .url = skrfs_buf_text(&url),
            .headers = {"Accept: application/json",
                    sends ? "Content-Type: application/json" : "Content-Type:",
                    token ? skrfs_buf_text(&header) : NULL},
            .body = sends ? call->body : (struct skrfs_bytes){0},
            .answer_max = call->answer_max,
            .deadline_ns = deadline_ns,
    };
    if (skrfs_http_send(cloud->http, &request, &retry, ret_answer, err) < 0)
        return skrfs_wrap(err, "vault '%s'", vault->config.name);
    return 0;
}

/* One attempt. 1 when there may be another after this 401: *ret_refused counts those that a token
 * was shown for. */
static int attempt(struct skrfs_cloud *cloud, struct vault *vault, struct token_slot *slot,
        const struct vault_call *call, uint64_t deadline_ns, struct skrfs_trace *trace,
        unsigned *ret_refused, struct skrfs_http_answer *ret_answer, struct skrfs_error *err) {
    skrfs_autobuf token = SKRFS_BUF(ACCESS_TOKEN_MAX);
    skrfs_autoanswer answer = {0};
    if (slot && skrfs_identity_token(cloud, slot, deadline_ns, trace, &token, err) < 0)
        return skrfs_wrap(err, "vault '%s'", vault->config.name);
    if (call_once(cloud, vault, call, slot ? &token : NULL, deadline_ns, &answer, err) < 0)
        return -1;
    if (answer.status == 401) {
        /* Revoked, or of a tenant that the vault has left: one new token, then it is final. */
        if (slot)
            skrfs_identity_drop(slot, skrfs_buf_bytes(&token));
        *ret_refused += slot != NULL;
        if (*ret_refused > 1)
            return skrfs_vault_login_refused(vault, slot, &answer, err);
        return skrfs_vault_login_heed(cloud, vault, slot, &answer, err) < 0 ? -1 : 1;
    }
    if (!slot && answer.status < 400)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "vault '%s' answers who shows no access token (HTTP %ld): it is no vault",
                vault->config.name, answer.status);
    *ret_answer = answer;
    answer = (struct skrfs_http_answer){0};
    return 0;
}

int skrfs_vault_call(struct skrfs_cloud *cloud, struct vault *vault, const struct vault_call *call,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_http_answer *ret_answer,
        struct skrfs_error *err) {
    unsigned refused = 0;
    int result = 1;
    /* At most: without a token, with one, with another. */
    for (unsigned i = 0; result == 1 && i < 3; i++) {
        struct token_slot *slot = skrfs_slot_use(cloud, vault);
        result = attempt(cloud, vault, slot, call, deadline_ns, trace, &refused, ret_answer, err);
        skrfs_slot_release(cloud, slot);
    }
    if (result == 1)
        return skrfs_fail(
                err, SKRFS_CLASS_BUG, "vault '%s' is asked again and again", vault->config.name);
    return result;
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
