#include <skrfs/base/file.h>
#include <skrfs/client/wiring.h>

#define CA_FILE_MAX ((size_t)1024 * 1024)

static int prepare_vault(const struct skrfs_conf_vault *from, struct skrfs_cloud_vault *to,
        struct skrfs_error *err) {
    char resource[256];

    if (skrfs_identity_parse(from->identity ? from->identity : "system", &to->identity,
                &to->identity_id, err) < 0)
        return skrfs_wrap(err, "[vault %s] identity", from->name);
    if (!from->resource && skrfs_vault_resource(from->host, resource, sizeof(resource), err) < 0)
        return skrfs_wrap(err, "[vault %s] url %s", from->name, from->url);
    to->name = from->name;
    to->url = from->url;
    to->resource = from->resource;
    return 0;
}

static int prepare(
        const struct skrfs_conf *conf, struct skrfs_network *network, struct skrfs_error *err) {
    if (conf->ca_file && skrfs_file_read(conf->ca_file, &network->ca_pem, err) < 0)
        return skrfs_wrap(err, "[network] ca-file");
    network->vaults = calloc(conf->vault_count ? conf->vault_count : 1, sizeof(*network->vaults));
    if (!network->vaults)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < conf->vault_count; i++)
        if (prepare_vault(&conf->vaults[i], &network->vaults[i], err) < 0)
            return -1;
    return 0;
}

int skrfs_network_prepare(
        const struct skrfs_conf *conf, struct skrfs_network *ret_network, struct skrfs_error *err) {
    struct skrfs_network network = {.ca_pem = SKRFS_BUF(CA_FILE_MAX)};

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
            .http = {.ca_pem = conf->ca_file ? skrfs_buf_text(&network->ca_pem) : NULL,
                    .proxy = conf->proxy,
                    .connect_timeout_ns = conf->connect_timeout_ns},
    };

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
}
