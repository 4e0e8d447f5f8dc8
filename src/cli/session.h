/* A vault of the configuration, opened for a verb that speaks to it. */
#ifndef SKRFS_SRC_CLI_SESSION_H
#define SKRFS_SRC_CLI_SESSION_H

#include "verbs.h"

#include <skrfs/azure/cloud.h>
#include <skrfs/client/wiring.h>

struct vault_session {
    struct skrfs_conf *conf;
    struct skrfs_network network;
    bool open;
    size_t vault;
    uint64_t deadline_ns;
};

/* Reads the configuration and picks the vault; no connection yet. `session` begins zeroed and is
 * done by the caller also after a failure. */
int vault_session_open(const char *config, const char *vault, unsigned timeout_ms,
        struct vault_session *session, struct skrfs_error *err) SKRFS_MUST_CHECK;
void vault_session_done(struct vault_session *session);
#define auto_vault_session SKRFS_CLEANUP(vault_session_done) struct vault_session

/* The release policy in a file ("-": standard input) without its comments, into `ret_policy`; what
 * lint finds in it is told on standard error. CONFIG when a vault would not take it. */
int policy_read(
        const char *path, struct skrfs_buf *ret_policy, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The name that a key identifier (https://host/keys/NAME[/VERSION]) names, into `out`. */
void kid_name(const char *kid, char *out, size_t size);

#endif
