/* The verbs, one file each. */
#ifndef SKRFS_SRC_CLI_VERBS_H
#define SKRFS_SRC_CLI_VERBS_H

#include <skrfs/cli/helper.h>
#include <skrfs/cli/output.h>
#include <skrfs/cli/place.h>
#include <skrfs/cli/verb.h>

extern const struct skrfs_verb skrfs_verb_mount, skrfs_verb_get, skrfs_verb_attest,
        skrfs_verb_doctor, skrfs_verb_status, skrfs_verb_why, skrfs_verb_wipe, skrfs_verb_receipt,
        skrfs_verb_audit_verify, skrfs_verb_audit_show, skrfs_verb_renew, skrfs_verb_can,
        skrfs_verb_lint, skrfs_verb_learn, skrfs_verb_key_create, skrfs_verb_key_import,
        skrfs_verb_key_rotate, skrfs_verb_key_policy, skrfs_verb_key_show, skrfs_verb_key_list,
        skrfs_verb_policy_new, skrfs_verb_policy_lint, skrfs_verb_policy_explain,
        skrfs_verb_policy_test, skrfs_verb_lab_up, skrfs_verb_lab_down;

#define SKRFS_HELP_CONFIG "configuration (default: $SKRFS_CONFIG, then " SKRFS_CONF_PATH ")"

/* Attests this machine as the configuration says (`config` as given on the command line), with
 * progress on a terminal. *ret_token goes to skrfs_token_free. */
int skrfs_attest_here(const char *config, unsigned timeout_ms, char **ret_token,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Reads a policy file ("-": stdin), tells lint's findings through `out` as "file:line:column:
 * level: text" lines, and appends the policy without comments to `ret_policy` (may be NULL). CONFIG
 * when a vault would not take it. */
int skrfs_policy_file(const char *path, struct skrfs_buf *out, struct skrfs_buf *ret_policy,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Says what a system call's failure at a file below status/ of `mount` means there: NOT_FOUND when
 * nothing is mounted, DENIED for another user. Returns -1. */
int skrfs_status_failed(const char *mount, struct skrfs_error *err);

/* Options of the verbs that command a running mount. */
struct skrfs_command_options {
    const char *config;
    bool all;
};
/* "VERB NAME [MOUNT]" or "VERB --all [MOUNT]" by an ioctl of fs/fs.h. */
int skrfs_key_command(const struct skrfs_call *call, const struct skrfs_command_options *options,
        unsigned long request, const char *verb, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Reads status/status.json of a mount. */
int skrfs_status_read(
        const char *mount, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the path of a mounted key's status file; NOT_FOUND with the nearest name when there is
 * none. */
int skrfs_why_path(const char *mount, const char *name, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
