/* A 403 says little: policy, role and firewall look alike. The key's policy, held against the
 * token's claims here, tells them apart as far as that can be done from outside. */
#include "internal.h"

#include <skrfs/policy/policy.h>
#include <stdio.h>
#include <string.h>

#define ROLE "Key Vault Crypto Service Release User"
/* The refusal is certain; its explanation may not hold it back for long. */
#define EXPLAIN_NS (5 * SKRFS_SECOND_NS)
#define REASON_MAX 480

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

static void compare(const struct skrfs_policy *policy, const struct skrfs_json *claims, char *out,
        size_t size) {
    char why[512];
    if (skrfs_policy_explain(policy, claims, why, sizeof(why)))
        snprintf(out, size, "refused by the key's policy: %s", why);
    else
        snprintf(out, size,
                "this machine's claims meet the key's policy, so a role or the vault's firewall "
                "stands in the "
                "way: give the identity the role '" ROLE "', or let this network in");
}

void skrfs_forbidden_reason(
        const struct skrfs_vault_key *key, struct skrfs_bytes token, char *out, size_t size) {
    struct skrfs_error err;
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autojson *claims = NULL;
    if (!key)
        snprintf(out, size,
                "the key's policy cannot be read to tell whether the policy, a role or the vault's "
                "firewall "
                "refuses: the identity needs '" ROLE
                "', and leave to read the key for a closer answer");
    else if (key->policy.len == 0)
        snprintf(out, size, "the key has no release policy: it cannot be released to any machine");
    else if (skrfs_policy_parse(skrfs_buf_text(&key->policy), key->policy.len, &policy, &err) < 0)
        snprintf(out, size, "the key's policy is not understood here (%.200s)", err.message);
    else if (token_claims(token, &claims, &err) < 0)
        snprintf(out, size,
                "the attestation token cannot be held against the key's policy (%.200s)",
                err.message);
    else
        compare(policy, claims, out, size);
}

int skrfs_release_forbidden(struct skrfs_cloud *cloud, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, const struct skrfs_http_answer *answer,
        struct skrfs_error *err) {
    size_t step = skrfs_trace_begin(trace, "read the key's policy");
    skrfs_autovaultkey key = {0};
    struct skrfs_error unread;
    uint64_t soon = skrfs_now_ns() + EXPLAIN_NS;
    bool have = skrfs_cloud_key_show(cloud, ask->vault, ask->name, ask->version,
                        soon < deadline_ns ? soon : deadline_ns, &key, &unread) == 0;
    if (have)
        skrfs_trace_end(trace, step, "%zu octets", key.policy.len);
    else
        (void)skrfs_trace_failed(trace, step, &unread);
    char reason[REASON_MAX];
    skrfs_forbidden_reason(have ? &key : NULL, ask->token, reason, sizeof(reason));
    return skrfs_refusal_fail(answer, SKRFS_CLASS_REJECTED, err, "%s; vault '%s' says", reason,
            cloud->vaults[ask->vault].config.name);
}
