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
#define TENANT_MAX 128
#define ACCESS_TOKEN_MAX ((size_t)32 * 1024)
#define SMALL_ANSWER_MAX ((size_t)64 * 1024) /* IMDS, a key, a page of keys */
#define MAA_ANSWER_MAX ((size_t)256 * 1024)  /* a sealed token, base64 of base64 */
#define MAA_REQUEST_MAX ((size_t)4 * 1024 * 1024)
#define PROOF_MAX (SKRFS_PEM_MAX + SKRFS_TD_QUOTE_MAX) /* certificates or a TD quote */
#define URL_MAX ((size_t)2048)
#define KEPT_CHAINS 4

#define CACHE_URL "https://global.acccache.azure.net"
#define KDS_URL "https://kdsintf.amd.com"

/* One access token, shared by the vaults that ask for the same. */
struct token_slot {
    struct token_slot *next;
    unsigned users; /* vaults and calls under way; under the cloud's slots_lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool busy; /* somebody is fetching */
    enum skrfs_identity_kind identity;
    const char *identity_id, *client, *token_file, *secret;
    char tenant[TENANT_MAX]; /* "" for managed identities */
    char resource[RESOURCE_MAX];
    char *claims; /* the claims parameter's text; NULL: nothing is demanded */
    struct skrfs_buf token;
    uint64_t refresh_ns, expires_ns;
};

/* What a slot is for. */
struct token_wish {
    const struct skrfs_cloud_vault *config;
    const char *tenant, *resource;
    const char *claims; /* or NULL */
};

struct vault {
    struct skrfs_cloud_vault config;
    char resource[RESOURCE_MAX]; /* as configured, or by the host's suffix */
    /* Of the tenant and audience as last told; NULL while the tenant is not known, so that the
     * vault has to be asked. Under the cloud's slots_lock. */
    struct token_slot *slot;
};

/* A certificate chain that verified a report; a chip and its reported TCB have exactly one, a
 * loaded key is the cloud owner's for a TCB. One value: chain and TCB are never known apart. */
struct kept_chain {
    enum skrfs_snp_signer signer;
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
    struct skrfs_login login;
    pthread_mutex_t slots_lock;
    struct token_slot *slots;
    struct os_facts os;
    enum skrfs_cert_source certs[SKRFS_CERTS_SOURCES]; /* in this order */
    size_t certs_count;
    const char *cache, *kds;
    pthread_mutex_t chains_lock;
    struct kept_chain chains[KEPT_CHAINS];
    unsigned chains_next;
    /* What AMD publishes above the leaves, by product, of VCEKs and of VLEKs. */
    struct skrfs_buf issuers[SKRFS_SNP_TURIN + 1][2];
    uint64_t kds_rests_until_ns; /* AMD's service is not asked before */
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
/* Puts "(a token)" in the place of each JWT. */
void skrfs_tokens_hide(char *text);
/* NOT_FOUND, REJECTED, UNAVAILABLE or BAD_ANSWER. */
enum skrfs_class skrfs_status_class(long status);
/* Fails with "<text>: <service's words> (HTTP status, request id)". UNAVAILABLE is retryable. */
int skrfs_refusal_fail(const struct skrfs_http_answer *answer, enum skrfs_class kind,
        struct skrfs_error *err, const char *format, ...) SKRFS_PRINTF(4, 5);

/* slot.c: appends the access token. */
int skrfs_identity_token(struct skrfs_cloud *cloud, struct token_slot *slot, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Forgets the token if it still is this one. */
void skrfs_identity_drop(struct token_slot *slot, struct skrfs_bytes token);
/* Makes the slot for this the vault's. */
int skrfs_slot_assign(struct skrfs_cloud *cloud, struct vault *vault, const struct token_wish *wish,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The vault's slot for the time of a call, NULL when it has none; then given back. */
struct token_slot *skrfs_slot_use(struct skrfs_cloud *cloud, const struct vault *vault);
void skrfs_slot_release(struct skrfs_cloud *cloud, struct token_slot *slot);
/* When a token of this life is renewed, after now; `told_ns` 0: its issuer did not tell. */
uint64_t skrfs_token_refresh_after(uint64_t life_ns, uint64_t told_ns, bool managed);

/* clouds.c: `host` is a name below `suffix`. */
bool skrfs_host_below(const char *host, const char *suffix);

/* challenge.c: a parameter of the challenge of this scheme into `out`; false when there is none
 * that fits. */
bool skrfs_challenge_member(
        const char *header, const char *scheme, const char *name, char *out, size_t size);
/* What a vault's challenge asks for; "" for what it does not tell. */
struct challenge {
    char tenant[TENANT_MAX];
    char resource[RESOURCE_MAX];
    bool wants_claims;
    char claims[SKRFS_HTTP_CHALLENGE_MAX]; /* base64, as it came */
};
void skrfs_challenge_read(const char *header, struct challenge *ret_challenge);
/* The vault's host is below the resource's: a token for it may be shown there. */
bool skrfs_challenge_is_for(const char *resource, const char *vault_url);

/* vault_login.c: which tokens the vault takes, as far as that is known without asking it. */
int skrfs_vault_login_prepare(struct skrfs_cloud *cloud, struct vault *vault, const char *host,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A 401: makes ready for another attempt with what its challenge asks for. REJECTED for one that
 * may not be followed. `slot` is what the call was made with, NULL when without a token. */
int skrfs_vault_login_heed(struct skrfs_cloud *cloud, struct vault *vault,
        const struct token_slot *slot, const struct skrfs_http_answer *answer,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A 401 that is final. Returns -1. */
int skrfs_vault_login_refused(const struct vault *vault, const struct token_slot *slot,
        const struct skrfs_http_answer *answer, struct skrfs_error *err);

/* retry.c: what is tried again, and how. */
enum retry_of {
    RETRY_IDENTITY,     /* managed identities */
    RETRY_HOST,         /* certificates and quotes from the host */
    RETRY_HOST_ONCE,    /* the same where there is something else to try */
    RETRY_SERVICE,      /* MAA, vaults, Entra ID */
    RETRY_SERVICE_ONCE, /* the same where each time makes something anew */
    RETRY_CACHE,        /* Azure's certificate cache: another source comes next */
};                      /* AMD's key distribution service is never tried again at once: see kds.c */
struct skrfs_http_retry skrfs_retry(enum retry_of of);

/* certs.c: appends the PEM of the chain that verifies the report, from the configured sources, or
 * from THIM alone when `evidence` is NULL. */
int skrfs_certs_chain(struct skrfs_cloud *cloud, struct skrfs_bytes report,
        const struct skrfs_evidence *evidence, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_buf *ret_pem, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The chain's leaf signed the report and is made for its chip and TCB. */
int skrfs_certs_fit(struct skrfs_bytes report, struct skrfs_bytes pem,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Fails for a report that names no chip, of which nobody afar has certificates. */
int skrfs_certs_by_chip(const struct skrfs_snp *snp, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* thim.c: the chain that the host has for this report; one that does not fit is UNAVAILABLE. */
int skrfs_thim_fetch(struct skrfs_cloud *cloud, struct skrfs_bytes report,
        const struct skrfs_snp *snp, uint64_t deadline_ns, struct skrfs_buf *pem,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_thim_answer(struct skrfs_bytes body, struct skrfs_buf *pem, char ret_tcbm[17],
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* certs_local.c: PEM of what was found on the machine; NOT_FOUND when nothing was. */
int skrfs_certs_local(enum skrfs_cert_source source, struct skrfs_bytes found,
        struct skrfs_buf *pem, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* acccache.c */
int skrfs_cache_fetch(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, uint64_t deadline_ns,
        struct skrfs_buf *pem, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* PEM, or a document like THIM's: nothing is written down of it. */
int skrfs_cache_answer(
        struct skrfs_bytes body, struct skrfs_buf *pem, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* kds.c: the leaf alone. */
int skrfs_kds_fetch(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, uint64_t deadline_ns,
        struct skrfs_buf *pem, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Its path: product, chip and REPORTED TCB. */
int skrfs_kds_path(const struct skrfs_snp *snp, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* What is above leaves of this kind, and keeping it once it was seen to be so. */
int skrfs_kds_issuers(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, uint64_t deadline_ns,
        struct skrfs_buf *pem, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_kds_keep_issuers(
        struct skrfs_cloud *cloud, const struct skrfs_snp *snp, struct skrfs_bytes pem);

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
/* maa_hardware.c: that of the other kinds; `chain_pem` is of SNP alone. */
int skrfs_maa_hardware_request(const struct skrfs_evidence *evidence, struct skrfs_bytes chain_pem,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* maa_json.c: sets a member to base64 of the given kind (enum skrfs_base64). */
int skrfs_maa_encoded(enum skrfs_base64 kind, struct skrfs_bytes data, struct skrfs_json **ret_json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_maa_set(struct skrfs_json *object, const char *name, enum skrfs_base64 kind,
        struct skrfs_bytes data, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* maa_answer.c: a sealed token out of the answer to a confidential VM, and a token as it is out of
 * that to the others; `ret_sealed` is empty. */
int skrfs_maa_answer(struct skrfs_bytes body, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_maa_clear_answer(struct skrfs_bytes body, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* maa_refusal.c: says what the service's refusal means. Returns -1. */
int skrfs_maa_refused(const struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        const struct skrfs_http_answer *answer, struct skrfs_error *err);
/* "; the evidence has no ..." for evidence that the service takes and that will not do for
 * everything. */
const char *skrfs_maa_lacks(const struct skrfs_evidence *evidence);

/* vault.c: a call with an access token; an answer of 401 is tried once more with a new one. */
struct vault_call {
    bool once; /* makes something anew each time: not repeated when it is unknown what came of it */
    const char *method;
    const char *path; /* "/keys/name?api-version=..." */
    struct skrfs_bytes body;
    size_t answer_max;
    const char *what, *name; /* "show the key", the key's name; for messages about keys */
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

/* forbidden.c: what a 403 is about, as far as its body tells. */
enum forbidden {
    FORBIDDEN_UNTOLD,
    FORBIDDEN_NETWORK, /* firewall or private link */
    FORBIDDEN_ROLE,
    FORBIDDEN_TOKEN,  /* the attestation token cannot be verified */
    FORBIDDEN_POLICY, /* the key's release policy */
};
enum forbidden skrfs_forbidden_kind(struct skrfs_bytes body);
/* A Managed HSM, by the audience of its tokens. */
bool skrfs_vault_is_hsm(const struct vault *vault);

/* explain.c: turns a release's 403 into what stands in the way. Returns -1. */
int skrfs_release_forbidden(struct skrfs_cloud *cloud, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, const struct skrfs_http_answer *answer,
        struct skrfs_error *err);
/* Which part of it the policy is: a sentence. `key` NULL: it could not be read. */
void skrfs_forbidden_reason(enum forbidden kind, const struct vault *vault,
        const struct skrfs_vault_key *key, struct skrfs_bytes token, char *out, size_t size);

/* key.c */
int skrfs_vault_key_parse(struct skrfs_bytes body, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A call whose answer of 200 is a key. */
int skrfs_key_call(struct skrfs_cloud *cloud, size_t vault, const struct vault_call *call,
        uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* key_refusal.c: says why a call about keys was refused. Returns -1. */
int skrfs_key_refuse(const struct vault *vault, const struct skrfs_http_answer *answer,
        const struct vault_call *call, struct skrfs_error *err);

/* key_write.c: the bodies of requests. `jwk` as skrfs_key_encode writes it. */
int skrfs_key_import_body(const struct skrfs_key_wish *wish, const struct skrfs_secret *jwk,
        struct skrfs_secret **ret_body, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_key_policy_body(struct skrfs_bytes policy, bool immutable, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_key_create_body(const struct skrfs_key_wish *wish, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* One page of a listing; appends the next page's path to `next` (empty at the end). */
int skrfs_key_page(struct skrfs_bytes body, const char *vault_url, skrfs_key_each_fn *each,
        void *context, struct skrfs_buf *next, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
