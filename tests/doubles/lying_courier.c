/* A courier that was taken over: it speaks the courier's protocol with the courier's own code,
 * reaches the same services with the same login, and lies in what it answers.
 *
 *     lying_courier CONFIG DESCRIPTOR FILE
 *
 * FILE says how, and is read anew at each request: a word, and what belongs to it (another key's
 * name, a version, a nonce). Nothing of the product knows it; a test puts it in the real one's
 * place. */
#include <skrfs/base/clock.h>
#include <skrfs/client/wiring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct liar {
    struct skrfs_courier base;
    struct skrfs_courier *honest;
    const char *how;
    pthread_mutex_t lock; /* what was kept to be told again */
    struct skrfs_buf jws, token;
    struct skrfs_sealed_token sealed;
    bool has_sealed;
};

struct lie {
    char word[64], value[256];
};

static struct lie now(const struct liar *liar) {
    struct lie lie = {"", ""};
    FILE *file = fopen(liar->how, "re");

    if (file && fscanf(file, "%63s %255s", lie.word, lie.value) < 1)
        lie.word[0] = '\0';
    if (file)
        (void)fclose(file);
    return lie;
}

static bool is(const struct lie *lie, const char *word) {
    return strcmp(lie->word, word) == 0;
}

static int copy(struct skrfs_buf *to, const struct skrfs_buf *from, struct skrfs_error *err) {
    skrfs_buf_truncate(to, 0);
    return from->len ? skrfs_buf_append(to, from->data, from->len, err) : 0;
}

static int copy_sealed(struct skrfs_sealed_token *to, const struct skrfs_sealed_token *from,
        struct skrfs_error *err) {
    return copy(&to->clear, &from->clear, err) < 0 ||
                           copy(&to->inner_key, &from->inner_key, err) < 0 ||
                           copy(&to->iv, &from->iv, err) < 0 ||
                           copy(&to->tag, &from->tag, err) < 0 ||
                           copy(&to->cipher, &from->cipher, err) < 0
                   ? -1
                   : 0;
}

static void alter(struct skrfs_buf *buf) {
    if (buf->len)
        buf->data[buf->len / 2] ^= 1;
}

/* A sealed token of its own, or of before. */
static int attest(struct skrfs_courier *courier, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) {
    struct liar *liar = (struct liar *)courier;
    const struct lie lie = now(liar);

    pthread_mutex_lock(&liar->lock);
    bool again = is(&lie, "first-sealed") && liar->has_sealed;
    int result = again ? copy_sealed(ret_sealed, &liar->sealed, err) : 0;
    pthread_mutex_unlock(&liar->lock);
    if (again)
        return result;
    if (liar->honest->ops->attest(liar->honest, evidence, deadline_ns, trace, ret_sealed, err) < 0)
        return -1;
    pthread_mutex_lock(&liar->lock);
    if (!liar->has_sealed)
        liar->has_sealed = copy_sealed(&liar->sealed, ret_sealed, err) == 0;
    pthread_mutex_unlock(&liar->lock);
    if (is(&lie, "altered-inner-key"))
        alter(&ret_sealed->inner_key);
    if (is(&lie, "altered-cipher"))
        alter(&ret_sealed->cipher);
    if (is(&lie, "altered-tag"))
        alter(&ret_sealed->tag);
    if (is(&lie, "clear-token")) {
        skrfs_buf_truncate(&ret_sealed->inner_key, 0);
        skrfs_buf_truncate(&ret_sealed->iv, 0);
        skrfs_buf_truncate(&ret_sealed->tag, 0);
        skrfs_buf_truncate(&ret_sealed->cipher, 0);
        return skrfs_buf_append_text(&ret_sealed->clear, "a.b.c", err);
    }
    return 0;
}

static int inspect(struct skrfs_courier *courier, struct skrfs_bytes token, uint64_t deadline_ns,
        struct skrfs_token_info *ret_info, struct skrfs_error *err) {
    struct liar *liar = (struct liar *)courier;
    const struct lie lie = now(liar);

    if (liar->honest->ops->inspect(liar->honest, token, deadline_ns, ret_info, err) < 0)
        return -1;
    if (is(&lie, "token-for-ever"))
        ret_info->not_after_s = INT64_MAX;
    if (is(&lie, "token-of-old"))
        ret_info->not_after_s = 1;
    if (is(&lie, "claims")) {
        skrfs_buf_truncate(&ret_info->claims, 0);
        return skrfs_buf_append_text(
                &ret_info->claims, "{\"x-ms-isolation-tee\": [[[[\033[2J", err);
    }
    return 0;
}

/* A genuine answer to another question than was asked. */
static void twist(struct liar *liar, const struct lie *lie, struct skrfs_release_ask *ask) {
    if (is(lie, "other-key"))
        ask->name = lie->value;
    if (is(lie, "other-vault"))
        ask->vault = (size_t)strtoul(lie->value, NULL, 10);
    if (is(lie, "other-version"))
        ask->version = lie->value;
    if (is(lie, "no-version"))
        ask->version = NULL;
    if (is(lie, "other-nonce"))
        ask->nonce = lie->value;
    if (is(lie, "other-enc"))
        ask->enc = ask->enc == SKRFS_ENC_SHA1 ? SKRFS_ENC_SHA256 : SKRFS_ENC_SHA1;
    if (is(lie, "first-token") && liar->token.len)
        ask->token = skrfs_buf_bytes(&liar->token);
}

/* The header of a JWS that needs no signature. */
static int unsign(struct skrfs_buf *jws, struct skrfs_error *err) {
    skrfs_autobuf unsigned_jws = SKRFS_BUF(SKRFS_JWS_MAX);
    char *payload = memchr(jws->data, '.', jws->len);
    size_t len = payload ? (size_t)((char *)jws->data + jws->len - payload) : 0;
    char *end = len > 1 ? memchr(payload + 1, '.', len - 1) : NULL;

    if (!end)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "no JWS");
    if (skrfs_buf_append_text(&unsigned_jws, "eyJhbGciOiJub25lIn0", err) < 0 ||
            skrfs_buf_append(&unsigned_jws, payload, (size_t)(end - payload) + 1, err) < 0)
        return -1;
    skrfs_buf_move(jws, &unsigned_jws);
    return 0;
}

static int change(
        struct liar *liar, const struct lie *lie, struct skrfs_buf *jws, struct skrfs_error *err) {
    if (is(lie, "first-jws") && liar->jws.len)
        return copy(jws, &liar->jws, err);
    if (is(lie, "altered-jws"))
        jws->data[jws->len / 2] ^= 1;
    if (is(lie, "altered-signature"))
        jws->data[jws->len - 20] ^= 2;
    if (is(lie, "shorter-jws"))
        skrfs_buf_truncate(jws, jws->len - 100);
    if (is(lie, "unsigned"))
        return unsign(jws, err);
    if (is(lie, "rubbish")) {
        memset(jws->data, 'A', jws->len);
        jws->data[jws->len / 3] = jws->data[jws->len / 2] = '.';
    }
    return 0;
}

static int refuse(const struct lie *lie, struct skrfs_error *err) {
    if (is(lie, "not-found"))
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "there is none");
    if (is(lie, "rejected"))
        return skrfs_fail(err, SKRFS_CLASS_REJECTED, "no");
    if (is(lie, "denied")) /* which is not a courier's to say */
        return skrfs_fail(err, SKRFS_CLASS_DENIED, "you may not");
    if (is(lie, "revoked"))
        return skrfs_fail(err, SKRFS_CLASS_REVOKED, "wiped");
    if (is(lie, "text"))
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "one\nkeeper: opened 'rsa' by nobody\r\033]0;title\a\033[31m\xff\xfe\xc3( two");
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "later");
    return skrfs_fail_retryable(err, UINT64_MAX / 2);
}

static bool refuses(const struct lie *lie) {
    static const char *const words[] = {
            "not-found", "rejected", "denied", "revoked", "text", "much-later"};

    for (size_t i = 0; i < SKRFS_ARRAY_LEN(words); i++)
        if (is(lie, words[i]))
            return true;
    return false;
}

static int release(struct skrfs_courier *courier, const struct skrfs_release_ask *asked,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *err) {
    struct liar *liar = (struct liar *)courier;
    const struct lie lie = now(liar);
    struct skrfs_release_ask ask = *asked;

    if (refuses(&lie))
        return refuse(&lie, err);
    if (is(&lie, "silent")) {
        (void)skrfs_sleep_until(SKRFS_NEVER_NS, skrfs_now_ns() + 60 * SKRFS_SECOND_NS);
        return skrfs_fail(err, SKRFS_CLASS_TIMEOUT, "slept");
    }
    pthread_mutex_lock(&liar->lock);
    twist(liar, &lie, &ask);
    int result = liar->honest->ops->release(liar->honest, &ask, deadline_ns, trace, ret_jws, err);
    if (result == 0 && liar->jws.len == 0)
        result = copy(&liar->jws, ret_jws, err);
    if (result == 0 && liar->token.len == 0)
        result = skrfs_buf_append(&liar->token, asked->token.data, asked->token.len, err);
    if (result == 0)
        result = change(liar, &lie, ret_jws, err);
    pthread_mutex_unlock(&liar->lock);
    return result;
}

static int key_show(struct skrfs_courier *courier, size_t vault, const char *name,
        const char *version, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) {
    struct liar *liar = (struct liar *)courier;
    const struct lie lie = now(liar);

    if (is(&lie, "other-public"))
        name = lie.value;
    return liar->honest->ops->key_show(
            liar->honest, vault, name, version, deadline_ns, ret_key, err);
}

static const struct skrfs_courier_ops ops = {
        .attest = attest, .inspect = inspect, .release = release, .key_show = key_show};

static int serve(const char *config, int fd, const char *how, struct skrfs_error *err) {
    struct skrfs_conf *conf = NULL;
    struct skrfs_network network;
    struct liar liar = {.base.ops = &ops,
            .how = how,
            .lock = PTHREAD_MUTEX_INITIALIZER,
            .jws = SKRFS_BUF(SKRFS_JWS_MAX),
            .token = SKRFS_BUF(SKRFS_TOKEN_MAX)};

    skrfs_sealed_token_init(&liar.sealed);
    if (skrfs_conf_load(config, &conf, err) < 0 || skrfs_network_open(conf, &network, err) < 0 ||
            skrfs_courier_direct(network.cloud, &liar.honest, err) < 0)
        return -1;
    (void)puts("ready");
    (void)fflush(stdout);
    return skrfs_courier_serve_ops(fd, &liar.base, err);
}

int main(int argc, char **argv) {
    struct skrfs_error err = {0};

    if (argc != 4)
        return 2;
    if (serve(argv[1], (int)strtol(argv[2], NULL, 10), argv[3], &err) == 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.message);
    return 1;
}
