#include "login.h"

#include <skrfs/base/file.h>
#include <string.h>

#define CA_FILE_MAX ((size_t)1024 * 1024)

static int read_files(
        const struct skrfs_conf *conf, struct skrfs_network *network, struct skrfs_error *err) {
    if (conf->ca_file && skrfs_file_read(conf->ca_file, &network->ca_pem, err) < 0)
        return skrfs_wrap(err, "[network] ca-file");
    return 0;
}

static int prepare_vault(const struct skrfs_conf *conf, const struct skrfs_conf_vault *from,
        const struct skrfs_network_environment *environment, struct skrfs_cloud_vault *to,
        struct skrfs_error *err) {
    char resource[256];

    if (from->secret_variable)
        to->identity = SKRFS_IDENTITY_SECRET;
    else if (skrfs_identity_parse(from->identity ? from->identity : "system", &to->identity,
                     &to->identity_id, err) < 0)
        return skrfs_wrap(err, "[vault %s] identity", from->name);
    if (!from->resource && skrfs_vault_resource(from->host, resource, sizeof(resource), err) < 0)
        return skrfs_wrap(err, "[vault %s] url %s", from->name, from->url);
    to->name = from->name;
    to->url = from->url;
    to->resource = from->resource;
    return network_application(conf, from, environment, to, err);
}

static int prepare_vaults(
        const struct skrfs_conf *conf, struct skrfs_network *network, struct skrfs_error *err) {
    network->vaults = calloc(conf->vault_count ? conf->vault_count : 1, sizeof(*network->vaults));
    if (!network->vaults)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < conf->vault_count; i++)
        if (prepare_vault(conf, &conf->vaults[i], &network->environment, &network->vaults[i], err) <
                0)
            return -1;
    return 0;
}

static int prepare_certificates(
        const struct skrfs_conf *conf, struct skrfs_network *network, struct skrfs_error *err) {
    static const char blanks[] = " \t\n";
    const char *rest = conf->tee.certificates ? conf->tee.certificates : "";

    for (rest += strspn(rest, blanks); *rest; rest += strspn(rest, blanks)) {
        size_t len = strcspn(rest, blanks);
        if (network->certificate_count == SKRFS_CERTS_SOURCES ||
                !skrfs_cert_source_parse(
                        rest, len, &network->certificates[network->certificate_count++]))
            return skrfs_fail(
                    err, SKRFS_CLASS_CONFIG, "[tee] certificates: '%.*s'", (int)len, rest);
        rest += len;
    }
    return 0;
}

static int prepare(
        const struct skrfs_conf *conf, struct skrfs_network *network, struct skrfs_error *err) {
    if (read_files(conf, network, err) < 0 ||
            network_environment_read(conf, &network->environment, err) < 0 ||
            prepare_vaults(conf, network, err) < 0)
        return -1;
    return network_login(conf, network, err) < 0 || prepare_certificates(conf, network, err) < 0
                   ? -1
                   : 0;
}

int skrfs_network_prepare(
        const struct skrfs_conf *conf, struct skrfs_network *ret_network, struct skrfs_error *err) {
    struct skrfs_network network = {.ca_pem = SKRFS_BUF(CA_FILE_MAX)};

    network.environment.header = SKRFS_BUF(NETWORK_SECRET_MAX);
    network.environment.secret = SKRFS_BUF(NETWORK_SECRET_MAX);
    if (prepare(conf, &network, err) < 0) {
        skrfs_network_done(&network);
        return -1;
    }
    *ret_network = network;
    return 0;
}

int skrfs_network_start(
        const struct skrfs_conf *conf, struct skrfs_network *network, struct skrfs_error *err) {
    struct skrfs_cloud_options options = {
            .attestation_url = conf->attestation_url,
            .imds_url = conf->imds_url,
            .vaults = network->vaults,
            .vault_count = conf->vault_count,
            .login = network->login,
            .certificate_count = network->certificate_count,
            .cache_url = conf->tee.cache_url,
            .kds_url = conf->tee.kds_url,
            .http = {.ca_pem = conf->ca_file ? skrfs_buf_text(&network->ca_pem) : NULL,
                    .proxy = conf->proxy,
                    .connect_timeout_ns = conf->connect_timeout_ns},
    };

    memcpy(options.certificates, network->certificates, sizeof(options.certificates));
    return skrfs_cloud_new(&options, &network->cloud, err);
}

int skrfs_network_open(
        const struct skrfs_conf *conf, struct skrfs_network *ret_network, struct skrfs_error *err) {
    struct skrfs_network network;

    if (skrfs_network_prepare(conf, &network, err) < 0)
        return -1;
    if (skrfs_network_start(conf, &network, err) < 0) {
        skrfs_network_done(&network);
        return -1;
    }
    *ret_network = network;
    return 0;
}

void skrfs_network_done(struct skrfs_network *network) {
    skrfs_cloud_free(network->cloud);
    network->cloud = NULL;
    free(skrfs_take(network->vaults));
    skrfs_buf_done(&network->ca_pem);
    network_environment_done(&network->environment);
}

void skrfs_network_forget(struct skrfs_network *network) {
    skrfs_buf_done(&network->environment.header);
    skrfs_buf_done(&network->environment.secret);
    network->login.header = NULL;
}
