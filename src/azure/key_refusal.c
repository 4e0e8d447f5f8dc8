/* Why a vault does not make or change a key, and what cures it. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

struct cure {
    long number;       /* "AKV.SKR.1001: ..."; the service leaves it out at times */
    const char *words; /* of its message then; NULL: too many have the like */
    const char *text;
};

static const struct cure cures[] = {
        {1001, "premium",
                "keys that can be released live in a Premium vault or in a Managed HSM: this vault "
                "is Standard"},
        {1003, NULL, "whether a key can be released is settled when it is made: make another key"},
        {1004, NULL, "a key that can be released needs a release policy"},
        {1005, NULL, "a key with a release policy has to be one that can be released"},
        {1006, NULL, "in this vault such keys are HSM keys: RSA-HSM or EC-HSM"},
        {1012, "attestation service",
                "the vault cannot reach an attestation service that the policy names: see its "
                "authority"},
        {1016, NULL, "the policy belongs to the key's current version alone"},
        {1020, "immutable",
                "the key's policy is immutable: nobody can change it; make another key"},
};

static const char *cure_of(const struct skrfs_http_answer *answer) {
    char words[400];
    skrfs_refusal_text(skrfs_buf_bytes(&answer->body), words, sizeof(words));
    const char *at = strstr(words, "AKV.SKR.");
    long number = at ? strtol(at + strlen("AKV.SKR."), NULL, 10) : 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cures); i++)
        if (number ? cures[i].number == number
                   : cures[i].words && strcasestr(words, cures[i].words))
            return cures[i].text;
    return NULL;
}

/* Of a 403: what the identity lacks. */
static void forbidden(const struct vault *vault, const struct skrfs_http_answer *answer,
        const char *role, char *out, size_t size) {
    if (skrfs_forbidden_kind(skrfs_buf_bytes(&answer->body)) == FORBIDDEN_NETWORK)
        snprintf(out, size, "its firewall does not let this machine's network in");
    else
        snprintf(out, size, "the identity needs a role that allows it, such as '%s'",
                skrfs_vault_is_hsm(vault) ? "Managed HSM Crypto User" : role);
}

int skrfs_key_refuse(const struct vault *vault, const struct skrfs_http_answer *answer,
        const struct vault_call *call, struct skrfs_error *err) {
    char why[200] = "";
    const char *cure = answer->status == 400 ? cure_of(answer) : NULL;
    if (answer->status == 404)
        return skrfs_refusal_fail(answer, SKRFS_CLASS_NOT_FOUND, err, "vault '%s' has no key '%s'",
                vault->config.name, call->name);
    if (answer->status == 403)
        forbidden(vault, answer,
                strcmp(call->method, "GET") == 0 ? "Key Vault Reader" : "Key Vault Crypto Officer",
                why, sizeof(why));
    else if (answer->status == 409)
        snprintf(why, sizeof(why),
                "a deleted key of that name is in the way until it is purged or recovered");
    return skrfs_refusal_fail(answer, skrfs_status_class(answer->status), err,
            "vault '%s' does not %s%s%s", vault->config.name, call->what, cure || *why ? ": " : "",
            cure ? cure : why);
}
