#include "login.h"

#include <string.h>

static const char *first(const char *a, const char *b, const char *c) {
    return a ? a : b ? b : c;
}

static int check_application(const struct skrfs_conf_vault *from,
        const struct skrfs_cloud_vault *to, struct skrfs_error *err) {
    if (!to->client)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "[vault %s] identity = %s needs the application's 'client', there or in [login], "
                "or AZURE_CLIENT_ID in the environment",
                from->name, from->identity);
    if (from->secret_variable && !to->secret)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "[vault %s] the client's secret is to be in %s in the environment, which is not "
                "set",
                from->name, from->secret_variable);
    if (to->identity != SKRFS_IDENTITY_WORKLOAD)
        return 0;
    if (!to->token_file)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "[vault %s] identity = workload needs [login] token-file, or "
                "AZURE_FEDERATED_TOKEN_FILE in the environment",
                from->name);
    if (to->token_file[0] != '/')
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "AZURE_FEDERATED_TOKEN_FILE in the environment is '%s', but a path from the root "
                "is wanted",
                to->token_file);
    return 0;
}

int network_application(const struct skrfs_conf *conf, const struct skrfs_conf_vault *from,
        const struct skrfs_network_environment *environment, struct skrfs_cloud_vault *to,
        struct skrfs_error *err) {
    if (skrfs_identity_is_managed(to->identity))
        return 0;
    to->tenant = first(from->tenant, conf->login.tenant, environment->tenant);
    to->client = first(from->client, conf->login.client, environment->client);
    if (from->secret_variable && environment->secret.len)
        to->secret = skrfs_buf_text(&environment->secret);
    if (to->identity == SKRFS_IDENTITY_WORKLOAD)
        to->token_file = first(conf->login.token_file, environment->token_file, NULL);
    return check_application(from, to, err);
}

static bool ends_with(const char *text, const char *suffix) {
    size_t len = strlen(text), suffix_len = strlen(suffix);

    return len > suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

static bool is_in(const struct skrfs_cloud_names *cloud, const char *host) {
    return ends_with(host, cloud->vault_suffix) || ends_with(host, cloud->hsm_suffix);
}

/* One cloud's authority does not know another's applications. */
static int check_cloud(const struct skrfs_conf *conf, const struct skrfs_network *network,
        const struct skrfs_cloud_names *cloud, struct skrfs_error *err) {
    static const char *const names[] = {"public", "china", "usgov"};

    for (size_t i = 0; i < conf->vault_count; i++) {
        const struct skrfs_conf_vault *vault = &conf->vaults[i];
        for (size_t j = 0; j < SKRFS_ARRAY_LEN(names); j++) {
            const struct skrfs_cloud_names *other = skrfs_cloud_by_name(names[j]);
            if (skrfs_identity_is_managed(network->vaults[i].identity) || other == cloud ||
                    !is_in(other, vault->host))
                continue;
            return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                    "[vault %s] is in the cloud '%s', but its application would log in to '%s': "
                    "say [login] cloud = %s",
                    vault->name, other->name, cloud->name, other->name);
        }
    }
    return 0;
}

/* The configured authority, the configured cloud's, the environment's, the public cloud's. */
static int choose_authority(
        const struct skrfs_conf *conf, struct skrfs_network *network, struct skrfs_error *err) {
    const char *name = conf->login.cloud ? conf->login.cloud : "public";
    const struct skrfs_cloud_names *cloud = skrfs_cloud_by_name(name);

    if (!cloud)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "[login] cloud: there is no cloud '%s'", name);
    network->login.authority = conf->login.authority;
    if (!network->login.authority && strcmp(name, "public") == 0)
        network->login.authority = network->environment.authority;
    if (network->login.authority)
        return 0;
    network->login.authority = cloud->authority;
    return check_cloud(conf, network, cloud, err);
}

/* As Azure's own libraries tell the platforms apart; a configured metadata service is the one that
 * is meant. */
static enum skrfs_managed detect(
        const struct skrfs_conf *conf, const struct skrfs_network_environment *environment) {
    if (conf->imds_url || !environment->identity_endpoint)
        return SKRFS_MANAGED_IMDS;
    if (environment->header.len)
        return SKRFS_MANAGED_APP_SERVICE;
    return environment->arc ? SKRFS_MANAGED_ARC : SKRFS_MANAGED_IMDS;
}

static enum skrfs_managed choose_managed(
        const struct skrfs_conf *conf, const struct skrfs_network_environment *environment) {
    const char *word = conf->login.managed ? conf->login.managed : "auto";

    if (strcmp(word, "imds") == 0)
        return SKRFS_MANAGED_IMDS;
    if (strcmp(word, "app-service") == 0)
        return SKRFS_MANAGED_APP_SERVICE;
    if (strcmp(word, "arc") == 0)
        return SKRFS_MANAGED_ARC;
    return detect(conf, environment);
}

static bool wants_managed(const struct skrfs_conf *conf, const struct skrfs_network *network) {
    for (size_t i = 0; i < conf->vault_count; i++)
        if (skrfs_identity_is_managed(network->vaults[i].identity))
            return true;
    return false;
}

static int check_endpoint(const struct skrfs_network *network, struct skrfs_error *err) {
    const char *endpoint = network->environment.identity_endpoint;
    bool app_service = network->login.managed == SKRFS_MANAGED_APP_SERVICE;

    if (network->login.managed == SKRFS_MANAGED_IMDS)
        return 0;
    if (!endpoint || (app_service && !network->environment.header.len))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "[login] managed = %s needs IDENTITY_ENDPOINT%s in the environment, as that "
                "platform sets it",
                app_service ? "app-service" : "arc", app_service ? " and IDENTITY_HEADER" : "");
    if (strncmp(endpoint, "http://", 7) != 0 && strncmp(endpoint, "https://", 8) != 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "IDENTITY_ENDPOINT in the environment is no http:// or https:// address");
    return 0;
}

int network_login(
        const struct skrfs_conf *conf, struct skrfs_network *network, struct skrfs_error *err) {
    const struct skrfs_network_environment *environment = &network->environment;

    network->login.managed = choose_managed(conf, environment);
    network->login.arc_dir = conf->login.arc_dir;
    network->login.endpoint = environment->identity_endpoint;
    if (environment->header.len)
        network->login.header = skrfs_buf_text(&environment->header);
    if (wants_managed(conf, network) && check_endpoint(network, err) < 0)
        return -1;
    return choose_authority(conf, network, err);
}
