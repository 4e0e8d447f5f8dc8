/* A TEE and a courier of the test's own, told to be late, to fail or to lie. */
#ifndef SKRFS_TESTS_RELEASE_FAKE_H
#define SKRFS_TESTS_RELEASE_FAKE_H

#include "vault.h"

#include <pthread.h>

/* Which wrong answer the courier gives. */
enum lie {
    LIE_NONE,
    LIE_ALG,
    LIE_NONCE,
    LIE_HOST,
    LIE_NAME,
    LIE_ENC,
    LIE_KEK,
    LIE_SIGNATURE,
    LIE_AUTHORITY,
    LIE_REPLAY,  /* the answer to an earlier request */
    LIE_PUBLIC,  /* another public half than the plaintext's */
    LIE_WRAPPED, /* garbage instead of the wrapped key */
    LIE_COUNT
};

struct fake_tee {
    struct skrfs_tee tee;
    struct skrfs_pkey *kek;
    unsigned collected, fresh, opened, unwrapped;
    unsigned fail_open, fail_unwrap; /* how many times still */
};

struct fake_courier {
    struct skrfs_courier courier;
    const struct fake_tee *tee;
    struct test_vault vault, other;
    struct skrfs_secret *plain;
    struct skrfs_public public, wrong_public;
    pthread_mutex_t lock;
    unsigned attested, released;
    unsigned attest_ms;
    int64_t token_life_s;
    unsigned busy, reject, fail_attest; /* how many times still */
    unsigned stale;                     /* attestations without fitting certificates, likewise */
    const char *clear;                  /* the token as it is, instead of a sealed one */
    bool long_wait;
    enum lie lie;
    struct skrfs_buf earlier;
};

extern struct fake_tee tee;
extern struct fake_courier courier;

/* Keys and certificates, once. */
void fake_init(void);
void fake_done(void);
/* Honest, quick and never asked before. */
void fake_reset(void);

#endif
