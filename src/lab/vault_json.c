/* What a vault tells of a key. */
#include "jwt.h"
#include "vault.h"

#include <skrfs/base/encode.h>
#include <stdio.h>

const char *skrfs_lab_kty(enum skrfs_key_type type, bool hsm) {
    static const char *const names[][2] = {
            [SKRFS_KEY_RSA] = {"RSA", "RSA-HSM"},
            [SKRFS_KEY_EC] = {"EC", "EC-HSM"},
            [SKRFS_KEY_OCT] = {"oct", "oct-HSM"},
    };
    return names[type][hsm];
}

static int set_integer(
        struct skrfs_json *json, const char *name, int64_t number, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    if (number == 0)
        return 0;
    if (skrfs_json_pack(&value, err, "I", number) < 0)
        return -1;
    return skrfs_json_set(json, name, value, err);
}

int skrfs_lab_attributes_json(const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (skrfs_json_pack(&json, err, "{s:b,s:I,s:I,s:s,s:i,s:b}", "enabled", (int)version->enabled,
                "created", version->created_s, "updated", version->updated_s, "recoveryLevel",
                "CustomizedRecoverable+Purgeable", "recoverableDays", 7, "exportable",
                (int)key->exportable) < 0 ||
            set_integer(json, "nbf", version->not_before_s, err) < 0 ||
            set_integer(json, "exp", version->expires_s, err) < 0)
        return -1;
    *ret_json = skrfs_take(json);
    return 0;
}

int skrfs_lab_policy_json(const struct skrfs_lab_key *key, bool content_type,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    struct skrfs_json *data = NULL;
    if (key->policy.len == 0) {
        *ret_json = NULL;
        return 0;
    }
    if (skrfs_lab_base64_json(SKRFS_BASE64URL, skrfs_buf_bytes(&key->policy), &data, err) < 0)
        return -1;
    if (!content_type)
        return skrfs_json_pack(
                ret_json, err, "{s:o,s:b}", "data", data, "immutable", (int)key->immutable);
    return skrfs_json_pack(ret_json, err, "{s:s,s:o,s:b}", "contentType", key->content_type, "data",
            data, "immutable", (int)key->immutable);
}

/* The public JWK, with kid and key_ops. */
static int key_json(const struct skrfs_lab_vault *vault, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    char kid[512];
    const char *kty = skrfs_lab_kty(version->public.type, version->hsm);
    skrfs_autojson *jwk = NULL;
    struct skrfs_json *ops = NULL;
    struct skrfs_json *id = NULL;
    (void)snprintf(kid, sizeof(kid), "%s/keys/%s/%s", vault->url, key->name, version->id);
    int rc = version->public.type == SKRFS_KEY_OCT
                     ? skrfs_json_pack(&jwk, err, "{s:s}", "kty", kty)
                     : skrfs_lab_jwk(&version->public, kty, !vault->hsm && version->hsm, &jwk, err);
    if (rc < 0 || skrfs_json_pack(&id, err, "s", kid) < 0 ||
            skrfs_json_set(jwk, "kid", id, err) < 0 ||
            skrfs_json_copy(version->ops, &ops, err) < 0 ||
            skrfs_json_set(jwk, "key_ops", ops, err) < 0)
        return -1;
    *ret_json = skrfs_take(jwk);
    return 0;
}

static int set_owned(struct skrfs_json *json, const char *name, int rc, struct skrfs_json *value,
        struct skrfs_error *err) {
    if (rc < 0)
        return -1;
    return value ? skrfs_json_set(json, name, value, err) : 0;
}

int skrfs_lab_bundle_json(const struct skrfs_lab_vault *vault, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    skrfs_autojson *bundle = NULL;
    struct skrfs_json *part = NULL;
    if (skrfs_json_pack(&bundle, err, "{}") < 0)
        return -1;
    int rc = key_json(vault, key, version, &part, err);
    if (set_owned(bundle, "key", rc, part, err) < 0)
        return -1;
    rc = skrfs_lab_attributes_json(key, version, &part, err);
    if (set_owned(bundle, "attributes", rc, part, err) < 0)
        return -1;
    part = NULL;
    rc = version->tags ? skrfs_json_copy(version->tags, &part, err) : 0;
    if (set_owned(bundle, "tags", rc, part, err) < 0)
        return -1;
    rc = skrfs_lab_policy_json(key, true, &part, err);
    if (set_owned(bundle, "release_policy", rc, part, err) < 0)
        return -1;
    *ret_json = skrfs_take(bundle);
    return 0;
}
