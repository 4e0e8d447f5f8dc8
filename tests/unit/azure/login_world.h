/* One vault behind a small server that also is every endpoint a login asks. */
#ifndef SKRFS_TESTS_AZURE_LOGIN_WORLD_H
#define SKRFS_TESTS_AZURE_LOGIN_WORLD_H

#include "server.h"

#include "../../../src/azure/login.h"

#include <skrfs/crypto/encoding.h>
#include <sys/stat.h>

#define DEADLINE (skrfs_now_ns() + 20 * SKRFS_SECOND_NS)
#define TENANT "0a1b2c3d-0000-4000-8000-000000000001"
#define CLIENT "0a1b2c3d-0000-4000-8000-00000000000c"
#define MSI(text) "(200, {'access_token': '" text "', 'expires_on': '4000000000'})"
#define ENTRA(text)                                                                                \
    "(200, {'token_type': 'Bearer', 'expires_in': 3599, 'access_token': '" text "'})"
#define AT_ENTRA "'POST /" TENANT "/oauth2/v2.0/token': "
#define SHOW "'GET /keys/disk': "
#define KEY                                                                                        \
    "(200, {'key': {'kid': 'https://v/keys/disk/0123456789abcdef0123456789abcdef', 'kty': "        \
    "'oct-HSM'}})"
#define CHALLENGE(more)                                                                            \
    "(401, '', {'WWW-Authenticate': 'Bearer authorization=\"https://login.windows.net/" TENANT     \
    "\", resource=\"https://vault.azure.net\"" more "'})"

struct world {
    struct server server;
    struct skrfs_cloud_vault vault;
    struct skrfs_login login;
    struct skrfs_cloud *cloud;
    char file[128]; /* a credential */
    char url[128];
};

static inline void begin(struct world *world, const char *routes) {
    *world = (struct world){0};
    server_start(&world->server, routes);
    world->vault = (struct skrfs_cloud_vault){
            .name = "prod", .url = world->server.https, .resource = "https://vault.azure.net"};
    world->login.authority = world->server.https;
    snprintf(world->file, sizeof(world->file), "%s/c.key", world->server.folder);
}

static inline void write_file(const struct world *world, const char *text) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_file_write(world->file, text, strlen(text), 0600, &err), err);
}

static inline void as(struct world *world, const char *identity) {
    struct skrfs_error err = {0};
    assert_ok(
            skrfs_identity_parse(identity, &world->vault.identity, &world->vault.identity_id, &err),
            err);
    if (!skrfs_identity_is_managed(world->vault.identity))
        world->vault.client = CLIENT;
    if (world->vault.identity_id && world->vault.client)
        world->vault.identity_id = world->file;
    if (world->vault.identity == SKRFS_IDENTITY_WORKLOAD)
        world->vault.token_file = world->file;
}

static inline void start(struct world *world) {
    struct skrfs_error err = {0};
    const struct skrfs_cloud_options options = {
            .imds_url = world->server.http,
            .vaults = &world->vault,
            .vault_count = 1,
            .login = world->login,
            .http = {.ca_pem = skrfs_buf_text(&world->server.ca),
                    .connect_timeout_ns = 5 * SKRFS_SECOND_NS},
    };
    assert_ok(skrfs_cloud_new(&options, &world->cloud, &err), err);
}

static inline void end(struct world *world) {
    skrfs_cloud_free(world->cloud);
    (void)unlink(world->file);
    server_done(&world->server);
}
#define auto_world SKRFS_CLEANUP(end) struct world

/* A call that needs an access token. */
static inline int show(struct world *world, struct skrfs_error *err) {
    skrfs_autovaultkey key = {0};
    if (!world->cloud)
        start(world);
    return skrfs_cloud_key_show(world->cloud, 0, "disk", NULL, DEADLINE, &key, err);
}

static inline void forget_token(const struct world *world) {
    skrfs_buf_done(&world->cloud->slots->token);
}

#endif
