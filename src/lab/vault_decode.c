/* The bodies of creations, imports and updates. */
#include "http.h"
#include "vault.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BODY_MAX ((size_t)512 * 1024)

static int bad(struct skrfs_lab_answer *answer, const char *message) {
    return skrfs_lab_refuse(answer, 400, "BadParameter", "%s", message);
}

/* A failed parse of the body is the client's fault. */
static int bad_body(struct skrfs_lab_answer *answer, const struct skrfs_error *err) {
    return bad(answer, err->message);
}

static int parse_body(
        struct skrfs_bytes body, struct skrfs_json **ret_json, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autojson *json = NULL;
    if (skrfs_json_parse((const char *)body.data, body.len, BODY_MAX, &json, &err) < 0)
        return bad_body(answer, &err);
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT)
        return bad(answer, "The request body is not an object");
    *ret_json = skrfs_take(json);
    return 0;
}

static int want_flag(const struct skrfs_json *json, const char *name, bool *value, bool *ret_given,
        struct skrfs_lab_answer *answer) {
    const struct skrfs_json *flag = skrfs_json_get(json, name);
    enum skrfs_json_kind kind = flag ? skrfs_json_kind(flag) : SKRFS_JSON_NULL;
    if (kind == SKRFS_JSON_NULL)
        return 0;
    if (kind != SKRFS_JSON_TRUE && kind != SKRFS_JSON_FALSE)
        return skrfs_lab_refuse(
                answer, 400, "BadParameter", "Property %s is neither true nor false", name);
    *value = kind == SKRFS_JSON_TRUE;
    if (ret_given)
        *ret_given = true;
    return 0;
}

static int want_time(const struct skrfs_json *json, const char *name, int64_t *value,
        struct skrfs_lab_answer *answer) {
    const struct skrfs_json *number = skrfs_json_get(json, name);
    if (!number || skrfs_json_kind(number) == SKRFS_JSON_NULL)
        return 0;
    if (skrfs_json_kind(number) != SKRFS_JSON_INTEGER || skrfs_json_integer(number) < 0)
        return skrfs_lab_refuse(
                answer, 400, "BadParameter", "Property %s is no time in seconds", name);
    *value = skrfs_json_integer(number);
    return 0;
}

static int decode_attributes(const struct skrfs_json *body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    const struct skrfs_json *attributes = skrfs_json_get(body, "attributes");
    if (!attributes)
        return 0;
    if (skrfs_json_kind(attributes) != SKRFS_JSON_OBJECT)
        return bad(answer, "Property attributes is not an object");
    if (want_flag(attributes, "enabled", &wish->enabled, NULL, answer) < 0 ||
            want_flag(attributes, "exportable", &wish->exportable, &wish->exportable_given,
                    answer) < 0 ||
            want_time(attributes, "nbf", &wish->not_before_s, answer) < 0 ||
            want_time(attributes, "exp", &wish->expires_s, answer) < 0)
        return -1;
    if (wish->not_before_s && wish->expires_s && wish->not_before_s >= wish->expires_s)
        return bad(answer, "Property nbf is not before exp");
    return 0;
}

static int decode_ops(const struct skrfs_json *body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    static const char *const known[] = {
            "encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey", "import", "export"};
    const struct skrfs_json *ops = skrfs_json_get(body, "key_ops");
    struct skrfs_error err;
    if (!ops || skrfs_json_kind(ops) == SKRFS_JSON_NULL)
        return 0;
    if (skrfs_json_kind(ops) != SKRFS_JSON_ARRAY)
        return bad(answer, "Property key_ops is not an array");
    for (size_t i = 0; i < skrfs_json_size(ops); i++) {
        const char *op = skrfs_json_string(skrfs_json_at(ops, i));
        size_t k = 0;
        while (op && k < SKRFS_ARRAY_LEN(known) && strcmp(known[k], op) != 0)
            k++;
        if (!op || k == SKRFS_ARRAY_LEN(known))
            return bad(answer, "Property key_ops has an unknown operation");
    }
    skrfs_json_free(skrfs_take(wish->ops));
    return skrfs_json_copy(ops, &wish->ops, &err) < 0 ? skrfs_lab_broken(answer, &err) : 0;
}

static int decode_tags(const struct skrfs_json *body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    const struct skrfs_json *tags = skrfs_json_get(body, "tags");
    const struct skrfs_json *value = NULL;
    const char *name = NULL;
    void *iterator = NULL;
    struct skrfs_error err;
    if (!tags || skrfs_json_kind(tags) == SKRFS_JSON_NULL)
        return 0;
    if (skrfs_json_kind(tags) != SKRFS_JSON_OBJECT || skrfs_json_size(tags) > 15)
        return bad(answer, "Property tags is not an object of at most 15 members");
    while (skrfs_json_next(tags, &iterator, &name, &value))
        if (!skrfs_json_string(value))
            return bad(answer, "Property tags has a value that is no text");
    return skrfs_json_copy(tags, &wish->tags, &err) < 0 ? skrfs_lab_broken(answer, &err) : 0;
}

/* The service asks each authority for its metadata when the policy is set. The lab reaches nobody:
 * it knows its own attestation service, and takes Azure's as being there. */
static bool authority_answers(const char *authority) {
    static const char *const suffixes[] = {".skrfs.localhost", ".attest.azure.net"};
    if (strncmp(authority, "https://", 8) != 0)
        return false;
    const char *host = authority + 8;
    size_t len = strcspn(host, ":/");
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(suffixes); i++) {
        size_t tail = strlen(suffixes[i]);
        if (len > tail && strncasecmp(host + len - tail, suffixes[i], tail) == 0)
            return true;
    }
    return false;
}

static int check_authorities(const struct skrfs_buf *text, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autojson *policy = NULL;
    if (skrfs_json_parse(skrfs_buf_text(text), text->len, SKRFS_POLICY_MAX, &policy, &err) < 0)
        return bad_body(answer, &err);
    const struct skrfs_json *authorities = skrfs_json_get(policy, "anyOf");
    for (size_t i = 0; i < skrfs_json_size(authorities); i++) {
        const struct skrfs_json *entry = skrfs_json_at(authorities, i);
        const char *authority = skrfs_json_string(skrfs_json_get(entry, "authority"));
        if (!authority || !authority_answers(authority))
            return bad(answer,
                    "AKV.SKR.1012: The attestation service of the release policy cannot be "
                    "reached");
    }
    return 0;
}

/* The vault keeps its own writing of a policy, the Managed HSM the octets that were sent. */
static int decode_policy(bool hsm, const struct skrfs_json *body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    const struct skrfs_json *json = skrfs_json_get(body, "release_policy");
    const char *type = NULL;
    struct skrfs_error err;
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = NULL;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
    if (!json || skrfs_json_kind(json) == SKRFS_JSON_NULL)
        return 0;
    if (want_flag(json, "immutable", &wish->immutable, NULL, answer) < 0)
        return -1;
    if (skrfs_json_need_base64(json, "data", SKRFS_BASE64URL, &text, &err) < 0 ||
            skrfs_json_want_string(json, "contentType", &type, &err) < 0 ||
            skrfs_policy_parse(skrfs_buf_text(&text), text.len, &policy, &err) < 0 ||
            skrfs_policy_served(policy, &err) < 0)
        return skrfs_lab_refuse(
                answer, 400, "BadParameter", "Invalid release policy: %s", err.message);
    if (check_authorities(&text, answer) < 0)
        return -1;
    if (type)
        skrfs_text_clean(type, strlen(type), wish->content_type, sizeof(wish->content_type));
    wish->policy_given = true;
    if (hsm)
        skrfs_buf_move(&wish->policy, &text);
    else if (skrfs_policy_print(policy, &wish->policy, &err) < 0)
        return skrfs_lab_broken(answer, &err);
    return 0;
}

int skrfs_lab_common_decode(bool hsm, const struct skrfs_json *body,
        struct skrfs_lab_key_wish *wish, struct skrfs_lab_answer *answer) {
    if (decode_attributes(body, wish, answer) < 0 || decode_ops(body, wish, answer) < 0 ||
            decode_tags(body, wish, answer) < 0)
        return -1;
    return decode_policy(hsm, body, wish, answer);
}

/* What every exportable key must keep to (codes of the service's own). */
static int check_export(
        bool hsm, const struct skrfs_lab_key_wish *wish, struct skrfs_lab_answer *answer) {
    if (wish->exportable && !wish->policy_given)
        return bad(answer, "AKV.SKR.1004: An exportable key must have a release policy");
    if (!wish->exportable && wish->policy_given)
        return bad(answer,
                "AKV.SKR.1005: A key that is not exportable must not have a release policy");
    if (!hsm && wish->exportable && !wish->hsm && wish->type == SKRFS_KEY_RSA)
        return bad(answer, "AKV.SKR.1006: A software RSA key cannot be exportable in this vault");
    return 0;
}

static int decode_kty(bool hsm, const char *kty, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    static const struct {
        const char *name;
        enum skrfs_key_type type;
        bool hsm;
    } kinds[] = {{"RSA", SKRFS_KEY_RSA, false}, {"RSA-HSM", SKRFS_KEY_RSA, true},
            {"EC", SKRFS_KEY_EC, false}, {"EC-HSM", SKRFS_KEY_EC, true},
            {"oct", SKRFS_KEY_OCT, false}, {"oct-HSM", SKRFS_KEY_OCT, true}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, kty) != 0)
            continue;
        if (kinds[i].type == SKRFS_KEY_OCT && !hsm)
            return bad(answer, "Property kty: a vault has no symmetric keys");
        wish->type = kinds[i].type;
        wish->hsm = hsm || kinds[i].hsm; /* everything in a Managed HSM is in its HSM */
        return 0;
    }
    return bad(answer, "Property kty has an unknown value");
}

static bool size_fits(enum skrfs_key_type type, int64_t size) {
    if (type == SKRFS_KEY_RSA)
        return size == 2048 || size == 3072 || size == 4096;
    return size == 128 || size == 192 || size == 256;
}

static int decode_size(const struct skrfs_json *body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    const struct skrfs_json *given = skrfs_json_get(body, "key_size");
    bool number = given && skrfs_json_kind(given) == SKRFS_JSON_INTEGER;
    wish->size = wish->type == SKRFS_KEY_RSA ? 2048 : 256;
    if (!given || skrfs_json_kind(given) == SKRFS_JSON_NULL)
        return 0;
    if (wish->type == SKRFS_KEY_EC || !number || !size_fits(wish->type, skrfs_json_integer(given)))
        return bad(answer, "Property key_size does not fit the key type");
    wish->size = (unsigned)skrfs_json_integer(given);
    return 0;
}

static int decode_shape(const struct skrfs_json *body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    const struct skrfs_json *exponent = skrfs_json_get(body, "public_exponent");
    const struct skrfs_json *curve = skrfs_json_get(body, "crv");
    wish->curve = SKRFS_P256;
    if (decode_size(body, wish, answer) < 0)
        return -1;
    if (exponent && skrfs_json_kind(exponent) != SKRFS_JSON_NULL &&
            skrfs_json_integer(exponent) != 65537)
        return bad(answer, "Property public_exponent is not 65537");
    if (!curve || skrfs_json_kind(curve) == SKRFS_JSON_NULL)
        return 0;
    if (wish->type != SKRFS_KEY_EC || !skrfs_json_string(curve) ||
            !skrfs_curve_parse(skrfs_json_string(curve), &wish->curve))
        return bad(answer, "Property crv does not fit the key type");
    return 0;
}

int skrfs_lab_create_decode(bool hsm, struct skrfs_bytes body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autojson *json = NULL;
    const char *kty = NULL;
    if (parse_body(body, &json, answer) < 0)
        return -1;
    if (skrfs_json_need_string(json, "kty", &kty, &err) < 0)
        return bad_body(answer, &err);
    if (decode_kty(hsm, kty, wish, answer) < 0 || decode_shape(json, wish, answer) < 0 ||
            skrfs_lab_common_decode(hsm, json, wish, answer) < 0)
        return -1;
    return check_export(hsm, wish, answer);
}

int skrfs_lab_import_decode(bool hsm, struct skrfs_bytes body, struct skrfs_lab_key_wish *wish,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autojson *json = NULL;
    const struct skrfs_json *jwk = NULL;
    const char *kty = NULL;
    if (parse_body(body, &json, answer) < 0)
        return -1;
    if (skrfs_json_need_object(json, "key", &jwk, &err) < 0 ||
            skrfs_json_need_string(jwk, "kty", &kty, &err) < 0)
        return bad_body(answer, &err);
    if (decode_kty(hsm, kty, wish, answer) < 0 ||
            want_flag(json, "hsm", &wish->hsm, NULL, answer) < 0 ||
            want_flag(json, "Hsm", &wish->hsm, NULL, answer) < 0 ||
            decode_ops(jwk, wish, answer) < 0 ||
            skrfs_lab_common_decode(hsm, json, wish, answer) < 0)
        return -1;
    wish->hsm = wish->hsm || hsm;
    if (skrfs_lab_jwk_private(jwk, wish, &err) < 0)
        return bad_body(answer, &err);
    return check_export(hsm, wish, answer);
}
