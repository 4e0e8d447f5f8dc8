/* The flow of one release: evidence, attestation token (one serves many keys until it nears expiry,
 * one attestation in flight however many wait), the vault's answer, its verification, the
 * unwrapping.
 *
 * The keeper believes the courier nothing that matters: the nonce is made here; the JWS is verified
 * here, first chain and host, then signature over the raw bytes, then its payload. After three
 * failed openings the wrapping key is retired, so that the token's PKCS#1 v1.5 layer is no oracle.
 * Thread safe. */
#ifndef SKRFS_RELEASE_RELEASE_H
#define SKRFS_RELEASE_RELEASE_H

#include <skrfs/courier/courier.h>
#include <skrfs/crypto/encoding.h>
#include <skrfs/crypto/x509.h>
#include <skrfs/tee/tee.h>

struct skrfs_release;

struct skrfs_release_options {
    struct skrfs_tee *tee;         /* borrowed */
    struct skrfs_courier *courier; /* borrowed */
    struct skrfs_trust *trust;     /* anchors for released JWS, borrowed */
    uint64_t stale_ns; /* a release refused on a token older than this is tried once with a new one;
                          0: a minute */
};

int skrfs_release_new(const struct skrfs_release_options *options,
        struct skrfs_release **ret_release, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_release_free(struct skrfs_release *release);
SKRFS_DEFINE_CLEANUP(struct skrfs_release, skrfs_release_free)

/* What vouches for a release afterwards; hexadecimal texts, "" for what it did not come to. */
struct skrfs_release_proof {
    const char *tee; /* its name, static; NULL: none yet */
    struct skrfs_measurement measured;
    char token_sha256[65]; /* of the attestation token's octets */
    char jws_sha256[65];   /* of the answer's octets, whether it was believed or not */
};

struct skrfs_release_key {
    size_t vault;           /* index in the cloud's options */
    const char *vault_name; /* for messages */
    const char *vault_host; /* whom the JWS must come from */
    const char *name;
    const char *version; /* NULL: the current one */
    enum skrfs_enc enc;
    struct skrfs_release_proof *proof; /* filled in as far as the last attempt came; NULL: nobody
                                          asks */
};

/* A released key. */
struct skrfs_released {
    struct skrfs_secret *plain; /* PKCS#8 DER or the octets; one reference owned */
    enum skrfs_key_type type;
    struct skrfs_public public;
    char kid[SKRFS_KID_MAX];
    char version[SKRFS_KEY_VERSION_MAX];
    int64_t expires_s; /* the key's own expiry, 0 when it has none */
};
void skrfs_released_done(struct skrfs_released *released);
#define skrfs_autoreleased SKRFS_CLEANUP(skrfs_released_done) struct skrfs_released

/* One release. `ret_released` must be zeroed or done. */
int skrfs_release_run(struct skrfs_release *release, const struct skrfs_release_key *key,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_released *ret_released,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The attestation token's text, attesting when there is none: for `skrfs attest`. */
int skrfs_release_token(struct skrfs_release *release, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* What a JWS must say to be the answer to a question. */
struct skrfs_answer_wish {
    const struct skrfs_trust *trust;
    const char *host; /* the vault's, without a port */
    int64_t wall_s;
    const char *name, *version; /* version NULL: any */
    const char *nonce;          /* NULL: none was sent, so none may be there */
    const char *kek_kid;
    enum skrfs_enc enc;
};
/* What it said. */
struct skrfs_answer {
    struct skrfs_buf wrapped; /* RSA block and AES-KWP block */
    enum skrfs_key_type type;
    struct skrfs_public public;
    char kid[SKRFS_KID_MAX];
    char version[SKRFS_KEY_VERSION_MAX];
    int64_t expires_s;
};
void skrfs_answer_done(struct skrfs_answer *answer);
/* Verifies a released JWS: alg RS256, chain to an anchor, host, validity, signature; then host,
 * name and version of both kids, nonce, enc (in request and key_hsm), the wrapping key's kid. Every
 * difference is BAD_ANSWER and is named. Pure. */
int skrfs_answer_verify(struct skrfs_bytes jws, const struct skrfs_answer_wish *wish,
        struct skrfs_answer *ret_answer, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The second half of it: the payload of a JWS whose chain and signature hold (trust and wall_s of
 * the wish are not looked at). Apart so that it can be tested without a signature; nothing else may
 * call it. Pure. */
int skrfs_answer_read(struct skrfs_bytes payload, const struct skrfs_answer_wish *wish,
        struct skrfs_answer *ret_answer, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
