#include "room.h"

#include <limits.h>
#include <string.h>

#define NAME_MAX_CHARS 64

/* The clouds that have these services: public, China, US government. */
static const struct {
    const char *suffix;
    bool managed_hsm;
} suffixes[] = {
        {".vault.azure.net", false},
        {".vault.azure.cn", false},
        {".vault.usgovcloudapi.net", false},
        {".managedhsm.azure.net", true},
        {".managedhsm.azure.cn", true},
        {".managedhsm.usgovcloudapi.net", true},
};

static bool ends_with(const char *text, const char *suffix) {
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

/* What stands behind a kind that takes something. */
static const char *behind(const char *identity, const char *prefix) {
    size_t len = strlen(prefix);
    return strncmp(identity, prefix, len) == 0 ? identity + len : NULL;
}

bool conf_identity_is_managed(const char *identity) {
    return strcmp(identity, "workload") != 0 && !behind(identity, "secret-file:") &&
           !behind(identity, "certificate-file:");
}

static int check_identity(const struct value *value, struct skrfs_error *err) {
    static const char *const prefixes[] = {"client-id:", "object-id:", "resource-id:"};
    static const char *const files[] = {"secret-file:", "certificate-file:"};
    if (!value || strcmp(value->text, "system") == 0 || strcmp(value->text, "workload") == 0)
        return 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(prefixes); i++) {
        const char *id = behind(value->text, prefixes[i]);
        if (id && *id)
            return 0;
    }
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(files); i++) {
        const char *path = behind(value->text, files[i]);
        if (path && path[0] == '/' && strlen(path) < PATH_MAX)
            return 0;
        if (path)
            return conf_fail_at(err, &value->place,
                    "'identity' %s is followed by a path from the root: %s/...", files[i],
                    files[i]);
    }
    return conf_fail_at(err, &value->place,
            "'identity' is system, client-id:ID, object-id:ID, resource-id:/subscriptions/..., "
            "workload, secret-file:/PATH or certificate-file:/PATH");
}

/* An application's registration; a managed identity is known to the machine. */
static int take_application(
        const struct section *section, struct skrfs_conf_vault *vault, struct skrfs_error *err) {
    const struct value *tenant = raw_get(section, "tenant");
    const struct value *client = raw_get(section, "client");
    const struct value *given = client ? client : tenant;
    if (given && conf_identity_is_managed(vault->identity))
        return conf_fail_at(err, &given->place,
                "'%s' is for identity = workload, secret-file: and certificate-file:; a managed "
                "identity is named by identity = client-id:ID",
                given->name);
    if (conf_take_id(tenant, &vault->tenant, err) || conf_take_id(client, &vault->client, err))
        return -1;
    return 0;
}

/* Which service the host is, and that it is known what to ask a token for. */
static int take_service(
        const struct section *section, struct skrfs_conf_vault *vault, struct skrfs_error *err) {
    const struct value *url = raw_get(section, "url");
    if (conf_take_https(raw_get(section, "resource"), &vault->resource, NULL, err))
        return -1;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(suffixes); i++) {
        if (ends_with(vault->host, suffixes[i].suffix)) {
            vault->managed_hsm = suffixes[i].managed_hsm;
            return 0;
        }
    }
    if (!vault->resource)
        return conf_fail_at(err, &url->place,
                "'%s' is in no known cloud: say in 'resource' what its tokens are for, such as "
                "https://vault.azure.net or https://managedhsm.azure.net",
                vault->host);
    vault->managed_hsm = strstr(vault->resource, "managedhsm") != NULL;
    return 0;
}

int conf_take_vault(
        const struct section *section, struct skrfs_conf_vault *vault, struct skrfs_error *err) {
    const struct value *identity = raw_get(section, "identity");
    const struct value *url = raw_get(section, "url");
    if (!conf_is_word(section->name, LETTERS_DIGITS "-._", NAME_MAX_CHARS))
        return conf_fail_at(err, &section->place,
                "a vault's name has 1 to %d letters, digits, '-', '.' and '_'", NAME_MAX_CHARS);
    if (!url)
        return conf_fail_at(err, &section->place,
                "[vault %s] has no 'url', such as https://NAME.vault.azure.net", section->name);
    vault->name = strdup(section->name);
    vault->identity = strdup("system");
    if (!vault->name || !vault->identity)
        return skrfs_fail_memory(err);
    if (conf_take_https(url, &vault->url, &vault->host, err) || check_identity(identity, err) ||
            conf_take_text(identity, &vault->identity, err) ||
            take_application(section, vault, err))
        return -1;
    return take_service(section, vault, err);
}
