/* How to log in. What it takes from the environment is not known here, and so neither whether it is
 * enough. */
#include "room.h"

#include <string.h>

static const char *const clouds[] = {"public", "china", "usgov", NULL};
static const char *const endpoints[] = {"auto", "imds", "app-service", "arc", NULL};

int conf_take_login(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err) {
    const struct section *section = raw_find(raw, SECTION_LOGIN, "");
    conf->login.cloud = strdup("public");
    conf->login.managed = strdup("auto");
    if (!conf->login.cloud || !conf->login.managed)
        return skrfs_fail_memory(err);
    if (conf_take_word(raw_get(section, "cloud"), clouds, &conf->login.cloud, err) ||
            conf_take_word(raw_get(section, "managed"), endpoints, &conf->login.managed, err) ||
            conf_take_https(raw_get(section, "authority"), &conf->login.authority, NULL, err))
        return -1;
    if (conf_take_id(raw_get(section, "tenant"), &conf->login.tenant, err) ||
            conf_take_id(raw_get(section, "client"), &conf->login.client, err) ||
            conf_take_path(raw_get(section, "token-file"), &conf->login.token_file, err) ||
            conf_take_path(raw_get(section, "arc-dir"), &conf->login.arc_dir, err))
        return -1;
    return 0;
}

/* The Arc agent has one identity: the machine's. */
static int check_arc(const struct raw *raw, const struct skrfs_conf_vault *vault,
        const struct value *managed, struct skrfs_error *err) {
    const struct value *identity = raw_get(raw_find(raw, SECTION_VAULT, vault->name), "identity");
    if (!identity || strcmp(identity->text, "system") == 0 ||
            !conf_identity_is_managed(identity->text))
        return 0;
    return conf_fail_at(err, &identity->place,
            "Azure Arc, which [login] managed (line %u) says, has the machine's own identity "
            "alone: identity = system",
            managed->place.line);
}

int conf_check_login(
        const struct raw *raw, const struct skrfs_conf *conf, struct skrfs_error *err) {
    const struct section *section = raw_find(raw, SECTION_LOGIN, "");
    const struct value *managed = raw_get(section, "managed");
    const struct value *token_file = raw_get(section, "token-file");
    bool workload = false;
    for (size_t i = 0; i < conf->vault_count; i++) {
        const struct skrfs_conf_vault *vault = &conf->vaults[i];
        workload = workload || strcmp(vault->identity, "workload") == 0;
        if (managed && strcmp(managed->text, "arc") == 0 && check_arc(raw, vault, managed, err))
            return -1;
    }
    if (token_file && conf->vault_count && !workload)
        return conf_fail_at(err, &token_file->place,
                "'token-file' is for identity = workload, which no [vault] says");
    return 0;
}
