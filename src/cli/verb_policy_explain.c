#include "policy_input.h"

#include <stdio.h>
#include <string.h>

static int explain_run(const struct skrfs_call *call, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    struct skrfs_error unserved;
    const char *path = call->operands[0];
    bool import = false;
    if (policy_load(path, &policy, &import, err) < 0 || skrfs_policy_tell(policy, &out, err) < 0) {
        return -1;
    }
    if (import) {
        (void)fprintf(stderr, "%s %s; that policy:\n", policy_shown_path(path),
                skrfs_policy_kind_text(SKRFS_POLICY_KIND_IMPORT));
    }
    if (skrfs_policy_served(policy, &unserved) < 0) {
        (void)fprintf(stderr, "a vault would refuse it: %s\n", unserved.message);
    }
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
