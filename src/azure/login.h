/* Inside this room only: how an access token is asked for. */
#ifndef SKRFS_AZURE_LOGIN_H
#define SKRFS_AZURE_LOGIN_H

#include "internal.h"

#define ASSERTION_MAX ((size_t)16 * 1024)     /* a federated token, an assertion */
#define CLIENT_SECRET_MAX ((size_t)4 * 1024)  /* a client secret, Arc's key file */
#define CLAIMS_MAX ((size_t)4 * 1024)         /* of a claims challenge, decoded */
#define TOKEN_REQUEST_MAX ((size_t)64 * 1024) /* the form, escaped */

/* What a login brings. */
struct access_token {
    struct skrfs_buf text; /* max ACCESS_TOKEN_MAX */
    int64_t expires_s;     /* since 1970 */
    int64_t refresh_s;     /* since 1970; 0: not told */
};
#define ACCESS_TOKEN ((struct access_token){.text = SKRFS_BUF(ACCESS_TOKEN_MAX)})
void skrfs_access_token_done(struct access_token *token);
#define auto_access_token SKRFS_CLEANUP(skrfs_access_token_done) struct access_token

/* identity.c: logs in as the slot's identity. */
int skrfs_login(struct skrfs_cloud *cloud, const struct token_slot *slot, uint64_t deadline_ns,
        struct access_token *ret_token, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* An answer with access_token and when it ends, in the spellings of all endpoints. */
int skrfs_identity_answer(struct skrfs_bytes body, struct access_token *ret_token,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* managed.c */
int skrfs_managed_login(struct skrfs_cloud *cloud, const struct token_slot *slot,
        uint64_t deadline_ns, struct access_token *ret_token,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_identity_url(const struct skrfs_cloud *cloud, const struct token_slot *slot,
        struct skrfs_buf *url, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* arc.c: the key that Arc's challenge names, out of its file ("Basic realm=<path>"). REJECTED for
 * a file that is not where such files are, or not one. */
int skrfs_arc_key(const char *challenge, const char *folder, struct skrfs_buf *ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* entra.c: workload identity, client secret and client certificate. */
int skrfs_entra_login(struct skrfs_cloud *cloud, const struct token_slot *slot,
        uint64_t deadline_ns, struct access_token *ret_token,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The token endpoint of a slot's tenant. */
int skrfs_entra_url(const struct skrfs_cloud *cloud, const struct token_slot *slot,
        struct skrfs_buf *url, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* aadsts.c: says what Entra ID's refusal means and what cures it. `sent` is what must not be
 * repeated. Returns -1. */
int skrfs_entra_refuse(const struct token_slot *slot, const struct skrfs_http_answer *answer,
        const char *sent, struct skrfs_error *err);

/* assertion.c: appends a client assertion (RFC 7523) signed by the key in a PEM file, valid for
 * some minutes from `now_s`. */
int skrfs_assertion_make(const char *path, const char *client, const char *audience, int64_t now_s,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* claims.c: appends the `claims` parameter: what a challenge demands (base64 of JSON; NULL:
 * nothing) and that this client can take such challenges (cp1). */
int skrfs_claims_merge(
        const char *demanded, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
