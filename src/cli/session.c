#include "session.h"

#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>

void vault_session_done(struct vault_session *session) {
    if (session->open) {
        skrfs_network_done(&session->network);
    }
    if (session->conf) {
        skrfs_conf_free(session->conf);
    }
    *session = (struct vault_session){.conf = NULL};
}

int vault_session_open(const char *config, const char *vault, unsigned timeout_ms,
        struct vault_session *session, struct skrfs_error *err) {
    if (skrfs_conf_load(skrfs_config_path(config), &session->conf, err) < 0 ||
            skrfs_vault_pick(session->conf, vault, &session->vault, err) < 0) {
        return -1;
    }
    skrfs_lab_note(session->conf->lab_dir);
    if (skrfs_network_open(session->conf, &session->network, err) < 0) {
        return -1;
    }
    session->open = true;
    uint64_t wait_ns = timeout_ms ? timeout_ms * SKRFS_MILLISECOND_NS : session->conf->deadline_ns;
    session->deadline_ns = skrfs_now_ns() + wait_ns;
    return 0;
}

void kid_name(const char *kid, char *out, size_t size) {
    const char *name = strstr(kid, "/keys/");
    name = name ? name + 6 : kid;
    (void)snprintf(out, size, "%.*s", (int)strcspn(name, "/"), name);
}

int policy_read(const char *path, struct skrfs_buf *ret_policy, struct skrfs_error *err) {
    skrfs_autobuf findings = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    int result = skrfs_policy_file(path, &findings, ret_policy, err);
    (void)fputs(skrfs_buf_text(&findings), stderr);
    return result;
}
