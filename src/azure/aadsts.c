/* Entra ID's refusals, by number (learn.microsoft.com, "Microsoft Entra authentication and
 * authorization error codes"), and what cures them. */
#include "login.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 240

struct cure {
    int64_t number;
    const char *text;
};

static const struct cure cures[] = {
        {7000215, "the client secret is wrong: the file must hold the secret's value, not its id"},
        {7000222, "the client secret has expired: make a new one (az ad app credential reset)"},
        {7000216, "Entra ID saw no secret and no assertion"},
        {7000218, "Entra ID saw no secret and no assertion"},
        {7000229, "the application has no service principal in this tenant (az ad sp create)"},
        {7000112, "the application is disabled in this tenant"},
        {700016, "there is no such application in this tenant: see client = and tenant ="},
        {700023, "the assertion is for another audience than this tenant's token endpoint: see "
                 "[login] authority ="},
        {700024, "the assertion has expired or is not valid yet: is this machine's clock right, "
                 "and is the federated token's file still renewed?"},
        {700025, "the application is a public client, which may not log in so"},
        {700027, "the assertion's signature is not taken: is this certificate the one registered "
                 "with the application?"},
        {700030, "the certificate is not one that the application may use"},
        {70021, "no federated credential of the application matches the token's issuer, subject "
                "and audience (az identity federated-credential list shows them)"},
        {700211, "no federated credential of the application has the token's issuer (az identity "
                 "federated-credential list shows them)"},
        {700212, "no federated credential of the application has the token's audience, which is "
                 "api://AzureADTokenExchange as a rule"},
        {700213, "no federated credential of the application has the token's subject (az identity "
                 "federated-credential list shows them)"},
        {90002, "there is no such tenant: see tenant = and [login] cloud ="},
        {900023, "the tenant is neither a domain nor a uuid: see tenant ="},
        {900382, "the tenant belongs to another cloud: see [login] cloud ="},
        {90033, "Entra ID is out of service for now"},
        {90043, "Entra ID is out of service for now"},
        {50196, "Entra ID throttles logins of this application"},
        {50027, "the assertion is malformed"},
        {500011, "this tenant has no such resource: see resource = and tenant ="},
        {1002012, "this tenant has no such resource: see resource = and tenant ="},
        {53003, "a conditional access policy forbids the login"},
        {530035, "a conditional access policy forbids the login"},
        {65001, "the application lacks consent for this resource"},
};

static const char *cure_of(int64_t number) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cures); i++)
        if (cures[i].number == number)
            return cures[i].text;
    return NULL;
}

/* Out of error_codes, or out of "AADSTS7000215: ..."; 0 when there is none. */
static int64_t number_of(const struct skrfs_json *json) {
    const struct skrfs_json *first = skrfs_json_at(skrfs_json_get(json, "error_codes"), 0);
    if (first && skrfs_json_kind(first) == SKRFS_JSON_INTEGER)
        return skrfs_json_integer(first);
    const char *text = skrfs_json_string(skrfs_json_get(json, "error_description"));
    const char *at = text ? strstr(text, "AADSTS") : NULL;
    at = at ? at + strlen("AADSTS") : "";
    return strspn(at, "0123456789") < 12 ? strtoll(at, NULL, 10) : 0;
}

/* A member's text; "" for one that repeats what was sent. */
static const char *text_of(const struct skrfs_json *json, const char *name, const char *sent) {
    const char *text = skrfs_json_string(skrfs_json_get(json, name));
    return !text || (sent && *sent && strstr(text, sent)) ? "" : text;
}

/* Entra ID's own first sentence. */
static void words_of(const struct skrfs_json *json, const char *sent, char *out, size_t size) {
    const char *text = text_of(json, "error_description", sent);
    if (!*text)
        text = text_of(json, "error", sent);
    /* "... Trace ID: ... Correlation ID: ... Timestamp: ..." follows. */
    const char *trace = strstr(text, " Trace ID:");
    size_t len = trace ? (size_t)(trace - text) : strcspn(text, "\r\n");
    skrfs_text_clean(text, len, out, size);
    skrfs_tokens_hide(out);
}

static bool passes(int64_t number) {
    return number == 90033 || number == 90043 || number == 50196;
}

int skrfs_entra_refuse(const struct token_slot *slot, const struct skrfs_http_answer *answer,
        const char *sent, struct skrfs_error *err) {
    struct skrfs_error ignored;
    skrfs_autojson *json = NULL;
    char words[WORDS_MAX] = "", trace[64] = "", number_text[32] = "";
    if (answer->body.len && skrfs_json_parse(skrfs_buf_text(&answer->body), answer->body.len,
                                    SMALL_ANSWER_MAX, &json, &ignored) < 0)
        json = NULL;
    int64_t number = json ? number_of(json) : 0;
    words_of(json, sent, words, sizeof(words));
    const char *id = text_of(json, "trace_id", sent);
    skrfs_text_clean(id, strlen(id), trace, sizeof(trace));
    if (number > 0 && !strstr(words, "AADSTS"))
        snprintf(number_text, sizeof(number_text), "AADSTS%lld: ", (long long)number);
    const char *cure = cure_of(number);
    enum skrfs_class kind =
            passes(number) ? SKRFS_CLASS_UNAVAILABLE : skrfs_status_class(answer->status);
    if (kind == SKRFS_CLASS_NOT_FOUND) /* no tenant's, or no Entra ID's, address */
        kind = SKRFS_CLASS_REJECTED;
    skrfs_fail(err, kind,
            "Entra ID gives no access token to client '%.60s' in tenant '%.60s'%s%s%s%s%s (HTTP "
            "%ld%s%s)",
            slot->client, slot->tenant, cure ? ": " : "", cure ? cure : "",
            *words || *number_text ? ": " : "", number_text, words, answer->status,
            *trace ? ", trace id " : "", trace);
    err->upstream = (uint32_t)answer->status;
    return kind == SKRFS_CLASS_UNAVAILABLE ? skrfs_fail_retryable(err, answer->retry_at_ns) : -1;
}
