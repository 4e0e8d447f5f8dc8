#include "room.h"

#include <skrfs/base/clock.h>
#include <string.h>

#define LONGEST_WAIT_NS (3600 * SKRFS_SECOND_NS)

static int take_wait(const struct value *value, uint64_t *ns, struct skrfs_error *err) {
    if (conf_take_duration(value, ns, err))
        return -1;
    if (value && (!*ns || *ns > LONGEST_WAIT_NS))
        return conf_fail_at(err, &value->place, "'%s' is at least 1s and at most 1h", value->name);
    return 0;
}

static int take_network(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err) {
    const struct section *section = raw_find(raw, SECTION_NETWORK, "");
    conf->connect_timeout_ns = 5 * SKRFS_SECOND_NS;
    conf->deadline_ns = 30 * SKRFS_SECOND_NS;
    if (conf_take_path(raw_get(section, "ca-file"), &conf->ca_file, err) ||
            conf_take_proxy(raw_get(section, "proxy"), &conf->proxy, err))
        return -1;
    if (take_wait(raw_get(section, "connect-timeout"), &conf->connect_timeout_ns, err) ||
            take_wait(raw_get(section, "deadline"), &conf->deadline_ns, err))
        return -1;
    return 0;
}

static int take_event_log(const struct value *value, char **ret_path, struct skrfs_error *err) {
    if (value && strcmp(value->text, "none") == 0)
        return conf_take_text(value, ret_path, err);
    return conf_take_path(value, ret_path, err);
}

static int take_machine(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err) {
    const struct section *imds = raw_find(raw, SECTION_IMDS, "");
    const struct section *tpm = raw_find(raw, SECTION_TPM, "");
    const struct section *mount = raw_find(raw, SECTION_MOUNT, "");
    const struct section *lab = raw_find(raw, SECTION_LAB, "");
    conf->allow_other = conf->owner == 0;
    if (conf_take_imds(raw_get(imds, "url"), &conf->imds_url, err) ||
            conf_take_text(raw_get(tpm, "tcti"), &conf->tcti, err) ||
            take_event_log(raw_get(tpm, "event-log"), &conf->event_log, err))
        return -1;
    if (conf_take_path(raw_get(mount, "path"), &conf->mount_path, err) ||
            conf_take_bool(raw_get(mount, "allow-other"), &conf->allow_other, err) ||
            conf_take_path(raw_get(lab, "dir"), &conf->lab_dir, err))
        return -1;
    return 0;
}

static int take_vaults(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err) {
    conf->vaults = calloc(raw->counts[SECTION_VAULT] + 1, sizeof(*conf->vaults));
    if (!conf->vaults)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < raw->section_count; i++) {
        const struct section *section = raw->sections[i];
        if (section->kind != SECTION_VAULT)
            continue;
        if (conf->vault_count == SKRFS_CONF_VAULTS_MAX)
            return conf_fail_at(err, &section->place, "more than %d vaults", SKRFS_CONF_VAULTS_MAX);
        if (conf_take_vault(section, &conf->vaults[conf->vault_count++], err))
            return -1;
    }
    return 0;
}

/* What no key can do without. */
static int check_for_keys(
        const struct section *first, const struct skrfs_conf *conf, struct skrfs_error *err) {
    if (!conf->attestation_url)
        return conf_fail_at(err, &first->place,
                "for keys, [attestation] needs a 'url', such as "
                "https://sharedweu.weu.attest.azure.net");
    if (!conf->vault_count)
        return conf_fail_at(err, &first->place, "for keys, a [vault NAME] is needed");
    return 0;
}

static int take_keys(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err) {
    struct names_memo memo;
    struct skrfs_names names;
    names_use(&names, &memo);
    conf->keys = calloc(raw->counts[SECTION_KEY] + 1, sizeof(*conf->keys));
    if (!conf->keys)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < raw->section_count; i++) {
        const struct section *section = raw->sections[i];
        if (section->kind != SECTION_KEY)
            continue;
        if (!conf->key_count && check_for_keys(section, conf, err))
            return -1;
        if (conf->key_count == SKRFS_CONF_KEYS_MAX)
            return conf_fail_at(err, &section->place, "more than %d keys", SKRFS_CONF_KEYS_MAX);
        if (conf_take_key(section, conf, &names, &conf->keys[conf->key_count++], err))
            return -1;
    }
    return 0;
}

int conf_build(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err) {
    const struct section *attestation = raw_find(raw, SECTION_ATTESTATION, "");
    if (conf_take_https(raw_get(attestation, "url"), &conf->attestation_url, NULL, err) ||
            take_network(raw, conf, err) || take_machine(raw, conf, err) ||
            conf_take_login(raw, conf, err) || conf_take_tee(raw, conf, err) ||
            conf_take_audit(raw, conf, err))
        return -1;
    if (take_vaults(raw, conf, err) || conf_check_login(raw, conf, err) ||
            take_keys(raw, conf, err))
        return -1;
    return 0;
}

static void vault_done(struct skrfs_conf_vault *vault) {
    free(vault->name);
    free(vault->url);
    free(vault->host);
    free(vault->identity);
    free(vault->resource);
    free(vault->tenant);
    free(vault->client);
    free(vault->secret_variable);
}

static void key_done(struct skrfs_conf_key *key) {
    free(key->file);
    free(key->name);
    free(key->version);
    free(key->enc);
    skrfs_rules_done(&key->guard.allow);
    skrfs_rules_done(&key->guard.deny);
    skrfs_limits_done(&key->limits);
}

static void login_done(struct skrfs_conf *conf) {
    free(conf->login.cloud);
    free(conf->login.authority);
    free(conf->login.tenant);
    free(conf->login.client);
    free(conf->login.token_file);
    free(conf->login.managed);
    free(conf->login.arc_dir);
}

static void tee_done(struct skrfs_conf *conf) {
    free(conf->tee.kind);
    free(conf->tee.tsm);
    free(conf->tee.device);
    free(conf->tee.attestation);
    free(conf->tee.context);
    free(conf->tee.certificates_file);
    free(conf->tee.init_data);
    free(conf->tee.certificates);
    free(conf->tee.cache_url);
    free(conf->tee.kds_url);
}

void skrfs_conf_free(struct skrfs_conf *conf) {
    if (!conf)
        return;
    for (size_t i = 0; i < conf->vault_count; i++)
        vault_done(&conf->vaults[i]);
    for (size_t i = 0; i < conf->key_count; i++)
        key_done(&conf->keys[i]);
    login_done(conf);
    tee_done(conf);
    free(conf->vaults);
    free(conf->keys);
    free(conf->attestation_url);
    free(conf->ca_file);
    free(conf->proxy);
    free(conf->imds_url);
    free(conf->tcti);
    free(conf->event_log);
    free(conf->mount_path);
    free(conf->lab_dir);
    free(conf->audit.file);
    free(conf->source);
    free(conf);
}
