/* Text that claims to be a release policy, and claims to hold against it: the part behind the first
 * NUL. */
#include <skrfs/policy/policy.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_finding(void *context, enum skrfs_finding_level level, unsigned line,
        unsigned column, const char *text) {
    (void)line;
    (void)column;
    ((size_t *)context)[level] += strlen(text) > 0;
}

/* What the nodes say together must be what the whole says. */
struct sum {
    bool met;
    size_t depth;
};

static void add_step(void *context, const struct skrfs_policy_step *step) {
    struct sum *sum = context;
    bool authority = step->kind == SKRFS_STEP_AUTHORITY;
    if (authority != (step->depth == 0) || step->depth > sum->depth + 1 ||
            (authority && step->holds && !step->issuer) ||
            (step->kind == SKRFS_STEP_CLAIM) != (step->wanted != NULL))
        abort();
    sum->depth = step->depth;
    sum->met = sum->met || (authority && step->holds);
}

static void judge(const struct skrfs_policy *policy, const struct skrfs_policy *again,
        const char *text, size_t len) {
    struct skrfs_error err;
    char said[512] = "";
    struct sum sum = {.met = false};
    skrfs_autojson *claims = NULL;
    if (skrfs_json_parse(text, len, SKRFS_POLICY_MAX, &claims, &err) < 0)
        return;
    bool met = skrfs_policy_meets(policy, claims);
    bool explained = skrfs_policy_explain(policy, claims, said, sizeof(said));
    if (explained == met || explained == (said[0] == '\0') ||
            met != skrfs_policy_meets(again, claims) ||
            met != skrfs_policy_test(policy, claims, add_step, &sum) || met != sum.met)
        abort();
}

/* Whatever was parsed can be told, and printed so that it parses again. */
static void use(const struct skrfs_policy *policy, const char *claims, size_t len) {
    struct skrfs_error err;
    skrfs_autobuf printed = SKRFS_BUF(SKRFS_POLICY_MAX * 16);
    skrfs_autobuf told = SKRFS_BUF(SKRFS_POLICY_MAX * 64);
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *again = NULL;
    if (skrfs_policy_print(policy, &printed, &err) < 0 ||
            skrfs_policy_tell(policy, &told, &err) < 0)
        abort();
    if (printed.len > SKRFS_POLICY_MAX)
        return;
    if (skrfs_policy_parse(skrfs_buf_text(&printed), printed.len, &again, &err) < 0)
        abort();
    if (claims)
        judge(policy, again, claims, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    const char *text = (const char *)data, *claims = end ? (const char *)end + 1 : NULL;
    size_t len = end ? (size_t)(end - data) : size, claims_len = end ? size - len - 1 : 0;
    size_t findings[SKRFS_FINDING_ERROR + 1] = {0};
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL, *import = NULL;
    bool taken = skrfs_policy_lint(text, len, count_finding, findings, &err) == 0;
    if (taken == (findings[SKRFS_FINDING_ERROR] > 0))
        abort(); /* refused without a word, or taken with an error */
    if (skrfs_policy_parse(text, len, &policy, &err) == 0) {
        if (taken && skrfs_policy_served(policy, &err) < 0)
            abort();
        use(policy, claims, claims_len);
    }
    if (skrfs_policy_parse_import(text, len, &import, &err) == 0)
        use(import, claims, claims_len);
    return 0;
}
