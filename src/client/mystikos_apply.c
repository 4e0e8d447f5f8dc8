/* Mystikos's declarations become sections of a configuration and are checked as such, so that one
 * set of rules holds for both. */
#include <skrfs/client/mystikos.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX ((size_t)512 * 1024)

static size_t origin_len(const char *address) {
    size_t len = strlen(address);

    return len && address[len - 1] == '/' ? len - 1 : len;
}

static bool same_address(const char *a, const char *b) {
    size_t len = origin_len(a);

    return len == origin_len(b) && strncasecmp(a, b, len) == 0;
}

/* The configuration's vault with this address; NULL when it has none. */
static const struct skrfs_conf_vault *find_vault(
        const struct skrfs_conf *conf, const char *address) {
    for (size_t i = 0; i < conf->vault_count; i++)
        if (same_address(conf->vaults[i].url, address))
            return &conf->vaults[i];
    return NULL;
}

/* Of the secrets up to this one, the first with the same address: its number names the vault. */
static size_t first_with(const struct skrfs_mystikos *mystikos, size_t index) {
    size_t first = 0;

    while (!same_address(mystikos->secrets[first].address, mystikos->secrets[index].address))
        first++;
    return first;
}

static int print_vault(const struct skrfs_conf *conf, const char *address, size_t number,
        struct skrfs_buf *out, struct skrfs_error *err) {
    const struct skrfs_conf_vault *known = find_vault(conf, address);

    if (skrfs_buf_printf(out, err, "[vault secret-%zu]\nurl = %s\n", number, address) < 0)
        return -1;
    if (known && known->resource)
        return skrfs_buf_printf(out, err, "resource = %s\n", known->resource);
    return 0;
}

static int print(const struct skrfs_mystikos *mystikos, const struct skrfs_conf *conf,
        struct skrfs_buf *out, struct skrfs_error *err) {
    if (skrfs_buf_printf(out, err, "[attestation]\nurl = %s\n", conf->attestation_url) < 0)
        return -1;
    for (size_t i = 0; i < mystikos->count; i++)
        if (first_with(mystikos, i) == i &&
                print_vault(conf, mystikos->secrets[i].address, i, out, err) < 0)
            return -1;
    for (size_t i = 0; i < mystikos->count; i++)
        if (skrfs_buf_printf(out, err, "[key secret-%zu]\nname = %s\nvault = secret-%zu\n", i,
                    mystikos->secrets[i].id, first_with(mystikos, i)) < 0)
            return -1;
    return 0;
}

static int copy_text(const char *from, char **to, struct skrfs_error *err) {
    if (!from)
        return 0;
    char *copy = strdup(from);
    if (!copy)
        return skrfs_fail_memory(err);
    free(*to);
    *to = copy;
    return 0;
}

static int set_identity(const struct skrfs_mystikos_login *login,
        const struct skrfs_conf_vault *known, struct skrfs_conf_vault *vault,
        struct skrfs_error *err) {
    if (login->client)
        return copy_text("CLIENT_SECRET", &vault->secret_variable, err) < 0 ||
                               copy_text(login->client, &vault->client, err) < 0 ||
                               copy_text(login->tenant, &vault->tenant, err) < 0
                       ? -1
                       : 0;
    if (!known)
        return 0;
    return copy_text(known->identity, &vault->identity, err) < 0 ||
                           copy_text(known->client, &vault->client, err) < 0 ||
                           copy_text(known->tenant, &vault->tenant, err) < 0
                   ? -1
                   : 0;
}

/* The environment of an enclave is given by its host: nothing in it may begin a line or a section.
 */
static int print_login(
        const struct skrfs_mystikos_login *login, struct skrfs_buf *out, struct skrfs_error *err) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-.:/[]";
    const struct {
        const char *variable, *name, *text;
    } values[] = {{"CLIENT_ID", "client", login->client}, {"APP_ID", "tenant", login->tenant},
            {"MHSM_AAD_URL", "authority", login->authority}};

    if (skrfs_buf_append_text(out, "[login]\n", err) < 0)
        return -1;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(values); i++) {
        const char *text = values[i].text;
        if (!text)
            continue;
        if (strspn(text, allowed) != strlen(text))
            return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                    "%s in the environment has characters that do not belong there",
                    values[i].variable);
        if (skrfs_buf_printf(out, err, "%s = %s\n", values[i].name, text) < 0)
            return -1;
    }
    return 0;
}

static int check_login(const struct skrfs_mystikos_login *login, struct skrfs_error *err) {
    if (login->secret == (login->client != NULL))
        return 0;
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "CLIENT_ID and CLIENT_SECRET in the environment belong together, but only one is set");
}

/* The made ones take the place of the configuration's, which go with the value made. */
static void exchange(struct skrfs_conf *conf, struct skrfs_conf *made) {
    struct skrfs_conf was = *conf;

    conf->vaults = made->vaults;
    conf->vault_count = made->vault_count;
    conf->keys = made->keys;
    conf->key_count = made->key_count;
    made->vaults = was.vaults;
    made->vault_count = was.vault_count;
    made->keys = was.keys;
    made->key_count = was.key_count;
}

int skrfs_mystikos_apply(const struct skrfs_mystikos *mystikos,
        const struct skrfs_mystikos_login *login, struct skrfs_conf *conf,
        struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *made = NULL;
    skrfs_autobuf text = SKRFS_BUF(TEXT_MAX);

    if (!conf->attestation_url)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "which attestation service? [attestation] url in the configuration, or "
                "--attestation URL");
    if (check_login(login, err) < 0 || print_login(login, &text, err) < 0 ||
            print(mystikos, conf, &text, err) < 0 ||
            skrfs_conf_parse("Secret", skrfs_buf_text(&text), text.len, &made, err) < 0)
        return -1;
    for (size_t i = 0; i < made->vault_count; i++)
        if (set_identity(login, find_vault(conf, made->vaults[i].url), &made->vaults[i], err) < 0)
            return -1;
    for (size_t i = 0; i < made->key_count; i++)
        made->keys[i].guard.mode = 0640;
    if (copy_text(made->login.authority, &conf->login.authority, err) < 0)
        return -1;
    exchange(conf, made);
    return 0;
}
