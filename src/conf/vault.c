#include "room.h"

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

static int check_identity(const struct value *value, struct skrfs_error *err) {
    static const char *const prefixes[] = {"client-id:", "object-id:", "resource-id:"};
    if (!value || strcmp(value->text, "system") == 0)
        return 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(prefixes); i++)
        if (strncmp(value->text, prefixes[i], strlen(prefixes[i])) == 0 &&
                value->text[strlen(prefixes[i])])
            return 0;
    return conf_fail_at(err, &value->place,
            "'identity' is system, client-id:ID, object-id:ID or resource-id:/subscriptions/...");
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
            conf_take_text(identity, &vault->identity, err))
        return -1;
    return take_service(section, vault, err);
}
