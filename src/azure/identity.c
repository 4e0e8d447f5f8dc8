/* Access tokens of the machine's managed identity, from the instance metadata service. */
#include "internal.h"

#include <ctype.h>
#include <string.h>

#define LAST_USE_NS (30 * SKRFS_SECOND_NS) /* a token with less life left than this is not used */
#define MARGIN_NS                                                                                  \
    (5 * 60 * SKRFS_SECOND_NS)  /* short-lived tokens are renewed this long before their end */
#define LIFE_MAX_S (30 * 86400) /* what is said beyond that is not believed */
#define LONG_LIFE_NS                                                                               \
    (2 * 3600 * SKRFS_SECOND_NS) /* longer ones at half of their life, as MSAL does */

int skrfs_identity_parse(const char *text, enum skrfs_identity_kind *ret_kind, const char **ret_id,
        struct skrfs_error *err) {
    static const struct {
        const char *prefix;
        enum skrfs_identity_kind kind;
    } kinds[] = {
            {"client-id:", SKRFS_IDENTITY_CLIENT_ID},
            {"object-id:", SKRFS_IDENTITY_OBJECT_ID},
            {"resource-id:", SKRFS_IDENTITY_RESOURCE_ID},
    };
    if (strcmp(text, "system") == 0) {
        *ret_kind = SKRFS_IDENTITY_SYSTEM;
        *ret_id = NULL;
        return 0;
    }
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i].prefix);
        if (strncmp(text, kinds[i].prefix, len) == 0 && text[len]) {
            *ret_kind = kinds[i].kind;
            *ret_id = text + len;
            return 0;
        }
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "identity '%s' is none of system, client-id:<uuid>, object-id:<uuid>, "
            "resource-id:/subscriptions/...",
            text);
}

int skrfs_identity_url(const struct skrfs_cloud *cloud, const struct token_slot *slot,
        struct skrfs_buf *url, struct skrfs_error *err) {
    static const char *const names[] = {
            [SKRFS_IDENTITY_CLIENT_ID] = "client_id",
            [SKRFS_IDENTITY_OBJECT_ID] = "object_id",
            [SKRFS_IDENTITY_RESOURCE_ID] = "msi_res_id",
    };
    if (skrfs_buf_printf(url, err,
                "%s/metadata/identity/oauth2/token?api-version=2018-02-01&resource=", cloud->imds) <
                    0 ||
            skrfs_url_escape(slot->resource, url, err) < 0)
        return -1;
    if (slot->identity == SKRFS_IDENTITY_SYSTEM)
        return 0;
    if (skrfs_buf_printf(url, err, "&%s=", names[slot->identity]) < 0)
        return -1;
    return skrfs_url_escape(slot->identity_id ? slot->identity_id : "", url, err);
}

/* The metadata service writes numbers as strings; others write numbers. */
static bool number_member(const struct skrfs_json *json, const char *name, int64_t *ret_number) {
    const struct skrfs_json *value = skrfs_json_get(json, name);
    if (value && skrfs_json_kind(value) == SKRFS_JSON_INTEGER) {
        *ret_number = skrfs_json_integer(value);
        return *ret_number > 0;
    }
    const char *text = skrfs_json_string(value);
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len > 12 || strspn(text, "0123456789") != len)
        return false;
    *ret_number = strtoll(text, NULL, 10);
    return *ret_number > 0;
}

/* It goes into a header line: RFC 6750 section 2.1 allows no more than these. */
static bool is_token_text(const char *text) {
    static const char allowed[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    return *text && strspn(text, allowed) == strlen(text);
}

int skrfs_identity_answer(struct skrfs_bytes body, struct skrfs_buf *token, int64_t *ret_expires_s,
        struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const char *text = NULL;
    int64_t number = 0;
    if (skrfs_json_parse((const char *)body.data, body.len, SMALL_ANSWER_MAX, &json, err) < 0 ||
            skrfs_json_need_string(json, "access_token", &text, err) < 0)
        return -1;
    if (!is_token_text(text))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "access_token has characters that no token has");
    if (!number_member(json, "expires_on", &number)) {
        if (!number_member(json, "expires_in", &number))
            return skrfs_fail(
                    err, SKRFS_CLASS_BAD_ANSWER, "neither expires_on nor expires_in is a time");
        number += skrfs_wall_s();
    }
    if (skrfs_buf_append_text(token, text, err) < 0)
        return -1;
    *ret_expires_s = number;
    return 0;
}

static const char *advice(const char *words) {
    if (strcasestr(words, "identity not found"))
        return "no such managed identity is assigned to this machine: assign it (az vm identity "
               "assign), or "
               "correct identity =";
    if (strcasestr(words, "multiple user assigned"))
        return "several managed identities are assigned to this machine: say which with identity = "
               "client-id:...";
    return "the metadata service refuses an access token: see identity = and the machine's "
           "assigned "
           "identities";
}

static int refuse(const struct skrfs_http_answer *answer, struct skrfs_error *err) {
    enum skrfs_class kind = skrfs_status_class(answer->status);
    /* While an identity is being assigned, and while the service is updated, it answers 404 or 410.
     */
    if (answer->status == 404 || answer->status == 410)
        kind = SKRFS_CLASS_UNAVAILABLE;
    char words[400];
    skrfs_refusal_text(skrfs_buf_bytes(&answer->body), words, sizeof(words));
    return skrfs_refusal_fail(answer, kind, err, "%s",
            kind == SKRFS_CLASS_REJECTED ? advice(words)
                                         : "the metadata service gives no access token");
}

static int fetch(struct skrfs_cloud *cloud, const struct token_slot *slot, uint64_t deadline_ns,
        struct skrfs_buf *token, int64_t *ret_expires_s, struct skrfs_error *err) {
    static const long statuses[] = {404, 408, 410, 429, 0};
    const struct skrfs_http_retry retry = {
            .attempts = 6,
            .base_ns = SKRFS_SECOND_NS,
            .max_ns = 10 * SKRFS_SECOND_NS,
            .statuses = statuses,
            .transport = true,
    };
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    skrfs_autoanswer answer = {0};
    if (skrfs_identity_url(cloud, slot, &url, err) < 0)
        return -1;
    const struct skrfs_http_request request = {
            .method = "GET",
            .url = skrfs_buf_text(&url),
            .answer_max = SMALL_ANSWER_MAX,
            .deadline_ns = deadline_ns,
            .plain = true,
    };
    if (skrfs_http_send(cloud->http, &request, &retry, &answer, err) < 0)
        return skrfs_wrap(err, "the metadata service gives no access token");
    if (answer.status != 200)
        return refuse(&answer, err);
    if (skrfs_identity_answer(skrfs_buf_bytes(&answer.body), token, ret_expires_s, err) < 0)
        return skrfs_wrap(err, "the metadata service's access token");
    return 0;
}

static void keep(struct token_slot *slot, struct skrfs_buf *token, int64_t expires_s) {
    int64_t life_s = expires_s - skrfs_wall_s();
    if (life_s > LIFE_MAX_S)
        life_s = LIFE_MAX_S;
    uint64_t now = skrfs_now_ns();
    uint64_t life = life_s > 0 ? (uint64_t)life_s * SKRFS_SECOND_NS : 0;
    skrfs_buf_done(&slot->token);
    skrfs_buf_move(&slot->token, token);
    slot->expires_ns = now + life;
    if (life > LONG_LIFE_NS || life < 2 * MARGIN_NS)
        slot->refresh_ns = now + life / 2;
    else
        slot->refresh_ns = now + life - MARGIN_NS;
}

static bool usable(const struct token_slot *slot, uint64_t now) {
    return slot->token.len > 0 && now + LAST_USE_NS < slot->expires_ns;
}

/* With the lock held: 0 when the slot's token will do, 1 when the caller is to fetch one, -1. */
static int settle(struct token_slot *slot, uint64_t deadline_ns, struct skrfs_error *err) {
    for (;;) {
        uint64_t now = skrfs_now_ns();
        if (usable(slot, now) && (slot->busy || now < slot->refresh_ns))
            return 0;
        if (!slot->busy)
            return 1;
        struct timespec until = skrfs_deadline_timespec(deadline_ns);
        if (pthread_cond_timedwait(&slot->changed, &slot->lock, &until) == ETIMEDOUT) {
            skrfs_fail(err, SKRFS_CLASS_TIMEOUT, "no access token came before the deadline");
            return skrfs_fail_retryable(err, 0);
        }
    }
}

/* With the lock held, which is let go of meanwhile. A failed renewal of a token that still serves
 * is no failure: the next one comes in a minute. */
static int renew(struct skrfs_cloud *cloud, struct token_slot *slot, uint64_t deadline_ns,
        struct skrfs_error *err) {
    skrfs_autobuf token = SKRFS_BUF(ACCESS_TOKEN_MAX);
    int64_t expires_s = 0;
    uint64_t now = skrfs_now_ns(), soon = now + 5 * SKRFS_SECOND_NS;
    bool serves = usable(slot, now);
    slot->busy = true;
    pthread_mutex_unlock(&slot->lock);
    int result = fetch(cloud, slot, serves && soon < deadline_ns ? soon : deadline_ns, &token,
            &expires_s, err);
    pthread_mutex_lock(&slot->lock);
    slot->busy = false;
    pthread_cond_broadcast(&slot->changed);
    if (result == 0)
        keep(slot, &token, expires_s);
    else if (usable(slot, skrfs_now_ns())) {
        slot->refresh_ns = skrfs_now_ns() + 60 * SKRFS_SECOND_NS;
        result = 0;
    }
    return result;
}

int skrfs_identity_token(struct skrfs_cloud *cloud, struct token_slot *slot, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *out, struct skrfs_error *err) {
    size_t step = skrfs_trace_begin(trace, "get an access token");
    pthread_mutex_lock(&slot->lock);
    int result = settle(slot, deadline_ns, err);
    bool fetched = result == 1;
    if (fetched)
        result = renew(cloud, slot, deadline_ns, err);
    if (result == 0)
        result = skrfs_buf_append(out, slot->token.data, slot->token.len, err);
    pthread_mutex_unlock(&slot->lock);
    if (result < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "for %s%s", slot->resource, fetched ? "" : ", kept from before");
    return 0;
}

void skrfs_identity_drop(struct token_slot *slot, struct skrfs_bytes token) {
    pthread_mutex_lock(&slot->lock);
    if (slot->token.len == token.len && skrfs_equal(slot->token.data, token.data, token.len))
        skrfs_buf_done(&slot->token);
    pthread_mutex_unlock(&slot->lock);
}
