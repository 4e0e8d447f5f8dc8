/* Making keys and changing them: create, import, rotate, release policy. */
#include "internal.h"

#include <skrfs/policy/policy.h>
#include <string.h>

#define BODY_MAX (SKRFS_POLICY_MAX * 4)

static int set_size_and_curve(
        struct skrfs_json *json, const struct skrfs_key_wish *wish, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    if (wish->size && (skrfs_json_pack(&value, err, "i", (int)wish->size) < 0 ||
                              skrfs_json_set(json, "key_size", value, err) < 0))
        return -1;
    if (wish->curve && (skrfs_json_pack(&value, err, "s", wish->curve) < 0 ||
                               skrfs_json_set(json, "crv", value, err) < 0))
        return -1;
    return 0;
}

static int set_policy(struct skrfs_json *json, struct skrfs_bytes policy, bool immutable,
        struct skrfs_error *err) {
    skrfs_autobuf data = SKRFS_BUF(SKRFS_POLICY_MAX * 2);
    struct skrfs_json *value = NULL;
    if (policy.len == 0)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "a key that can be released needs a release policy");
    if (skrfs_base64_encode(SKRFS_BASE64URL, policy.data, policy.len, &data, err) < 0 ||
            skrfs_json_pack(&value, err, "{s:b, s:s}", "immutable", immutable ? 1 : 0, "data",
                    skrfs_buf_text(&data)) < 0)
        return -1;
    return skrfs_json_set(json, "release_policy", value, err);
}

static int set_exportable(struct skrfs_json *json, struct skrfs_error *err) {
    struct skrfs_json *attributes = NULL;
    if (skrfs_json_pack(&attributes, err, "{s:b}", "exportable", 1) < 0)
        return -1;
    return skrfs_json_set(json, "attributes", attributes, err);
}

int skrfs_key_create_body(
        const struct skrfs_key_wish *wish, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (skrfs_json_pack(&json, err, "{s:s}", "kty", wish->kty) < 0 ||
            set_size_and_curve(json, wish, err) < 0 || set_exportable(json, err) < 0 ||
            set_policy(json, wish->policy, wish->immutable, err) < 0)
        return -1;
    return skrfs_json_print(json, false, out, err);
}

int skrfs_cloud_key_create(struct skrfs_cloud *cloud, size_t vault,
        const struct skrfs_key_wish *wish, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(URL_MAX), body = SKRFS_BUF(BODY_MAX);
    if (skrfs_vault_path(wish->name, NULL, "create", &path, err) < 0 ||
            skrfs_key_create_body(wish, &body, err) < 0)
        return -1;
    const struct vault_call call = {
            .once = true,
            .method = "POST",
            .path = skrfs_buf_text(&path),
            .body = skrfs_buf_bytes(&body),
            .answer_max = SMALL_ANSWER_MAX * 2,
            .what = "create the key",
            .name = wish->name,
    };
    return skrfs_key_call(cloud, vault, &call, deadline_ns, ret_key, err);
}

/* The JWK's members behind its type, which is the vault's own word ("RSA-HSM") in the request. */
static int jwk_rest(
        const struct skrfs_secret *jwk, struct skrfs_bytes *ret_rest, struct skrfs_error *err) {
    static const char front[] = "{\"kty\":\"";
    const uint8_t *data = skrfs_secret_data(jwk);
    size_t len = skrfs_secret_len(jwk), front_len = strlen(front);
    while (len && (data[len - 1] == '\n' || data[len - 1] == ' '))
        len--;
    const uint8_t *quote = len > front_len && memcmp(data, front, front_len) == 0
                                   ? memchr(data + front_len, '"', len - front_len)
                                   : NULL;
    if (!quote || data[len - 1] != '}')
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a key to import is no JWK as it is written here");
    *ret_rest = (struct skrfs_bytes){quote, len - (size_t)(quote - data)};
    return 0;
}

static int import_head(const char *kty, struct skrfs_buf *out, struct skrfs_error *err) {
    if (!*kty ||
            strspn(kty, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") != strlen(kty))
        return skrfs_fail(err, SKRFS_CLASS_BUG, "'%.40s' is no type of key", kty);
    return skrfs_buf_printf(out, err, "{\"Hsm\":true,\"key\":{\"kty\":\"%s", kty);
}

/* What follows the key: ",\"attributes\":...}" */
static int import_tail(
        const struct skrfs_key_wish *wish, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    skrfs_autobuf text = SKRFS_BUF(BODY_MAX);
    if (skrfs_json_pack(&json, err, "{}") < 0 || set_exportable(json, err) < 0 ||
            set_policy(json, wish->policy, wish->immutable, err) < 0 ||
            skrfs_json_print(json, false, &text, err) < 0 ||
            skrfs_buf_append_text(out, ",", err) < 0)
        return -1;
    return skrfs_buf_append(out, text.data + 1, text.len - 1, err);
}

int skrfs_key_import_body(const struct skrfs_key_wish *wish, const struct skrfs_secret *jwk,
        struct skrfs_secret **ret_body, struct skrfs_error *err) {
    skrfs_autobuf head = SKRFS_BUF(256), tail = SKRFS_BUF(BODY_MAX);
    skrfs_autosecret *body = NULL;
    struct skrfs_bytes key;
    if (jwk_rest(jwk, &key, err) < 0 || import_head(wish->kty, &head, err) < 0 ||
            import_tail(wish, &tail, err) < 0)
        return -1;
    if (head.len + key.len + tail.len > SKRFS_SECRET_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the key and its policy are longer than the %zu octets of one secret",
                SKRFS_SECRET_MAX);
    if (skrfs_secret_new(head.len + key.len + tail.len, &body, err) < 0)
        return -1;
    uint8_t *space = skrfs_secret_space(body);
    memcpy(space, head.data, head.len);
    memcpy(space + head.len, key.data, key.len);
    memcpy(space + head.len + key.len, tail.data, tail.len);
    *ret_body = skrfs_take(body);
    return 0;
}

int skrfs_cloud_key_import(struct skrfs_cloud *cloud, size_t vault,
        const struct skrfs_key_wish *wish, const struct skrfs_secret *jwk, uint64_t deadline_ns,
        struct skrfs_vault_key *ret_key, struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(URL_MAX);
    skrfs_autosecret *body = NULL;
    if (skrfs_vault_path(wish->name, NULL, NULL, &path, err) < 0 ||
            skrfs_key_import_body(wish, jwk, &body, err) < 0)
        return -1;
    const struct vault_call call = {
            .once = true,
            .method = "PUT",
            .path = skrfs_buf_text(&path),
            .body = {skrfs_secret_data(body), skrfs_secret_len(body)},
            .answer_max = SMALL_ANSWER_MAX * 2,
            .what = "import the key",
            .name = wish->name,
    };
    return skrfs_key_call(cloud, vault, &call, deadline_ns, ret_key, err);
}

int skrfs_cloud_key_rotate(struct skrfs_cloud *cloud, size_t vault, const char *name,
        uint64_t deadline_ns, struct skrfs_vault_key *ret_key, struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(URL_MAX);
    if (skrfs_vault_path(name, NULL, "rotate", &path, err) < 0)
        return -1;
    const struct vault_call call = {
            .once = true,
            .method = "POST",
            .path = skrfs_buf_text(&path),
            .answer_max = SMALL_ANSWER_MAX * 2,
            .what = "rotate the key",
            .name = name,
    };
    return skrfs_key_call(cloud, vault, &call, deadline_ns, ret_key, err);
}

int skrfs_key_policy_body(
        struct skrfs_bytes policy, bool immutable, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (skrfs_json_pack(&json, err, "{}") < 0 || set_policy(json, policy, immutable, err) < 0)
        return -1;
    return skrfs_json_print(json, false, out, err);
}

/* On the key without a version: the service takes a policy nowhere else (AKV.SKR.1016). */
int skrfs_cloud_key_policy(struct skrfs_cloud *cloud, size_t vault, const char *name,
        struct skrfs_bytes policy, bool immutable, uint64_t deadline_ns,
        struct skrfs_vault_key *ret_key, struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(URL_MAX), body = SKRFS_BUF(BODY_MAX);
    if (skrfs_vault_path(name, NULL, NULL, &path, err) < 0 ||
            skrfs_key_policy_body(policy, immutable, &body, err) < 0)
        return -1;
    const struct vault_call call = {
            .method = "PATCH",
            .path = skrfs_buf_text(&path),
            .body = skrfs_buf_bytes(&body),
            .answer_max = SMALL_ANSWER_MAX * 2,
            .what = "change the key's policy",
            .name = name,
    };
    return skrfs_key_call(cloud, vault, &call, deadline_ns, ret_key, err);
}
