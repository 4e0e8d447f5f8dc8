#include "tree.h"

#include <inttypes.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 101 /* of a claim's value in a sentence: 100 octets and the NUL */

const struct skrfs_json *skrfs_claim(const struct skrfs_json *claims, const char *path) {
    char name[SKRFS_CLAIM_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(name))
        return NULL;
    memcpy(name, path, len + 1);
    const struct skrfs_json *found = skrfs_json_get(claims, name);
    /* Each step goes to another node of the document, so its size bounds the search. */
    for (size_t cut = len - 1; !found && cut > 0; cut--) {
        if (path[cut] != '.')
            continue;
        name[cut] = '\0';
        const struct skrfs_json *inner = skrfs_json_get(claims, name);
        if (inner)
            found = skrfs_claim(inner, path + cut + 1);
    }
    return found;
}

bool skrfs_policy_value_text(const struct skrfs_json *value, struct skrfs_buf *out) {
    struct skrfs_error ignored;
    switch (skrfs_json_kind(value)) {
    case SKRFS_JSON_STRING:
        return skrfs_buf_append_text(out, skrfs_json_string(value), &ignored) == 0;
    case SKRFS_JSON_INTEGER:
        return skrfs_buf_printf(out, &ignored, "%" PRId64, skrfs_json_integer(value)) == 0;
    case SKRFS_JSON_REAL:
        return skrfs_json_print(value, false, out, &ignored) == 0;
    case SKRFS_JSON_TRUE:
        return skrfs_buf_append_text(out, "true", &ignored) == 0;
    case SKRFS_JSON_FALSE:
        return skrfs_buf_append_text(out, "false", &ignored) == 0;
    default:
        return false;
    }
}

static bool claim_holds(const struct condition *condition, const struct skrfs_json *claims) {
    const struct skrfs_json *value = skrfs_claim(claims, condition->claim);
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
    return value && skrfs_policy_value_text(value, &text) &&
           strcmp(skrfs_buf_text(&text), condition->value) == 0;
}

static bool holds(const struct condition *condition, const struct skrfs_json *claims) {
    if (condition->kind == CONDITION_CLAIM)
        return claim_holds(condition, claims);
    bool any = condition->kind == CONDITION_ANY;
    for (size_t i = 0; i < condition->count; i++)
        if (holds(&condition->children[i], claims) == any)
            return any;
    return !any;
}

/* Policies in the wild write the same authority with and without the slash, tokens without it. */
static bool same_issuer(const char *authority, const char *issuer) {
    size_t a = strlen(authority), b = strlen(issuer);
    a -= a > 0 && authority[a - 1] == '/';
    b -= b > 0 && issuer[b - 1] == '/';
    return a > 0 && a == b && memcmp(authority, issuer, a) == 0;
}

bool skrfs_policy_meets(const struct skrfs_policy *policy, const struct skrfs_json *claims) {
    const char *issuer = skrfs_json_string(skrfs_json_get(claims, "iss"));
    for (size_t i = 0; issuer && i < policy->count; i++)
        if (same_issuer(policy->authorities[i].url, issuer) &&
                holds(&policy->authorities[i].root, claims))
            return true;
    return false;
}

static void explain_claim(
        const struct condition *claim, const struct skrfs_json *claims, char *out, size_t size) {
    char found_text[SHOWN_MAX], wanted[SHOWN_MAX], name[SHOWN_MAX];
    skrfs_text_clean(claim->claim, strlen(claim->claim), name, sizeof(name));
    skrfs_text_clean(claim->value, strlen(claim->value), wanted, sizeof(wanted));
    const struct skrfs_json *found = skrfs_claim(claims, claim->claim);
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
    if (!found) {
        snprintf(out, size, "claim %s is absent, wants '%s'", name, wanted);
    } else if (skrfs_policy_value_text(found, &text)) {
        skrfs_text_clean(skrfs_buf_text(&text), text.len, found_text, sizeof(found_text));
        snprintf(out, size, "claim %s is '%s', wants '%s'", name, found_text, wanted);
    } else {
        snprintf(out, size, "claim %s is no single value, wants '%s'", name, wanted);
    }
}

static void explain_condition(const struct condition *condition, const struct skrfs_json *claims,
        char *out, size_t size) {
    if (condition->kind == CONDITION_CLAIM) {
        explain_claim(condition, claims, out, size);
        return;
    }
    size_t failing = 0;
    while (failing + 1 < condition->count && holds(&condition->children[failing], claims))
        failing++;
    explain_condition(&condition->children[failing], claims, out, size);
    size_t used = strlen(out);
    if (condition->kind == CONDITION_ANY && condition->count > 1)
        snprintf(out + used, size - used, " (nor does any of its %zu alternatives hold)",
                condition->count - 1);
}

bool skrfs_policy_explain(const struct skrfs_policy *policy, const struct skrfs_json *claims,
        char *out, size_t size) {
    if (skrfs_policy_meets(policy, claims))
        return false;
    const char *issuer = skrfs_json_string(skrfs_json_get(claims, "iss"));
    if (!issuer) {
        snprintf(out, size, "the token names no issuer");
        return true;
    }
    for (size_t i = 0; i < policy->count; i++) {
        if (same_issuer(policy->authorities[i].url, issuer)) {
            explain_condition(&policy->authorities[i].root, claims, out, size);
            return true;
        }
    }
    char shown[SHOWN_MAX];
    skrfs_text_clean(issuer, strlen(issuer), shown, sizeof(shown));
    snprintf(out, size, "issuer '%s' is none of the policy's authorities", shown);
    return true;
}
