/* Access tokens that are kept: one for each identity, tenant, audience and demand of claims,
 * renewed ahead of its end by whoever needs it then. */
#include "login.h"

#include <stdio.h>
#include <string.h>

#define LAST_USE_NS (30 * SKRFS_SECOND_NS) /* a token with less life left than this is not used */
/* Short-lived tokens are renewed this long before their end. */
#define MARGIN_NS (5 * 60 * SKRFS_SECOND_NS)
#define LIFE_MAX_S (30 * 86400) /* what is said beyond that is not believed */
/* Longer ones of managed identities at half of their life, as MSAL does. */
#define LONG_LIFE_NS (2 * 3600 * SKRFS_SECOND_NS)
#define JITTER_MAX_NS (5 * 60 * SKRFS_SECOND_NS)
/* How long a renewal may hold up whoever has a token that still serves. */
#define RENEWAL_NS (5 * SKRFS_SECOND_NS)
#define RENEWAL_PAUSE_NS (60 * SKRFS_SECOND_NS)

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool slot_is(const struct token_slot *slot, const struct token_wish *wish) {
    const struct skrfs_cloud_vault *config = wish->config;
    return slot->identity == config->identity &&
           same_text(slot->identity_id, config->identity_id) &&
           same_text(slot->client, config->client) &&
           same_text(slot->token_file, config->token_file) &&
           same_text(slot->secret, config->secret) && strcmp(slot->tenant, wish->tenant) == 0 &&
           strcmp(slot->resource, wish->resource) == 0 && same_text(slot->claims, wish->claims);
}

static void slot_free(struct token_slot *slot) {
    skrfs_buf_done(&slot->token);
    pthread_mutex_destroy(&slot->lock);
    pthread_cond_destroy(&slot->changed);
    free(slot->claims);
    free(slot);
}

static int slot_new(
        const struct token_wish *wish, struct token_slot **ret_slot, struct skrfs_error *err) {
    struct token_slot *slot = calloc(1, sizeof(*slot));
    if (!slot)
        return skrfs_fail_memory(err);
    if (wish->claims && !(slot->claims = strdup(wish->claims))) {
        free(slot);
        return skrfs_fail_memory(err);
    }
    pthread_mutex_init(&slot->lock, NULL);
    (void)skrfs_cond_init(&slot->changed);
    slot->identity = wish->config->identity;
    slot->identity_id = wish->config->identity_id;
    slot->client = wish->config->client;
    slot->token_file = wish->config->token_file;
    slot->secret = wish->config->secret;
    snprintf(slot->tenant, sizeof(slot->tenant), "%s", wish->tenant);
    snprintf(slot->resource, sizeof(slot->resource), "%s", wish->resource);
    slot->token = SKRFS_BUF(ACCESS_TOKEN_MAX);
    *ret_slot = slot;
    return 0;
}

/* With the lock held. */
static int join(struct skrfs_cloud *cloud, const struct token_wish *wish,
        struct token_slot **ret_slot, struct skrfs_error *err) {
    struct token_slot *slot = cloud->slots;
    while (slot && !slot_is(slot, wish))
        slot = slot->next;
    if (!slot) {
        if (slot_new(wish, &slot, err) < 0)
            return -1;
        slot->next = cloud->slots;
        cloud->slots = slot;
    }
    slot->users++;
    *ret_slot = slot;
    return 0;
}

/* With the lock held. */
static void leave(struct skrfs_cloud *cloud, struct token_slot *slot) {
    if (!slot || --slot->users > 0)
        return;
    struct token_slot **at = &cloud->slots;
    while (*at != slot)
        at = &(*at)->next;
    *at = slot->next;
    slot_free(slot);
}

int skrfs_slot_assign(struct skrfs_cloud *cloud, struct vault *vault, const struct token_wish *wish,
        struct skrfs_error *err) {
    struct token_slot *slot = NULL;
    pthread_mutex_lock(&cloud->slots_lock);
    int result = join(cloud, wish, &slot, err);
    if (result == 0) {
        leave(cloud, vault->slot);
        vault->slot = slot;
    }
    pthread_mutex_unlock(&cloud->slots_lock);
    return result;
}

struct token_slot *skrfs_slot_use(struct skrfs_cloud *cloud, const struct vault *vault) {
    pthread_mutex_lock(&cloud->slots_lock);
    struct token_slot *slot = vault->slot;
    if (slot)
        slot->users++;
    pthread_mutex_unlock(&cloud->slots_lock);
    return slot;
}

void skrfs_slot_release(struct skrfs_cloud *cloud, struct token_slot *slot) {
    pthread_mutex_lock(&cloud->slots_lock);
    leave(cloud, slot);
    pthread_mutex_unlock(&cloud->slots_lock);
}

/* Up to a tenth earlier: machines that began together do not come back together. */
static uint64_t jitter(uint64_t after_ns) {
    uint32_t random = 0;
    struct skrfs_error ignored;
    uint64_t most = after_ns / 10 < JITTER_MAX_NS ? after_ns / 10 : JITTER_MAX_NS;
    if (skrfs_random(&random, sizeof(random), &ignored) < 0)
        return 0;
    return most / 1000 * (random % 1001);
}

uint64_t skrfs_token_refresh_after(uint64_t life_ns, uint64_t told_ns, bool managed) {
    uint64_t after = life_ns - MARGIN_NS;
    if (told_ns > 0 && told_ns < life_ns)
        after = told_ns;
    else if (life_ns < 2 * MARGIN_NS || (managed && life_ns > LONG_LIFE_NS))
        after = life_ns / 2;
    return after - jitter(after);
}

static uint64_t until(int64_t time_s, int64_t now_s) {
    int64_t left_s = time_s - now_s;
    if (left_s > LIFE_MAX_S)
        left_s = LIFE_MAX_S;
    return left_s > 0 ? (uint64_t)left_s * SKRFS_SECOND_NS : 0;
}

static void keep(struct token_slot *slot, struct access_token *token) {
    uint64_t now = skrfs_now_ns();
    int64_t now_s = skrfs_wall_s();
    uint64_t life = until(token->expires_s, now_s);
    uint64_t told = token->refresh_s ? until(token->refresh_s, now_s) : 0;
    skrfs_buf_done(&slot->token);
    skrfs_buf_move(&slot->token, &token->text);
    slot->expires_ns = now + life;
    slot->refresh_ns =
            now + skrfs_token_refresh_after(life, told, skrfs_identity_is_managed(slot->identity));
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
        struct timespec limit = skrfs_deadline_timespec(deadline_ns);
        if (pthread_cond_timedwait(&slot->changed, &slot->lock, &limit) == ETIMEDOUT) {
            skrfs_fail(err, SKRFS_CLASS_TIMEOUT, "no access token came before the deadline");
            return skrfs_fail_retryable(err, 0);
        }
    }
}

/* With the lock held, which is let go of meanwhile. A failed renewal of a token that still serves
 * is no failure: the next one comes in a minute. */
static int renew(struct skrfs_cloud *cloud, struct token_slot *slot, uint64_t deadline_ns,
        struct skrfs_error *err) {
    auto_access_token token = ACCESS_TOKEN;
    uint64_t now = skrfs_now_ns(), soon = now + RENEWAL_NS;
    bool serves = usable(slot, now);
    slot->busy = true;
    pthread_mutex_unlock(&slot->lock);
    int result = skrfs_login(
            cloud, slot, serves && soon < deadline_ns ? soon : deadline_ns, &token, err);
    pthread_mutex_lock(&slot->lock);
    slot->busy = false;
    pthread_cond_broadcast(&slot->changed);
    if (result == 0)
        keep(slot, &token);
    else if (usable(slot, skrfs_now_ns())) {
        slot->refresh_ns = skrfs_now_ns() + RENEWAL_PAUSE_NS;
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

/* A token that has come to its end is of use to nobody, even if nobody comes for a new one. */
void skrfs_cloud_tend(struct skrfs_cloud *cloud) {
    pthread_mutex_lock(&cloud->slots_lock);
    for (struct token_slot *slot = cloud->slots; slot; slot = slot->next) {
        pthread_mutex_lock(&slot->lock);
        if (!usable(slot, skrfs_now_ns()))
            skrfs_buf_done(&slot->token);
        pthread_mutex_unlock(&slot->lock);
    }
    pthread_mutex_unlock(&cloud->slots_lock);
}

void skrfs_identity_drop(struct token_slot *slot, struct skrfs_bytes token) {
    pthread_mutex_lock(&slot->lock);
    if (slot->token.len == token.len && skrfs_equal(slot->token.data, token.data, token.len))
        skrfs_buf_done(&slot->token);
    pthread_mutex_unlock(&slot->lock);
}
