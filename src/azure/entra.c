/* Logins at Entra ID's token endpoint: the client credentials grant (RFC 6749 section 4.4) with a
 * secret, or with an assertion (RFC 7523): a federated token or one signed by a certificate's key.
 */
#include "login.h"

#include <fcntl.h>
#include <skrfs/base/file.h>
#include <string.h>

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

int skrfs_entra_url(const struct skrfs_cloud *cloud, const struct token_slot *slot,
        struct skrfs_buf *url, struct skrfs_error *err) {
    const char *authority = cloud->login.authority;
    if (!authority)
        authority = skrfs_cloud_by_name("public")->authority;
    size_t len = strlen(authority);
    while (len && authority[len - 1] == '/')
        len--;
    return skrfs_buf_printf(
            url, err, "%.*s/%s/oauth2/v2.0/token", (int)len, authority, slot->tenant);
}

static int parameter(
        struct skrfs_buf *form, const char *name, const char *value, struct skrfs_error *err) {
    if (skrfs_buf_printf(form, err, "%s%s=", form->len ? "&" : "", name) < 0)
        return -1;
    return skrfs_url_escape(value, form, err);
}

/* Reads it anew each time: whoever replaces the file need tell nobody. */
static int read_credential(
        const char *path, size_t max, struct skrfs_buf *ret_text, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(max);
    if (skrfs_file_read(path, &text, err) < 0)
        return -1;
    while (text.len && strchr("\r\n", text.data[text.len - 1]))
        skrfs_buf_truncate(&text, text.len - 1);
    if (text.len == 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s is empty", path);
    if (strlen(skrfs_buf_text(&text)) != text.len)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s is no text", path);
    skrfs_buf_move(ret_text, &text);
    return 0;
}

static int missing(struct skrfs_error *err, const char *what, const char *where) {
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s is not told: say %s", what, where);
}

/* What proves who we are, into `ret_proof`, and the parameter that carries it. */
static int make_proof(const struct token_slot *slot, const char *endpoint,
        struct skrfs_buf *ret_proof, const char **ret_name, struct skrfs_error *err) {
    *ret_name = "client_assertion";
    switch (slot->identity) {
    case SKRFS_IDENTITY_WORKLOAD:
        if (!slot->token_file || !*slot->token_file)
            return missing(err, "the federated token's file",
                    "[login] token-file =, or AZURE_FEDERATED_TOKEN_FILE");
        if (read_credential(slot->token_file, ASSERTION_MAX, ret_proof, err) < 0)
            return skrfs_wrap(err, "the federated token");
        return 0;
    case SKRFS_IDENTITY_SECRET:
        *ret_name = "client_secret";
        if (!slot->identity_id && slot->secret)
            return skrfs_buf_append_text(ret_proof, slot->secret, err);
        if (read_credential(slot->identity_id, CLIENT_SECRET_MAX, ret_proof, err) < 0)
            return skrfs_wrap(err, "the client secret");
        return 0;
    case SKRFS_IDENTITY_CERTIFICATE:
        if (skrfs_assertion_make(
                    slot->identity_id, slot->client, endpoint, skrfs_wall_s(), ret_proof, err) < 0)
            return skrfs_wrap(err, "the client certificate");
        return 0;
    default:
        return skrfs_fail(err, SKRFS_CLASS_BUG, "no login at Entra ID");
    }
}

static int make_form(const struct token_slot *slot, const char *proof_name, const char *proof,
        struct skrfs_buf *form, struct skrfs_error *err) {
    skrfs_autobuf scope = SKRFS_BUF(RESOURCE_MAX + 16), claims = SKRFS_BUF(CLAIMS_MAX * 2);
    if (skrfs_buf_printf(&scope, err, "%s/.default", slot->resource) < 0 ||
            (!slot->claims && skrfs_claims_merge(NULL, &claims, err) < 0))
        return -1;
    if (parameter(form, "grant_type", "client_credentials", err) < 0 ||
            parameter(form, "client_id", slot->client, err) < 0 ||
            parameter(form, "scope", skrfs_buf_text(&scope), err) < 0 ||
            parameter(form, "claims", slot->claims ? slot->claims : skrfs_buf_text(&claims), err) <
                    0)
        return -1;
    if (strcmp(proof_name, "client_assertion") == 0 &&
            parameter(form, "client_assertion_type", ASSERTION_TYPE, err) < 0)
        return -1;
    return parameter(form, proof_name, proof, err);
}

static int send(struct skrfs_cloud *cloud, const char *url, const struct skrfs_buf *form,
        uint64_t deadline_ns, struct skrfs_http_answer *answer, struct skrfs_error *err) {
    const struct skrfs_http_retry retry = skrfs_retry(RETRY_SERVICE);
    const struct skrfs_http_request request = {
            .method = "POST",
            .url = url,
            .headers = {"Content-Type: application/x-www-form-urlencoded",
                    "Accept: application/json"},
            .body = skrfs_buf_bytes(form),
            .answer_max = SMALL_ANSWER_MAX,
            .deadline_ns = deadline_ns,
    };
    if (skrfs_http_send(cloud->http, &request, &retry, answer, err) < 0)
        return skrfs_wrap(err, "Entra ID gives no access token");
    return 0;
}

int skrfs_entra_login(struct skrfs_cloud *cloud, const struct token_slot *slot,
        uint64_t deadline_ns, struct access_token *ret_token, struct skrfs_error *err) {
    skrfs_autobuf url = SKRFS_BUF(URL_MAX), form = SKRFS_BUF(TOKEN_REQUEST_MAX);
    skrfs_autobuf proof = SKRFS_BUF(ASSERTION_MAX);
    skrfs_autoanswer answer = {0};
    const char *name = NULL;
    if (!slot->client || !*slot->client)
        return missing(err, "the application's id",
                "client = in [login] or in the vault's section, or AZURE_CLIENT_ID");
    if (skrfs_entra_url(cloud, slot, &url, err) < 0 ||
            make_proof(slot, skrfs_buf_text(&url), &proof, &name, err) < 0 ||
            make_form(slot, name, skrfs_buf_text(&proof), &form, err) < 0 ||
            send(cloud, skrfs_buf_text(&url), &form, deadline_ns, &answer, err) < 0)
        return -1;
    if (answer.status != 200)
        return skrfs_entra_refuse(slot, &answer, skrfs_buf_text(&proof), err);
    if (skrfs_identity_answer(skrfs_buf_bytes(&answer.body), ret_token, err) < 0)
        return skrfs_wrap(err, "Entra ID's access token");
    return 0;
}
