#include "lint.h"

#include <string.h>

#define WARN SKRFS_FINDING_WARNING

const char *skrfs_lint_value_member(const struct condition *claim) {
    return claim->old_form ? "value" : skrfs_policy_comparisons[claim->comparison];
}

static bool one_of(const char *value, const char *const *list) {
    while (*list && strcmp(*list, value) != 0)
        list++;
    return *list;
}

/* The digits of a value in hexadecimal. */
static void check_hex(
        struct lint *lint, const struct condition *claim, const struct known_claim *known) {
    const char *member = skrfs_lint_value_member(claim), *name = claim->claim;
    size_t len = strlen(claim->value);
    if (strspn(claim->value, "0123456789abcdefABCDEF") != len)
        skrfs_lint_say(lint, WARN, member, "cannot match: %s is hexadecimal", name);
    else if (len != known->digits)
        skrfs_lint_say(lint, WARN, member, "cannot match: %s has %zu hexadecimal digits, not %zu",
                name, known->digits, len);
    else if (strspn(claim->value, "0123456789abcdef") != len)
        skrfs_lint_say(lint, WARN, member, "does not match: tokens write %s in lower case", name);
    else if ((known->role == ROLE_CODE || known->role == ROLE_CHOICE) &&
             strspn(claim->value, "0") == len)
        skrfs_lint_say(
                lint, WARN, member, "is all zeros, as that of every guest is which was given none");
}

static bool is_whole_number(const char *value) {
    size_t len = strlen(value);
    return len > 0 && strspn(value, "0123456789") == len && (len == 1 || *value != '0');
}

static void check_type(struct lint *lint, const struct condition *claim) {
    static const char *const types[] = {
            "sevsnpvm", "tdxvm", "sgx", "azurevm", "openenclave", "tpm", NULL};
    static const char *const inner_types[] = {"sevsnpvm", "tdxvm", NULL};
    bool inner = strncmp(claim->claim, INNER, strlen(INNER)) == 0;
    if (!one_of(claim->value, inner ? inner_types : types))
        skrfs_lint_say(lint, WARN, skrfs_lint_value_member(claim),
                "unknown attestation type: sevsnpvm%s are known",
                inner ? " and tdxvm" : ", tdxvm, sgx and azurevm");
}

/* What `equals` a claim of this shape can never be. */
static void check_value(
        struct lint *lint, const struct condition *claim, const struct known_claim *known) {
    static const char *const booleans[] = {"true", "false", NULL};
    static const char *const states[] = {"azure-compliant-cvm", "azure-compliant-uvm", NULL};
    static const char *const debugging[] = {"enabled", "disabled", "disabled-since-boot",
            "disabled-permanently", "disabled-fully-and-permanently", NULL};
    const char *value = claim->value, *member = skrfs_lint_value_member(claim);
    switch (known->shape) {
    case SHAPE_HEX:
        check_hex(lint, claim, known);
        break;
    case SHAPE_BOOLEAN:
        if (!one_of(value, booleans))
            skrfs_lint_say(lint, WARN, member, "cannot match: %s is true or false", claim->claim);
        break;
    case SHAPE_NUMBER:
        if (!is_whole_number(value))
            skrfs_lint_say(lint, WARN, member, "cannot match: %s is a number", claim->claim);
        break;
    case SHAPE_TYPE:
        check_type(lint, claim);
        break;
    case SHAPE_STATUS:
        if (!one_of(value, states))
            skrfs_lint_say(lint, WARN, member,
                    "unknown compliance status: azure-compliant-cvm and azure-compliant-uvm are "
                    "known");
        break;
    case SHAPE_DEBUG:
        if (!one_of(value, debugging))
            skrfs_lint_say(lint, WARN, member, "cannot match: %s is 'disabled' or 'enabled'",
                    claim->claim);
        break;
    case SHAPE_ANY:
        break;
    }
    if (known->role == ROLE_DEBUG && (strcmp(value, "true") == 0 || strcmp(value, "enabled") == 0))
        skrfs_lint_say(lint, WARN, member,
                "asks for a guest that can be debugged: whoever runs the machine can read the key");
}

/* The orderings, which compare numbers. */
static void check_order(
        struct lint *lint, const struct condition *claim, const struct known_claim *known) {
    const char *member = skrfs_lint_value_member(claim);
    if (!skrfs_policy_is_number(claim->value))
        skrfs_lint_say(lint, WARN, member, "never holds: '%s' compares numbers",
                skrfs_policy_comparisons[claim->comparison]);
    else if (known && known->shape != SHAPE_NUMBER && known->shape != SHAPE_ANY)
        skrfs_lint_say(lint, WARN, member, "never holds: %s is no number", claim->claim);
}

static void check_form(struct lint *lint, const struct condition *claim) {
    if (claim->comparison != COMPARE_EQUALS)
        skrfs_lint_say(lint, SKRFS_FINDING_ERROR,
                claim->old_form ? "condition" : skrfs_lint_value_member(claim),
                "operator '%s' is not served: the service takes only 'equals' so far",
                skrfs_policy_comparisons[claim->comparison]);
    if (claim->old_form)
        skrfs_lint_say(lint, SKRFS_FINDING_ERROR, "condition",
                "'condition' and 'value' belong to the old preview form: write {\"claim\": ..., "
                "\"equals\": ...}");
}

static bool placeholder(const char *text) {
    return (strchr(text, '<') && strchr(text, '>')) || strstr(text, "${") || strstr(text, "{{");
}

static bool blank_around(const char *text) {
    size_t len = strlen(text);
    return len > 0 && (strchr(" \t\n\r", text[0]) || strchr(" \t\n\r", text[len - 1]));
}

void skrfs_lint_claim(struct lint *lint, const struct condition *claim) {
    const char *member = skrfs_lint_value_member(claim);
    const struct known_claim *known = skrfs_policy_known_claim(claim->claim);
    const char *near = known ? NULL : skrfs_policy_near_claim(claim->claim);
    bool inner = strncmp(claim->claim, INNER, strlen(INNER)) == 0;
    enum comparison comparison = claim->comparison;
    check_form(lint, claim);
    if (near)
        skrfs_lint_say(lint, WARN, "claim", "no token has this claim: did you mean '%s%s'?",
                inner ? INNER : "", near);
    else if (!known)
        skrfs_lint_say(lint, WARN, "claim",
                "no token of a known TEE has this claim: right only if the attestation service's "
                "own policy adds it");
    else if (skrfs_policy_claim_tokens(claim->claim) == 0)
        skrfs_lint_say(lint, WARN, "claim",
                "no token has this claim below x-ms-isolation-tee: did you mean '%s'?",
                claim->claim + strlen(INNER));
    if (placeholder(claim->value))
        skrfs_lint_say(lint, WARN, member, "looks like a placeholder that was not filled in");
    else if (blank_around(claim->value))
        skrfs_lint_say(lint, WARN, member, "has blanks around it, which are compared too");
    else if (comparison == COMPARE_EQUALS && known)
        check_value(lint, claim, known);
    else if (comparison != COMPARE_EQUALS && comparison != COMPARE_NOT_EQUALS &&
             comparison != COMPARE_EXISTS)
        check_order(lint, claim, known);
}
