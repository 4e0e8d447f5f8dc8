/* The signed answer of a release, in the shape of each service: members, spellings and order are
 * those that the services were recorded with. */
#include "release.h"

#include "jwt.h"

#include <ctype.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

/* What goes into an answer, after the lies. */
struct facts {
    char name[SKRFS_LAB_KEY_NAME_MAX + 16];
    const char *version, *nonce, *kek_id;
    enum skrfs_enc enc;
    const struct skrfs_pkey *kek;
    struct skrfs_public public;
    struct skrfs_secret *plain; /* PKCS#8, or an oct key's octets; a reference */
};

/* Another key of the same kind. */
static int other_version(const struct skrfs_lab_version *version,
        struct skrfs_lab_version **ret_version, struct skrfs_error *err) {
    skrfs_autowish wish;
    skrfs_lab_key_wish_init(&wish);
    wish.type = version->public.type;
    wish.curve = version->public.curve;
    wish.size = wish.type == SKRFS_KEY_OCT ? 256 : 2048;
    wish.hsm = version->hsm;
    return skrfs_lab_version_new(&wish, ret_version, err);
}

static int lie(
        const struct skrfs_lab_release *release, struct facts *facts, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_lab_version_free_p) struct skrfs_lab_version *other = NULL;
    bool inner = release->deed == SKRFS_LAB_OTHER_KEY || release->deed == SKRFS_LAB_WRONG_INNER_KEY;
    bool outer = release->deed == SKRFS_LAB_OTHER_KEY || release->deed == SKRFS_LAB_OTHER_PUBLIC;
    if ((inner || outer) && other_version(release->version, &other, err) < 0)
        return -1;
    if (inner) {
        skrfs_secret_unref(facts->plain);
        facts->plain = skrfs_secret_ref(other->plain);
    }
    if (outer)
        facts->public = other->public;
    if (release->deed == SKRFS_LAB_OTHER_KEY)
        (void)snprintf(facts->name, sizeof(facts->name), "%s-other", release->key->name);
    if (release->deed == SKRFS_LAB_OTHER_VERSION)
        facts->version = "0123456789abcdef0123456789abcdef";
    if (release->deed == SKRFS_LAB_OTHER_NONCE)
        facts->nonce = "another-nonce";
    if (release->deed == SKRFS_LAB_OTHER_ENC)
        facts->enc = release->enc == SKRFS_ENC_SHA256 ? SKRFS_ENC_SHA384 : SKRFS_ENC_SHA256;
    if (release->deed == SKRFS_LAB_OTHER_KEK) {
        facts->kek = release->pki->maa_stranger;
        facts->kek_id = "AnotherEncryptionKey";
    }
    if (release->deed == SKRFS_LAB_OTHER_KEK_KID)
        facts->kek_id = "AnotherEncryptionKey";
    return 0;
}

/* OAEP over a new AES-256 key, then RFC 5649 over the key with it. */
static int wrap(const struct facts *facts, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autosecret *kek = NULL;
    if (skrfs_secret_new(32, &kek, err) < 0 || skrfs_random(skrfs_secret_space(kek), 32, err) < 0 ||
            skrfs_oaep_encrypt(facts->kek, skrfs_enc_hash(facts->enc),
                    (struct skrfs_bytes){skrfs_secret_data(kek), 32}, out, err) < 0)
        return -1;
    return skrfs_kwp_wrap(kek, facts->plain, out, err);
}

/* Members in the order of their names, as the Managed HSM writes them. */
static int sorted(
        const struct skrfs_json *json, struct skrfs_json **ret_json, struct skrfs_error *err) {
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT)
        return skrfs_json_copy(json, ret_json, err);
    skrfs_autojson *out = NULL;
    const char *last = NULL;
    if (skrfs_json_pack(&out, err, "{}") < 0)
        return -1;
    for (size_t i = 0; i < skrfs_json_size(json); i++) {
        void *iterator = NULL;
        const char *name = NULL;
        const char *next = NULL;
        const struct skrfs_json *value = NULL;
        struct skrfs_json *copy = NULL;
        while (skrfs_json_next(json, &iterator, &name, &value))
            if ((!last || strcmp(name, last) > 0) && (!next || strcmp(name, next) < 0))
                next = name;
        if (!next || sorted(skrfs_json_get(json, next), &copy, err) < 0 ||
                skrfs_json_set(out, next, copy, err) < 0)
            return -1;
        last = next;
    }
    *ret_json = skrfs_take(out);
    return 0;
}

/* Sorts for the Managed HSM; the vault's order is the one it was built in. */
static int in_order(bool hsm, struct skrfs_json **json, struct skrfs_error *err) {
    struct skrfs_json *ordered = NULL;
    if (!hsm)
        return 0;
    if (sorted(*json, &ordered, err) < 0)
        return -1;
    skrfs_json_free(*json);
    *json = ordered;
    return 0;
}

static int key_hsm(const struct skrfs_lab_release *release, const struct facts *facts,
        struct skrfs_json **ret_text, struct skrfs_error *err) {
    skrfs_autobuf cipher = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_JWT_MAX);
    skrfs_autojson *json = NULL;
    struct skrfs_json *encoded = NULL;
    if (wrap(facts, &cipher, err) < 0)
        return -1;
    if (release->deed == SKRFS_LAB_SHORT_CIPHER)
        skrfs_buf_truncate(&cipher, 100);
    if (skrfs_lab_base64_json(SKRFS_BASE64URL, skrfs_buf_bytes(&cipher), &encoded, err) < 0 ||
            skrfs_json_pack(&json, err, "{s:s,s:{s:s,s:s,s:s},s:o}", "schema_version", "1.0",
                    "header", "kid", facts->kek_id, "alg", "dir", "enc", skrfs_enc_name(facts->enc),
                    "ciphertext", encoded) < 0 ||
            in_order(release->vault->hsm, &json, err) < 0 ||
            skrfs_json_print(json, false, &text, err) < 0)
        return -1;
    return skrfs_lab_base64_json(SKRFS_BASE64URL, skrfs_buf_bytes(&text), ret_text, err);
}

static int set(struct skrfs_json *json, const char *name, int rc, struct skrfs_json *value,
        struct skrfs_error *err) {
    return rc < 0 ? -1 : skrfs_json_set(json, name, value, err);
}

/* Puts the members of `from` behind those of `json`, but `kty`, which is there. */
static int add_members(
        struct skrfs_json *json, const struct skrfs_json *from, struct skrfs_error *err) {
    void *iterator = NULL;
    const char *name = NULL;
    const struct skrfs_json *value = NULL;
    while (skrfs_json_next(from, &iterator, &name, &value)) {
        struct skrfs_json *copy = NULL;
        if (strcmp(name, "kty") != 0 && (skrfs_json_copy(value, &copy, err) < 0 ||
                                                skrfs_json_set(json, name, copy, err) < 0))
            return -1;
    }
    return 0;
}

/* kid, kty, key_ops, the public members, key_hsm. */
static int key_json(const struct skrfs_lab_release *release, const struct facts *facts,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    char kid[512];
    bool hsm = release->vault->hsm;
    /* The Managed HSM writes a plain "EC" here where its bundles say "EC-HSM". */
    const char *kty = skrfs_lab_kty(facts->public.type, !hsm && release->version->hsm);
    skrfs_autojson *json = NULL;
    skrfs_autojson *jwk = NULL;
    struct skrfs_json *part = NULL;
    (void)snprintf(
            kid, sizeof(kid), "%s/keys/%s/%s", release->vault->url, facts->name, facts->version);
    if (skrfs_json_pack(&json, err, "{s:s,s:s}", "kid", kid, "kty", kty) < 0)
        return -1;
    int rc = skrfs_json_copy(release->version->ops, &part, err);
    if (set(json, "key_ops", rc, part, err) < 0)
        return -1;
    if (facts->public.type != SKRFS_KEY_OCT &&
            (skrfs_lab_jwk(&facts->public, kty, !hsm && release->version->hsm, &jwk, err) < 0 ||
                    add_members(json, jwk, err) < 0))
        return -1;
    rc = key_hsm(release, facts, &part, err);
    if (set(json, "key_hsm", rc, part, err) < 0)
        return -1;
    *ret_json = skrfs_take(json);
    return 0;
}

static int request_json(const struct skrfs_lab_release *release, const struct facts *facts,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    char kid[512];
    (void)snprintf(kid, sizeof(kid), "%s/keys/%s%s%s", release->vault->url, facts->name,
            release->version_asked ? "/" : "", release->version_asked ? facts->version : "");
    return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:s,s:s*}", "api-version", release->api_version,
            "enc", skrfs_enc_name(facts->enc), "kid", kid, "nonce", facts->nonce);
}

static int payload_json(const struct skrfs_lab_release *release, const struct facts *facts,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    bool hsm = release->vault->hsm;
    skrfs_autojson *key = NULL;
    skrfs_autojson *payload = NULL;
    struct skrfs_json *part = NULL;
    if (skrfs_json_pack(&key, err, "{}") < 0)
        return -1;
    int rc = key_json(release, facts, &part, err);
    if (set(key, "key", rc, part, err) < 0)
        return -1;
    rc = skrfs_lab_attributes_json(release->key, release->version, &part, err);
    if (set(key, "attributes", rc, part, err) < 0)
        return -1;
    rc = skrfs_lab_policy_json(release->key, hsm, &part, err);
    if (set(key, "release_policy", rc, part, err) < 0)
        return -1;
    if (request_json(release, facts, &part, err) < 0)
        return -1;
    if (skrfs_json_pack(&payload, err, "{s:o,s:{s:o}}", "request", part, "response", "key",
                skrfs_take(key)) < 0 ||
            in_order(hsm, &payload, err) < 0)
        return -1;
    *ret_json = skrfs_take(payload);
    return 0;
}

static int x5c_json(
        const struct skrfs_chain *chain, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autojson *list = NULL;
    if (skrfs_json_new_array(&list, err) < 0)
        return -1;
    for (size_t i = 0; i < skrfs_chain_len(chain); i++) {
        skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
        struct skrfs_json *text = NULL;
        if (skrfs_chain_der(chain, i, &der, err) < 0 ||
                skrfs_lab_base64_json(SKRFS_BASE64, skrfs_buf_bytes(&der), &text, err) < 0 ||
                skrfs_json_append(list, text, err) < 0)
            return -1;
    }
    *ret_json = skrfs_take(list);
    return 0;
}

/* base64url of the leaf's digest. */
static int thumbprint(const struct skrfs_chain *chain, enum skrfs_hash hash, struct skrfs_buf *out,
        char hex[2 * SKRFS_HASH_MAX + 1], struct skrfs_error *err) {
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    uint8_t digest[SKRFS_HASH_MAX];
    size_t len = skrfs_hash_len(hash);
    if (skrfs_chain_der(chain, 0, &der, err) < 0 ||
            skrfs_hash(hash, der.data, der.len, digest, err) < 0)
        return -1;
    skrfs_hex_encode(digest, len, hex);
    return skrfs_base64_encode(SKRFS_BASE64URL, digest, len, out, err);
}

/* `wrong_kid`: an id that is of no certificate. */
static int header_json(bool hsm, bool wrong_kid, const struct skrfs_chain *chain,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autobuf x5t = SKRFS_BUF(128);
    skrfs_autobuf x5t256 = SKRFS_BUF(128);
    char kid[2 * SKRFS_HASH_MAX + 1];
    char unused[2 * SKRFS_HASH_MAX + 1];
    struct skrfs_json *x5c = NULL;
    if (thumbprint(chain, SKRFS_SHA1, &x5t, kid, err) < 0 ||
            thumbprint(chain, SKRFS_SHA256, &x5t256, unused, err) < 0 ||
            x5c_json(chain, &x5c, err) < 0)
        return -1;
    if (hsm)
        return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:o,s:s}", "alg", "RS256", "kid",
                wrong_kid ? "1ab00000-0000-0000-0000-000000000000"
                          : "1ab00000-9421-0921-160e-6143bfe1030c",
                "x5c", x5c, "x5t#S256", skrfs_buf_text(&x5t256));
    for (char *c = kid; *c; c++)
        *c = wrong_kid ? '0' : (char)toupper((unsigned char)*c);
    return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:s,s:s,s:s,s:o}", "alg", "RS256", "kid", kid,
            "x5t", skrfs_buf_text(&x5t), "typ", "JWT", "x5t#S256", skrfs_buf_text(&x5t256), "x5c",
            x5c);
}

static enum skrfs_lab_signing signing_of(enum skrfs_lab_deed deed) {
    switch (deed) {
    case SKRFS_LAB_OTHER_SIGNER:
        return SKRFS_LAB_SIGNED_BY_STRANGER;
    case SKRFS_LAB_EXPIRED_LEAF:
        return SKRFS_LAB_SIGNED_EXPIRED;
    case SKRFS_LAB_OTHER_HOST:
        return SKRFS_LAB_SIGNED_ELSEWHERE;
    default:
        return SKRFS_LAB_SIGNED_WELL;
    }
}

static int sign(const struct skrfs_lab_release *release, const struct facts *facts,
        struct skrfs_buf *out, struct skrfs_error *err) {
    const struct skrfs_lab_signer *signer =
            &release->pki->release[release->vault->hsm][signing_of(release->deed)];
    skrfs_autojson *header = NULL;
    skrfs_autojson *payload = NULL;
    size_t start = out->len;
    if (header_json(release->vault->hsm, release->deed == SKRFS_LAB_WRONG_KID, signer->chain,
                &header, err) < 0 ||
            payload_json(release, facts, &payload, err) < 0 ||
            skrfs_lab_jwt_sign(signer->key, header, payload, out, err) < 0)
        return -1;
    if (release->deed == SKRFS_LAB_BAD_SIGNATURE)
        skrfs_lab_jwt_spoil(out, start);
    return 0;
}

int skrfs_lab_release_sign(
        const struct skrfs_lab_release *release, struct skrfs_buf *out, struct skrfs_error *err) {
    struct facts facts = {.version = release->version->id,
            .nonce = release->nonce,
            .kek_id = release->kek_id,
            .enc = release->enc,
            .kek = release->kek,
            .public = release->version->public,
            .plain = skrfs_secret_ref(release->version->plain)};
    (void)snprintf(facts.name, sizeof(facts.name), "%s", release->key->name);
    int rc = lie(release, &facts, err);
    if (rc == 0)
        rc = sign(release, &facts, out, err);
    skrfs_secret_unref(facts.plain);
    return rc;
}
