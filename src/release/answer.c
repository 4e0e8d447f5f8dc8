/* What a verified JWS says, held against what was asked: key, version, nonce, wrapping key,
 * algorithm. The vault's certificate is a region's, not a vault's (its wildcard fits every vault
 * there), so the signature alone does not say which key this is. */
#include "internal.h"

#include <skrfs/base/encode.h>
#include <skrfs/json/json.h>
#include <string.h>
#include <strings.h>

#define PAYLOAD_MAX SKRFS_JWS_MAX
/* The RSA block of the smallest wrapping key (RSA-2048) and the shortest AES-KWP block. */
#define WRAPPED_MIN (256 + 16)

void skrfs_answer_done(struct skrfs_answer *answer) {
    skrfs_buf_done(&answer->wrapped);
}

static int differs(struct skrfs_error *err, const char *what, const char *said, const char *asked) {
    char clean[128];
    skrfs_text_clean(said, strlen(said), clean, sizeof(clean));
    return skrfs_fail(
            err, SKRFS_CLASS_BAD_ANSWER, "it is for the %s '%s', not '%s'", what, clean, asked);
}

/* Hosts, names and versions are compared without regard to case, as the service does. */
static int check_kid(const char *text, bool answered, const struct skrfs_answer_wish *wish,
        struct skrfs_kid *ret_kid, struct skrfs_error *err) {
    struct skrfs_kid kid;
    if (skrfs_kid_parse(text, &kid, err) < 0)
        return -1;
    if (strcasecmp(kid.host, wish->host) != 0)
        return differs(err, "vault", kid.host, wish->host);
    if (strcasecmp(kid.name, wish->name) != 0)
        return differs(err, "key", kid.name, wish->name);
    if (wish->version && strcasecmp(kid.version, wish->version) != 0)
        return differs(err, "version", kid.version, wish->version);
    if (answered && !*kid.version)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "it does not say which version of the key it is");
    if (!answered && !wish->version && *kid.version)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "it answers a question for another version than the current one");
    *ret_kid = kid;
    return 0;
}

static int check_request(const struct skrfs_json *payload, const struct skrfs_answer_wish *wish,
        struct skrfs_error *err) {
    const struct skrfs_json *request = NULL;
    const char *kid_text = NULL;
    const char *nonce = NULL;
    const char *enc = NULL;
    struct skrfs_kid kid;
    if (skrfs_json_need_object(payload, "request", &request, err) < 0 ||
            skrfs_json_need_string(request, "kid", &kid_text, err) < 0 ||
            skrfs_json_want_string(request, "nonce", &nonce, err) < 0 ||
            skrfs_json_need_string(request, "enc", &enc, err) < 0)
        return -1;
    if (check_kid(kid_text, false, wish, &kid, err) < 0)
        return skrfs_wrap(err, "'request.kid'");
    if (!wish->nonce != !nonce || (nonce && strcmp(nonce, wish->nonce) != 0))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "its nonce is not the one that was sent: it answers another request");
    if (strcmp(enc, skrfs_enc_name(wish->enc)) != 0)
        return differs(err, "key wrapping (enc)", enc, skrfs_enc_name(wish->enc));
    return 0;
}

static int check_wrapping(const struct skrfs_json *key_hsm, const struct skrfs_answer_wish *wish,
        struct skrfs_error *err) {
    const struct skrfs_json *header = NULL;
    const char *schema = NULL;
    const char *kid = NULL;
    const char *alg = NULL;
    const char *enc = NULL;
    if (skrfs_json_need_string(key_hsm, "schema_version", &schema, err) < 0 ||
            skrfs_json_need_object(key_hsm, "header", &header, err) < 0 ||
            skrfs_json_need_string(header, "kid", &kid, err) < 0 ||
            skrfs_json_need_string(header, "alg", &alg, err) < 0 ||
            skrfs_json_need_string(header, "enc", &enc, err) < 0)
        return -1;
    if (strcmp(schema, "1.0") != 0)
        return differs(err, "schema", schema, "1.0");
    if (strcmp(kid, wish->kek_kid) != 0)
        return differs(err, "wrapping key", kid, wish->kek_kid);
    if (strcmp(alg, "dir") != 0)
        return differs(err, "algorithm", alg, "dir");
    if (strcmp(enc, skrfs_enc_name(wish->enc)) != 0)
        return differs(err, "key wrapping (enc)", enc, skrfs_enc_name(wish->enc));
    return 0;
}

/* key_hsm: base64url of a JSON document of its own. */
static int read_wrapped(const struct skrfs_json *key, const struct skrfs_answer_wish *wish,
        struct skrfs_answer *answer, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(PAYLOAD_MAX);
    skrfs_autojson *key_hsm = NULL;
    if (skrfs_json_need_base64(key, "key_hsm", SKRFS_BASE64URL, &text, err) < 0)
        return -1;
    if (skrfs_json_parse(skrfs_buf_text(&text), text.len, PAYLOAD_MAX, &key_hsm, err) < 0 ||
            check_wrapping(key_hsm, wish, err) < 0 ||
            skrfs_json_need_base64(key_hsm, "ciphertext", SKRFS_BASE64URL, &answer->wrapped, err) <
                    0)
        return skrfs_wrap(err, "'key_hsm'");
    if (answer->wrapped.len < WRAPPED_MIN || answer->wrapped.len % 8 != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "'key_hsm': a wrapped key cannot have %zu octets", answer->wrapped.len);
    return 0;
}

/* attributes.exp: the key's own expiry, which need not be set. */
static int read_expiry(
        const struct skrfs_json *key, struct skrfs_answer *answer, struct skrfs_error *err) {
    const struct skrfs_json *attributes = skrfs_json_get(key, "attributes");
    const struct skrfs_json *expiry = skrfs_json_get(attributes, "exp");
    if (!expiry || skrfs_json_kind(expiry) == SKRFS_JSON_NULL)
        return 0;
    return skrfs_json_need_integer(attributes, "exp", &answer->expires_s, err);
}

static int read_response(const struct skrfs_json *payload, const struct skrfs_answer_wish *wish,
        struct skrfs_answer *answer, struct skrfs_error *err) {
    const struct skrfs_json *response = NULL;
    const struct skrfs_json *bundle = NULL;
    const struct skrfs_json *key = NULL;
    const char *kid_text = NULL;
    struct skrfs_kid kid;
    if (skrfs_json_need_object(payload, "response", &response, err) < 0 ||
            skrfs_json_need_object(response, "key", &bundle, err) < 0 ||
            skrfs_json_need_object(bundle, "key", &key, err) < 0 ||
            skrfs_json_need_string(key, "kid", &kid_text, err) < 0)
        return -1;
    if (check_kid(kid_text, true, wish, &kid, err) < 0)
        return skrfs_wrap(err, "'response.key.key.kid'");
    memcpy(answer->kid, kid_text, strlen(kid_text) + 1);
    memcpy(answer->version, kid.version, sizeof(answer->version));
    if (skrfs_jwk_public(key, &answer->public, err) < 0 || read_expiry(bundle, answer, err) < 0)
        return -1;
    answer->type = answer->public.type;
    return read_wrapped(key, wish, answer, err);
}

int skrfs_answer_read(struct skrfs_bytes payload, const struct skrfs_answer_wish *wish,
        struct skrfs_answer *ret_answer, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    SKRFS_CLEANUP(skrfs_answer_done)
    struct skrfs_answer answer = {.wrapped = SKRFS_BUF(SKRFS_SECRET_MAX)};
    if (skrfs_json_parse((const char *)payload.data, payload.len, PAYLOAD_MAX, &json, err) < 0 ||
            check_request(json, wish, err) < 0 || read_response(json, wish, &answer, err) < 0)
        return -1;
    *ret_answer = answer;
    answer.wrapped = SKRFS_BUF(0);
    return 0;
}

int skrfs_answer_verify(struct skrfs_bytes jws, const struct skrfs_answer_wish *wish,
        struct skrfs_answer *ret_answer, struct skrfs_error *err) {
    skrfs_autobuf payload = SKRFS_BUF(PAYLOAD_MAX);
    if (skrfs_jws_verify(jws, wish, &payload, err) < 0 ||
            skrfs_answer_read(skrfs_buf_bytes(&payload), wish, ret_answer, err) < 0)
        return skrfs_wrap(err, "the vault's answer is refused");
    return 0;
}
