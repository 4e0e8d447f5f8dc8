/* The store's operations, over a release. */
#include <skrfs/base/clock.h>
#include <skrfs/client/wiring.h>
#include <stdio.h>
#include <string.h>

_Static_assert(
        SKRFS_STORE_VERSION_MAX == SKRFS_KEY_VERSION_MAX, "the store's versions are the vault's");
_Static_assert(sizeof(((struct skrfs_fetched *)NULL)->kid) == SKRFS_KID_MAX, "and so are its kids");

void skrfs_keyside_ask(const struct skrfs_conf *conf, size_t key, const char *version,
        struct skrfs_release_key *ret_ask) {
    const struct skrfs_conf_key *from = &conf->keys[key];
    const struct skrfs_conf_vault *vault = &conf->vaults[from->vault];
    struct skrfs_release_key ask = {.vault = from->vault,
            .vault_name = vault->name,
            .vault_host = vault->host,
            .name = from->name,
            .version = version ? version : from->version};

    if (!from->enc || !skrfs_enc_parse(from->enc, &ask.enc))
        ask.enc = SKRFS_ENC_SHA256;
    *ret_ask = ask;
}

static void hand_over(struct skrfs_released *released, struct skrfs_fetched *ret_fetched) {
    ret_fetched->plain = skrfs_take(released->plain);
    ret_fetched->type = (int)released->type;
    memcpy(ret_fetched->version, released->version, sizeof(ret_fetched->version));
    memcpy(ret_fetched->kid, released->kid, sizeof(ret_fetched->kid));
    ret_fetched->expires_s = released->expires_s;
}

static void copy_text(char *out, size_t size, const char *text) {
    (void)snprintf(out, size, "%s", text ? text : "");
}

/* What there is to be said of a release that was tried. */
static void prove(const struct skrfs_release_key *ask, const struct skrfs_released *released,
        struct skrfs_proof *proof) {
    *proof = (struct skrfs_proof){.wall_s = skrfs_wall_s()};
    copy_text(proof->vault, sizeof(proof->vault), ask->vault_name);
    copy_text(proof->name, sizeof(proof->name), ask->name);
    copy_text(proof->enc, sizeof(proof->enc), skrfs_enc_name(ask->enc));
    copy_text(proof->version, sizeof(proof->version),
            released->version[0] ? released->version : ask->version);
    copy_text(proof->kid, sizeof(proof->kid), released->kid);
    copy_text(proof->tee, sizeof(proof->tee), ask->proof->tee);
    memcpy(proof->measurement, ask->proof->measured.tee, sizeof(proof->measurement));
    memcpy(proof->pcrs_sha256, ask->proof->measured.pcrs_sha256, sizeof(proof->pcrs_sha256));
    memcpy(proof->token_sha256, ask->proof->token_sha256, sizeof(proof->token_sha256));
    memcpy(proof->jws_sha256, ask->proof->jws_sha256, sizeof(proof->jws_sha256));
}

static int try_release(struct skrfs_keyside *keyside, const struct skrfs_release_key *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_released *ret_released,
        struct skrfs_error *err) {
    struct skrfs_release *release;
    size_t step = skrfs_trace_begin(trace, "find the tee");

    if (skrfs_keyside_release(keyside, &release, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "%s", keyside->tee->ops->name);
    ask->proof->tee = keyside->tee->ops->name;
    return skrfs_release_run(release, ask, deadline_ns, trace, ret_released, err);
}

static int fetch(void *context, size_t key, const char *version, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_fetched *ret_fetched, struct skrfs_error *err) {
    struct skrfs_keyside *keyside = context;
    skrfs_autoreleased released = {0};
    struct skrfs_release_proof left = {.tee = NULL};
    struct skrfs_release_key ask;
    struct skrfs_proof proof;

    skrfs_keyside_ask(keyside->conf, key, version, &ask);
    ask.proof = &left;
    int result = try_release(keyside, &ask, deadline_ns, trace, &released, err);
    prove(&ask, &released, &proof);
    if (keyside->tried)
        keyside->tried(keyside->tried_context, key, &proof, result < 0 ? err : NULL);
    if (result < 0)
        return -1;
    hand_over(&released, ret_fetched);
    ret_fetched->release = proof.release;
    return 0;
}
static int encode(void *context, const struct skrfs_fetched *fetched, enum skrfs_format format,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    (void)context;
    return skrfs_key_encode(fetched->plain, (enum skrfs_key_type)fetched->type, format,
            fetched->kid, ret_encoded, err);
}

static int encode_public(const struct skrfs_vault_key *key, enum skrfs_format format,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_SECRET_MAX);

    if (skrfs_public_encode(&key->public, format, key->kid, &text, err) < 0)
        return -1;
    return skrfs_secret_copy(text.data, text.len, ret_encoded, err);
}

static int fetch_public(void *context, size_t key, const char *version, enum skrfs_format format,
        uint64_t deadline_ns, struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    const struct skrfs_keyside *keyside = context;
    skrfs_autovaultkey shown = {0};
    struct skrfs_release_key ask;

    skrfs_keyside_ask(keyside->conf, key, version, &ask);
    if (keyside->courier->ops->key_show(
                keyside->courier, ask.vault, ask.name, ask.version, deadline_ns, &shown, err) < 0)
        return skrfs_wrap(err, "public part from '%s'", ask.vault_name);
    return encode_public(&shown, format, ret_encoded, err);
}

const struct skrfs_fetch_ops skrfs_keyside_fetch_ops = {
        .fetch = fetch,
        .encode = encode,
        .fetch_public = fetch_public,
};
