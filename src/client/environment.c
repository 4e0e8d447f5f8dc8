#include "login.h"

#include <string.h>

#define VALUE_MAX ((size_t)4 * 1024)

/* NULL for a variable that is not there or empty. */
static int take(const char *name, char **ret_value, struct skrfs_error *err) {
    const char *value = secure_getenv(name);

    if (!value || !*value)
        return 0;
    if (strnlen(value, VALUE_MAX) == VALUE_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s in the environment is too long", name);
    *ret_value = strdup(value);
    return *ret_value ? 0 : skrfs_fail_memory(err);
}

static int take_secret(const char *name, struct skrfs_buf *secret, struct skrfs_error *err) {
    const char *value = secure_getenv(name);

    if (value && skrfs_buf_append_text(secret, value, err) < 0)
        return skrfs_wrap(err, "%s in the environment", name);
    return 0;
}

static int take_client_secret(
        const struct skrfs_conf *conf, struct skrfs_buf *secret, struct skrfs_error *err) {
    for (size_t i = 0; i < conf->vault_count; i++)
        if (conf->vaults[i].secret_variable)
            return take_secret(conf->vaults[i].secret_variable, secret, err);
    return 0;
}

/* As the webhook of AKS sets it: "https://login.microsoftonline.com/". */
static int take_authority(char **ret_authority, struct skrfs_error *err) {
    static const char name[] = "AZURE_AUTHORITY_HOST", scheme[] = "https://";
    skrfs_autofree char *authority = NULL;

    if (take(name, &authority, err) < 0)
        return -1;
    if (!authority)
        return 0;
    size_t len = strlen(authority);
    while (len && authority[len - 1] == '/')
        authority[--len] = '\0';
    if (strncmp(authority, scheme, strlen(scheme)) != 0 ||
            strcspn(authority + strlen(scheme), "/?#@ ") != strlen(authority + strlen(scheme)))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "%s in the environment is '%s', but https:// and a host is wanted", name,
                authority);
    *ret_authority = skrfs_take(authority);
    return 0;
}

int network_environment_read(const struct skrfs_conf *conf, struct skrfs_network_environment *ret,
        struct skrfs_error *err) {
    skrfs_autofree char *arc = NULL;

    if (take("AZURE_TENANT_ID", &ret->tenant, err) < 0 ||
            take("AZURE_CLIENT_ID", &ret->client, err) < 0 ||
            take("AZURE_FEDERATED_TOKEN_FILE", &ret->token_file, err) < 0 ||
            take_authority(&ret->authority, err) < 0)
        return -1;
    if (take("IDENTITY_ENDPOINT", &ret->identity_endpoint, err) < 0 ||
            take("IMDS_ENDPOINT", &arc, err) < 0 ||
            take_secret("IDENTITY_HEADER", &ret->header, err) < 0 ||
            take_client_secret(conf, &ret->secret, err) < 0)
        return -1;
    ret->arc = arc != NULL;
    return 0;
}

void network_environment_done(struct skrfs_network_environment *environment) {
    free(skrfs_take(environment->tenant));
    free(skrfs_take(environment->client));
    free(skrfs_take(environment->token_file));
    free(skrfs_take(environment->authority));
    free(skrfs_take(environment->identity_endpoint));
    skrfs_buf_done(&environment->header);
    skrfs_buf_done(&environment->secret);
}

/* Those that are read here, and those that other programs of Azure take: nobody below has a use for
 * them. */
void skrfs_environment_wipe(void) {
    static const char *const secrets[] = {"IDENTITY_HEADER", "MSI_SECRET", "AZURE_CLIENT_SECRET",
            "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_PASSWORD", "CLIENT_SECRET"};

    for (size_t i = 0; i < SKRFS_ARRAY_LEN(secrets); i++) {
        char *value = getenv(secrets[i]);
        if (value)
            skrfs_wipe(value, strlen(value));
        unsetenv(secrets[i]);
    }
}
