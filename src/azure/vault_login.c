/* Which access tokens a vault takes: from the configuration and its host's name, and from what it
 * says itself when it refuses one. */
#include "login.h"

#include <stdio.h>
#include <string.h>

/* One slash behind it apart. */
static bool same_resource(const char *a, const char *b) {
    size_t a_len = strlen(a), b_len = strlen(b);
    a_len -= a_len && a[a_len - 1] == '/';
    b_len -= b_len && b[b_len - 1] == '/';
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

static bool needs_tenant(const struct vault *vault) {
    return !skrfs_identity_is_managed(vault->config.identity);
}

int skrfs_vault_login_prepare(
        struct skrfs_cloud *cloud, struct vault *vault, const char *host, struct skrfs_error *err) {
    const struct skrfs_cloud_vault *config = &vault->config;
    if (!config->resource) {
        if (skrfs_vault_resource(host, vault->resource, sizeof(vault->resource), err) < 0)
            return -1;
    } else if (strlen(config->resource) >= sizeof(vault->resource)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the resource is longer than %d characters",
                RESOURCE_MAX - 1);
    } else {
        snprintf(vault->resource, sizeof(vault->resource), "%s", config->resource);
    }
    if (needs_tenant(vault) && !config->tenant)
        return 0;
    if (config->tenant && strlen(config->tenant) >= TENANT_MAX)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "the tenant is longer than %d characters", TENANT_MAX - 1);
    const struct token_wish wish = {.config = config,
            .tenant = needs_tenant(vault) ? config->tenant : "",
            .resource = vault->resource};
    return skrfs_slot_assign(cloud, vault, &wish, err);
}

/* Which audience a token is asked for: what the challenge says, unless that is for somebody else.
 */
static int choose_resource(const struct vault *vault, const struct token_slot *slot,
        const struct challenge *challenge, const char **ret_resource, struct skrfs_error *err) {
    *ret_resource = slot && !*challenge->resource ? slot->resource : vault->resource;
    /* What is configured, or known by the host's name, need not be proven. */
    if (!*challenge->resource || same_resource(challenge->resource, vault->resource))
        return 0;
    if (!skrfs_challenge_is_for(challenge->resource, vault->config.url))
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "vault '%s' wants an access token for '%s', which is not for %s: none was asked "
                "for. Is this the vault's right address? (resource = '%s' is what is expected)",
                vault->config.name, challenge->resource, vault->config.url, vault->resource);
    *ret_resource = challenge->resource;
    return 0;
}

static int choose_tenant(const struct vault *vault, const struct token_slot *slot,
        const struct challenge *challenge, const char **ret_tenant, struct skrfs_error *err) {
    *ret_tenant = "";
    if (!needs_tenant(vault))
        return 0;
    *ret_tenant = vault->config.tenant          ? vault->config.tenant
                  : slot && !*challenge->tenant ? slot->tenant
                                                : challenge->tenant;
    if (**ret_tenant)
        return 0;
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "vault '%s' does not tell which tenant it belongs to: say tenant =",
            vault->config.name);
}

int skrfs_vault_login_heed(struct skrfs_cloud *cloud, struct vault *vault,
        const struct token_slot *slot, const struct skrfs_http_answer *answer,
        struct skrfs_error *err) {
    struct challenge challenge;
    struct token_wish wish = {.config = &vault->config, .claims = slot ? slot->claims : NULL};
    skrfs_autobuf claims = SKRFS_BUF(CLAIMS_MAX * 2);
    skrfs_challenge_read(answer->challenge, &challenge);
    if (choose_resource(vault, slot, &challenge, &wish.resource, err) < 0 ||
            choose_tenant(vault, slot, &challenge, &wish.tenant, err) < 0)
        return -1;
    /* Endpoints of managed identities take no claims: they are asked for a new token alone. */
    if (challenge.wants_claims && needs_tenant(vault)) {
        if (skrfs_claims_merge(challenge.claims, &claims, err) < 0)
            return skrfs_wrap(err, "vault '%s'", vault->config.name);
        wish.claims = skrfs_buf_text(&claims);
    }
    return skrfs_slot_assign(cloud, vault, &wish, err);
}

/* What the challenge asks for that the token, by all we know, was not. */
static void describe(const struct vault *vault, const struct token_slot *slot,
        const struct challenge *challenge, char *out, size_t size) {
    out[0] = '\0';
    if (challenge->wants_claims)
        snprintf(out, size, ", which wants more claims in it (conditional access)");
    else if (*challenge->resource && !same_resource(challenge->resource, slot->resource))
        snprintf(out, size, ", which wants one for '%s', not '%s'", challenge->resource,
                slot->resource);
    else if (needs_tenant(vault) && *challenge->tenant &&
             strcasecmp(challenge->tenant, slot->tenant) != 0)
        snprintf(out, size, ", which belongs to tenant '%s', not '%s'", challenge->tenant,
                slot->tenant);
}

int skrfs_vault_login_refused(const struct vault *vault, const struct token_slot *slot,
        const struct skrfs_http_answer *answer, struct skrfs_error *err) {
    struct challenge challenge;
    char hint[512];
    skrfs_challenge_read(answer->challenge, &challenge);
    describe(vault, slot, &challenge, hint, sizeof(hint));
    return skrfs_refusal_fail(answer, SKRFS_CLASS_REJECTED, err,
            "this machine's access token is not taken by vault '%s'%s", vault->config.name, hint);
}
