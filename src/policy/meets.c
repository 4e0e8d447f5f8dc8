#include "known.h"

#include <errno.h>
#include <inttypes.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

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

bool skrfs_claim_text(const struct skrfs_json *value, struct skrfs_buf *out) {
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

static const char *digits(const char *text) {
    return text + strspn(text, "0123456789");
}

/* Text of a JSON number; leading zeros are let pass. */
bool skrfs_policy_is_number(const char *text) {
    const char *whole = text + (*text == '-'), *end = digits(whole);
    if (end == whole)
        return false;
    if (*end == '.') {
        const char *fraction = end + 1;
        end = digits(fraction);
        if (end == fraction)
            return false;
    }
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1 + (end[1] == '+' || end[1] == '-');
        end = digits(exponent);
        if (end == exponent)
            return false;
    }
    return *end == '\0';
}

static bool to_integer(const char *text, long long *ret_value) {
    char *end = NULL;
    errno = 0;
    *ret_value = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* -1, 0 or 1 into *ret_order; false when one of them is no number. */
static bool compare_numbers(const char *a, const char *b, int *ret_order) {
    long long left = 0, right = 0;
    if (!skrfs_policy_is_number(a) || !skrfs_policy_is_number(b))
        return false;
    if (to_integer(a, &left) && to_integer(b, &right)) {
        *ret_order = (left > right) - (left < right);
    } else {
        double x = strtod(a, NULL), y = strtod(b, NULL);
        *ret_order = (x > y) - (x < y);
    }
    return true;
}

static bool compare(enum comparison comparison, const char *actual, const char *wanted) {
    int order = 0;
    if (comparison == COMPARE_EQUALS)
        return strcmp(actual, wanted) == 0;
    if (comparison == COMPARE_NOT_EQUALS)
        return strcmp(actual, wanted) != 0;
    if (!compare_numbers(actual, wanted, &order))
        return false;
    switch (comparison) {
    case COMPARE_LESS:
        return order < 0;
    case COMPARE_LESS_OR_EQUALS:
        return order <= 0;
    case COMPARE_GREATER:
        return order > 0;
    case COMPARE_GREATER_OR_EQUALS:
        return order >= 0;
    default:
        return false;
    }
}

static bool claim_holds(const struct condition *condition, const struct skrfs_json *claims) {
    const struct skrfs_json *value = skrfs_claim(claims, condition->claim);
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX * 4);
    if (condition->comparison == COMPARE_EXISTS)
        return (value != NULL) == (strcmp(condition->value, "true") == 0);
    return value && skrfs_claim_text(value, &text) &&
           compare(condition->comparison, skrfs_buf_text(&text), condition->value);
}

bool skrfs_policy_holds(const struct condition *condition, const struct skrfs_json *claims) {
    if (condition->kind == CONDITION_CLAIM)
        return claim_holds(condition, claims);
    bool any = condition->kind == CONDITION_ANY;
    for (size_t i = 0; i < condition->count; i++)
        if (skrfs_policy_holds(&condition->children[i], claims) == any)
            return any;
    return !any;
}

/* Policies in the wild write the same authority with and without the slash, tokens without it. */
bool skrfs_policy_same_issuer(const char *authority, const char *issuer) {
    size_t a = strlen(authority), b = strlen(issuer);
    a -= a > 0 && authority[a - 1] == '/';
    b -= b > 0 && issuer[b - 1] == '/';
    return a > 0 && a == b && memcmp(authority, issuer, a) == 0;
}

bool skrfs_policy_meets(const struct skrfs_policy *policy, const struct skrfs_json *claims) {
    const char *issuer = skrfs_json_string(skrfs_json_get(claims, "iss"));
    for (size_t i = 0; issuer && i < policy->count; i++)
        if (skrfs_policy_same_issuer(policy->authorities[i].url, issuer) &&
                skrfs_policy_holds(&policy->authorities[i].root, claims))
            return true;
    return false;
}

bool skrfs_policy_elsewhere(
        const char *claim, const struct skrfs_json *claims, char *out, size_t size) {
    char other[SKRFS_CLAIM_MAX + sizeof(INNER)];
    if (strncmp(claim, INNER, strlen(INNER)) == 0)
        snprintf(other, sizeof(other), "%s", claim + strlen(INNER));
    else
        snprintf(other, sizeof(other), INNER "%s", claim);
    if (strlen(other) >= SKRFS_CLAIM_MAX || !skrfs_claim(claims, other))
        return false;
    skrfs_text_clean(other, strlen(other), out, size);
    return true;
}
