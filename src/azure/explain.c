/* A 403 says little: policy, role, firewall and token look alike. What the vault itself tells, and
 * the key's policy held against the token's claims here, tell them apart as far as that can be done
 * from outside. */
#include "internal.h"

#include <skrfs/policy/policy.h>
#include <stdio.h>
#include <string.h>

/* The refusal is certain; its explanation may not hold it back for long. */
#define EXPLAIN_NS (5 * SKRFS_SECOND_NS)
#define REASON_MAX 560
#define ISOLATION "x-ms-isolation-tee"

static const char *role_of(const struct vault *vault) {
    return skrfs_vault_is_hsm(vault) ? "Managed HSM Crypto Service Release User"
                                     : "Key Vault Crypto Service Release User";
}

static int token_claims(
        struct skrfs_bytes token, struct skrfs_json **ret_claims, struct skrfs_error *err) {
    struct skrfs_token_info info = {0};
    if (skrfs_token_inspect(token, &info, err) < 0)
        return -1;
    int result = skrfs_json_parse(
            skrfs_buf_text(&info.claims), info.claims.len, SKRFS_TOKEN_MAX, ret_claims, err);
    skrfs_token_info_done(&info);
    return result;
}

static bool has_text(const struct skrfs_json *array, const char *wanted) {
    for (size_t i = 0; i < skrfs_json_size(array); i++) {
        const char *text = skrfs_json_string(skrfs_json_at(array, i));
        if (text && strcmp(text, wanted) == 0)
            return true;
    }
    return false;
}

/* As the vault chooses the key that it wraps to: RSA, for encryption, with a kid, in the token's
 * own x-ms-runtime (learn.microsoft.com, key management policy grammar). */
static bool has_wrapping_key(const struct skrfs_json *claims) {
    const struct skrfs_json *keys = skrfs_json_get(skrfs_json_get(claims, "x-ms-runtime"), "keys");
    for (size_t i = 0; keys && i < skrfs_json_size(keys); i++) {
        const struct skrfs_json *key = skrfs_json_at(keys, i);
        const char *kty = skrfs_json_string(skrfs_json_get(key, "kty"));
        const char *use = skrfs_json_string(skrfs_json_get(key, "use"));
        if (!use)
            use = skrfs_json_string(skrfs_json_get(key, "key_use"));
        const struct skrfs_json *ops = skrfs_json_get(key, "key_ops");
        if (kty && strncmp(kty, "RSA", 3) == 0 && skrfs_json_get(key, "kid") &&
                ((use && strcmp(use, "enc") == 0) || (ops && has_text(ops, "encrypt"))))
            return true;
    }
    return false;
}

/* A confidential VM's claims are below x-ms-isolation-tee, all others' at the top. */
static const char *place_hint(const struct skrfs_vault_key *key, const struct skrfs_json *claims) {
    bool below = skrfs_json_get(claims, ISOLATION) != NULL;
    bool wants_below = strstr(skrfs_buf_text(&key->policy), ISOLATION) != NULL;
    if (wants_below && !below)
        return " (the policy is for confidential VMs: this machine's claims are not "
               "below " ISOLATION ")";
    if (!wants_below && below)
        return " (the policy is not for confidential VMs, whose claims are below " ISOLATION ")";
    return "";
}

/* The claims meet the policy as far as can be seen here. */
static void explain_met(enum forbidden kind, const struct vault *vault,
        const struct skrfs_json *claims, char *out, size_t size) {
    const char *issuer = skrfs_json_string(skrfs_json_get(claims, "iss"));
    const struct skrfs_json *expires = skrfs_json_get(claims, "exp");
    if (expires && skrfs_json_kind(expires) == SKRFS_JSON_INTEGER &&
            skrfs_json_integer(expires) < skrfs_wall_s() && kind != FORBIDDEN_POLICY)
        snprintf(out, size, "the attestation token has expired (or this machine's clock is wrong)");
    else if (kind == FORBIDDEN_TOKEN && !has_wrapping_key(claims))
        snprintf(out, size,
                "the attestation token brings no key to wrap to (x-ms-runtime.keys has no RSA key "
                "for encryption with a kid)");
    else if (kind == FORBIDDEN_TOKEN)
        snprintf(out, size,
                "the vault cannot verify the attestation token, though its claims meet the key's "
                "policy: can it reach the issuer '%.120s', and is that one's signature right?",
                issuer ? issuer : "");
    else if (kind == FORBIDDEN_POLICY)
        snprintf(out, size,
                "refused by the key's policy, though held against it here this machine's claims "
                "meet it: was the policy changed meanwhile?");
    else
        snprintf(out, size,
                "this machine's claims meet the key's policy, so a role or the vault's firewall "
                "stands in the way: give the identity the role '%s', or let this network in",
                role_of(vault));
}

static void compare(enum forbidden kind, const struct vault *vault,
        const struct skrfs_vault_key *key, const struct skrfs_policy *policy,
        const struct skrfs_json *claims, char *out, size_t size) {
    char why[320];
    if (skrfs_policy_explain(policy, claims, why, sizeof(why)))
        snprintf(out, size, "refused by the key's policy: %s%s", why, place_hint(key, claims));
    else
        explain_met(kind, vault, claims, out, size);
}

/* What the vault tells by itself needs no policy. */
static bool explain_told(enum forbidden kind, const struct vault *vault, char *out, size_t size) {
    if (kind == FORBIDDEN_NETWORK)
        snprintf(out, size,
                "refused by the vault's firewall: let this machine's network in (az keyvault "
                "network-rule add, or a private endpoint)");
    else if (kind == FORBIDDEN_ROLE)
        snprintf(out, size,
                "this machine's identity may not release keys: give it the role '%s' (a vault "
                "without roles: the access policy 'release')",
                role_of(vault));
    else
        return false;
    return true;
}

void skrfs_forbidden_reason(enum forbidden kind, const struct vault *vault,
        const struct skrfs_vault_key *key, struct skrfs_bytes token, char *out, size_t size) {
    struct skrfs_error err;
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autojson *claims = NULL;
    if (explain_told(kind, vault, out, size))
        return;
    if (!key && kind == FORBIDDEN_POLICY)
        snprintf(out, size,
                "refused by the key's policy, which cannot be read to tell which claim it is: the "
                "identity lacks leave to read the key");
    else if (!key)
        snprintf(out, size,
                "the key's policy cannot be read to tell whether the policy, a role or the vault's "
                "firewall refuses: the identity needs '%s', and leave to read the key for a closer "
                "answer",
                role_of(vault));
    else if (key->policy.len == 0)
        snprintf(out, size, "the key has no release policy: it cannot be released to any machine");
    else if (skrfs_policy_parse(skrfs_buf_text(&key->policy), key->policy.len, &policy, &err) < 0)
        snprintf(out, size, "the key's policy is not understood here (%.200s)", err.message);
    else if (token_claims(token, &claims, &err) < 0)
        snprintf(out, size,
                "the attestation token cannot be held against the key's policy (%.200s)",
                err.message);
    else
        compare(kind, vault, key, policy, claims, out, size);
}

/* The key as the vault shows it; false when it does not. */
static bool read_key(struct skrfs_cloud *cloud, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_vault_key *ret_key) {
    size_t step = skrfs_trace_begin(trace, "read the key's policy");
    struct skrfs_error unread;
    uint64_t soon = skrfs_now_ns() + EXPLAIN_NS;
    if (skrfs_cloud_key_show(cloud, ask->vault, ask->name, ask->version,
                soon < deadline_ns ? soon : deadline_ns, ret_key, &unread) < 0) {
        (void)skrfs_trace_failed(trace, step, &unread);
        return false;
    }
    skrfs_trace_end(trace, step, "%zu octets", ret_key->policy.len);
    return true;
}

int skrfs_release_forbidden(struct skrfs_cloud *cloud, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, const struct skrfs_http_answer *answer,
        struct skrfs_error *err) {
    const struct vault *vault = &cloud->vaults[ask->vault];
    enum forbidden kind = skrfs_forbidden_kind(skrfs_buf_bytes(&answer->body));
    skrfs_autovaultkey key = {0};
    bool told = kind == FORBIDDEN_NETWORK || kind == FORBIDDEN_ROLE;
    bool have = !told && read_key(cloud, ask, deadline_ns, trace, &key);
    char reason[REASON_MAX];
    skrfs_forbidden_reason(kind, vault, have ? &key : NULL, ask->token, reason, sizeof(reason));
    return skrfs_refusal_fail(
            answer, SKRFS_CLASS_REJECTED, err, "%s; vault '%s' says", reason, vault->config.name);
}
