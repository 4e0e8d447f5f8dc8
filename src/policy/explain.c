/* Why not, in one sentence; and node by node. */
#include "tree.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 101 /* of a claim's value in a sentence: 100 octets and the NUL */

void skrfs_policy_wish_text(const struct condition *claim, char *out, size_t size) {
    static const char *const words[COMPARE_COUNT] = {
            [COMPARE_EQUALS] = "",
            [COMPARE_NOT_EQUALS] = "anything but ",
            [COMPARE_LESS] = "less than ",
            [COMPARE_LESS_OR_EQUALS] = "at most ",
            [COMPARE_GREATER] = "more than ",
            [COMPARE_GREATER_OR_EQUALS] = "at least ",
    };
    char wanted[SHOWN_MAX];
    skrfs_text_clean(claim->value, strlen(claim->value), wanted, sizeof(wanted));
    if (claim->comparison == COMPARE_EXISTS)
        snprintf(out, size, "%s",
                strcmp(claim->value, "true") == 0 ? "any value" : "a token without it");
    else
        snprintf(out, size, "%s'%s'", words[claim->comparison], wanted);
}

static void explain_claim(
        const struct condition *claim, const struct skrfs_json *claims, char *out, size_t size) {
    char actual[SHOWN_MAX], wanted[SHOWN_MAX + 32], name[SHOWN_MAX], other[SHOWN_MAX];
    skrfs_text_clean(claim->claim, strlen(claim->claim), name, sizeof(name));
    skrfs_policy_wish_text(claim, wanted, sizeof(wanted));
    const struct skrfs_json *found = skrfs_claim(claims, claim->claim);
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX * 4);
    if (!found && skrfs_policy_elsewhere(claim->claim, claims, other, sizeof(other))) {
        snprintf(out, size, "claim %s is absent, wants %s (the token has it as %s)", name, wanted,
                other);
    } else if (!found) {
        snprintf(out, size, "claim %s is absent, wants %s", name, wanted);
    } else if (skrfs_claim_text(found, &text)) {
        skrfs_text_clean(skrfs_buf_text(&text), text.len, actual, sizeof(actual));
        snprintf(out, size, "claim %s is '%s', wants %s", name, actual, wanted);
    } else {
        snprintf(out, size, "claim %s is no single value, wants %s", name, wanted);
    }
}

static void explain_condition(const struct condition *condition, const struct skrfs_json *claims,
        char *out, size_t size) {
    if (condition->kind == CONDITION_CLAIM) {
        explain_claim(condition, claims, out, size);
        return;
    }
    size_t failing = 0;
    while (failing + 1 < condition->count &&
            skrfs_policy_holds(&condition->children[failing], claims))
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
        if (skrfs_policy_same_issuer(policy->authorities[i].url, issuer)) {
            explain_condition(&policy->authorities[i].root, claims, out, size);
            return true;
        }
    }
    char shown[SHOWN_MAX];
    skrfs_text_clean(issuer, strlen(issuer), shown, sizeof(shown));
    snprintf(out, size, "issuer '%s' is none of the policy's authorities", shown);
    return true;
}

struct test {
    const struct skrfs_json *claims;
    skrfs_step_fn *step;
    void *context;
};

static const char *value_text(const struct skrfs_json *value, struct skrfs_buf *text) {
    if (!value)
        return NULL;
    switch (skrfs_json_kind(value)) {
    case SKRFS_JSON_OBJECT:
        return "{...}";
    case SKRFS_JSON_ARRAY:
        return "[...]";
    case SKRFS_JSON_NULL:
        return "null";
    default:
        return skrfs_claim_text(value, text) ? skrfs_buf_text(text) : "...";
    }
}

static void test_claim(
        const struct test *test, const struct condition *claim, unsigned depth, bool holds) {
    char other[SKRFS_CLAIM_MAX];
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX * 4);
    const struct skrfs_json *value = skrfs_claim(test->claims, claim->claim);
    bool moved = !value && skrfs_policy_elsewhere(claim->claim, test->claims, other, sizeof(other));
    struct skrfs_policy_step step = {
            .kind = SKRFS_STEP_CLAIM,
            .depth = depth,
            .name = claim->claim,
            .condition = skrfs_policy_comparisons[claim->comparison],
            .wanted = claim->value,
            .actual = value_text(value, &text),
            .elsewhere = moved ? other : NULL,
            .holds = holds,
    };
    test->step(test->context, &step);
}

static void test_condition(
        const struct test *test, const struct condition *condition, unsigned depth) {
    bool holds = skrfs_policy_holds(condition, test->claims);
    if (condition->kind == CONDITION_CLAIM) {
        test_claim(test, condition, depth, holds);
        return;
    }
    struct skrfs_policy_step step = {
            .kind = condition->kind == CONDITION_ANY ? SKRFS_STEP_ANY : SKRFS_STEP_ALL,
            .depth = depth,
            .holds = holds,
    };
    test->step(test->context, &step);
    for (size_t i = 0; i < condition->count; i++)
        test_condition(test, &condition->children[i], depth + 1);
}

bool skrfs_policy_test(const struct skrfs_policy *policy, const struct skrfs_json *claims,
        skrfs_step_fn *step, void *context) {
    struct test test = {.claims = claims, .step = step, .context = context};
    const char *issuer = skrfs_json_string(skrfs_json_get(claims, "iss"));
    bool met = false;
    for (size_t i = 0; i < policy->count; i++) {
        const struct authority *authority = &policy->authorities[i];
        bool same = issuer && skrfs_policy_same_issuer(authority->url, issuer);
        bool holds = same && skrfs_policy_holds(&authority->root, claims);
        step(context, &(struct skrfs_policy_step){.kind = SKRFS_STEP_AUTHORITY,
                              .name = authority->url,
                              .issuer = same,
                              .holds = holds});
        test_condition(&test, &authority->root, 1);
        met = met || holds;
    }
    return met;
}
