/* Lint's findings as text, and a policy around one claim. */
#ifndef SKRFS_TESTS_POLICY_LINTED_H
#define SKRFS_TESTS_POLICY_LINTED_H

#include "support.h"

#include <skrfs/policy/policy.h>

struct found {
    char text[8192]; /* one finding a line: "error 3:7 text" */
};

static void keep(void *context, enum skrfs_finding_level level, unsigned line, unsigned column,
        const char *text) {
    static const char *const levels[] = {"note", "warning", "error"};
    struct found *found = context;
    size_t used = strlen(found->text);
    snprintf(found->text + used, sizeof(found->text) - used, "%s %u:%u %s\n", levels[level], line,
            column, text);
}

static inline int lint(const char *text, size_t len, struct found *ret_found) {
    struct skrfs_error err = {0};
    memset(ret_found, 0, sizeof(*ret_found));
    return skrfs_policy_lint(text, len, keep, ret_found, &err);
}

/* Lints a text: the result, and a part of what it says; NULL when it must say nothing. */
static inline void says(const char *text, int wanted, const char *finding) {
    struct found found;
    int result = lint(text, strlen(text), &found);
    if (result != wanted || (finding ? !strstr(found.text, finding) : found.text[0] != '\0')) {
        print_error("%d\n%s\n", result, found.text);
        fail();
    }
}

#define HEAD                                                                                       \
    "{\"version\": \"1.0.0\",\n \"anyOf\": [\n  {\"authority\": "                                  \
    "\"https://a.weu.attest.azure.net\",\n"
#define C(name, value) "{\"claim\": \"" name "\", \"equals\": \"" value "\"}"
#define IN(name, value) C("x-ms-isolation-tee." name, value)
#define STATUS IN("x-ms-compliance-status", "azure-compliant-cvm")
/* Line 4 has the verdict, line 5 the claim from column 5 on. */
#define WITH(claim) HEAD "   \"allOf\": [" STATUS ",\n    " claim "]}]}"
#define ALL(claims) HEAD "   \"allOf\": [" claims "]}]}"
#define ANY(claims) HEAD "   \"anyOf\": [" claims "]}]}"

#endif
