/* What an authority's conditions come to together. Every condition restricts the kinds of tokens
 * that can meet it; an empty set is a policy that no machine meets. */
#include "lint.h"

#include <string.h>

#define WARN SKRFS_FINDING_WARNING

/* The tokens that can meet a condition; what could not be read restricts nothing. */
static unsigned tokens_of(const struct condition *condition) {
    if (condition->kind == CONDITION_CLAIM)
        return condition->claim && condition->value ? skrfs_policy_condition_tokens(condition)
                                                    : TOKEN_ANY;
    bool any = condition->kind == CONDITION_ANY;
    unsigned tokens = any ? 0 : TOKEN_ANY;
    for (size_t i = 0; i < condition->count; i++)
        tokens = any ? tokens | tokens_of(&condition->children[i])
                     : tokens & tokens_of(&condition->children[i]);
    return condition->count ? tokens : TOKEN_ANY;
}

static const char *tokens_text(unsigned tokens) {
    if ((tokens & (tokens - 1)) == 0)
        return skrfs_policy_token_text(tokens);
    if ((tokens & ~(unsigned)TOKEN_GUEST) == 0)
        return "a VM (type azurevm)";
    return "another kind of token";
}

/* A condition that excludes all the tokens that the others leave. */
static void say_excluded(struct lint *lint, const struct condition *condition, unsigned left) {
    if (condition->kind != CONDITION_CLAIM) {
        skrfs_lint_say(lint, WARN, NULL, "never holds: the conditions around it ask for %s",
                tokens_text(left));
        return;
    }
    const char *name = condition->claim;
    bool inner = strncmp(name, INNER, strlen(INNER)) == 0;
    unsigned own = skrfs_policy_claim_tokens(name);
    if (own & left)
        skrfs_lint_say(lint, WARN, skrfs_lint_value_member(condition),
                "never holds: the conditions around it ask for %s", tokens_text(left));
    else if (inner && left & TOKEN_DIRECT)
        skrfs_lint_say(lint, WARN, "claim",
                "never holds: the token of %s has no x-ms-isolation-tee: did you mean '%s'?",
                tokens_text(left), name + strlen(INNER));
    else if (!inner && left & (TOKEN_CVM_SNP | TOKEN_CVM_TDX) && own & (TOKEN_SNP | TOKEN_TDX))
        skrfs_lint_say(lint, WARN, "claim",
                "never holds: the token of %s has it below: did you mean '" INNER "%s'?",
                tokens_text(left), name);
    else
        skrfs_lint_say(lint, WARN, "claim", "never holds: the token of %s has no such claim",
                tokens_text(left));
}

/* `left`: the tokens that everything around the condition leaves; never empty. */
static void check_tokens(struct lint *lint, const struct condition *condition, unsigned left) {
    if (condition->kind == CONDITION_CLAIM || condition->count == 0)
        return;
    bool any = condition->kind == CONDITION_ANY;
    unsigned all = left & tokens_of(condition);
    size_t before = skrfs_path_member(lint->path, skrfs_policy_list_name(condition));
    for (size_t i = 0; i < condition->count; i++) {
        const struct condition *child = &condition->children[i];
        unsigned own = tokens_of(child);
        size_t outer = skrfs_path_element(lint->path, i);
        bool dead = own != 0 && (own & left) == 0; /* one that is 0 has its own finding */
        if (dead)
            say_excluded(lint, child, left);
        else if (any ? own & left : all)
            check_tokens(lint, child, any ? left & own : all);
        lint->path[outer] = '\0';
        if (dead && !any)
            break;
        if (!any && own)
            left &= own;
    }
    lint->path[before] = '\0';
}

/* The lists of which every member holds, from the inside out. */
struct frame {
    const struct condition *all;
    size_t upto; /* members that count */
    const struct frame *outer;
};

static bool is_fact(const struct condition *condition) {
    return condition->kind == CONDITION_CLAIM && condition->claim && condition->value &&
           condition->comparison == COMPARE_EQUALS;
}

static void check_fact(
        struct lint *lint, const struct condition *claim, const struct frame *frame) {
    const char *member = skrfs_lint_value_member(claim);
    for (; frame; frame = frame->outer) {
        for (size_t i = 0; i < frame->upto; i++) {
            const struct condition *fact = &frame->all->children[i];
            if (!is_fact(fact) || strcmp(fact->claim, claim->claim) != 0)
                continue;
            if (strcmp(fact->value, claim->value) != 0)
                skrfs_lint_say(lint, WARN, member,
                        "never holds: the same claim has to equal '%.80s' as well", fact->value);
            else
                skrfs_lint_say(lint, SKRFS_FINDING_NOTE, member, "is asked for twice");
            return;
        }
    }
}

static void check_facts(
        struct lint *lint, const struct condition *condition, const struct frame *outer) {
    if (condition->kind == CONDITION_CLAIM) {
        if (is_fact(condition))
            check_fact(lint, condition, outer);
        return;
    }
    /* A list of one is that one, whatever it is called. */
    bool all = condition->kind == CONDITION_ALL || condition->count == 1;
    size_t before = skrfs_path_member(lint->path, skrfs_policy_list_name(condition));
    for (size_t i = 0; i < condition->count; i++) {
        const struct condition *child = &condition->children[i];
        struct frame frame = {.all = condition,
                .upto = child->kind == CONDITION_CLAIM ? i : condition->count,
                .outer = outer};
        size_t back = skrfs_path_element(lint->path, i);
        check_facts(lint, child, all ? &frame : outer);
        lint->path[back] = '\0';
    }
    lint->path[before] = '\0';
}

typedef bool test_fn(const struct condition *claim, const struct known_claim *known);

/* Whether every token of this kind that meets the condition passes the test at some claim. */
static bool requires(const struct condition *condition, unsigned token, test_fn *test) {
    if (condition->kind == CONDITION_CLAIM) {
        if (!condition->claim || !condition->value)
            return true; /* refused already; nothing can be said of the rest */
        return skrfs_policy_claim_tokens(condition->claim) & token &&
               test(condition, skrfs_policy_known_claim(condition->claim));
    }
    bool any = condition->kind == CONDITION_ANY;
    for (size_t i = 0; i < condition->count; i++) {
        const struct condition *child = &condition->children[i];
        if (any && !(tokens_of(child) & token))
            continue;
        if (requires(child, token, test) != any)
            return !any;
    }
    return any;
}

static bool equals(const struct condition *claim, const char *value) {
    return claim->comparison == COMPARE_EQUALS && strcmp(claim->value, value) == 0;
}

static bool forbids_debugging(const struct condition *claim, const struct known_claim *known) {
    return known && known->role == ROLE_DEBUG &&
           (equals(claim, "false") ||
                   (claim->comparison == COMPARE_EQUALS &&
                           strncmp(claim->value, "disabled", strlen("disabled")) == 0));
}

static bool asks_status(const struct condition *claim, const struct known_claim *known) {
    return known && known->shape == SHAPE_STATUS && claim->comparison == COMPARE_EQUALS;
}

static bool asks_cvm(const struct condition *claim, const struct known_claim *known) {
    return asks_status(claim, known) && equals(claim, "azure-compliant-cvm");
}

/* A claim that nobody here knows is the attestation service's own policy's, and pins what it will.
 */
static bool pins_code(const struct condition *claim, const struct known_claim *known) {
    return claim->comparison == COMPARE_EQUALS &&
           (!known || known->role == ROLE_CODE || known->role == ROLE_INSTANCE);
}

static bool pins_guest(const struct condition *claim, const struct known_claim *known) {
    return pins_code(claim, known) ||
           (known && known->role == ROLE_SIGNER && claim->comparison == COMPARE_EQUALS);
}

static bool pins_product(const struct condition *claim, const struct known_claim *known) {
    return known && known->role == ROLE_PRODUCT && claim->comparison == COMPARE_EQUALS;
}

static bool pins_choice(const struct condition *claim, const struct known_claim *known) {
    return known && known->role == ROLE_CHOICE && claim->comparison == COMPARE_EQUALS;
}

/* Every virtual machine's token, confidential or not, is of type azurevm. */
static bool pins_anything(const struct condition *claim, const struct known_claim *known) {
    return pins_guest(claim, known) || pins_choice(claim, known) ||
           (known && known->role == ROLE_TEE && !equals(claim, "azurevm"));
}

static const char *debug_claim(unsigned token) {
    switch (token) {
    case TOKEN_SNP:
        return "x-ms-sevsnpvm-is-debuggable";
    case TOKEN_TDX:
        return "tdx_td_attributes_debug";
    case TOKEN_SGX:
        return "x-ms-sgx-is-debuggable";
    case TOKEN_CVM_SNP:
        return INNER "x-ms-sevsnpvm-is-debuggable";
    default:
        return INNER "tdx_td_attributes_debug";
    }
}

static bool is_cvm(unsigned token) {
    return token & (TOKEN_CVM_SNP | TOKEN_CVM_TDX);
}

static void check_debugging(struct lint *lint, const struct condition *root, unsigned token) {
    /* As the published policies of confidential VMs, which leave it to the status. */
    if (requires(root, token, forbids_debugging) ||
            (is_cvm(token) && requires(root, token, asks_status)))
        return;
    skrfs_lint_say(lint, WARN, "authority",
            "%s that can be debugged meets the policy: ask for %s = false",
            skrfs_policy_token_text(token), debug_claim(token));
}

static void check_enclave(struct lint *lint, const struct condition *root) {
    if (requires(root, TOKEN_SGX, pins_code))
        return;
    if (!requires(root, TOKEN_SGX, pins_guest))
        skrfs_lint_say(lint, WARN, "authority",
                "any enclave meets the policy, whoever wrote it: ask for x-ms-sgx-mrenclave, or "
                "x-ms-sgx-mrsigner and x-ms-sgx-product-id");
    else if (!requires(root, TOKEN_SGX, pins_product))
        skrfs_lint_say(lint, WARN, "authority",
                "any enclave of that signer meets the policy: ask for x-ms-sgx-product-id too");
}

static void check_guest(struct lint *lint, const struct condition *root, unsigned token) {
    bool verdict = requires(root, token, asks_status), choice = requires(root, token, pins_choice);
    if (requires(root, token, pins_guest) || requires(root, token, asks_cvm) || (verdict && choice))
        return;
    if (token & TOKEN_SNP && choice)
        skrfs_lint_say(lint, WARN, "authority",
                "the host data means nothing without what is to heed it: ask for "
                "x-ms-compliance-status = azure-compliant-uvm, or x-ms-sevsnpvm-launchmeasurement");
    else if (token == TOKEN_SNP)
        skrfs_lint_say(lint, WARN, "authority",
                "any container group or SNP guest meets the policy, whatever runs in it: ask for "
                "x-ms-sevsnpvm-hostdata or x-ms-sevsnpvm-launchmeasurement");
    else if (token == TOKEN_TDX)
        skrfs_lint_say(lint, WARN, "authority",
                "any trust domain meets the policy, whatever runs in it: ask for tdx_mrtd or an "
                "rtmr");
    else if (!verdict)
        skrfs_lint_say(lint, WARN, "authority",
                "does not ask for Azure's verdict: ask for " INNER
                "x-ms-compliance-status = azure-compliant-cvm");
}

void skrfs_lint_authority(struct lint *lint, const struct authority *authority) {
    const struct condition *root = &authority->root;
    unsigned tokens = tokens_of(root);
    check_tokens(lint, root, TOKEN_ANY);
    check_facts(lint, root, NULL);
    if (tokens == 0)
        return;
    if (!requires(root, TOKEN_ANY, pins_anything)) {
        skrfs_lint_say(lint, WARN, "authority",
                "any guest that this authority attests meets the policy: ask for a TEE, e.g. "
                "x-ms-isolation-tee.x-ms-compliance-status");
        return;
    }
    /* Without a TEE's name the conditions are the attestation service's own: nothing to compare. */
    if (tokens & TOKEN_VM)
        return;
    for (unsigned token = 1; token < TOKEN_VM; token <<= 1) {
        if (!(tokens & token))
            continue;
        check_debugging(lint, root, token);
        if (token == TOKEN_SGX)
            check_enclave(lint, root);
        else
            check_guest(lint, root, token);
    }
}
