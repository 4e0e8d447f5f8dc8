/* Who may log in at the lab: managed identities of its machine and one registered application; and
 * the access tokens they get. Thread safe. */
#ifndef SKRFS_LAB_IDENTITIES_H
#define SKRFS_LAB_IDENTITIES_H

#include "state.h"

struct skrfs_lab_identity {
    const char *client_id, *object_id;
    const char *resource_id; /* managed ones */
    bool release;            /* may do everything with keys; otherwise only read them */
};

/* The machine's own; the application of client secret, certificate and federated token. */
extern const struct skrfs_lab_identity skrfs_lab_system_identity, skrfs_lab_application;
/* A user-assigned identity by "client_id", "object_id" or "resource_id"; NULL when there is none.
 */
const struct skrfs_lab_identity *skrfs_lab_identity_find(const char *by, const char *value);

/* True for the audiences that the lab gives tokens for; one slash at the end is taken. */
bool skrfs_lab_resource_known(const char *resource);

/* What an access token is to say. */
struct skrfs_lab_access_wish {
    const struct skrfs_lab_identity *identity;
    const char *resource;
    bool capable;     /* the client said that it heeds claims challenges ("cp1") */
    int64_t claims_s; /* the challenge's nbf that it came with, 0: none */
};
/* Appends a signed token of settings.access_life_s. */
int skrfs_lab_access_sign(struct skrfs_lab *lab, const struct skrfs_lab_access_wish *wish,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
