/* A policy in words. */
#include "known.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX 201
#define INDENT 3

struct teller {
    struct skrfs_buf *out;
    struct skrfs_error *err;
};

static bool same_condition(const struct condition *a, const struct condition *b) {
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == CONDITION_CLAIM)
        return a->comparison == b->comparison && strcmp(a->claim, b->claim) == 0 &&
               strcmp(a->value, b->value) == 0;
    for (size_t i = 0; i < a->count; i++)
        if (!same_condition(&a->children[i], &b->children[i]))
            return false;
    return true;
}

/* What a claim of a fixed set of values says, NULL for any other. */
static const char *fixed_words(const char *name, const char *value) {
    static const struct {
        const char *name, *value, *words;
    } fixed[] = {
            {"x-ms-attestation-type", "sevsnpvm", "it runs inside AMD SEV-SNP"},
            {"x-ms-attestation-type", "tdxvm", "it runs inside Intel TDX"},
            {"x-ms-attestation-type", "sgx", "it is an Intel SGX enclave"},
            {"x-ms-attestation-type", "azurevm", "it is a virtual machine, confidential or not"},
            {"x-ms-compliance-status", "azure-compliant-cvm",
                    "Azure vouches for it as a confidential virtual machine"},
            {"x-ms-compliance-status", "azure-compliant-uvm",
                    "Azure vouches for it as a host of confidential containers"},
            {"dbgstat", "disabled", "the host cannot debug it"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(fixed); i++)
        if (strcmp(fixed[i].name, name) == 0 && strcmp(fixed[i].value, value) == 0)
            return fixed[i].words;
    return NULL;
}

/* "yes|no": the half that a boolean's value says, with its length. */
static const char *half(const char *words, const char *value, int *ret_len) {
    const char *bar = strchr(words, '|');
    if (!bar)
        return NULL;
    if (strcmp(value, "true") == 0) {
        *ret_len = (int)(bar - words);
        return words;
    }
    *ret_len = (int)strlen(bar + 1);
    return strcmp(value, "false") == 0 ? bar + 1 : NULL;
}

static int tell_equals(struct teller *teller, const struct condition *claim,
        const struct known_claim *known, const char *name, const char *value) {
    int len = 0;
    const char *bare = claim->claim;
    if (strncmp(bare, INNER, strlen(INNER)) == 0)
        bare += strlen(INNER);
    const char *fixed = fixed_words(bare, claim->value);
    const char *words = known ? known->words : NULL;
    bool boolean = words && known->shape == SHAPE_BOOLEAN;
    const char *said = boolean ? half(words, claim->value, &len) : NULL;
    if (fixed)
        return skrfs_buf_printf(teller->out, teller->err, "%s", fixed);
    if (said)
        return skrfs_buf_printf(teller->out, teller->err, "%.*s", len, said);
    if (words && !boolean)
        return skrfs_buf_printf(teller->out, teller->err, "%s is %s", words, value);
    return skrfs_buf_printf(teller->out, teller->err, "its claim %s is %s", name, value);
}

static int tell_other(struct teller *teller, const struct condition *claim,
        const struct known_claim *known, const char *name) {
    char wish[VALUE_MAX + 32];
    bool noun = known && known->words && known->shape != SHAPE_BOOLEAN;
    skrfs_policy_wish_text(claim, wish, sizeof(wish));
    const char *subject = noun ? known->words : "its claim";
    if (claim->comparison == COMPARE_EXISTS)
        return skrfs_buf_printf(teller->out, teller->err, "its token says %s %s",
                strcmp(claim->value, "true") == 0 ? "anything in" : "nothing in", name);
    return skrfs_buf_printf(teller->out, teller->err, "%s%s%s is %s", subject, noun ? "" : " ",
            noun ? "" : name, wish);
}

static int tell_claim(struct teller *teller, const struct condition *claim) {
    char name[SKRFS_CLAIM_MAX], value[VALUE_MAX];
    const struct known_claim *known = skrfs_policy_known_claim(claim->claim);
    skrfs_text_clean(claim->claim, strlen(claim->claim), name, sizeof(name));
    skrfs_text_clean(claim->value, strlen(claim->value), value, sizeof(value));
    int result = claim->comparison == COMPARE_EQUALS
                         ? tell_equals(teller, claim, known, name, value)
                         : tell_other(teller, claim, known, name);
    if (result < 0)
        return -1;
    return skrfs_buf_printf(teller->out, teller->err, "\n");
}

/* The claim itself, for who knows the JSON: on the line below its words. */
static int tell_source(struct teller *teller, const struct condition *claim, unsigned indent) {
    char name[SKRFS_CLAIM_MAX];
    skrfs_text_clean(claim->claim, strlen(claim->claim), name, sizeof(name));
    return skrfs_buf_printf(teller->out, teller->err, "%*s[%s]\n", (int)indent, "", name);
}

static int tell_list(struct teller *teller, const struct condition *list, unsigned indent);

static int tell_condition(
        struct teller *teller, const struct condition *condition, unsigned indent) {
    /* A list of one says no more than its member. */
    while (condition->kind != CONDITION_CLAIM && condition->count == 1)
        condition = &condition->children[0];
    if (skrfs_buf_printf(teller->out, teller->err, "%*s- ", (int)indent, "") < 0)
        return -1;
    if (condition->kind == CONDITION_CLAIM)
        return tell_claim(teller, condition) < 0 ? -1 : tell_source(teller, condition, indent + 2);
    if (skrfs_buf_printf(teller->out, teller->err, "%s\n",
                condition->kind == CONDITION_ANY ? "at least one of these is so:"
                                                 : "all of these are so:") < 0)
        return -1;
    return tell_list(teller, condition, indent + INDENT);
}

static int tell_list(struct teller *teller, const struct condition *list, unsigned indent) {
    for (size_t i = 0; i < list->count; i++)
        if (tell_condition(teller, &list->children[i], indent) < 0)
            return -1;
    return 0;
}

static int tell_url(struct teller *teller, const char *url) {
    char shown[VALUE_MAX], place[128];
    skrfs_text_clean(url, strlen(url), shown, sizeof(shown));
    const char *text = skrfs_policy_host_text(url, place, sizeof(place));
    return skrfs_buf_printf(teller->out, teller->err, "   %s%s%s%s\n", shown, text ? " (" : "",
            text ? text : "", text ? ")" : "");
}

/* The authorities with the conditions of the one at `first`, then these conditions. */
static int tell_group(
        struct teller *teller, const struct skrfs_policy *policy, size_t first, const char *lead) {
    const struct condition *root = &policy->authorities[first].root;
    size_t count = 0;
    for (size_t i = first; i < policy->count; i++)
        count += same_condition(root, &policy->authorities[i].root);
    if (skrfs_buf_printf(teller->out, teller->err, "%s%s says of the machine what stands below:\n",
                lead,
                count > 1 ? "any of these attestation services" : "this attestation service") < 0)
        return -1;
    for (size_t i = first; i < policy->count; i++)
        if (same_condition(root, &policy->authorities[i].root) &&
                tell_url(teller, policy->authorities[i].url) < 0)
            return -1;
    bool one = root->count == 1;
    if (skrfs_buf_printf(teller->out, teller->err, "%s\n",
                one                           ? "The statement:"
                : root->kind == CONDITION_ANY ? "At least one of these statements:"
                                              : "All of these statements:") < 0)
        return -1;
    return tell_list(teller, root, INDENT);
}

static bool told_before(const struct skrfs_policy *policy, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (same_condition(&policy->authorities[i].root, &policy->authorities[index].root))
            return true;
    return false;
}

int skrfs_policy_tell(
        const struct skrfs_policy *policy, struct skrfs_buf *out, struct skrfs_error *err) {
    struct teller teller = {.out = out, .err = err};
    for (size_t i = 0; i < policy->count; i++) {
        if (told_before(policy, i))
            continue;
        if (i > 0 && skrfs_buf_append_text(out, "\n", err) < 0)
            return -1;
        if (tell_group(&teller, policy, i,
                    i == 0 ? "A key under this policy is released when " : "Or when ") < 0)
            return -1;
    }
    return 0;
}
