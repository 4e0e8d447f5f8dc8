#include "vault.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Creations and releases of HSM and of software keys that a vault takes in a window. */
#define WINDOW_NS (10 * SKRFS_SECOND_NS)
static const size_t throttle_limit[2] = {10, 20};

void skrfs_lab_key_wish_init(struct skrfs_lab_key_wish *wish) {
    *wish = (struct skrfs_lab_key_wish){.enabled = true,
            .policy = SKRFS_BUF(SKRFS_POLICY_MAX),
            .content_type = "application/json; charset=utf-8"};
}

void skrfs_lab_key_wish_done(struct skrfs_lab_key_wish *wish) {
    skrfs_buf_done(&wish->policy);
    skrfs_json_free(wish->ops);
    skrfs_json_free(wish->tags);
    skrfs_pkey_free(wish->key);
    skrfs_secret_unref(wish->oct);
    *wish = (struct skrfs_lab_key_wish){0};
}

static int make_oct(unsigned bits, struct skrfs_secret **ret_oct, struct skrfs_error *err) {
    skrfs_autosecret *oct = NULL;
    if (skrfs_secret_new(bits / 8, &oct, err) < 0 ||
            skrfs_random(skrfs_secret_space(oct), bits / 8, err) < 0)
        return -1;
    *ret_oct = skrfs_take(oct);
    return 0;
}

static int make_material(struct skrfs_lab_key_wish *wish, struct skrfs_error *err) {
    if (wish->key || wish->oct)
        return 0;
    if (wish->type == SKRFS_KEY_RSA)
        return skrfs_pkey_new_rsa(wish->size, &wish->key, err);
    if (wish->type == SKRFS_KEY_EC)
        return skrfs_pkey_new_ec(wish->curve, &wish->key, err);
    return make_oct(wish->size, &wish->oct, err);
}

static int new_id(char out[33], struct skrfs_error *err) {
    uint8_t id[16];
    if (skrfs_random(id, sizeof(id), err) < 0)
        return -1;
    skrfs_hex_encode(id, sizeof(id), out);
    return 0;
}

static int default_ops(
        enum skrfs_key_type type, struct skrfs_json **ret_ops, struct skrfs_error *err) {
    if (type == SKRFS_KEY_RSA)
        return skrfs_json_pack(ret_ops, err, "[s,s,s,s,s,s]", "encrypt", "decrypt", "sign",
                "verify", "wrapKey", "unwrapKey");
    if (type == SKRFS_KEY_EC)
        return skrfs_json_pack(ret_ops, err, "[s,s]", "sign", "verify");
    return skrfs_json_pack(ret_ops, err, "[s,s,s,s]", "encrypt", "decrypt", "wrapKey", "unwrapKey");
}

/* Moves the wish's material, made if it brought none, into the version. */
static int fill_version(struct skrfs_lab_version *version, struct skrfs_lab_key_wish *wish,
        struct skrfs_error *err) {
    if (make_material(wish, err) < 0 || new_id(version->id, err) < 0 ||
            (!wish->ops && default_ops(wish->type, &wish->ops, err) < 0))
        return -1;
    /* Kept as octets: many live keys would not fit the cryptographic library's locked memory. */
    version->public.type = SKRFS_KEY_OCT;
    version->plain = skrfs_take(wish->oct);
    if (wish->key && (skrfs_pkey_public(wish->key, &version->public, err) < 0 ||
                             skrfs_pkey_pkcs8(wish->key, &version->plain, err) < 0))
        return -1;
    version->ops = skrfs_take(wish->ops);
    version->tags = skrfs_take(wish->tags);
    return 0;
}

int skrfs_lab_version_new(struct skrfs_lab_key_wish *wish, struct skrfs_lab_version **ret_version,
        struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_lab_version_free_p)
    struct skrfs_lab_version *version = calloc(1, sizeof(*version));
    if (!version)
        return skrfs_fail_memory(err);
    if (fill_version(version, wish, err) < 0)
        return -1;
    version->hsm = wish->hsm;
    version->enabled = wish->enabled;
    version->not_before_s = wish->not_before_s;
    version->expires_s = wish->expires_s;
    version->created_s = version->updated_s = wish->created_s ? wish->created_s : skrfs_wall_s();
    *ret_version = skrfs_take(version);
    return 0;
}

void skrfs_lab_version_free(struct skrfs_lab_version *version) {
    if (!version)
        return;
    skrfs_secret_unref(version->plain);
    skrfs_json_free(version->ops);
    skrfs_json_free(version->tags);
    free(version);
}

static void key_free(struct skrfs_lab_key *key) {
    for (size_t i = 0; i < key->version_count; i++)
        skrfs_lab_version_free(key->versions[i]);
    free((void *)key->versions);
    skrfs_buf_done(&key->policy);
    free(key);
}

void skrfs_lab_vault_done(struct skrfs_lab_vault *vault) {
    for (size_t i = 0; i < vault->key_count; i++)
        key_free(vault->keys[i]);
    free((void *)vault->keys);
    vault->keys = NULL;
    vault->key_count = vault->key_room = 0;
}

/* Names are not case-sensitive; keys are kept in their order. Returns where the name is or belongs.
 */
static size_t place_of(const struct skrfs_lab_vault *vault, const char *name, bool *ret_found) {
    size_t low = 0;
    size_t high = vault->key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcasecmp(vault->keys[middle]->name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

struct skrfs_lab_key *skrfs_lab_key_find(const struct skrfs_lab_vault *vault, const char *name) {
    bool found = false;
    size_t place = place_of(vault, name, &found);
    return found && vault->keys[place]->deleted_s == 0 ? vault->keys[place] : NULL;
}

struct skrfs_lab_key *skrfs_lab_key_find_deleted(
        const struct skrfs_lab_vault *vault, const char *name) {
    bool found = false;
    size_t place = place_of(vault, name, &found);
    return found && vault->keys[place]->deleted_s != 0 ? vault->keys[place] : NULL;
}

void skrfs_lab_key_purge(struct skrfs_lab_vault *vault, const char *name) {
    bool found = false;
    size_t place = place_of(vault, name, &found);
    if (!found)
        return;
    key_free(vault->keys[place]);
    vault->key_count--;
    memmove((void *)(vault->keys + place), (const void *)(vault->keys + place + 1),
            (vault->key_count - place) * sizeof(struct skrfs_lab_key *));
}

struct skrfs_lab_version *skrfs_lab_version_find(const struct skrfs_lab_key *key, const char *id) {
    if (key->version_count == 0)
        return NULL;
    if (!id || !*id)
        return key->versions[key->version_count - 1];
    for (size_t i = 0; i < key->version_count; i++)
        if (strcasecmp(key->versions[i]->id, id) == 0)
            return key->versions[i];
    return NULL;
}

static int make_room(struct skrfs_lab_vault *vault, struct skrfs_error *err) {
    if (vault->key_count < vault->key_room)
        return 0;
    if (vault->key_count >= SKRFS_LAB_KEYS_MAX)
        return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "the vault is full");
    size_t room = vault->key_room ? vault->key_room * 2 : 64;
    void *keys = realloc((void *)vault->keys, room * sizeof(struct skrfs_lab_key *));
    if (!keys)
        return skrfs_fail_memory(err);
    vault->keys = keys;
    vault->key_room = room;
    return 0;
}

int skrfs_lab_key_need(struct skrfs_lab_vault *vault, const char *name,
        struct skrfs_lab_key **ret_key, struct skrfs_error *err) {
    bool found = false;
    size_t place = place_of(vault, name, &found);
    if (found) {
        *ret_key = vault->keys[place];
        return 0;
    }
    if (make_room(vault, err) < 0)
        return -1;
    struct skrfs_lab_key *key = calloc(1, sizeof(*key));
    if (!key)
        return skrfs_fail_memory(err);
    (void)snprintf(key->name, sizeof(key->name), "%s", name);
    key->policy = SKRFS_BUF(SKRFS_POLICY_MAX);
    memmove((void *)(vault->keys + place + 1), (const void *)(vault->keys + place),
            (vault->key_count - place) * sizeof(struct skrfs_lab_key *));
    vault->keys[place] = key;
    vault->key_count++;
    *ret_key = key;
    return 0;
}

int skrfs_lab_key_add(
        struct skrfs_lab_key *key, struct skrfs_lab_version *version, struct skrfs_error *err) {
    void *versions =
            key->version_count < SKRFS_LAB_VERSIONS_MAX
                    ? realloc((void *)key->versions,
                              (key->version_count + 1) * sizeof(struct skrfs_lab_version *))
                    : NULL;
    if (!versions) {
        skrfs_lab_version_free(version);
        return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "no room for another version");
    }
    key->versions = versions;
    key->versions[key->version_count++] = version;
    return 0;
}

bool skrfs_lab_vault_admit(struct skrfs_lab_vault *vault, bool hsm_key, unsigned *ret_wait_s) {
    uint64_t *recent = vault->recent_ns[hsm_key ? 0 : 1];
    size_t limit = throttle_limit[hsm_key ? 0 : 1];
    uint64_t now = skrfs_now_ns();
    uint64_t free_at = recent[0] + WINDOW_NS;
    if (recent[0] != 0 && free_at > now) {
        *ret_wait_s = (unsigned)((free_at - now) / SKRFS_SECOND_NS) + 1;
        return false;
    }
    memmove(recent, recent + 1, (limit - 1) * sizeof(*recent));
    recent[limit - 1] = now;
    return true;
}
