/* What kind of 403 it is, as far as the vault itself tells: by innererror's code where there is one
 * (learn.microsoft.com, "Azure Key Vault REST API Error Codes"), else by its words, which are the
 * only difference between some of them. */
#include "internal.h"

#include <string.h>

struct sign {
    const char *text;
    enum forbidden kind;
};

static const struct sign codes[] = {
        {"ForbiddenByFirewall", FORBIDDEN_NETWORK}, {"ForbiddenByConnection", FORBIDDEN_NETWORK},
        {"ForbiddenByRbac", FORBIDDEN_ROLE},
        {"ForbiddenByPolicy", FORBIDDEN_ROLE}, /* an access policy of the vault, not the key's */
};

static const struct sign words[] = {
        {"client address is not authorized", FORBIDDEN_NETWORK},
        {"public network access is disabled", FORBIDDEN_NETWORK},
        {"caller is not authorized", FORBIDDEN_ROLE},
        {"does not have keys", FORBIDDEN_ROLE},
        {"attestation statement cannot be verified", FORBIDDEN_TOKEN},
        {"key release policy requirements", FORBIDDEN_POLICY},
};

static enum forbidden kind_of_code(const char *code) {
    for (size_t i = 0; code && i < SKRFS_ARRAY_LEN(codes); i++)
        if (strcasecmp(code, codes[i].text) == 0)
            return codes[i].kind;
    return FORBIDDEN_UNTOLD;
}

enum forbidden skrfs_forbidden_kind(struct skrfs_bytes body) {
    struct skrfs_error ignored;
    skrfs_autojson *json = NULL;
    if (!body.len || skrfs_json_parse((const char *)body.data, body.len, SMALL_ANSWER_MAX, &json,
                             &ignored) < 0)
        return FORBIDDEN_UNTOLD;
    const struct skrfs_json *error = skrfs_json_get(json, "error");
    const struct skrfs_json *inner = skrfs_json_get(error, "innererror");
    enum forbidden kind = kind_of_code(skrfs_json_string(skrfs_json_get(inner, "code")));
    if (kind == FORBIDDEN_UNTOLD)
        kind = kind_of_code(skrfs_json_string(skrfs_json_get(error, "code")));
    const char *message = skrfs_json_string(skrfs_json_get(error, "message"));
    for (size_t i = 0; kind == FORBIDDEN_UNTOLD && message && i < SKRFS_ARRAY_LEN(words); i++)
        if (strcasestr(message, words[i].text))
            kind = words[i].kind;
    return kind;
}

bool skrfs_vault_is_hsm(const struct vault *vault) {
    return strstr(vault->resource, "managedhsm") != NULL;
}
