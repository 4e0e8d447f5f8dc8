/* Azure, as the courier speaks to it: certificates from THIM, quotes from IMDS, tokens from MAA and
 * Entra ID, keys from Key Vault and Managed HSM. Holds access tokens and connections, never a key.
 * Thread safe. */
#ifndef SKRFS_AZURE_CLOUD_H
#define SKRFS_AZURE_CLOUD_H

#include <skrfs/base/trace.h>
#include <skrfs/crypto/wrap.h>
#include <skrfs/evidence/evidence.h>
#include <skrfs/http/http.h>
#include <skrfs/json/json.h>

#define SKRFS_IMDS_URL "http://169.254.169.254"
#define SKRFS_ARC_DIR "/var/opt/azcmagent/tokens"
#define SKRFS_VAULT_API_VERSION "7.4"
#define SKRFS_JWS_MAX ((size_t)128 * 1024)
#define SKRFS_KID_MAX 512      /* a key identifier: https://host/keys/name/version */
#define SKRFS_KEY_NAME_MAX 128 /* [0-9a-zA-Z-]+ */
#define SKRFS_KEY_VERSION_MAX 33

struct skrfs_cloud;

enum skrfs_identity_kind {
    SKRFS_IDENTITY_SYSTEM,      /* "system" */
    SKRFS_IDENTITY_CLIENT_ID,   /* "client-id:<uuid>" */
    SKRFS_IDENTITY_OBJECT_ID,   /* "object-id:<uuid>" */
    SKRFS_IDENTITY_RESOURCE_ID, /* "resource-id:/subscriptions/..." */
    SKRFS_IDENTITY_WORKLOAD,    /* "workload": a federated token, read anew at each login */
    SKRFS_IDENTITY_SECRET,      /* "secret-file:PATH": a client secret, read anew at each login */
    SKRFS_IDENTITY_CERTIFICATE, /* "certificate-file:PATH": PEM, certificate and private key */
};

/* The first four: asked for at an endpoint of this machine. */
bool skrfs_identity_is_managed(enum skrfs_identity_kind kind);

/* Where they are asked for. */
enum skrfs_managed {
    SKRFS_MANAGED_IMDS,        /* the instance metadata service */
    SKRFS_MANAGED_APP_SERVICE, /* App Service, ACI, Container Apps: IDENTITY_ENDPOINT and _HEADER */
    SKRFS_MANAGED_ARC,         /* Azure Arc: IDENTITY_ENDPOINT and IMDS_ENDPOINT */
};

/* How this process logs in. Strings borrowed for the life of the cloud. */
struct skrfs_login {
    enum skrfs_managed managed;
    const char *endpoint;  /* of app-service and arc */
    const char *header;    /* app-service: X-IDENTITY-HEADER; a secret */
    const char *arc_dir;   /* arc: where its key files must be; NULL: SKRFS_ARC_DIR */
    const char *authority; /* https://login.microsoftonline.com when NULL */
};

/* A cloud by name: "public", "china", "usgov". */
struct skrfs_cloud_names {
    const char *name, *authority;
    const char *vault_suffix, *hsm_suffix; /* "vault.azure.net" */
};
/* NULL for a name that is none. */
const struct skrfs_cloud_names *skrfs_cloud_by_name(const char *name);

/* All strings borrowed for the life of the cloud. */
struct skrfs_cloud_vault {
    const char *name;     /* as configured */
    const char *url;      /* https://contoso.vault.azure.net, no trailing slash */
    const char *resource; /* audience; NULL: from the host's suffix */
    enum skrfs_identity_kind identity;
    const char *identity_id;     /* NULL for system and workload; the path for the last two */
    const char *tenant, *client; /* workload, secret, certificate; tenant NULL: as the vault's
                                    challenge says */
    const char *token_file;      /* workload */
    const char *secret;          /* secret: its text, where identity_id is NULL */
};

struct skrfs_cloud_options {
    const char *attestation_url; /* https://...; its host is what counts */
    const char *imds_url;        /* NULL: SKRFS_IMDS_URL */
    const struct skrfs_cloud_vault *vaults;
    size_t vault_count;
    struct skrfs_login login;
    enum skrfs_cert_source certificates[SKRFS_CERTS_SOURCES]; /* of SNP reports, in this order */
    size_t certificate_count;        /* 0: context report file thim cache kds */
    const char *cache_url, *kds_url; /* NULL: the real ones */
    struct skrfs_http_options http;
};

int skrfs_cloud_new(const struct skrfs_cloud_options *options, struct skrfs_cloud **ret_cloud,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_cloud_free(struct skrfs_cloud *cloud);
/* Wipes access tokens that are no longer of use. Thread safe. */
void skrfs_cloud_tend(struct skrfs_cloud *cloud);
SKRFS_DEFINE_CLEANUP(struct skrfs_cloud, skrfs_cloud_free)

/* The audience of a vault's host by its suffix (public, China, US government); CONFIG for an
 * unknown one. */
int skrfs_vault_resource(
        const char *host, char *out, size_t size, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Parses the `identity =` text. `*ret_id` points into `text`, NULL for system. CONFIG when it is
 * none. */
int skrfs_identity_parse(const char *text, enum skrfs_identity_kind *ret_kind, const char **ret_id,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Attests. A confidential VM: VCEK chain from THIM (kept by chip and reported TCB, used only when
 * it verifies this report) or TD quote from IMDS, then MAA's AzureGuest. An SNP guest: the chain
 * from the first source whose chain verifies this report, then SevSnpVm. A TD and an enclave:
 * TdxVm, SgxEnclave. REJECTED when the service refuses the evidence. When no source has
 * certificates that fit the report it is UNAVAILABLE and retryable; its errnum is ESTALE when the
 * host has some of another TCB, so that a report asked for anew may fit. */
int skrfs_cloud_attest(struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Three parts of base64url, none empty, within SKRFS_TOKEN_MAX (RFC 7515, section 7.1): nothing of
 * what is in them is looked at. */
bool skrfs_token_has_form(struct skrfs_bytes token);

/* What a token says of itself; nothing in it is verified (the vault does). */
struct skrfs_token_info {
    int64_t not_after_s;     /* exp */
    struct skrfs_buf claims; /* the payload's JSON text */
};
void skrfs_token_info_done(struct skrfs_token_info *info);
int skrfs_token_inspect(struct skrfs_bytes token, struct skrfs_token_info *ret_info,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

struct skrfs_release_ask {
    size_t vault; /* index into the options' vaults */
    const char *name;
    const char *version; /* NULL: the current one */
    const char *nonce;
    enum skrfs_enc enc;
    struct skrfs_bytes token;
};
/* Asks for the release; the answer's JWS (not looked into) is appended to `ret_jws`. On 403 the
 * key's policy is read and held against the token's claims, so that the message names the claim,
 * the role or says which it cannot tell: REJECTED. 404 is NOT_FOUND; 429 and 5xx after the retries
 * are UNAVAILABLE. */
int skrfs_cloud_release(struct skrfs_cloud *cloud, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The public part of a key as the vault tells it. */
struct skrfs_vault_key {
    char kid[SKRFS_KID_MAX]; /* always with a version */
    struct skrfs_public public;
    bool exportable, enabled;
    int64_t not_before_s, expires_s, created_s, updated_s; /* 0: not set */
    char kty[16];                                          /* as told: "RSA-HSM" */
    char ops[128];                                         /* key_ops, joined by spaces */
    struct skrfs_buf policy; /* release policy text; empty when none */
    bool policy_immutable;
};
void skrfs_vault_key_done(struct skrfs_vault_key *key);
#define skrfs_autovaultkey SKRFS_CLEANUP(skrfs_vault_key_done) struct skrfs_vault_key
/* GET of a key; `version` NULL: the current one. `ret_key` must be zeroed or done. */
int skrfs_cloud_key_show(struct skrfs_cloud *cloud, size_t vault, const char *name,
        const char *version, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

struct skrfs_key_wish {
    const char *name;
    const char *kty;           /* "RSA-HSM", "EC-HSM", "oct-HSM", ... */
    unsigned size;             /* bits, RSA and oct; 0: the service's default */
    const char *curve;         /* EC */
    struct skrfs_bytes policy; /* release policy, comments removed */
    bool immutable;
};
/* Creates an exportable key with its release policy. */
int skrfs_cloud_key_create(struct skrfs_cloud *cloud, size_t vault,
        const struct skrfs_key_wish *wish, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Puts key material of the caller's in: `jwk` is a private JWK as skrfs_key_encode writes it, in
 * secret memory until libcurl sends it. Its type becomes the wish's; size and curve are its own. */
int skrfs_cloud_key_import(struct skrfs_cloud *cloud, size_t vault,
        const struct skrfs_key_wish *wish, const struct skrfs_secret *jwk, uint64_t deadline_ns,
        struct skrfs_vault_key *ret_key, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A new version of the key, with its policy. */
int skrfs_cloud_key_rotate(struct skrfs_cloud *cloud, size_t vault, const char *name,
        uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Replaces the release policy; an immutable one is REJECTED. `immutable` makes it so for ever. */
int skrfs_cloud_key_policy(struct skrfs_cloud *cloud, size_t vault, const char *name,
        struct skrfs_bytes policy, bool immutable, uint64_t deadline_ns,
        struct skrfs_vault_key *ret_key, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Calls `each` for every key of the vault (all pages): its kid without version, whether enabled. */
typedef int skrfs_key_each_fn(
        void *context, const char *kid, bool enabled, struct skrfs_error *err);
int skrfs_cloud_key_list(struct skrfs_cloud *cloud, size_t vault, uint64_t deadline_ns,
        skrfs_key_each_fn *each, void *context, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Public members from a JWK (kty of either spelling, leading zeros of n and e dropped). */
int skrfs_jwk_public(const struct skrfs_json *jwk, struct skrfs_public *ret_public,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
