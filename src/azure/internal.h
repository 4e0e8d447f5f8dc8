/* Inside this room only: what the services share, and their parts that touch no network (for
 * tests). */
#ifndef SKRFS_AZURE_INTERNAL_H
#define SKRFS_AZURE_INTERNAL_H

#include <pthread.h>
#include <skrfs/azure/cloud.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>

#define RESOURCE_MAX 128
#define ACCESS_TOKEN_MAX ((size_t)32 * 1024)
#define SMALL_ANSWER_MAX ((size_t)64 * 1024) /* IMDS, a key, a page of keys */
#define MAA_ANSWER_MAX ((size_t)256 * 1024)  /* a sealed token, base64 of base64 */
#define MAA_REQUEST_MAX ((size_t)4 * 1024 * 1024)
#define PROOF_MAX (SKRFS_PEM_MAX + SKRFS_TD_QUOTE_MAX) /* certificates or a TD quote */
#define URL_MAX ((size_t)2048)
#define THIM_ENTRIES 4

/* One access token, shared by the vaults with the same identity and audience. */
struct token_slot {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool busy; /* somebody is fetching */
    enum skrfs_identity_kind identity;
    const char *identity_id;
    char resource[RESOURCE_MAX];
    struct skrfs_buf token;
    uint64_t refresh_ns, expires_ns;
};

struct vault {
    struct skrfs_cloud_vault config;
    struct token_slot *slot;
};

/* A certificate chain that verified a report; a chip and its reported TCB have exactly one. */
struct thim_entry {
    uint8_t chip_id[64];
    uint64_t reported_tcb;
    struct skrfs_buf pem;
};

/* What AzureGuest wants to know of the operating system. */
struct os_facts {
    char distro[64];
    int major, minor;
};

struct skrfs_cloud {
    struct skrfs_http *http;
    char *attestation; /* https://host[:port] */
    const char *imds;
    struct vault *vaults;
    size_t vault_count;
    struct token_slot *slots; /* as many as there are vaults, the first slot_count in use */
    size_t slot_count;
    struct os_facts os;
    pthread_mutex_t thim_lock;
    struct thim_entry thim[THIM_ENTRIES];
    unsigned thim_next;
};

/* cloud.c */
int skrfs_cloud_vault_at(struct skrfs_cloud *cloud, size_t index, struct vault **ret_vault,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* osrelease.c: NAME and VERSION_ID of an os-release file's text; 1.0 when there is no number. */
void skrfs_os_parse(const char *text, struct os_facts *ret_os);
void skrfs_os_read(struct os_facts *ret_os);

/* refusal.c: "Code: message" out of a service's error document in any of its spellings, cleaned; ""
 * when there is none. */
void skrfs_refusal_text(struct skrfs_bytes body, char *out, size_t size);
/* NOT_FOUND, REJECTED, UNAVAILABLE or BAD_ANSWER. */
enum skrfs_class skrfs_status_class(long status);
/* Fails with "<text>: <service's words> (HTTP status, request id)". UNAVAILABLE is retryable. */
int skrfs_refusal_fail(const struct skrfs_http_answer *answer, enum skrfs_class kind,
        struct skrfs_error *err, const char *format, ...) SKRFS_PRINTF(4, 5);

/* identity.c: appends the access token. */
int skrfs_identity_token(struct skrfs_cloud *cloud, struct token_slot *slot, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Forgets the token if it still is this one. */
void skrfs_identity_drop(struct token_slot *slot, struct skrfs_bytes token);
int skrfs_identity_answer(struct skrfs_bytes body, struct skrfs_buf *token, int64_t *ret_expires_s,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_identity_url(const struct skrfs_cloud *cloud, const struct token_slot *slot,
        struct skrfs_buf *url, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* thim.c: appends the PEM of the chain that verifies the report. */
int skrfs_thim_chain(struct skrfs_cloud *cloud, struct skrfs_bytes report, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *ret_pem,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_thim_answer(struct skrfs_bytes body, struct skrfs_buf *pem, char ret_tcbm[17],
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The chain's leaf signed the report and is made for its chip and TCB. */
int skrfs_thim_fits(struct skrfs_bytes report, struct skrfs_bytes pem,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* tdquote.c: appends the quote of this TD report. */
int skrfs_tdquote_get(struct skrfs_cloud *cloud, struct skrfs_bytes report, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *ret_quote,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_tdquote_answer(struct skrfs_bytes body, struct skrfs_bytes report,
        struct skrfs_buf *quote, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* maa_request.c: the body of an AzureGuest request; `proof` is the VCEK chain's PEM or the TD
 * quote. */
int skrfs_maa_request(const struct skrfs_evidence *evidence, struct skrfs_bytes proof,
        const struct os_facts *os, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* maa.c: a sealed token out of the answer; `ret_sealed` is empty. */
int skrfs_maa_answer(struct skrfs_bytes body, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* vault.c: a call with an access token; an answer of 401 is tried once more with a new one. */
struct vault_call {
    const char *method;
    const char *path; /* "/keys/name?api-version=..." */
    struct skrfs_bytes body;
    size_t answer_max;
};
int skrfs_vault_call(struct skrfs_cloud *cloud, struct vault *vault, const struct vault_call *call,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_http_answer *ret_answer,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends "/keys/<name>[/<version>][/<verb>]?api-version=..."; CONFIG for a name that can be none.
 */
int skrfs_vault_path(const char *name, const char *version, const char *verb, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_release_body(const struct skrfs_release_ask *ask, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_release_answer(struct skrfs_bytes body, struct skrfs_buf *ret_jws,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* explain.c: turns a release's 403 into what stands in the way. Returns -1. */
int skrfs_release_forbidden(struct skrfs_cloud *cloud, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, const struct skrfs_http_answer *answer,
        struct skrfs_error *err);
/* Which part of it the policy is: a sentence. `key` NULL: it could not be read. */
void skrfs_forbidden_reason(
        const struct skrfs_vault_key *key, struct skrfs_bytes token, char *out, size_t size);

/* key.c */
int skrfs_vault_key_parse(struct skrfs_bytes body, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_key_create_body(const struct skrfs_key_wish *wish, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* One page of a listing; appends the next page's path to `next` (empty at the end). */
int skrfs_key_page(struct skrfs_bytes body, const char *vault_url, skrfs_key_each_fn *each,
        void *context, struct skrfs_buf *next, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
