/* The lab's Entra ID: what a tenant publishes, and the client credentials grant. */
#ifndef SKRFS_LAB_ENTRA_H
#define SKRFS_LAB_ENTRA_H

#include "directory.h"
#include "identities.h"

#define SKRFS_LAB_ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define SKRFS_LAB_FORM_MAX 24

/* An application/x-www-form-urlencoded body taken apart. */
struct skrfs_lab_form {
    struct {
        struct skrfs_buf name, value;
    } fields[SKRFS_LAB_FORM_MAX];
    size_t count;
};
void skrfs_lab_form_done(struct skrfs_lab_form *form);
#define skrfs_autoform SKRFS_CLEANUP(skrfs_lab_form_done) struct skrfs_lab_form
/* `ret_form` must be zeroed. BAD_ANSWER for a body that is no form, and for a field twice. */
int skrfs_lab_form_parse(struct skrfs_bytes body, struct skrfs_lab_form *ret_form,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A field's value; NULL when it is absent or empty. */
const char *skrfs_lab_form_get(const struct skrfs_lab_form *form, const char *name);

/* Refuses in Entra ID's shape: error, error_description "AADSTSn: ...", error_codes, timestamp,
 * trace_id, correlation_id. The number decides the error's word and the status. Returns -1. */
int skrfs_lab_aadsts(struct skrfs_lab *lab, struct skrfs_lab_answer *answer, unsigned number,
        const char *format, ...) SKRFS_PRINTF(4, 5);
#define skrfs_lab_aadsts(...) skrfs_minus_one((skrfs_lab_aadsts)(__VA_ARGS__))

/* Whether an assertion proves that its sender is the application. -1 with `answer` refused. */
int skrfs_lab_assertion_check(struct skrfs_lab *lab, const char *assertion,
        struct skrfs_lab_answer *answer) SKRFS_MUST_CHECK;
/* POST /{tenant}/oauth2/v2.0/token. */
void skrfs_lab_token_grant(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);

#endif
