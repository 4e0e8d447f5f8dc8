#include "policy_input.h"

#include <stdio.h>

/* A reader who does not know JSON does not run lint. */
static void warn(void *context, enum skrfs_finding_level level, unsigned line, unsigned column,
        const char *text) {
    (void)context;
    (void)column;
    if (level == SKRFS_FINDING_WARNING) {
        (void)fprintf(stderr, "warning: line %u: %s\n", line, text);
    }
}

/* What is to be said of the policy besides its words. */
static void remarks_print(const char *path, const struct skrfs_policy *policy,
        const struct skrfs_buf *text, bool import) {
    struct skrfs_error err;
    if (import) {
        (void)fprintf(stderr, "%s %s; that policy:\n", policy_shown_path(path),
                skrfs_policy_kind_text(SKRFS_POLICY_KIND_IMPORT));
    }
    if (skrfs_policy_served(policy, &err) < 0) {
        (void)fprintf(stderr, "a vault would refuse it: %s\n", err.message);
    }
    (void)!skrfs_policy_lint(skrfs_buf_text(text), text->len, warn, NULL, &err);
}

static int explain_run(const struct skrfs_call *call, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX), out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    const char *path = call->operands[0];
    bool import = false;
    if (policy_load(path, &policy, &import, &text, err) < 0 ||
            skrfs_policy_tell(policy, &out, err) < 0) {
        return -1;
    }
    remarks_print(path, policy, &text, import);
    return skrfs_print(&out, err);
}

const struct skrfs_verb skrfs_verb_policy_explain = {
        .name = "policy explain",
        .summary = "tell in plain words to whom a policy releases a key",
        .operands = "FILE",
        .details =
                "Tells in plain words what a release policy asks of a machine; '-' reads standard "
                "input.",
        .page = "skrfs-policy(8)",
        .least = 1,
        .most = 1,
        .run = explain_run,
};
