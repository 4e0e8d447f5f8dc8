#include "tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct lint {
    const char *text; /* comments blanked: places are those of the original */
    size_t len;
    skrfs_finding_fn *finding;
    void *context;
    bool refused;
};

static void tell(
        struct lint *lint, enum skrfs_finding_level level, const char *path, const char *text) {
    unsigned line = 0, column = 0;
    if (!skrfs_policy_locate(lint->text, lint->len, path, &line, &column))
        line = column = 0;
    lint->finding(lint->context, level, line, column, text);
}

__attribute__((format(printf, 3, 4))) static void warn(
        struct reader *reader, const char *member, const char *format, ...) {
    char text[320], path[PATH_MAX_LEN + 16];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s.%s", reader->path, member);
    tell(reader->context, SKRFS_FINDING_WARNING, path, text);
}

static void on_error(struct reader *reader, const char *path, const char *text) {
    tell(reader->context, SKRFS_FINDING_ERROR, path, text);
}

static bool one_of(const char *value, const char *const *list) {
    while (*list && strcmp(*list, value) != 0)
        list++;
    return *list;
}

static void check_hex(struct reader *reader, const struct condition *claim, size_t digits) {
    size_t len = strlen(claim->value);
    if (strspn(claim->value, "0123456789abcdefABCDEF") != len)
        warn(reader, "equals", "cannot match: %s is hexadecimal", claim->claim);
    else if (len != digits)
        warn(reader, "equals", "cannot match: %s has %zu hexadecimal digits, not %zu", claim->claim,
                digits, len);
    else if (strspn(claim->value, "0123456789abcdef") != len)
        warn(reader, "equals", "does not match: tokens write %s in lower case", claim->claim);
}

static void check_value(
        struct reader *reader, const struct condition *claim, const struct known_claim *known) {
    static const char *const booleans[] = {"true", "false", NULL};
    static const char *const types[] = {
            "sevsnpvm", "tdxvm", "sgx", "azurevm", "openenclave", "tpm", NULL};
    static const char *const states[] = {"azure-compliant-cvm", "azure-compliant-uvm", NULL};
    const char *value = claim->value;
    if (known->shape == SHAPE_HEX)
        check_hex(reader, claim, known->digits);
    else if (known->shape == SHAPE_BOOLEAN && !one_of(value, booleans))
        warn(reader, "equals", "cannot match: %s is true or false", claim->claim);
    else if (known->shape == SHAPE_NUMBER &&
             (!*value || strspn(value, "0123456789") != strlen(value)))
        warn(reader, "equals", "cannot match: %s is a number", claim->claim);
    else if (known->shape == SHAPE_TYPE && !one_of(value, types))
        warn(reader, "equals", "unknown attestation type: sevsnpvm, tdxvm and sgx are known");
    else if (known->shape == SHAPE_STATUS && !one_of(value, states))
        warn(reader, "equals",
                "unknown compliance status: azure-compliant-cvm and azure-compliant-uvm are known");
}

static void on_claim(struct reader *reader, const struct condition *claim) {
    const char *near = NULL;
    const struct known_claim *known = skrfs_policy_known_claim(claim->claim, &near);
    if (strchr(claim->value, '<') && strchr(claim->value, '>'))
        warn(reader, "equals", "looks like a placeholder that was not filled in");
    else if (known)
        check_value(reader, claim, known);
    else if (near)
        warn(reader, "claim", "no token has this claim: did you mean '%s'?", near);
    else
        warn(reader, "claim",
                "no token of a known TEE has this claim: right only if the attestation service's "
                "own policy "
                "adds it");
}

static bool pins_claim(const struct condition *claim) {
    const char *near = NULL;
    if (!claim->claim || !claim->value)
        return true; /* refused already; nothing can be said of the rest */
    const struct known_claim *known = skrfs_policy_known_claim(claim->claim, &near);
    /* Every virtual machine's token, confidential or not, is of type azurevm. */
    return !known || (known->pins && strcmp(claim->value, "azurevm") != 0);
}

/* Whether the condition asks for something that not every guest of the service has. */
static bool pins(const struct condition *condition) {
    if (condition->kind == CONDITION_CLAIM)
        return pins_claim(condition);
    bool any = condition->kind == CONDITION_ANY;
    for (size_t i = 0; i < condition->count; i++)
        if (pins(&condition->children[i]) != any)
            return !any;
    return any;
}

static void on_authority(struct reader *reader, const struct authority *authority) {
    if (strchr(authority->url, '<') || strchr(authority->url, '>')) {
        warn(reader, "authority", "looks like a placeholder that was not filled in");
    } else if (strncmp(authority->url, "https://", 8) != 0 || !authority->url[8]) {
        char path[PATH_MAX_LEN + 16];
        snprintf(path, sizeof(path), "%s.authority", reader->path);
        tell(reader->context, SKRFS_FINDING_ERROR, path,
                "is no https:// address: the vault asks it for its signing keys");
        ((struct lint *)reader->context)->refused = true;
    }
    if (authority->root.count > 0 && !pins(&authority->root))
        warn(reader, "authority",
                "any guest that this authority attests meets the policy: ask for a TEE, e.g. "
                "x-ms-isolation-tee.x-ms-compliance-status");
}

static void on_comment(void *context, unsigned line, unsigned column) {
    const struct lint *lint = context;
    lint->finding(lint->context, SKRFS_FINDING_NOTE, line, column,
            "a comment: removed before the policy goes to a vault, which takes none");
}

/* The json room's message has the place in it. */
static void tell_syntax(struct lint *lint, const struct skrfs_error *err) {
    unsigned line = 0, column = 0;
    const char *place = strstr(err->message, "line ");
    if (!place ||
            sscanf(place, "line %u%*[, ]column %u", &line, &column) != 2) // NOLINT(cert-err34-c)
        line = column = 0;
    const char *text = line ? strstr(place, ": ") : NULL;
    column += line && !column; /* of an empty text */
    lint->finding(lint->context, SKRFS_FINDING_ERROR, line, column, text ? text + 2 : err->message);
}

static int lint_tree(struct lint *lint, const struct skrfs_json *json, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = calloc(1, sizeof(*policy));
    if (!policy)
        return skrfs_fail_memory(err);
    struct reader reader = {
            .err = err,
            .on_error = on_error,
            .on_claim = on_claim,
            .on_authority = on_authority,
            .context = lint,
    };
    skrfs_policy_read(&reader, json, policy);
    if (reader.failed)
        return -1;
    if (lint->refused)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "release policy: an authority is no https:// address");
    return 0;
}

int skrfs_policy_lint(const char *text, size_t len, skrfs_finding_fn *finding, void *context,
        struct skrfs_error *err) {
    struct lint lint = {.finding = finding, .context = context};
    if (len > SKRFS_POLICY_MAX) {
        finding(context, SKRFS_FINDING_ERROR, 0, 0, "is too long for a release policy");
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "release policy: longer than %zu octets",
                SKRFS_POLICY_MAX);
    }
    skrfs_autobuf plain = SKRFS_BUF(SKRFS_POLICY_MAX);
    skrfs_autojson *json = NULL;
    if (skrfs_policy_blank_comments(text, len, &plain, on_comment, &lint, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&plain), plain.len, SKRFS_POLICY_MAX, &json, err) < 0) {
        tell_syntax(&lint, err);
        return skrfs_wrap(err, "release policy");
    }
    lint.text = skrfs_buf_text(&plain);
    lint.len = plain.len;
    return lint_tree(&lint, json, err);
}
