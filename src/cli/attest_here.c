#include "verbs.h"

#include <skrfs/skrfs.h>

SKRFS_DEFINE_CLEANUP(struct skrfs_client, skrfs_client_free)

int skrfs_attest_here(
        const char *config, unsigned timeout_ms, char **ret_token, struct skrfs_error *err) {
    const char *path = skrfs_config_path(config);
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    SKRFS_CLEANUP(skrfs_client_free_p) struct skrfs_client *client = NULL;
    if (skrfs_conf_load(path, &conf, err) < 0) {
        return -1;
    }
    skrfs_lab_note(conf->lab_dir);
    struct skrfs_progress *progress = skrfs_progress_start("attesting this machine");
    int result = skrfs_client_new(path, &client, err) < 0
                         ? -1
                         : skrfs_client_attest(client, timeout_ms, ret_token, err);
    skrfs_progress_stop(progress);
    return result;
}
