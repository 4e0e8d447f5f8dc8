/* Text that claims to be a release policy, and claims to hold against it: the part behind the first
 * NUL. */
#include <skrfs/policy/policy.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *context, enum skrfs_finding_level level, unsigned line, unsigned column,
        const char *text) {
    (void)level;
    (void)line;
    (void)column;
    *(size_t *)context += strlen(text);
}

static void judge(const struct skrfs_policy *policy, const char *text, size_t len) {
    struct skrfs_error err;
    char said[512] = "";
    skrfs_autojson *claims = NULL;
    if (skrfs_json_parse(text, len, SKRFS_POLICY_MAX, &claims, &err) < 0)
        return;
    bool explained = skrfs_policy_explain(policy, claims, said, sizeof(said));
    if (explained == skrfs_policy_meets(policy, claims) || explained == (said[0] == '\0'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t len = end ? (size_t)(end - data) : size, told = 0;
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    if (skrfs_policy_lint((const char *)data, len, ignore, &told, &err) < 0 && told == 0)
        abort(); /* refused without a word */
    if (skrfs_policy_parse((const char *)data, len, &policy, &err) < 0)
        return 0;
    skrfs_autobuf printed = SKRFS_BUF(SKRFS_POLICY_MAX * 8);
    if (skrfs_policy_print(policy, &printed, &err) < 0)
        abort();
    if (end)
        judge(policy, (const char *)end + 1, size - len - 1);
    return 0;
}
