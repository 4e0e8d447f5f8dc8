/* The clouds, their addresses, and the names of identities. */
#include "login.h"

#include <stdio.h>
#include <string.h>

static const struct skrfs_cloud_names clouds[] = {
        {"public", "https://login.microsoftonline.com", "vault.azure.net", "managedhsm.azure.net"},
        {"china", "https://login.chinacloudapi.cn", "vault.azure.cn", "managedhsm.azure.cn"},
        {"usgov", "https://login.microsoftonline.us", "vault.usgovcloudapi.net",
                "managedhsm.usgovcloudapi.net"},
};

const struct skrfs_cloud_names *skrfs_cloud_by_name(const char *name) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(clouds); i++)
        if (strcmp(name, clouds[i].name) == 0)
            return &clouds[i];
    return NULL;
}

bool skrfs_host_below(const char *host, const char *suffix) {
    size_t len = strlen(host), suffix_len = strlen(suffix);
    return suffix_len > 0 && len > suffix_len + 1 && host[len - suffix_len - 1] == '.' &&
           strcasecmp(host + len - suffix_len, suffix) == 0;
}

int skrfs_vault_resource(const char *host, char *out, size_t size, struct skrfs_error *err) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(clouds); i++) {
        const char *const suffixes[] = {clouds[i].vault_suffix, clouds[i].hsm_suffix};
        for (size_t j = 0; j < SKRFS_ARRAY_LEN(suffixes); j++)
            if (skrfs_host_below(host, suffixes[j])) {
                snprintf(out, size, "https://%s", suffixes[j]);
                return 0;
            }
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "'%s' is no vault of a known cloud: set the audience of its access tokens (resource =)",
            host);
}

bool skrfs_identity_is_managed(enum skrfs_identity_kind kind) {
    return kind == SKRFS_IDENTITY_SYSTEM || kind == SKRFS_IDENTITY_CLIENT_ID ||
           kind == SKRFS_IDENTITY_OBJECT_ID || kind == SKRFS_IDENTITY_RESOURCE_ID;
}

int skrfs_identity_parse(const char *text, enum skrfs_identity_kind *ret_kind, const char **ret_id,
        struct skrfs_error *err) {
    static const struct {
        const char *word;
        enum skrfs_identity_kind kind;
    } kinds[] = {
            {"system", SKRFS_IDENTITY_SYSTEM},
            {"workload", SKRFS_IDENTITY_WORKLOAD},
            {"client-id:", SKRFS_IDENTITY_CLIENT_ID},
            {"object-id:", SKRFS_IDENTITY_OBJECT_ID},
            {"resource-id:", SKRFS_IDENTITY_RESOURCE_ID},
            {"secret-file:", SKRFS_IDENTITY_SECRET},
            {"certificate-file:", SKRFS_IDENTITY_CERTIFICATE},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i].word);
        bool prefix = kinds[i].word[len - 1] == ':';
        if (strncmp(text, kinds[i].word, len) == 0 && prefix == (text[len] != '\0')) {
            *ret_kind = kinds[i].kind;
            *ret_id = prefix ? text + len : NULL;
            return 0;
        }
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "identity '%s' is none of system, client-id:<uuid>, object-id:<uuid>, "
            "resource-id:/subscriptions/..., workload, secret-file:<path>, certificate-file:<path>",
            text);
}
