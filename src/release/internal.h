/* What the files of this room share. */
#ifndef SKRFS_SRC_RELEASE_INTERNAL_H
#define SKRFS_SRC_RELEASE_INTERNAL_H

#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/release/release.h>

/* SHA-256 as hexadecimal digits; "" when it cannot be made. */
void skrfs_digest_text(struct skrfs_bytes data, char out[65]);

/* Verifies chain, host and signature of a compact JWS and only then decodes its payload. */
int skrfs_jws_verify(struct skrfs_bytes jws, const struct skrfs_answer_wish *wish,
        struct skrfs_buf *payload, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The parts of "https://host[:port]/keys/name[/version]". */
struct skrfs_kid {
    char host[256];
    char name[SKRFS_KEY_NAME_MAX];
    char version[SKRFS_KEY_VERSION_MAX]; /* "" when it has none */
};
int skrfs_kid_parse(
        const char *text, struct skrfs_kid *ret_kid, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* An opened attestation token and the key that what is released on it is wrapped to. Immutable but
 * for the count of references, which belongs to the cache's lock. */
struct skrfs_pass {
    unsigned references;
    struct skrfs_buf token;
    struct skrfs_tee_key key;
    struct skrfs_measurement measured;
    char token_sha256[65];
    uint64_t made_ns;
    int64_t expires_s;
};

/* The one token, and the one attestation in flight. */
struct skrfs_passes {
    const struct skrfs_release_options *options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct skrfs_pass *current; /* one reference; NULL when there is none */
    bool attesting;
    bool watched; /* a thread waits for the token's end (warden.c) */
    bool ending;
    uint64_t attempts; /* finished */
    bool last_failed;  /* how the last of them ended, and why */
    struct skrfs_error last_error;
    unsigned failed_openings; /* with the present wrapping key */
    bool retire;              /* the next evidence wants a new one, and a new report over it */
};
int skrfs_passes_init(struct skrfs_passes *passes, const struct skrfs_release_options *options,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_passes_done(struct skrfs_passes *passes);
/* The current token or a new one; a reference that skrfs_pass_put gives back. */
int skrfs_passes_get(struct skrfs_passes *passes, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_pass **ret_pass, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_pass_put(struct skrfs_passes *passes, struct skrfs_pass *pass);
/* Whether a token may still be used; not for long before its end. */
bool skrfs_pass_usable(const struct skrfs_pass *pass);
void skrfs_passes_drop_locked(struct skrfs_passes *passes);
/* warden.c: a thread that wipes the current token at its end, whether anybody comes for another or
 * not. With the lock held; where no thread can be had it is wiped when the next one is asked for.
 */
void skrfs_passes_watch(struct skrfs_passes *passes);
/* Waits for that thread's end, with the lock held. */
void skrfs_passes_unwatch(struct skrfs_passes *passes);
/* Nobody gets this token any more. */
void skrfs_passes_drop(struct skrfs_passes *passes, const struct skrfs_pass *pass);

/* One attestation: evidence, sealed token, opened token. */
int skrfs_attest(struct skrfs_passes *passes, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_pass **ret_pass, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_pass_free(struct skrfs_pass *pass);
SKRFS_DEFINE_CLEANUP(struct skrfs_pass, skrfs_pass_free)

#endif
