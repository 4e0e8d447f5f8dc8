/* The keys of the lab's vault and Managed HSM, in memory. The caller holds the lab's lock. */
#ifndef SKRFS_LAB_VAULT_H
#define SKRFS_LAB_VAULT_H

#include <skrfs/crypto/pkey.h>
#include <skrfs/json/json.h>
#include <skrfs/policy/policy.h>

#define SKRFS_LAB_KEYS_MAX 200000
#define SKRFS_LAB_VERSIONS_MAX 100
#define SKRFS_LAB_KEY_NAME_MAX 128
#define SKRFS_LAB_THROTTLE_MAX 20

/* One version's material and attributes. */
struct skrfs_lab_version {
    char id[33];
    struct skrfs_secret *plain; /* PKCS#8 DER, or the octets of an oct key */
    struct skrfs_public public; /* also says the type */
    bool hsm, enabled;
    int64_t created_s, updated_s, not_before_s, expires_s; /* the last two 0 when not set */
    struct skrfs_json *ops;                                /* key_ops */
    struct skrfs_json *tags;                               /* or NULL */
};

struct skrfs_lab_key {
    char name[SKRFS_LAB_KEY_NAME_MAX + 1];
    bool exportable, immutable;
    struct skrfs_buf policy; /* as the service keeps it; empty when none */
    char content_type[128];
    struct skrfs_lab_version **versions; /* oldest first */
    size_t version_count;
    int64_t deleted_s, purge_s; /* 0: not deleted */
};

struct skrfs_lab_vault {
    bool hsm; /* Managed HSM */
    char url[128];
    char resource[64];
    struct skrfs_lab_key **keys;
    size_t key_count, key_room;
    uint64_t recent_ns[2][SKRFS_LAB_THROTTLE_MAX]; /* creations and releases: [0] HSM keys, [1]
                                                      software */
};

/* What a creation or an import asks for. */
struct skrfs_lab_key_wish {
    enum skrfs_key_type type;
    enum skrfs_curve curve;
    unsigned size; /* bits; RSA and oct */
    bool hsm, exportable, enabled, immutable;
    bool exportable_given;
    int64_t not_before_s, expires_s, created_s;
    bool policy_given;
    struct skrfs_buf policy; /* as it will be kept */
    char content_type[128];
    struct skrfs_json *ops, *tags;
    struct skrfs_pkey *key;   /* import */
    struct skrfs_secret *oct; /* import */
};
void skrfs_lab_key_wish_init(struct skrfs_lab_key_wish *wish);
void skrfs_lab_key_wish_done(struct skrfs_lab_key_wish *wish);
#define skrfs_autowish SKRFS_CLEANUP(skrfs_lab_key_wish_done) struct skrfs_lab_key_wish

struct skrfs_lab_answer;
/* Takes a creation's, an import's or an update's body apart. -1 with `answer` refused. */
int skrfs_lab_create_decode(bool hsm, struct skrfs_bytes body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) SKRFS_MUST_CHECK;
int skrfs_lab_import_decode(bool hsm, struct skrfs_bytes body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) SKRFS_MUST_CHECK;
/* The members that all three have: attributes, tags, key_ops, release_policy. */
int skrfs_lab_common_decode(bool hsm, const struct skrfs_json *body,
        struct skrfs_lab_key_wish *wish, struct skrfs_lab_answer *answer) SKRFS_MUST_CHECK;
/* A private JWK into the wish's key or oct. */
int skrfs_lab_jwk_private(const struct skrfs_json *jwk, struct skrfs_lab_key_wish *wish,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A version with new material, or the wish's own. */
int skrfs_lab_version_new(struct skrfs_lab_key_wish *wish, struct skrfs_lab_version **ret_version,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_lab_version_free(struct skrfs_lab_version *version);
SKRFS_DEFINE_CLEANUP(struct skrfs_lab_version, skrfs_lab_version_free)

/* NULL when there is none, or when it is deleted. */
struct skrfs_lab_key *skrfs_lab_key_find(const struct skrfs_lab_vault *vault, const char *name);
/* A deleted key that can be recovered. */
struct skrfs_lab_key *skrfs_lab_key_find_deleted(
        const struct skrfs_lab_vault *vault, const char *name);
/* `id` NULL or empty: the newest. */
struct skrfs_lab_version *skrfs_lab_version_find(const struct skrfs_lab_key *key, const char *id);
/* A key of this name, made if it is not there. */
int skrfs_lab_key_need(struct skrfs_lab_vault *vault, const char *name,
        struct skrfs_lab_key **ret_key, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Takes a deleted key away for good. */
void skrfs_lab_key_purge(struct skrfs_lab_vault *vault, const char *name);
/* Takes the version over. */
int skrfs_lab_key_add(struct skrfs_lab_key *key, struct skrfs_lab_version *version,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_lab_vault_done(struct skrfs_lab_vault *vault);

/* Notes a creation or release; false when it is one too many, with the seconds to wait. */
bool skrfs_lab_vault_admit(struct skrfs_lab_vault *vault, bool hsm_key, unsigned *ret_wait_s);

/* The JSON of a key's attributes, of its release policy (NULL when none), of its bundle. */
int skrfs_lab_attributes_json(const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, struct skrfs_json **ret_json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_lab_policy_json(const struct skrfs_lab_key *key, bool content_type,
        struct skrfs_json **ret_json, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_lab_bundle_json(const struct skrfs_lab_vault *vault, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, struct skrfs_json **ret_json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A deleted key's: with `whole` its bundle, otherwise as lists have it. */
int skrfs_lab_deleted_json(const struct skrfs_lab_vault *vault, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, bool whole, struct skrfs_json **ret_json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
const char *skrfs_lab_kty(enum skrfs_key_type type, bool hsm);

#endif
