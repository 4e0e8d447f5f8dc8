#include <skrfs/base/clock.h>
#include <skrfs/client/wiring.h>
#include <skrfs/skrfs.h>
#include <string.h>

struct skrfs_client {
    struct skrfs_conf *conf;
    struct skrfs_network network;
    struct skrfs_courier *courier;
    struct skrfs_keyside keyside;
};

/* On failure the parts made so far are left for skrfs_client_free. */
static int client_open(struct skrfs_client *client, struct skrfs_error *err) {
    if (skrfs_crypto_setup(err) < 0 ||
            skrfs_network_open(client->conf, &client->network, err) < 0 ||
            skrfs_courier_direct(client->network.cloud, &client->courier, err) < 0)
        return -1;
    return skrfs_keyside_open(client->conf, NULL, client->courier, &client->keyside, err);
}

int skrfs_client_open(
        struct skrfs_conf *conf, struct skrfs_client **ret_client, struct skrfs_error *err) {
    struct skrfs_client *client = calloc(1, sizeof(*client));

    if (!client) {
        skrfs_conf_free(conf);
        return skrfs_fail_memory(err);
    }
    client->conf = conf;
    if (client_open(client, err) < 0) {
        skrfs_client_free(client);
        return -1;
    }
    *ret_client = client;
    return 0;
}

int skrfs_client_new(
        const char *config_path, struct skrfs_client **ret_client, struct skrfs_error *err) {
    struct skrfs_conf *conf;

    /* Before a digest is made of the configuration. */
    if (skrfs_crypto_setup(err) < 0 || skrfs_conf_load(config_path, &conf, err) < 0)
        return -1;
    return skrfs_client_open(conf, ret_client, err);
}

void skrfs_client_free(struct skrfs_client *client) {
    if (!client)
        return;
    if (client->keyside.conf)
        skrfs_keyside_done(&client->keyside);
    skrfs_courier_close(client->courier);
    skrfs_network_done(&client->network);
    skrfs_conf_free(client->conf);
    free(client);
}

static uint64_t deadline(const struct skrfs_client *client, unsigned timeout_ms) {
    return skrfs_now_ns() +
           (timeout_ms ? timeout_ms * SKRFS_MILLISECOND_NS : client->conf->deadline_ns);
}

int skrfs_client_attest(struct skrfs_client *client, unsigned timeout_ms, char **ret_token,
        struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_TOKEN_MAX);

    if (skrfs_release_token(
                client->keyside.release, deadline(client, timeout_ms), NULL, &text, err) < 0)
        return -1;
    char *token = strdup(skrfs_buf_text(&text));
    if (!token)
        return skrfs_fail_memory(err);
    *ret_token = token;
    return 0;
}

void skrfs_token_free(char *token) {
    if (!token)
        return;
    skrfs_wipe(token, strlen(token));
    free(token);
}

static int find_key(
        const struct skrfs_conf *conf, const char *name, size_t *ret_key, struct skrfs_error *err) {
    for (size_t i = 0; i < conf->key_count; i++)
        if (strcmp(conf->keys[i].file, name) == 0) {
            *ret_key = i;
            return 0;
        }
    return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "no section [key %s] in %s", name, conf->source);
}

static int get(struct skrfs_client *client, size_t key, const char *version, int format,
        uint64_t deadline_ns, struct skrfs_secret **ret_secret, struct skrfs_error *err) {
    const struct skrfs_fetch_ops *ops = &skrfs_keyside_fetch_ops;
    struct skrfs_fetched fetched = {0};

    if (format >= 0 && skrfs_format_is_public((enum skrfs_format)format))
        return ops->fetch_public(&client->keyside, key, version, (enum skrfs_format)format,
                deadline_ns, ret_secret, err);
    if (ops->fetch(&client->keyside, key, version, deadline_ns, NULL, &fetched, err) < 0)
        return -1;
    skrfs_autosecret *plain = fetched.plain;
    fetched.plain = plain;
    if (format == SKRFS_FORMAT_PLAIN)
        format = fetched.type == SKRFS_KEY_OCT ? SKRFS_FORMAT_RAW : SKRFS_FORMAT_DER;
    return ops->encode(&client->keyside, &fetched, (enum skrfs_format)format, ret_secret, err);
}

int skrfs_client_get(struct skrfs_client *client, const char *name, const char *version, int format,
        unsigned timeout_ms, struct skrfs_secret **ret_secret, struct skrfs_error *err) {
    size_t key;

    if (format >= SKRFS_FORMAT_COUNT || format < SKRFS_FORMAT_PLAIN)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "no format has the number %d", format);
    if (find_key(client->conf, name, &key, err) < 0)
        return -1;
    int wanted = format == -1 ? (int)client->conf->keys[key].format : format;
    if (get(client, key, version, wanted, deadline(client, timeout_ms), ret_secret, err) < 0)
        return skrfs_wrap(err, "get '%s'", name);
    return 0;
}
