/* Access tokens of managed identities, from an endpoint of this machine: the instance metadata
 * service, App Service and its like (ACI, Container Apps), Azure Arc. */
#include "login.h"

#include <string.h>

/* How an endpoint wants to be asked. */
struct manner {
    const char *what;                   /* in messages */
    const char *api_version;            /* learn.microsoft.com names one for each */
    const char *client, *object, *path; /* parameters of user-assigned identities; NULL: none */
};

static const struct manner manners[] = {
        [SKRFS_MANAGED_IMDS] = {"the metadata service", "2018-02-01", "client_id", "object_id",
                "msi_res_id"},
        [SKRFS_MANAGED_APP_SERVICE] = {"the host's identity endpoint", "2019-08-01", "client_id",
                "object_id", "mi_res_id"},
        [SKRFS_MANAGED_ARC] = {"the Azure Arc agent", "2020-06-01", NULL, NULL, NULL},
};

static const struct manner *manner_of(const struct skrfs_cloud *cloud) {
    return &manners[cloud->login.managed];
}

static const char *parameter(const struct manner *manner, enum skrfs_identity_kind kind) {
    switch (kind) {
    case SKRFS_IDENTITY_CLIENT_ID:
        return manner->client;
    case SKRFS_IDENTITY_OBJECT_ID:
        return manner->object;
    default:
        return manner->path;
    }
}

static int append_identity(const struct manner *manner, const struct token_slot *slot,
        struct skrfs_buf *url, struct skrfs_error *err) {
    const char *name = parameter(manner, slot->identity);
    if (slot->identity == SKRFS_IDENTITY_SYSTEM)
        return 0;
    if (!name)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "%s knows the machine's own identity alone: say identity = system", manner->what);
    if (skrfs_buf_printf(url, err, "&%s=", name) < 0)
        return -1;
    return skrfs_url_escape(slot->identity_id ? slot->identity_id : "", url, err);
}

int skrfs_identity_url(const struct skrfs_cloud *cloud, const struct token_slot *slot,
        struct skrfs_buf *url, struct skrfs_error *err) {
    const struct manner *manner = manner_of(cloud);
    const char *endpoint = cloud->login.endpoint;
    if (cloud->login.managed == SKRFS_MANAGED_IMDS) {
        if (skrfs_buf_printf(url, err, "%s/metadata/identity/oauth2/token", cloud->imds) < 0)
            return -1;
    } else if (!endpoint || !*endpoint) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "IDENTITY_ENDPOINT is not set, which is where %s is asked for access tokens",
                manner->what);
    } else if (skrfs_buf_append_text(url, endpoint, err) < 0) {
        return -1;
    }
    char joint = strchr(skrfs_buf_text(url), '?') ? '&' : '?';
    if (skrfs_buf_printf(url, err, "%capi-version=%s&resource=", joint, manner->api_version) < 0 ||
            skrfs_url_escape(slot->resource, url, err) < 0)
        return -1;
    return append_identity(manner, slot, url, err);
}

static int advise(const struct manner *manner, const char *words,
        const struct skrfs_http_answer *answer, struct skrfs_error *err) {
    if (strcasestr(words, "identity not found") || strcasestr(words, "no managed identity"))
        return skrfs_refusal_fail(answer, SKRFS_CLASS_REJECTED, err,
                "no such managed identity is assigned to this machine: assign it (az vm identity "
                "assign), or correct identity =");
    if (strcasestr(words, "multiple user assigned"))
        return skrfs_refusal_fail(answer, SKRFS_CLASS_REJECTED, err,
                "several managed identities are assigned to this machine: say which with identity "
                "= client-id:...");
    return skrfs_refusal_fail(answer, SKRFS_CLASS_REJECTED, err,
            "%s refuses an access token: see identity = and the machine's assigned identities",
            manner->what);
}

static int refuse(const struct manner *manner, const struct skrfs_http_answer *answer,
        struct skrfs_error *err) {
    enum skrfs_class kind = skrfs_status_class(answer->status);
    char words[400];
    /* While an identity is being assigned, and while the service is updated, it answers 404 or 410.
     */
    if (manner == &manners[SKRFS_MANAGED_IMDS] && (answer->status == 404 || answer->status == 410))
        kind = SKRFS_CLASS_UNAVAILABLE;
    if (kind == SKRFS_CLASS_NOT_FOUND)
        kind = SKRFS_CLASS_REJECTED;
    skrfs_refusal_text(skrfs_buf_bytes(&answer->body), words, sizeof(words));
    if (kind == SKRFS_CLASS_REJECTED)
        return advise(manner, words, answer, err);
    return skrfs_refusal_fail(answer, kind, err, "%s gives no access token", manner->what);
}

static int ask(struct skrfs_cloud *cloud, const char *url, const char *header, uint64_t deadline_ns,
        struct skrfs_http_answer *answer, struct skrfs_error *err) {
    /* The others have none of the metadata service's reasons to answer 404 and 410 for a while. */
    const struct skrfs_http_retry retry = skrfs_retry(
            cloud->login.managed == SKRFS_MANAGED_IMDS ? RETRY_IDENTITY : RETRY_SERVICE);
    const struct skrfs_http_request request = {
            .method = "GET",
            .url = url,
            .headers = {header},
            .answer_max = SMALL_ANSWER_MAX,
            .deadline_ns = deadline_ns,
            .plain = strncmp(url, "http://", strlen("http://")) == 0,
    };
    if (skrfs_http_send(cloud->http, &request, &retry, answer, err) < 0)
        return skrfs_wrap(err, "%s gives no access token", manner_of(cloud)->what);
    return 0;
}

/* Arc answers 401 first and names a file; who can read it may ask. */
static int ask_arc(struct skrfs_cloud *cloud, const char *url, uint64_t deadline_ns,
        struct skrfs_http_answer *answer, struct skrfs_error *err) {
    skrfs_autobuf key = SKRFS_BUF(CLIENT_SECRET_MAX);
    skrfs_autobuf header = SKRFS_BUF(CLIENT_SECRET_MAX + 64);
    if (ask(cloud, url, NULL, deadline_ns, answer, err) < 0)
        return -1;
    if (answer->status != 401)
        return 0;
    if (skrfs_arc_key(answer->challenge, cloud->login.arc_dir, &key, err) < 0 ||
            skrfs_buf_printf(&header, err, "Authorization: Basic %s", skrfs_buf_text(&key)) < 0)
        return -1;
    return ask(cloud, url, skrfs_buf_text(&header), deadline_ns, answer, err);
}

static int ask_app_service(struct skrfs_cloud *cloud, const char *url, uint64_t deadline_ns,
        struct skrfs_http_answer *answer, struct skrfs_error *err) {
    skrfs_autobuf header = SKRFS_BUF(CLIENT_SECRET_MAX);
    if (!cloud->login.header || !*cloud->login.header)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "IDENTITY_HEADER is not set, which the host's identity endpoint wants to see");
    if (skrfs_buf_printf(&header, err, "X-IDENTITY-HEADER: %s", cloud->login.header) < 0)
        return -1;
    return ask(cloud, url, skrfs_buf_text(&header), deadline_ns, answer, err);
}

int skrfs_managed_login(struct skrfs_cloud *cloud, const struct token_slot *slot,
        uint64_t deadline_ns, struct access_token *ret_token, struct skrfs_error *err) {
    const struct manner *manner = manner_of(cloud);
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    skrfs_autoanswer answer = {0};
    int asked;
    if (skrfs_identity_url(cloud, slot, &url, err) < 0)
        return -1;
    if (cloud->login.managed == SKRFS_MANAGED_ARC)
        asked = ask_arc(cloud, skrfs_buf_text(&url), deadline_ns, &answer, err);
    else if (cloud->login.managed == SKRFS_MANAGED_APP_SERVICE)
        asked = ask_app_service(cloud, skrfs_buf_text(&url), deadline_ns, &answer, err);
    else
        asked = ask(cloud, skrfs_buf_text(&url), NULL, deadline_ns, &answer, err);
    if (asked < 0)
        return -1;
    if (answer.status != 200)
        return refuse(manner, &answer, err);
    if (skrfs_identity_answer(skrfs_buf_bytes(&answer.body), ret_token, err) < 0)
        return skrfs_wrap(err, "the access token of %s", manner->what);
    return 0;
}
